/*
 * One packet's way into IKEv2.
 */
#ifndef LIB_IKEV2_INPUT_H
#define LIB_IKEV2_INPUT_H

#include "lib/sa/protocol.h"

/* protocol.packet: a datagram whose header names this version, or one that nobody knows. */
void ikev2_packet(struct context *context, const struct protocol *protocol,
                  const struct datagram *datagram);

/* protocol.requester: the SA whose request this message is; NULL: it is none. */
struct ike_sa *ikev2_requester(const struct context *context, struct slice message);

#endif
