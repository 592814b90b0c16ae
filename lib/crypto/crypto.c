/*
 * A struct crypto's life: makes every work context once and tries it, so that nothing is offered
 * that the provider lacks (R22).
 *
 * Not here: using them (prf.c, ke.c, seal.c).
 */
#include "lib/crypto/crypto.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "lib/crypto/provider.h"

static EVP_MD_CTX *sha1_open(void)
{
    EVP_MD *digest = EVP_MD_fetch(NULL, "SHA1", NULL);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    if (digest == NULL || hash == NULL || EVP_DigestInit_ex2(hash, digest, NULL) != 1) {
        EVP_MD_CTX_free(hash);
        hash = NULL;
    }
    EVP_MD_free(digest);
    return hash;
}

struct crypto *crypto_new(void)
{
    struct crypto *crypto = calloc(1, sizeof(*crypto));

    if (crypto == NULL)
        return NULL;
    crypto->numbers = BN_CTX_new();
    crypto->sha1 = sha1_open();
    bool any_mac = false;
    for (unsigned i = MAC_NONE + 1; i < MAC_COUNT; i++)
        any_mac |= mac_open(&crypto->macs[i], (enum mac_id)i);
    for (unsigned i = ENCR_NONE + 1; i < ENCR_COUNT; i++)
        crypto->ciphers[i] = cipher_open((enum encr)i);
    bool any_exchange = false;
    for (unsigned i = GROUP_NONE + 1; crypto->numbers != NULL && i < GROUP_COUNT; i++)
        any_exchange |= ke_open(&crypto->exchanges[i], (enum group)i, crypto->numbers);
    ERR_clear_error();
    if (any_mac && any_exchange)
        return crypto;
    crypto_free(crypto);
    return NULL;
}

void crypto_free(struct crypto *crypto)
{
    if (crypto == NULL)
        return;
    for (unsigned i = 0; i < MAC_COUNT; i++)
        mac_close(&crypto->macs[i]);
    for (unsigned i = 0; i < ENCR_COUNT; i++)
        EVP_CIPHER_CTX_free(crypto->ciphers[i]);
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        ke_close(&crypto->exchanges[i]);
    EVP_MD_CTX_free(crypto->sha1);
    BN_CTX_free(crypto->numbers);
    free(crypto);
}

bool crypto_has_integ(const struct crypto *crypto, enum integ integ)
{
    return crypto->macs[mac_of_integ(integ)].row != NULL;
}

bool crypto_has_prf(const struct crypto *crypto, enum prf prf)
{
    return crypto->macs[mac_of_prf(prf)].row != NULL;
}
