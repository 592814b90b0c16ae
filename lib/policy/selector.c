/*
 * Traffic selectors from text: see selector.h.
 *
 * RFC 7296 section 3.13.1.  Not here: whether a child may have them (child.c).
 */
#include "lib/policy/selector.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/nearest.h"
#include "lib/policy/setting.h"

enum ports { PORTS_NONE, PORTS_NUMBERS, PORTS_TYPES };

static const struct protocol {
    const char *name;
    uint8_t number;
    enum ports ports;
} protocols[] = {
    {"tcp", 6, PORTS_NUMBERS},      {"udp", 17, PORTS_NUMBERS},      {"sctp", 132, PORTS_NUMBERS},
    {"dccp", 33, PORTS_NUMBERS},    {"udplite", 136, PORTS_NUMBERS}, {"icmp", 1, PORTS_TYPES},
    {"ipv6-icmp", 58, PORTS_TYPES}, {"icmpv6", 58, PORTS_TYPES},     {"igmp", 2, PORTS_NONE},
    {"ipip", 4, PORTS_NONE},        {"ipv6", 41, PORTS_NONE},        {"gre", 47, PORTS_NONE},
    {"ospf", 89, PORTS_NONE},       {"pim", 103, PORTS_NONE},        {"vrrp", 112, PORTS_NONE},
    {"l2tp", 115, PORTS_NONE},
};

PRINTF_LIKE(2, 3)
static bool wrong_set(char wrong[SELECTOR_WRONG_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(wrong, SELECTOR_WRONG_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* A whole decimal number up to `max`; false when it is anything else. */
static bool number_parse(const char *text, unsigned max, unsigned *number)
{
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 5)
        return false;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned)value;
    return *end == '\0' && value <= max;
}

/* --- Addresses --- */

/* With or without brackets around IPv6. */
static bool host_parse(struct address *address, char *text, char wrong[SELECTOR_WRONG_MAX])
{
    size_t length = strlen(text);
    bool brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';

    if (brackets)
        text[length - 1] = '\0';
    if (address_parse(address, text + brackets) && (!brackets || address->family == FAMILY_IPV6))
        return true;
    if (brackets)
        text[length - 1] = ']';
    return wrong_set(wrong,
                     "\"%s\": no address; expected one such as \"10.1.0.0/16\", "
                     "\"[2001:db8::1]/128\" or \"10.0.0.1-10.0.0.9\"",
                     text);
}

/* Clears or sets the bits behind the first `bits`. */
static void host_part(uint8_t *bytes, size_t size, unsigned bits, bool set)
{
    for (unsigned bit = bits; bit < size * 8; bit++) {
        uint8_t mask = (uint8_t)(0x80u >> bit % 8);
        bytes[bit / 8] = (uint8_t)(set ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask);
    }
}

static bool prefix_parse(struct selector *selector, char *text, char *bits_text,
                         char wrong[SELECTOR_WRONG_MAX])
{
    struct address address;
    unsigned bits;

    if (!host_parse(&address, text, wrong))
        return false;
    size_t size = address_size(address.family);
    if (!number_parse(bits_text, (unsigned)size * 8, &bits))
        return wrong_set(wrong, "\"/%s\": no prefix length; expected /0 to /%zu", bits_text,
                         size * 8);
    *selector = selector_host(&address);
    host_part(selector->start, size, bits, false);
    host_part(selector->end, size, bits, true);
    if (memcmp(selector->start, address.bytes, size) != 0) {
        char expected[SELECTOR_TEXT_MAX];
        return wrong_set(wrong, "bits behind the prefix are set; expected \"%s\"",
                         selector_text(selector, expected));
    }
    return true;
}

static bool range_parse(struct selector *selector, char *first, char *last,
                        char wrong[SELECTOR_WRONG_MAX])
{
    struct address start;
    struct address end;

    if (!host_parse(&start, first, wrong) || !host_parse(&end, last, wrong))
        return false;
    if (start.family != end.family)
        return wrong_set(wrong, "IPv4 and IPv6 in one range; expected one of them");
    if (memcmp(start.bytes, end.bytes, sizeof(start.bytes)) > 0)
        return wrong_set(wrong, "the range ends before it begins; expected the lower one first");
    *selector = selector_host(&start);
    memcpy(selector->end, end.bytes, sizeof(selector->end));
    return true;
}

static bool addresses_parse(struct selector *selector, char *text, char wrong[SELECTOR_WRONG_MAX])
{
    char *slash = strchr(text, '/');
    char *dash = strchr(text, '-');
    struct address address;

    if (dash != NULL) {
        *dash = '\0';
        return range_parse(selector, text, dash + 1, wrong);
    }
    if (slash != NULL) {
        *slash = '\0';
        return prefix_parse(selector, text, slash + 1, wrong);
    }
    if (!host_parse(&address, text, wrong))
        return false;
    *selector = selector_host(&address);
    return true;
}

/* --- Protocols and ports --- */

static bool protocol_find(struct protocol *protocol, const char *name,
                          char wrong[SELECTOR_WRONG_MAX])
{
    struct nearest nearest = nearest_to(name);
    unsigned number;

    for (size_t i = 0; i < SETTING_LENGTH(protocols); i++) {
        nearest_try(&nearest, protocols[i].name);
        if (strcmp(protocols[i].name, name) == 0) {
            *protocol = protocols[i];
            return true;
        }
    }
    if (!number_parse(name, UINT8_MAX, &number) || number == 0)
        return wrong_set(wrong,
                         "\"%s\": no such protocol; the nearest is \"%s\", a number from 1 to 255 "
                         "does as well",
                         name, nearest.best);
    *protocol = (struct protocol){.name = name, .number = (uint8_t)number};
    for (size_t i = 0; i < SETTING_LENGTH(protocols); i++)
        if (protocols[i].number == number)
            protocol->ports = protocols[i].ports;
    return true;
}

/* RFC 7296 section 3.13.1: an ICMP type stands in the upper octet of the port, its code in the
 * lower; a type alone means all of its codes. */
static bool ports_parse(struct selector *selector, const struct protocol *protocol, char *text,
                        char wrong[SELECTOR_WRONG_MAX])
{
    char *dash = strchr(text, '-');
    unsigned max = protocol->ports == PORTS_TYPES ? UINT8_MAX : UINT16_MAX;
    unsigned first;
    unsigned last;

    if (protocol->ports == PORTS_NONE)
        return wrong_set(wrong, "\"%s\" has no ports; expected it alone", protocol->name);
    if (dash != NULL)
        *dash = '\0';
    if (!number_parse(text, max, &first) || !number_parse(dash ? dash + 1 : text, max, &last) ||
        first > last)
        return wrong_set(wrong, "no %s behind \"%s/\"; expected a number or a range, 0 to %u",
                         protocol->ports == PORTS_TYPES ? "types" : "ports", protocol->name, max);
    if (protocol->ports == PORTS_TYPES) {
        first <<= 8;
        last = last << 8 | UINT8_MAX;
    }
    selector->port_start = (uint16_t)first;
    selector->port_end = (uint16_t)last;
    return true;
}

static bool protocol_parse(struct selector *selector, char *text, char wrong[SELECTOR_WRONG_MAX])
{
    char *slash = strchr(text, '/');
    struct protocol protocol = {0};

    if (slash != NULL)
        *slash = '\0';
    if (!protocol_find(&protocol, text, wrong))
        return false;
    selector->protocol = protocol.number;
    return slash == NULL || ports_parse(selector, &protocol, slash + 1, wrong);
}

bool selector_parse(struct selector *selector, const char *text, const struct address *host,
                    char wrong[SELECTOR_WRONG_MAX])
{
    char copy[SELECTOR_TEXT_MAX];
    char *rest = copy;

    if (strlen(text) >= sizeof(copy))
        return wrong_set(wrong, "too long; expected at most %zu characters", sizeof(copy) - 1);
    snprintf(copy, sizeof(copy), "%s", text);
    char *first = strsep(&rest, " ");
    if (rest != NULL)
        rest += strspn(rest, " ");
    if (strpbrk(first, ".:[") == NULL) {
        if (rest != NULL)
            return wrong_set(wrong, "no address before the blank; expected \"ADDRESS PROTOCOL\"");
        *selector = selector_host(host);
        return protocol_parse(selector, first, wrong) &&
               (host->family != FAMILY_NONE ||
                wrong_set(wrong, "no address, and the peer's is not known; expected "
                                 "\"ADDRESS PROTOCOL\""));
    }
    return addresses_parse(selector, first, wrong) &&
           (rest == NULL || protocol_parse(selector, rest, wrong));
}
