/*
 * Bytes: borrowed (struct slice) and owned (struct buffer).
 *
 * A slice points into memory that somebody else owns and keeps alive.  A buffer owns its bytes
 * until buffer_free.  Secrets do not belong here: see secret.h.
 */
#ifndef LIB_BASE_SLICE_H
#define LIB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct slice {
    const uint8_t *data;
    size_t size;
};

struct buffer {
    uint8_t *data;
    size_t size;
};

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

/* The bytes of a C string, without its NUL. */
struct slice slice_text(const char *text);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->size);
}

bool slice_equal(struct slice a, struct slice b);

/* Replaces what `buffer` held by a copy of `bytes` (an empty copy holds no memory).
 * False when memory is out; the buffer is then empty. */
MUST_USE bool buffer_copy(struct buffer *buffer, struct slice bytes);

/* Frees the bytes and empties the buffer; harmless on an empty one. */
void buffer_free(struct buffer *buffer);

/* Writes `bytes` as lower-case hex and a NUL into `text`, cut to `size`. Returns `text`. */
char *slice_hex(struct slice bytes, char *text, size_t size);

#endif
