/*
 * Trials: does the peer answer from where it says that it is, or is seen?  RFC 4555 sections 3.7
 * and 3.10, RFC 7296 section 2.23.
 *
 * Messages of IKE go to such a place; the SA, and the kernel's with it, stays where it is until a
 * round trip has proven the other one.
 * Not here: when a place is tried (mobike.c, engine/path.c), moving SAs (ike_sa_move).
 */
#ifndef LIB_IKEV2_TRIAL_H
#define LIB_IKEV2_TRIAL_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/nat.h"
#include "lib/wire/ikev2.h"

/* The peer is to answer from `remote`; what it has not answered yet goes there, too, from now on.
 * `finding`: what holds of NATs there, NULL: what holds now.  False when it is tried already. */
bool trial_begin(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote, const struct nat_finding *finding);

/* What the peer has not answered goes to the place that is tried at once, but no more often than
 * once in a second: it may be a third host's.  It is given up when it would be without. */
void trial_ask(struct context *context, struct ike_sa *sa);

/* The SA stays where it is. */
void trial_end(struct ike_sa *sa);

/* A further address of this host's own. */
void trial_change_local(struct ike_sa *sa, const struct address *local);

/* Writes the cookie of a check that is about to leave. */
void trial_write(struct context *context, struct ike_sa *sa, struct v2_writer *writer);

/* Sends the outstanding request to where it belongs: to the place that is tried alone, if it is its
 * check; else to where the SA is, and to a place that is to be tried, or to another address of a
 * silent peer. */
void trial_send(struct context *context, struct ike_sa *sa);

/* The same, when there was no answer for a while. */
void trial_send_again(struct context *context, struct ike_sa *sa);

/* An answer to a request of ours has come: is it the one to the check, the SA moves.
 * STATUS_CLOSE: with a wrong COOKIE2. */
MUST_USE enum status trial_reply(struct context *context, struct ike_sa *sa,
                                 const struct ike_message *message, struct reason *reason);

#endif
