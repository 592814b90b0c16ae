/*
 * Pseudo-random numbers for tests: from one seed always the same ones (xoshiro256**, seeded by
 * splitmix64).  Never for anything that ships.
 */
#ifndef TEST_COMMON_CHANCE_H
#define TEST_COMMON_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state[4];
};

struct chance chance_of(uint64_t seed);

uint64_t chance_next(struct chance *chance);

/* From 0 to limit - 1; 0 when the limit is 0. */
uint64_t chance_below(struct chance *chance, uint64_t limit);

/* True so many times in a thousand. */
bool chance_hit(struct chance *chance, uint32_t per_mille);

/* For struct engine_options: the context is a struct chance. */
void chance_fill(void *chance, void *to, size_t size);

#endif
