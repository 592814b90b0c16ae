/*
 * Bytes of a stream, cut into lines of a bounded length: see line.h.
 */
#include "lib/control/line.h"

#include <stdlib.h>
#include <string.h>

bool control_lines_init(struct control_lines *lines, size_t max)
{
    *lines = (struct control_lines){.data = malloc(max), .max = max};
    return lines->data != NULL;
}

void control_lines_free(struct control_lines *lines)
{
    free(lines->data);
    *lines = (struct control_lines){0};
}

size_t control_lines_feed(struct control_lines *lines, struct slice bytes)
{
    if (lines->start > 0) {
        memmove(lines->data, lines->data + lines->start, lines->size - lines->start);
        lines->size -= lines->start;
        lines->start = 0;
    }
    size_t room = lines->max - lines->size;
    size_t taken = bytes.size < room ? bytes.size : room;
    if (taken > 0)
        memcpy(lines->data + lines->size, bytes.data, taken);
    lines->size += taken;
    return taken;
}

/* What is left fills all the room and has no end. */
static enum control_line lines_overflow(struct control_lines *lines)
{
    bool reported = lines->skipping;

    lines->start = lines->size = 0;
    lines->skipping = true;
    return reported ? CONTROL_LINE_NONE : CONTROL_LINE_TOO_LONG;
}

enum control_line control_lines_next(struct control_lines *lines, struct slice *line)
{
    for (;;) {
        size_t left = lines->size - lines->start;
        const char *start = lines->data + lines->start;
        const char *end = left > 0 ? memchr(start, '\n', left) : NULL;
        if (end == NULL)
            return left == lines->max ? lines_overflow(lines) : CONTROL_LINE_NONE;
        *line = slice_of(start, (size_t)(end - start));
        lines->start += line->size + 1;
        if (!lines->skipping)
            return CONTROL_LINE_WHOLE;
        lines->skipping = false;
    }
}

size_t control_lines_left(const struct control_lines *lines)
{
    return lines->skipping ? 0 : lines->size - lines->start;
}
