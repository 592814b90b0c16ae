/*
 * Answers that leave no state here.
 */
#ifndef LIB_IKEV2_STATELESS_H
#define LIB_IKEV2_STATELESS_H

#include "lib/ikev2/ike_message.h"

/* A response to a request that has and leaves no state here: one notify, in the clear.  Nothing is
 * sent that is larger than the request (R24). */
void init_respond_notify(struct context *context, const struct ike_message *message, uint16_t type,
                         struct slice data);

#endif
