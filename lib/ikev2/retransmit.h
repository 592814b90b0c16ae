/*
 * A request of ours that is not answered (RFC 7296 section 2.1).
 *
 * Not here: what follows when the peer is given up (the engine).
 */
#ifndef LIB_IKEV2_RETRANSMIT_H
#define LIB_IKEV2_RETRANSMIT_H

#include "lib/sa/context.h"
#include "lib/sa/timer.h"

/* The timer of a request is due: it is sent again, or the event UNANSWERED. */
void retransmit_due(struct context *context, struct protocol_timer *timer);

/* A request has left: arms its timer.  Half of the wait is fixed, half is chance. */
void retransmit_arm(struct context *context, struct ike_sa *sa);

#endif
