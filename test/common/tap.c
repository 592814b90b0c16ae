/*
 * Messages taken apart and put together: see tap.h.
 */
#include "test/common/tap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/engine/private.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/datagram.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/policy/choose.h"
#include "lib/sa/ike_keys.h"
#include "test/common/host.h"

static uint8_t message_room[IKE_MESSAGE_MAX];

static struct seal_keys keys_of(const struct ike_sa *sa, bool from_initiator)
{
    return (struct seal_keys){
        .encr = sa->suite.encr,
        .integ = sa->suite.integ,
        .encr_key = ike_sa_key(sa, from_initiator ? KEY_EI : KEY_ER),
        .integ_key = ike_sa_key(sa, from_initiator ? KEY_AI : KEY_AR),
    };
}

/* The SA of a packet at one of its ends; both have the same keys. */
static struct ike_sa *sa_at(const struct world *world, const struct address *address,
                            const struct ike_header *header)
{
    const struct host *host = world_host_at(world, address);

    return host == NULL || host->engine == NULL
               ? NULL
               : probe_find(host->engine, header->spi_i, header->spi_r);
}

static const struct ike_sa *keyed_sa(const struct world *world, const struct flight *flight,
                                     const struct ike_header *header)
{
    const struct ike_sa *sa = sa_at(world, &flight->destination, header);

    if (sa == NULL || sa->keys.size == 0)
        sa = sa_at(world, &flight->source, header);
    return sa == NULL || sa->keys.size == 0 ? NULL : sa;
}

/* The text of the SK payload of `message`, decrypted in place. */
static bool decrypt(const struct world *world, const struct ike_sa *sa, bool from_initiator,
                    struct buffer *message, struct slice body, struct slice *inner)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);
    struct seal_keys keys = keys_of(sa, from_initiator);
    size_t icv_size = seal_icv_size(keys.encr, keys.integ);
    struct reader reader = reader_of(body);
    struct reason reason;

    if (body.size < encr->iv_size + icv_size + 1u)
        return false;
    size_t text_size = body.size - encr->iv_size - icv_size;
    if (text_size % encr->block_size != 0 ||
        seal_decrypt(world->crypto, &keys, message->data, message->size - body.size, text_size) !=
            STATUS_OK)
        return false;
    reader_skip(&reader, encr->iv_size);
    return v2_sk_unpad(reader_bytes(&reader, text_size), inner, &reason) == STATUS_OK;
}

static bool take_payloads(struct tap *tap, const struct v2_payloads *payloads)
{
    for (size_t i = 0; i < payloads->count; i++) {
        const struct v2_payload_item *item = &payloads->items[i];
        if (!tap_insert(tap, tap->count, item->type, item->critical, item->body))
            return false;
    }
    return true;
}

/* A fragment: its text is one payload. */
static bool open_fragment(struct tap *tap, const struct world *world, const struct ike_sa *sa,
                          struct buffer *message, const struct v2_payloads *payloads)
{
    const struct v2_payload_item *skf = v2_payloads_find(payloads, V2_SKF, NULL);
    bool from_initiator = (tap->header.flags & V2_FLAG_INITIATOR) != 0;
    struct v2_fragment fragment;
    struct reason reason;
    struct slice inner;

    if (sa == NULL || v2_skf_parse(&fragment, skf->body, &reason) != STATUS_OK ||
        !decrypt(world, sa, from_initiator, message, fragment.sealed, &inner))
        return false;
    tap->sealed = true;
    tap->number = fragment.number;
    tap->total = fragment.total;
    tap->first = payloads->sk_next;
    return tap_insert(tap, 0, V2_SKF, false, inner);
}

static bool open_copy(struct tap *tap, const struct world *world, const struct flight *flight,
                      struct buffer *message)
{
    struct reader reader = reader_of(buffer_slice(message));
    struct v2_payloads payloads;
    struct reason reason;
    struct slice inner;
    uint8_t critical_type;

    if (ike_header_parse(&tap->header, buffer_slice(message), &reason) != STATUS_OK)
        return false;
    reader_skip(&reader, IKE_HEADER_SIZE);
    if (v2_payloads_parse(&payloads, tap->header.next_payload, reader_rest(&reader), &critical_type,
                          &reason) != STATUS_OK)
        return false;
    const struct v2_payload_item *sk = v2_payloads_find(&payloads, V2_SK, NULL);
    const struct ike_sa *sa = keyed_sa(world, flight, &tap->header);
    if (v2_payloads_find(&payloads, V2_SKF, NULL) != NULL)
        return open_fragment(tap, world, sa, message, &payloads);
    if (sk == NULL)
        return take_payloads(tap, &payloads);
    bool from_initiator = (tap->header.flags & V2_FLAG_INITIATOR) != 0;
    tap->sealed = true;
    return sa != NULL && decrypt(world, sa, from_initiator, message, sk->body, &inner) &&
           v2_payloads_parse(&payloads, payloads.sk_next, inner, &critical_type, &reason) ==
               STATUS_OK &&
           take_payloads(tap, &payloads);
}

bool tap_open(struct tap *tap, const struct world *world, const struct flight *flight)
{
    struct buffer message = {0};

    memset(tap, 0, sizeof(*tap));
    bool whole = flight->kind == FLIGHT_IKE && buffer_copy(&message, buffer_slice(&flight->data)) &&
                 open_copy(tap, world, flight, &message);
    buffer_free(&message);
    if (!whole)
        tap_free(tap);
    return whole;
}

static void write_payloads(const struct tap *tap, struct v2_writer *writer)
{
    for (size_t i = 0; i < tap->count; i++) {
        const struct tap_payload *payload = &tap->payloads[i];
        v2_payload_begin(writer, payload->type);
        if (payload->critical)
            writer_patch_u8(&writer->bytes, writer->payload_at + 1, 0x80);
        writer_bytes(&writer->bytes, buffer_slice(&payload->body));
    }
}

static void mangle(const struct tap *tap, uint8_t *octets, size_t size)
{
    for (size_t i = 0; i < tap->mangle_count && size > 0; i++)
        octets[tap->mangles[i].at % size] ^= tap->mangles[i].flip;
}

static bool build_open(const struct tap *tap, struct v2_writer *writer, struct slice *bytes)
{
    write_payloads(tap, writer);
    if (!v2_message_end(writer))
        return false;
    mangle(tap, message_room + IKE_HEADER_SIZE, writer->bytes.size - IKE_HEADER_SIZE);
    *bytes = writer_slice(&writer->bytes);
    return true;
}

static void write_text(const struct tap *tap, struct v2_writer *writer, size_t iv_size)
{
    if (tap->total == 0) {
        v2_sk_begin(writer, iv_size);
        write_payloads(tap, writer);
        return;
    }
    v2_skf_begin(writer, iv_size, tap->first, tap->number, tap->total);
    for (size_t i = 0; i < tap->count; i++)
        writer_bytes(&writer->bytes, buffer_slice(&tap->payloads[i].body));
}

/* The message in message_room; or several in the cuttings of the engine that `cutter` is of, where
 * one would be too large for it (NULL: never). */
static bool build(const struct tap *tap, struct world *world, const struct ike_sa *sa,
                  struct ike_sa *cutter, struct slice *bytes)
{
    struct v2_writer writer;
    struct reason reason;

    v2_message_begin(&writer, message_room, sizeof(message_room), &tap->header);
    if (!tap->sealed)
        return build_open(tap, &writer, bytes);
    const struct encr_info *encr = encr_info(sa->suite.encr);
    struct seal_keys keys = keys_of(sa, (tap->header.flags & V2_FLAG_INITIATOR) != 0);
    size_t icv_size = seal_icv_size(keys.encr, keys.integ);
    write_text(tap, &writer, encr->iv_size);
    size_t text_at = writer.sk_text_at;
    chance_fill(&world->chance, message_room + text_at - encr->iv_size, encr->iv_size);
    if (!v2_sk_end(&writer, encr->block_size, icv_size))
        return false;
    size_t text_size = writer.bytes.size - icv_size - text_at;
    mangle(tap, message_room + text_at, text_size);
    if (cutter != NULL && tap->total == 0 && writer.bytes.size > fragment_message_max(cutter)) {
        struct host *host = world_host_at(world, &cutter->local);
        return fragment_cut(&host->engine->context, cutter, &writer, bytes, &reason) == STATUS_OK;
    }
    *bytes = writer_slice(&writer.bytes);
    return seal_encrypt(world->crypto, &keys, message_room, text_at - encr->iv_size, text_size) ==
           STATUS_OK;
}

/* The sender's copies of what it has sent. */
static bool keep_copy(struct ike_sa *sa, const struct ike_header *header, struct slice bytes)
{
    bool response = (header->flags & V2_FLAG_RESPONSE) != 0;
    struct buffer *again = response                        ? &ikev2_of(sa)->reply
                           : ikev2_of(sa)->request != NULL ? &ikev2_of(sa)->request->octets
                                                           : NULL;

    if (again != NULL && again->size > 0 && !buffer_copy(again, bytes))
        return false;
    if (header->exchange != V2_IKE_SA_INIT || sa->handshake == NULL)
        return true;
    return buffer_copy(response ? &sa->handshake->init_response : &sa->handshake->init_request,
                       bytes);
}

/* Sends all datagrams but the last, which goes to *last. */
static bool send_parts(struct world *world, const struct address *source,
                       const struct address *destination, struct slice datagrams,
                       struct buffer *last)
{
    struct buffer all = {0}; /* hooks may have other messages built meanwhile */
    bool whole = buffer_copy(&all, datagrams);
    struct reader reader = reader_of(buffer_slice(&all));

    while (whole) {
        whole = buffer_copy(last, message_next(&reader));
        if (!whole || reader_left(&reader) == 0)
            break;
        struct effect_send send = {.local = *source, .remote = *destination, .data = *last};
        world_send(world, &send);
    }
    buffer_free(&all);
    return whole;
}

bool tap_close(const struct tap *tap, struct world *world, struct flight *flight)
{
    struct ike_header was;
    struct reason reason;
    struct slice bytes;

    if (ike_header_parse(&was, buffer_slice(&flight->data), &reason) != STATUS_OK)
        return false;
    const struct ike_sa *keyed = keyed_sa(world, flight, &was);
    struct ike_sa *sender = sa_at(world, &flight->source, &was);
    if ((tap->sealed && keyed == NULL) || !build(tap, world, keyed, sender, &bytes))
        return false;
    return (sender == NULL || tap->total > 0 || keep_copy(sender, &was, bytes)) &&
           send_parts(world, &flight->source, &flight->destination, bytes, &flight->data);
}

void tap_request(struct tap *tap, const struct ike_sa *sa, uint8_t exchange)
{
    *tap = (struct tap){
        .header = {.spi_i = sa->spi_i,
                   .spi_r = sa->spi_r,
                   .version = 0x20,
                   .exchange = exchange,
                   .flags = sa->initiator ? V2_FLAG_INITIATOR : 0,
                   .message_id = ikev2_of(sa)->next_request},
        .sealed = true,
    };
}

static void write_create(struct v2_writer *writer, struct world *world, const struct ike_sa *sa,
                         enum creation_kind kind, const struct child_sa *like)
{
    const struct group_info *group = group_info(sa->suite.group);
    uint8_t spi[8];
    uint8_t nonce[32];
    uint8_t public[KE_PUBLIC_MAX];
    struct offer offer;
    struct writer old_spi = writer_of(spi, 4);
    struct reader drawn = reader_of(slice_of(spi, sizeof(spi)));

    if (kind == CREATE_REKEY_CHILD) {
        writer_u32(&old_spi, child_main(like)->spi_in);
        v2_write_notify(writer, v2_protocol_of(child_main(like)->protocol), writer_slice(&old_spi),
                        V2_N_REKEY_SA, slice_of(NULL, 0));
    }
    if (like != NULL && like->mode == CHILD_TRANSPORT)
        v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_USE_TRANSPORT_MODE,
                        slice_of(NULL, 0));
    chance_fill(&world->chance, spi, sizeof(spi));
    chance_fill(&world->chance, nonce, sizeof(nonce));
    chance_fill(&world->chance, public, group->public_size);
    if (like == NULL)
        offer_from_proposals(&offer, sa->connection->proposals, IPSEC_NONE,
                             (struct offer_spi){8, reader_u64(&drawn)}, world->crypto, true);
    else
        offer_from_proposals(&offer, like->config->esp, child_main(like)->protocol,
                             (struct offer_spi){4, reader_u32(&drawn)}, NULL, false);
    sa_payload_write(writer, &offer);
    v2_write_nonce(writer, slice_of(nonce, sizeof(nonce)));
    if (like == NULL) {
        v2_write_ke(writer, group->wire, slice_of(public, group->public_size));
        return;
    }
    v2_write_selectors(writer, V2_TSI, like->local_selectors, like->local_count);
    v2_write_selectors(writer, V2_TSR, like->remote_selectors, like->remote_count);
}

bool tap_create(struct tap *tap, struct world *world, const struct ike_sa *sa,
                enum creation_kind kind, const struct child_sa *like)
{
    struct v2_writer writer;
    struct v2_payloads payloads;
    struct reason reason;
    uint8_t critical_type;

    tap_request(tap, sa, V2_CREATE_CHILD_SA);
    v2_message_begin(&writer, message_room, sizeof(message_room), &tap->header);
    write_create(&writer, world, sa, kind, like);
    if (!v2_message_end(&writer))
        return false;
    struct reader reader = reader_of(writer_slice(&writer.bytes));
    reader_skip(&reader, 16);
    uint8_t first = reader_u8(&reader);
    reader_skip(&reader, IKE_HEADER_SIZE - 17);
    if (v2_payloads_parse(&payloads, first, reader_rest(&reader), &critical_type, &reason) !=
        STATUS_OK)
        return false;
    for (size_t i = 0; i < payloads.count; i++)
        if (!tap_insert(tap, i, payloads.items[i].type, false, payloads.items[i].body))
            return false;
    return true;
}

bool tap_send(const struct tap *tap, struct world *world, struct ike_sa *sa)
{
    struct address source = sa->local;
    struct address destination = sa->remote;
    struct buffer last = {0};
    struct slice bytes;
    bool whole =
        build(tap, world, sa, sa, &bytes) && send_parts(world, &source, &destination, bytes, &last);

    if (whole)
        world_inject(world, &source, &destination, buffer_slice(&last));
    buffer_free(&last);
    return whole;
}

void tap_free(struct tap *tap)
{
    while (tap->count > 0)
        tap_remove(tap, tap->count - 1);
}

bool tap_insert(struct tap *tap, size_t index, uint8_t type, bool critical, struct slice body)
{
    struct tap_payload payload = {.type = type, .critical = critical};

    if (tap->count == TAP_PAYLOADS_MAX || index > tap->count || !buffer_copy(&payload.body, body))
        return false;
    memmove(&tap->payloads[index + 1], &tap->payloads[index],
            (tap->count - index) * sizeof(payload));
    tap->payloads[index] = payload;
    tap->count++;
    return true;
}

void tap_remove(struct tap *tap, size_t index)
{
    if (index >= tap->count)
        return;
    buffer_free(&tap->payloads[index].body);
    memmove(&tap->payloads[index], &tap->payloads[index + 1],
            (tap->count - index - 1) * sizeof(tap->payloads[0]));
    tap->count--;
}

size_t tap_find(const struct tap *tap, uint8_t type)
{
    size_t index = 0;

    while (index < tap->count && tap->payloads[index].type != type)
        index++;
    return index;
}
