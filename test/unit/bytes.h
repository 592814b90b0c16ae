/*
 * Bytes for tests: written as hex, compared as hex, of exactly the size given.
 *
 * Each slice has its own allocation, so that a sanitizer sees a read one octet too far.
 */
#ifndef TEST_UNIT_BYTES_H
#define TEST_UNIT_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/slice.h"

/* Hex digits to bytes; blanks between them are passed over.  Freed when the program ends. */
struct slice bytes_hex(const char *hex);

/* A copy of the first `size` of `bytes`.  Freed when the program ends. */
struct slice bytes_cut(struct slice bytes, size_t size);

/* A copy of `bytes` with the octet at `at` replaced. */
struct slice bytes_with(struct slice bytes, size_t at, uint8_t octet);

/* A copy of `a` with `b` behind it. */
struct slice bytes_join(struct slice a, struct slice b);

/* `size` octets of one value. */
struct slice bytes_fill(uint8_t octet, size_t size);

/* Fails the test, showing both, unless `bytes` are those that `hex` says. */
#define assert_bytes(bytes, hex) assert_slices(bytes, bytes_hex(hex))
#define assert_slices(a, b)      bytes_assert((a), (b), __FILE__, __LINE__)
void bytes_assert(struct slice actual, struct slice expected, const char *file, int line);

/* A small generator (xorshift64*), so that a failing run can be repeated. */
uint64_t bytes_random(uint64_t *state);

#endif
