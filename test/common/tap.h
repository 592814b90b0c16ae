/*
 * IKE messages taken apart, altered and put together again with the keys of a simulated host: how
 * scenarios and the fuzzer send what no honest engine would.
 *
 * Not here: when to do so.
 */
#ifndef TEST_COMMON_TAP_H
#define TEST_COMMON_TAP_H

#include "lib/ikev2/creation.h"
#include "lib/wire/ikev2.h"
#include "test/common/probe.h"
#include "test/common/world.h"

#define TAP_PAYLOADS_MAX 64
#define TAP_MANGLES_MAX  8

struct tap_payload {
    uint8_t type;
    bool critical;
    struct buffer body;
};

struct tap {
    struct ike_header header;
    bool sealed;
    uint16_t number; /* of a fragment (RFC 7383); its text is the one payload, of type SKF */
    uint16_t total;  /* 0: it is none */
    uint8_t first;   /* its Next Payload field */
    size_t count;
    struct tap_payload payloads[TAP_PAYLOADS_MAX]; /* the inner ones when sealed */
    /* Octets changed at last: inside the text when sealed (before encryption), else of the whole
     * message behind the header. */
    size_t mangle_count;
    struct {
        size_t at;
        uint8_t flip;
    } mangles[TAP_MANGLES_MAX];
};

/* Takes a packet apart.  False when it is none of a running host's, or cannot be read. */
MUST_USE bool tap_open(struct tap *tap, const struct world *world, const struct flight *flight);

/* Puts it together again, in place of the packet.  The sender takes it for its own: what it sends
 * again, and what it signed of IKE_SA_INIT, is the altered message; except with a fragment.  What
 * has grown too large for a datagram is cut: all but the last fragment leave before the packet. */
MUST_USE bool tap_close(const struct tap *tap, struct world *world, struct flight *flight);

/* An empty sealed request of an SA, with its next message ID. */
void tap_request(struct tap *tap, const struct ike_sa *sa, uint8_t exchange);

/* A request that a peer might make: for a child like `like`, to rekey that one, or to rekey the IKE
 * SA (`like` NULL).  Nonce, SPI and public value are by chance. */
MUST_USE bool tap_create(struct tap *tap, struct world *world, const struct ike_sa *sa,
                         enum creation_kind kind, const struct child_sa *like);

/* Sends it in the name of the SA's host. */
MUST_USE bool tap_send(const struct tap *tap, struct world *world, struct ike_sa *sa);

void tap_free(struct tap *tap);

/* Puts a payload before the one at `index` (count: at the end).  False when there is no room. */
bool tap_insert(struct tap *tap, size_t index, uint8_t type, bool critical, struct slice body);
void tap_remove(struct tap *tap, size_t index);

/* Where the first payload of a type stands; tap->count when there is none. */
size_t tap_find(const struct tap *tap, uint8_t type);

#endif
