/*
 * Traffic selectors: RFC 7296 section 3.13 read, refused and written.
 */
#include "test/unit/wire.h"

/* UDP port 100 of one host (the RFC's example) and all of an IPv6 network. */
static const char golden[] = "02 000000"
                             "07 11 0010 0064 0064 c6336442 c6336442"
                             "08 00 0028 0000 ffff"
                             "  20010db8000000000000000000000000"
                             "  20010db80000000000000000ffffffff";

static void both_families_are_read(void **state)
{
    struct v2_selectors selectors;
    char text[SELECTOR_TEXT_MAX];
    (void)state;

    assert_int_equal(v2_selectors_parse(&selectors, bytes_hex(golden), NULL), STATUS_OK);
    assert_int_equal(selectors.count, 2);
    assert_string_equal(selector_text(&selectors.items[0], text), "198.51.100.66/32 udp/100");
    assert_string_equal(selector_text(&selectors.items[1], text), "2001:db8::/96");
    assert_bytes(slice_of(selectors.items[0].start, 16), "c6336442000000000000000000000000");
}

static void no_part_of_it_is_whole(void **state)
{
    struct slice whole = bytes_hex(golden);
    struct v2_selectors selectors;
    (void)state;

    assert_int_equal(v2_selectors_parse(&selectors, whole, NULL), STATUS_OK);
    for (size_t size = 0; size < whole.size; size++)
        assert_rejected(v2_selectors_parse(&selectors, bytes_cut(whole, size), &reason),
                        V2_N_INVALID_SYNTAX);
    assert_rejected(v2_selectors_parse(&selectors, bytes_join(whole, bytes_fill(0, 1)), &reason),
                    V2_N_INVALID_SYNTAX);
}

static void lying_lengths_and_counts_are_refused(void **state)
{
    static const struct {
        const char *why;
        size_t at;
        uint8_t octet;
    } rows[] = {
        {"no selectors", 0, 0},
        {"fewer than there are", 0, 1},
        {"more than there are", 0, 3},
        {"far more than there are", 0, 255},
        {"length 0", 7, 0},
        {"shorter than its header", 7, 3},
        {"header alone", 7, 4},
        {"one shorter", 7, 0x0f},
        {"one longer", 7, 0x11},
        {"far longer", 6, 0xff},
        {"IPv6 type, IPv4 length", 4, 8},
        {"IPv4 type, IPv6 length", 20, 7},
        {"first address above the last", 15, 0x43},
        {"first port above the last", 9, 0x65},
        {"65535 to 100: not OPAQUE", 8, 0xff},
    };
    struct slice whole = bytes_hex(golden);
    struct v2_selectors selectors;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice bytes = bytes_with(whole, rows[i].at, rows[i].octet);
        if (v2_selectors_parse(&selectors, bytes, NULL) == STATUS_OK)
            print_message("%s: accepted\n", rows[i].why);
        assert_rejected(v2_selectors_parse(&selectors, bytes, &reason), V2_N_INVALID_SYNTAX);
    }
}

static void other_malformed_payloads_are_refused(void **state)
{
    static const char *const bodies[] = {
        "00000000",                                        /* no selector, and rightly so */
        "01000000 07000011 0000ffff 0a000001 0a000001 00", /* an octet within it, too many */
        "01000000 07000010 0000ffff 0a000001 0a000001 00", /* and behind it */
        "01000000 0700000f 0000ffff 0a000001 0a0000",      /* one too few */
        /* IPv4 as long as IPv6 */
        "01000000 070000280000ffff00000000000000000000000000000000000000000000000000000000ffffffff",
        "01000000 08000010 0000ffff 0a000001 0a000001", /* IPv6 as short as IPv4 */
    };
    struct v2_selectors selectors;
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_rejected(v2_selectors_parse(&selectors, bytes_hex(bodies[i]), &reason),
                        V2_N_INVALID_SYNTAX);
}

static void reserved_octets_are_ignored(void **state)
{
    struct slice bytes = bytes_hex(golden);
    struct v2_selectors selectors;
    (void)state;

    for (size_t at = 1; at <= 3; at++)
        bytes = bytes_with(bytes, at, 0xff);
    assert_int_equal(v2_selectors_parse(&selectors, bytes, NULL), STATUS_OK);
}

static void opaque_is_no_reversed_range(void **state)
{
    struct v2_selectors selectors;
    (void)state;

    assert_int_equal(v2_selectors_parse(&selectors,
                                        bytes_hex("01000000 07110010 ffff0000 0a000001 0a000001"),
                                        NULL),
                     STATUS_OK);
    assert_int_equal(selectors.items[0].port_start, 65535);
    assert_int_equal(selectors.items[0].port_end, 0);
    assert_rejected(v2_selectors_parse(&selectors,
                                       bytes_hex("01000000 07110010 ffff0001 0a000001 0a000001"),
                                       &reason),
                    V2_N_INVALID_SYNTAX);
}

static void unknown_types_are_passed_over(void **state)
{
    struct slice known = bytes_hex("07110010 00640064 c6336442 c6336442");
    struct v2_selectors selectors;
    (void)state;

    /* 9 is TS_FC_ADDR_RANGE, 10 a label of any length. */
    struct slice unknown = bytes_hex("09000008 aabbccdd 0a000004");
    assert_int_equal(
        v2_selectors_parse(&selectors,
                           bytes_join(bytes_hex("03000000"), bytes_join(unknown, known)), NULL),
        STATUS_OK);
    assert_int_equal(selectors.count, 1);
    assert_int_equal(selectors.items[0].port_start, 100);

    assert_rejected(
        v2_selectors_parse(&selectors, bytes_join(bytes_hex("02000000"), unknown), &reason),
        V2_N_TS_UNACCEPTABLE);
    /* Their lengths are checked all the same. */
    assert_rejected(
        v2_selectors_parse(&selectors, bytes_hex("01000000 09000009 aabbccdd"), &reason),
        V2_N_INVALID_SYNTAX);
    assert_rejected(v2_selectors_parse(&selectors, bytes_hex("01000000 09000003"), &reason),
                    V2_N_INVALID_SYNTAX);
}

static struct selector some_selector(unsigned number)
{
    bool six = number % 2 != 0;
    struct selector selector = {
        .family = six ? FAMILY_IPV6 : FAMILY_IPV4,
        .protocol = (uint8_t)(number * 7),
        .port_start = (uint16_t)(number * 11),
        .port_end = (uint16_t)(60000 + number),
        .start = {(uint8_t)number, 1, 2, 3},
        .end = {(uint8_t)number, 1, 2, 255},
    };

    if (six)
        selector.end[15] = 0xff;
    return selector;
}

static struct slice selectors_write(const struct selector *selectors, size_t count)
{
    static uint8_t room[4096];
    struct v2_writer writer;

    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_write_selectors(&writer, V2_TSR, selectors, count);
    return wire_body(&writer, V2_TSR);
}

static void what_is_written_is_read_back(void **state)
{
    struct selector items[V2_SELECTORS_MAX];
    struct v2_selectors again;
    (void)state;

    for (unsigned i = 0; i < V2_SELECTORS_MAX; i++)
        items[i] = some_selector(i);
    for (size_t count = 1; count <= V2_SELECTORS_MAX; count++) {
        assert_int_equal(v2_selectors_parse(&again, selectors_write(items, count), NULL),
                         STATUS_OK);
        assert_int_equal(again.count, count);
        for (size_t i = 0; i < count; i++)
            assert_true(selector_equal(&again.items[i], &items[i]));
    }
}

static void the_written_octets_are_the_rfcs(void **state)
{
    struct v2_selectors selectors;
    (void)state;

    assert_int_equal(v2_selectors_parse(&selectors, bytes_hex(golden), NULL), STATUS_OK);
    assert_bytes(selectors_write(selectors.items, selectors.count), golden);
}

static void past_the_maximum_they_are_checked_but_not_kept(void **state)
{
    struct selector items[V2_SELECTORS_MAX];
    struct v2_selectors again;
    (void)state;

    for (unsigned i = 0; i < V2_SELECTORS_MAX; i++)
        items[i] = some_selector(i);
    struct slice full = selectors_write(items, V2_SELECTORS_MAX);
    struct slice more = bytes_hex("07110010 00640064 c6336442 c6336442");
    struct slice bytes = bytes_with(bytes_join(full, more), 0, V2_SELECTORS_MAX + 1);
    assert_int_equal(v2_selectors_parse(&again, bytes, NULL), STATUS_OK);
    assert_int_equal(again.count, V2_SELECTORS_MAX);
    assert_true(selector_equal(&again.items[V2_SELECTORS_MAX - 1], &items[V2_SELECTORS_MAX - 1]));
    assert_rejected(v2_selectors_parse(&again, bytes_with(bytes, bytes.size - 1, 0x41), &reason),
                    V2_N_INVALID_SYNTAX);
    assert_rejected(v2_selectors_parse(&again, bytes_cut(bytes, bytes.size - 1), &reason),
                    V2_N_INVALID_SYNTAX);
}

static void more_than_the_count_can_say_fails_the_writer(void **state)
{
    static struct selector items[256];
    static uint8_t room[8192];
    struct v2_writer writer;
    (void)state;

    for (unsigned i = 0; i < 256; i++)
        items[i] = (struct selector){.family = FAMILY_IPV4};
    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_write_selectors(&writer, V2_TSI, items, 255);
    assert_true(v2_message_end(&writer));
    v2_message_begin(&writer, room, sizeof(room), &wire_header);
    v2_write_selectors(&writer, V2_TSI, items, 256);
    assert_false(v2_message_end(&writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_are_read),
        cmocka_unit_test(no_part_of_it_is_whole),
        cmocka_unit_test(lying_lengths_and_counts_are_refused),
        cmocka_unit_test(other_malformed_payloads_are_refused),
        cmocka_unit_test(reserved_octets_are_ignored),
        cmocka_unit_test(opaque_is_no_reversed_range),
        cmocka_unit_test(unknown_types_are_passed_over),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_written_octets_are_the_rfcs),
        cmocka_unit_test(past_the_maximum_they_are_checked_but_not_kept),
        cmocka_unit_test(more_than_the_count_can_say_fails_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
