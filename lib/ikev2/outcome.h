/*
 * What becomes of a CREATE_CHILD_SA exchange that is done, or has failed.  RFC 7296 sections 1.3,
 * 2.8 and 2.25.
 *
 * Not here: which of two crossing exchanges wins (collision.h).
 */
#ifndef LIB_IKEV2_OUTCOME_H
#define LIB_IKEV2_OUTCOME_H

#include "lib/sa/context.h"

struct rebinding;

/* protocol.settle: exchanges that are done, or have failed, end; what follows comes as events. */
void ikev2_settle(struct context *context, struct ike_sa *sa);

/* protocol.abandon and rebind */
void ikev2_abandon(struct context *context, struct ike_sa *sa);
bool ikev2_rebind(struct ike_sa *sa, const struct rebinding *rebinding);

#endif
