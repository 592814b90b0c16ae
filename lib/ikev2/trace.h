/*
 * A line for each message that is sent or taken, for whoever looks closely (iked -v).
 *
 * Names of payloads and numbers alone: no contents, no keys.  Nothing is done unless debugging
 * reports are wanted.
 */
#ifndef LIB_IKEV2_TRACE_H
#define LIB_IKEV2_TRACE_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

/* A message of ours without an Encrypted payload; one with it is passed over.  `sa` may be NULL. */
void trace_plain(struct context *context, const struct ike_sa *sa, const struct address *remote,
                 struct slice message);

/* A message of ours whose payloads are about to be encrypted. */
void trace_sealed(struct context *context, const struct ike_sa *sa, const struct v2_writer *writer);

/* A message of the peer's, opened; `sa` may be NULL. */
void trace_taken(struct context *context, const struct ike_sa *sa,
                 const struct ike_message *message);

#endif
