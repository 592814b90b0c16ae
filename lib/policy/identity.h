/*
 * Who an end of an SA says it is: RFC 7296 section 3.5, and RFC 2407 section 4.6.2.1 alike.
 *
 * Knows no version of IKE: both number these types the same.  Not here: who may use which
 * (match.h), keys that belong to them (secrets.h).
 */
#ifndef LIB_POLICY_IDENTITY_H
#define LIB_POLICY_IDENTITY_H

#include "lib/base/address.h"

/* IANA's numbers of ID types, the same for both versions of IKE.  A peer may send any other. */
enum identity_type {
    IDENTITY_ANY = 0, /* "any" in configurations; no peer's */
    IDENTITY_IPV4_ADDR = 1,
    IDENTITY_FQDN = 2,
    IDENTITY_RFC822_ADDR = 3, /* RFC 2407: ID_USER_FQDN */
    IDENTITY_IPV6_ADDR = 5,
    IDENTITY_DER_ASN1_DN = 9,
    IDENTITY_KEY_ID = 11,
};

#define IDENTITY_MAX 255 /* octets */

struct identity {
    uint8_t type; /* enum identity_type, or what the peer sent */
    uint8_t size;
    uint8_t data[IDENTITY_MAX];
};

/* From text: "any", an address, "user@host", "host.name", "@#hex" or "keyid:text" as KEY_ID.
 * False with a bad or too long one. */
MUST_USE bool identity_parse(struct identity *identity, const char *text);
struct identity identity_of_address(const struct address *address);
struct identity identity_of(uint8_t type, struct slice data);   /* IDENTITY_ANY: it is too long */
struct identity identity_copy(const struct identity *identity); /* which may have no more octets
                                                                  * than its size says */
char *identity_text(const struct identity *identity, char *text, size_t size);
bool identity_equal(const struct identity *a, const struct identity *b);

#endif
