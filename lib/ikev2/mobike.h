/*
 * MOBIKE: an IKE SA whose ends change.  RFC 4555.
 *
 * Not here: noticing that an address has changed (engine/path.c), moving SAs (ike_sa_move).
 * Transport mode is left out, as in the RFC: there the addresses are the selectors.  NAT detection
 * is a condition, so that NO_NATS_ALLOWED (section 3.9) is only checked, never sent.
 */
#ifndef LIB_IKEV2_MOBIKE_H
#define LIB_IKEV2_MOBIKE_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

/* IKE_AUTH: says so; and takes what the peer says. */
void mobike_offer(struct v2_writer *writer);
void mobike_agree(struct context *context, struct ike_sa *sa, const struct ike_message *message);

/* Is there something to be told to the peer?  And tells it; the window must be free. */
bool mobike_is_due(const struct ike_sa *sa);
MUST_USE enum status mobike_send(struct context *context, struct ike_sa *sa, struct reason *reason);

/* An INFORMATIONAL request: does what it asks for.  Returns the error to be answered, 0: none. */
uint16_t mobike_request(struct context *context, struct ike_sa *sa,
                        const struct ike_message *message);

/* Writes what the response to it has to hold. */
void mobike_answer(struct context *context, const struct ike_sa *sa,
                   const struct ike_message *message, struct v2_writer *writer);

/* The response to an INFORMATIONAL request of ours.  STATUS_CLOSE: a wrong COOKIE2. */
MUST_USE enum status mobike_reply(struct context *context, struct ike_sa *sa,
                                  const struct ike_message *message, struct reason *reason);

/* Behind a NAT a liveness check asks by which address and port we are seen (section 3.8). */
void mobike_ask_mapping(struct context *context, const struct ike_sa *sa, struct v2_writer *writer);

#endif
