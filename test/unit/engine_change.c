/*
 * Changes that are larger than the queue of effects (lib/engine/change.c): they go slice by slice,
 * and nothing is lost; and what is lost all the same is told.
 */
#include <stdio.h>
#include <string.h>

#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/policy/loss.h"
#include "test/common/world.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"
#include "test/unit/policy.h"

#define SECRETS     "secrets: ( { psk = \"correct horse battery staple\"; } );"
#define CONNECTIONS 20
#define SLICE       8
#define MOST        24 /* one connection comes to less than what is left of it */

struct two {
    struct world world;
    struct host *a;
    struct host *b;
};

/* So many connections between the two hosts, each with identities and traffic of its own. */
static const char *connections(unsigned count, const char *here, const char *there,
                               const char *more)
{
    static char text[16384];

    strcpy(text, "connections: {");
    for (unsigned i = 0; i < count; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at,
                 " c%u: { local = { address = \"192.0.2.%s\"; id = \"%u.%s.example\"; };"
                 " remote = { address = \"192.0.2.%s\"; id = \"%u.%s.example\"; }; children: {"
                 " n: { mode = \"tunnel\"; local = [ \"10.%s.%u.0/24\" ];"
                 " remote = [ \"10.%s.%u.0/24\" ]; %s }; }; };",
                 i, here, i, here, there, i, there, here, i, there, i, more);
    }
    return strcat(text, " };");
}

static void configure(struct host *host, const char *text)
{
    char error[CONFIG_ERROR_MAX];

    if (!host_configure(host, text, error))
        fail_msg("%s", error);
}

static void narrow(struct host *host)
{
    effect_queue_limit(host->engine->context.effects, MOST, SLICE);
}

static void two_init(struct two *two)
{
    char error[CONFIG_ERROR_MAX];

    world_init(&two->world, 1, crypto);
    two->a = world_add_host(&two->world, "a");
    two->b = world_add_host(&two->world, "b");
    assert_true(host_set_secrets(two->a, SECRETS, error));
    assert_true(host_set_secrets(two->b, SECRETS, error));
}

static size_t sa_count(const struct host *host)
{
    const struct fake_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        count++;
    return count;
}

/* Forty closings, each of several effects, where there is room for twenty-four. */
static void a_reload_that_closes_much_loses_nothing(void **state)
{
    struct two two;
    (void)state;

    two_init(&two);
    configure(two.a, connections(CONNECTIONS, "1", "2", "start = \"immediate\";"));
    configure(two.b, connections(CONNECTIONS, "2", "1", ""));
    host_start(two.b);
    host_start(two.a);
    world_run(&two.world, 5000);
    assert_int_equal(two.a->engine->sas.count, CONNECTIONS);
    assert_int_equal(sa_count(two.a), 2 * CONNECTIONS);
    narrow(two.a);
    configure(two.a, connections(1, "1", "2", "start = \"never\"; lifetime = \"20m\";"));
    world_run(&two.world, 5000);
    assert_int_equal(effect_queue_lost(two.a->engine->context.effects), 0);
    assert_int_equal(two.a->engine->sas.count, 0);
    assert_int_equal(two.b->engine->sas.count, 0); /* each has been told */
    assert_int_equal(sa_count(two.a), 0);
    assert_int_equal(two.a->engine->config->connection_count, 1);
    world_free(&two.world);
}

/* What waits is never more than a slice and a connection; the outcome comes when all is done. */
static void a_reload_that_brings_much_loses_nothing(void **state)
{
    struct command command = {.kind = COMMAND_CONFIGURE, .number = 7};
    struct effect effect;
    struct two two;
    size_t installed = 0;
    bool told = false;
    (void)state;

    two_init(&two);
    configure(two.a, connections(1, "1", "2", ""));
    host_start(two.a);
    world_settle(&two.world);
    struct engine *engine = two.a->engine;
    narrow(two.a);
    command.config = policy_config(connections(CONNECTIONS, "1", "2", "lifetime = \"20m\";"));
    engine_command(engine, &command, two.world.now_ms);
    while (engine_next_effect(engine, &effect)) {
        installed += effect.kind == EFFECT_INSTALL_POLICY;
        told = effect.kind == EFFECT_RESULT;
        effect_free(&effect);
        assert_true(effect_queue_count(engine->context.effects) <= SLICE + 2);
    }
    assert_true(told);
    assert_int_equal(installed, CONNECTIONS);
    assert_int_equal(effect_queue_lost(engine->context.effects), 0);
    world_free(&two.world);
}

/* Who is heard in the midst of it finds all of it done. */
static void events_find_one_configuration(void **state)
{
    struct command command = {.kind = COMMAND_CONFIGURE, .number = 7};
    struct two two;
    (void)state;

    two_init(&two);
    configure(two.a, connections(1, "1", "2", ""));
    host_start(two.a);
    world_settle(&two.world);
    struct engine *engine = two.a->engine;
    effect_queue_limit(engine->context.effects, EFFECTS_MAX, 1);
    command.config = policy_config(connections(CONNECTIONS, "1", "2", "lifetime = \"20m\";"));
    engine_command(engine, &command, two.world.now_ms);
    assert_non_null(engine->changes);
    assert_null(link_find(engine, "c19"));
    engine_kernel(engine, &(struct kernel_event){.kind = KERNEL_ADDRESSES}, two.world.now_ms);
    assert_null(engine->changes);
    assert_non_null(link_find(engine, "c19"));
    /* And who ends it in the midst of another one leaves nothing behind (check-asan). */
    command.config = policy_config(connections(1, "1", "2", ""));
    engine_command(engine, &command, two.world.now_ms);
    assert_non_null(engine->changes);
    world_free(&two.world);
}

/* As much is due at once after a sleep as there are SAs. */
static void timers_go_slice_by_slice(void **state)
{
    struct two two;
    (void)state;

    two_init(&two);
    configure(two.a, connections(CONNECTIONS, "1", "2", "start = \"immediate\";"));
    host_start(two.a);
    world_settle(&two.world);
    struct engine *engine = two.a->engine;
    narrow(two.a);
    uint64_t now_ms = two.world.now_ms + 3600000;
    engine_expire(engine, now_ms);
    assert_int_equal(effect_queue_lost(engine->context.effects), 0);
    assert_true(effect_queue_count(engine->context.effects) >= SLICE);
    assert_true(engine_deadline(engine) <= now_ms); /* it is to be called again at once */
    world_free(&two.world);
}

static void what_is_lost_is_told(void **state)
{
    struct command command = {.kind = COMMAND_CONFIGURE, .number = 7};
    struct effect effect;
    struct two two;
    size_t said = 0;
    (void)state;

    two_init(&two);
    configure(two.a, connections(1, "1", "2", ""));
    host_start(two.a);
    world_settle(&two.world);
    struct engine *engine = two.a->engine;
    effect_queue_limit(engine->context.effects, MOST / 2, EFFECTS_SLICE);
    command.config = policy_config(connections(CONNECTIONS, "1", "2", "lifetime = \"20m\";"));
    engine_command(engine, &command, two.world.now_ms);
    assert_true(effect_queue_lost(engine->context.effects) > 0);
    for (int i = 0; i < 2; i++)
        while (engine_next_effect(engine, &effect)) {
            said += effect.kind == EFFECT_REPORT &&
                    strstr(effect.report.text, "are left undone") != NULL;
            effect_free(&effect);
        }
    assert_int_equal(said, 1);
    world_free(&two.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reload_that_closes_much_loses_nothing),
        cmocka_unit_test(a_reload_that_brings_much_loses_nothing),
        cmocka_unit_test(events_find_one_configuration),
        cmocka_unit_test(timers_go_slice_by_slice),
        cmocka_unit_test(what_is_lost_is_told),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
