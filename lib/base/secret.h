/*
 * Secret bytes that wipe themselves.
 *
 * A struct secret owns heap memory; secret_free wipes it first.  Declare locals with SECRET_AUTO
 * and every way out of the function wipes them.  Small keys on the stack: wipe with secret_wipe.
 */
#ifndef LIB_BASE_SECRET_H
#define LIB_BASE_SECRET_H

#include "lib/base/slice.h"

struct secret {
    uint8_t *data;
    size_t size;
};

/* Replaces what was held by `size` zero bytes; false (and empty) when memory is out. */
MUST_USE bool secret_new(struct secret *secret, size_t size);

/* Replaces what was held by a copy of `bytes`; false (and empty) when memory is out. */
MUST_USE bool secret_copy(struct secret *secret, struct slice bytes);

/* Moves `from` into `to` (whose old bytes are wiped); `from` is empty afterwards. */
void secret_take(struct secret *to, struct secret *from);

/* Wipes, frees and empties; harmless on an empty one. */
void secret_free(struct secret *secret);

/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *data, size_t size);

/* Compares in time that depends on the sizes alone. */
bool secret_equal(struct slice a, struct slice b);

static inline struct slice secret_slice(const struct secret *secret)
{
    return slice_of(secret->data, secret->size);
}

#define SECRET_AUTO __attribute__((cleanup(secret_free))) struct secret

#endif
