/*
 * The chain of payloads (RFC 7296 section 3.2) and which payloads may stand in a message how often.
 *
 * Not here: what is inside a payload, decryption, and the tables of rules (they stand beside the
 * exchanges).
 */
#include "lib/wire/payloads.h"

#include "lib/wire/ikev2.h"
#include "lib/wire/syntax.h"

#define CRITICAL            0x80
#define GENERIC_HEADER_SIZE 4u

/* Section 2.5: types that we do not know are skipped, or refused when they are critical. */
static bool is_known(uint8_t type)
{
    return (type >= V2_SA && type <= V2_EAP) || type == V2_SKF;
}

/* Their Next Payload field names what is inside, and nothing may follow: section 3.14 and
 * RFC 7383 section 2.5. */
static bool ends_chain(uint8_t type)
{
    return type == V2_SK || type == V2_SKF;
}

/* Reads one payload with its generic header; `item->type` is set already. */
static enum status item_read(struct reader *reader, struct v2_payload_item *item, uint8_t *next,
                             struct reason *reason)
{
    *next = reader_u8(reader);
    item->critical = (reader_u8(reader) & CRITICAL) != 0;
    uint16_t length = reader_u16(reader);
    size_t left = reader_left(reader);

    if (!reader_ok(reader))
        return reject_syntax(reason, "payload %s (%u): its header is cut off",
                             v2_payload_name(item->type), item->type);
    if (length < GENERIC_HEADER_SIZE || length - GENERIC_HEADER_SIZE > left)
        return reject_syntax(reason, "payload %s (%u): length %u, where %zu octets are left",
                             v2_payload_name(item->type), item->type, length,
                             left + GENERIC_HEADER_SIZE);
    item->body = reader_bytes(reader, length - GENERIC_HEADER_SIZE);
    return STATUS_OK;
}

/* Decides about one payload: kept, passed over, or the message is refused. */
static enum status item_keep(struct v2_payloads *payloads, const struct v2_payload_item *item,
                             uint8_t *critical_type, struct reason *reason)
{
    if (is_known(item->type)) {
        if (payloads->count == V2_PAYLOADS_MAX)
            return reject_syntax(reason, "more than %d payloads", V2_PAYLOADS_MAX);
        payloads->items[payloads->count++] = *item;
    } else if (item->critical) {
        *critical_type = item->type;
        return reason_set(reason, STATUS_REJECT, FINDING_CRITICAL_PAYLOAD,
                          "unknown payload %u is marked critical", item->type);
    }
    return STATUS_OK;
}

enum status v2_payloads_parse(struct v2_payloads *payloads, uint8_t first, struct slice bytes,
                              uint8_t *critical_type, struct reason *reason)
{
    struct reader reader = reader_of(bytes);
    uint8_t next;

    payloads->count = 0;
    payloads->sk_next = V2_NO_NEXT;
    *critical_type = 0;
    for (uint8_t type = first; type != V2_NO_NEXT; type = next) {
        struct v2_payload_item item = {.type = type};
        enum status status = item_read(&reader, &item, &next, reason);
        if (status == STATUS_OK)
            status = item_keep(payloads, &item, critical_type, reason);
        if (status != STATUS_OK)
            return status;
        if (ends_chain(type)) {
            payloads->sk_next = next;
            break;
        }
    }
    if (!reader_done(&reader))
        return reject_syntax(reason, "%zu octets behind the last payload", reader_left(&reader));
    return STATUS_OK;
}

struct v2_walk v2_walk_begin(uint8_t first, struct slice bytes)
{
    return (struct v2_walk){.reader = reader_of(bytes), .next = first};
}

bool v2_walk_next(struct v2_walk *walk, struct v2_payload_item *item)
{
    struct reason unused;

    item->type = walk->next;
    return walk->next != V2_NO_NEXT &&
           item_read(&walk->reader, item, &walk->next, &unused) == STATUS_OK;
}

const struct v2_payload_item *v2_payloads_find(const struct v2_payloads *payloads, uint8_t type,
                                               const struct v2_payload_item *after)
{
    size_t from = after == NULL ? 0 : (size_t)(after - payloads->items) + 1;

    for (size_t i = from; i < payloads->count; i++)
        if (payloads->items[i].type == type)
            return &payloads->items[i];
    return NULL;
}

static const struct v2_payload_rule *rule_find(const struct v2_payload_rule *rules, uint8_t type)
{
    while (rules->type != V2_NO_NEXT && rules->type != type)
        rules++;
    return rules->type == type ? rules : NULL;
}

static size_t count_type(const struct v2_payloads *payloads, uint8_t type)
{
    size_t count = 0;

    for (size_t i = 0; i < payloads->count; i++)
        count += payloads->items[i].type == type;
    return count;
}

enum status v2_payloads_check(const struct v2_payloads *payloads,
                              const struct v2_payload_rule *rules, struct reason *reason)
{
    for (size_t i = 0; i < payloads->count; i++) {
        uint8_t type = payloads->items[i].type;
        if (rule_find(rules, type) == NULL)
            return reject_syntax(reason, "payload %s must not be in this message (0 to 0)",
                                 v2_payload_name(type));
    }
    for (const struct v2_payload_rule *rule = rules; rule->type != V2_NO_NEXT; rule++) {
        size_t count = count_type(payloads, rule->type);
        if (count < rule->min || count > rule->max)
            return reject_syntax(reason, "payload %s: %zu of them, allowed are %u to %u",
                                 v2_payload_name(rule->type), count, rule->min, rule->max);
    }
    return STATUS_OK;
}
