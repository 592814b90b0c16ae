/*
 * Secrets, slices, buffers and reasons: ownership, wiping, cutting (lib/base/secret.h, slice.h,
 * status.h).
 */
#include "lib/base/secret.h"

#include <stdio.h>
#include <string.h>

#include "test/unit/bytes.h"

static void a_new_secret_is_zero(void **state)
{
    SECRET_AUTO secret = {0};
    (void)state;

    assert_true(secret_new(&secret, 4));
    assert_bytes(secret_slice(&secret), "00000000");
    memset(secret.data, 0xee, 4);
    assert_true(secret_new(&secret, 8));
    assert_bytes(secret_slice(&secret), "0000000000000000");
    assert_true(secret_new(&secret, 0));
    assert_null(secret.data);
    assert_int_equal(secret.size, 0);
}

static void a_copy_is_its_own(void **state)
{
    SECRET_AUTO a = {0};
    SECRET_AUTO b = {0};
    (void)state;

    assert_true(secret_copy(&a, bytes_hex("0102030405060708")));
    assert_true(secret_copy(&b, secret_slice(&a)));
    a.data[0] = 0xff;
    assert_bytes(secret_slice(&b), "0102030405060708");
    /* A part of itself: it must be copied before the old bytes go. */
    assert_true(secret_copy(&b, slice_of(b.data + 2, 4)));
    assert_bytes(secret_slice(&b), "03040506");
}

static void take_moves(void **state)
{
    SECRET_AUTO from = {0};
    SECRET_AUTO to = {0};
    (void)state;

    assert_true(secret_copy(&from, bytes_hex("0102")));
    assert_true(secret_copy(&to, bytes_hex("030405")));
    const uint8_t *moved = from.data;
    secret_take(&to, &from);
    assert_ptr_equal(to.data, moved);
    assert_bytes(secret_slice(&to), "0102");
    assert_null(from.data);
    assert_int_equal(from.size, 0);
}

static void wipe_leaves_zeroes(void **state)
{
    uint8_t key[6] = {1, 2, 3, 4, 5, 6};
    (void)state;

    secret_wipe(key + 1, 4);
    assert_bytes(slice_of(key, sizeof(key)), "010000000006");
    secret_wipe(NULL, 0);
}

static void free_empties_and_may_be_repeated(void **state)
{
    struct secret secret = {0};
    (void)state;

    assert_true(secret_copy(&secret, bytes_hex("0102")));
    secret_free(&secret);
    assert_null(secret.data);
    assert_int_equal(secret.size, 0);
    secret_free(&secret);
}

static void equality_looks_at_every_octet(void **state)
{
    struct slice bytes = bytes_hex("00112233445566778899aabbccddeeff");
    (void)state;

    assert_true(secret_equal(bytes, bytes_cut(bytes, bytes.size)));
    assert_false(secret_equal(bytes, bytes_cut(bytes, bytes.size - 1)));
    assert_true(secret_equal(slice_of(NULL, 0), slice_of(NULL, 0)));
    for (size_t i = 0; i < bytes.size; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            assert_false(
                secret_equal(bytes, bytes_with(bytes, i, (uint8_t)(bytes.data[i] ^ (1u << bit)))));
}

static void slices_compare_by_content(void **state)
{
    (void)state;

    assert_true(slice_equal(bytes_hex("0102"), bytes_hex("0102")));
    assert_false(slice_equal(bytes_hex("0102"), bytes_hex("0103")));
    assert_false(slice_equal(bytes_hex("0102"), bytes_hex("010203")));
    assert_true(slice_equal(slice_of(NULL, 0), slice_text("")));
    assert_bytes(slice_text("iked"), "696b6564");
}

static void a_buffer_copies_and_replaces(void **state)
{
    struct buffer buffer = {0};
    (void)state;

    assert_true(buffer_copy(&buffer, bytes_hex("01020304")));
    assert_true(buffer_copy(&buffer, slice_of(buffer.data + 1, 2)));
    assert_bytes(buffer_slice(&buffer), "0203");
    assert_true(buffer_copy(&buffer, slice_of(NULL, 0)));
    assert_null(buffer.data);
    buffer_free(&buffer);
    assert_int_equal(buffer.size, 0);
}

static void hex_is_cut_between_octets(void **state)
{
    char text[6];
    (void)state;

    assert_string_equal(slice_hex(bytes_hex("0aff"), text, sizeof(text)), "0aff");
    assert_string_equal(slice_hex(bytes_hex("0aff10"), text, sizeof(text)), "0aff");
    assert_string_equal(slice_hex(bytes_hex("0aff10"), text, 5), "0aff");
    assert_string_equal(slice_hex(bytes_hex("0aff10"), text, 4), "0a");
    assert_string_equal(slice_hex(bytes_hex("0aff10"), text, 1), "");
    text[0] = 'x';
    slice_hex(bytes_hex("0a"), text, 0);
    assert_int_equal(text[0], 'x');
}

static void a_reason_is_printable_and_cut(void **state)
{
    struct reason reason;
    char longer[2 * REASON_TEXT_MAX];
    (void)state;

    assert_int_equal(reason_set(&reason, STATUS_REJECT, FINDING_NO_PROPOSAL, "peer says %s, %d",
                                "a\n\x1b[1m\xff\x7f~", 7),
                     STATUS_REJECT);
    assert_int_equal(reason.code, FINDING_NO_PROPOSAL);
    assert_string_equal(reason.text, "peer says a??[1m??~, 7");

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(reason_set(&reason, STATUS_DROP, 0, "%s", longer), STATUS_DROP);
    assert_int_equal(strlen(reason.text), REASON_TEXT_MAX - 1);
    assert_int_equal(reason.code, FINDING_NONE);
    assert_int_equal(reason_set(NULL, STATUS_CLOSE, 0, "%d", 1), STATUS_CLOSE);
}

static void every_status_has_a_word(void **state)
{
    static const char *const words[] = {"ok", "drop", "reject", "close", "wait", "fail"};
    (void)state;

    for (int i = 0; i <= STATUS_FAIL; i++)
        assert_string_equal(status_name((enum status)i), words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_secret_is_zero),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(take_moves),
        cmocka_unit_test(wipe_leaves_zeroes),
        cmocka_unit_test(free_empties_and_may_be_repeated),
        cmocka_unit_test(equality_looks_at_every_octet),
        cmocka_unit_test(slices_compare_by_content),
        cmocka_unit_test(a_buffer_copies_and_replaces),
        cmocka_unit_test(hex_is_cut_between_octets),
        cmocka_unit_test(a_reason_is_printable_and_cut),
        cmocka_unit_test(every_status_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
