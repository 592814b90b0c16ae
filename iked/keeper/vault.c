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

void vault_psk_auth(struct vault *vault, const struct effect *effect, struct answer *answer)
{
    const struct effect_psk_auth *psk_auth = &effect->psk_auth;
    char local[IDENTITY_MAX + 16];
    char remote[IDENTITY_MAX + 16];
    struct slice psk;

    *answer = (struct answer){.kind = effect->kind, .ticket = effect->ticket};
    if (vault->secrets != NULL &&
        secrets_find(vault->secrets, &psk_auth->local_id, &psk_auth->remote_id, &psk))
        effect_psk_auth_run(vault->crypto, effect, psk, answer);
    else
        answer->status = reason_set(&answer->reason, STATUS_REJECT, 0,
                                    "no secret for the pair \"%s\" and \"%s\" in secrets.conf",
                                    identity_text(&psk_auth->local_id, local, sizeof(local)),
                                    identity_text(&psk_auth->remote_id, remote, sizeof(remote)));
    if (answer->status == STATUS_OK)
        vault->signed_count++;
    else
        vault->rejected_count++;
}
