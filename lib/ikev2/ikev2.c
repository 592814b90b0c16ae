/*
 * IKEv2's table of functions: see lib/sa/protocol.h.
 */
#include "lib/ikev2/ikev2.h"

#include "lib/ikev2/ikev2_sa.h"

const struct protocol ikev2 = {
    .version = 2,
    .state_size = sizeof(struct ikev2_sa),
    .end = ikev2_sa_end,
};
