/*
 * The frame of a message: chain, lengths, and the SK payload with its padding (RFC 7296 sections
 * 3.1, 3.2 and 3.14).
 */
#include "test/unit/wire.h"

/* A Notify and an empty Vendor ID. */
static const char golden[] = "0102030405060708 1112131415161718 29 20 25 08 00000002 00000028"
                             "2b 00 0008 00 00 4000"
                             "00 00 0004";

static bool message_write(struct v2_writer *writer, void *data, size_t capacity)
{
    v2_message_begin(writer, data, capacity, &wire_header);
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_INITIAL_CONTACT,
                    slice_of(NULL, 0));
    v2_payload_begin(writer, V2_VENDOR);
    return v2_message_end(writer);
}

static void the_chain_and_the_lengths_are_kept(void **state)
{
    uint8_t room[64];
    struct v2_writer writer;
    (void)state;

    assert_true(message_write(&writer, room, sizeof(room)));
    assert_bytes(writer_slice(&writer.bytes), golden);
}

static void a_message_without_payloads_is_a_header(void **state)
{
    uint8_t room[IKE_HEADER_SIZE];
    struct v2_writer writer;
    (void)state;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    assert_true(v2_message_end(&writer));
    assert_bytes(writer_slice(&writer.bytes),
                 "0102030405060708 1112131415161718 00 20 25 08 00000002 0000001c");
}

/* The Next Payload and the length of the caller's header are not what is written. */
static void the_header_given_does_not_name_the_chain(void **state)
{
    struct ike_header header = wire_header;
    uint8_t room[IKE_HEADER_SIZE];
    struct v2_writer writer;
    (void)state;

    header.next_payload = V2_SA;
    header.length = 9999;
    v2_message_begin(&writer, room, sizeof(room), &header);
    assert_true(v2_message_end(&writer));
    assert_int_equal(room[16], 0);
    assert_int_equal(room[27], IKE_HEADER_SIZE);
}

static void too_little_room_is_told_at_the_end(void **state)
{
    uint8_t room[64];
    struct v2_writer writer;
    size_t whole = bytes_hex(golden).size;
    (void)state;

    for (size_t capacity = 0; capacity <= sizeof(room); capacity++) {
        memset(room, 0xee, sizeof(room));
        assert_int_equal(message_write(&writer, room, capacity), capacity >= whole);
        for (size_t i = capacity; i < sizeof(room); i++)
            assert_int_equal(room[i], 0xee);
    }
}

/* IV of 8, text of a Delete (8) and a Pad Length (1), blocks of 16, ICV of 12. */
static void sk_is_framed_and_padded(void **state)
{
    uint8_t room[128];
    struct v2_writer writer;
    (void)state;

    memset(room, 0xee, sizeof(room));
    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_sk_begin(&writer, 8);
    assert_int_equal(writer.sk_at, IKE_HEADER_SIZE);
    assert_int_equal(writer.sk_text_at, IKE_HEADER_SIZE + 4 + 8);
    v2_write_delete(&writer, V2_PROTOCOL_IKE, NULL, 0);
    assert_true(v2_sk_end(&writer, 16, 12));
    assert_bytes(writer_slice(&writer.bytes),
                 "0102030405060708 1112131415161718 2e 20 25 08 00000002 00000044"
                 "2a 00 0028 0000000000000000"
                 "00 00 0008 01 00 0000  00000000000000 07"
                 "000000000000000000000000");
}

static void an_empty_sk_has_only_its_padding(void **state)
{
    uint8_t room[128];
    struct v2_writer writer;
    (void)state;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_sk_begin(&writer, 8);
    assert_true(v2_sk_end(&writer, 1, 16));
    assert_bytes(writer_slice(&writer.bytes),
                 "0102030405060708 1112131415161718 2e 20 25 08 00000002 00000039"
                 "00 00 001d 0000000000000000 00 00000000000000000000000000000000");
}

/* RFC 7383 section 2.5: only the first fragment names the first payload of the text. */
static void skf_is_framed_as_sk(void **state)
{
    uint8_t room[128];
    struct v2_writer writer;
    (void)state;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_skf_begin(&writer, 8, V2_NOTIFY, 1, 3);
    assert_int_equal(writer.sk_text_at, IKE_HEADER_SIZE + 8 + 8);
    writer_bytes(&writer.bytes, bytes_hex("a1a2a3"));
    assert_true(v2_sk_end(&writer, 4, 2));
    assert_bytes(writer_slice(&writer.bytes),
                 "0102030405060708 1112131415161718 35 20 25 08 00000002 00000032"
                 "29 00 0016 0001 0003 0000000000000000 a1a2a3 00 0000");

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_skf_begin(&writer, 0, V2_NOTIFY, 3, 3);
    assert_true(v2_sk_end(&writer, 1, 0));
    assert_bytes(writer_slice(&writer.bytes),
                 "0102030405060708 1112131415161718 35 20 25 08 00000002 00000025"
                 "00 00 0009 0003 0003 00");
}

static void payloads_may_stand_before_sk(void **state)
{
    uint8_t room[128];
    struct v2_writer writer;
    struct v2_payloads payloads;
    struct reader reader;
    uint8_t critical;
    (void)state;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_payload_begin(&writer, V2_VENDOR);
    writer_u8(&writer.bytes, 0xaa);
    v2_sk_begin(&writer, 0);
    v2_write_nonce(&writer, bytes_fill(1, 16));
    v2_write_nonce(&writer, bytes_fill(2, 16));
    assert_true(v2_sk_end(&writer, 4, 0));

    reader = reader_of(writer_slice(&writer.bytes));
    reader_skip(&reader, IKE_HEADER_SIZE);
    assert_int_equal(v2_payloads_parse(&payloads, V2_VENDOR, reader_rest(&reader), &critical, NULL),
                     STATUS_OK);
    assert_int_equal(payloads.count, 2);
    assert_bytes(payloads.items[0].body, "aa");
    assert_int_equal(payloads.sk_next, V2_NONCE);

    struct slice inner;
    assert_int_equal(v2_sk_unpad(payloads.items[1].body, &inner, NULL), STATUS_OK);
    assert_int_equal(v2_payloads_parse(&payloads, V2_NONCE, inner, &critical, NULL), STATUS_OK);
    assert_int_equal(payloads.count, 2);
    assert_slices(payloads.items[1].body, bytes_fill(2, 16));
}

/* For every size of text and block: the padding is the least that fits, and comes off again. */
static void padding_is_minimal_and_comes_off(void **state)
{
    static const size_t blocks[] = {1, 4, 8, 16, 256};
    static const size_t icvs[] = {0, 8, 12, 16, 32};
    static uint8_t room[1024];
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        for (size_t size = 0; size <= 300; size++) {
            struct v2_writer writer;
            struct slice inner;
            v2_message_begin(&writer, room, sizeof(room), &wire_header);
            v2_sk_begin(&writer, 16);
            v2_payload_begin(&writer, V2_VENDOR);
            writer_bytes(&writer.bytes, bytes_fill(0xab, size));
            assert_true(v2_sk_end(&writer, blocks[i], icvs[i]));
            size_t text_size = writer.bytes.size - icvs[i] - writer.sk_text_at;
            assert_int_equal(text_size % blocks[i], 0);
            assert_in_range(text_size, size + 5, size + 4 + blocks[i]);
            struct slice text = bytes_cut(slice_of(room + writer.sk_text_at, text_size), text_size);
            assert_int_equal(v2_sk_unpad(text, &inner, NULL), STATUS_OK);
            assert_int_equal(inner.size, size + 4);
        }
    }
}

static void sk_says_when_the_room_ends(void **state)
{
    uint8_t room[128];
    struct v2_writer writer;
    (void)state;

    for (size_t capacity = 0; capacity <= sizeof(room); capacity++) {
        v2_message_begin(&writer, room, capacity, &wire_header);
        v2_sk_begin(&writer, 8);
        v2_write_delete(&writer, V2_PROTOCOL_IKE, NULL, 0);
        assert_int_equal(v2_sk_end(&writer, 16, 12), capacity >= 68);
    }
}

static void sk_larger_than_its_length_field_fails(void **state)
{
    static uint8_t room[70000];
    struct v2_writer writer;
    (void)state;

    /* Generic headers, IV, Pad Length, ICV: 4 + 8 + 4 + 1 + 16. */
    for (size_t size = 65535 - 33; size <= 65535 - 32; size++) {
        v2_message_begin(&writer, room, sizeof(room), &wire_header);
        v2_sk_begin(&writer, 8);
        v2_payload_begin(&writer, V2_VENDOR);
        writer_bytes(&writer.bytes, bytes_fill(0, size));
        assert_int_equal(v2_sk_end(&writer, 1, 16), size == 65535 - 33);
    }
}

static void pad_lengths_that_lie_are_refused(void **state)
{
    struct slice inner;
    (void)state;

    assert_int_equal(v2_sk_unpad(bytes_hex("aabbcc 0102 02"), &inner, NULL), STATUS_OK);
    assert_bytes(inner, "aabbcc");
    assert_int_equal(v2_sk_unpad(bytes_hex("00"), &inner, NULL), STATUS_OK);
    assert_int_equal(inner.size, 0);
    assert_int_equal(v2_sk_unpad(bytes_hex("aabb 02"), &inner, NULL), STATUS_OK);
    assert_int_equal(inner.size, 0);
    assert_int_equal(v2_sk_unpad(bytes_fill(0xff, 256), &inner, NULL), STATUS_OK);
    assert_int_equal(inner.size, 0);
    assert_rejected(v2_sk_unpad(bytes_hex(""), &inner, &reason), V2_N_INVALID_SYNTAX);
    assert_rejected(v2_sk_unpad(bytes_hex("01"), &inner, &reason), V2_N_INVALID_SYNTAX);
    assert_rejected(v2_sk_unpad(bytes_hex("aabb 03"), &inner, &reason), V2_N_INVALID_SYNTAX);
    assert_rejected(v2_sk_unpad(bytes_fill(0xff, 255), &inner, &reason), V2_N_INVALID_SYNTAX);
    assert_int_equal(inner.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_and_the_lengths_are_kept),
        cmocka_unit_test(a_message_without_payloads_is_a_header),
        cmocka_unit_test(the_header_given_does_not_name_the_chain),
        cmocka_unit_test(too_little_room_is_told_at_the_end),
        cmocka_unit_test(sk_is_framed_and_padded),
        cmocka_unit_test(an_empty_sk_has_only_its_padding),
        cmocka_unit_test(skf_is_framed_as_sk),
        cmocka_unit_test(payloads_may_stand_before_sk),
        cmocka_unit_test(padding_is_minimal_and_comes_off),
        cmocka_unit_test(sk_says_when_the_room_ends),
        cmocka_unit_test(sk_larger_than_its_length_field_fails),
        cmocka_unit_test(pad_lengths_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
