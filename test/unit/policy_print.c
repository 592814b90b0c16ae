/*
 * What is in force, printed and read again (connection_print in lib/policy/config.h): the text is
 * taken, means the same, and holds every key that can be written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/policy/connection.h"
#include "lib/policy/diff.h"
#include "lib/policy/print.h"
#include "test/unit/policy.h"

/* Every key of each group has a value that is not its default. */
static const char everything[] =
    "daemon: { half_open_max = 11; cookie_threshold = 12; source_half_open_max = 13;\n"
    "  source_cookie_threshold = 14; half_open_lifetime = \"15s\"; retransmit = \"1700ms\";\n"
    "  retransmit_tries = 7; on_exit = \"clear\"; on_failure = \"open\"; };\n"
    "connections: {\n"
    "  every: { version = 2;\n"
    "    local = { address = \"192.0.2.1\"; id = \"keyid:a\\\"b\\\\c\"; auth = \"psk\"; };\n"
    "    remote = { address = [ \"192.0.2.2\", \"gw.example.net\" ]; id = \"@#00ff\"; };\n"
    "    proposals = [ \"aes128-sha1-prfsha1-modp2048\", \"aes256gcm16-prfsha384-ecp384\" ];\n"
    "    lifetime = \"2h\"; reauth = \"7d\"; children_max = 3; sas_max = 4; encapsulate = true;\n"
    "    keepalive = \"31s\"; childless = true; mobike = false; fragmentation = false;\n"
    "    fragment_size = 600; weak = true; liveness = \"off\"; on_dead = \"restart\";\n"
    "    children: {\n"
    "      a: { mode = \"tunnel\"; start = \"immediate\"; lifetime = \"61s\"; bytes = \"64G\";\n"
    "           packets = 5000000000L; replay_window = 0; esp = \"aes256gcm16\";\n"
    "           local = [ \"10.1.0.0/16 tcp/443\", \"10.2.0.1-10.2.0.7 udp/1-9\" ];\n"
    "           remote = [ \"10.3.0.0/16\", \"10.5.0.1 tcp/22\" ]; };\n"
    "      i: { mode = \"tunnel\"; local = \"10.1.0.0/16 icmp/8\"; remote = \"10.4.0.0/16\"; };\n"
    "      b: { mode = \"tunnel\"; start = \"never\"; bytes = \"1000001\";\n"
    "           local = \"fd00::/64 sctp\"; remote = \"fd01::1 132\"; }; }; };\n"
    "  soft: { local = \"2001:db8::1\"; remote = \"2001:db8::2\"; on_dead = \"clear\";\n"
    "    children: { c: { policy = \"prefer\"; local = \"tcp/22\"; }; }; };\n"
    "};\n";

/* What most leave to its default. */
static const char plain[] =
    "connections: {\n"
    "  short: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };\n"
    "  named: { local = \"192.0.2.1\"; remote = \"gw.example.net\"; };\n"
    "  road: { local = \"192.0.2.1\"; remote = { address = \"any\"; id = \"any\"; }; };\n"
    "  user: { local = { address = \"any\"; id = \"a@b.example\"; }; remote = \"192.0.2.3\";\n"
    "    children: { n: { mode = \"tunnel\"; local = \"10.1.0.0/16\"; }; }; };\n"
    "};\n";

static char *printed(const struct config *config)
{
    const struct connection *connection;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    daemon_print(out, &config->daemon);
    fputs("connections: {\n", out);
    TAILQ_FOREACH (connection, &config->connections, entry)
        connection_print(out, connection);
    fputs("};\n", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void same(void *context, enum config_change change, const struct connection *before,
                 const struct connection *after)
{
    size_t *count = context;

    (void)after;
    if (change != CONFIG_SAME)
        fail_msg("%s: %d", before != NULL ? before->name : "", change);
    ++*count;
}

static void means_the_same_when_printed(const char *written)
{
    struct config *config = policy_config(written);
    char *text = printed(config);
    struct config *again = policy_config(text);
    size_t count = 0;

    config_diff(config, again, same, &count);
    assert_int_equal(count, config->connection_count);
    assert_true(daemon_equal(&config->daemon, &again->daemon));
    char *twice = printed(again);
    assert_string_equal(twice, text);
    free(twice);
    free(text);
    config_free(again);
    config_free(config);
}

static void what_is_printed_means_the_same(void **state)
{
    (void)state;
    means_the_same_when_printed(plain);
    means_the_same_when_printed(everything);
}

static void the_installed_example_means_the_same(void **state)
{
    (void)state;
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen("etc/iked.conf", "r");

    assert_non_null(file);
    assert_true(getdelim(&text, &room, '\0', file) > 0);
    fclose(file);
    means_the_same_when_printed(text);
    free(text);
}

/* --- All keys, and all of them looked at --- */

static void printed_has(const char *text, const struct key_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        char assigned[80];
        char opened[80];
        if (key->type == NULL || key->type == &key_alias)
            continue;
        snprintf(assigned, sizeof(assigned), " %s = ", key->name);
        snprintf(opened, sizeof(opened), " %s: {", key->name);
        if (strstr(text, assigned) == NULL && strstr(text, opened) == NULL)
            fail_msg("%s is not printed", key->name);
    }
}

static void every_key_is_printed(void **state)
{
    (void)state;
    struct config *config = policy_config(everything);
    char *text = printed(config);

    printed_has(text, &daemon_table);
    printed_has(text, &connection_table);
    printed_has(text, &endpoint_table);
    printed_has(text, &child_table);
    free(text);
    config_free(config);
}

/* A field that is left to its default in the text above tests nothing. */
static void every_field_is_another_than_its_default(const struct key_table *table,
                                                    const void *target, const void *initial)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        if (key->width > 0 && key->type->equal(key, target, initial))
            fail_msg("%s has its default", key->name);
    }
}

static void every_field_was_set(void **state)
{
    (void)state;
    struct config *config = policy_config(everything);
    const struct connection *every = config_find(config, "every");
    struct daemon_settings daemon = {0};
    struct connection connection = {0};
    struct child_config child = {0};

    keys_initial(&daemon_table, &daemon);
    keys_initial(&connection_table, &connection);
    keys_initial(&child_table, &child);
    child.policy = POLICY_PREFER; /* no child of a tunnel: see `soft` */
    every_field_is_another_than_its_default(&daemon_table, &config->daemon, &daemon);
    every_field_is_another_than_its_default(&connection_table, every, &connection);
    every_field_is_another_than_its_default(&child_table, connection_find_child(every, "a"),
                                            &child);
    assert_int_equal(connection_find_child(config_find(config, "soft"), "c")->policy,
                     POLICY_PREFER);
    config_free(config);
}

static void a_change_of_any_field_is_a_change(const struct key_table *table, void *a, const void *b,
                                              size_t size)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        if (key->width == 0)
            continue;
        memcpy(a, b, size);
        ((uint8_t *)a)[key->offset] ^= 1;
        if (keys_equal(table, a, b))
            fail_msg("%s is not compared", key->name);
    }
}

static void every_field_is_compared(void **state)
{
    (void)state;
    struct config *config = policy_config(everything);
    const struct connection *every = config_find(config, "every");
    struct daemon_settings daemon;
    struct connection connection;
    struct child_config child;

    a_change_of_any_field_is_a_change(&daemon_table, &daemon, &config->daemon, sizeof(daemon));
    a_change_of_any_field_is_a_change(&connection_table, &connection, every, sizeof(connection));
    a_change_of_any_field_is_a_change(&child_table, &child, connection_find_child(every, "a"),
                                      sizeof(child));
    config_free(config);
}

static void one_connection_is_golden(void **state)
{
    (void)state;
    struct config *config = policy_config(plain);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    connection_print(out, config_find(config, "user"));
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        text, "  user: {\n"
              "    version = 2;\n"
              "    local: {\n"
              "      address = \"any\";\n"
              "      id = \"a@b.example\";\n"
              "      auth = \"psk\";\n"
              "    };\n"
              "    remote: {\n"
              "      address = \"192.0.2.3\";\n"
              "      id = \"192.0.2.3\";\n"
              "      auth = \"psk\";\n"
              "    };\n"
              "    proposals = [ \"aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-"
              "prfsha512-x25519-ecp256-ecp384-x448-modp3072-modp4096-modp2048\", \"aes256-aes128-"
              "sha256-sha384-sha512-prfsha384-prfsha256-prfsha512-x25519-ecp256-ecp384-x448-"
              "modp3072-modp4096-modp2048\" ];\n"
              "    lifetime = \"8h\";\n"
              "    children_max = 64;\n"
              "    sas_max = 16;\n"
              "    encapsulate = false;\n"
              "    keepalive = \"20s\";\n"
              "    childless = false;\n"
              "    mobike = true;\n"
              "    fragmentation = true;\n"
              "    fragment_size = 1280;\n"
              "    weak = false;\n"
              "    liveness = \"1m\";\n"
              "    on_dead = \"trap\";\n"
              "    children: {\n"
              "      n: {\n"
              "        mode = \"tunnel\";\n"
              "        local = [ \"10.1.0.0/16\" ];\n"
              "        remote = [ \"192.0.2.3/32\" ];\n"
              "        esp = [ \"aes256gcm16-aes128gcm16-chacha20poly1305\", \"aes256-aes128-"
              "sha256-sha512\" ];\n"
              "        lifetime = \"1h\";\n"
              "        start = \"traffic\";\n"
              "        policy = \"require\";\n"
              "        replay_window = 128;\n"
              "      };\n"
              "    };\n"
              "  };\n");
    free(text);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_means_the_same),
        cmocka_unit_test(the_installed_example_means_the_same),
        cmocka_unit_test(every_key_is_printed),
        cmocka_unit_test(every_field_was_set),
        cmocka_unit_test(every_field_is_compared),
        cmocka_unit_test(one_connection_is_golden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
