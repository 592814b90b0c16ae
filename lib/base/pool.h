/*
 * One copy of what many have in common: octets that are the same are kept once.
 *
 * Not here: who uses them, and giving back single ones: they last as long as the pool.
 */
#ifndef LIB_BASE_POOL_H
#define LIB_BASE_POOL_H

#include "lib/base/hash.h"

struct pool {
    struct hash_table table;
};

/* False when memory is out. */
MUST_USE bool pool_init(struct pool *pool);

/* Harmless on one that is all zero. */
void pool_free(struct pool *pool);

/* The pool's copy of `octets`, aligned to 4; the same one for the same octets.  NULL when memory is
 * out. */
const void *pool_put(struct pool *pool, struct slice octets);

/* The same of a string. */
const char *pool_put_text(struct pool *pool, const char *text);

#endif
