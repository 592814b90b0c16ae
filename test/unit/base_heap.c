/*
 * The heap of timers against a naive model (lib/base/heap.h).
 */
#include "lib/base/heap.h"

#include "test/unit/bytes.h"

#define NODE_COUNT 300

/* The earliest of the nodes that are set, found by looking at all. */
static uint64_t earliest_ms(const struct heap_node *nodes, const uint64_t *due)
{
    uint64_t due_ms = UINT64_MAX;

    for (size_t i = 0; i < NODE_COUNT; i++)
        if (heap_has(&nodes[i]) && due[i] < due_ms)
            due_ms = due[i];
    return due_ms;
}

static void check_order(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->entries[i].node->at, i + 1);
        if (i > 0)
            assert_true(heap->entries[(i - 1) / 2].due_ms <= heap->entries[i].due_ms);
    }
}

static void agrees_with_a_naive_model(void **state)
{
    static struct heap_node nodes[NODE_COUNT];
    static uint64_t due[NODE_COUNT];
    static bool is_set[NODE_COUNT];
    struct heap heap = {0};
    uint64_t random = 7;
    size_t count = 0;
    (void)state;

    for (int step = 0; step < 20000; step++) {
        size_t i = bytes_random(&random) % NODE_COUNT;
        if (bytes_random(&random) % 3 == 0) {
            count -= is_set[i];
            is_set[i] = false;
            heap_remove(&heap, &nodes[i]);
        } else {
            due[i] = bytes_random(&random) % 500; /* so that many are equal */
            count += !is_set[i];
            is_set[i] = true;
            assert_true(heap_set(&heap, &nodes[i], due[i]));
        }
        assert_int_equal(heap_has(&nodes[i]), is_set[i]);
        assert_true(heap_due_ms(&heap, &nodes[i]) == (is_set[i] ? due[i] : UINT64_MAX));
        assert_int_equal(heap.count, count);
        if (count > 0)
            assert_true(heap_due_ms(&heap, heap_first(&heap)) == earliest_ms(nodes, due));
        check_order(&heap);
    }
    heap_free(&heap);
}

static void gives_them_back_in_order(void **state)
{
    static struct heap_node nodes[NODE_COUNT];
    struct heap heap = {0};
    uint64_t random = 9;
    uint64_t last_ms = 0;
    (void)state;

    for (size_t i = 0; i < NODE_COUNT; i++)
        assert_true(heap_set(&heap, &nodes[i], bytes_random(&random)));
    for (size_t i = 0; i < NODE_COUNT; i++) {
        struct heap_node *first = heap_first(&heap);
        assert_true(heap_due_ms(&heap, first) >= last_ms);
        last_ms = heap_due_ms(&heap, first);
        heap_remove(&heap, first);
        assert_false(heap_has(first));
    }
    assert_null(heap_first(&heap));
    heap_free(&heap);
}

static void a_node_moves_both_ways(void **state)
{
    struct heap heap = {0};
    struct heap_node a = {0};
    struct heap_node b = {0};
    struct heap_node c = {0};
    (void)state;

    assert_null(heap_first(&heap));
    heap_remove(&heap, &a);
    assert_true(heap_set(&heap, &a, 10));
    assert_true(heap_set(&heap, &b, 20));
    assert_true(heap_set(&heap, &c, UINT64_MAX));
    assert_ptr_equal(heap_first(&heap), &a);
    assert_true(heap_set(&heap, &a, 30));
    assert_ptr_equal(heap_first(&heap), &b);
    assert_true(heap_set(&heap, &c, 0));
    assert_ptr_equal(heap_first(&heap), &c);
    assert_int_equal(heap.count, 3);
    heap_free(&heap);
    assert_null(heap_first(&heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_naive_model),
        cmocka_unit_test(gives_them_back_in_order),
        cmocka_unit_test(a_node_moves_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
