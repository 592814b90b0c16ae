/*
 * The IKE header, the chain of payloads, the table of what is legal, and names
 * (RFC 7296 sections 2.5, 3.1, 3.2).
 */
#include "test/unit/wire.h"

static const char golden_header[] =
    "0102030405060708 1112131415161718 21 20 22 08 00000102 0000001c";

static void header_fields_stand_where_they_should(void **state)
{
    struct ike_header header;
    (void)state;

    assert_int_equal(ike_header_parse(&header, bytes_hex(golden_header), NULL), STATUS_OK);
    assert_true(header.spi_i == 0x0102030405060708);
    assert_true(header.spi_r == 0x1112131415161718);
    assert_int_equal(header.next_payload, V2_SA);
    assert_int_equal(header.version, 0x20);
    assert_int_equal(header.exchange, V2_IKE_SA_INIT);
    assert_int_equal(header.flags, V2_FLAG_INITIATOR);
    assert_int_equal(header.message_id, 0x102);
    assert_int_equal(header.length, IKE_HEADER_SIZE);
}

static void wrong_lengths_are_dropped(void **state)
{
    struct slice message = bytes_hex(golden_header);
    struct ike_header header;
    struct reason reason;
    (void)state;

    for (size_t size = 0; size < IKE_HEADER_SIZE; size++)
        assert_int_equal(ike_header_parse(&header, bytes_cut(message, size), &reason), STATUS_DROP);
    assert_int_equal(reason.code, FINDING_NONE);
    assert_int_equal(ike_header_parse(&header, bytes_with(message, 27, 0x1b), &reason),
                     STATUS_DROP);
    assert_int_equal(ike_header_parse(&header, bytes_with(message, 27, 0x1d), &reason),
                     STATUS_DROP);
    assert_int_equal(ike_header_parse(&header, bytes_with(message, 24, 0x01), &reason),
                     STATUS_DROP);
    assert_int_equal(ike_header_parse(&header, bytes_join(message, bytes_fill(0, 1)), &reason),
                     STATUS_DROP);
}

static enum status parse(struct v2_payloads *payloads, uint8_t first, const char *hex,
                         struct reason *reason)
{
    uint8_t critical;

    return v2_payloads_parse(payloads, first, bytes_hex(hex), &critical, reason);
}

static void a_chain_is_cut_into_bodies(void **state)
{
    struct v2_payloads payloads;
    (void)state;

    /* Nonce (critical, reserved bits set), Notify of nothing, Nonce. */
    assert_int_equal(parse(&payloads, V2_NONCE, "29 ff 0006 aabb  28 00 0004  00 00 0005 cc", NULL),
                     STATUS_OK);
    assert_int_equal(payloads.count, 3);
    assert_int_equal(payloads.sk_next, 0);
    assert_int_equal(payloads.items[0].type, V2_NONCE);
    assert_true(payloads.items[0].critical);
    assert_bytes(payloads.items[0].body, "aabb");
    assert_int_equal(payloads.items[1].type, V2_NOTIFY);
    assert_false(payloads.items[1].critical);
    assert_int_equal(payloads.items[1].body.size, 0);
    assert_bytes(payloads.items[2].body, "cc");

    const struct v2_payload_item *first = v2_payloads_find(&payloads, V2_NONCE, NULL);
    assert_ptr_equal(first, &payloads.items[0]);
    assert_ptr_equal(v2_payloads_find(&payloads, V2_NONCE, first), &payloads.items[2]);
    assert_null(v2_payloads_find(&payloads, V2_NONCE, &payloads.items[2]));
    assert_null(v2_payloads_find(&payloads, V2_SA, NULL));
}

static void no_payloads_are_a_chain_too(void **state)
{
    struct v2_payloads payloads;
    (void)state;

    assert_int_equal(parse(&payloads, V2_NO_NEXT, "", NULL), STATUS_OK);
    assert_int_equal(payloads.count, 0);
}

static void lying_lengths_are_refused(void **state)
{
    static const struct {
        uint8_t first;
        const char *hex;
    } rows[] = {
        {V2_NO_NEXT, "00"},                 /* octets where none should be */
        {V2_NONCE, ""},                     /* announced, absent */
        {V2_NONCE, "000000"},               /* three quarters of a generic header */
        {V2_NONCE, "00000000"},             /* length 0 */
        {V2_NONCE, "00000003"},             /* shorter than its header */
        {V2_NONCE, "00000005"},             /* one octet longer than the message */
        {V2_NONCE, "0000ffff aabb"},        /* far longer */
        {V2_NONCE, "00000005 aabb"},        /* an octet behind the last payload */
        {V2_NONCE, "28000005 aa 00000000"}, /* the second one has length 0 */
        {V2_NONCE, "28000004"},             /* the second one is absent */
        {200, "00000003"},                  /* also of unknown payloads */
        {200, "28000009 00000004"},         /* an unknown one that swallows the next */
        {V2_SK, "23000005 aa 00000004"},    /* something behind SK */
        {V2_SKF, "00000005 aa 00"},         /* something behind SKF */
    };
    struct v2_payloads payloads;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_rejected(parse(&payloads, rows[i].first, rows[i].hex, &reason), V2_N_INVALID_SYNTAX);
}

static void sk_is_the_last_and_names_what_is_inside(void **state)
{
    struct v2_payloads payloads;
    (void)state;

    assert_int_equal(parse(&payloads, V2_NOTIFY, "2e000005 01  23000008 aabbccdd", NULL),
                     STATUS_OK);
    assert_int_equal(payloads.count, 2);
    assert_int_equal(payloads.items[1].type, V2_SK);
    assert_bytes(payloads.items[1].body, "aabbccdd");
    assert_int_equal(payloads.sk_next, V2_IDI);

    /* RFC 7383 section 2.5: of the later fragments the field is 0. */
    assert_int_equal(parse(&payloads, V2_SKF, "00000008 00020003", NULL), STATUS_OK);
    assert_int_equal(payloads.count, 1);
    assert_int_equal(payloads.sk_next, V2_NO_NEXT);
    assert_int_equal(parse(&payloads, V2_SKF, "23000008 00010003", NULL), STATUS_OK);
    assert_int_equal(payloads.sk_next, V2_IDI);
}

static void unknown_payloads_are_passed_over_unless_critical(void **state)
{
    static const uint8_t unknown[] = {1, 10, 32, 49, 52, 54, 128, 255};
    struct slice chain = bytes_hex("00 00 0006 aabb  00 00 0005 cc");
    struct v2_payloads payloads;
    uint8_t critical;
    (void)state;

    for (size_t i = 0; i < sizeof(unknown); i++) {
        struct slice bytes = bytes_with(chain, 0, V2_NONCE);
        assert_int_equal(v2_payloads_parse(&payloads, unknown[i], bytes, &critical, NULL),
                         STATUS_OK);
        assert_int_equal(payloads.count, 1);
        assert_bytes(payloads.items[0].body, "cc");
        assert_int_equal(critical, 0);

        bytes = bytes_with(bytes_with(chain, 0, unknown[i]), 7, 0x80);
        assert_rejected(v2_payloads_parse(&payloads, V2_NONCE, bytes, &critical, &reason),
                        V2_N_UNSUPPORTED_CRITICAL_PAYLOAD);
        assert_int_equal(critical, unknown[i]);
        bytes = bytes_with(bytes, 7, 0x7f); /* the reserved bits alone */
        assert_int_equal(v2_payloads_parse(&payloads, V2_NONCE, bytes, &critical, NULL), STATUS_OK);
    }
}

/* `count` payloads without a body, all of one type. */
static struct slice chain_of(uint8_t type, size_t count)
{
    struct slice one = bytes_with(bytes_hex("00000004"), 0, type);
    struct slice chain = bytes_hex("00000004");

    for (size_t i = 1; i < count; i++)
        chain = bytes_join(one, chain);
    return chain;
}

static void payloads_have_a_maximum(void **state)
{
    struct v2_payloads payloads;
    uint8_t critical;
    (void)state;

    assert_int_equal(v2_payloads_parse(&payloads, V2_NOTIFY, chain_of(V2_NOTIFY, V2_PAYLOADS_MAX),
                                       &critical, NULL),
                     STATUS_OK);
    assert_int_equal(payloads.count, V2_PAYLOADS_MAX);
    assert_rejected(v2_payloads_parse(&payloads, V2_NOTIFY,
                                      chain_of(V2_NOTIFY, V2_PAYLOADS_MAX + 1), &critical, &reason),
                    V2_N_INVALID_SYNTAX);
    /* What is passed over takes no place. */
    assert_int_equal(
        v2_payloads_parse(&payloads, 200, chain_of(200, V2_PAYLOADS_MAX + 1), &critical, NULL),
        STATUS_OK);
    assert_int_equal(payloads.count, 0);
}

static const struct v2_payload_rule rules[] = {
    {V2_SA, 1, 1},
    {V2_KE, 0, 1},
    {V2_NOTIFY, 0, 3},
    {V2_NO_NEXT, 0, 0},
};

/* Payloads without bodies, in the order given. */
static struct v2_payloads payloads_of(const char *types_hex)
{
    struct v2_payloads payloads = {0};
    struct slice types = bytes_hex(types_hex);

    for (size_t i = 0; i < types.size; i++)
        payloads.items[payloads.count++].type = types.data[i];
    return payloads;
}

static void the_table_decides_what_is_legal(void **state)
{
    static const struct {
        const char *types;
        const char *reason; /* NULL: legal */
    } rows[] = {
        {"21", NULL},
        {"2122292929", NULL},
        {"2929222129", NULL},
        {"", "payload SA: 0 of them, allowed are 1 to 1"},
        {"2229", "payload SA: 0 of them, allowed are 1 to 1"},
        {"2121", "payload SA: 2 of them, allowed are 1 to 1"},
        {"222122", "payload KE: 2 of them, allowed are 0 to 1"},
        {"2129292929", "payload Notify: 4 of them, allowed are 0 to 3"},
        {"212b", "payload Vendor ID must not be in this message (0 to 0)"},
        {"212e", "payload SK must not be in this message (0 to 0)"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct v2_payloads payloads = payloads_of(rows[i].types);
        struct reason reason = {0};
        enum status status = v2_payloads_check(&payloads, rules, &reason);
        assert_int_equal(status, rows[i].reason == NULL ? STATUS_OK : STATUS_REJECT);
        if (rows[i].reason == NULL)
            continue;
        assert_string_equal(reason.text, rows[i].reason);
        assert_int_equal(reason.code, FINDING_INVALID_SYNTAX);
    }
}

static void a_table_without_rows_allows_nothing(void **state)
{
    static const struct v2_payload_rule none[] = {{V2_NO_NEXT, 0, 0}};
    struct v2_payloads payloads = payloads_of("");
    (void)state;

    assert_int_equal(v2_payloads_check(&payloads, none, NULL), STATUS_OK);
    payloads = payloads_of("29");
    assert_int_equal(v2_payloads_check(&payloads, none, NULL), STATUS_REJECT);
}

static void numbers_have_names(void **state)
{
    (void)state;

    assert_string_equal(v2_exchange_name(34), "IKE_SA_INIT");
    assert_string_equal(v2_exchange_name(37), "INFORMATIONAL");
    assert_string_equal(v2_exchange_name(33), "?");
    assert_string_equal(v2_payload_name(33), "SA");
    assert_string_equal(v2_payload_name(53), "SKF");
    assert_string_equal(v2_payload_name(0), "?");
    assert_string_equal(v2_notify_name(1), "UNSUPPORTED_CRITICAL_PAYLOAD");
    assert_string_equal(v2_notify_name(44), "CHILD_SA_NOT_FOUND");
    assert_string_equal(v2_notify_name(16384), "INITIAL_CONTACT");
    assert_string_equal(v2_notify_name(16431), "SIGNATURE_HASH_ALGORITHMS");
    assert_string_equal(v2_notify_name(16383), "?");
    assert_string_equal(v2_notify_name(65535), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_fields_stand_where_they_should),
        cmocka_unit_test(wrong_lengths_are_dropped),
        cmocka_unit_test(a_chain_is_cut_into_bodies),
        cmocka_unit_test(no_payloads_are_a_chain_too),
        cmocka_unit_test(lying_lengths_are_refused),
        cmocka_unit_test(sk_is_the_last_and_names_what_is_inside),
        cmocka_unit_test(unknown_payloads_are_passed_over_unless_critical),
        cmocka_unit_test(payloads_have_a_maximum),
        cmocka_unit_test(the_table_decides_what_is_legal),
        cmocka_unit_test(a_table_without_rows_allows_nothing),
        cmocka_unit_test(numbers_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
