/*
 * The hash table against a naive one, and SipHash-2-4 against its authors' vectors
 * (lib/base/hash.h).
 */
#include "lib/base/hash.h"

#include <string.h>

#include "test/unit/bytes.h"

/* vectors_sip64 of the reference implementation: key 00 01 .. 0f, input the first n octets of
 * 00 01 02 .., read as little-endian numbers. */
static const uint64_t siphash_vectors[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void siphash_gives_the_reference_vectors(void **state)
{
    uint8_t octets[64];
    (void)state;

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)i;
    for (size_t size = 0; size < 64; size++)
        assert_true(hash_keyed(octets, bytes_cut(slice_of(octets, size), size)) ==
                    siphash_vectors[size]);
    assert_true(hash_keyed(octets, slice_of(NULL, 0)) == siphash_vectors[0]);
}

struct item {
    int before; /* so that the node is not at the beginning */
    struct hash_node node;
    uint64_t key;
    bool in_table;
};

static uint64_t item_key(const void *context, const struct hash_node *node)
{
    assert_ptr_equal(context, siphash_vectors);
    return HASH_OWNER(node, const struct item, node)->key;
}

#define ITEM_COUNT 600
#define KEY_COUNT  150 /* fewer than items: keys are shared */

/* Walks what the table has under `key` and checks it against the items' own memory. */
static void check_key(const struct hash_table *table, struct item *items, uint64_t key)
{
    size_t expected = 0;
    size_t found = 0;

    for (size_t i = 0; i < ITEM_COUNT; i++)
        expected += items[i].in_table && items[i].key == key;
    for (struct hash_node *node = hash_first(table, key); node != NULL; node = hash_next(node)) {
        struct item *item = HASH_OWNER(node, struct item, node);
        assert_in_range((uintptr_t)item, (uintptr_t)items, (uintptr_t)&items[ITEM_COUNT - 1]);
        assert_true(item->in_table);
        found += item->key == key;
    }
    assert_int_equal(found, expected);
}

/* Keys that differ in their high half only are as good as any. */
static uint64_t key_of(uint64_t number)
{
    return number % 2 == 0 ? number : number << 32;
}

static void agrees_with_a_naive_table(void **state)
{
    static struct item items[ITEM_COUNT];
    struct hash_table table;
    uint64_t random = 42;
    size_t count = 0;
    (void)state;

    assert_true(hash_init(&table, item_key, siphash_vectors));
    size_t first_bucket_count = table.bucket_count;
    for (int step = 0; step < 20000; step++) {
        struct item *item = &items[bytes_random(&random) % ITEM_COUNT];
        uint64_t key = key_of(bytes_random(&random) % KEY_COUNT);
        if (item->in_table) {
            hash_remove(&table, &item->node);
            count--;
        } else {
            item->key = key;
            hash_insert(&table, &item->node);
            count++;
        }
        item->in_table = !item->in_table;
        assert_int_equal(table.count, count);
        check_key(&table, items, key);
    }
    for (uint64_t number = 0; number < KEY_COUNT; number++)
        check_key(&table, items, key_of(number));
    assert_true(table.bucket_count > first_bucket_count);
    hash_free(&table);
}

static void a_walk_sees_all_and_may_remove_them(void **state)
{
    static struct item items[ITEM_COUNT];
    struct hash_table table;
    (void)state;

    assert_true(hash_init(&table, item_key, siphash_vectors));
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        items[i] = (struct item){.key = i % KEY_COUNT, .in_table = true};
        hash_insert(&table, &items[i].node);
    }
    struct hash_walk walk;
    hash_walk_begin(&walk, &table);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct item *item = HASH_OWNER(node, struct item, node);
        assert_true(item->in_table);
        item->in_table = false; /* shown once */
        if (item->key % 2 != 0)
            hash_remove(&table, node);
    }
    hash_walk_end(&walk);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        assert_false(items[i].in_table);
        items[i].in_table = items[i].key % 2 == 0;
    }
    assert_int_equal(table.count, ITEM_COUNT / 2);
    for (uint64_t key = 0; key < KEY_COUNT; key++)
        check_key(&table, items, key);
    hash_free(&table);
}

/* Any node may go while a walk is under way, and others may come: nobody is met twice, nobody who
 * stayed is missed, and nobody is met who is gone. */
static void a_walk_outlives_what_others_remove(void **state)
{
    static struct item items[ITEM_COUNT];
    static unsigned met[ITEM_COUNT];
    struct hash_table table;
    uint64_t random = 7;
    (void)state;

    assert_true(hash_init(&table, item_key, siphash_vectors));
    for (size_t i = 0; i < ITEM_COUNT / 2; i++) {
        items[i] = (struct item){.key = bytes_random(&random) % KEY_COUNT, .in_table = true};
        hash_insert(&table, &items[i].node);
    }
    bool stayed[ITEM_COUNT / 2];
    memset(stayed, true, sizeof(stayed));
    struct hash_walk walk;
    struct hash_walk inner;
    size_t next = ITEM_COUNT / 2;
    hash_walk_begin(&walk, &table);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct item *item = HASH_OWNER(node, struct item, node);
        assert_true(item->in_table);
        met[item - items]++;
        /* The one that comes next, also for a walk within the walk. */
        hash_walk_begin(&inner, &table);
        struct hash_node *other = bytes_random(&random) % 2 ? walk.next : hash_walk_next(&inner);
        if (other != NULL) {
            hash_remove(&table, other);
            item = HASH_OWNER(other, struct item, node);
            item->in_table = false;
            if (item < items + ITEM_COUNT / 2)
                stayed[item - items] = false;
        }
        hash_walk_end(&inner);
        if (next < ITEM_COUNT) {
            items[next] = (struct item){.key = bytes_random(&random), .in_table = true};
            hash_insert(&table, &items[next++].node);
        }
    }
    hash_walk_end(&walk);
    assert_null(table.walks);
    for (size_t i = 0; i < ITEM_COUNT; i++)
        assert_true(met[i] <= 1);
    for (size_t i = 0; i < ITEM_COUNT / 2; i++)
        assert_true(!stayed[i] || met[i] == 1);
    hash_free(&table);
}

static void removing_a_stranger_changes_nothing(void **state)
{
    struct hash_table table;
    struct item in = {.key = 7};
    struct item stranger = {.key = 7};
    (void)state;

    assert_true(hash_init(&table, item_key, siphash_vectors));
    hash_insert(&table, &in.node);
    hash_remove(&table, &stranger.node);
    assert_int_equal(table.count, 1);
    assert_ptr_equal(hash_first(&table, 7), &in.node);
    assert_null(hash_next(&in.node));
    hash_remove(&table, &in.node);
    hash_remove(&table, &in.node);
    assert_int_equal(table.count, 0);
    assert_null(hash_first(&table, 7));
    hash_free(&table);
    assert_null(table.buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_reference_vectors),
        cmocka_unit_test(agrees_with_a_naive_table),
        cmocka_unit_test(a_walk_sees_all_and_may_remove_them),
        cmocka_unit_test(a_walk_outlives_what_others_remove),
        cmocka_unit_test(removing_a_stranger_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
