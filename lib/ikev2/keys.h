/*
 * Keying material of IKEv2, RFC 7296 sections 2.14, 2.15 and 2.17.
 */
#ifndef LIB_IKEV2_KEYS_H
#define LIB_IKEV2_KEYS_H

#include "lib/sa/child_kernel.h"
#include "lib/sa/ike_sa.h"

/* SKEYSEED and the seven SK_* keys into sa->keys, from the handshake's shared secret and nonces.
 * The shared secret is wiped. */
MUST_USE enum status keys_derive(struct context *context, struct ike_sa *sa, struct reason *reason);

/* What one end signs (section 2.15): message | nonce | prf(SK_p, ID payload without header). */
MUST_USE enum status keys_auth_octets(struct context *context, const struct ike_sa *sa,
                                      bool of_initiator, const struct identity *id,
                                      struct buffer *octets);

/* SKEYSEED of a rekeyed IKE SA (section 2.18) and its keys, under the prf and SK_d of `old`; the
 * new SA's handshake holds the shared secret (which is wiped) and the nonces. */
MUST_USE enum status keys_rekey(struct context *context, const struct ike_sa *old,
                                struct ike_sa *sa, struct reason *reason);

/* What the keys of a child grow from, besides SK_d: [g^ir (new) |] Ni | Nr. */
struct child_seed {
    bool initiator;      /* are we the initiator of this exchange? */
    struct slice shared; /* empty without a key exchange of its own */
    struct slice nonce_i;
    struct slice nonce_r;
};

/* KEYMAT (section 2.17); the caller frees keys->keymat, whatever is returned. */
MUST_USE enum status keys_child(struct context *context, const struct ike_sa *sa,
                                const struct child_sa *child, const struct child_seed *seed,
                                struct child_keys *keys);

#endif
