/*
 * The tree of ranges against a plain list (lib/base/interval.h).
 */
#include "lib/base/interval.h"

#include <string.h>

#include "test/unit/bytes.h"

#define NODE_COUNT 200

struct item {
    struct interval node;
    struct selector range;
    uint64_t inserted; /* 0: not in the tree */
};

static void range_of(const struct interval *node, struct interval_range *range)
{
    interval_range_set(range, &INTERVAL_OWNER(node, const struct item, node)->range, 1);
}

/* Short and long ones near each other, of both families. */
static struct selector random_range(uint64_t *random)
{
    struct selector range = {.family = bytes_random(random) % 4 == 0 ? FAMILY_IPV6 : FAMILY_IPV4};
    size_t last = address_size(range.family) - 1;
    unsigned start = (unsigned)(bytes_random(random) % 1000);
    unsigned most = bytes_random(random) % 8 == 0 ? 1000 : 20;
    unsigned end = start + (unsigned)(bytes_random(random) % most);

    range.start[0] = range.end[0] = 10;
    range.start[last - 1] = (uint8_t)(start >> 8);
    range.start[last] = (uint8_t)start;
    range.end[last - 1] = (uint8_t)(end >> 8);
    range.end[last] = (uint8_t)end;
    return range;
}

static bool comes_before(const struct item *a, const struct item *b)
{
    int order = a->range.family - b->range.family;

    if (order == 0)
        order = memcmp(a->range.start, b->range.start, sizeof(a->range.start));
    return order != 0 ? order < 0 : a->inserted < b->inserted;
}

/* The same by looking at all. */
static const struct item *naive_next(const struct item *items, const struct selector *range,
                                     const struct item *after)
{
    const struct item *best = NULL;
    struct selector both;

    for (size_t i = 0; i < NODE_COUNT; i++) {
        const struct item *item = &items[i];
        if (item->inserted == 0 || !selector_intersect(&item->range, range, &both) ||
            (after != NULL && !comes_before(after, item)))
            continue;
        if (best == NULL || comes_before(item, best))
            best = item;
    }
    return best;
}

static void check_search(const struct interval_tree *tree, const struct item *items,
                         const struct selector *range)
{
    const struct item *expected = NULL;
    const struct interval *found = NULL;

    do {
        expected = naive_next(items, range, expected);
        found = interval_next(tree, range, found);
        assert_ptr_equal(found, expected != NULL ? &expected->node : NULL);
    } while (found != NULL);
}

static void finds_what_a_list_finds(void **state)
{
    static struct item items[NODE_COUNT];
    struct interval_tree tree;
    uint64_t random = 11;
    size_t count = 0;
    (void)state;

    interval_init(&tree, range_of);
    for (uint64_t step = 1; step < 5000; step++) {
        struct item *item = &items[bytes_random(&random) % NODE_COUNT];
        if (item->inserted != 0) {
            interval_remove(&tree, &item->node);
            item->inserted = 0;
            count--;
        } else {
            item->range = random_range(&random);
            item->range.port_end = UINT16_MAX;
            interval_insert(&tree, &item->node);
            item->inserted = step;
            count++;
        }
        assert_int_equal(tree.count, count);
        struct selector sought = random_range(&random);
        sought.port_end = UINT16_MAX;
        check_search(&tree, items, &sought);
    }
    for (size_t i = 0; i < NODE_COUNT; i++)
        interval_remove(&tree, &items[i].node);
    assert_null(tree.root);
    assert_int_equal(tree.count, 0);
}

static size_t depth_of(const struct interval *node)
{
    size_t depth = 0;

    for (; node != NULL; node = node->parent)
        depth++;
    return depth;
}

/* In order and all alike: what would make a plain tree a list. */
static void stays_shallow(void **state)
{
    static struct item items[10000];
    struct interval_tree tree;
    size_t deepest = 0;
    (void)state;

    interval_init(&tree, range_of);
    for (size_t i = 0; i < 10000; i++) {
        struct selector *range = &items[i].range;
        *range = (struct selector){.family = FAMILY_IPV4, .port_end = UINT16_MAX};
        if (i % 2 == 0) {
            range->start[1] = range->end[1] = (uint8_t)(i >> 8);
            range->start[2] = range->end[2] = (uint8_t)i;
        }
        interval_insert(&tree, &items[i].node);
    }
    for (size_t i = 0; i < 10000; i++)
        if (depth_of(&items[i].node) > deepest)
            deepest = depth_of(&items[i].node);
    assert_true(deepest < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_list_finds),
        cmocka_unit_test(stays_shallow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
