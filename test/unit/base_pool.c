/*
 * One copy of what many have in common (lib/base/pool.h).
 */
#include "lib/base/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "test/unit/bytes.h"

static void the_same_octets_are_kept_once(void **state)
{
    (void)state;
    struct pool pool;
    char text[] = "a text";

    assert_true(pool_init(&pool));
    const char *kept = pool_put_text(&pool, text);
    assert_ptr_not_equal(kept, text);
    text[0] = 'A';
    assert_string_equal(kept, "a text");
    assert_ptr_equal(pool_put_text(&pool, "a text"), kept);
    assert_ptr_not_equal(pool_put_text(&pool, text), kept);
    /* With its NUL or without it are two. */
    assert_ptr_not_equal(pool_put(&pool, slice_text("a text")), kept);
    assert_non_null(pool_put(&pool, slice_of(NULL, 0)));
    assert_ptr_equal(pool_put(&pool, slice_of(NULL, 0)), pool_put(&pool, slice_text("")));
    pool_free(&pool);
}

static void many_are_kept_and_aligned(void **state)
{
    (void)state;
    const char *kept[1000];
    struct pool pool;
    char text[16];

    assert_true(pool_init(&pool));
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        kept[i] = pool_put_text(&pool, text);
        assert_int_equal((uintptr_t)kept[i] % 4, 0);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_ptr_equal(pool_put_text(&pool, text), kept[i]);
    }
    pool_free(&pool);
}

static void none_is_freed(void **state)
{
    (void)state;
    struct pool pool = {0};

    pool_free(&pool);
    assert_null(pool.table.buckets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_octets_are_kept_once),
        cmocka_unit_test(many_are_kept_and_aligned),
        cmocka_unit_test(none_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
