/*
 * SAs that move: from the kernel's notice that a peer's packets come from elsewhere to the order in
 * which SAs and policies change (iked/keeper/service.h, upkeep.h).
 */
#include "test/unit/keeper.h"

#include <errno.h>

static struct effect move_sa(uint32_t spi, bool inbound, uint16_t port)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");
    struct effect effect = {
        .kind = EFFECT_MOVE_SA,
        .move_sa = {.connection = {"db"},
                    .child = {"db"},
                    .inbound = inbound,
                    .encap = true,
                    .spi = spi,
                    .protocol = IPSEC_ESP,
                    .source = inbound ? peer : us,
                    .destination = inbound ? us : peer},
    };

    us.port = 4500;
    peer.port = port;
    effect.move_sa.new_source = inbound ? peer : us;
    effect.move_sa.new_destination = inbound ? us : peer;
    return effect;
}

static void map(uint32_t spi, const char *source, uint16_t port)
{
    struct kernel_notice notice = {.kind = NOTICE_MAPPING,
                                   .sa = {.source = policy_address(source),
                                          .destination = policy_address("192.0.2.1"),
                                          .spi = spi,
                                          .protocol = IPSEC_ESP}};

    notice.sa.source.port = port;
    toy.notices[toy.notice_count++] = notice;
}

static void mappings_are_passed_on(void **state)
{
    (void)state;
    establish();
    map(0xc0000001, "192.0.2.2", 10005); /* not in UDP: it cannot be */
    upkeep_notices(&service, 1000);
    assert_int_equal(heard.event_count, 0);
    take(move_sa(0xc0000001, true, 10005));
    service_flush(&service);
    map(0xc0000001, "192.0.2.2", 10005); /* that is how it is */
    map(0xdddddddd, "192.0.2.2", 10006); /* not ours */
    upkeep_notices(&service, 1000);
    assert_int_equal(heard.event_count, 0);
    map(0xc0000001, "192.0.2.2", 10006);
    map(0xc0000001, "192.0.2.2", 10006); /* as every packet says */
    upkeep_notices(&service, 1000);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_MAPPING);
    assert_int_equal(heard.events[0].spi, 0xc0000001);
    assert_int_equal(heard.events[0].protocol, IPSEC_ESP);
    assert_int_equal(heard.events[0].source.port, 10006);
    struct address us = policy_address("192.0.2.1");
    assert_true(address_same_host(&heard.events[0].destination, &us));
    map(0xc0000001, "192.0.2.2", 10006);
    upkeep_notices(&service, 1000 + UPKEEP_MAPPING_MS);
    assert_int_equal(heard.event_count, 2);
    upkeep_session_over(&service, 5000);
    map(0xc0000001, "192.0.2.2", 10006); /* nobody knows the SA any more */
    upkeep_notices(&service, 9000);
    assert_int_equal(heard.event_count, 2);
}

/* To another destination: first the new SA, then what else the batch holds (policies that lead to
 * it), last the old one's end. */
static void the_old_goes_when_the_batch_is_done(void **state)
{
    struct address there = policy_address("192.0.2.7");
    struct effect out = move_sa(0x0badcafe, false, 10005);
    struct effect again;
    (void)state;

    establish();
    struct address peer = policy_address("192.0.2.2");
    struct connection *db = TAILQ_FIRST(&config->connections);
    while (strcmp(db->name, "db") != 0)
        db = TAILQ_NEXT(db, entry);
    db->remote = (struct address){0};
    out.move_sa.new_destination = there;
    out.move_sa.new_destination.port = 10005;
    again = out;
    toy.job_count = 0;
    take(out);
    take(move_sa(0xc0000001, true, 10005));
    service_flush(&service);
    assert_int_equal(toy.job_count, 3);
    assert_int_equal(toy.jobs[0].verb, KERNEL_MOVE_SA);
    assert_int_equal(toy.jobs[1].verb, KERNEL_MOVE_SA);
    assert_int_equal(toy.jobs[2].verb, KERNEL_REMOVE_SA);
    assert_true(address_same_host(&toy.jobs[2].remove_sa.destination, &peer));
    assert_int_equal(toy.jobs[2].remove_sa.spi, 0x0badcafe);
    assert_null(ledger_find_sa(&service.ledger, &peer, 0x0badcafe, IPSEC_ESP));
    const struct sa_record *moved = ledger_find_sa(&service.ledger, &there, 0x0badcafe, IPSEC_ESP);
    assert_non_null(moved);
    assert_true(moved->encap);
    assert_int_equal(sa_destination(moved).port, 10005);
    assert_int_equal(heard.event_count, 0);
    take(again); /* it is not there any more: refused, and told */
    service_flush(&service);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_EXPIRE);
}

/* There and back in one batch: where it came from it has to go first, or the kernel refuses the way
 * back, and the SA is lost. */
static void there_and_back(void **state)
{
    (void)state;
    establish();
    struct effect there = move_sa(0x0badcafe, false, 10005);
    struct connection *db = TAILQ_FIRST(&config->connections);
    while (strcmp(db->name, "db") != 0)
        db = TAILQ_NEXT(db, entry);
    db->remote = (struct address){0};
    struct effect back = there;
    there.move_sa.new_destination = policy_address("192.0.2.7");
    there.move_sa.new_destination.port = 10005;
    back.move_sa.destination = there.move_sa.new_destination;
    toy.job_count = 0;
    take(there);
    take(back);
    service_flush(&service);
    assert_int_equal(toy.job_count, 4);
    assert_int_equal(toy.jobs[0].verb, KERNEL_MOVE_SA);
    assert_int_equal(toy.jobs[1].verb, KERNEL_REMOVE_SA);
    assert_int_equal(toy.jobs[2].verb, KERNEL_MOVE_SA);
    assert_int_equal(toy.jobs[3].verb, KERNEL_REMOVE_SA);
    assert_int_equal(heard.event_count, 0);
}

static void what_cannot_be_moved_is_gone(void **state)
{
    (void)state;
    establish();
    toy.failing = KERNEL_MOVE_SA;
    toy.error = EINVAL;
    uint32_t before = service.ledger.sa_count;
    take(move_sa(0xc0000001, true, 10005));
    service_flush(&service);
    assert_int_equal(service.ledger.sa_count, before - 1);
    assert_int_equal(heard.trouble_count, 1);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_EXPIRE);
    assert_int_equal(heard.events[0].spi, 0xc0000001);
    assert_true(heard.events[0].hard);
}

/* The engine is told that it has the SA no more, so the kernel must not have it either: this host's
 * address has gone again before the request came. */
static void what_may_not_be_moved_is_gone(void **state)
{
    struct effect in = move_sa(0xc0000001, true, 10005);
    (void)state;

    establish();
    toy.job_count = 0;
    in.move_sa.new_destination = policy_address("203.0.113.9");
    in.move_sa.new_destination.port = 4500;
    take(in);
    service_flush(&service);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_EXPIRE);
    assert_int_equal(toy.job_count, 1);
    assert_int_equal(toy.jobs[0].verb, KERNEL_REMOVE_SA);
    assert_int_equal(toy.jobs[0].remove_sa.spi, 0xc0000001);
    assert_null(ledger_find_sa(&service.ledger, &in.move_sa.destination, 0xc0000001, IPSEC_ESP));
    /* Another child's is none of its business. */
    struct effect out = move_sa(0x0badcafe, false, 10005);
    snprintf(out.move_sa.child.text, sizeof(out.move_sa.child.text), "other");
    take(out);
    service_flush(&service);
    assert_non_null(
        ledger_find_sa(&service.ledger, &out.move_sa.destination, 0x0badcafe, IPSEC_ESP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(mappings_are_passed_on),
        TEST(the_old_goes_when_the_batch_is_done),
        TEST(there_and_back),
        TEST(what_cannot_be_moved_is_gone),
        TEST(what_may_not_be_moved_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
