/*
 * The vault: see vault.h.
 */
#include "iked/keeper/vault.h"

#include "lib/crypto/crypto.h"

bool vault_init(struct vault *vault, struct crypto *crypto)
{
    *vault = (struct vault){.crypto = crypto, .crypto_borrowed = crypto != NULL};
    if (crypto == NULL)
        vault->crypto = crypto_new();
    return vault->crypto != NULL;
}

void vault_free(struct vault *vault)
{
    secrets_free(vault->secrets);
    if (!vault->crypto_borrowed)
        crypto_free(vault->crypto);
    *vault = (struct vault){0};
}

void vault_set(struct vault *vault, struct secrets *secrets)
{
    secrets_free(vault->secrets);
    vault->secrets = secrets;
}

void vault_sign(struct vault *vault, const struct effect *effect, struct answer *answer)
{
    const struct effect_sign *sign = &effect->sign;
    char local[IDENTITY_MAX + 16];
    char remote[IDENTITY_MAX + 16];
    struct slice psk;

    *answer = (struct answer){.kind = effect->kind, .ticket = effect->ticket};
    if (vault->secrets != NULL &&
        secrets_find(vault->secrets, &sign->local_id, &sign->remote_id, &psk))
        effect_sign_run(vault->crypto, effect, psk, answer);
    else
        answer->status = reason_set(&answer->reason, STATUS_REJECT, 0,
                                    "no secret for the pair \"%s\" and \"%s\" in secrets.conf",
                                    identity_text(&sign->local_id, local, sizeof(local)),
                                    identity_text(&sign->remote_id, remote, sizeof(remote)));
    if (answer->status == STATUS_OK)
        vault->signed_count++;
    else
        vault->rejected_count++;
}
