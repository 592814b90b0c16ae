/*
 * Proposals and selectors as people write them (lib/policy/proposal.h, selector.h).
 */
#include <stdio.h>

#include "lib/policy/proposal.h"
#include "lib/policy/selector.h"
#include "test/unit/policy.h"

static void proposals_are_read_and_written(void **state)
{
    static const struct {
        bool child;
        const char *text;
        const char *shown;
    } rows[] = {
        {false, "aes256gcm16-prfsha384-ecp384", "aes256gcm16-prfsha384-ecp384"},
        {false, "aes256gcm16-sha384-ecp384", "aes256gcm16-prfsha384-ecp384"},
        {false, "aes128-sha256-modp2048", "aes128-sha256-prfsha256-modp2048"},
        {false, "aes128-sha256-prfsha512-modp2048", "aes128-sha256-prfsha512-modp2048"},
        {false, "aes128-aes256-sha256-x25519-ecp256",
         "aes128-aes256-sha256-prfsha256-x25519-ecp256"},
        {false, "x25519-sha256-sha512-aes256ctr",
         "aes256ctr-sha256-sha512-prfsha256-prfsha512-x25519"},
        {false, "aes128-aesxcbc-modp3072", "aes128-aesxcbc-prfaesxcbc-modp3072"},
        {false, "chacha20poly1305-aescmac-x448", "chacha20poly1305-prfaescmac-x448"},
        {true, "aes256gcm16", "aes256gcm16"},
        {true, "aes256gcm16-esn", "aes256gcm16-esn"},
        {true, "aes256gcm16-noesn", "aes256gcm16-noesn"},
        {true, "aes256gcm16-esn-noesn", "aes256gcm16"},
        {true, "aes128-sha256-x25519", "aes128-sha256-x25519"},
        {true, "null-sha256", "null-sha256"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proposal proposal;
        char wrong[PROPOSAL_WRONG_MAX];
        if (!proposal_parse(&proposal, rows[i].text, (struct proposal_use){.child = rows[i].child},
                            wrong))
            fail_msg("%s: %s", rows[i].text, wrong);
        assert_proposal(proposal, rows[i].shown);
        if (rows[i].child)
            assert_true(proposal.esn || proposal.no_esn);
        else
            assert_false(proposal.esn || proposal.no_esn);
    }
}

static void weak_algorithms_need_leave(void **state)
{
    struct proposal proposal;
    char wrong[PROPOSAL_WRONG_MAX];

    (void)state;
    assert_false(
        proposal_parse(&proposal, "aes128-sha1-modp2048", (struct proposal_use){0}, wrong));
    assert_string_equal(wrong, "\"sha1\" is weak; expected a stronger one, or weak = true on the "
                               "connection");
    assert_true(proposal_parse(&proposal, "aes128-sha1-modp2048",
                               (struct proposal_use){.weak = true}, wrong));
    assert_proposal(proposal, "aes128-sha1-prfsha1-modp2048");
}

/* CONFIG_ALGORITHMS_MAX of one kind fit, and not one more. */
static void lists_have_an_end(void **state)
{
    struct proposal proposal;
    char wrong[PROPOSAL_WRONG_MAX];
    char text[256] = "sha256-x25519";
    static const char *const ciphers[] = {"aes128",    "aes192",    "aes256",
                                          "aes128ctr", "aes192ctr", "aes256ctr"};
    static const char *const aeads[] = {"aes128gcm8",  "aes192gcm8",  "aes256gcm8",  "aes128gcm12",
                                        "aes192gcm12", "aes256gcm12", "aes128gcm16", "aes192gcm16",
                                        "aes256gcm16", "aes128ccm8",  "aes192ccm8",  "aes256ccm8",
                                        "aes128ccm12"};

    (void)state;
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "-%s", ciphers[i]);
    assert_true(proposal_parse(&proposal, text, (struct proposal_use){0}, wrong));
    assert_int_equal(proposal.encr.count, 6);
    strcpy(text, "sha256-x25519");
    for (size_t i = 0; i < sizeof(aeads) / sizeof(aeads[0]); i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "-%s", aeads[i]);
        assert_int_equal(proposal_parse(&proposal, text, (struct proposal_use){0}, wrong),
                         i < CONFIG_ALGORITHMS_MAX);
    }
    assert_string_equal(wrong, "\"aes128ccm12\" is one too many; expected at most 12 of a kind");
}

static void a_short_room_cuts_the_text(void **state)
{
    struct proposal proposal;
    char wrong[PROPOSAL_WRONG_MAX];
    char text[16];

    (void)state;
    assert_true(
        proposal_parse(&proposal, "aes256gcm16-prfsha384-ecp384", (struct proposal_use){0}, wrong));
    assert_string_equal(proposal_text(&proposal, text, sizeof(text)), "aes256gcm16-prf");
}

static void selectors_are_read(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } rows[] = {
        {"10.1.0.0/16", "10.1.0.0/16"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"10.0.0.128/25", "10.0.0.128/25"},
        {"10.0.0.5", "10.0.0.5/32"},
        {"[2001:db8::1]/128", "2001:db8::1/128"},
        {"[2001:db8::1]", "2001:db8::1/128"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"::/0", "::/0"},
        {"10.0.0.5 tcp/5432", "10.0.0.5/32 tcp/5432"},
        {"10.0.0.5   tcp", "10.0.0.5/32 tcp"},
        {"sctp", "192.0.2.1/32 sctp"},
        {"tcp/22", "192.0.2.1/32 tcp/22"},
        {"tcp/1000-2000", "192.0.2.1/32 tcp/1000-2000"},
        {"udp/0-65535", "192.0.2.1/32 udp"},
        {"47", "192.0.2.1/32 47"},
        {"6/443", "192.0.2.1/32 tcp/443"},
        {"10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"},
        {"10.0.0.0-10.0.0.255 udp/53", "10.0.0.0/24 udp/53"},
        {"[2001:db8::1]-[2001:db8::9]", "2001:db8::1-2001:db8::9"},
        {"10.0.0.0/8 gre", "10.0.0.0/8 47"},
    };
    struct address host = policy_address("192.0.2.1");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct selector selector;
        char wrong[SELECTOR_WRONG_MAX];
        if (!selector_parse(&selector, rows[i].text, &host, wrong))
            fail_msg("%s: %s", rows[i].text, wrong);
        assert_selector(selector, rows[i].shown);
    }
}

/* RFC 7296 section 3.13.1: type in the upper octet, code in the lower. */
static void icmp_types_stand_for_all_their_codes(void **state)
{
    struct address host = policy_address("2001:db8::1");
    struct selector selector;
    char wrong[SELECTOR_WRONG_MAX];

    (void)state;
    assert_true(selector_parse(&selector, "icmpv6/128-129", &host, wrong));
    assert_int_equal(selector.protocol, 58);
    assert_int_equal(selector.port_start, 0x8000);
    assert_int_equal(selector.port_end, 0x81ff);
    assert_true(selector_parse(&selector, "192.0.2.1 icmp/0", &host, wrong));
    assert_int_equal(selector.port_start, 0);
    assert_int_equal(selector.port_end, 0xff);
}

static void a_selector_without_address_needs_a_host(void **state)
{
    struct address any = {0};
    struct selector selector;
    char wrong[SELECTOR_WRONG_MAX];

    (void)state;
    assert_true(selector_parse(&selector, "10.0.0.1 tcp", &any, wrong));
    assert_false(selector_parse(&selector, "tcp", &any, wrong));
    assert_string_equal(wrong,
                        "no address, and the peer's is not known; expected \"ADDRESS PROTOCOL\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proposals_are_read_and_written),
        cmocka_unit_test(weak_algorithms_need_leave),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(a_short_room_cuts_the_text),
        cmocka_unit_test(selectors_are_read),
        cmocka_unit_test(icmp_types_stand_for_all_their_codes),
        cmocka_unit_test(a_selector_without_address_needs_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
