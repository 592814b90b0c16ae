/*
 * The nearest known word to an unknown one: see nearest.h.
 *
 * Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one
 * each, case counts nothing.
 */
#include "lib/base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WORD_MAX 32 /* longer words are compared by their beginnings */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t word_length(const char *word)
{
    return strnlen(word, WORD_MAX);
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t word_distance(const char *a, const char *b)
{
    size_t a_length = word_length(a);
    size_t b_length = word_length(b);
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];

    for (size_t i = 0; i <= a_length; i++) {
        for (size_t k = 0; k <= b_length; k++) {
            if (i == 0 || k == 0) {
                cost[i][k] = i + k;
                continue;
            }
            cost[i][k] = least(least(cost[i - 1][k], cost[i][k - 1]) + 1,
                               cost[i - 1][k - 1] + (same_letter(a[i - 1], b[k - 1]) ? 0 : 1));
            if (i > 1 && k > 1 && same_letter(a[i - 1], b[k - 2]) &&
                same_letter(a[i - 2], b[k - 1]))
                cost[i][k] = least(cost[i][k], cost[i - 2][k - 2] + 1);
        }
    }
    return cost[a_length][b_length];
}

struct nearest nearest_to(const char *text)
{
    return (struct nearest){.text = text};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t distance = word_distance(nearest->text, candidate);

    if (nearest->best != NULL && distance >= nearest->distance)
        return;
    nearest->best = candidate;
    nearest->distance = distance;
}
