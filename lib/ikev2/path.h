/*
 * Where an SA's messages may come from, and when the SA follows them: port 4500, peers behind a
 * NAT whose mapping changes, and our own addresses.  RFC 7296 sections 2.11 and 2.23, RFC 4555
 * section 3.8.
 *
 * A reply goes where its request came from.  The SA itself follows only what is authenticated and
 * new, only a peer behind a NAT, from an end that is behind none, and only to where the peer has
 * answered from (trial.h).
 */
#ifndef LIB_IKEV2_PATH_H
#define LIB_IKEV2_PATH_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

/* May a message with the right SPIs, not authenticated yet, belong to the SA by its addresses? */
bool path_allowed(const struct ike_sa *sa, const struct ike_message *message);

/* It is authenticated and new: the reply, and maybe the SA, go where it came from. */
void path_take(struct context *context, struct ike_sa *sa, const struct ike_message *message);

/* The answer to the question which address of ours reaches the peer. */
void path_source(struct context *context, struct ike_sa *sa, const struct answer *answer);

/* protocol.mapping, ask_again and ask_source. */
void ikev2_mapping(struct context *context, struct ike_sa *sa, const struct address *source);
void ikev2_ask_again(struct context *context, struct ike_sa *sa);
void ikev2_ask_source(struct context *context, struct ike_sa *sa);

#endif
