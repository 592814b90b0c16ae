/*
 * Which connection a peer is for (lib/policy/match.h).
 */
#include "lib/policy/match.h"

#include <stdio.h>

#include "test/unit/policy.h"

static const char hosts[] =
    "connections: {\n"
    "  any1: { local = \"192.0.2.1\"; remote = \"any\"; };\n"
    "  one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };\n"
    "  elsewhere: { local = \"192.0.2.9\"; remote = \"192.0.2.2\"; };\n"
    "  two: { local = \"192.0.2.1\";\n"
    "         remote = { address = \"192.0.2.2\"; id = \"b.example\"; }; };\n"
    "  other: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; };\n"
    "  six: { local = \"2001:db8::1\"; remote = \"any\"; };\n"
    "  any2: { local = { address = \"192.0.2.1\"; id = \"a.example\"; };\n"
    "          remote = { address = \"any\"; id = \"c@d.example\"; }; };\n"
    "};\n";

static void assert_order(const struct config *config, const char *local_text,
                         const char *remote_text, const char *expected)
{
    struct address local = policy_address(local_text);
    struct address remote = policy_address(remote_text);
    const struct connection *connection = NULL;
    char order[128] = "";

    local.port = 500; /* ports do not matter here */
    remote.port = 4500;
    while ((connection = choose_connection(config, 2, &local, &remote, connection)) != NULL)
        snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s ", connection->name);
    assert_string_equal(order, expected);
}

static void exact_connections_come_before_any(void **state)
{
    struct config *config = policy_config(hosts);

    (void)state;
    assert_order(config, "192.0.2.1", "192.0.2.2", "one two any1 any2 ");
    assert_order(config, "192.0.2.1", "192.0.2.3", "other any1 any2 ");
    assert_order(config, "192.0.2.1", "198.51.100.1", "any1 any2 ");
    assert_order(config, "192.0.2.9", "192.0.2.2", "elsewhere ");
    assert_order(config, "192.0.2.9", "192.0.2.3", "");
    assert_order(config, "2001:db8::1", "2001:db8::2", "six ");
    config_free(config);
}

static void identities_decide(void **state)
{
    struct config *config = policy_config(hosts);
    const struct connection *one = config_find(config, "one");
    const struct connection *any1 = config_find(config, "any1");
    const struct connection *any2 = config_find(config, "any2");
    struct identity us = policy_identity("192.0.2.1");
    struct identity named = policy_identity("a.example");
    struct identity peer = policy_identity("192.0.2.2");
    struct identity mail = policy_identity("C@D.example");

    (void)state;
    assert_true(connection_accepts(one, &us, &peer));
    assert_true(connection_accepts(one, NULL, &peer));
    assert_false(connection_accepts(one, &named, &peer));
    assert_false(connection_accepts(one, &us, &mail));
    assert_true(connection_accepts(any1, &us, &mail));
    assert_false(connection_accepts(any1, &named, &mail));
    assert_true(connection_accepts(any2, &named, &mail));
    assert_false(connection_accepts(any2, &named, &peer));
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_connections_come_before_any),
        cmocka_unit_test(identities_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
