/*
 * An IKE SA that goes to other ends, and its children after it.
 */
#ifndef LIB_SA_MOVEMENT_H
#define LIB_SA_MOVEMENT_H

#include "lib/sa/ike_sa.h"

#define FOLLOW_MS 1000 /* an SA follows its peer at most once in this time */

/* Asks, as part of a step, by which address of ours the peer is reached. */
MUST_USE bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step);

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

#endif
