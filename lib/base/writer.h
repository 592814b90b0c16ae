/*
 * Bounded writing of big-endian bytes into memory of the caller's.
 *
 * The error is sticky, as with the reader: when the room ends nothing more is written and
 * writer_ok is false; a message is written whole and checked once.
 */
#ifndef LIB_BASE_WRITER_H
#define LIB_BASE_WRITER_H

#include "lib/base/slice.h"

struct writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool failed;
};

struct writer writer_of(void *data, size_t capacity);

void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_bytes(struct writer *writer, struct slice bytes);

/* `size` zero bytes; returns where they begin, to be filled by the caller, or NULL when the room
 * ended. */
uint8_t *writer_reserve(struct writer *writer, size_t size);

/* Overwrites what was written at `at` (an earlier writer->size). Ignored once failed. */
void writer_patch_u8(struct writer *writer, size_t at, uint8_t value);
void writer_patch_u16(struct writer *writer, size_t at, uint16_t value);
void writer_patch_u32(struct writer *writer, size_t at, uint32_t value);

static inline bool writer_ok(const struct writer *writer)
{
    return !writer->failed;
}

/* What was written so far, borrowed from the writer's memory. */
static inline struct slice writer_slice(const struct writer *writer)
{
    return slice_of(writer->data, writer->size);
}

#endif
