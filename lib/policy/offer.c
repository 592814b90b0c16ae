/*
 * SA payloads out of what is configured or chosen, and transforms into algorithms.
 *
 * RFC 7296 sections 3.3.1 to 3.3.3.  Not here: choosing (choose.c), bytes (lib/wire).
 */
#include <string.h>

#include "lib/policy/suite.h"

/* --- Transforms --- */

static struct v2_transform transform_of(uint8_t type, unsigned id)
{
    struct v2_transform transform = {.type = type};

    switch (type) {
    case V2_TRANSFORM_ENCR:
        transform.id = encr_info(id)->wire;
        transform.key_bits = encr_info(id)->key_bits;
        break;
    case V2_TRANSFORM_PRF: transform.id = prf_info(id)->wire; break;
    case V2_TRANSFORM_INTEG: transform.id = integ_info(id)->wire; break;
    case V2_TRANSFORM_KE: transform.id = group_info(id)->wire; break;
    default: transform.id = (uint16_t)id;
    }
    return transform;
}

/* RFC 7296 section 3.3.5: only ciphers have a key length, and those with a choice must say it. */
bool transform_algorithm(const struct v2_transform *transform, unsigned *id)
{
    bool none = transform->id == 0;

    *id = 0;
    if (transform->unknown_attribute ||
        (transform->key_bits != 0 && transform->type != V2_TRANSFORM_ENCR))
        return false;
    switch (transform->type) {
    case V2_TRANSFORM_ENCR:
        *id = encr_from_wire(transform->id, transform->key_bits);
        return *id != ENCR_NONE;
    case V2_TRANSFORM_PRF: *id = prf_from_wire(transform->id); return *id != PRF_NONE;
    case V2_TRANSFORM_INTEG: *id = integ_from_wire(transform->id); return none || *id != INTEG_NONE;
    case V2_TRANSFORM_KE: *id = group_from_wire(transform->id); return none || *id != GROUP_NONE;
    case V2_TRANSFORM_ESN: *id = transform->id; return *id == V2_NO_ESN || *id == V2_ESN;
    default: return false;
    }
}

bool algorithm_usable(const struct crypto *crypto, uint8_t type, unsigned id)
{
    if (crypto == NULL)
        return true;
    switch (type) {
    case V2_TRANSFORM_ENCR: return crypto_has_encr(crypto, (enum encr)id);
    case V2_TRANSFORM_PRF: return crypto_has_prf(crypto, (enum prf)id);
    case V2_TRANSFORM_INTEG: return crypto_has_integ(crypto, (enum integ)id);
    default: return crypto_has_group(crypto, (enum group)id);
    }
}

/* --- Offers --- */

static void transform_add(struct v2_proposal *proposal, struct v2_transform transform)
{
    if (proposal->transform_count < V2_TRANSFORMS_MAX)
        proposal->transforms[proposal->transform_count++] = transform;
}

/* False when a type that the proposal needs has nothing left to offer. */
static bool list_add(struct v2_proposal *proposal, uint8_t type, const struct algorithm_list *list,
                     const struct crypto *crypto)
{
    size_t before = proposal->transform_count;

    for (size_t i = 0; i < list->count; i++)
        if (algorithm_usable(crypto, type, list->ids[i]))
            transform_add(proposal, transform_of(type, list->ids[i]));
    return list->count == 0 || proposal->transform_count > before;
}

static struct v2_proposal proposal_new(uint8_t number, uint8_t protocol, struct slice spi)
{
    struct v2_proposal proposal = {.number = number, .protocol = protocol};

    proposal.spi_size = (uint8_t)(spi.size < V2_SPI_MAX ? spi.size : V2_SPI_MAX);
    if (proposal.spi_size > 0)
        memcpy(proposal.spi, spi.data, proposal.spi_size);
    return proposal;
}

void offer_from_proposals(struct v2_sa *sa, const struct proposal_list *list, uint8_t protocol,
                          struct slice spi, const struct crypto *crypto, bool with_group)
{
    static const struct algorithm_list no_group = {0};

    sa->count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct proposal *ours = &list->items[i];
        struct v2_proposal *proposal = &sa->proposals[sa->count];
        *proposal = proposal_new((uint8_t)(sa->count + 1), protocol, spi);
        if (!list_add(proposal, V2_TRANSFORM_ENCR, &ours->encr, crypto) ||
            !list_add(proposal, V2_TRANSFORM_PRF, &ours->prf, crypto) ||
            !list_add(proposal, V2_TRANSFORM_INTEG, &ours->integ, crypto) ||
            !list_add(proposal, V2_TRANSFORM_KE, with_group ? &ours->group : &no_group, crypto))
            continue;
        if (ours->esn)
            transform_add(proposal, transform_of(V2_TRANSFORM_ESN, V2_ESN));
        if (ours->no_esn)
            transform_add(proposal, transform_of(V2_TRANSFORM_ESN, V2_NO_ESN));
        sa->count++;
    }
}

void offer_from_suite(struct v2_sa *sa, const struct suite *suite, uint8_t number, uint8_t protocol,
                      struct slice spi, bool with_group)
{
    struct v2_proposal *proposal = &sa->proposals[0];

    sa->count = 1;
    *proposal = proposal_new(number, protocol, spi);
    transform_add(proposal, transform_of(V2_TRANSFORM_ENCR, suite->encr));
    if (suite->prf != PRF_NONE)
        transform_add(proposal, transform_of(V2_TRANSFORM_PRF, suite->prf));
    if (suite->integ != INTEG_NONE)
        transform_add(proposal, transform_of(V2_TRANSFORM_INTEG, suite->integ));
    if (with_group && suite->group != GROUP_NONE)
        transform_add(proposal, transform_of(V2_TRANSFORM_KE, suite->group));
    if (protocol != V2_PROTOCOL_IKE)
        transform_add(proposal, transform_of(V2_TRANSFORM_ESN, suite->esn ? V2_ESN : V2_NO_ESN));
}
