/*
 * The nearest known word to an unknown one, for messages.
 *
 *   struct nearest near = nearest_to(word);
 *   for each known word: nearest_try(&near, known);
 *   near.best is the nearest
 */
#ifndef LIB_BASE_NEAREST_H
#define LIB_BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *text;
    const char *best; /* NULL until a candidate was seen */
    size_t distance;
};

/* Borrows both texts. */
struct nearest nearest_to(const char *text);
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
