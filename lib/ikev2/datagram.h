/*
 * Datagrams of IKEv2 that leave: one, or the fragments of one message behind the other.
 */
#ifndef LIB_IKEV2_DATAGRAM_H
#define LIB_IKEV2_DATAGRAM_H

#include "lib/sa/context.h"

/* The next of several datagrams that stand one behind the other; empty at their end. */
struct slice message_next(struct reader *datagrams);

/* Sends one datagram once. */
void message_send(struct context *context, const struct address *local,
                  const struct address *remote, struct slice bytes);

/* Sends datagrams that stand one behind the other: what was cut goes out as its fragments. */
void message_send_datagrams(struct context *context, const struct address *local,
                            const struct address *remote, struct slice datagrams);

#endif
