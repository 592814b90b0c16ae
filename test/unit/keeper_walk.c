/*
 * Walks over the ledger that are interrupted: what comes next may be removed meanwhile, by whatever
 * the kernel answers in between.  Under check-asan nothing freed is read.
 */
#include <errno.h>

#include "test/unit/keeper.h"

static struct effect sa_of_any(uint32_t spi)
{
    struct effect effect = install_sa(spi, false);

    effect.ticket = (struct ticket){0};
    effect.install_sa.connection = name_of("any");
    effect.install_sa.child = name_of("any");
    effect.install_sa.reqid = keeper_reqid("any", "any");
    return effect;
}

static struct policy_record *policy_of(const struct owner *owner)
{
    struct policy_record *found = NULL;
    struct hash_walk walk;

    hash_walk_begin(&walk, &service.ledger.policies);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;)
        if (policy_owner(HASH_OWNER(node, struct policy_record, node)) == owner)
            found = HASH_OWNER(node, struct policy_record, node);
    hash_walk_end(&walk);
    assert_non_null(found);
    return found;
}

static void have_sas(uint32_t count)
{
    reconfigure("connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"
                "  any: { local = \"192.0.2.1\"; remote = \"any\"; children: {"
                "    any: { start = \"never\"; }; }; }; };");
    for (uint32_t i = 0; i < count; i++)
        take(sa_of_any(0x10000 + i));
    service_flush(&service);
    forget_jobs();
}

/* More orphans than a batch holds, and an SA before them that the kernel refuses: it leaves the
 * ledger when the first batch is done, in the midst of the orphans' removal. */
static void orphans_go_in_several_batches(void **state)
{
    const uint32_t count = SERVICE_JOBS_MAX + 100;
    (void)state;

    have_sas(count);
    upkeep_session_over(&service, 2000);
    assert_int_equal(service.ledger.orphan_count, count); /* all that were installed */
    forget_jobs();
    toy.failing = KERNEL_INSTALL_SA;
    toy.error = EEXIST;
    struct effect refused = sa_of_any(0x7777777);
    refused.ticket.sequence = 77;
    take(refused);
    take((struct effect){.kind = EFFECT_REMOVE_ORPHANS, .orphans_of = name_of("any")});
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), count);
    assert_int_equal(service.ledger.sa_count, 0);
    assert_null(TAILQ_FIRST(&service.ledger.owner_list));
    assert_int_equal(heard.answer_count, 1);
    assert_int_equal(heard.answers[0].status, STATUS_FAIL);
}

/* The kernel lists none of them, and everything but the SAs goes at the end. */
static void all_goes_in_several_batches(void **state)
{
    (void)state;
    have_sas(SERVICE_JOBS_MAX + 100);
    upkeep_clear(&service, true);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), SERVICE_JOBS_MAX + 100);
    assert_int_equal(service.ledger.sa_count, 0);
}

/* Whoever is removed while a walk is under way is not met any more; who stays is met once. */
static void a_walk_outlives_removals(void **state)
{
    struct ledger *ledger = &service.ledger;
    struct sa_walk walk;
    struct sa_walk inner;
    size_t met = 0;
    (void)state;

    establish();
    have_sas(9);
    sa_walk_begin(&walk, ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;) {
        met++;
        sa_walk_begin(&inner, ledger, NULL);
        if (met == 1) { /* all of db's but the one that was met: what comes next is any's */
            struct owner *db = sa->reqid->owner;
            while (TAILQ_LAST(&db->sas, sa_record_list) != sa)
                ledger_remove_sa(ledger, TAILQ_LAST(&db->sas, sa_record_list));
        } else if (walk.next != NULL) {
            ledger_remove_sa(ledger, walk.next);
        }
        struct sa_record *first = sa_walk_next(&inner);
        if (first != sa)
            ledger_remove_sa(ledger, first);
        sa_walk_end(&inner);
    }
    sa_walk_end(&walk);
    assert_null(ledger->walks);
    assert_int_equal(met, 1 + 5); /* db's, and every other one of any's nine */
}

/* To IPv6, for whose addresses a record has no room that was made for IPv4's. */
static void a_walk_outlives_a_move(void **state)
{
    struct ledger *ledger = &service.ledger;
    struct address source = policy_address("2001:db8::1");
    struct address destination = policy_address("2001:db8::2");
    struct address found;
    struct sa_walk walk;
    size_t met = 0;
    (void)state;

    have_sas(3);
    source.port = 4500;
    sa_walk_begin(&walk, ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL; met++) {
        uint32_t spi = sa->spi;
        if (walk.next != NULL)
            assert_non_null(ledger_move_sa(ledger, walk.next, &source, &destination, true));
        assert_int_equal(spi, 0x10000 + met);
    }
    sa_walk_end(&walk);
    assert_int_equal(met, 3);
    assert_int_equal(ledger->sa_count, 3);
    struct sa_record *moved = ledger_find_sa(ledger, &destination, 0x10002, IPSEC_ESP);
    assert_non_null(moved);
    assert_true(moved->encap && moved->filled && !moved->inbound);
    found = sa_source(moved);
    assert_true(address_equal(&found, &source));
    found = sa_destination(moved);
    assert_true(address_equal(&found, &destination));
    /* And back. */
    source = policy_address("192.0.2.1");
    destination = policy_address("192.0.2.2");
    assert_ptr_equal(ledger_move_sa(ledger, moved, &source, &destination, false), moved);
    assert_ptr_equal(ledger_find_sa(ledger, &destination, 0x10002, IPSEC_ESP), moved);
    found = sa_local(moved);
    assert_true(address_equal(&found, &source));
    upkeep_clear(&service, true);
    assert_int_equal(ledger->sa_count, 0);
}

/* An owner that goes with its last SA ends the walk over it, and leads others to the next. */
static void a_walk_outlives_its_owner(void **state)
{
    struct ledger *ledger = &service.ledger;
    struct sa_walk all;
    struct sa_walk walk;
    (void)state;

    establish(); /* two of db's */
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "net", "a"));
    have_sas(1);
    struct owner *db = TAILQ_FIRST(&ledger->owner_list);
    ledger_remove_policy(ledger, policy_of(db));
    sa_walk_begin(&all, ledger, NULL);
    sa_walk_begin(&walk, ledger, db);
    assert_ptr_equal(sa_walk_next(&all)->reqid->owner, db);
    assert_non_null(sa_walk_next(&walk));
    ledger_remove_sa(ledger, TAILQ_FIRST(&db->sas));
    ledger_remove_sa(ledger, TAILQ_FIRST(&db->sas));
    assert_null(sa_walk_next(&walk));
    sa_walk_end(&walk);
    assert_int_equal(sa_walk_next(&all)->spi, 0x10000);
    assert_null(sa_walk_next(&all));
    sa_walk_end(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(orphans_go_in_several_batches), TEST(all_goes_in_several_batches),
        TEST(a_walk_outlives_removals),      TEST(a_walk_outlives_a_move),
        TEST(a_walk_outlives_its_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
