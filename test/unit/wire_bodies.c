/*
 * KE, ID, AUTH, Nonce, Notify and Delete: RFC 7296 sections 3.4 to 3.11 read, refused and written.
 */
#include "test/unit/wire.h"

static uint8_t room[131072];

static struct v2_writer begin(void)
{
    struct v2_writer writer;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    return writer;
}

static void key_exchange(void **state)
{
    struct slice body = bytes_hex("001f 0000 0102030405");
    struct v2_writer writer = begin();
    struct v2_ke ke;
    (void)state;

    assert_int_equal(v2_ke_parse(&ke, bytes_with(body, 2, 0xff), NULL), STATUS_OK);
    assert_int_equal(ke.group, 31);
    assert_bytes(ke.data, "0102030405");
    for (size_t size = 0; size < 4; size++)
        assert_rejected(v2_ke_parse(&ke, bytes_cut(body, size), &reason), V2_N_INVALID_SYNTAX);
    v2_write_ke(&writer, 31, bytes_hex("0102030405"));
    assert_slices(wire_body(&writer, V2_KE), body);
}

static void identification(void **state)
{
    struct slice body = bytes_hex("02 000000 77657374");
    struct v2_writer writer = begin();
    struct v2_id id;
    (void)state;

    assert_int_equal(v2_id_parse(&id, bytes_with(body, 3, 0xff), NULL), STATUS_OK);
    assert_int_equal(id.type, V2_ID_FQDN);
    assert_slices(id.data, slice_text("west"));
    for (size_t size = 0; size < 4; size++)
        assert_rejected(v2_id_parse(&id, bytes_cut(body, size), &reason), V2_N_INVALID_SYNTAX);
    v2_write_id(&writer, V2_IDR, V2_ID_FQDN, slice_text("west"));
    assert_slices(wire_body(&writer, V2_IDR), body);
}

static void identities_of_fixed_size(void **state)
{
    static const struct {
        uint8_t type;
        int size; /* -1: any */
    } rows[] = {
        {V2_ID_IPV4_ADDR, 4}, {V2_ID_IPV6_ADDR, 16}, {V2_ID_NULL, 0},
        {V2_ID_FQDN, -1},     {V2_ID_KEY_ID, -1},    {200, -1},
    };
    struct v2_id id;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int size = 0; size <= 20; size++) {
            struct slice body = bytes_with(bytes_fill(0, 4 + (size_t)size), 0, rows[i].type);
            bool legal = rows[i].size == -1 || rows[i].size == size;
            assert_int_equal(v2_id_parse(&id, body, NULL), legal ? STATUS_OK : STATUS_REJECT);
        }
    }
}

static void authentication(void **state)
{
    struct slice body = bytes_hex("0e 000000 aabbcc");
    struct v2_writer writer = begin();
    struct v2_auth auth;
    (void)state;

    assert_int_equal(v2_auth_parse(&auth, bytes_with(body, 1, 0xff), NULL), STATUS_OK);
    assert_int_equal(auth.method, V2_AUTH_SIGNATURE);
    assert_bytes(auth.data, "aabbcc");
    for (size_t size = 0; size < 4; size++)
        assert_rejected(v2_auth_parse(&auth, bytes_cut(body, size), &reason), V2_N_INVALID_SYNTAX);
    v2_write_auth(&writer, V2_AUTH_SIGNATURE, bytes_hex("aabbcc"));
    assert_slices(wire_body(&writer, V2_AUTH), body);
}

static void nonce(void **state)
{
    struct slice bytes = bytes_fill(0xab, 300);
    struct slice parsed;
    (void)state;

    for (size_t size = 0; size <= 300; size++) {
        enum status status = v2_nonce_parse(&parsed, bytes_cut(bytes, size), NULL);
        assert_int_equal(status, size >= 16 && size <= 256 ? STATUS_OK : STATUS_REJECT);
    }
    assert_rejected(v2_nonce_parse(&parsed, bytes_cut(bytes, 15), &reason), V2_N_INVALID_SYNTAX);
    struct v2_writer writer = begin();
    v2_write_nonce(&writer, bytes_cut(bytes, 32));
    assert_int_equal(v2_nonce_parse(&parsed, wire_body(&writer, V2_NONCE), NULL), STATUS_OK);
    assert_slices(parsed, bytes_cut(bytes, 32));
}

static void notify(void **state)
{
    struct slice body = bytes_hex("03 04 4009 01020304 aabb");
    struct v2_writer writer = begin();
    struct v2_notify_body notify;
    (void)state;

    assert_int_equal(v2_notify_parse(&notify, body, NULL), STATUS_OK);
    assert_int_equal(notify.protocol, V2_PROTOCOL_ESP);
    assert_int_equal(notify.type, V2_N_REKEY_SA);
    assert_bytes(notify.spi, "01020304");
    assert_bytes(notify.data, "aabb");
    for (size_t size = 0; size < 8; size++)
        assert_rejected(v2_notify_parse(&notify, bytes_cut(body, size), &reason),
                        V2_N_INVALID_SYNTAX);
    assert_int_equal(v2_notify_parse(&notify, bytes_cut(body, 8), NULL), STATUS_OK);
    v2_write_notify(&writer, V2_PROTOCOL_ESP, bytes_hex("01020304"), V2_N_REKEY_SA,
                    bytes_hex("aabb"));
    assert_slices(wire_body(&writer, V2_NOTIFY), body);
}

static void notify_spis_go_with_protocols(void **state)
{
    struct slice body = bytes_hex("03 04 4009 0102030405060708");
    struct v2_notify_body notify;
    (void)state;

    for (uint8_t size = 0; size <= 8; size++) {
        enum status status = size == 0 || size == 4 ? STATUS_OK : STATUS_REJECT;
        struct slice sized = bytes_with(body, 1, size);
        assert_int_equal(v2_notify_parse(&notify, sized, NULL), status);
        assert_int_equal(v2_notify_parse(&notify, bytes_with(sized, 0, 2), NULL), status);
        assert_int_equal(v2_notify_parse(&notify, bytes_with(sized, 0, 1), NULL), STATUS_OK);
        assert_int_equal(notify.spi.size, size);
    }
    /* Section 3.10: without an SPI the protocol is to be ignored. */
    assert_int_equal(v2_notify_parse(&notify, bytes_hex("01 00 000e"), NULL), STATUS_OK);
    assert_int_equal(notify.protocol, V2_PROTOCOL_NONE);
    assert_int_equal(notify.type, V2_N_NO_PROPOSAL_CHOSEN);
    assert_int_equal(notify.data.size, 0);
}

static void delete_of_children(void **state)
{
    struct slice body = bytes_hex("03 04 0002 01020304 a1a2a3a4");
    struct v2_delete delete;
    (void)state;

    assert_int_equal(v2_delete_parse(&delete, body, NULL), STATUS_OK);
    assert_int_equal(delete.protocol, V2_PROTOCOL_ESP);
    assert_int_equal(delete.count, 2);
    assert_bytes(delete.spis, "01020304a1a2a3a4");
    for (size_t size = 0; size < body.size; size++)
        assert_rejected(v2_delete_parse(&delete, bytes_cut(body, size), &reason),
                        V2_N_INVALID_SYNTAX);
    assert_rejected(v2_delete_parse(&delete, bytes_join(body, bytes_fill(0, 1)), &reason),
                    V2_N_INVALID_SYNTAX);
    struct v2_writer writer = begin();
    v2_write_delete(&writer, V2_PROTOCOL_ESP, (const uint32_t[]){0x01020304, 0xa1a2a3a4}, 2);
    assert_slices(wire_body(&writer, V2_DELETE), body);
}

static void delete_of_the_ike_sa(void **state)
{
    struct v2_delete delete;
    struct v2_writer writer = begin();
    (void)state;

    assert_int_equal(v2_delete_parse(&delete, bytes_hex("01 00 0000"), NULL), STATUS_OK);
    assert_int_equal(delete.protocol, V2_PROTOCOL_IKE);
    v2_write_delete(&writer, V2_PROTOCOL_IKE, NULL, 0);
    assert_bytes(wire_body(&writer, V2_DELETE), "01000000");
}

static void delete_lies_are_refused(void **state)
{
    static const char *const bodies[] = {
        "01 00 0001",                  /* IKE names no SPI */
        "01 00 ffff",                  /* nor many of no size */
        "01 08 0001 0102030405060708", /* nor its own */
        "01 04 0000",                  /* and has no size */
        "03 00 0000",                  /* ESP has one */
        "03 00 ffff",                  /* which is not 0 */
        "03 08 0001 0102030405060708", /* nor 8 */
        "03 03 0001 010203",           /* nor 3 */
        "02 05 0001 0102030405",       /* nor has AH's 5 */
        "00 00 0000",                  /* no protocol */
        "04 04 0001 01020304",         /* an unknown protocol */
        "03 04 0001",                  /* fewer than counted */
        "03 04 4001 01020304",         /* 0x4001 * 4 is 4 in 16 bits */
        "03 04 0000 01020304",         /* more than counted */
    };
    struct v2_delete delete;
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_rejected(v2_delete_parse(&delete, bytes_hex(bodies[i]), &reason),
                        V2_N_INVALID_SYNTAX);
    assert_int_equal(v2_delete_parse(&delete, bytes_hex("02 04 0000"), NULL), STATUS_OK);
}

/* RFC 7383 section 2.6: what cannot be is discarded, not answered. */
static void fragments(void **state)
{
    struct slice body = bytes_hex("0002 0003 0102030405");
    static const char *const wrong[] = {"0000 0003", "0004 0003", "0000 0000", "0001 0000"};
    struct v2_fragment fragment;
    (void)state;

    assert_int_equal(v2_skf_parse(&fragment, body, NULL), STATUS_OK);
    assert_int_equal(fragment.number, 2);
    assert_int_equal(fragment.total, 3);
    assert_bytes(fragment.sealed, "0102030405");
    assert_int_equal(v2_skf_parse(&fragment, bytes_hex("0003 0003"), NULL), STATUS_OK);
    assert_int_equal(fragment.sealed.size, 0);
    for (size_t size = 0; size < 4; size++)
        assert_int_equal(v2_skf_parse(&fragment, bytes_cut(body, size), NULL), STATUS_DROP);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(v2_skf_parse(&fragment, bytes_hex(wrong[i]), NULL), STATUS_DROP);
}

static void sizes_that_no_field_can_hold_fail_the_writer(void **state)
{
    static uint32_t spis[16384];
    struct v2_writer writer = begin();
    (void)state;

    v2_write_notify(&writer, V2_PROTOCOL_ESP, bytes_fill(1, 255), 1, slice_of(NULL, 0));
    assert_true(v2_message_end(&writer));
    writer = begin();
    v2_write_notify(&writer, V2_PROTOCOL_ESP, bytes_fill(1, 256), 1, slice_of(NULL, 0));
    assert_false(v2_message_end(&writer));

    writer = begin();
    v2_write_delete(&writer, V2_PROTOCOL_ESP, spis, 16381);
    assert_int_equal(wire_body(&writer, V2_DELETE).size, 4 + 4 * 16381);
    writer = begin();
    v2_write_delete(&writer, V2_PROTOCOL_ESP, spis, 16382);
    assert_false(v2_message_end(&writer));

    writer = begin();
    v2_write_ke(&writer, 1, bytes_fill(1, 65535 - 8));
    assert_int_equal(wire_body(&writer, V2_KE).size, 65531);
    writer = begin();
    v2_write_ke(&writer, 1, bytes_fill(1, 65535 - 7));
    assert_false(v2_message_end(&writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_exchange),
        cmocka_unit_test(identification),
        cmocka_unit_test(identities_of_fixed_size),
        cmocka_unit_test(authentication),
        cmocka_unit_test(nonce),
        cmocka_unit_test(notify),
        cmocka_unit_test(notify_spis_go_with_protocols),
        cmocka_unit_test(delete_of_children),
        cmocka_unit_test(delete_of_the_ike_sa),
        cmocka_unit_test(delete_lies_are_refused),
        cmocka_unit_test(fragments),
        cmocka_unit_test(sizes_that_no_field_can_hold_fail_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
