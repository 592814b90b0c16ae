/*
 * Secrets: keys from text, the best one for a pair, and errors that tell none
 * (lib/policy/secrets.h).
 */
#include "lib/policy/secrets.h"

#include <stdio.h>

#include "lib/policy/loss.h"
#include "test/unit/policy.h"

static struct secrets *parse(const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config_text file = {"secrets.conf", slice_text(text)};

    return secrets_parse(&file, 1, error);
}

static struct secrets *parsed(const char *text)
{
    char error[CONFIG_ERROR_MAX];
    struct secrets *secrets = parse(text, error);

    if (secrets == NULL)
        fail_msg("%s", error);
    return secrets;
}

static void assert_psk(const struct secrets *secrets, const char *local, const char *remote,
                       const char *expected)
{
    struct identity a = policy_identity(local);
    struct identity b = policy_identity(remote);
    struct slice psk = {0};
    bool found = secrets_find(secrets, &a, &b, &psk);

    assert_int_equal(found, expected != NULL);
    if (expected != NULL)
        assert_slices(psk, slice_text(expected));
}

static void the_design_s_example_works_both_ways(void **state)
{
    (void)state;
    struct secrets *secrets = parsed("secrets: ( { ids = [ \"192.0.2.1\", \"192.0.2.2\" ]; "
                                     "psk = \"correct horse battery staple\"; } );");

    assert_psk(secrets, "192.0.2.1", "192.0.2.2", "correct horse battery staple");
    assert_psk(secrets, "192.0.2.2", "192.0.2.1", "correct horse battery staple");
    secrets_free(secrets);
}

static void the_best_match_wins_over_the_first(void **state)
{
    (void)state;
    struct secrets *secrets = parsed("secrets: (\n"
                                     "{ psk = \"all\"; },\n"
                                     "{ ids = [ ]; psk = \"all, too late\"; },\n"
                                     "{ ids = \"b.example\"; psk = \"b\"; },\n"
                                     "{ ids = \"a.example\"; psk = \"a\"; },\n"
                                     "{ ids = [ \"a.example\", \"b.example\" ];\n"
                                     "  psk = \"a, b\"; },\n"
                                     "{ ids = ( \"b.example\", \"a.example\" ); psk = \"late\"; }\n"
                                     ");");

    assert_psk(secrets, "a.example", "b.example", "a, b");
    assert_psk(secrets, "B.EXAMPLE", "a.example", "a, b");
    assert_psk(secrets, "A.example", "b.Example", "a, b");
    assert_psk(secrets, "a.example", "c.example", "a");
    assert_psk(secrets, "c.example", "a.example", "a");
    assert_psk(secrets, "b.example", "192.0.2.1", "b");
    assert_psk(secrets, "c.example", "192.0.2.1", "all");
    assert_psk(secrets, "keyid:a.example", "192.0.2.1", "all");
    secrets_free(secrets);
}

/* Who knows the key for a and b must not pass for c. */
static void a_key_for_some_is_not_for_others(void **state)
{
    (void)state;
    struct secrets *secrets =
        parsed("secrets: ( { ids = [ \"a.example\", \"b.example\" ]; psk = \"x\"; } );");

    assert_psk(secrets, "a.example", "c.example", NULL);
    assert_psk(secrets, "c.example", "b.example", NULL);
    assert_psk(secrets, "c.example", "d.example", NULL);
    secrets_free(secrets);
}

static void a_change_is_seen(void **state)
{
    static const char *const texts[] = {
        "secrets: ();",
        "secrets: ( { psk = \"a\"; } );",
        "secrets: ( { psk = \"b\"; } );",
        "secrets: ( { ids = \"a.example\"; psk = \"a\"; } );",
        "secrets: ( { ids = \"b.example\"; psk = \"a\"; } );",
        "secrets: ( { ids = [ \"a.example\", \"b.example\" ]; psk = \"a\"; } );",
        "secrets: ( { psk = \"a\"; }, { psk = \"b\"; } );",
        "secrets: ( { psk = \"b\"; }, { psk = \"a\"; } );",
    };
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            struct secrets *a = parsed(texts[i]);
            struct secrets *b = parsed(texts[j]);
            assert_int_equal(secrets_equal(a, b), i == j);
            assert_int_equal(secrets_equal(a, NULL), i == 0);
            assert_int_equal(secrets_equal(NULL, b), j == 0);
            secrets_free(a);
            secrets_free(b);
        }
}

static void several_files_make_one_list(void **state)
{
    const struct config_text files[] = {
        {"a", slice_text("secrets: ( { ids = \"a.example\"; psk = \"first\"; } );")},
        {"b", slice_text("secrets: ( { ids = \"a.example\"; psk = \"second\"; },"
                         " { ids = \"b.example\"; psk = \"b\"; } );")},
    };
    char error[CONFIG_ERROR_MAX];

    (void)state;
    struct secrets *secrets = secrets_parse(files, 2, error);
    assert_non_null(secrets);
    assert_psk(secrets, "x.example", "a.example", "first");
    assert_psk(secrets, "a.example", "b.example", "first");
    assert_psk(secrets, "x.example", "b.example", "b");
    secrets_free(secrets);
    secrets = secrets_parse(NULL, 0, error);
    assert_non_null(secrets);
    assert_psk(secrets, "a.example", "b.example", NULL);
    secrets_free(secrets);
}

/* RFC 4648 section 10 for base64. */
static void keys_are_text_hex_or_base64(void **state)
{
    static const struct {
        const char *psk;
        const char *hex;
    } rows[] = {
        {"foobar", "666f6f626172"},  {"0x00fF10", "00ff10"},         {"0sZg==", "66"},
        {"0sZm8=", "666f"},          {"0sZm9v", "666f6f"},           {"0sZm9vYg==", "666f6f62"},
        {"0sZm9vYmE", "666f6f6261"}, {"0sZm9vYmFy", "666f6f626172"}, {"0s+/+/", "fbffbf"},
        {"\xc3\xa4", "c3a4"},        {" 0x00", "2030783030"},        {"0X00", "30583030"},
    };
    struct identity id = policy_identity("a.example");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[128];
        struct slice psk;
        snprintf(text, sizeof(text), "secrets: ( { psk = \"%s\"; } );", rows[i].psk);
        struct secrets *secrets = parsed(text);
        assert_true(secrets_find(secrets, &id, &id, &psk));
        assert_bytes(psk, rows[i].hex);
        secrets_free(secrets);
    }
}

#define UNDECODED                                                                             \
    "secrets.conf:1: psk: cannot be decoded; expected pairs of hex digits behind \"0x\", or " \
    "base64 behind \"0s\""
#define PSK_WANTED "expected psk = \"...\", \"0x\" and hex, or \"0s\" and base64"

static void errors_say_where_and_never_what(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"secrets: ( { psk = \"0xhunter2\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0xa\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0shunter2hunter2!\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0sZh==\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0sA\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0sZm9vA\"; } );", UNDECODED},
        {"secrets: ( { psk = \"0sZm9v=\"; } );", UNDECODED},
        {"secrets: ( { psk = \"\"; } );", "secrets.conf:1: psk: empty; " PSK_WANTED},
        {"secrets: ( { psk = \"0x\"; } );", "secrets.conf:1: psk: empty; " PSK_WANTED},
        {"secrets: ( { psk = 12345678; } );", "secrets.conf:1: psk: no text; " PSK_WANTED},
        {"secrets: (\n{ ids = \"a.example\"; } );", "secrets.conf:2: secrets: no psk; " PSK_WANTED},
        {"secrets: ( { ids = \"hunter 2\"; psk = \"x\"; } );",
         "secrets.conf:1: ids: (not shown); expected an address, \"host.name\", "
         "\"user@host\", \"keyid:text\" or \"@#hex\""},
        {"secrets: ( { ids = \"any\"; psk = \"x\"; } );",
         "secrets.conf:1: ids: (not shown); expected an address, \"host.name\", "
         "\"user@host\", \"keyid:text\" or \"@#hex\""},
        {"secrets: ( { ids = 12345678; psk = \"x\"; } );",
         "secrets.conf:1: ids: (not shown); expected an address, \"host.name\", "
         "\"user@host\", \"keyid:text\" or \"@#hex\""},
        {"secrets: ( { pks = \"hunter2\"; } );",
         "secrets.conf:1: pks: no such key; the nearest is \"psk\""},
        {"secrets: { psk = \"hunter2\"; };",
         "secrets.conf:1: secrets: not a list; expected secrets: ( { ids = [ ... ]; psk = "
         "\"...\"; } );"},
        {"secrets: ( \"hunter2\" );",
         "secrets.conf:1: secrets: not a group; expected { ids = [ ... ]; psk = \"...\"; }"},
        {"secrets: ( { psk = \"hunter2 } );",
         "secrets.conf:1: no second '\"' in this line; expected the value between two"},
        {"secrets: ( { psk = hunter2\"; } );",
         "secrets.conf:1: a value without double quotes; expected it between two"},
        {"secrets: ( { psk = \"x\" hunter2/ = 1; } );",
         "secrets.conf:1: a word where a name should stand; expected letters, digits, '-' and '_'"},
        {"secrets: ( { psk = \"x\" hunter2 2; } );",
         "secrets.conf:1: a word behind the name; expected '=' or ':'"},
        {"secrets: ( { ids = [ \"x\" hunter2 ]; } );",
         "secrets.conf:1: a word; expected ',' or ']'"},
        {"secrets: (\n  { psk = \"hunter2\";\n);",
         "secrets.conf:3: ')'; expected '}' for the '{' of line 2"},
        {"secrets: ( { psk = 99999999999; } );",
         "secrets.conf:1: a number beyond 32 bits; expected none"},
        {"connections: { };",
         "secrets.conf:1: connections: no such key; the nearest is \"secrets\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char error[CONFIG_ERROR_MAX];
        assert_null(parse(rows[i].text, error));
        assert_string_equal(error, rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_design_s_example_works_both_ways),
        cmocka_unit_test(the_best_match_wins_over_the_first),
        cmocka_unit_test(a_key_for_some_is_not_for_others),
        cmocka_unit_test(a_change_is_seen),
        cmocka_unit_test(several_files_make_one_list),
        cmocka_unit_test(keys_are_text_hex_or_base64),
        cmocka_unit_test(errors_say_where_and_never_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
