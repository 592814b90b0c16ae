/*
 * Whose traffic a child would take: what others are configured for, and what they have in hand.
 *
 * The rule is lib/policy/overlap.h's.  In hand is what a child that was not deleted protects, with
 * another connection or for another identity: the same peer gets what it had when it comes anew.
 */
#ifndef LIB_SA_CHILD_RIVALS_H
#define LIB_SA_CHILD_RIVALS_H

#include "lib/sa/child_narrow.h"

/* Takes out what belongs to others (overlap.h): what another connection is configured for, or
 * another connection or identity has in hand.  False when nothing is left, or the kernel could not
 * say it: *reason names whose it is. */
MUST_USE bool child_cut(const struct context *context, const struct ike_sa *sa,
                        const struct child_config *config, struct narrowed *left,
                        struct reason *reason);

/* The peer being authenticated: STATUS_REJECT when traffic of the child belongs to another one by
 * now, or to another host behind the same NAT. */
MUST_USE enum status child_check_rivals(const struct context *context, const struct ike_sa *sa,
                                        const struct child_sa *child, struct reason *reason);

#endif
