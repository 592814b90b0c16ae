/*
 * Borrowed and owned bytes: see slice.h.
 */
#include "lib/base/slice.h"

#include <stdlib.h>
#include <string.h>

struct slice slice_text(const char *text)
{
    return slice_of(text, strlen(text));
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool buffer_copy(struct buffer *buffer, struct slice bytes)
{
    uint8_t *copy = NULL;

    if (bytes.size > 0) {
        copy = malloc(bytes.size);
        if (copy != NULL)
            memcpy(copy, bytes.data, bytes.size);
    }
    buffer_free(buffer);
    if (bytes.size > 0 && copy == NULL)
        return false;
    buffer->data = copy;
    buffer->size = bytes.size;
    return true;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = 0;
}

char *slice_hex(struct slice bytes, char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < bytes.size && at + 2 < size; i++) {
        text[at++] = digits[bytes.data[i] >> 4];
        text[at++] = digits[bytes.data[i] & 15];
    }
    if (size > 0)
        text[at] = '\0';
    return text;
}
