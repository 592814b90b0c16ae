/*
 * Policies set anew as they are (iked/keeper/renew.h).
 */
#include "iked/keeper/renew.h"

#include "test/unit/keeper.h"

/* Behind the SA that packets go out by, in the same batch, with the same template. */
static void policies_are_renewed_for_an_outbound_sa(void **state)
{
    (void)state;
    take(allocate_spi(1));
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
    const struct kernel_job set = toy.jobs[1];
    assert_int_equal(set.verb, KERNEL_SET_PIECE);
    forget_jobs();
    take(install_sa(heard.answers[0].spi, true));
    service_flush(&service);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 0);
    forget_jobs();
    take(install_sa(0x0badcafe, false));
    service_flush(&service);
    assert_int_equal(toy.job_count, 2);
    assert_int_equal(toy.jobs[0].verb, KERNEL_INSTALL_SA);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_PIECE);
    assert_true(piece_equal(&toy.jobs[1].piece, &set.piece));
    assert_int_equal(toy.jobs[1].template.reqid, set.template.reqid);
    assert_true(address_same_host(&toy.jobs[1].template.remote, &set.template.remote));
    assert_int_equal(toy.jobs[1].template.policy, POLICY_REQUIRE);
}

static void what_is_not_there_is_not_renewed(void **state)
{
    (void)state;
    take(install_sa(0x0badcafe, false));
    service_flush(&service);
    assert_int_equal(toy.job_count, 1);
    assert_int_equal(toy.jobs[0].verb, KERNEL_INSTALL_SA);
    assert_int_equal(service.ledger.pieces.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(policies_are_renewed_for_an_outbound_sa),
        TEST(what_is_not_there_is_not_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
