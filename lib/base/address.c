/*
 * Addresses and traffic selectors: see address.h.
 */
#include "lib/base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

size_t address_size(uint8_t family)
{
    return family == FAMILY_IPV4 ? 4 : family == FAMILY_IPV6 ? 16 : 0;
}

struct slice address_bytes(const struct address *address)
{
    return slice_of(address->bytes, address_size(address->family));
}

bool address_parse(struct address *address, const char *text)
{
    *address = (struct address){0};
    if (inet_pton(AF_INET, text, address->bytes) == 1)
        address->family = FAMILY_IPV4;
    else if (inet_pton(AF_INET6, text, address->bytes) == 1)
        address->family = FAMILY_IPV6;
    return address->family != FAMILY_NONE;
}

static void bytes_text(uint8_t family, const uint8_t *bytes, char *text, size_t size)
{
    if (family == FAMILY_NONE ||
        inet_ntop(family == FAMILY_IPV4 ? AF_INET : AF_INET6, bytes, text, (socklen_t)size) == NULL)
        snprintf(text, size, "any");
}

char *address_text(const struct address *address, char *text)
{
    bytes_text(address->family, address->bytes, text, ADDRESS_TEXT_MAX);
    return text;
}

bool address_same_host(const struct address *a, const struct address *b)
{
    return a->family == b->family && slice_equal(address_bytes(a), address_bytes(b));
}

bool address_is_host(const struct address *address)
{
    static const uint8_t unspecified[16] = {0};
    size_t size = address_size(address->family);

    if (size == 0 || memcmp(address->bytes, unspecified, size) == 0)
        return false;
    return address->family == FAMILY_IPV4 ? address->bytes[0] > 0 && address->bytes[0] < 224
                                          : address->bytes[0] != 0xff;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && address_same_host(a, b);
}

struct selector selector_host(const struct address *address)
{
    struct selector selector = {.family = address->family, .port_end = UINT16_MAX};

    memcpy(selector.start, address->bytes, sizeof(selector.start));
    memcpy(selector.end, address->bytes, sizeof(selector.end));
    return selector;
}

static int compare(const struct selector *selector, const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, address_size(selector->family));
}

static bool ports_opaque(const struct selector *selector)
{
    return selector->port_start == UINT16_MAX && selector->port_end == 0;
}

static bool ports_any(const struct selector *selector)
{
    return selector->port_start == 0 && selector->port_end == UINT16_MAX;
}

/* OPAQUE stands for packets whose ports cannot be seen: ANY includes it, no other range does. */
static bool ports_contain(const struct selector *outer, const struct selector *inner)
{
    if (ports_opaque(inner))
        return ports_any(outer) || ports_opaque(outer);
    return outer->port_start <= inner->port_start && outer->port_end >= inner->port_end;
}

static bool ports_intersect(const struct selector *a, const struct selector *b,
                            struct selector *both)
{
    if (ports_opaque(a) || ports_opaque(b)) {
        both->port_start = UINT16_MAX;
        both->port_end = 0;
        return ports_contain(a, both) && ports_contain(b, both);
    }
    both->port_start = a->port_start > b->port_start ? a->port_start : b->port_start;
    both->port_end = a->port_end < b->port_end ? a->port_end : b->port_end;
    return both->port_start <= both->port_end;
}

bool selector_contains(const struct selector *outer, const struct selector *inner)
{
    return outer->family == inner->family &&
           (outer->protocol == 0 || outer->protocol == inner->protocol) &&
           ports_contain(outer, inner) && compare(outer, outer->start, inner->start) <= 0 &&
           compare(outer, outer->end, inner->end) >= 0;
}

bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *both)
{
    if (a->family != b->family ||
        (a->protocol != 0 && b->protocol != 0 && a->protocol != b->protocol))
        return false;
    struct selector result = {
        .family = a->family,
        .protocol = a->protocol != 0 ? a->protocol : b->protocol,
    };
    memcpy(result.start, compare(a, a->start, b->start) >= 0 ? a->start : b->start, 16);
    memcpy(result.end, compare(a, a->end, b->end) <= 0 ? a->end : b->end, 16);
    if (!ports_intersect(a, b, &result) || compare(a, result.start, result.end) > 0)
        return false;
    *both = result;
    return true;
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
    return a->family == b->family && a->protocol == b->protocol && a->port_start == b->port_start &&
           a->port_end == b->port_end && compare(a, a->start, b->start) == 0 &&
           compare(a, a->end, b->end) == 0;
}

bool selectors_equal(const struct selector *a, size_t a_count, const struct selector *b,
                     size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!selector_equal(&a[i], &b[i]))
            return false;
    return true;
}

/* How many low bits are all zero (`flip` 0), or all one (`flip` 0xff). */
static unsigned low_bits(const uint8_t *bytes, unsigned bits, uint8_t flip)
{
    unsigned count = 0;

    while (count < bits && bytes[(bits - 1 - count) / 8] == flip)
        count += 8;
    if (count >= bits)
        return bits;
    return count + (unsigned)__builtin_ctz((unsigned)(bytes[(bits - 1 - count) / 8] ^ flip));
}

/* How many low bits there are from the first one on in which the two differ. */
static unsigned differing_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned same = 0;

    while (same < bits / 8 && a[same] == b[same])
        same++;
    if (same == bits / 8)
        return 0;
    return bits - same * 8 - (unsigned)__builtin_clz((unsigned)(a[same] ^ b[same])) + 24;
}

/* How many low bits of `at` are zero and could be a prefix's host part without passing `end`: above
 * the first bit that differs the two are the same, so that a host part is as long as those below,
 * or one longer where `end` has ones alone. */
static unsigned host_bits(const uint8_t *at, const uint8_t *end, unsigned bits)
{
    unsigned zeros = low_bits(at, bits, 0);
    unsigned differing = differing_bits(at, end, bits);
    unsigned most = low_bits(end, bits, 0xff) >= differing ? differing : differing - 1;

    return zeros < most ? zeros : most;
}

/* Adds 2^host to `at`; false when it wraps. */
static bool advance(uint8_t *at, unsigned host, unsigned bits)
{
    if (host >= bits)
        return false;
    unsigned byte = (bits - 1 - host) / 8;
    unsigned carry = 1u << (7 - (bits - 1 - host) % 8);
    for (unsigned i = byte + 1; i > 0 && carry != 0; i--) {
        unsigned sum = at[i - 1] + carry;
        at[i - 1] = (uint8_t)sum;
        carry = sum >> 8;
    }
    return carry == 0;
}

void selector_pack(struct writer *writer, const struct selector *selector)
{
    writer_u8(writer, selector->family);
    writer_u8(writer, selector->protocol);
    writer_u16(writer, selector->port_start);
    writer_u16(writer, selector->port_end);
    writer_bytes(writer, slice_of(selector->start, address_size(selector->family)));
    writer_bytes(writer, slice_of(selector->end, address_size(selector->family)));
}

struct selector selector_unpack(struct reader *reader)
{
    struct selector selector = {.family = reader_u8(reader)};

    selector.protocol = reader_u8(reader);
    selector.port_start = reader_u16(reader);
    selector.port_end = reader_u16(reader);
    reader_copy(reader, selector.start, address_size(selector.family));
    reader_copy(reader, selector.end, address_size(selector.family));
    return selector;
}

size_t selector_prefixes(const struct selector *selector, struct address *prefixes, uint8_t *bits,
                         size_t max)
{
    unsigned width = (unsigned)address_size(selector->family) * 8;
    size_t count = 0;
    uint8_t at[16];

    memcpy(at, selector->start, sizeof(at));
    bool more = memcmp(at, selector->end, width / 8) <= 0;
    while (more) {
        unsigned host = host_bits(at, selector->end, width);
        if (count < max) {
            prefixes[count] = (struct address){.family = selector->family};
            memcpy(prefixes[count].bytes, at, sizeof(at));
            bits[count] = (uint8_t)(width - host);
        }
        count++;
        more = advance(at, host, width) && memcmp(at, selector->end, width / 8) <= 0;
    }
    return count;
}

/* Of ICMP it is a type and a code (RFC 4301 section 4.4.1.1); as in iked.conf(5) a type alone
 * stands for all of its codes. */
static void ports_text(const struct selector *selector, char *text, size_t size)
{
    bool typed = selector->protocol == 1 || selector->protocol == 58;
    bool whole = typed && (selector->port_start & 0xff) == 0 && (selector->port_end & 0xff) == 0xff;
    unsigned start = whole ? selector->port_start >> 8 : selector->port_start;
    unsigned end = whole ? selector->port_end >> 8 : selector->port_end;
    int used;

    if (typed && !whole)
        used = snprintf(text, size, "%u.%u", start >> 8, start & 0xff);
    else
        used = snprintf(text, size, "%u", start);
    if (start == end)
        return;
    if (typed && !whole)
        snprintf(text + used, size - (size_t)used, "-%u.%u", end >> 8, end & 0xff);
    else
        snprintf(text + used, size - (size_t)used, "-%u", end);
}

static void protocol_text(const struct selector *selector, char *text, size_t size)
{
    const char *name = selector->protocol == 6     ? "tcp"
                       : selector->protocol == 17  ? "udp"
                       : selector->protocol == 1   ? "icmp"
                       : selector->protocol == 58  ? "ipv6-icmp"
                       : selector->protocol == 132 ? "sctp"
                                                   : NULL;
    char ports[24];
    char number[8];

    ports_text(selector, ports, sizeof(ports));
    if (name == NULL) {
        snprintf(number, sizeof(number), "%u", selector->protocol);
        name = number;
    }
    if (selector->protocol == 0 && ports_any(selector))
        text[0] = '\0';
    else if (ports_any(selector))
        snprintf(text, size, " %s", name);
    else if (ports_opaque(selector))
        snprintf(text, size, " %s/opaque", name);
    else
        snprintf(text, size, " %s/%s", name, ports);
}

char *selector_text(const struct selector *selector, char *text)
{
    struct address first;
    uint8_t bits;
    char start[ADDRESS_TEXT_MAX];
    char end[ADDRESS_TEXT_MAX];
    char protocol[36];

    protocol_text(selector, protocol, sizeof(protocol));
    bytes_text(selector->family, selector->start, start, sizeof(start));
    bytes_text(selector->family, selector->end, end, sizeof(end));
    if (selector_prefixes(selector, &first, &bits, 1) == 1)
        snprintf(text, SELECTOR_TEXT_MAX, "%s/%u%s", start, bits, protocol);
    else
        snprintf(text, SELECTOR_TEXT_MAX, "%s-%s%s", start, end, protocol);
    return text;
}
