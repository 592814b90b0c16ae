/*
 * What a reload finds to differ (lib/policy/config.h).
 */
#include <stdio.h>

#include "lib/policy/diff.h"
#include "lib/policy/loss.h"
#include "test/unit/policy.h"

struct seen {
    char text[256];
};

static void note(void *context, enum config_change change, const struct connection *before,
                 const struct connection *after)
{
    static const char marks[] = {
        [CONFIG_SAME] = '=', [CONFIG_ADDED] = '+', [CONFIG_CHANGED] = '~', [CONFIG_REMOVED] = '-'};
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    assert_int_equal(before != NULL, change != CONFIG_ADDED);
    assert_int_equal(after != NULL, change != CONFIG_REMOVED);
    snprintf(seen->text + used, sizeof(seen->text) - used, "%c%s ", marks[change],
             before != NULL ? before->name : after->name);
}

static void assert_diff(const char *before, const char *after, const char *expected)
{
    struct config *old = before != NULL ? policy_config(before) : NULL;
    struct config *new = after != NULL ? policy_config(after) : NULL;
    struct seen seen = {""};

    config_diff(old, new, note, &seen);
    assert_string_equal(seen.text, expected);
    config_free(old);
    config_free(new);
}

#define HOSTS(name, more) name ": { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; " more " };\n"
#define ALL(connections)  "connections: {\n" connections "};"

static void added_changed_and_removed_ones_are_told(void **state)
{
    (void)state;
    assert_diff(ALL(HOSTS("a", "") HOSTS("b", "") HOSTS("c", "")),
                ALL(HOSTS("d", "") HOSTS("c", "lifetime = \"2h\";") HOSTS("a", "")),
                "=a -b ~c +d ");
    assert_diff(NULL, ALL(HOSTS("a", "")), "+a ");
    assert_diff(ALL(HOSTS("a", "")), NULL, "-a ");
    assert_diff(NULL, NULL, "");
}

static void place_order_and_spelling_do_not_count(void **state)
{
    (void)state;
    assert_diff(
        ALL(HOSTS("a", "children: { x: { mode = \"tunnel\"; };"
                       " y: { local = \"tcp/22\"; }; };")),
        "\n\n# moved\n" ALL(HOSTS("a", "version = 2; lifetime = 28800; children: {"
                                       " y: { local = [ \"192.0.2.1/32 tcp/22-22\" ]; };"
                                       " x: { lifetime = \"60m\"; mode = \"tunnel\"; }; };")),
        "=a ");
}

/* Each row alone makes a connection another one. */
static void every_setting_counts(void **state)
{
    static const char *const changes[] = {
        "lifetime = \"9h\";",
        "liveness = \"20s\";",
        "liveness = \"off\";",
        "on_dead = \"restart\";",
        "weak = true;",
        "sas_max = 15;",
        "reauth = \"1d\";",
        "children_max = 3;",
        "encapsulate = true;",
        "childless = true;",
        "children: { a: { mode = \"tunnel\"; }; }; mobike = false;",
        "keepalive = \"30s\";",
        "fragmentation = false;",
        "fragment_size = 1400;",
        "proposals = \"aes256gcm16-prfsha384-x25519\";",
        "proposals = [ \"aes256gcm16-prfsha384-x25519\", \"aes256-sha256-x25519\" ];",
        "children: { a: { mode = \"tunnel\"; }; };",
        "children: { b: { }; };",
        "children: { a: { }; b: { }; };",
        "children: { a: { local = \"tcp\"; }; };",
        "children: { a: { remote = \"tcp\"; }; };",
        "children: { a: { local = [ \"tcp\", \"udp\" ]; }; };",
        "children: { a: { esp = \"aes256gcm16\"; }; };",
        "children: { a: { esp = \"aes256gcm16-esn\"; }; };",
        "children: { a: { esp = \"aes256gcm16-noesn\"; }; };",
        "children: { a: { esp = \"aes256gcm16-x25519\"; }; };",
        "children: { a: { esp = \"aes256-sha256\"; }; };",
        "children: { a: { lifetime = \"2h\"; }; };",
        "children: { a: { bytes = \"1G\"; }; };",
        "children: { a: { packets = 7; }; };",
        "children: { a: { start = \"never\"; }; };",
        "children: { a: { policy = \"prefer\"; }; };",
        "children: { a: { replay_window = 64; }; };",
    };
    enum { COUNT = sizeof(changes) / sizeof(changes[0]) };
    struct config *configs[COUNT + 1];

    (void)state;
    configs[COUNT] = policy_config(ALL(HOSTS("a", "")));
    for (size_t i = 0; i < COUNT; i++) {
        char text[512];
        snprintf(text, sizeof(text), ALL(HOSTS("a", "%s")), changes[i]);
        configs[i] = policy_config(text);
    }
    for (size_t i = 0; i <= COUNT; i++)
        for (size_t k = 0; k <= COUNT; k++)
            assert_int_equal(
                connection_equal(config_find(configs[i], "a"), config_find(configs[k], "a")),
                i == k);
    for (size_t i = 0; i <= COUNT; i++)
        config_free(configs[i]);
}

static void the_ends_count(void **state)
{
    static const char *const ends[] = {
        "local = \"192.0.2.1\"; remote = \"192.0.2.2\";",
        "local = \"192.0.2.3\"; remote = \"192.0.2.2\";",
        "local = \"192.0.2.1\"; remote = \"192.0.2.3\";",
        "local = \"192.0.2.1\"; remote = \"any\";",
        "local = { address = \"192.0.2.1\"; id = \"a.example\"; }; remote = \"192.0.2.2\";",
        "local = \"192.0.2.1\"; remote = { address = \"192.0.2.2\"; id = \"a.example\"; };",
        "local = \"192.0.2.1\"; remote = { address = \"192.0.2.2\"; id = \"keyid:a.example\"; };",
    };
    enum { COUNT = sizeof(ends) / sizeof(ends[0]) };
    struct config *configs[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        char text[512];
        snprintf(text, sizeof(text), ALL("a: { %s };"), ends[i]);
        configs[i] = policy_config(text);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++)
            assert_int_equal(
                connection_equal(config_find(configs[i], "a"), config_find(configs[k], "a")),
                i == k);
    for (size_t i = 0; i < COUNT; i++)
        config_free(configs[i]);
}

/* These two names meet in the reqids' 22 bits: without the first the second gets another one. */
static void another_reqid_is_a_change(void **state)
{
    (void)state;
    assert_diff(ALL(HOSTS("c1394", "") HOSTS("c2023", "")), ALL(HOSTS("c2023", "")),
                "-c1394 ~c2023 ");
}

/* --- What is lost --- */

static void assert_loss(const char *before_text, const char *after_text, const char *said)
{
    struct config *before = policy_config(before_text);
    struct config *after = policy_config(after_text);
    char text[CONFIG_ERROR_MAX];
    bool loses = config_loses_most(before, after, text);

    if (loses != (said != NULL) || (loses && strcmp(text, said) != 0))
        fail_msg("\"%s\" to \"%s\": %s", before_text, after_text, loses ? text : "no loss");
    config_free(before);
    config_free(after);
}

#define NET(name, remote, network)                                                 \
    name ": { local = \"192.0.2.1\"; remote = \"" remote "\"; children: { net: { " \
         "mode = \"tunnel\"; local = \"10.1.0.0/16\"; remote = \"" network "\"; }; }; };"

static void more_than_half_is_too_much(void **state)
{
    static const char two[] =
        ALL(NET("a", "192.0.2.2", "10.2.0.0/16") NET("b", "192.0.2.3", "10.3.0.0/16"));
    static const char three[] = ALL(NET("a", "192.0.2.2", "10.2.0.0/16") NET(
        "b", "192.0.2.3", "10.3.0.0/16") NET("c", "any", "10.4.0.0/16"));

    (void)state;
    assert_loss(ALL(""), ALL(""), NULL);
    assert_loss(two, two, NULL);
    assert_loss(two, ALL(NET("a", "192.0.2.2", "10.2.0.0/16")), NULL);
    assert_loss(two, ALL(""), "2 of 2 connections would go: a, b");
    assert_loss(ALL(HOSTS("a", "")), ALL(""), "1 of 1 connection would go: a");
    assert_loss(three, ALL(NET("c", "any", "10.4.0.0/16")), "2 of 3 connections would go: a, b");
}

/* Others for the same traffic are none; others for other traffic, and for less, are. */
static void another_name_is_no_loss(void **state)
{
    (void)state;
    assert_loss(ALL(HOSTS("a", "")), ALL(HOSTS("b", "")), NULL);
    assert_loss(ALL(NET("a", "192.0.2.2", "10.2.0.0/16")), ALL(NET("b", "any", "10.2.0.0/16")),
                NULL);
    assert_loss(ALL(NET("a", "192.0.2.2", "10.2.0.0/16")),
                ALL(NET("b", "192.0.2.2", "10.2.0.0/17")), "1 of 1 connection would go: a");
    assert_loss(ALL("a: { local = \"192.0.2.1\"; remote = \"any\"; };"),
                ALL("b: { local = \"192.0.2.1\"; remote = \"any\"; };"),
                "1 of 1 connection would go: a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_changed_and_removed_ones_are_told),
        cmocka_unit_test(place_order_and_spelling_do_not_count),
        cmocka_unit_test(every_setting_counts),
        cmocka_unit_test(the_ends_count),
        cmocka_unit_test(another_reqid_is_a_change),
        cmocka_unit_test(more_than_half_is_too_much),
        cmocka_unit_test(another_name_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
