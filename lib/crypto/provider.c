/*
 * What the provider has, and how it went: see provider.h.
 */
#include "lib/crypto/provider.h"

#include <openssl/err.h>

/* The kernel alone handles ENCR_NULL: no provider can lack it. */
bool crypto_has_encr(const struct crypto *crypto, enum encr encr)
{
    return encr_info(encr) != NULL && (encr == ENCR_NULL || crypto->ciphers[encr] != NULL);
}

bool crypto_has_group(const struct crypto *crypto, enum group group)
{
    return group_info(group) != NULL && crypto->exchanges[group].row != NULL;
}

struct mac *crypto_mac(struct crypto *crypto, enum mac_id id)
{
    struct mac *mac = &crypto->macs[id];

    return mac->row != NULL ? mac : NULL;
}

enum status crypto_outcome(bool ok)
{
    if (ok)
        return STATUS_OK;
    ERR_clear_error();
    return STATUS_FAIL;
}
