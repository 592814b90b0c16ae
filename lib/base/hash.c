/*
 * Hash table and SipHash-2-4: see hash.h.
 */
#include "lib/base/hash.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS    64
#define NODES_PER_BUCKET 3 /* at most, on average: an SA stands in ten tables */

bool hash_init(struct hash_table *table,
               uint64_t (*key_of)(const void *context, const struct hash_node *node),
               const void *context)
{
    struct hash_node **buckets = calloc(FIRST_BUCKETS, sizeof(struct hash_node *));

    *table = (struct hash_table){
        .buckets = buckets,
        .key_of = key_of,
        .context = context,
        .bucket_count = buckets == NULL ? 0 : FIRST_BUCKETS,
    };
    return buckets != NULL;
}

void hash_free(struct hash_table *table)
{
    free(table->buckets);
    *table = (struct hash_table){0};
}

static uint64_t key_of(const struct hash_table *table, const struct hash_node *node)
{
    return table->key_of(table->context, node);
}

/* Spreads keys that differ in few bits (Fibonacci hashing). */
static struct hash_node **bucket_of(const struct hash_table *table, uint64_t key)
{
    uint64_t spread = key * 0x9e3779b97f4a7c15u;

    return &table->buckets[(spread >> 32) & (table->bucket_count - 1)];
}

static void grow(struct hash_table *table)
{
    struct hash_table larger = *table;

    larger.bucket_count = table->bucket_count * 2;
    larger.buckets = calloc(larger.bucket_count, sizeof(struct hash_node *));
    if (larger.buckets == NULL)
        return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (struct hash_node *node = table->buckets[i], *next; node != NULL; node = next) {
            struct hash_node **bucket = bucket_of(&larger, key_of(table, node));
            next = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(table->buckets);
    *table = larger;
}

void hash_insert(struct hash_table *table, struct hash_node *node)
{
    /* A walk knows the buckets as they are. */
    if (table->count >= table->bucket_count * NODES_PER_BUCKET && table->walks == NULL)
        grow(table);
    struct hash_node **bucket = bucket_of(table, key_of(table, node));
    node->next = *bucket;
    *bucket = node;
    table->count++;
}

void hash_remove(struct hash_table *table, struct hash_node *node)
{
    struct hash_node **link = bucket_of(table, key_of(table, node));

    while (*link != NULL && *link != node)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    for (struct hash_walk *walk = table->walks; walk != NULL; walk = walk->outer)
        if (walk->next == node)
            walk->next = node->next;
    *link = node->next;
    node->next = NULL;
    table->count--;
}

struct hash_node *hash_first(const struct hash_table *table, uint64_t key)
{
    return *bucket_of(table, key);
}

void hash_walk_begin(struct hash_walk *walk, struct hash_table *table)
{
    *walk = (struct hash_walk){.table = table, .outer = table->walks};
    table->walks = walk;
}

struct hash_node *hash_walk_next(struct hash_walk *walk)
{
    while (walk->next == NULL && walk->bucket < walk->table->bucket_count)
        walk->next = walk->table->buckets[walk->bucket++];
    struct hash_node *node = walk->next;
    if (node != NULL)
        walk->next = node->next;
    return node;
}

void hash_walk_end(struct hash_walk *walk)
{
    walk->table->walks = walk->outer;
}

static uint64_t load_little(struct slice bytes, size_t at, size_t size)
{
    uint64_t value = 0;

    if (size > 0)
        memcpy(&value, bytes.data + at, size);
    return le64toh(value);
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
uint64_t hash_keyed(const uint8_t key[16], struct slice bytes)
{
    uint64_t k0 = load_little(slice_of(key, 16), 0, 8);
    uint64_t k1 = load_little(slice_of(key, 16), 8, 8);
    uint64_t v[4] = {
        k0 ^ 0x736f6d6570736575u,
        k1 ^ 0x646f72616e646f6du,
        k0 ^ 0x6c7967656e657261u,
        k1 ^ 0x7465646279746573u,
    };
    size_t whole = bytes.size - bytes.size % 8;

    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t word = i < whole
                            ? load_little(bytes, i, 8)
                            : load_little(bytes, i, bytes.size % 8) | (uint64_t)bytes.size << 56;
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
