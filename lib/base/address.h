/*
 * IP addresses and traffic selectors as plain values.
 *
 * Not here: resolving names, sockets, the wire's form of selectors (lib/wire) and the kernel's.
 */
#ifndef LIB_BASE_ADDRESS_H
#define LIB_BASE_ADDRESS_H

#include "lib/base/reader.h"
#include "lib/base/writer.h"

enum family {
    FAMILY_NONE = 0, /* "any" where a configuration allows it */
    FAMILY_IPV4 = 4,
    FAMILY_IPV6 = 6,
};

struct address {
    uint8_t family;    /* enum family */
    uint16_t port;     /* host order; 0 where ports do not matter */
    uint8_t bytes[16]; /* network order; the first 4 for IPv4, the rest 0 */
};

/* RFC 7296 section 3.13.1: a range of addresses, one protocol or all, a range of ports.
 * For ICMP the "port" is type << 8 | code.  OPAQUE is start 65535, end 0. */
struct selector {
    uint8_t family;   /* FAMILY_IPV4 or FAMILY_IPV6 */
    uint8_t protocol; /* IP protocol, 0 is any */
    uint16_t port_start;
    uint16_t port_end;
    uint8_t start[16];
    uint8_t end[16];
};

#define ADDRESS_TEXT_MAX    56
#define SELECTOR_TEXT_MAX   140
#define SELECTOR_OCTETS_MAX 38

/* 4 or 16; 0 for FAMILY_NONE. */
size_t address_size(uint8_t family);

struct slice address_bytes(const struct address *address);

/* Reads "192.0.2.1" or "2001:db8::1" (no port). False when it is neither. */
MUST_USE bool address_parse(struct address *address, const char *text);

/* Writes it without the port, or "any"; returns `text`, which has ADDRESS_TEXT_MAX bytes. */
char *address_text(const struct address *address, char *text);

/* Family and bytes; the ports are not looked at. */
bool address_same_host(const struct address *a, const struct address *b);

/* Can it be one host's own: neither unspecified nor multicast? */
bool address_is_host(const struct address *address);

bool address_equal(const struct address *a, const struct address *b);

/* Everything from and to one address: all protocols and ports. */
struct selector selector_host(const struct address *address);

/* True when `inner` lies within `outer`. */
bool selector_contains(const struct selector *outer, const struct selector *inner);

/* What both allow, in *both; false when that is nothing. */
bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *both);

bool selector_equal(const struct selector *a, const struct selector *b);

/* The same ones, in the same order. */
bool selectors_equal(const struct selector *a, size_t a_count, const struct selector *b,
                     size_t b_count);

/* As octets, where many are kept: 14 for IPv4, 38 for IPv6.  Equal ones have equal octets. */
void selector_pack(struct writer *writer, const struct selector *selector);
struct selector selector_unpack(struct reader *reader);

/* "10.1.0.0/16 tcp/5432", "10.0.0.1-10.0.0.9", "10.0.0.1/32 udp/opaque"; returns `text`,
 * SELECTOR_TEXT_MAX bytes. */
char *selector_text(const struct selector *selector, char *text);

/* Splits the address range into the fewest prefixes.  Writes up to `max` of (address, bits) and
 * returns how many are needed (which may be more than `max`: then the list is not complete; and 0
 * when start lies above end). */
size_t selector_prefixes(const struct selector *selector, struct address *prefixes, uint8_t *bits,
                         size_t max);

#endif
