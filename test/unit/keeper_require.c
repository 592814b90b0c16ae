/*
 * What the configuration requires stands whatever a negotiator does or leaves undone
 * (iked/keeper/require.h).
 */
#include "test/unit/keeper.h"

#include <errno.h>

#include "iked/keeper/gate/ledger_piece.h"
#include "iked/keeper/require.h"

#define DB  "db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"
#define WEB "web: { local = \"192.0.2.1\"; remote = \"192.0.2.4\"; };"

static struct config *offer(const char *text)
{
    struct config *next = policy_config(text);

    gate_offer(&service.gate, next);
    return next;
}

/* As the configuration of the tests is what tear_down frees. */
static void use(struct config *next)
{
    upkeep_committed(&service, service.gate.now_ms);
    config_free(config);
    config = next;
}

static bool has_set(const char *remote)
{
    struct address peer = policy_address(remote);

    for (size_t i = 0; i < toy.job_count; i++)
        if (toy.jobs[i].verb == KERNEL_SET_PIECE &&
            address_same_host(&toy.jobs[i].template.remote, &peer))
            return true;
    return false;
}

/* db's host pair; six's; of net's a and b the pieces of both ranges, those of b once. */
static void all_stands_before_anybody_asks(void **state)
{
    (void)state;
    assert_int_equal(require_all(&service, false), 4);
    assert_int_equal(service.ledger.policies.count, 4);
    assert_true(has_set("192.0.2.2"));
    assert_true(has_set("2001:db8::2"));
    assert_true(has_set("192.0.2.3"));
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 1);
    /* Who asks for the same has it. */
    forget_jobs();
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    take(policy_for(EFFECT_INSTALL_POLICY, "net", "a"));
    service_flush(&service);
    upkeep_committed(&service, 1000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 0);
    assert_int_equal(heard.trouble_count, 0);
}

static void a_commit_alone_is_not_believed(void **state)
{
    (void)state;
    upkeep_committed(&service, 1000);
    assert_int_equal(service.ledger.policies.count, 4);
    assert_true(has_set("192.0.2.2"));
    assert_true(has_set("2001:db8::2"));
    assert_true(has_set("192.0.2.3"));
    forget_jobs();
    upkeep_tick(&service, 2000);
    upkeep_tick(&service, 61000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
}

/* Between the two nothing is missing of either. */
static void new_comes_before_old_goes(void **state)
{
    (void)state;
    upkeep_committed(&service, 1000);
    forget_jobs();
    struct config *next = offer("connections: { " WEB " };");
    require_all(&service, false);
    assert_true(has_set("192.0.2.4"));
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    forget_jobs();
    use(next);
    assert_false(has_set("192.0.2.4")); /* it is there */
    assert_true(jobs_of(KERNEL_REMOVE_PIECE) >= 3);
    assert_int_equal(service.ledger.policies.count, 1);
}

/* A child that protected as it could has to, from now on. */
static void what_is_required_now_was_preferred(void **state)
{
    (void)state;
    use(offer(
        "connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { db: { "
        "policy = \"prefer\"; }; }; }; };"));
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_int_equal(toy.jobs[toy.job_count - 1].template.policy, POLICY_PREFER);
    forget_jobs();
    use(offer("connections: { " DB " };"));
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_int_equal(toy.jobs[0].template.policy, POLICY_REQUIRE);
}

/* The configuration before is still good for the negotiator, but not to take that back. */
static void what_is_required_now_is_not_taken_back(void **state)
{
    (void)state;
    use(offer(
        "connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { db: { "
        "policy = \"prefer\"; }; }; }; };"));
    struct effect preferred = policy_for(EFFECT_INSTALL_POLICY, "db", "db");
    struct config *next = offer("connections: { " DB " };");
    require_all(&service, false);
    assert_int_equal(toy.jobs[toy.job_count - 1].template.policy, POLICY_REQUIRE);
    take(preferred);
    service_flush(&service);
    assert_int_equal(toy.jobs[toy.job_count - 1].template.policy, POLICY_REQUIRE);
    assert_non_null(strstr(heard.trouble, "the child has the other policy"));
    use(next);
}

static void what_is_not_committed_is_dropped(void **state)
{
    struct effect spi = allocate_spi(9);
    (void)state;

    upkeep_committed(&service, 1000);
    struct config *next = offer("connections: { " WEB " };");
    service_take(&service, &spi, 1000 + GATE_COMMIT_MS - 1);
    service_flush(&service);
    assert_int_equal(heard.answers[0].status, STATUS_OK);
    spi = allocate_spi(10);
    service_take(&service, &spi, 1000 + GATE_COMMIT_MS);
    service_flush(&service);
    assert_int_equal(heard.answers[1].status, STATUS_FAIL);
    assert_non_null(strstr(heard.answers[1].reason.text, "no such connection"));
    use(next);
}

/* What the kernel refused is asked for again; what it has is not. */
static void what_was_refused_is_tried_again(void **state)
{
    (void)state;
    use(offer("connections: { " DB " };"));
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    use(offer("connections: { " DB WEB " };"));
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 2);
    toy.failing = KERNEL_SET_PIECE;
    toy.error = ENOMEM;
    use(offer("connections: { " DB WEB
              " six: { local = \"192.0.2.1\"; remote = \"192.0.2.6\"; }; };"));
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 3);
    toy.failing = 0;
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    take(policy_for(EFFECT_INSTALL_POLICY, "web", "web"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 4);
    assert_int_equal(heard.trouble_count, 0);
}

/* A host's own address is protected from when it is known. */
static void what_a_name_means_is_protected(void **state)
{
    struct answer answer = {.kind = EFFECT_RESOLVE,
                            .connection = name_of("name"),
                            .status = STATUS_OK,
                            .address_count = 1,
                            .addresses = {policy_address("192.0.2.9")}};
    struct config *next = NULL;
    (void)state;

    next = offer("connections: { name: { local = \"192.0.2.1\"; remote = \"gw.example\"; }; };");
    use(next);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 0);
    service_learn(&service, next, &answer);
    require_of(&service, &answer.connection);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_true(has_set("192.0.2.9"));
}

/* When nobody is to be disturbed: the same policy, or another one of the kind, is there. */
static void what_was_left_can_be_spared(void **state)
{
    (void)state;
    struct effect db = policy_for(EFFECT_INSTALL_POLICY, "db", "db");
    struct piece pieces[PIECES_MAX];
    size_t count;

    assert_int_equal(
        pieces_of(&db.policy.local_selector, &db.policy.remote_selector, pieces, &count, NULL),
        STATUS_OK);
    struct piece_record *left = ledger_add_piece(&service.ledger, &pieces[0]);
    left->top.left_reqid = REQID_DYNAMIC + 1;
    left->parts = 1u << KERNEL_OUT | 1u << KERNEL_IN;
    require_all(&service, true);
    assert_false(has_set("192.0.2.2"));
    assert_true(has_set("192.0.2.3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_stands_before_anybody_asks),   TEST(a_commit_alone_is_not_believed),
        TEST(new_comes_before_old_goes),        TEST(what_is_required_now_was_preferred),
        TEST(what_is_not_committed_is_dropped), TEST(what_is_required_now_is_not_taken_back),
        TEST(what_was_refused_is_tried_again),  TEST(what_was_left_can_be_spared),
        TEST(what_a_name_means_is_protected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
