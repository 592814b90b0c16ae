/*
 * An intrusive hash table keyed by numbers, and the keyed hash (SipHash-2-4) that makes such
 * numbers from what strangers choose.
 *
 * A node is no more than a link: its key is made anew from what its owner holds, which must not
 * change while it is in the table.
 * The table grows by itself and never fails an insertion: when memory is out it stays crowded.
 */
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H

#include "lib/base/slice.h"

struct hash_node {
    struct hash_node *next;
};

struct hash_table {
    struct hash_node **buckets;
    uint64_t (*key_of)(const void *context, const struct hash_node *node);
    const void *context;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* False when memory is out. */
MUST_USE bool hash_init(struct hash_table *table,
                        uint64_t (*key_of)(const void *context, const struct hash_node *node),
                        const void *context);

/* Frees the buckets; the nodes are their owners'. */
void hash_free(struct hash_table *table);

/* `node` lives in its owner; several nodes may share a key. */
void hash_insert(struct hash_table *table, struct hash_node *node);

/* Harmless when `node` is not in the table. */
void hash_remove(struct hash_table *table, struct hash_node *node);

/* All nodes with `key`, one after the other, and maybe some with other keys among them: the caller
 * compares what it looks for.  NULL: no more. */
struct hash_node *hash_first(const struct hash_table *table, uint64_t key);

static inline struct hash_node *hash_next(const struct hash_node *node)
{
    return node->next;
}

/* Calls `visit` for every node; it may remove the one that it is shown. */
void hash_visit(const struct hash_table *table,
                void (*visit)(void *context, struct hash_node *node), void *context);

/* SipHash-2-4 of `bytes` under a 16-byte key. */
uint64_t hash_keyed(const uint8_t key[16], struct slice bytes);

#define HASH_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
