/*
 * Pseudo-random numbers for tests: see chance.h.
 */
#include "test/common/chance.h"

#include <string.h>

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* splitmix64: spreads a seed of few bits over the state. */
static uint64_t spread(uint64_t *seed)
{
    uint64_t value = *seed += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

struct chance chance_of(uint64_t seed)
{
    struct chance chance;

    for (size_t i = 0; i < 4; i++)
        chance.state[i] = spread(&seed);
    return chance;
}

uint64_t chance_next(struct chance *chance)
{
    uint64_t *state = chance->state;
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t chance_below(struct chance *chance, uint64_t limit)
{
    return limit == 0 ? 0 : chance_next(chance) % limit;
}

bool chance_hit(struct chance *chance, uint32_t per_mille)
{
    return chance_below(chance, 1000) < per_mille;
}

void chance_fill(void *chance, void *to, size_t size)
{
    uint8_t *octets = to;

    while (size > 0) {
        uint64_t value = chance_next(chance);
        size_t part = size < sizeof(value) ? size : sizeof(value);
        memcpy(octets, &value, part);
        octets += part;
        size -= part;
    }
}
