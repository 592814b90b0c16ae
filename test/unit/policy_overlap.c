/*
 * Whose traffic it is, by what is configured and held (lib/policy/overlap.h).
 */
#include "lib/policy/overlap.h"

#include <stdio.h>

#include "lib/policy/known.h"
#include "lib/policy/selector.h"
#include "test/unit/policy.h"

#define TUNNEL(name, remote, more)                                                        \
    name ": { local = \"192.0.2.1\"; remote = \"" remote "\"; children: { net: { mode = " \
         "\"tunnel\"; " more " }; }; };"

/* a may have what is broad; b is configured for a part of it. */
static const char two[] =
    "connections: {" TUNNEL("a", "192.0.2.2", "local = \"172.16.0.0/16\"; remote = \"10.0.0.0/8\";")
        TUNNEL("b", "192.0.2.3", "local = \"172.16.0.0/16\"; remote = \"10.1.0.0/16\";") "};";

static struct selector selector_of(const char *text)
{
    struct selector selector;
    char wrong[SELECTOR_WRONG_MAX];

    if (!selector_parse(&selector, text, &(struct address){0}, wrong))
        fail_msg("%s: %s", text, wrong);
    return selector;
}

static const struct child_config *child_of(const struct config *config, const char *name)
{
    return TAILQ_FIRST(&config_find(config, name)->children);
}

/* The connection of whose configured traffic `name` would take something by asking for this; ""
 * none. */
static const char *configured(const struct config *config, const char *name, const char *local,
                              const char *remote)
{
    static struct asked asked;
    struct selector ours = selector_of(local);
    struct selector theirs = selector_of(remote);
    struct traffic traffic = {child_of(config, name), &ours, &theirs};

    assert_true(asked_set(&asked, &traffic));
    const struct configured_pair *pair = asked_configured(&asked, config);
    return pair == NULL ? "" : pair->child->connection->name;
}

static bool takes_held(const struct config *config, const char *name, const char *asked_remote,
                       const char *holder, const char *held_remote)
{
    static struct asked asked;
    struct selector local = selector_of("172.16.0.0/16");
    struct selector theirs = selector_of(asked_remote);
    struct selector others = selector_of(held_remote);
    struct traffic traffic = {child_of(config, name), &local, &theirs};
    struct traffic other = {child_of(config, holder), &local, &others};

    assert_true(asked_set(&asked, &traffic));
    return asked_takes(&asked, &other, true);
}

static void a_part_of_the_narrower_rule_is_not_taken(void **state)
{
    struct config *config = policy_config(two);
    (void)state;

    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.1.2.0/24"), "b");
    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.1.0.0/16"), "b");
    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.1.0.0-10.2.0.0"), "b");
    assert_string_equal(configured(config, "a", "172.16.1.1", "10.1.2.3"), "b");
    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.1.2.0/24 tcp/22"), "b");
    config_free(config);
}

static void what_the_kernel_gives_the_other_anyway_is_no_matter(void **state)
{
    struct config *config = policy_config(two);
    (void)state;

    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.0.0.0/8"), "");
    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.0.0.0/9"), "");
    assert_string_equal(configured(config, "a", "172.16.0.0/16", "10.2.0.0/16"), "");
    assert_string_equal(configured(config, "b", "172.16.0.0/16", "10.1.0.0/16"), "");
    assert_string_equal(configured(config, "b", "172.16.0.0/16", "10.1.2.0/24"), "");
    config_free(config);
}

/* A /9 that is asked for with one port is narrower in the kernel's order only by what ports count,
 * which is less than one bit of an address. */
static void ports_weigh_less_than_addresses(void **state)
{
    struct config *config = policy_config(two);
    (void)state;

    assert_string_equal(configured(config, "a", "172.16.0.0/16 tcp/1", "10.0.0.0/9 tcp/1"), "");
    assert_string_equal(configured(config, "a", "172.16.0.0/16 tcp/1", "10.1.0.0/16 tcp/1"), "b");
    /* With 24 more bits of ours, whatever the remote side, it goes before the /16. */
    assert_string_equal(configured(config, "a", "172.16.5.0/24", "10.0.0.0/9"), "b");
    config_free(config);
}

static void what_is_held_stays(void **state)
{
    struct config *config = policy_config(two);
    (void)state;

    /* The holder is configured for something broader, but has this part in hand. */
    assert_true(takes_held(config, "b", "10.1.2.0/24", "a", "10.1.2.0/24"));
    assert_true(takes_held(config, "b", "10.1.2.7", "a", "10.1.2.0/24"));
    assert_false(takes_held(config, "b", "10.1.0.0/16", "a", "10.1.2.0/24"));
    /* What it has in hand is broader than what the other is configured for. */
    assert_false(takes_held(config, "b", "10.1.2.0/24", "a", "10.0.0.0/8"));
    assert_false(takes_held(config, "b", "10.1.0.0/16", "a", "10.0.0.0/8"));
    assert_false(takes_held(config, "b", "10.1.3.0/24", "a", "10.1.2.0/24"));
    /* Of two peers of one rule the first keeps all of it. */
    assert_true(takes_held(config, "a", "10.9.0.0/16", "a", "10.9.0.0/16"));
    assert_true(takes_held(config, "a", "10.9.0.5", "a", "10.9.0.0/16"));
    assert_true(takes_held(config, "a", "10.9.0.5", "a", "10.0.0.0/8"));
    config_free(config);
}

static void what_only_prefers_protection_takes_nothing_that_requires_it(void **state)
{
    struct config *config = policy_config(
        "connections: { a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { all: { "
        "policy = \"prefer\"; }; }; }; b: { local = \"192.0.2.1\"; remote = { address = "
        "\"192.0.2.2\"; id = \"b.example\"; }; children: { web: { local = \"tcp/80\"; remote = "
        "\"tcp\"; }; }; }; };");
    (void)state;

    assert_string_equal(configured(config, "a", "192.0.2.1 tcp/80", "192.0.2.2 tcp/1000"), "");
    config_free(config);
}

static void a_peer_with_several_addresses_has_each(void **state)
{
    struct config *config = policy_config(
        "connections: { a: { local = \"192.0.2.1\"; remote = \"192.0.2.9\"; children: { net: { "
        "mode = \"tunnel\"; local = \"192.0.2.1\"; remote = \"192.0.2.0/24\"; }; }; }; b: { local "
        "= \"192.0.2.1\"; remote = [ \"192.0.2.3\", \"b.example\" ]; }; };");
    struct address learned = policy_address("192.0.2.4");
    const struct places none = {0};
    (void)state;

    assert_string_equal(configured(config, "a", "192.0.2.1", "192.0.2.3"), "b");
    assert_string_equal(configured(config, "a", "192.0.2.1", "192.0.2.4"), "");
    config_learn(config, config_find(config, "b"), &learned, 1, &none);
    assert_string_equal(configured(config, "a", "192.0.2.1", "192.0.2.4"), "b");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_the_narrower_rule_is_not_taken),
        cmocka_unit_test(what_the_kernel_gives_the_other_anyway_is_no_matter),
        cmocka_unit_test(ports_weigh_less_than_addresses),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(what_only_prefers_protection_takes_nothing_that_requires_it),
        cmocka_unit_test(a_peer_with_several_addresses_has_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
