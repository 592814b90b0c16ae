/*
 * Where a file's text may be cut, so that libconfig gets the members of a large group a few at a
 * time: it looks through all members that a group has for each one that it adds.
 *
 * Only brackets, strings and comments are looked at, as libconfig reads them (lib/policy/text.c has
 * ruled out the rest).  Not here: whether a text is good, which libconfig says of each part.
 */
#ifndef LIB_POLICY_CUT_H
#define LIB_POLICY_CUT_H

#include <stdbool.h>
#include <stddef.h>

/* The inside of a group at the top of a text. */
struct cut {
    const char *text; /* NUL-terminated */
    size_t start;     /* behind its '{'; the same as `end`: there is no such group */
    size_t end;       /* of the inside: where its '}' stands, or all ends */
    unsigned line;    /* of `start` */
    bool balanced;    /* each bracket of the text, up to its end, has its other one */
};

/* Looks for the first group `name` at the top of `text`. */
struct cut cut_find(const char *text, const char *name);

/* Some members of the group, whole and with what ends each. */
struct part {
    size_t start;
    size_t end;
    unsigned line; /* of `start` */
    unsigned next_line;
};

/* Before the first part. */
struct part part_none(const struct cut *cut);

/* Goes on to the next part, of `size` octets or little more where it has several members.  False
 * when there is none left. */
bool part_next(const struct cut *cut, size_t size, struct part *part);

#endif
