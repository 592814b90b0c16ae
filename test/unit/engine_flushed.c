/*
 * Somebody else removes the kernel's SAs while a pair is being installed: the inbound one is gone
 * before the engine has the outbound one, and so before the child is there.
 */
#include <string.h>

#include "test/common/host.h"
#include "test/common/probe.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define WORK_MS 20 /* what one request may take: those of one pair come apart */
#define TRIES   50 /* seeds, until one of them has that moment */

/* Is only the inbound SA of its first child there? */
static bool is_half_installed(const struct host *host)
{
    const struct fake_sa *sa;
    size_t inbound = 0;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry) {
        if (!sa->larval && !sa->inbound)
            return false;
        inbound += !sa->larval;
    }
    return inbound == 1;
}

/* Where a begins; false when both SAs came at once. */
static bool flush_between(struct world *world, struct host *a, struct host *flushed)
{
    host_up(a, "ab");
    for (unsigned ms = 0; ms < 1000; ms++) {
        if (is_half_installed(flushed)) {
            host_flush_sas(flushed, true);
            return true;
        }
        world_run(world, 1);
    }
    return false;
}

/* Packets pass both ways again, within half a minute of traffic that asks. */
static void assert_recovers(struct world *world, struct host *a, struct host *b)
{
    for (unsigned s = 0; s < 30; s++) {
        (void)host_ping(a, b, FAMILY_IPV4);
        (void)host_ping(b, a, FAMILY_IPV4);
        world_run(world, 1000);
    }
    uint64_t delivered[] = {a->delivered, b->delivered};
    assert_int_equal(host_ping(a, b, FAMILY_IPV4), FAKE_SEALED);
    assert_int_equal(host_ping(b, a, FAMILY_IPV4), FAKE_SEALED);
    world_run(world, 1000);
    assert_int_equal(a->delivered, delivered[0] + 1);
    assert_int_equal(b->delivered, delivered[1] + 1);
}

static void assert_end_recovers(bool initiator)
{
    bool met = false;

    for (uint64_t seed = 1; seed <= TRIES && !met; seed++) {
        struct world world;
        world_init(&world, seed, crypto);
        struct host *a = group_host(&world, "a", "b", "");
        struct host *b = group_host(&world, "b", "a", "");
        world_run(&world, 100);
        world.weather.work_max_ms = WORK_MS;
        met = flush_between(&world, a, initiator ? a : b);
        if (met)
            assert_recovers(&world, a, b);
        world_free(&world);
    }
    assert_true(met);
}

static void the_initiator_loses_its_inbound_sa(void **state)
{
    (void)state;
    assert_end_recovers(true);
}

static void the_responder_loses_its_inbound_sa(void **state)
{
    (void)state;
    assert_end_recovers(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_initiator_loses_its_inbound_sa),
        cmocka_unit_test(the_responder_loses_its_inbound_sa),
    };
    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
