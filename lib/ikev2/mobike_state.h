/*
 * What an end that moves needs (RFC 4555), and where it may go.
 */
#ifndef LIB_IKEV2_MOBIKE_STATE_H
#define LIB_IKEV2_MOBIKE_STATE_H

#include "lib/sa/ike_sa.h"
#include "lib/sa/step.h"

struct sa_table;

#define MOBIKE_PEERS_MAX 8

/* What an end that moves needs; made when it first does. */
struct mobike_state {
    struct step step;   /* which address of ours is asked for */
    bool again;         /* and to be asked for once more */
    uint8_t cookie[16]; /* COOKIE2 that we sent */
    uint8_t seen[20];   /* NAT_DETECTION_DESTINATION_IP: how the peer saw us last */
    uint8_t next_peer;
    uint8_t peer_count;
    struct address peers[MOBIKE_PEERS_MAX]; /* the peer's additional addresses */
    struct address tried_local;             /* where the peer is to answer from before ... */
    struct address tried_remote;            /* ... the SA goes there; FAMILY_NONE: none */
    bool tried_nat;                         /* what holds of NATs there: ... */
    bool tried_here;                        /* ... we are behind one, ... */
    bool tried_there;                       /* ... the peer is */
    uint64_t asked_ms; /* when what was outstanding went to a new place at once; 0: never */
    bool spoiled;      /* the question has gone to others, too */
};

/* Of an IKE SA, made when it is first needed; NULL when memory is out. */
struct mobike_state *mobike_state(struct ike_sa *sa);

/* May it go to a peer at `remote`? */
bool mobike_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote);

/* An heir goes on where the SA that it comes from is, however far that has moved. */
void mobike_take_path(struct ike_sa *heir, const struct ike_sa *old);

/* Do we want it with this peer? */
bool mobike_wanted(const struct ike_sa *sa);

/* Is a place tried? */
bool trial_is_on(const struct ike_sa *sa);

#endif
