/*
 * How many half-open SAs each source has: counters by a keyed hash, of a fixed size.
 *
 * A source is an IPv4 address or the /64 of an IPv6 one (RFC 8019 section 4.2: a single IPv6
 * address means nothing).  It counts in one column of each row, and has as many as the least of
 * them says: never fewer than it really has, and more only when other sources meet it in every row,
 * which nobody who does not know the key can bring about.
 */
#ifndef LIB_SA_SOURCE_H
#define LIB_SA_SOURCE_H

#include "lib/base/address.h"
#include "lib/base/hash.h"

#define SOURCE_ROWS    2
#define SOURCE_COLUMNS 4096 /* several times as many as there are half-open SAs: a power of two */

struct source_counts {
    uint32_t rows[SOURCE_ROWS][SOURCE_COLUMNS];
};

/* The number that a source goes by under a key. */
uint64_t source_of(const uint8_t key[16], const struct address *remote);

uint32_t source_count(const struct source_counts *counts, uint64_t source);
void source_add(struct source_counts *counts, uint64_t source);
void source_remove(struct source_counts *counts, uint64_t source);

#endif
