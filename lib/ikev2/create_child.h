/*
 * What both roles of CREATE_CHILD_SA share.  RFC 7296 sections 1.3, 2.8, 2.17, 2.18 and 2.25.
 */
#ifndef LIB_IKEV2_CREATE_CHILD_H
#define LIB_IKEV2_CREATE_CHILD_H

#include "lib/ikev2/child.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ike_message.h"

/* A creation in a fresh step; NULL when memory is out. */
struct creation *creation_new(struct ike_sa *sa, enum creation_kind kind, bool ours);

/* A nonce of ours into `nonce`. False when memory is out. */
MUST_USE bool creation_nonce(struct context *context, struct buffer *nonce);

/* The exchange's key exchange as part of its step: our public value, and with `peer_public` g^ir
 * too. */
MUST_USE enum status creation_compute(struct context *context, struct ike_sa *sa,
                                      struct creation *creation, struct slice peer_public);

/* Hands the new child to the kernel, as the creation's next step. */
MUST_USE enum status creation_install(struct context *context, struct ike_sa *sa,
                                      struct creation *creation, bool hold_outbound);

/* What a rekeyed IKE SA may use: the connection's proposals, but with the PRF of the SA it comes
 * from.  Two ends can differ in how they change it: strongSwan 5.9.8 expands SKEYSEED with the old
 * one, where RFC 7296 section 2.18 has the new one, and then neither can open a message. */
void heir_proposals(const struct ike_sa *sa, struct proposal_list *list);

/* The heir takes over identity, keys and ends from the SA it comes from; needs its suite, SPIs and
 * the nonces and shared secret in its handshake. */
MUST_USE enum status heir_establish(struct context *context, const struct ike_sa *old,
                                    struct ike_sa *heir, struct reason *reason);

/* Parses KE for a group: STATUS_REJECT when it is missing, for another group or of wrong length. */
MUST_USE enum status creation_parse_ke(const struct ike_message *message, enum group group,
                                       struct slice *public, struct reason *reason);

#endif
