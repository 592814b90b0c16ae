/*
 * An intrusive hash table keyed by numbers, and the keyed hash (SipHash-2-4) that makes such
 * numbers from what strangers choose.
 *
 * The table grows by itself and never fails an insertion: when memory is out it stays crowded.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include "lib/base/slice.h"

struct hash_node {
    struct hash_node *next;
    uint64_t key;
};

struct hash_table {
    struct hash_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* False when memory is out. */
MUST_USE bool hash_init(struct hash_table *table);

/* Frees the buckets; the nodes are their owners'. */
void hash_free(struct hash_table *table);

/* `node` lives in its owner; several nodes may share a key. */
void hash_insert(struct hash_table *table, struct hash_node *node, uint64_t key);

/* Harmless when `node` is not in the table. */
void hash_remove(struct hash_table *table, struct hash_node *node);

/* The first node with `key`, or the next after `node` with the same key; NULL when none. */
struct hash_node *hash_find(const struct hash_table *table, uint64_t key);
struct hash_node *hash_next(const struct hash_node *node);

/* SipHash-2-4 of `bytes` under a 16-byte key. */
uint64_t hash_keyed(const uint8_t key[16], struct slice bytes);

#define HASH_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
