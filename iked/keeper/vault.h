/*
 * The vault: pre-shared keys, and what may be done with them without giving them away.
 *
 * Not here: who may ask (gate.h), the file's text (lib/policy/secrets.h), the arithmetic
 * (effect_psk_auth_run in lib/sa/effect.h).
 */
#ifndef IKED_KEEPER_VAULT_H
#define IKED_KEEPER_VAULT_H

#include "lib/policy/secrets.h"
#include "lib/sa/effect.h"

struct vault {
    struct crypto *crypto;
    bool crypto_borrowed;
    struct secrets *secrets; /* owned; NULL: there are none */
    uint64_t signed_count;
    uint64_t rejected_count; /* wrong AUTH payloads, and pairs without a secret */
};

/* With `crypto`, or (NULL) one of its own.  False when OpenSSL is unusable. */
MUST_USE bool vault_init(struct vault *vault, struct crypto *crypto);
void vault_free(struct vault *vault);

/* Takes `secrets` (may be NULL) and forgets the ones before. */
void vault_set(struct vault *vault, struct secrets *secrets);

/* Carries out an EFFECT_PSK_AUTH that the gate let through.  The answer is STATUS_REJECT when there
 * is no secret for the pair of identities, or the peer's AUTH does not verify. */
void vault_psk_auth(struct vault *vault, const struct effect *effect, struct answer *answer);

#endif
