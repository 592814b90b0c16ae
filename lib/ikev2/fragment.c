/*
 * Cutting and joining: see fragment.h.
 */
#include "lib/ikev2/fragment.h"

#include "lib/ikev2/datagram.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/reassembly.h"
#include "lib/ikev2/sealed.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

/* What stands before the IKE header in an IP datagram (RFC 7383 appendix B).  The non-ESP marker
 * is counted though it may be missing: a NAT may be found later. */
#define IPV4_HEADER_SIZE    20
#define IPV6_HEADER_SIZE    40
#define UDP_HEADER_SIZE     8
#define NON_ESP_MARKER_SIZE 4

/* What is tried downwards when no answer comes (section 2.5.2): the least that IPv6 and IPv4 ask of
 * every link. */
static const uint16_t steps[FRAGMENT_STEPS] = {1280, FRAGMENT_SIZE_MIN};

void fragment_offer(struct v2_writer *writer)
{
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_IKEV2_FRAGMENTATION_SUPPORTED,
                    slice_of(NULL, 0));
}

bool fragment_agreed(const struct ike_sa *sa, const struct ike_message *message)
{
    struct v2_notify_body unused;

    return sa->connection->fragmentation &&
           message_find_notify(message, V2_N_IKEV2_FRAGMENTATION_SUPPORTED, &unused);
}

static size_t around_size(const struct ike_sa *sa)
{
    return (sa->remote.family == FAMILY_IPV6 ? IPV6_HEADER_SIZE : IPV4_HEADER_SIZE) +
           UDP_HEADER_SIZE + NON_ESP_MARKER_SIZE;
}

static size_t datagram_max(const struct ike_sa *sa)
{
    uint32_t configured = sa->connection->fragment_size;

    return ikev2_of(sa)->datagram_max != 0 && ikev2_of(sa)->datagram_max < configured
               ? ikev2_of(sa)->datagram_max
               : configured;
}

size_t fragment_message_max(const struct ike_sa *sa)
{
    return ikev2_of(sa)->fragments ? datagram_max(sa) - around_size(sa) : SIZE_MAX;
}

/* --- Ours --- */

static enum status seal_part(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                             struct slice text, struct reason *reason)
{
    writer_bytes(&writer->bytes, text);
    if (!sealed_end(sa, writer))
        return reason_set(reason, STATUS_FAIL, 0, "a message of ours grew too large");
    return sealed_encrypt(context, sa, writer);
}

static size_t parts_of(const struct ike_sa *sa, size_t text_size, size_t message_max)
{
    size_t room = sealed_fragment_room(sa, message_max);

    return room == 0 ? SIZE_MAX : (text_size + room - 1) / room;
}

/* `text` into messages of at most `message_max` octets. */
static enum status cut(struct context *context, struct ike_sa *sa, const struct ike_header *header,
                       uint8_t first, struct slice text, size_t message_max,
                       struct slice *datagrams, struct reason *reason)
{
    size_t room = sealed_fragment_room(sa, message_max);
    size_t total = parts_of(sa, text.size, message_max);
    struct reader reader = reader_of(text);
    struct writer all = writer_of(context->cuttings, FRAGMENTS_OCTETS_MAX);
    enum status status = STATUS_OK;

    if (total > FRAGMENTS_MAX)
        return reason_set(reason, STATUS_FAIL, 0, "a message of ours grew too large");
    for (size_t number = 1; status == STATUS_OK && number <= total; number++) {
        struct v2_writer writer;
        size_t left = reader_left(&reader);
        v2_message_begin(&writer, all.data + all.size, all.capacity - all.size, header);
        sealed_begin_fragment(context, sa, &writer, first, (uint16_t)number, (uint16_t)total);
        status = seal_part(context, sa, &writer, reader_bytes(&reader, left < room ? left : room),
                           reason);
        all.size += writer.bytes.size;
    }
    *datagrams = writer_slice(&all);
    return status;
}

enum status fragment_cut(struct context *context, struct ike_sa *sa,
                         const struct v2_writer *message, struct slice *datagrams,
                         struct reason *reason)
{
    struct ike_header header;
    struct slice text;
    enum status status = ike_header_parse(&header, writer_slice(&message->bytes), reason);

    if (status == STATUS_OK)
        status = v2_sk_unpad(sealed_text(sa, message), &text, reason);
    if (status != STATUS_OK)
        return STATUS_FAIL;
    count(context, COUNTER_FRAGMENTED);
    return cut(context, sa, &header, message->bytes.data[message->sk_at], text,
               fragment_message_max(sa), datagrams, reason);
}

/* One of our own sealed messages: its text goes to `text`. */
static bool open_own(struct context *context, const struct ike_sa *sa, struct slice bytes,
                     uint8_t *data, struct ike_header *header, uint8_t *first, struct writer *text)
{
    struct reader reader = reader_of(slice_of(data, bytes.size));
    struct v2_payloads payloads;
    struct v2_fragment fragment;
    struct slice inner;
    struct reason unused;
    uint8_t critical_type;

    if (ike_header_parse(header, bytes, &unused) != STATUS_OK)
        return false;
    reader_skip(&reader, IKE_HEADER_SIZE);
    if (v2_payloads_parse(&payloads, header->next_payload, reader_rest(&reader), &critical_type,
                          &unused) != STATUS_OK)
        return false;
    const struct v2_payload_item *sk = v2_payloads_find(&payloads, V2_SK, NULL);
    const struct v2_payload_item *skf = v2_payloads_find(&payloads, V2_SKF, NULL);
    if (skf != NULL && v2_skf_parse(&fragment, skf->body, &unused) == STATUS_OK)
        sk = skf;
    else if (sk != NULL)
        fragment = (struct v2_fragment){.number = 1, .total = 1, .sealed = sk->body};
    if (sk == NULL || sealed_open(context, sa, true, data, bytes.size, fragment.sealed, &inner,
                                  &unused) != STATUS_OK)
        return false;
    if (fragment.number == 1)
        *first = payloads.sk_next;
    writer_bytes(text, inner);
    return writer_ok(text);
}

/* The text of a message of ours, into the context's scratch memory; returns how many datagrams it
 * was, 0 when it is not a sealed one. */
static size_t recover(struct context *context, const struct ike_sa *sa, struct slice datagrams,
                      struct ike_header *header, uint8_t *first, struct slice *text)
{
    struct reader reader = reader_of(datagrams);
    struct writer writer = writer_of(context->scratch, IKE_MESSAGE_MAX);
    struct writer copy;
    struct slice bytes;
    size_t total = 0;

    while ((bytes = message_next(&reader)).size > 0) {
        copy = writer_of(context->cuttings, FRAGMENTS_OCTETS_MAX);
        writer_bytes(&copy, bytes);
        if (!writer_ok(&copy) ||
            !open_own(context, sa, bytes, context->cuttings, header, first, &writer))
            return 0;
        total++;
    }
    *text = writer_slice(&writer);
    return total;
}

uint16_t fragment_cut_smaller(struct context *context, struct ike_sa *sa, struct buffer *datagrams)
{
    struct ike_header header = {0};
    struct reason unused;
    struct slice text;
    struct slice again;
    uint8_t first = V2_NO_NEXT;

    if (!ikev2_of(sa)->fragments)
        return 0;
    size_t total = recover(context, sa, buffer_slice(datagrams), &header, &first, &text);
    for (size_t i = 0; total > 0 && i < FRAGMENT_STEPS; i++) {
        size_t message_max = steps[i] - around_size(sa);
        /* The new set is known by its larger total; one part would be no fragment. */
        if (steps[i] >= datagram_max(sa) || parts_of(sa, text.size, message_max) <= total)
            continue;
        if (cut(context, sa, &header, first, text, message_max, &again, &unused) != STATUS_OK ||
            !buffer_copy(datagrams, again))
            return 0;
        count(context, COUNTER_FRAGMENTED);
        return steps[i];
    }
    return 0;
}

/* --- The peer's --- */

static const struct v2_payload_item *find_skf(const struct ike_message *message)
{
    return v2_payloads_find(&message->payloads, V2_SKF, NULL);
}

enum status fragment_check(const struct ike_sa *sa, const struct ike_message *message,
                           struct reason *reason)
{
    const struct v2_payload_item *skf = find_skf(message);
    struct v2_fragment fragment;

    if (skf == NULL)
        return STATUS_OK;
    if (!ikev2_of(sa)->fragments)
        return reason_set(reason, STATUS_DROP, 0, "a fragment, which both ends did not agree on");
    enum status status = v2_skf_parse(&fragment, skf->body, reason);
    return status != STATUS_OK ? status : reassembly_wants(sa, &message->header, &fragment, reason);
}

/* Section 2.5.1: what the initiator sends in smaller fragments than ours is answered so. */
static void follow_size(struct ike_sa *sa, const struct reassembly *reassembly)
{
    size_t size = reassembly->widest + around_size(sa);

    if (size < FRAGMENT_SIZE_MIN)
        size = FRAGMENT_SIZE_MIN;
    if (!reassembly->response && size < datagram_max(sa))
        ikev2_of(sa)->datagram_max = (uint16_t)size;
}

enum status fragment_open(struct context *context, struct ike_sa *sa, struct ike_message *message,
                          uint8_t *first, struct reason *reason)
{
    struct v2_fragment fragment;
    struct slice text;
    enum status status = v2_skf_parse(&fragment, find_skf(message)->body, reason);

    if (status == STATUS_OK)
        status = sealed_open(context, sa, false, message->data, message->size, fragment.sealed,
                             &text, reason);
    if (status != STATUS_OK)
        return status;
    struct reassembly_piece piece = {
        .header = &message->header,
        .number = fragment.number,
        .total = fragment.total,
        .first = message->payloads.sk_next,
        .digest = message->digest,
        .text = text,
    };
    status = reassembly_add(context, sa, &piece, reason);
    if (status != STATUS_OK)
        return status;
    const struct reassembly *whole = ikev2_of(sa)->parts[ike_message_is_response(message)];
    *first = whole->first;
    message->digest = whole->digest;
    if (!reassembly_text(whole, &message->whole))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    follow_size(sa, whole);
    count(context, COUNTER_REASSEMBLED);
    return STATUS_OK;
}

bool fragment_repeats(struct context *context, const struct ike_sa *sa,
                      const struct ike_message *message)
{
    const struct v2_payload_item *skf = find_skf(message);
    struct v2_fragment fragment;
    struct slice unused_text;
    struct reason unused;

    return skf != NULL && ikev2_of(sa)->fragments &&
           v2_skf_parse(&fragment, skf->body, &unused) == STATUS_OK && fragment.number == 1 &&
           sealed_open(context, sa, false, message->data, message->size, fragment.sealed,
                       &unused_text, &unused) == STATUS_OK;
}
