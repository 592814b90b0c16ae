/*
 * Keying material of IKEv2, RFC 7296 sections 2.14, 2.15 and 2.17.
 */
#ifndef LIB_IKEV2_KEYS_H
#define LIB_IKEV2_KEYS_H

#include "lib/sa/ike_sa.h"

/* SKEYSEED and the seven SK_* keys into sa->keys, from the handshake's shared secret and nonces.
 * The shared secret is wiped. */
MUST_USE enum status keys_derive(struct context *context, struct ike_sa *sa,
                                 struct reason *reason);

/* What one end signs (section 2.15): message | nonce | prf(SK_p, ID payload without header). */
MUST_USE enum status keys_auth_octets(struct context *context, const struct ike_sa *sa,
                                      bool of_initiator, const struct identity *id,
                                      struct buffer *octets);

/* KEYMAT = prf+(SK_d, Ni | Nr) (section 2.17): fills the keys of the two SAs of a child.
 * `initiator` tells whether we are the initiator of this exchange. */
struct child_keys {
    struct slice encr_out, integ_out, encr_in, integ_in; /* borrowed from keymat */
    struct secret keymat;
};
MUST_USE enum status keys_child(struct context *context, const struct ike_sa *sa,
                                const struct suite *suite, bool initiator, struct slice nonce_i,
                                struct slice nonce_r, struct child_keys *keys);

#endif
