/*
 * Pairs of selectors cut into what the kernel's policies can say (lib/policy/piece.h).
 */
#include "lib/policy/piece.h"

#include <stdio.h>
#include <string.h>

#include "lib/policy/selector.h"
#include "test/unit/policy.h"

static struct piece pieces[PIECES_MAX];

static struct selector selector_of(const char *text)
{
    struct selector selector;
    char wrong[SELECTOR_WRONG_MAX];

    if (!selector_parse(&selector, text, &(struct address){0}, wrong))
        fail_msg("%s: %s", text, wrong);
    return selector;
}

static size_t cut(const char *local, const char *remote)
{
    struct selector a = selector_of(local);
    struct selector b = selector_of(remote);
    struct reason reason;
    size_t count;

    if (pieces_of(&a, &b, pieces, &count, &reason) != STATUS_OK)
        fail_msg("%s", reason.text);
    return count;
}

/* "10.0.0.0/8 5432/ffff" */
static const char *side_text(const struct piece *piece, bool local)
{
    static char text[2][120];
    struct address address = {.family = piece->family};
    char host[ADDRESS_TEXT_MAX];

    memcpy(address.bytes, local ? piece->local : piece->remote, 16);
    snprintf(text[local], sizeof(text[local]), "%s/%u %u/%x", address_text(&address, host),
             local ? piece->local_bits : piece->remote_bits,
             local ? piece->local_port : piece->remote_port,
             local ? piece->local_mask : piece->remote_mask);
    return text[local];
}

static void assert_piece(size_t at, const char *local, uint8_t protocol, const char *remote)
{
    assert_string_equal(side_text(&pieces[at], true), local);
    assert_string_equal(side_text(&pieces[at], false), remote);
    assert_int_equal(pieces[at].protocol, protocol);
}

static void hosts_and_networks_are_one_piece(void **state)
{
    (void)state;
    assert_int_equal(cut("192.0.2.1/32", "192.0.2.2/32"), 1);
    assert_piece(0, "192.0.2.1/32 0/0", 0, "192.0.2.2/32 0/0");
    assert_int_equal(cut("10.1.0.0/16", "2.0.0.0/7 tcp/443"), 1);
    assert_piece(0, "10.1.0.0/16 0/0", 6, "2.0.0.0/7 443/ffff");
    assert_int_equal(cut("[2001:db8::1]/128", "[::]/0"), 1);
    assert_piece(0, "2001:db8::1/128 0/0", 0, "::/0 0/0");
}

static void ranges_become_prefixes(void **state)
{
    (void)state;
    assert_int_equal(cut("10.0.0.1-10.0.0.6", "192.0.2.2/32"), 4);
    assert_piece(0, "10.0.0.1/32 0/0", 0, "192.0.2.2/32 0/0");
    assert_piece(1, "10.0.0.2/31 0/0", 0, "192.0.2.2/32 0/0");
    assert_piece(2, "10.0.0.4/31 0/0", 0, "192.0.2.2/32 0/0");
    assert_piece(3, "10.0.0.6/32 0/0", 0, "192.0.2.2/32 0/0");
    assert_int_equal(cut("10.0.0.1-10.0.0.6", "10.0.0.9-10.0.0.14"), 16);
}

static void port_ranges_become_masks(void **state)
{
    (void)state;
    assert_int_equal(cut("10.0.0.1/32 tcp/1000-1003", "10.0.0.2/32"), 1);
    assert_piece(0, "10.0.0.1/32 1000/fffc", 6, "10.0.0.2/32 0/0");
    assert_int_equal(cut("10.0.0.1/32 udp/1023-1025", "10.0.0.2/32 udp/53"), 2);
    assert_piece(0, "10.0.0.1/32 1023/ffff", 17, "10.0.0.2/32 53/ffff");
    assert_piece(1, "10.0.0.1/32 1024/fffe", 17, "10.0.0.2/32 53/ffff");
    assert_int_equal(cut("10.0.0.1/32 tcp/1-65534", "10.0.0.2/32"), 30);
    assert_int_equal(cut("10.0.0.1/32 tcp/0-65535", "10.0.0.2/32"), 1);
    assert_int_equal(cut("10.0.0.1/32 tcp/65535", "10.0.0.2/32"), 1);
    assert_piece(0, "10.0.0.1/32 65535/ffff", 6, "10.0.0.2/32 0/0");
}

/* Every port of a range is in exactly one piece, and no other is in any. */
static void port_masks_cover_the_range(void **state)
{
    uint64_t random = 7;
    (void)state;

    for (int round = 0; round < 40; round++) {
        unsigned start = (unsigned)(bytes_random(&random) % 65536);
        unsigned end = start + (unsigned)(bytes_random(&random) % (65536 - start));
        char text[64];
        snprintf(text, sizeof(text), "10.0.0.1/32 tcp/%u-%u", start, end);
        size_t count = cut(text, "10.0.0.2/32");
        for (unsigned port = 0; port < 65536; port++) {
            unsigned hits = 0;
            for (size_t i = 0; i < count; i++)
                hits += ((port ^ pieces[i].local_port) & pieces[i].local_mask) == 0;
            assert_int_equal(hits, port >= start && port <= end);
        }
    }
}

/* The type is the kernel's source port and the code its destination port, on both ends. */
static void icmp_has_type_and_code(void **state)
{
    struct selector local = selector_of("10.0.0.1/32 icmp");
    struct selector remote = selector_of("10.0.0.2/32 icmp");
    struct reason reason;
    size_t count;
    (void)state;

    assert_int_equal(cut("10.0.0.1/32 icmp", "10.0.0.2/32 icmp"), 1);
    assert_piece(0, "10.0.0.1/32 0/0", 1, "10.0.0.2/32 0/0");
    local.port_start = remote.port_start = 8 << 8;
    local.port_end = remote.port_end = 8 << 8 | 255;
    assert_int_equal(pieces_of(&local, &remote, pieces, &count, &reason), STATUS_OK);
    assert_int_equal(count, 1);
    assert_piece(0, "10.0.0.1/32 8/ffff", 1, "10.0.0.2/32 0/0");
    remote.port_start = remote.port_end = 8 << 8 | 3; /* one end says more */
    assert_int_equal(pieces_of(&local, &remote, pieces, &count, &reason), STATUS_OK);
    assert_int_equal(count, 1);
    assert_piece(0, "10.0.0.1/32 8/ffff", 1, "10.0.0.2/32 3/ffff");
    remote.port_start = remote.port_end = 9 << 8; /* nothing is both */
    assert_int_equal(pieces_of(&local, &remote, pieces, &count, &reason), STATUS_OK);
    assert_int_equal(count, 0);
}

static void what_no_packet_matches_has_no_pieces(void **state)
{
    (void)state;
    assert_int_equal(cut("10.0.0.1/32 tcp", "10.0.0.2/32 udp"), 0);
    assert_int_equal(cut("10.0.0.1/32", "[2001:db8::1]/128"), 0);
    assert_int_equal(cut("10.0.0.1/32 tcp", "10.0.0.2/32"), 1);
    assert_int_equal(cut("10.0.0.1/32", "10.0.0.2/32 udp"), 1);
    assert_int_equal(pieces[0].protocol, 17);
}

static void what_the_kernel_cannot_say_is_refused(void **state)
{
    struct selector whole = selector_of("[2001:db8::2]/128");
    struct selector range = selector_of("[::1]-[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]");
    struct selector ports = selector_of("10.0.0.1/32 tcp/1-65534");
    struct selector other_ports = selector_of("10.0.0.2/32 tcp/1-65534");
    struct selector opaque = selector_of("10.0.0.1/32");
    struct reason reason;
    size_t count;
    (void)state;

    assert_int_equal(pieces_of(&range, &whole, pieces, &count, &reason), STATUS_REJECT);
    assert_string_equal(reason.text, "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe: the range needs "
                                     "254 prefixes in the kernel; expected at most 64");
    assert_int_equal(pieces_of(&ports, &other_ports, pieces, &count, &reason), STATUS_REJECT);
    assert_string_equal(reason.text,
                        "10.0.0.1/32 tcp/1-65534 with 10.0.0.2/32 tcp/1-65534: the pair "
                        "needs 900 policies in the kernel; expected at most 512");
    opaque.port_start = 65535;
    opaque.port_end = 0;
    assert_int_equal(pieces_of(&opaque, &other_ports, pieces, &count, &reason), STATUS_REJECT);
    assert_non_null(strstr(reason.text, "OPAQUE"));
}

static void narrower_goes_first(void **state)
{
    static const char *const widening[][2] = {
        {"10.1.2.3/32 tcp/22", "10.2.0.1/32 tcp/1000"},
        {"10.1.2.3/32 tcp/22", "10.2.0.1/32"},
        {"10.1.2.3/32 tcp", "10.2.0.1/32"},
        {"10.1.2.3/32", "10.2.0.1/32"},
        {"10.1.2.3/32", "10.2.0.0/16"},
        {"10.1.2.0/24", "10.2.0.0/16"},
        {"10.0.0.0/8", "10.2.0.0/16"},
        {"0.0.0.0/0", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
    };
    uint32_t before = PIECE_PRIORITY_BYPASS;
    (void)state;

    for (size_t i = 0; i < sizeof(widening) / sizeof(widening[0]); i++) {
        assert_int_equal(cut(widening[i][0], widening[i][1]), 1);
        assert_true(piece_priority(&pieces[0], POLICY_REQUIRE) > before);
        before = piece_priority(&pieces[0], POLICY_REQUIRE);
    }
    /* Where neither lies within the other, addresses count before ports. */
    cut("10.1.2.3/32", "10.2.0.1/32");
    before = piece_priority(&pieces[0], POLICY_REQUIRE);
    cut("10.1.2.3/32 tcp/22", "10.2.0.0/31 tcp/1000");
    assert_true(piece_priority(&pieces[0], POLICY_REQUIRE) > before);
    /* The narrowest of IPv6 is above the bypasses still. */
    cut("[2001:db8::1]/128 tcp/1", "[2001:db8::2]/128 tcp/1");
    assert_true(piece_priority(&pieces[0], POLICY_REQUIRE) > PIECE_PRIORITY_BYPASS);
}

/* What one child requires to be protected leaves in no case by another's "prefer". */
static void required_goes_before_preferred(void **state)
{
    uint32_t required;
    (void)state;

    cut("0.0.0.0/0", "0.0.0.0/0");
    required = piece_priority(&pieces[0], POLICY_REQUIRE);
    cut("[2001:db8::1]/128 tcp/1", "[2001:db8::2]/128 tcp/1");
    assert_true(piece_priority(&pieces[0], POLICY_PREFER) > required);
    assert_true(piece_priority(&pieces[0], POLICY_REQUIRE) > PIECE_PRIORITY_BYPASS);
    /* Among those that prefer it the narrower goes first as ever. */
    uint32_t narrow = piece_priority(&pieces[0], POLICY_PREFER);
    cut("[2001:db8::]/64 tcp/1", "[2001:db8::2]/128 tcp/1");
    assert_true(piece_priority(&pieces[0], POLICY_PREFER) > narrow);
}

static bool packet_in(const struct piece *piece, uint8_t local, uint8_t remote, uint16_t port)
{
    uint8_t local_mask = (uint8_t)(0xff00u >> (piece->local_bits - 24));
    uint8_t remote_mask = (uint8_t)(0xff00u >> (piece->remote_bits - 24));

    return ((local ^ piece->local[3]) & local_mask) == 0 &&
           ((remote ^ piece->remote[3]) & remote_mask) == 0 &&
           ((port ^ piece->local_port) & piece->local_mask) == 0;
}

static uint32_t priority_for(const struct selector *local, const struct selector *remote,
                             uint8_t local_host, uint8_t remote_host, uint16_t port)
{
    struct reason reason;
    size_t count;

    assert_int_equal(pieces_of(local, remote, pieces, &count, &reason), STATUS_OK);
    for (size_t i = 0; i < count; i++)
        if (packet_in(&pieces[i], local_host, remote_host, port))
            return piece_priority(&pieces[i], POLICY_REQUIRE);
    fail_msg("a packet is in no piece");
    return 0;
}

/* Of two pairs, one within the other, every packet of the inner meets the inner's piece first, or
 * they share it. */
static void inner_pairs_go_first_for_every_packet(void **state)
{
    uint64_t random = 99;
    (void)state;

    for (int round = 0; round < 300; round++) {
        struct selector outer = selector_of("10.0.0.0/24 tcp");
        struct selector remote = selector_of("10.0.1.0/24");
        outer.start[3] = (uint8_t)(bytes_random(&random) % 100);
        outer.end[3] = (uint8_t)(155 + bytes_random(&random) % 100);
        outer.port_start = (uint16_t)(bytes_random(&random) % 1000);
        outer.port_end = (uint16_t)(64000 + bytes_random(&random) % 1000);
        struct selector inner = outer;
        inner.start[3] = (uint8_t)(inner.start[3] + bytes_random(&random) % 20);
        inner.end[3] = (uint8_t)(inner.end[3] - bytes_random(&random) % 20);
        inner.port_start = (uint16_t)(inner.port_start + bytes_random(&random) % 1000);
        uint8_t host = (uint8_t)(inner.start[3] +
                                 bytes_random(&random) % (inner.end[3] - inner.start[3] + 1u));
        uint16_t port = (uint16_t)(inner.port_start + bytes_random(&random) % 1000);
        struct reason reason;
        size_t count;
        if (pieces_of(&outer, &remote, pieces, &count, &reason) != STATUS_OK ||
            pieces_of(&inner, &remote, pieces, &count, &reason) != STATUS_OK)
            continue;
        assert_true(priority_for(&inner, &remote, host, 1, port) <=
                    priority_for(&outer, &remote, host, 1, port));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_networks_are_one_piece),
        cmocka_unit_test(ranges_become_prefixes),
        cmocka_unit_test(port_ranges_become_masks),
        cmocka_unit_test(port_masks_cover_the_range),
        cmocka_unit_test(icmp_has_type_and_code),
        cmocka_unit_test(what_no_packet_matches_has_no_pieces),
        cmocka_unit_test(what_the_kernel_cannot_say_is_refused),
        cmocka_unit_test(narrower_goes_first),
        cmocka_unit_test(required_goes_before_preferred),
        cmocka_unit_test(inner_pairs_go_first_for_every_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
