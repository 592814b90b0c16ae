/*
 * NATs on the way of an IKE SA: telling of them, and keeping their mapping alive (RFC 3948 section
 * 2.3).
 *
 * Not here: finding them (lib/ikev2/nat.h).
 */
#ifndef LIB_SA_KEEPALIVE_H
#define LIB_SA_KEEPALIVE_H

#include "lib/sa/context.h"

/* One line on who is behind a NAT.  Not before a responder's peer is authenticated: strangers do
 * not fill logs. */
void nat_report(struct context *context, const struct ike_sa *sa);

/* RFC 3948 section 2.3: one octet, which keeps the mapping of a NAT alive. */
void keepalive_send(struct context *context, const struct ike_sa *sa);

/* Behind a NAT: arms the timer that keeps our mapping alive (RFC 3948 section 4). */
void keepalive_arm(struct context *context, struct ike_sa *sa);

#endif
