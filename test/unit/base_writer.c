/*
 * The bounded writer: values, borders, patches, and the error that sticks (lib/base/writer.h).
 */
#include "lib/base/writer.h"

#include <string.h>

#include "test/unit/bytes.h"

static void writes_big_endian(void **state)
{
    uint8_t room[17];
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    writer_u8(&writer, 0x01);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0x04050607);
    writer_u64(&writer, 0x08090a0b0c0d0e0f);
    writer_bytes(&writer, bytes_hex("1011"));
    assert_true(writer_ok(&writer));
    assert_bytes(writer_slice(&writer), "0102030405060708090a0b0c0d0e0f1011");
}

static void put_any(struct writer *writer, size_t size)
{
    if (size == 1)
        writer_u8(writer, 0xff);
    else if (size == 2)
        writer_u16(writer, 0xffff);
    else if (size == 4)
        writer_u32(writer, 0xffffffff);
    else
        writer_u64(writer, UINT64_MAX);
}

/* One octet of room too little: nothing is written, and what would have fitted is not either. */
static void fails_one_octet_short_and_stays_failed(void **state)
{
    static const size_t sizes[] = {1, 2, 4, 8};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t room[8] = {0};
        struct writer writer = writer_of(room, sizes[i] - 1);
        put_any(&writer, sizes[i]);
        assert_false(writer_ok(&writer));
        writer_u8(&writer, 0xff);
        writer_patch_u8(&writer, 0, 0xff);
        assert_false(writer_ok(&writer));
        assert_int_equal(writer.size, 0);
        assert_bytes(slice_of(room, sizeof(room)), "0000000000000000");

        writer = writer_of(room, sizes[i]);
        put_any(&writer, sizes[i]);
        assert_true(writer_ok(&writer));
        assert_int_equal(writer.size, sizes[i]);
    }
}

static void refuses_sizes_that_would_wrap(void **state)
{
    uint8_t room[8];
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    writer_u32(&writer, 0);
    assert_null(writer_reserve(&writer, SIZE_MAX - 3));
    assert_false(writer_ok(&writer));
    assert_int_equal(writer.size, 4);
}

static void reserve_gives_zeroes_in_place(void **state)
{
    uint8_t room[4];
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    memset(room, 0xee, sizeof(room));
    writer_u8(&writer, 1);
    assert_ptr_equal(writer_reserve(&writer, 2), room + 1);
    assert_bytes(slice_of(room, sizeof(room)), "010000ee");
    assert_ptr_equal(writer_reserve(&writer, 1), room + 3);
    assert_ptr_equal(writer_reserve(&writer, 0), room + 4);
    assert_true(writer_ok(&writer));
    assert_null(writer_reserve(&writer, 1));
    assert_false(writer_ok(&writer));
}

static void patches_what_was_written(void **state)
{
    uint8_t room[8];
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    writer_u64(&writer, 0);
    writer_patch_u8(&writer, 0, 0x01);
    writer_patch_u16(&writer, 1, 0x0203);
    writer_patch_u32(&writer, 4, 0x04050607);
    assert_true(writer_ok(&writer));
    assert_bytes(writer_slice(&writer), "0102030004050607");
}

/* There is room for the patch, but nothing was written there yet. */
static void refuses_a_patch_past_what_was_written(void **state)
{
    uint8_t room[8] = {0};
    (void)state;

    for (size_t at = 0; at <= 9; at++) {
        struct writer writer = writer_of(room, sizeof(room));
        writer_u32(&writer, 0);
        writer_patch_u16(&writer, at, 0xffff);
        assert_int_equal(writer_ok(&writer), at <= 2);
    }
    struct writer writer = writer_of(room, sizeof(room));
    writer_u32(&writer, 0);
    writer_patch_u32(&writer, SIZE_MAX, 1);
    assert_false(writer_ok(&writer));
    assert_bytes(slice_of(room + 4, 4), "00000000");
}

static void writes_nothing_of_empty_bytes(void **state)
{
    uint8_t room[1];
    struct writer writer = writer_of(room, 0);
    (void)state;

    writer_bytes(&writer, slice_of(NULL, 0));
    assert_true(writer_ok(&writer));
    assert_int_equal(writer_slice(&writer).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_big_endian),
        cmocka_unit_test(fails_one_octet_short_and_stays_failed),
        cmocka_unit_test(refuses_sizes_that_would_wrap),
        cmocka_unit_test(reserve_gives_zeroes_in_place),
        cmocka_unit_test(patches_what_was_written),
        cmocka_unit_test(refuses_a_patch_past_what_was_written),
        cmocka_unit_test(writes_nothing_of_empty_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
