/*
 * Bytes of a stream, cut into lines of a bounded length.
 *
 * A line that is too long is reported once and passed over whole; the lines behind it are read as
 * if it had not been there.  Not here: sockets, and what a line means (message.h).
 */
#ifndef LIB_CONTROL_LINE_H
#define LIB_CONTROL_LINE_H

#include "lib/base/slice.h"

struct control_lines {
    char *data;
    size_t max; /* octets of a line, its newline included */
    size_t start;
    size_t size;
    bool skipping; /* within a line that was reported as too long */
};

enum control_line {
    CONTROL_LINE_NONE,     /* feed more */
    CONTROL_LINE_WHOLE,    /* *line is set, without its newline */
    CONTROL_LINE_TOO_LONG, /* one was longer than max */
};

/* False when memory is out. */
MUST_USE bool control_lines_init(struct control_lines *lines, size_t max);
void control_lines_free(struct control_lines *lines);

/* Takes what there is room for and returns how much that is: all of it, or enough that
 * control_lines_next has something to say. */
size_t control_lines_feed(struct control_lines *lines, struct slice bytes);

/* The next line, borrowed until the next feed. */
enum control_line control_lines_next(struct control_lines *lines, struct slice *line);

/* Octets of a line that has no end yet. */
size_t control_lines_left(const struct control_lines *lines);

#endif
