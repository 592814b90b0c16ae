/*
 * Counters of half-open SAs by source: see source.h.
 */
#include "lib/sa/source.h"

#define IPV6_PREFIX_SIZE 8

uint64_t source_of(const uint8_t key[16], const struct address *remote)
{
    struct slice bytes = address_bytes(remote);

    if (bytes.size > IPV6_PREFIX_SIZE)
        bytes.size = IPV6_PREFIX_SIZE;
    return hash_keyed(key, bytes);
}

static size_t column_of(uint64_t source, size_t row)
{
    return (source >> (32 * row)) & (SOURCE_COLUMNS - 1);
}

uint32_t source_count(const struct source_counts *counts, uint64_t source)
{
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < SOURCE_ROWS; i++) {
        uint32_t here = counts->rows[i][column_of(source, i)];
        least = here < least ? here : least;
    }
    return least;
}

void source_add(struct source_counts *counts, uint64_t source)
{
    for (size_t i = 0; i < SOURCE_ROWS; i++)
        counts->rows[i][column_of(source, i)]++;
}

void source_remove(struct source_counts *counts, uint64_t source)
{
    for (size_t i = 0; i < SOURCE_ROWS; i++)
        counts->rows[i][column_of(source, i)]--;
}
