/*
 * Cookies (RFC 7296 section 2.6): the proof that admission asks for.
 */
#ifndef LIB_IKEV2_COOKIE_H
#define LIB_IKEV2_COOKIE_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

/* May this IKE_SA_INIT request, of which only the header was read, make an SA?  When not, it was
 * answered with a COOKIE, or a cap is reached.  Allocates nothing but the reply, which is never
 * larger than what was sent. */
bool cookie_admits(struct context *context, const struct ike_message *message);

#endif
