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

struct hash_walk;

struct hash_table {
    struct hash_node **buckets;
    struct hash_walk *walks; /* those under way */
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

/* A walk over all nodes.  While it is under way any node may be removed, also the one that comes
 * next, and others may be inserted: those may be met or not, and nobody is met twice.
 *
 *     struct hash_walk walk;
 *     hash_walk_begin(&walk, &table);
 *     for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;)
 *         ...
 *     hash_walk_end(&walk);                                                                     */
struct hash_walk {
    struct hash_table *table;
    struct hash_walk *outer; /* begun before it: the table knows them all */
    struct hash_node *next;  /* in the bucket before `bucket`; NULL: none left there */
    size_t bucket;
};

void hash_walk_begin(struct hash_walk *walk, struct hash_table *table);

/* NULL: no more. */
struct hash_node *hash_walk_next(struct hash_walk *walk);

/* To be called also after the last one; the walk that was begun last ends first. */
void hash_walk_end(struct hash_walk *walk);

/* SipHash-2-4 of `bytes` under a 16-byte key. */
uint64_t hash_keyed(const uint8_t key[16], struct slice bytes);

#define HASH_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
