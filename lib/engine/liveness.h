/*
 * Is the peer of an established SA still there?  RFC 7296 sections 1.4, 2.4 and 2.21.4.
 */
#ifndef LIB_ENGINE_LIVENESS_H
#define LIB_ENGINE_LIVENESS_H

#include "lib/engine/private.h"

/* The peer was just heard, and is watched from now on. */
void sa_watch(struct engine *engine, struct ike_sa *sa);

/* An authenticated message has come. */
void sa_heard(struct engine *engine, struct ike_sa *sa);

/* It may have been silent for too long.  May free the SA. */
void sa_watch_due(struct engine *engine, struct ike_sa *sa);

/* Is what is believed to stand there?  The kernel is asked about the children, and with `peer` the
 * peer, too; what is missing is made anew.  May free the SA. */
void sa_look(struct engine *engine, struct ike_sa *sa, bool peer);

/* What the kernel says of a child's use.  May free the SA. */
void sa_queried(struct engine *engine, struct ike_sa *sa, const struct answer *answer);

/* An unproven word that the peer has forgotten us.  It hastens a liveness check, or starts one
 * where none is under way (`idle`), and does nothing else. */
void liveness_hint(struct engine *engine, struct ike_sa *sa, bool idle);

#endif
