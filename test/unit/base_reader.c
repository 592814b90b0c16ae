/*
 * The bounded reader: values, borders, and the error that sticks (lib/base/reader.h).
 */
#include "lib/base/reader.h"

#include "test/unit/bytes.h"

static void reads_big_endian(void **state)
{
    struct reader reader = reader_of(bytes_hex("01 0203 04050607 08090a0b0c0d0e0f 1011 1213"));
    uint8_t copy[2];
    (void)state;

    assert_int_equal(reader_u8(&reader), 0x01);
    assert_int_equal(reader_u16(&reader), 0x0203);
    assert_int_equal(reader_u32(&reader), 0x04050607);
    assert_int_equal(reader_u64(&reader), 0x08090a0b0c0d0e0f);
    reader_copy(&reader, copy, sizeof(copy));
    assert_bytes(slice_of(copy, sizeof(copy)), "1011");
    assert_int_equal(reader_left(&reader), 2);
    assert_false(reader_done(&reader));
    assert_bytes(reader_rest(&reader), "1213");
    assert_true(reader_ok(&reader));
    assert_true(reader_done(&reader));
}

static void keeps_high_bits(void **state)
{
    struct reader reader = reader_of(bytes_fill(0xff, 15));
    (void)state;

    assert_int_equal(reader_u8(&reader), UINT8_MAX);
    assert_int_equal(reader_u16(&reader), UINT16_MAX);
    assert_int_equal(reader_u32(&reader), UINT32_MAX);
    assert_true(reader_u64(&reader) == UINT64_MAX);
    assert_true(reader_done(&reader));
}

/* One octet too few for each kind of read: nothing but zeroes, then and ever after. */
static void fails_one_octet_short_and_stays_failed(void **state)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct reader reader = reader_of(bytes_fill(0xee, sizes[i] - 1));
        uint64_t value = sizes[i] == 1   ? reader_u8(&reader)
                         : sizes[i] == 2 ? reader_u16(&reader)
                         : sizes[i] == 4 ? reader_u32(&reader)
                                         : reader_u64(&reader);
        assert_int_equal(value, 0);
        assert_false(reader_ok(&reader));
        assert_false(reader_done(&reader));
        assert_int_equal(reader_left(&reader), 0);
        assert_int_equal(reader_u8(&reader), 0); /* though an octet was there */
        assert_int_equal(reader_bytes(&reader, 0).size, 0);
        assert_int_equal(reader_rest(&reader).size, 0);
        assert_false(reader_ok(&reader));
    }
}

static void refuses_sizes_that_would_wrap(void **state)
{
    struct slice bytes = bytes_fill(0xee, 8);
    struct reader reader = reader_of(bytes);
    (void)state;

    reader_skip(&reader, 4);
    assert_int_equal(reader_bytes(&reader, SIZE_MAX - 3).size, 0);
    assert_false(reader_ok(&reader));

    reader = reader_of(bytes);
    reader_skip(&reader, 8);
    assert_true(reader_done(&reader));
    reader_skip(&reader, SIZE_MAX);
    assert_false(reader_ok(&reader));
}

static void copy_zeroes_when_it_fails(void **state)
{
    struct reader reader = reader_of(bytes_fill(0xee, 3));
    uint8_t copy[4] = {1, 2, 3, 4};
    (void)state;

    reader_copy(&reader, copy, sizeof(copy));
    assert_bytes(slice_of(copy, sizeof(copy)), "00000000");
    assert_false(reader_ok(&reader));
}

static void borrows_instead_of_copying(void **state)
{
    struct slice bytes = bytes_fill(0xee, 8);
    struct reader reader = reader_of(bytes);
    (void)state;

    reader_skip(&reader, 3);
    assert_ptr_equal(reader_bytes(&reader, 2).data, bytes.data + 3);
    assert_ptr_equal(reader_rest(&reader).data, bytes.data + 5);
}

static void a_part_is_bounded_by_itself(void **state)
{
    struct reader reader = reader_of(bytes_hex("0102030405"));
    struct reader part = reader_part(&reader, 2);
    (void)state;

    assert_int_equal(reader_left(&part), 2);
    assert_int_equal(reader_u32(&part), 0);
    assert_false(reader_ok(&part));
    assert_true(reader_ok(&reader));
    assert_int_equal(reader_u8(&reader), 3);

    part = reader_part(&reader, 3);
    assert_false(reader_ok(&part));
    assert_false(reader_ok(&reader));
}

static void an_empty_slice_is_done_at_once(void **state)
{
    struct reader reader = reader_of(slice_of(NULL, 0));
    (void)state;

    assert_true(reader_done(&reader));
    assert_int_equal(reader_rest(&reader).size, 0);
    assert_int_equal(reader_bytes(&reader, 0).size, 0);
    reader_skip(&reader, 0);
    assert_true(reader_done(&reader));
    assert_int_equal(reader_u8(&reader), 0);
    assert_false(reader_ok(&reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_big_endian),
        cmocka_unit_test(keeps_high_bits),
        cmocka_unit_test(fails_one_octet_short_and_stays_failed),
        cmocka_unit_test(refuses_sizes_that_would_wrap),
        cmocka_unit_test(copy_zeroes_when_it_fails),
        cmocka_unit_test(borrows_instead_of_copying),
        cmocka_unit_test(a_part_is_bounded_by_itself),
        cmocka_unit_test(an_empty_slice_is_done_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
