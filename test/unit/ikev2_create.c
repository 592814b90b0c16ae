/*
 * The rule by which of two crossing exchanges one loses: RFC 7296 section 2.8.1, "the SA created
 * with the lowest of the four nonces".  Two ends of one program agree also on a wrong rule; a
 * foreign peer would not, so its direction is written down here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/ikev2/collision.h"

static void nonces_are_compared_octet_by_octet(void **state)
{
    (void)state;
    assert_true(nonce_below(slice_of("\x01\xff", 2), slice_of("\x02\x00", 2)));
    assert_false(nonce_below(slice_of("\x02\x00", 2), slice_of("\x01\xff", 2)));
    assert_true(nonce_below(slice_of("\x7f", 1), slice_of("\x80", 1)));
    assert_true(nonce_below(slice_of("\x05", 1), slice_of("\x05\x00", 2)));
    assert_false(nonce_below(slice_of("\x05\x06", 2), slice_of("\x05\x06", 2)));
}

static void the_lower_of_an_exchange_is_found_in_both_places(void **state)
{
    static uint8_t low[] = {0x10, 0x00};
    static uint8_t high[] = {0x90, 0x00};
    struct creation first = {.nonce_i = {low, 2}, .nonce_r = {high, 2}};
    struct creation second = {.nonce_i = {high, 2}, .nonce_r = {low, 2}};
    (void)state;

    assert_ptr_equal(lower_nonce(&first).data, low);
    assert_ptr_equal(lower_nonce(&second).data, low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonces_are_compared_octet_by_octet),
        cmocka_unit_test(the_lower_of_an_exchange_is_found_in_both_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
