/*
 * Two engines in one process (lib/engine/engine.h): from nothing to a child SA and back, in both
 * roles, without a network's faults.  Faults are for test/scenario and test/simulate.
 */
#include <string.h>

#include "lib/engine/private.h"
#include "lib/policy/loss.h"
#include "test/common/world.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define SECRETS "secrets: ( { psk = \"correct horse battery staple\"; } );"

static const char *const configs[] = {
    "connections: { ab: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };",
    "connections: { ba: { local = \"192.0.2.2\"; remote = \"192.0.2.1\"; }; };",
};

struct two {
    struct world world;
    struct host *a;
    struct host *b;
};

static void configure(struct host *host, const char *text)
{
    char error[CONFIG_ERROR_MAX];

    if (!host_configure(host, text, error))
        fail_msg("%s", error);
}

static void two_init(struct two *two, const char *config_a, const char *config_b)
{
    char error[CONFIG_ERROR_MAX];

    world_init(&two->world, 1, crypto);
    two->a = world_add_host(&two->world, "a");
    two->b = world_add_host(&two->world, "b");
    configure(two->a, config_a);
    configure(two->b, config_b);
    assert_true(host_set_secrets(two->a, SECRETS, error));
    assert_true(host_set_secrets(two->b, SECRETS, error));
    host_start(two->a);
    host_start(two->b);
    world_settle(&two->world);
}

static struct fake_sa *sa_of(const struct host *host, bool inbound)
{
    struct fake_sa *sa;
    struct fake_sa *found = NULL;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry) {
        if (sa->larval || sa->inbound != inbound)
            continue;
        assert_null(found);
        found = sa;
    }
    assert_non_null(found);
    return found;
}

/* What one end sends by, the other one receives by. */
static void assert_pair(const struct host *from, const struct host *to)
{
    const struct fake_sa *out = sa_of(from, false);
    const struct fake_sa *in = sa_of(to, true);

    assert_int_equal(out->spi, in->spi);
    assert_int_equal(out->encr, in->encr);
    assert_int_equal(out->mode, in->mode);
    assert_int_equal(out->esn, in->esn);
    assert_int_equal(out->key_size, in->key_size);
    assert_true(out->key_size > 0);
    assert_memory_equal(out->key, in->key, in->key_size);
    assert_true(address_same_host(&out->source, &in->source));
    assert_true(address_same_host(&out->destination, &in->destination));
}

static void assert_done(const struct host *host, uint64_t number, const char *text)
{
    const struct effect_result *result = host_result(host, number);

    assert_non_null(result);
    assert_string_equal(result->text, text);
    assert_true(result->done);
}

/* What this host does not let out has no answer either; the reason is its own. */
static void what_is_not_sent_is_told(void **state)
{
    static const char why[] = "cannot send from here to there: no route";
    struct effect effect;
    struct two two;
    bool told = false;
    (void)state;

    two_init(&two, configs[0], configs[1]);
    struct engine *engine = two.a->engine;
    struct command up = {.kind = COMMAND_UP, .number = 7, .name = {"ab"}};
    uint64_t now_ms = 1000000;
    struct effect_result result = {0};
    engine_command(engine, &up, now_ms);
    while (result.command == 0 && now_ms < 1200000) {
        while (engine_next_effect(engine, &effect)) {
            struct answer answer = {.kind = effect.kind, .ticket = effect.ticket};
            if (effect.kind == EFFECT_COMPUTE) {
                effect_compute_run(crypto, &effect, &answer);
                engine_answer(engine, &answer, now_ms);
                answer_free(&answer);
            } else if (effect.kind == EFFECT_SEND) {
                engine_unsent(engine, &effect.send, why, now_ms);
            } else if (effect.kind == EFFECT_PROGRESS) {
                assert_int_equal(effect.progress.command, 7);
                told = told || strcmp(effect.progress.text, why) == 0;
            } else if (effect.kind == EFFECT_RESULT) {
                result = effect.result;
            }
            effect_free(&effect);
        }
        now_ms = engine_deadline(engine);
        engine_expire(engine, now_ms);
    }
    assert_true(told);
    assert_int_equal(result.command, 7);
    assert_false(result.done);
    assert_string_equal(result.text, "ab: IKE_SA_INIT to 192.0.2.2 cannot be sent: "
                                     "cannot send from here to there: no route");
    world_free(&two.world);
}

/* A queue that is full is not memory that is out. */
static void what_has_no_room_is_told(void **state)
{
    struct reason reason = {0};
    struct effect effect;
    struct two two;
    (void)state;

    two_init(&two, configs[0], configs[1]);
    struct context *context = &two.a->engine->context;
    effect_queue_limit(context->effects, 1000, EFFECTS_SLICE);
    for (size_t i = 0; i < 1000; i++)
        assert_non_null(effect_append(context->effects, EFFECT_REPORT, (struct ticket){0}));
    assert_null(effect_append(context->effects, EFFECT_REPORT, (struct ticket){0}));
    assert_int_equal(step_fault(context, &reason), STATUS_FAIL);
    assert_string_equal(reason.text, "more is to be done at once than there is room for");
    while (effect_queue_pop(context->effects, &effect))
        effect_free(&effect);
    assert_int_equal(step_fault(context, &reason), STATUS_FAIL);
    assert_string_equal(reason.text, "out of memory");
    world_free(&two.world);
}

/* The responder's kernel has no SPI, only that. */
static void refuse_spis_of_b(void *context, struct host *host, const struct effect *effect)
{
    struct two *two = context;
    bool is_it = host == two->b && effect->kind == EFFECT_ALLOCATE_SPI;

    two->world.weather.kernel_failure = is_it ? 1000 : 0;
}

/* It answers at once: in silence the initiator would wait for a minute, and know nothing. */
static void a_responder_without_an_spi_says_so(void **state)
{
    (void)state;
    struct two two;

    two_init(&two, configs[0], configs[1]);
    two.world.hooks = (struct hooks){.effect = refuse_spis_of_b, .context = &two};
    uint64_t begun_ms = two.world.now_ms;
    uint64_t up = host_up(two.a, "ab");
    world_run(&two.world, 5000);
    const struct effect_result *result = host_result(two.a, up);
    assert_non_null(result);
    assert_false(result->done);
    assert_non_null(strstr(result->text, "TEMPORARY_FAILURE"));
    assert_true(two.world.now_ms - begun_ms <= 5000);
    /* What it lacked is there again. */
    two.world.hooks = (struct hooks){0};
    two.world.weather.kernel_failure = 0;
    up = host_up(two.a, "ab");
    world_run(&two.world, 5000);
    assert_true(host_result(two.a, up)->done);
    assert_pair(two.a, two.b);
    world_free(&two.world);
}

/* Chance that is always the same wherever it is asked for as much as a reqid has. */
static void same_chance(void *context, void *to, size_t size)
{
    if (size == sizeof(uint32_t))
        memset(to, 0x5a, size);
    else
        chance_fill(context, to, size);
}

/* Each peer of `any` gets policies and a reqid of its own; what chance gives twice is taken
 * once. */
static void no_two_peers_share_a_reqid(void **state)
{
    (void)state;
    static const char any[] =
        "connections: { g: { local = \"192.0.2.1\"; remote = \"any\"; children: { n: {"
        " mode = \"tunnel\"; local = \"10.0.0.0/24\"; remote = \"10.1.0.0/16\"; }; }; }; };";
    static const char *const peers[] = {
        "connections: { p: { local = { address = \"192.0.2.2\"; id = \"b.x\"; }; remote ="
        " \"192.0.2.1\"; children: { n: { mode = \"tunnel\"; local = \"10.1.1.0/24\";"
        " remote = \"10.0.0.0/24\"; }; }; }; };",
        "connections: { p: { local = { address = \"192.0.2.3\"; id = \"c.x\"; }; remote ="
        " \"192.0.2.1\"; children: { n: { mode = \"tunnel\"; local = \"10.1.2.0/24\";"
        " remote = \"10.0.0.0/24\"; }; }; }; };",
    };
    char error[CONFIG_ERROR_MAX];
    struct two two;

    two_init(&two, any, peers[0]);
    struct host *third = world_add_host(&two.world, "c");
    configure(third, peers[1]);
    assert_true(host_set_secrets(third, SECRETS, error));
    host_start(third);
    two.a->engine->context.random = same_chance;
    host_up(two.b, "p");
    world_settle(&two.world);
    host_up(third, "p");
    world_settle(&two.world);
    const struct ike_sa *first = TAILQ_FIRST(&two.a->engine->sas.all);
    const struct ike_sa *second = TAILQ_NEXT(first, entry);
    const struct child_sa *one = TAILQ_FIRST(&first->children);
    const struct child_sa *other = TAILQ_FIRST(&second->children);
    assert_int_not_equal(one->reqid, other->reqid);
    assert_int_equal(other->reqid, one->reqid + 1);
    /* What is rekeyed keeps its own, and what has gone gives it back. */
    uint32_t before = one->reqid;
    uint64_t rekey = host_rekey(two.a, "g", "n");
    world_settle(&two.world);
    assert_true(host_result(two.a, rekey)->done);
    assert_int_equal(TAILQ_FIRST(&first->children)->reqid, before);
    assert_true(sa_table_reqid_taken(&two.a->engine->sas, before));
    host_down(two.b, "p");
    world_settle(&two.world);
    world_run(&two.world, 10000);
    assert_false(sa_table_reqid_taken(&two.a->engine->sas, before));
    world_free(&two.world);
}

static void up_makes_one_pair_and_down_removes_it(void **state)
{
    (void)state;
    struct two two;

    two_init(&two, configs[0], configs[1]);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV6), FAKE_CLEAR); /* not protected */
    uint64_t up = host_up(two.a, "ab");
    world_settle(&two.world);
    assert_done(two.a, up, "ab: established");
    assert_int_equal(engine_sa_count(two.a->engine), 1);
    assert_int_equal(engine_sa_count(two.b->engine), 1);
    assert_int_equal(engine_half_open_count(two.b->engine), 0);
    assert_int_equal(two.a->kernel.sa_count, 2);
    assert_int_equal(two.b->kernel.sa_count, 2);
    assert_pair(two.a, two.b);
    assert_pair(two.b, two.a);
    assert_int_equal(sa_of(two.a, true)->mode, CHILD_TRANSPORT);
    assert_int_equal(sa_of(two.a, true)->encr, ENCR_AES256_GCM16);

    assert_int_equal(host_ping(two.a, two.b, FAMILY_IPV4), FAKE_SEALED);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV4), FAKE_SEALED);
    world_settle(&two.world);
    assert_int_equal(two.a->delivered, 2);
    assert_int_equal(two.b->delivered, 1);

    uint64_t down = host_down(two.a, "ab");
    world_settle(&two.world);
    assert_done(two.a, down, "ab: down");
    assert_int_equal(engine_sa_count(two.a->engine), 0);
    assert_int_equal(engine_sa_count(two.b->engine), 0);
    assert_int_equal(two.a->kernel.sa_count, 0);
    assert_int_equal(two.b->kernel.sa_count, 0);
    assert_int_equal(engine_deadline(two.a->engine), UINT64_MAX);
    assert_int_equal(engine_deadline(two.b->engine), UINT64_MAX);
    world_free(&two.world);
}

static void traffic_brings_it_up(void **state)
{
    (void)state;
    struct two two;

    two_init(&two, configs[0], configs[1]);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV4), FAKE_ACQUIRE);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV4), FAKE_HELD);
    world_settle(&two.world);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV4), FAKE_SEALED);
    world_settle(&two.world);
    assert_int_equal(two.a->delivered, 1);
    assert_int_equal(two.b->clear, 0);
    world_free(&two.world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_sent_is_told),
        cmocka_unit_test(what_has_no_room_is_told),
        cmocka_unit_test(a_responder_without_an_spi_says_so),
        cmocka_unit_test(no_two_peers_share_a_reqid),
        cmocka_unit_test(up_makes_one_pair_and_down_removes_it),
        cmocka_unit_test(traffic_brings_it_up),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
