/*
 * What a group of tests has in common: see group.h.
 */
#include "test/unit/group.h"

struct crypto *crypto;

int group_crypto(void **state)
{
    (void)state;
    crypto = crypto_new();
    return crypto == NULL;
}

int group_crypto_end(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}
