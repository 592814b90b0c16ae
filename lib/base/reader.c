/*
 * Bounded reading: see reader.h.
 */
#include "lib/base/reader.h"

#include <string.h>

/* An empty slice may have no address, and arithmetic on a null pointer is undefined. */
static const uint8_t nothing[1];

struct reader reader_of(struct slice bytes)
{
    return (struct reader){
        .data = bytes.data != NULL ? bytes.data : nothing,
        .size = bytes.size,
    };
}

/* The next `size` bytes, or NULL and a failed reader.  `size` may be 0. */
static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->failed || size > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *from = reader->data + reader->at;
    reader->at += size;
    return from;
}

static uint64_t take_number(struct reader *reader, size_t size)
{
    const uint8_t *from = take(reader, size);
    uint64_t number = 0;

    if (from == NULL)
        return 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | from[i];
    return number;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)take_number(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)take_number(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)take_number(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return take_number(reader, 8);
}

struct slice reader_bytes(struct reader *reader, size_t size)
{
    const uint8_t *from = take(reader, size);

    return from == NULL ? slice_of(NULL, 0) : slice_of(from, size);
}

struct slice reader_rest(struct reader *reader)
{
    return reader_bytes(reader, reader_left(reader));
}

void reader_copy(struct reader *reader, void *to, size_t size)
{
    const uint8_t *from = take(reader, size);

    if (size == 0)
        return;
    if (from != NULL)
        memcpy(to, from, size);
    else
        memset(to, 0, size);
}

void reader_skip(struct reader *reader, size_t size)
{
    (void)take(reader, size);
}

struct reader reader_part(struct reader *reader, size_t size)
{
    struct reader part = reader_of(reader_bytes(reader, size));

    part.failed = reader->failed;
    return part;
}
