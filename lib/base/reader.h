/*
 * Bounded reading of big-endian bytes; the only way iked looks into a packet.
 *
 * The error is sticky: after the first read past the end every read gives zeroes or an empty
 * slice, and reader_ok is false.  So a parser reads all its fields and checks once.
 */
#ifndef LIB_BASE_READER_H
#define LIB_BASE_READER_H

#include "lib/base/slice.h"

struct reader {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

/* Reads from `bytes`, which must outlive the reader and every slice taken from it. */
struct reader reader_of(struct slice bytes);

uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);

/* The next `size` bytes, borrowed; empty once failed. */
struct slice reader_bytes(struct reader *reader, size_t size);

/* All that is left, borrowed. */
struct slice reader_rest(struct reader *reader);

/* Copies the next `size` bytes to `to`; zeroes it once failed. */
void reader_copy(struct reader *reader, void *to, size_t size);

void reader_skip(struct reader *reader, size_t size);

/* A reader over the next `size` bytes; failed from the start when they are not there. */
struct reader reader_part(struct reader *reader, size_t size);

static inline size_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : reader->size - reader->at;
}

static inline bool reader_ok(const struct reader *reader)
{
    return !reader->failed;
}

/* Nothing failed and nothing is left. */
static inline bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->size;
}

#endif
