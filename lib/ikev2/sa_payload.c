/*
 * SA payloads from and to offers: see sa_payload.h.
 */
#include "lib/ikev2/sa_payload.h"

_Static_assert(OFFER_PROPOSALS_MAX == V2_PROPOSALS_MAX && OFFER_TRANSFORMS_MAX == V2_TRANSFORMS_MAX,
               "an offer holds what an SA payload does");

/* RFC 7296 section 3.3.2; 0 for TRANSFORM_UNKNOWN, which is none of ours. */
static const uint8_t wire_types[TRANSFORM_TYPE_COUNT] = {
    [TRANSFORM_ENCR] = V2_TRANSFORM_ENCR,   [TRANSFORM_PRF] = V2_TRANSFORM_PRF,
    [TRANSFORM_INTEG] = V2_TRANSFORM_INTEG, [TRANSFORM_GROUP] = V2_TRANSFORM_KE,
    [TRANSFORM_ESN] = V2_TRANSFORM_ESN,
};

static enum transform_type type_of(uint8_t wire)
{
    static const uint8_t types[] = {
        [V2_TRANSFORM_ENCR] = TRANSFORM_ENCR,   [V2_TRANSFORM_PRF] = TRANSFORM_PRF,
        [V2_TRANSFORM_INTEG] = TRANSFORM_INTEG, [V2_TRANSFORM_KE] = TRANSFORM_GROUP,
        [V2_TRANSFORM_ESN] = TRANSFORM_ESN,
    };

    return wire < sizeof(types) ? (enum transform_type)types[wire] : TRANSFORM_UNKNOWN;
}

static const char *transform_name(enum transform_type type, uint16_t number)
{
    return v2_transform_name(wire_types[type], number);
}

static uint8_t protocol_of(uint8_t wire)
{
    switch (wire) {
    case V2_PROTOCOL_IKE: return IPSEC_NONE;
    case V2_PROTOCOL_AH: return IPSEC_AH;
    case V2_PROTOCOL_ESP: return IPSEC_ESP;
    default: return OFFER_PROTOCOL_UNKNOWN;
    }
}

static uint8_t wire_protocol(uint8_t protocol)
{
    switch (protocol) {
    case IPSEC_NONE: return V2_PROTOCOL_IKE;
    case IPSEC_AH: return V2_PROTOCOL_AH;
    case IPSEC_ESP: return V2_PROTOCOL_ESP;
    default: return V2_PROTOCOL_NONE;
    }
}

/* --- From the wire --- */

/* RFC 7296 section 3.3.5: only ciphers have a key length, and those with a choice must say it. */
static bool find_algorithm(const struct v2_transform *transform, uint8_t *algorithm)
{
    uint16_t id = transform->id;
    unsigned found = 0;

    if (transform->unknown_attribute ||
        (transform->key_bits != 0 && transform->type != V2_TRANSFORM_ENCR))
        return false;
    switch (transform->type) {
    case V2_TRANSFORM_ENCR: found = encr_from_wire(id, transform->key_bits); break;
    case V2_TRANSFORM_PRF: found = prf_from_wire(id); break;
    case V2_TRANSFORM_INTEG: found = integ_from_wire(id); break;
    case V2_TRANSFORM_KE: found = group_from_wire(id); break;
    case V2_TRANSFORM_ESN: *algorithm = id == V2_ESN ? ESN_YES : ESN_NO; return id <= V2_ESN;
    default: return false;
    }
    *algorithm = (uint8_t)found;
    /* Section 3.3.3: only integrity and key exchange can be NONE. */
    return found != 0 || (id == 0 && (transform->type == V2_TRANSFORM_INTEG ||
                                      transform->type == V2_TRANSFORM_KE));
}

static void transform_read(struct offer_transform *to, const struct v2_transform *from)
{
    *to = (struct offer_transform){
        .type = (uint8_t)type_of(from->type),
        .unknown_attribute = from->unknown_attribute,
        .number = from->id,
        .key_bits = from->key_bits,
    };
    to->known = find_algorithm(from, &to->algorithm);
    if (to->type == TRANSFORM_UNKNOWN)
        to->number = from->type;
}

static struct offer_spi spi_read(const struct v2_proposal *proposal)
{
    struct offer_spi spi = {.size = proposal->spi_size};

    for (size_t i = 0; i < proposal->spi_size; i++)
        spi.value = spi.value << 8 | proposal->spi[i];
    return spi;
}

void offer_from_v2(struct offer *offer, const struct v2_sa *sa)
{
    offer->count = sa->count;
    offer->name = transform_name;
    for (size_t i = 0; i < sa->count; i++) {
        const struct v2_proposal *from = &sa->proposals[i];
        struct offer_proposal *to = &offer->proposals[i];
        to->number = from->number;
        to->protocol = protocol_of(from->protocol);
        to->spi = spi_read(from);
        to->transform_count = from->transform_count;
        for (size_t k = 0; k < from->transform_count; k++)
            transform_read(&to->transforms[k], &from->transforms[k]);
    }
}

enum status sa_payload_parse(struct offer *offer, struct slice body, struct reason *reason)
{
    struct v2_sa sa;
    enum status status = v2_sa_parse(&sa, body, reason);

    if (status == STATUS_OK)
        offer_from_v2(offer, &sa);
    return status;
}

/* --- To the wire --- */

static struct v2_transform transform_of(const struct offer_transform *from)
{
    struct v2_transform to = {.type = wire_types[from->type]};
    unsigned id = from->algorithm;

    switch (from->type) {
    case TRANSFORM_ENCR:
        to.id = encr_info(id)->wire;
        to.key_bits = encr_info(id)->key_bits;
        break;
    case TRANSFORM_PRF: to.id = prf_info(id)->wire; break;
    case TRANSFORM_INTEG: to.id = integ_info(id)->wire; break;
    case TRANSFORM_GROUP: to.id = group_info(id)->wire; break;
    default: to.id = id == ESN_YES ? V2_ESN : V2_NO_ESN;
    }
    return to;
}

static void spi_write(struct v2_proposal *proposal, struct offer_spi spi)
{
    struct writer writer = writer_of(proposal->spi, sizeof(proposal->spi));

    if (spi.size == 8)
        writer_u64(&writer, spi.value);
    else if (spi.size == 4)
        writer_u32(&writer, (uint32_t)spi.value);
    proposal->spi_size = (uint8_t)writer.size;
}

void offer_to_v2(struct v2_sa *sa, const struct offer *offer)
{
    sa->count = offer->count;
    for (size_t i = 0; i < offer->count; i++) {
        const struct offer_proposal *from = &offer->proposals[i];
        struct v2_proposal *to = &sa->proposals[i];
        to->number = from->number;
        to->protocol = wire_protocol(from->protocol);
        spi_write(to, from->spi);
        to->transform_count = from->transform_count;
        for (size_t k = 0; k < from->transform_count; k++)
            to->transforms[k] = transform_of(&from->transforms[k]);
    }
}

void sa_payload_write(struct v2_writer *writer, const struct offer *offer)
{
    struct v2_sa sa;

    offer_to_v2(&sa, offer);
    v2_write_sa(writer, &sa);
}
