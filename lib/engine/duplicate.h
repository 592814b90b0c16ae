/*
 * Several IKE SAs with one peer: which of them stays.  RFC 7296 sections 2.4 and 2.8.
 */
#ifndef LIB_ENGINE_DUPLICATE_H
#define LIB_ENGINE_DUPLICATE_H

#include "lib/engine/private.h"

/* RFC 7296 section 2.4: a peer that says INITIAL_CONTACT has forgotten what stood before.  SAs that
 * were made while this one was on its way are not before it. */
void sa_forget_older(struct engine *engine, const struct ike_sa *sa);

/* A new SA beside others for the same child: one stays.  Where it is the peer's part to close the
 * other one it is given time to do so; a peer that has forgotten it will not, and then we do.
 * False when it is this one that was closed: it may be gone. */
MUST_USE bool sa_resolve_duplicates(struct engine *engine, struct ike_sa *sa);

/* An IKE SA that was made without a child has got its first: only now it is known of which of
 * several connections with this peer it is, and whether there is another one for the same.  False
 * when it is this one that was closed: it may be gone. */
MUST_USE bool sa_settle_lone(struct engine *engine, struct ike_sa *sa);

/* Looks at all of the link's that were made without a child and have none: sa_leave_lone. */
void link_leave_lone(struct engine *engine, struct link *link);

/* The one that we made without a child is not needed any more: both ends began at once, and what it
 * was for stands elsewhere.  May free the SA. */
void sa_leave_lone(struct engine *engine, struct ike_sa *sa);

/* A peer with good credentials that starts one SA after the other: the oldest makes room.  One that
 * does not even answer Deletes gets no more than twice as many. */
void sa_close_surplus(struct engine *engine, const struct ike_sa *sa);

/* A newer SA serves the same: the peer is given time to close this one, then we do. */
void sa_supersede(struct engine *engine, struct ike_sa *sa);

/* Does a newer IKE SA serve the same? */
bool sa_is_superseded(const struct engine *engine, const struct ike_sa *sa);

#endif
