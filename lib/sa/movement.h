/*
 * An IKE SA that goes to other ends, and its children after it.
 */
#ifndef LIB_SA_MOVEMENT_H
#define LIB_SA_MOVEMENT_H

#include "lib/sa/ike_sa.h"

#define MOVEMENT_PEERS_MAX 8
#define FOLLOW_MS          1000 /* an SA follows its peer at most once in this time */

/* What an end that moves needs; made when it first does. */
struct movement {
    struct step step;   /* which address of ours is asked for */
    bool again;         /* and to be asked for once more */
    uint8_t cookie[16]; /* COOKIE2 that we sent */
    uint8_t seen[20];   /* NAT_DETECTION_DESTINATION_IP: how the peer saw us last */
    uint8_t next_peer;
    uint8_t peer_count;
    struct address peers[MOVEMENT_PEERS_MAX]; /* the peer's additional addresses */
    struct address tried_local;               /* where the peer is to answer from before ... */
    struct address tried_remote;              /* ... the SA goes there; FAMILY_NONE: none */
    bool tried_nat;                           /* what holds of NATs there: ... */
    bool tried_here;                          /* ... we are behind one, ... */
    bool tried_there;                         /* ... the peer is */
    uint64_t asked_ms; /* when what was outstanding went to a new place at once; 0: never */
    bool spoiled;      /* the question has gone to others, too */
};

/* Asks, as part of a step, by which address of ours the peer is reached. */
MUST_USE bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step);

/* What it needs to move; NULL when memory is out. */
struct movement *ike_sa_movement(struct ike_sa *sa);

/* May it go to a peer at `remote`? */
bool ike_sa_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote);

/* It gets other ends, and its children follow; what else about the path has changed (encap) was set
 * before. */
void ike_sa_move(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote);

/* Would it follow its peer too soon? */
bool ike_sa_rests(const struct context *context, const struct ike_sa *sa);

/* It goes where the peer says.  One that says so more often than once in FOLLOW_MS is answered
 * there, and the kernel's SAs go where it was last when that time is over: each move costs several
 * requests for each of them. */
void ike_sa_follow(struct context *context, struct ike_sa *sa, const struct address *local,
                   const struct address *remote);

/* An heir goes on where the SA that it comes from is, however far that has moved. */
void ike_sa_take_path(struct ike_sa *heir, const struct ike_sa *old);

#endif
