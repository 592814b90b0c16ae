/*
 * Bounded writing: see writer.h.
 */
#include "lib/base/writer.h"

#include <string.h>

struct writer writer_of(void *data, size_t capacity)
{
    return (struct writer){.data = data, .capacity = capacity};
}

/* Room that the caller fills. */
static uint8_t *grow(struct writer *writer, size_t size)
{
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *to = writer->data + writer->size;
    writer->size += size;
    return to;
}

uint8_t *writer_reserve(struct writer *writer, size_t size)
{
    uint8_t *to = grow(writer, size);

    if (to != NULL && size > 0)
        memset(to, 0, size);
    return to;
}

static void put(uint8_t *to, uint64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--, value >>= 8)
        to[i - 1] = (uint8_t)value;
}

static void write_number(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t *to = grow(writer, size);

    if (to != NULL)
        put(to, value, size);
}

static void patch_number(struct writer *writer, size_t at, uint64_t value, size_t size)
{
    if (writer->failed)
        return;
    if (at > writer->size || size > writer->size - at) {
        writer->failed = true;
        return;
    }
    put(writer->data + at, value, size);
}

void writer_u8(struct writer *writer, uint8_t value)
{
    write_number(writer, value, 1);
}

void writer_u16(struct writer *writer, uint16_t value)
{
    write_number(writer, value, 2);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    write_number(writer, value, 4);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    write_number(writer, value, 8);
}

void writer_bytes(struct writer *writer, struct slice bytes)
{
    uint8_t *to = grow(writer, bytes.size);

    if (to != NULL && bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
}

void writer_patch_u8(struct writer *writer, size_t at, uint8_t value)
{
    patch_number(writer, at, value, 1);
}

void writer_patch_u16(struct writer *writer, size_t at, uint16_t value)
{
    patch_number(writer, at, value, 2);
}

void writer_patch_u32(struct writer *writer, size_t at, uint32_t value)
{
    patch_number(writer, at, value, 4);
}
