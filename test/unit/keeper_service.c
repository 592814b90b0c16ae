/*
 * Requests carried out and the kernel's side kept clean (iked/keeper/service.h, upkeep.h).
 */
#include "test/unit/keeper.h"

#include <errno.h>

/* --- Tests: requests --- */

/* An answer with the kernel's count; what is not ours is not asked about. */
static void use_is_told(void **state)
{
    struct effect query = {
        .kind = EFFECT_QUERY_SA,
        .ticket = {.sa = 1, .sequence = 60},
        .query_sa = {.source = policy_address("192.0.2.2"),
                     .destination = policy_address("192.0.2.1"),
                     .protocol = IPSEC_ESP},
    };
    (void)state;

    establish();
    query.query_sa.spi = 0xc0000001;
    take(query);
    service_flush(&service);
    const struct answer *last = &heard.answers[heard.answer_count - 1];
    assert_int_equal(last->kind, EFFECT_QUERY_SA);
    assert_int_equal(last->status, STATUS_OK);
    assert_int_equal(last->spi, 0xc0000001);
    assert_int_equal(last->packets, 42);
    assert_in_range(last->ago_s, 7, 9);
    query.query_sa.spi = 0xc0000009;
    take(query);
    service_flush(&service);
    last = &heard.answers[heard.answer_count - 1];
    assert_int_equal(last->status, STATUS_FAIL);
    assert_int_equal(last->packets, 0);
    assert_int_equal(jobs_of(KERNEL_QUERY_SA), 1);
}

static void requests_go_in_one_batch(void **state)
{
    (void)state;
    take(allocate_spi(1));
    take(allocate_spi(2));
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    assert_int_equal(toy.runs, 0);
    service_flush(&service);
    assert_int_equal(toy.runs, 1);
    assert_int_equal(heard.answer_count, 2);
    assert_int_equal(heard.answers[0].ticket.sequence, 1);
    assert_int_equal(heard.answers[0].spi, 0xc0000001);
    assert_int_equal(heard.answers[1].spi, 0xc0000002);
    assert_int_equal(heard.trouble_count, 0);
    take(install_sa(0xc0000001, true));
    take(install_sa(0x0badcafe, false));
    service_flush(&service);
    assert_int_equal(toy.runs, 2);
    assert_int_equal(heard.answer_count, 4);
    assert_int_equal(heard.answers[3].status, STATUS_OK);
    assert_int_equal(service.ledger.sa_count, 3);
    take(remove_sa(0xc0000001, true));
    take(remove_sa(0x0badcafe, false));
    take(remove_sa(0xc0000002, true));
    service_flush(&service);
    assert_int_equal(service.ledger.sa_count, 0);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 3);
}

/* A kernel that holds no SAs draws SPIs at random (--kernel=none): with thousands of SAs it draws
 * one that is in use now and then. */
static void spis_in_use_are_not_given_out(void **state)
{
    (void)state;
    take(allocate_spi(1));
    take(allocate_spi(2));
    service_flush(&service);
    toy.next_spi = 0xc0000001;
    take(allocate_spi(3));
    service_flush(&service);
    assert_int_equal(heard.answer_count, 3);
    assert_int_equal(heard.answers[2].status, STATUS_OK);
    assert_int_equal(heard.answers[2].spi, 0xc0000003);
    assert_int_equal(service.ledger.sa_count, 3);
    toy.spi_stays = true; /* it knows no other */
    take(allocate_spi(4));
    service_flush(&service);
    toy.next_spi = 0xc0000001;
    take(allocate_spi(5));
    service_flush(&service);
    assert_int_equal(heard.answers[3].status, STATUS_OK);
    assert_int_equal(heard.answers[4].status, STATUS_FAIL);
    assert_int_equal(heard.answers[4].spi, 0);
    assert_string_equal(heard.answers[4].reason.text,
                        "the kernel gives out only SPIs that are in use");
}

/* Memory is blamed for what is memory's fault, and for nothing else. */
static void what_the_ledger_refuses_is_told(void **state)
{
    struct effect one = allocate_spi(1);
    struct effect two = allocate_spi(2);
    (void)state;

    one.allocate_spi.reqid = two.allocate_spi.reqid = REQID_DYNAMIC | 7;
    two.allocate_spi.connection = name_of("net");
    two.allocate_spi.child = name_of("a");
    two.allocate_spi.mode = CHILD_TUNNEL;
    two.allocate_spi.source = policy_address("192.0.2.3");
    take(one);
    take(two); /* in one batch: the gate cannot see it */
    service_flush(&service);
    assert_int_equal(heard.answers[0].status, STATUS_OK);
    assert_int_equal(heard.answers[1].status, STATUS_FAIL);
    assert_string_equal(heard.answers[1].reason.text, "the reqid is another child's");
}

static void refusals_are_answered(void **state)
{
    struct effect lie = allocate_spi(3);
    struct effect policy = policy_for(EFFECT_INSTALL_POLICY, "db", "db");
    (void)state;

    lie.allocate_spi.reqid++;
    take(lie);
    policy.policy.local_selector = selector_host(&policy.policy.remote);
    take(policy);
    take(remove_sa(0x1234, true)); /* expired, perhaps: nothing to say */
    service_flush(&service);
    assert_int_equal(toy.job_count, 0);
    assert_int_equal(heard.answer_count, 1);
    assert_int_equal(heard.answers[0].status, STATUS_FAIL);
    assert_string_equal(heard.answers[0].reason.text, "refused: the reqid is not the child's");
    assert_int_equal(heard.trouble_count, 1);
    assert_string_equal(heard.trouble, "db: refused: the local selector is not within the child's");
    assert_int_equal(service.gate.refused, 3);
}

static void what_the_kernel_refuses_is_not_in_the_ledger(void **state)
{
    (void)state;
    toy.failing = KERNEL_ALLOCATE_SPI;
    toy.error = ENOENT;
    take(allocate_spi(1));
    service_flush(&service);
    assert_int_equal(heard.answers[0].status, STATUS_FAIL);
    assert_int_equal(service.ledger.sa_count, 0);
    toy.failing = 0;
    take(allocate_spi(2));
    service_flush(&service);
    toy.failing = KERNEL_INSTALL_SA;
    toy.error = EPROTONOSUPPORT;
    take(install_sa(heard.answers[1].spi, true));
    take(install_sa(0x0badcafe, false));
    service_flush(&service);
    assert_int_equal(heard.answers[2].status, STATUS_FAIL);
    assert_non_null(strstr(heard.answers[2].reason.text, "esp4"));
    assert_int_equal(heard.answers[3].status, STATUS_FAIL);
    /* The SPI is there still, and can be tried again or given back. */
    assert_int_equal(service.ledger.sa_count, 1);
    toy.failing = 0;
    take(install_sa(heard.answers[1].spi, true));
    service_flush(&service);
    assert_int_equal(heard.answers[4].status, STATUS_OK);
}

/* The next request of a batch knows of the one before. */
static void batches_are_in_order(void **state)
{
    (void)state;
    take(install_sa(0x0badcafe, false));
    take(remove_sa(0x0badcafe, false));
    take(install_sa(0x0badcafe, false));
    service_flush(&service);
    assert_int_equal(toy.jobs[0].verb, KERNEL_INSTALL_SA);
    assert_int_equal(toy.jobs[1].verb, KERNEL_REMOVE_SA);
    assert_int_equal(toy.jobs[2].verb, KERNEL_INSTALL_SA);
    assert_int_equal(heard.answers[1].status, STATUS_OK);
    assert_int_equal(service.ledger.sa_count, 1);
}

/* --- Tests: policies --- */

static void shared_pieces_stay_until_the_last_pair(void **state)
{
    (void)state;
    /* .1-.6 is 1, 2-3, 4-5, 6; .1-.5 is 1, 2-3, 4-5. */
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "net", "a"));
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "net", "b"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 4); /* a's; b waits for three of them */
    forget_jobs();
    take(narrow_policy_for(EFFECT_REMOVE_POLICY, "net", "a"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 3);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    assert_int_equal(toy.jobs[3].piece.local[3], 6);
    assert_int_equal(toy.jobs[3].mode, CHILD_TUNNEL);
    forget_jobs();
    take(narrow_policy_for(EFFECT_REMOVE_POLICY, "net", "b"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 3);
    assert_int_equal(service.ledger.pieces.count, 0);
}

static void the_same_pair_again_replaces(void **state)
{
    (void)state;
    struct effect again = narrow_policy_for(EFFECT_INSTALL_POLICY, "db", "db");

    again.policy.reqid++;
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "db", "db")); /* it is there */
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    take(again);
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 2);
    assert_int_equal(service.ledger.policies.count, 1);
    take(narrow_policy_for(EFFECT_REMOVE_POLICY, "db", "db"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    assert_int_equal(service.ledger.policies.count, 0);
}

/* What the operator wrote does not go because an engine says so, or forgets it. */
static void configured_policies_outlast_engines(void **state)
{
    struct effect removal = policy_for(EFFECT_REMOVE_POLICY, "db", "db");
    (void)state;

    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(removal);
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    assert_int_equal(service.gate.refused, 1);
    upkeep_session_over(&service, 2000);
    upkeep_committed(&service, 3000); /* it installed nothing */
    upkeep_tick(&service, 3000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    assert_int_equal(service.ledger.policies.count, 4); /* all that is configured */
    /* With its configuration it goes. */
    struct config *empty = policy_config("connections: { };");
    gate_offer(&service.gate, empty);
    take(policy_for(EFFECT_REMOVE_POLICY, "db", "db"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    gate_offer(&service.gate, config);
    config_free(empty);
}

static void ipv6_brings_neighbour_discovery_once(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 0);
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 1);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_BYPASS); /* before the policy itself */
}

/* One reqid leads to a few ends, whatever a negotiator says; what is configured goes in besides. */
static void policies_lead_to_few_places(void **state)
{
    struct effect policy = policy_for(EFFECT_INSTALL_POLICY, "net", "a");
    struct effect elsewhere = policy;
    (void)state;

    memcpy(elsewhere.policy.remote_selector.end, elsewhere.policy.remote_selector.start, 16);
    for (uint8_t i = 0; i < REQID_TEMPLATES_MAX; i++) {
        elsewhere.policy.remote_selector.start[3] = elsewhere.policy.remote_selector.end[3] = i;
        elsewhere.policy.remote.bytes[2] = i + 1;
        take(elsewhere);
        service_flush(&service);
        assert_int_equal(heard.trouble_count, 0);
    }
    take(elsewhere); /* it leads there already */
    elsewhere.policy.remote_selector.start[3] = elsewhere.policy.remote_selector.end[3] = 99;
    take(elsewhere);
    service_flush(&service);
    assert_int_equal(heard.trouble_count, 0);
    elsewhere.policy.remote.bytes[2] = 200;
    take(elsewhere); /* what is there is not led elsewhere, either */
    service_flush(&service);
    assert_string_equal(heard.trouble, "net: the child's policies lead to too many places");
    assert_int_equal(service_set_policy(&service, &policy.policy, NULL), STATUS_OK);
}

/* What a negotiator chooses must not meet in one place of a table whose hash it knows. */
static void the_ledgers_hash_has_its_key(void **state)
{
    struct service other;
    struct service_hooks hooks = {.hash_key = {1, 2, 3}};
    (void)state;

    assert_true(service_init(&other, &toy.kernel, &hooks));
    assert_memory_equal(other.ledger.hash_key, hooks.hash_key, sizeof(hooks.hash_key));
    service_free(&other);
}

/* Half of it protects half: removing that would be worse. */
static void failed_policies_are_told_and_stay(void **state)
{
    (void)state;
    toy.failing = KERNEL_SET_PIECE;
    toy.error = EINVAL;
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    assert_int_equal(heard.trouble_count, 1);
    assert_string_equal(heard.trouble,
                        "db: the kernel will not install a policy: Invalid argument");
    assert_int_equal(service.ledger.policies.count, 1);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
}

/* --- Tests: upkeep --- */

/* Two SAs between the hosts, as the kernel shows them. */
static void show_sas(uint32_t in, uint32_t out)
{
    toy.sa_count = 2;
    toy.sas[0] = (struct kernel_sa){.source = policy_address("192.0.2.2"),
                                    .destination = policy_address("192.0.2.1"),
                                    .spi = in,
                                    .reqid = keeper_reqid("db", "db"),
                                    .protocol = IPSEC_ESP};
    toy.sas[1] = (struct kernel_sa){.source = policy_address("192.0.2.1"),
                                    .destination = policy_address("192.0.2.2"),
                                    .spi = out,
                                    .reqid = keeper_reqid("db", "db"),
                                    .protocol = IPSEC_ESP};
}

static void orphans_stay_until_they_are_replaced(void **state)
{
    (void)state;
    upkeep_committed(&service, 1000);
    toy.sa_count = 0;
    establish();
    take(allocate_spi(9)); /* a bare SPI */
    service_flush(&service);
    forget_jobs();
    upkeep_session_over(&service, 2000);
    assert_int_equal(toy.job_count, 1); /* the bare SPI goes, nothing else */
    assert_int_equal(toy.jobs[0].remove_sa.spi, 0xc0000002);
    upkeep_tell_orphans(&service);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_ORPHAN);
    assert_string_equal(heard.events[0].connection.text, "db");
    assert_string_equal(heard.events[0].child.text, "db");

    /* The new engine installs its policy, commits, and has new SAs beside the old. */
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(allocate_spi(10));
    service_flush(&service);
    show_sas(0xc0000001, 0x0badcafe);
    upkeep_committed(&service, 3000);
    upkeep_tick(&service, 3000);
    assert_int_equal(service.ledger.orphan_count, 2);
    forget_jobs();
    take((struct effect){.kind = EFFECT_REMOVE_ORPHANS, .orphans_of = {"db"}});
    service_flush(&service);
    upkeep_tick(&service, 4000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 2);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0); /* the engine has it installed */
    assert_int_equal(service.ledger.orphan_count, 0);
}

static void orphans_have_their_time(void **state)
{
    (void)state;
    establish();
    upkeep_session_over(&service, 2000);
    toy.sa_count = 0;
    service.committed = true;
    forget_jobs();
    upkeep_tick(&service, 2000 + UPKEEP_ORPHAN_MS - 1);
    assert_int_equal(toy.job_count, 0);
    upkeep_tick(&service, 2000 + UPKEEP_ORPHAN_MS);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 2);
    assert_int_equal(service.ledger.sa_count, 0);
}

static void policies_of_an_earlier_session_go_after_the_commit(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "net", "b"));
    service_flush(&service);
    upkeep_session_over(&service, 2000);
    forget_jobs();
    upkeep_tick(&service, 60000);
    assert_int_equal(toy.job_count, 0); /* not before the engine is there */
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    service_flush(&service);
    forget_jobs();
    upkeep_committed(&service, 61000);
    upkeep_tick(&service, 61000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 3);
    assert_int_equal(service.ledger.policies.count, 5); /* what is configured, and the new one */
}

/* Without its policy an orphan's traffic would go on in the clear. */
static void policies_stay_above_orphans(void **state)
{
    (void)state;
    establish();
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    upkeep_session_over(&service, 2000);
    show_sas(0xc0000001, 0x0badcafe);
    upkeep_committed(&service, 3000);
    forget_jobs();
    upkeep_tick(&service, 3000);
    assert_int_equal(toy.job_count, 0);
    take((struct effect){.kind = EFFECT_REMOVE_ORPHANS, .orphans_of = {"db"}});
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    upkeep_tick(&service, 4000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
}

static const struct kernel_job *first_job(enum kernel_verb verb)
{
    for (size_t i = 0; i < toy.job_count; i++)
        if (toy.jobs[i].verb == verb)
            return &toy.jobs[i];
    fail_msg("there is no such job");
    return NULL;
}

static struct kernel_piece left_piece(uint32_t reqid, uint8_t last)
{
    return (struct kernel_piece){
        .piece = {.family = FAMILY_IPV4,
                  .local_bits = 32,
                  .remote_bits = 32,
                  .local = {192, 0, 2, 1},
                  .remote = {192, 0, 2, last}},
        .template = {.reqid = reqid, .mode = CHILD_TRANSPORT},
    };
}

static void what_an_earlier_keeper_left_is_adopted(void **state)
{
    (void)state;
    toy.sa_count = 3;
    toy.sas[0] = (struct kernel_sa){.source = policy_address("192.0.2.2"),
                                    .destination = policy_address("192.0.2.1"),
                                    .spi = 0xaaaa,
                                    .reqid = keeper_reqid("db", "db"),
                                    .protocol = IPSEC_ESP,
                                    .mode = CHILD_TRANSPORT};
    toy.sas[1] = toy.sas[0];
    toy.sas[1].spi = 0xbbbb;
    toy.sas[1].reqid = REQID_DYNAMIC + 1; /* whose it was nobody knows */
    toy.sas[2] = toy.sas[0];
    toy.sas[2].spi = 0; /* an acquire under way: not before the engine is there */
    toy.piece_count = 3;
    toy.pieces[0] = left_piece(keeper_reqid("db", "db"), 2);
    toy.pieces[1] = left_piece(keeper_reqid("db", "db") ^ 0x100, 77); /* of a child that is gone */
    toy.pieces[2] = left_piece(keeper_reqid("db", "db"), 3);          /* perhaps the orphan's */
    upkeep_adopt(&service, 1000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 1);
    assert_int_equal(toy.jobs[0].remove_sa.spi, 0xbbbb);
    assert_int_equal(service.ledger.orphan_count, 1);
    assert_int_equal(heard.event_count, 0);
    struct address us = policy_address("192.0.2.1");
    assert_true(ledger_find_sa(&service.ledger, &us, 0xaaaa, IPSEC_ESP)->inbound);
    upkeep_tell_orphans(&service);
    assert_int_equal(heard.event_count, 1);

    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    forget_jobs();
    toy.sa_count = 1;
    toy.piece_count = 0;
    upkeep_committed(&service, 2000);
    upkeep_tick(&service, 2000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    assert_int_equal(first_job(KERNEL_REMOVE_PIECE)->piece.remote[3], 77);
}

/* Until the engine installs it anew, too. */
static void what_is_left_and_configured_stays(void **state)
{
    (void)state;
    toy.piece_count = 2;
    toy.pieces[0] = left_piece(keeper_reqid("db", "db"), 2); /* the configured pair */
    toy.pieces[1] = left_piece(keeper_reqid("db", "db"), 3); /* not any more */
    upkeep_adopt(&service, 1000);
    upkeep_committed(&service, 2000);
    upkeep_tick(&service, 2000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    assert_int_equal(first_job(KERNEL_REMOVE_PIECE)->piece.remote[3], 3);
}

/* Only when the SA is filled is it known which reqid it needs. */
static void spis_may_be_filled_under_another_reqid(void **state)
{
    struct effect sa;
    (void)state;

    take(allocate_spi(1));
    service_flush(&service);
    sa = install_sa(heard.answers[0].spi, true);
    sa.install_sa.reqid = REQID_DYNAMIC + 7;
    take(sa);
    service_flush(&service);
    assert_int_equal(heard.answers[1].status, STATUS_OK);
    assert_null(ledger_reqid_owner(&service.ledger, keeper_reqid("db", "db")));
    assert_non_null(ledger_reqid_owner(&service.ledger, REQID_DYNAMIC + 7));
    take(remove_sa(heard.answers[0].spi, true));
    service_flush(&service);
    assert_null(ledger_reqid_owner(&service.ledger, REQID_DYNAMIC + 7));
}

static void acquire(uint32_t reqid)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");

    toy.notices[toy.notice_count++] = (struct kernel_notice){
        .kind = NOTICE_ACQUIRE,
        .sa = {.reqid = reqid,
               .local_packet = selector_host(&us),
               .remote_packet = selector_host(&peer)},
    };
}

static void acquires_reach_their_child(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    acquire(keeper_reqid("db", "db"));
    upkeep_notices(&service, 500);
    assert_int_equal(heard.event_count, 0); /* the engine is not ready */
    upkeep_committed(&service, 600);
    acquire(keeper_reqid("db", "db"));
    acquire(keeper_reqid("db", "db")); /* at most one a second */
    acquire(0x69ffffff);               /* nobody's */
    upkeep_notices(&service, 1000);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_ACQUIRE);
    assert_string_equal(heard.events[0].connection.text, "db");
    assert_selector(heard.events[0].remote_packet, "192.0.2.2/32");
    acquire(keeper_reqid("db", "db"));
    upkeep_notices(&service, 1999);
    assert_int_equal(heard.event_count, 1);
    acquire(keeper_reqid("db", "db"));
    upkeep_notices(&service, 2000);
    assert_int_equal(heard.event_count, 2);
}

static void acquires_are_found_again_at_the_commit(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    toy.sa_count = 1;
    toy.sas[0] = (struct kernel_sa){.source = policy_address("192.0.2.1"),
                                    .destination = policy_address("192.0.2.2"),
                                    .reqid = keeper_reqid("db", "db"),
                                    .protocol = IPSEC_ESP};
    upkeep_committed(&service, 1000);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_ACQUIRE);
    upkeep_committed(&service, 5000); /* a reload: nothing was missed */
    assert_int_equal(heard.event_count, 1);
}

static void sources_are_found(void **state)
{
    struct effect find = {
        .kind = EFFECT_FIND_SOURCE,
        .ticket = {.sa = 1, .sequence = 9},
        .find_source = {.connection = {"db"}, .remote = policy_address("203.0.113.9")}};
    struct address own = policy_address("192.0.2.1");
    (void)state;

    take(find);
    find.find_source.remote = policy_address("2001:db8::9");
    take(find);
    find.find_source.connection = name_of("nobody");
    take(find);
    service_flush(&service);
    assert_int_equal(heard.answer_count, 3);
    assert_int_equal(heard.answers[0].kind, EFFECT_FIND_SOURCE);
    assert_int_equal(heard.answers[0].status, STATUS_OK);
    assert_true(address_equal(&heard.answers[0].source, &own));
    assert_int_equal(heard.answers[1].status, STATUS_REJECT);
    assert_string_equal(heard.answers[1].reason.text, "no route to it");
    assert_int_equal(heard.answers[2].status, STATUS_FAIL);
    assert_int_equal(toy.job_count, 0);
}

static void expire(uint32_t spi, bool hard)
{
    toy.notices[toy.notice_count++] = (struct kernel_notice){
        .kind = NOTICE_EXPIRE,
        .hard = hard,
        .sa = {.destination = policy_address("192.0.2.1"), .spi = spi, .protocol = IPSEC_ESP},
    };
}

static void expiries_are_passed_on(void **state)
{
    (void)state;
    establish();
    take(allocate_spi(2));
    service_flush(&service);
    expire(0xc0000001, false);
    expire(0xc0000001, true);
    expire(0xc0000001, true); /* gone already */
    expire(0xc0000002, true); /* a bare SPI: the engine need not know */
    expire(0xdddddddd, true); /* not ours */
    size_t jobs_before = toy.job_count;
    upkeep_notices(&service, 1000);
    assert_int_equal(toy.job_count, jobs_before + 1); /* so that nothing is kept for it */
    assert_int_equal(toy.jobs[jobs_before].verb, KERNEL_REMOVE_SA);
    assert_int_equal(toy.jobs[jobs_before].remove_sa.spi, 0xc0000002);
    assert_int_equal(heard.event_count, 2);
    assert_false(heard.events[0].hard);
    assert_true(heard.events[1].hard);
    assert_int_equal(heard.events[1].spi, 0xc0000001);
    assert_int_equal(service.ledger.sa_count, 1);
}

/* What the kernel has no more is reported as expired; what it has is left alone. */
static void lost_notices_are_made_up_for(void **state)
{
    (void)state;
    establish();
    toy.sa_count = 1;
    toy.sas[0] = (struct kernel_sa){.source = policy_address("192.0.2.1"),
                                    .destination = policy_address("192.0.2.2"),
                                    .spi = 0x0badcafe,
                                    .reqid = keeper_reqid("db", "db"),
                                    .protocol = IPSEC_ESP};
    toy.notices[toy.notice_count++] = (struct kernel_notice){.kind = NOTICE_LOST};
    upkeep_notices(&service, 1000);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_EXPIRE);
    assert_int_equal(heard.events[0].spi, 0xc0000001);
    assert_true(heard.events[0].hard);
    assert_int_equal(service.ledger.sa_count, 1);
}

static void clearing_takes_all_or_leaves_policies(void **state)
{
    (void)state;
    establish();
    forget_jobs();
    upkeep_clear(&service, false);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 2);
    assert_int_equal(toy.job_count, 2);
    upkeep_clear(&service, true);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1);
    assert_int_equal(jobs_of(KERNEL_REMOVE_BYPASS), 1);
    assert_int_equal(service.ledger.policies.count, 0);
}

/* Somebody else's with our tag and a mark, which the kernel does not remove for us: there is an end
 * to trying. */
static void what_cannot_be_removed_is_left(void **state)
{
    (void)state;
    service.batch_jobs = 2;
    toy.sa_count = 5;
    for (size_t i = 0; i < toy.sa_count; i++)
        toy.sas[i] = (struct kernel_sa){.source = policy_address("192.0.2.7"),
                                        .destination = policy_address("192.0.2.8"),
                                        .spi = (uint32_t)(0xaaa0 + i),
                                        .reqid = REQID_DYNAMIC + 1,
                                        .protocol = IPSEC_ESP};
    upkeep_adopt(&service, 1000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 4); /* tried twice */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(use_is_told),
        TEST(spis_in_use_are_not_given_out),
        TEST(what_the_ledger_refuses_is_told),
        TEST(requests_go_in_one_batch),
        TEST(refusals_are_answered),
        TEST(what_the_kernel_refuses_is_not_in_the_ledger),
        TEST(batches_are_in_order),
        TEST(shared_pieces_stay_until_the_last_pair),
        TEST(the_same_pair_again_replaces),
        TEST(configured_policies_outlast_engines),
        TEST(ipv6_brings_neighbour_discovery_once),
        TEST(failed_policies_are_told_and_stay),
        TEST(policies_lead_to_few_places),
        TEST(the_ledgers_hash_has_its_key),
        TEST(orphans_stay_until_they_are_replaced),
        TEST(orphans_have_their_time),
        TEST(policies_of_an_earlier_session_go_after_the_commit),
        TEST(policies_stay_above_orphans),
        TEST(what_an_earlier_keeper_left_is_adopted),
        TEST(what_is_left_and_configured_stays),
        TEST(spis_may_be_filled_under_another_reqid),
        TEST(acquires_reach_their_child),
        TEST(acquires_are_found_again_at_the_commit),
        TEST(sources_are_found),
        TEST(expiries_are_passed_on),
        TEST(lost_notices_are_made_up_for),
        TEST(clearing_takes_all_or_leaves_policies),
        TEST(what_cannot_be_removed_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
