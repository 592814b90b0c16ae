/*
 * IKEv2's table of functions: see lib/sa/protocol.h.
 */
#include "lib/ikev2/ikev2.h"

#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/input.h"
#include "lib/ikev2/path.h"

const struct protocol ikev2 = {
    .version = 2,
    .state_size = sizeof(struct ikev2_sa),
    .packet = ikev2_packet,
    .requester = ikev2_requester,
    .answer = ikev2_answer,
    .mapping = ikev2_mapping,
    .ask_again = ikev2_ask_again,
    .ask_source = ikev2_ask_source,
    .end = ikev2_sa_end,
};
