/*
 * The Traffic Selector payloads TSi and TSr, RFC 7296 section 3.13, read and written.
 *
 * Not here: narrowing (lib/policy), what a selector contains (lib/base/address.h).
 */
#include "lib/wire/selectors.h"

#include <string.h>

#include "lib/wire/ikev2.h"
#include "lib/wire/syntax.h"

#define SELECTOR_HEADER_SIZE 4
#define PORTS_SIZE           4

/* Section 3.13.1: TS_IPV4_ADDR_RANGE and TS_IPV6_ADDR_RANGE. */
static const struct {
    uint8_t type;
    uint8_t family;
} selector_types[] = {
    {7, FAMILY_IPV4},
    {8, FAMILY_IPV6},
};

#define SELECTOR_TYPE_COUNT (sizeof(selector_types) / sizeof(selector_types[0]))

static uint8_t family_of_type(uint8_t type)
{
    for (size_t i = 0; i < SELECTOR_TYPE_COUNT; i++)
        if (selector_types[i].type == type)
            return selector_types[i].family;
    return FAMILY_NONE;
}

static uint8_t type_of_family(uint8_t family)
{
    for (size_t i = 0; i < SELECTOR_TYPE_COUNT; i++)
        if (selector_types[i].family == family)
            return selector_types[i].type;
    return 0;
}

static enum status ranges_check(const struct selector *selector, struct reason *reason)
{
    bool opaque = selector->port_start == UINT16_MAX && selector->port_end == 0;

    if (selector->port_start > selector->port_end && !opaque)
        return reject_syntax(reason, "TS: ports %u to %u", selector->port_start,
                             selector->port_end);
    if (memcmp(selector->start, selector->end, sizeof(selector->start)) > 0)
        return reject_syntax(reason, "TS: the first address is above the last");
    return STATUS_OK;
}

/* Reads one selector; its family is FAMILY_NONE when it is of an unknown type. */
static enum status selector_read(struct reader *reader, struct selector *selector,
                                 struct reason *reason)
{
    uint8_t family = family_of_type(reader_u8(reader));
    size_t size = address_size(family);

    *selector = (struct selector){.family = family, .protocol = reader_u8(reader)};
    uint16_t length = reader_u16(reader);
    if (!reader_ok(reader) || length < SELECTOR_HEADER_SIZE)
        return reject_syntax(reason, "TS: a selector's header is cut off");
    struct reader content = reader_part(reader, length - SELECTOR_HEADER_SIZE);
    if (!reader_ok(&content))
        return reject_syntax(reason, "TS: a selector is longer than its payload");
    if (family == FAMILY_NONE)
        return STATUS_OK;
    selector->port_start = reader_u16(&content);
    selector->port_end = reader_u16(&content);
    reader_copy(&content, selector->start, size);
    reader_copy(&content, selector->end, size);
    if (!reader_done(&content))
        return reject_syntax(reason, "TS: a selector of length %u, an IPv%u range has %zu", length,
                             family, SELECTOR_HEADER_SIZE + PORTS_SIZE + 2 * size);
    return ranges_check(selector, reason);
}

enum status v2_selectors_parse(struct v2_selectors *selectors, struct slice body,
                               struct reason *reason)
{
    struct reader reader = reader_of(body);
    uint8_t count = reader_u8(&reader);

    reader_skip(&reader, 3);
    selectors->count = 0;
    if (!reader_ok(&reader) || count == 0)
        return reject_syntax(reason, "TS: no selectors");
    for (unsigned i = 0; i < count; i++) {
        struct selector selector;
        enum status status = selector_read(&reader, &selector, reason);
        if (status != STATUS_OK)
            return status;
        if (selector.family != FAMILY_NONE && selectors->count < V2_SELECTORS_MAX)
            selectors->items[selectors->count++] = selector;
    }
    if (!reader_done(&reader))
        return reject_syntax(reason, "TS: %zu octets behind the last of %u selectors",
                             reader_left(&reader), count);
    if (selectors->count == 0)
        return reason_set(reason, STATUS_REJECT, FINDING_TS_UNACCEPTABLE,
                          "TS: none of the %u selectors is of a type that we know", count);
    return STATUS_OK;
}

static void selector_write(struct writer *bytes, const struct selector *selector)
{
    size_t size = address_size(selector->family);

    writer_u8(bytes, type_of_family(selector->family));
    writer_u8(bytes, selector->protocol);
    writer_u16(bytes, (uint16_t)(SELECTOR_HEADER_SIZE + PORTS_SIZE + 2 * size));
    writer_u16(bytes, selector->port_start);
    writer_u16(bytes, selector->port_end);
    writer_bytes(bytes, slice_of(selector->start, size));
    writer_bytes(bytes, slice_of(selector->end, size));
}

void v2_write_selectors(struct v2_writer *writer, uint8_t payload, const struct selector *selectors,
                        size_t count)
{
    v2_payload_begin(writer, payload);
    if (count > UINT8_MAX)
        writer->bytes.failed = true;
    writer_u8(&writer->bytes, (uint8_t)count);
    writer_bytes(&writer->bytes, slice_of((const uint8_t[3]){0}, 3));
    for (size_t i = 0; i < count; i++)
        selector_write(&writer->bytes, &selectors[i]);
}
