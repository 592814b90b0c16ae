/*
 * What a group of tests has in common that runs algorithms.
 */
#ifndef TEST_UNIT_GROUP_H
#define TEST_UNIT_GROUP_H

#include "lib/crypto/crypto.h"

/* Between group_crypto and group_crypto_end, cmocka's setup and teardown of a group. */
extern struct crypto *crypto;

int group_crypto(void **state);
int group_crypto_end(void **state);

#endif
