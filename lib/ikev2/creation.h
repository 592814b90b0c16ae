/*
 * A CREATE_CHILD_SA exchange under way.
 */
#ifndef LIB_IKEV2_CREATION_H
#define LIB_IKEV2_CREATION_H

#include "lib/sa/child_sa.h"
#include "lib/sa/packet.h"
#include "lib/sa/step.h"

/* A CREATE_CHILD_SA exchange under way: asked for by us, or by the peer. */
enum creation_kind { CREATE_CHILD, CREATE_REKEY_CHILD, CREATE_REKEY_IKE };

enum creation_state {
    CREATE_AWAIT_KEY,     /* ours: our public value, an SPI */
    CREATE_AWAIT_REPLY,   /* ours */
    CREATE_AWAIT_SHARED,  /* g^ir; the peer's: an SPI, too */
    CREATE_AWAIT_INSTALL, /* the kernel's word */
    CREATE_DONE,          /* for the engine to look at and to free */
    CREATE_FAILED,        /* the same; `error` says why */
};

#define CREATION_GONE_MAX 2

struct creation {
    struct step step;
    uint8_t kind;  /* enum creation_kind */
    uint8_t state; /* enum creation_state */
    bool ours;
    uint8_t group; /* enum group; GROUP_NONE: no key exchange of its own */
    uint8_t groups_tried;
    uint8_t proposal; /* the peer's: number of the chosen proposal */
    uint16_t error;   /* a notify type, 0: our own fault or an answer of no use */
    bool deleted;     /* ours: the peer has deleted the child while it was made */
    uint8_t gone;     /* ours, unanswered: how many unknown SPIs the peer has deleted meanwhile */
    bool closes;      /* ours, failed: and the IKE SA cannot live on */
    bool useless;     /* ours, failed: the peer has answered, but it is of no use: */
    struct reason why;
    uint32_t gone_spis[CREATION_GONE_MAX]; /* the last of them */
    uint32_t old_child;                    /* number of the child to be rekeyed */
    uint32_t rival_child; /* of the child that the peer's crossing rekey made, 0: none */
    uint64_t rival_ike;   /* our SPI of the IKE SA that the peer's crossing rekey made, 0: none */
    struct buffer rival_nonce; /* the lower nonce of that exchange */
    const struct child_config *config;
    struct secret private;
    struct secret shared;
    struct buffer public;
    struct buffer nonce_i;
    struct buffer nonce_r;
    struct packet *packet;  /* ours: for which the child is made; NULL: none */
    struct child_sa *child; /* until it is in its SA's list */
    struct ike_sa *heir;    /* REKEY_IKE: until it is established */
};

/* Ends the exchange and all that it has made so far; NULL is harmless. */
void creation_end(struct context *context, struct ike_sa *sa, struct creation **creation);

#endif
