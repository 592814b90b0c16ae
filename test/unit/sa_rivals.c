/*
 * What is left of a request when others have a part of it (lib/sa/child_rivals.h), and what finding
 * that costs: whoever asks in IKE_AUTH is not authenticated yet.
 */
#include "lib/sa/child_rivals.h"

#include <stdio.h>

#include "lib/policy/selector.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "test/unit/policy.h"

#define SIDE CONFIG_SELECTORS_MAX

static size_t looks; /* at a configured pair's addresses */

static void (*configured_range)(const struct interval *node, struct interval_range *range);

static void counted_range(const struct interval *node, struct interval_range *range)
{
    looks++;
    configured_range(node, range);
}

static struct selector net_of(const char *format, unsigned number)
{
    struct selector selector;
    char text[SELECTOR_TEXT_MAX];
    char wrong[SELECTOR_WRONG_MAX];

    snprintf(text, sizeof(text), format, number);
    assert_true(selector_parse(&selector, text, &(struct address){0}, wrong));
    return selector;
}

/* Anybody may ask for anything; all but the last of the peer's networks are configured for others,
 * with the last of ours. */
static struct config *crowded(void)
{
    char text[8192] =
        "connections: { any: { local = \"192.0.2.1\"; remote = { address = \"any\"; "
        "id = \"any\"; }; children: { net: { mode = \"tunnel\"; local = \"0.0.0.0/0\"; "
        "remote = \"0.0.0.0/0\"; }; }; };";

    for (unsigned i = 0; i + 1 < SIDE; i++)
        snprintf(
            text + strlen(text), sizeof(text) - strlen(text),
            "c%u: { local = \"192.0.2.1\"; remote = \"198.51.100.%u\"; children: { net: { mode "
            "= \"tunnel\"; local = \"172.16.0.0/16\"; remote = \"10.%u.0.0/16\"; }; }; };",
            i, i + 1, i);
    strcat(text, "};");
    return policy_config(text);
}

static void each_pair_is_looked_at_once(void **state)
{
    struct config *config = crowded();
    struct sa_table table = {0};
    struct context context = {.config = config, .sas = &table};
    const struct child_config *any = TAILQ_FIRST(&config_find(config, "any")->children);
    struct ike_sa sa = {.connection = any->connection};
    struct narrowed left = {.local_count = SIDE, .remote_count = SIDE};
    struct reason reason = {0};
    (void)state;

    for (unsigned i = 0; i < SIDE; i++) {
        left.local[i] = i + 1 < SIDE ? net_of("192.168.%u.0/24", i) : net_of("172.16.0.0/16", i);
        left.remote[i] = net_of("10.%u.0.0/16", i);
    }
    configured_range = config->pairs.range_of;
    config->pairs.range_of = counted_range;
    looks = 0;
    assert_true(child_cut(&context, &sa, any, &left, &reason));
    config->pairs.range_of = configured_range;
    assert_int_equal(left.local_count, SIDE);
    assert_int_equal(left.remote_count, 1);
    assert_selector(left.remote[0], "10.15.0.0/16");
    assert_non_null(strstr(reason.text, "child net of connection c14 is configured for"));
    /* So few pairs are found by a handful of looks; looking at all again after each cut is over ten
     * times as many. */
    assert_in_range(looks, 1, SIDE * SIDE * 32);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_is_looked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
