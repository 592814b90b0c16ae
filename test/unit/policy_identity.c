/*
 * Identities from text, to text, and compared (lib/policy/identity.h).
 */
#include "lib/policy/identity.h"

#include "test/unit/policy.h"

static void texts_become_types_of_the_wire(void **state)
{
    static const struct {
        const char *text;
        uint8_t type;
        const char *hex;
    } rows[] = {
        {"any", IDENTITY_ANY, ""},
        {"192.0.2.1", IDENTITY_IPV4_ADDR, "c0000201"},
        {"2001:db8::1", IDENTITY_IPV6_ADDR, "20010db8000000000000000000000001"},
        {"gw1.example.net", IDENTITY_FQDN, "6777312e6578616d706c652e6e6574"},
        {"db", IDENTITY_FQDN, "6462"},
        {"a@b.example", IDENTITY_RFC822_ADDR, "6140622e6578616d706c65"},
        {"keyid:a b", IDENTITY_KEY_ID, "612062"},
        {"@#00ff7F", IDENTITY_KEY_ID, "00ff7f"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct identity identity = policy_identity(rows[i].text);
        assert_int_equal(identity.type, rows[i].type);
        assert_bytes(slice_of(identity.data, identity.size), rows[i].hex);
    }
}

static void other_texts_are_no_identities(void **state)
{
    static const char *const texts[] = {
        "",   "192.0.2.300", "1.2.3",   "10.0.0.0/8", "2001:db8::g", "a b",    "@a",
        "a@", "a@b c",       "@#",      "@#0",        "@#0g",        "keyid:", "C=DE, O=x",
        "-a", ".a",          "a\x80.b", "%any",       "a@@b",        "a\n",
    };
    char longest[300] = "keyid:";
    struct identity identity;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (identity_parse(&identity, texts[i]))
            fail_msg("\"%s\" was taken", texts[i]);
    memset(longest + 6, 'x', 255);
    assert_true(identity_parse(&identity, longest));
    assert_int_equal(identity.size, 255);
    longest[6 + 255] = 'x';
    assert_false(identity_parse(&identity, longest));
    memset(longest, '0', 2 + 2 * 100);
    memcpy(longest, "@#", 2);
    longest[2 + 2 * 100] = '\0';
    assert_true(identity_parse(&identity, longest));
}

static struct identity raw(uint8_t type, const char *hex)
{
    return identity_of(type, bytes_hex(hex));
}

static void what_a_peer_sent_is_shown_safely(void **state)
{
    static const struct {
        uint8_t type;
        const char *hex;
        const char *text;
    } rows[] = {
        {IDENTITY_IPV4_ADDR, "c0000201", "192.0.2.1"},
        {IDENTITY_IPV4_ADDR, "c00002", "type-1:c00002"},
        {IDENTITY_IPV6_ADDR, "20010db8000000000000000000000001", "2001:db8::1"},
        {IDENTITY_IPV6_ADDR, "c0000201", "type-5:c0000201"},
        {IDENTITY_FQDN, "612e62", "a.b"},
        {IDENTITY_FQDN, "611b5b", "type-2:611b5b"},
        {IDENTITY_FQDN, "", "type-2:"},
        {IDENTITY_RFC822_ADDR, "614062", "a@b"},
        {IDENTITY_KEY_ID, "6162", "keyid:ab"},
        {IDENTITY_KEY_ID, "00ff", "@#00ff"},
        {IDENTITY_DER_ASN1_DN, "3000", "type-9:3000"},
        {IDENTITY_ANY, "", "any"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct identity identity = raw(rows[i].type, rows[i].hex);
        assert_identity(identity, rows[i].text);
    }
    struct identity longest = identity_of(IDENTITY_KEY_ID, bytes_fill(0xff, 255));
    char text[12];
    assert_string_equal(identity_text(&longest, text, sizeof(text)), "@#fffffffff");
    assert_int_equal(identity_of(IDENTITY_KEY_ID, bytes_fill(1, 256)).type, IDENTITY_ANY);
}

/* RFC 4945 sections 3.1.2 and 3.1.3: names without case; KEY_ID is octets. */
static void names_compare_without_case(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool equal;
    } rows[] = {
        {"gw.example.net", "GW.Example.NET", true},
        {"a@b.example", "A@B.example", true},
        {"keyid:a", "keyid:A", false},
        {"keyid:db", "db", false},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"any", "any", true},
        {"any", "db", false},
        {"db", "db2", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct identity a = policy_identity(rows[i].a);
        struct identity b = policy_identity(rows[i].b);
        assert_int_equal(identity_equal(&a, &b), rows[i].equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_types_of_the_wire),
        cmocka_unit_test(other_texts_are_no_identities),
        cmocka_unit_test(what_a_peer_sent_is_shown_safely),
        cmocka_unit_test(names_compare_without_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
