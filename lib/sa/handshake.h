/*
 * What the first exchanges of an IKE SA need, and nothing after them.
 */
#ifndef LIB_SA_HANDSHAKE_H
#define LIB_SA_HANDSHAKE_H

#include "lib/base/slice.h"
#include "lib/sa/child_sa.h"
#include "lib/sa/step.h"

struct ike_sa;

/* What the first two exchanges need and nothing after them. */
struct handshake {
    struct step step;
    struct ike_sa *sa;                 /* whose it is */
    struct hash_node by_peer;          /* half-open responders: the peer's address and SPI, keyed */
    const struct child_config *wanted; /* initiator: the child to negotiate */
    struct secret private;             /* our key exchange octets */
    struct secret shared;
    struct buffer public;
    struct buffer peer_public;
    struct buffer nonce_i;
    struct buffer nonce_r;
    struct buffer cookie;
    struct buffer init_request;  /* RealMessage1, as last sent */
    struct buffer init_response; /* RealMessage2 */
    struct buffer auth;          /* our AUTH data */
    struct child_sa *child;      /* until it is installed */
    uint32_t auth_life_s;        /* initiator: the peer's AUTH_LIFETIME; 0: none */
    uint16_t child_error;        /* why there is no child; a notify type */
    uint8_t child_proposal;      /* responder: number of the chosen proposal */
    uint8_t init_proposal;
    uint8_t cookies; /* how often a COOKIE was asked of us */
    uint8_t groups_tried;
    struct address came_from; /* responder: of IKE_SA_INIT; IKE_AUTH may float to another port */
    uint64_t source;          /* responder: whose half-open SA it is (source.h) */
    bool init_refused;        /* an unauthenticated error came; a better answer may still */
    bool initial_contact;
    bool single_pair;      /* initiator: the peer takes one pair of selectors in a child */
    bool unsent;           /* our last request did not leave this host, for this reason: */
    struct reason refusal; /* why there is no child, or the last reply we dropped */
};

/* Of a new SA; NULL when memory is out. */
struct handshake *handshake_new(struct ike_sa *sa);

/* Wipes and frees it and the child that it makes; NULL is harmless. */
void handshake_free(struct handshake *handshake);

/* It has done its part: wiped and freed, and SK_pi and SK_pr with it, which only AUTH needs. */
void ike_sa_end_handshake(struct ike_sa *sa);

#endif
