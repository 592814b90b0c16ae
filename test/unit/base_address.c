/*
 * Addresses, traffic selectors and the prefixes of a range (lib/base/address.h).
 */
#include "lib/base/address.h"

#include <stdio.h>
#include <string.h>

#include "test/unit/bytes.h"

static struct address address_of(const char *text)
{
    struct address address;

    assert_true(address_parse(&address, text));
    return address;
}

static struct selector range(const char *start, const char *end, uint8_t protocol,
                             uint16_t port_start, uint16_t port_end)
{
    struct address first = address_of(start);
    struct address last = address_of(end);
    struct selector selector = selector_host(&first);

    selector.protocol = protocol;
    selector.port_start = port_start;
    selector.port_end = port_end;
    memcpy(selector.end, last.bytes, sizeof(selector.end));
    return selector;
}

static struct selector all_of(const char *start, const char *end)
{
    return range(start, end, 0, 0, UINT16_MAX);
}

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        uint8_t family;
        const char *bytes;
        const char *canonical;
    } rows[] = {
        {"192.0.2.1", FAMILY_IPV4, "c0000201", "192.0.2.1"},
        {"0.0.0.0", FAMILY_IPV4, "00000000", "0.0.0.0"},
        {"255.255.255.255", FAMILY_IPV4, "ffffffff", "255.255.255.255"},
        {"2001:DB8:0:0::1", FAMILY_IPV6, "20010db8000000000000000000000001", "2001:db8::1"},
        {"::", FAMILY_IPV6, "00000000000000000000000000000000", "::"},
        {"::ffff:192.0.2.1", FAMILY_IPV6, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
    };
    char text[ADDRESS_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address = address_of(rows[i].text);
        assert_int_equal(address.family, rows[i].family);
        assert_int_equal(address.port, 0);
        assert_bytes(address_bytes(&address), rows[i].bytes);
        assert_string_equal(address_text(&address, text), rows[i].canonical);
    }
    assert_string_equal(address_text(&(struct address){0}, text), "any");
}

static void other_texts_are_no_addresses(void **state)
{
    static const char *const texts[] = {
        "",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1 ",
        "192.0.2.1/32",
        "192.0.2.01.1",
        "2001:db8::1::",
        ":",
        "[2001:db8::1]",
        "2001:db8::g",
        "localhost",
        "any",
    };
    struct address address;
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(address_parse(&address, texts[i]));
        assert_int_equal(address.family, FAMILY_NONE);
    }
}

static void equality_knows_families_and_ports(void **state)
{
    struct address a = address_of("192.0.2.1");
    struct address b = a;
    struct address low = address_of("::");
    struct address none = address_of("0.0.0.0");
    (void)state;

    assert_int_equal(address_size(FAMILY_NONE), 0);
    assert_true(address_equal(&a, &b));
    b.port = 500;
    assert_true(address_same_host(&a, &b));
    assert_false(address_equal(&a, &b));
    b = address_of("192.0.2.2");
    assert_false(address_same_host(&a, &b));
    assert_false(address_same_host(&low, &none));
    /* What lies behind an IPv4 address is not a part of it. */
    b = a;
    b.bytes[4] = 1;
    assert_true(address_equal(&a, &b));
}

static void a_host_is_everything_of_one_address(void **state)
{
    struct address address = address_of("2001:db8::7");
    struct selector host = selector_host(&address);
    struct selector expected = all_of("2001:db8::7", "2001:db8::7");
    (void)state;

    assert_true(selector_equal(&host, &expected));
    assert_int_equal(host.port_start, 0);
    assert_int_equal(host.port_end, 65535);
}

struct pair {
    struct selector outer;
    struct selector inner;
    bool contains;
};

static void containing_minds_every_field(void **state)
{
    const struct pair rows[] = {
        {all_of("10.0.0.0", "10.0.0.255"), all_of("10.0.0.0", "10.0.0.255"), true},
        {all_of("10.0.0.0", "10.0.0.255"), all_of("10.0.0.255", "10.0.1.0"), false},
        {all_of("10.0.0.1", "10.0.0.255"), all_of("10.0.0.0", "10.0.0.5"), false},
        {all_of("0.0.0.0", "255.255.255.255"), all_of("::", "::"), false},
        {all_of("::", "::ffff"), all_of("::1", "::ffff"), true},
        {all_of("10.0.0.1", "10.0.0.1"), range("10.0.0.1", "10.0.0.1", 6, 22, 22), true},
        {range("10.0.0.1", "10.0.0.1", 6, 0, 65535), all_of("10.0.0.1", "10.0.0.1"), false},
        {range("10.0.0.1", "10.0.0.1", 6, 0, 65535), range("10.0.0.1", "10.0.0.1", 17, 0, 65535),
         false},
        {range("10.0.0.1", "10.0.0.1", 6, 20, 30), range("10.0.0.1", "10.0.0.1", 6, 20, 30), true},
        {range("10.0.0.1", "10.0.0.1", 6, 20, 30), range("10.0.0.1", "10.0.0.1", 6, 20, 31), false},
        {range("10.0.0.1", "10.0.0.1", 6, 20, 30), range("10.0.0.1", "10.0.0.1", 6, 19, 30), false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(selector_contains(&rows[i].outer, &rows[i].inner), rows[i].contains);
}

static void intersecting_minds_every_field(void **state)
{
    const struct {
        struct selector a;
        struct selector b;
        const char *both; /* NULL: nothing */
    } rows[] = {
        {all_of("10.0.0.0", "10.0.0.9"), all_of("10.0.0.5", "10.0.0.20"), "10.0.0.5-10.0.0.9"},
        {all_of("10.0.0.0", "10.0.0.9"), all_of("10.0.0.9", "10.0.0.20"), "10.0.0.9/32"},
        {all_of("10.0.0.0", "10.0.0.9"), all_of("10.0.0.10", "10.0.0.20"), NULL},
        {all_of("0.0.0.0", "255.255.255.255"), all_of("::", "::1"), NULL},
        {all_of("10.0.0.0", "10.0.0.255"), range("10.0.0.1", "10.0.0.1", 6, 5432, 5432),
         "10.0.0.1/32 tcp/5432"},
        {range("10.0.0.1", "10.0.0.1", 6, 0, 65535), range("10.0.0.1", "10.0.0.1", 17, 0, 65535),
         NULL},
        {range("10.0.0.1", "10.0.0.1", 6, 10, 20), range("10.0.0.1", "10.0.0.1", 6, 15, 30),
         "10.0.0.1/32 tcp/15-20"},
        {range("10.0.0.1", "10.0.0.1", 6, 10, 14), range("10.0.0.1", "10.0.0.1", 6, 15, 30), NULL},
        {all_of("2001:db8::", "2001:db8::ffff"), all_of("2001:db8::8000", "2001:db9::"),
         "2001:db8::8000/113"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct selector both = {0};
        struct selector swapped = {0};
        char text[SELECTOR_TEXT_MAX];
        assert_int_equal(selector_intersect(&rows[i].a, &rows[i].b, &both), rows[i].both != NULL);
        assert_int_equal(selector_intersect(&rows[i].b, &rows[i].a, &swapped),
                         rows[i].both != NULL);
        if (rows[i].both == NULL)
            continue;
        assert_true(selector_equal(&both, &swapped));
        assert_string_equal(selector_text(&both, text), rows[i].both);
        assert_true(selector_contains(&rows[i].a, &both));
        assert_true(selector_contains(&rows[i].b, &both));
    }
}

/* RFC 7296 section 3.13.1: OPAQUE is start 65535, end 0; ANY includes it, a range does not. */
static void opaque_ports_are_no_range(void **state)
{
    struct selector opaque = range("10.0.0.1", "10.0.0.1", 17, 65535, 0);
    struct selector any = range("10.0.0.1", "10.0.0.1", 17, 0, 65535);
    struct selector some = range("10.0.0.1", "10.0.0.1", 17, 1000, 65535);
    struct selector low = range("10.0.0.1", "10.0.0.1", 17, 0, 1000);
    struct selector both = {0};
    char text[SELECTOR_TEXT_MAX];
    (void)state;

    assert_true(selector_contains(&any, &opaque));
    assert_true(selector_contains(&opaque, &opaque));
    assert_false(selector_contains(&opaque, &any));
    assert_false(selector_contains(&some, &opaque));
    assert_false(selector_contains(&low, &opaque));
    assert_false(selector_contains(&opaque, &some));
    assert_false(selector_intersect(&some, &opaque, &both));
    assert_false(selector_intersect(&opaque, &low, &both));
    assert_true(selector_intersect(&any, &opaque, &both));
    assert_true(selector_equal(&both, &opaque));
    assert_true(selector_intersect(&opaque, &opaque, &both));
    assert_true(selector_equal(&both, &opaque));
    assert_string_equal(selector_text(&both, text), "10.0.0.1/32 udp/opaque");
}

static void selectors_are_written_for_people(void **state)
{
    const struct {
        struct selector selector;
        const char *text;
    } rows[] = {
        {all_of("10.1.0.0", "10.1.255.255"), "10.1.0.0/16"},
        {all_of("0.0.0.0", "255.255.255.255"), "0.0.0.0/0"},
        {all_of("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::/0"},
        {all_of("10.0.0.1", "10.0.0.9"), "10.0.0.1-10.0.0.9"},
        {range("10.0.0.1", "10.0.0.1", 6, 0, 65535), "10.0.0.1/32 tcp"},
        {range("10.0.0.1", "10.0.0.1", 17, 53, 53), "10.0.0.1/32 udp/53"},
        {range("10.0.0.1", "10.0.0.1", 132, 1, 2), "10.0.0.1/32 sctp/1-2"},
        {range("10.0.0.1", "10.0.0.1", 1, 0x0800, 0x08ff), "10.0.0.1/32 icmp/8"},
        {range("10.0.0.1", "10.0.0.1", 1, 0x0800, 0x09ff), "10.0.0.1/32 icmp/8-9"},
        {range("10.0.0.1", "10.0.0.1", 1, 0x0800, 0x0800), "10.0.0.1/32 icmp/8.0"},
        {range("10.0.0.1", "10.0.0.1", 1, 0x0301, 0x0304), "10.0.0.1/32 icmp/3.1-3.4"},
        {range("10.0.0.1", "10.0.0.1", 47, 0, 65535), "10.0.0.1/32 47"},
        {range("2001:db8:1111:2222:3333:4444:5555:6666", "ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888",
               58, 10000, 65535),
         "2001:db8:1111:2222:3333:4444:5555:6666-ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888 "
         "ipv6-icmp/39.16-255.255"},
    };
    char text[SELECTOR_TEXT_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(selector_text(&rows[i].selector, text), rows[i].text);
}

/* Writes the prefixes of a range as "10.0.0.0/8 11.0.0.0/32". */
static size_t prefixes_text(const char *start, const char *end, char *text, size_t size)
{
    struct selector selector = all_of(start, end);
    struct address prefixes[256];
    uint8_t bits[256];
    size_t count = selector_prefixes(&selector, prefixes, bits, 256);
    char address[ADDRESS_TEXT_MAX];
    int at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count && i < 256; i++)
        at += snprintf(text + at, size - (size_t)at, "%s%s/%u", i > 0 ? " " : "",
                       address_text(&prefixes[i], address), bits[i]);
    return count;
}

static void selectors_are_packed_and_unpacked(void **state)
{
    static const struct {
        struct selector selector;
        size_t size;
    } rows[] = {
        {{FAMILY_IPV4, 6, 5432, 5433, {10, 1, 0, 0}, {10, 1, 255, 255}}, 14},
        {{FAMILY_IPV4, 0, UINT16_MAX, 0, {192, 0, 2, 1}, {192, 0, 2, 1}}, 14},
        {{FAMILY_IPV6, 17, 0, UINT16_MAX, {0x20, 1, [15] = 1}, {0x20, 1, [15] = 9}}, 38},
    };
    uint8_t octets[SELECTOR_OCTETS_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct writer writer = writer_of(octets, sizeof(octets));
        selector_pack(&writer, &rows[i].selector);
        assert_true(writer_ok(&writer));
        assert_int_equal(writer_slice(&writer).size, rows[i].size);
        struct reader reader = reader_of(writer_slice(&writer));
        struct selector unpacked = selector_unpack(&reader);
        assert_true(reader_done(&reader));
        assert_memory_equal(&unpacked, &rows[i].selector, sizeof(unpacked));
    }
}

static void awkward_ranges_split_into_few_prefixes(void **state)
{
    static const struct {
        const char *start;
        const char *end;
        const char *prefixes;
    } rows[] = {
        {"10.0.0.7", "10.0.0.7", "10.0.0.7/32"},
        {"0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
        {"10.0.0.1", "10.0.0.9", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/30 10.0.0.8/31"},
        {"10.0.0.255", "10.0.1.0", "10.0.0.255/32 10.0.1.0/32"},
        {"255.255.255.254", "255.255.255.255", "255.255.255.254/31"},
        {"255.255.255.253", "255.255.255.255", "255.255.255.253/32 255.255.255.254/31"},
        {"127.255.255.255", "128.0.0.0", "127.255.255.255/32 128.0.0.0/32"},
        {"0.0.0.0", "0.0.0.2", "0.0.0.0/31 0.0.0.2/32"},
        {"0.0.0.0", "127.255.255.255", "0.0.0.0/1"},
        {"10.0.0.2", "10.0.0.1", ""},
        {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
        {"8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::/1"},
        {"2001:db8::ffff", "2001:db8::1:0", "2001:db8::ffff/128 2001:db8::1:0/128"},
        {"::1", "::4", "::1/128 ::2/127 ::4/128"},
    };
    char text[512];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prefixes_text(rows[i].start, rows[i].end, text, sizeof(text));
        assert_string_equal(text, rows[i].prefixes);
    }
}

/* All but the first and the last address: the worst case, two prefixes for each length. */
static void the_worst_ranges_are_counted_past_the_room(void **state)
{
    struct selector selector = all_of("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    struct address prefixes[4];
    uint8_t bits[4];
    (void)state;

    assert_int_equal(selector_prefixes(&selector, prefixes, bits, 4), 254);
    assert_int_equal(bits[0], 128);
    assert_int_equal(bits[3], 125);
    assert_int_equal(prefixes[3].bytes[15], 8);
    assert_int_equal(selector_prefixes(&selector, NULL, NULL, 0), 254);
    selector = all_of("0.0.0.1", "255.255.255.254");
    assert_int_equal(selector_prefixes(&selector, prefixes, bits, 4), 62);
}

static uint32_t number_of(const struct address *address)
{
    const uint8_t *b = address->bytes;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Random ranges: the prefixes are aligned, join without a gap, and cannot be merged. */
static void prefixes_cover_exactly_the_range(void **state)
{
    uint64_t random = 3;
    struct address prefixes[64];
    uint8_t bits[64];
    (void)state;

    for (int run = 0; run < 5000; run++) {
        uint64_t size = bytes_random(&random) >> (32 + bytes_random(&random) % 32);
        uint64_t first = bytes_random(&random) >> 32;
        uint64_t last = first + size > UINT32_MAX ? UINT32_MAX : first + size;
        struct selector selector = {.family = FAMILY_IPV4};
        for (unsigned i = 0; i < 4; i++) {
            selector.start[i] = (uint8_t)(first >> (24 - 8 * i));
            selector.end[i] = (uint8_t)(last >> (24 - 8 * i));
        }
        size_t count = selector_prefixes(&selector, prefixes, bits, 64);
        assert_in_range(count, 1, 62);
        uint64_t at = first;
        for (size_t i = 0; i < count; i++) {
            uint64_t width = (uint64_t)1 << (32 - bits[i]);
            assert_true(number_of(&prefixes[i]) == at && at % width == 0);
            /* Twice as wide it would not be aligned, or reach past the end. */
            assert_true(bits[i] == 0 || at % (2 * width) != 0 || at + 2 * width - 1 > last);
            at += width;
        }
        assert_true(at == last + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(other_texts_are_no_addresses),
        cmocka_unit_test(equality_knows_families_and_ports),
        cmocka_unit_test(a_host_is_everything_of_one_address),
        cmocka_unit_test(containing_minds_every_field),
        cmocka_unit_test(intersecting_minds_every_field),
        cmocka_unit_test(opaque_ports_are_no_range),
        cmocka_unit_test(selectors_are_written_for_people),
        cmocka_unit_test(selectors_are_packed_and_unpacked),
        cmocka_unit_test(awkward_ranges_split_into_few_prefixes),
        cmocka_unit_test(the_worst_ranges_are_counted_past_the_room),
        cmocka_unit_test(prefixes_cover_exactly_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
