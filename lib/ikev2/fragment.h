/*
 * IKEv2 message fragmentation, RFC 7383: cutting our messages, joining the peer's.
 *
 *   HDR, SKF(1 of n) {...}  -->
 *   HDR, SKF(2 of n) {...}  -->
 *   ...                         each is verified before it is kept; the last one completes
 *
 * A cut message is kept as its datagrams, one behind the other: the IKE header says where each
 * ends.
 * Not here: keeping the peer's fragments (lib/ikev2/reassembly.h).
 */
#ifndef LIB_IKEV2_FRAGMENT_H
#define LIB_IKEV2_FRAGMENT_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

#define FRAGMENT_STEPS 2 /* how often a message can be cut smaller */

/* Writes our IKEV2_FRAGMENTATION_SUPPORTED; learns whether the peer's IKE_SA_INIT has it, too. */
void fragment_offer(struct v2_writer *writer);
bool fragment_agreed(const struct ike_sa *sa, const struct ike_message *message);

/* The largest IKE message that leaves in one datagram; SIZE_MAX when messages must not be cut. */
size_t fragment_message_max(const struct ike_sa *sa);

/* Cuts a message that sealed_end has closed, and seals each part.  *datagrams lies in the context's
 * cuttings. */
MUST_USE enum status fragment_cut(struct context *context, struct ike_sa *sa,
                                  const struct v2_writer *message, struct slice *datagrams,
                                  struct reason *reason);

/* Section 2.5.2: cuts what was sent, and not answered, into smaller parts than before.  Returns the
 * size of a datagram that this makes; 0 when there is nothing smaller. */
uint16_t fragment_cut_smaller(struct context *context, struct ike_sa *sa, struct buffer *datagrams);

/* Is it no fragment, or one that may be of use?  Asked before anything is decrypted. */
MUST_USE enum status fragment_check(const struct ike_sa *sa, const struct ike_message *message,
                                    struct reason *reason);

/* Verifies a fragment and keeps it.  STATUS_OK when all are there: their text is in message->whole,
 * *first the type of its first payload.  STATUS_WAIT when others must come; else as sealed_open. */
MUST_USE enum status fragment_open(struct context *context, struct ike_sa *sa,
                                   struct ike_message *message, uint8_t *first,
                                   struct reason *reason);

/* Section 2.6.1: is it the first fragment of the peer's last request, if cut in another way? */
MUST_USE bool fragment_repeats(struct context *context, const struct ike_sa *sa,
                               const struct ike_message *message);

#endif
