/*
 * Bytes for tests: see bytes.h.
 */
#include "test/unit/bytes.h"

#include <stdlib.h>
#include <string.h>

/* What was allocated, so that it can be freed when the program ends. */
static struct block {
    struct block *next;
    uint8_t *data;
} * blocks;

static void free_blocks(void)
{
    for (struct block *block = blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block->data);
        free(block);
    }
    blocks = NULL;
}

static uint8_t *allocate(size_t size)
{
    struct block *block = malloc(sizeof(*block));
    uint8_t *data = malloc(size);

    if (block == NULL || (data == NULL && size > 0))
        abort();
    if (blocks == NULL && atexit(free_blocks) != 0)
        abort();
    *block = (struct block){.next = blocks, .data = data};
    blocks = block;
    return data;
}

static uint8_t digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    if (found == NULL)
        fail_msg("'%c' is no hex digit", c);
    return (uint8_t)(found - digits);
}

struct slice bytes_hex(const char *hex)
{
    uint8_t *data = allocate(strlen(hex) / 2);
    size_t size = 0;

    for (const char *c = hex; *c != '\0'; c++) {
        if (*c == ' ')
            continue;
        data[size++] = (uint8_t)(digit(c[0]) << 4 | digit(c[1]));
        c++;
    }
    return bytes_cut(slice_of(data, size), size);
}

struct slice bytes_cut(struct slice bytes, size_t size)
{
    uint8_t *data = allocate(size);

    if (size > 0)
        memcpy(data, bytes.data, size);
    return slice_of(data, size);
}

struct slice bytes_with(struct slice bytes, size_t at, uint8_t octet)
{
    uint8_t *data = allocate(bytes.size);

    memcpy(data, bytes.data, bytes.size);
    data[at] = octet;
    return slice_of(data, bytes.size);
}

struct slice bytes_join(struct slice a, struct slice b)
{
    uint8_t *data = allocate(a.size + b.size);

    memcpy(data, a.data, a.size);
    memcpy(data + a.size, b.data, b.size);
    return slice_of(data, a.size + b.size);
}

struct slice bytes_fill(uint8_t octet, size_t size)
{
    uint8_t *data = allocate(size);

    memset(data, octet, size);
    return slice_of(data, size);
}

void bytes_assert(struct slice actual, struct slice expected, const char *file, int line)
{
    size_t room = 2 * (actual.size > expected.size ? actual.size : expected.size) + 1;
    char *actual_hex = slice_hex(actual, (char *)allocate(room), room);
    char *expected_hex = slice_hex(expected, (char *)allocate(room), room);

    _assert_string_equal(actual_hex, expected_hex, file, line);
}

uint64_t bytes_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}
