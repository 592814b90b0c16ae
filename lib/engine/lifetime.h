/*
 * How long an IKE SA lives.  RFC 7296 sections 2.8, 2.8.3 and 1.4.1, RFC 4478.
 */
#ifndef LIB_ENGINE_LIFETIME_H
#define LIB_ENGINE_LIFETIME_H

#include "lib/engine/private.h"

/* Arms the timer for the end of an established SA's life; and, without a child, for an early
 * one. */
void sa_arm_lifetime(struct engine *engine, struct ike_sa *sa);

void sa_arm_childless(struct engine *engine, struct ike_sa *sa);

/* The peer may have told that it is to authenticate again earlier. */
void sa_arm_told(struct engine *engine, struct ike_sa *sa);

/* The timer is due: the initiator makes the next one first. */
void sa_lifetime_over(struct engine *engine, struct ike_sa *sa);

void sa_replace_begin(struct engine *engine, struct ike_sa *sa);

void sa_replace_finish(struct engine *engine, struct ike_sa *sa);

/* `sa` has the children of `from`, which it succeeds. */
void sa_inherited(struct engine *engine, struct ike_sa *sa, const struct ike_sa *from);

#endif
