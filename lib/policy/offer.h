/*
 * An offer: the proposals of one end for an SA, in our own numbers.
 *
 * Knows no version of IKE: each translates its SA payloads from and to this (lib/ikev2/sa_payload.h
 * for IKEv2).  A proposal of IKEv2 has alternatives of each type (RFC 7296 section 3.3); what IKEv1
 * calls a transform is a whole suite (RFC 2408 section 3.6): a proposal with one of each type.
 * Not here: what of it is chosen (choose.h).
 */
#ifndef LIB_POLICY_OFFER_H
#define LIB_POLICY_OFFER_H

#include "lib/crypto/crypto.h"
#include "lib/crypto/suite.h"
#include "lib/policy/config.h"

#define OFFER_PROPOSALS_MAX  16
#define OFFER_TRANSFORMS_MAX 48

enum transform_type {
    TRANSFORM_UNKNOWN, /* to us */
    TRANSFORM_ENCR,
    TRANSFORM_PRF,
    TRANSFORM_INTEG,
    TRANSFORM_GROUP,
    TRANSFORM_ESN,
    TRANSFORM_TYPE_COUNT,
};

enum esn {
    ESN_NO,  /* sequence numbers of 32 bits */
    ESN_YES, /* of 64 */
};

struct offer_transform {
    uint8_t type;      /* enum transform_type */
    uint8_t algorithm; /* enum encr, prf, integ or group, where 0 is NONE; enum esn */
    bool known;        /* false: it cannot be chosen, and `algorithm` says nothing */
    /* How its sender wrote it, for people; nothing of it in offers of our own. */
    bool unknown_attribute;
    uint16_t number;   /* of an unknown type the type's */
    uint16_t key_bits; /* 0: not said */
};

struct offer_spi {
    uint8_t size; /* octets: a child's has 4, that of a new IKE SA 8; 0: there is none */
    uint64_t value;
};

#define OFFER_PROTOCOL_UNKNOWN 255 /* reserved by IANA, "Protocol Numbers" */

struct offer_proposal {
    uint8_t number;
    uint8_t protocol; /* enum ipsec_protocol (IPSEC_NONE: an IKE SA), OFFER_PROTOCOL_UNKNOWN */
    uint8_t transform_count;
    struct offer_spi spi;
    struct offer_transform transforms[OFFER_TRANSFORMS_MAX];
};

struct offer {
    size_t count;
    /* What the `number` of a transform is called: "AES_CBC"; NULL where it has no name. */
    const char *(*name)(enum transform_type type, uint16_t number);
    struct offer_proposal proposals[OFFER_PROPOSALS_MAX];
};

/* Can the provider do it?  NULL: yes. */
bool algorithm_usable(const struct crypto *crypto, enum transform_type type, unsigned id);

/* Our list as the offer to send: algorithms that `crypto` lacks are left out (NULL: a child's SA,
 * nothing is left out but groups when `with_group` is false). */
void offer_from_proposals(struct offer *offer, const struct proposal_list *list,
                          enum ipsec_protocol protocol, struct offer_spi spi,
                          const struct crypto *crypto, bool with_group);

/* The responder's answer to an offer: the one proposal with one transform of each type. */
void offer_from_suite(struct offer *offer, const struct suite *suite, uint8_t number,
                      enum ipsec_protocol protocol, struct offer_spi spi, bool with_group);

/* A proposal for people: "AES_GCM_16-256/PRF_HMAC_SHA2_256/X25519". */
char *offer_text(const struct offer *offer, const struct offer_proposal *proposal, char *text,
                 size_t size);

#endif
