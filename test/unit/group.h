/*
 * What groups of tests have in common: algorithms, and hosts to run them on.
 */
#ifndef TEST_UNIT_GROUP_H
#define TEST_UNIT_GROUP_H

#include "lib/crypto/crypto.h"
#include "test/common/host.h"

/* Between group_crypto and group_crypto_end, cmocka's setup and teardown of a group. */
extern struct crypto *crypto;

int group_crypto(void **state);
int group_crypto_end(void **state);

/* The host "a" or "b", started, with a connection to the other one, "ab" or "ba", that has `more`
 * settings. */
struct host *group_host(struct world *world, const char *name, const char *other, const char *more);

#endif
