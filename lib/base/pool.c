/*
 * One copy of what many have in common: see pool.h.
 */
#include "lib/base/pool.h"

#include <stdlib.h>
#include <string.h>

struct pooled {
    struct hash_node node;
    uint32_t size;
    uint32_t octets[];
};

/* Whose octets they are chooses them: no key needed against crowding. */
static uint64_t octets_key(struct slice octets)
{
    static const uint8_t no_key[16] = {0};

    return hash_keyed(no_key, octets);
}

static struct slice pooled_slice(const struct pooled *pooled)
{
    return slice_of(pooled->octets, pooled->size);
}

static uint64_t key_of(const void *context, const struct hash_node *node)
{
    (void)context;
    return octets_key(pooled_slice(HASH_OWNER(node, const struct pooled, node)));
}

bool pool_init(struct pool *pool)
{
    return hash_init(&pool->table, key_of, NULL);
}

void pool_free(struct pool *pool)
{
    struct hash_walk walk;

    if (pool->table.buckets == NULL)
        return;
    hash_walk_begin(&walk, &pool->table);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;)
        free(HASH_OWNER(node, struct pooled, node));
    hash_walk_end(&walk);
    hash_free(&pool->table);
}

const void *pool_put(struct pool *pool, struct slice octets)
{
    struct hash_node *node = hash_first(&pool->table, octets_key(octets));

    for (; node != NULL; node = hash_next(node)) {
        const struct pooled *pooled = HASH_OWNER(node, struct pooled, node);
        if (slice_equal(pooled_slice(pooled), octets))
            return pooled->octets;
    }
    if (octets.size > UINT32_MAX)
        return NULL;
    struct pooled *pooled = malloc(offsetof(struct pooled, octets) + octets.size);
    if (pooled == NULL)
        return NULL;
    pooled->size = (uint32_t)octets.size;
    if (octets.size > 0)
        memcpy(pooled->octets, octets.data, octets.size);
    hash_insert(&pool->table, &pooled->node);
    return pooled->octets;
}

const char *pool_put_text(struct pool *pool, const char *text)
{
    return pool_put(pool, slice_of(text, strlen(text) + 1));
}
