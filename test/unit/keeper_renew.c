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
    assert_true(toy.jobs[1].out_only);
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

/* A reqid 0: the child's own. */
static struct effect outbound_of(const char *connection, uint32_t spi, uint32_t reqid)
{
    struct effect effect = install_sa(spi, false);
    struct effect_install_sa *sa = &effect.install_sa;

    sa->connection = name_of(connection);
    sa->child = name_of("net");
    sa->destination = policy_address("192.0.2.9");
    sa->mode = CHILD_TUNNEL;
    sa->reqid = reqid != 0 ? reqid : keeper_reqid(connection, "net");
    return effect;
}

/* A pair within the configured one, and where the configured one is installed, too. */
static struct effect pair_of(const char *connection, uint32_t reqid)
{
    struct effect effect = policy_for(EFFECT_INSTALL_POLICY, connection, "net");

    effect.policy.remote = policy_address("192.0.2.9");
    if (reqid != 0) {
        effect.policy.remote_selector.protocol = 6;
        effect.policy.reqid = reqid;
    }
    return effect;
}

#define DB   "db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; "
#define NETS "children: { net: { mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; "

/* Its own policies come behind a new SA; what is configured for all peers holds their packets, too,
 * and the kernel's work for it grows with their number. */
static void what_is_for_any_peer_waits_for_others(void **state)
{
    struct effect any;
    (void)state;

    reconfigure("connections: { " DB "a: { local = \"192.0.2.1\"; remote = \"any\"; " NETS
                "  remote = [ \"10.2.0.0/16\" ]; }; }; }; };");
    any = pair_of("a", 0);
    any.policy.remote = (struct address){.family = FAMILY_IPV4};
    take(any);
    service_flush(&service);
    forget_jobs();
    take(outbound_of("a", 0x0badcafe, REQID_DYNAMIC + 1));
    take(pair_of("a", REQID_DYNAMIC + 1));
    service_flush(&service);
    assert_int_equal(toy.job_count, 2);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_PIECE);
    assert_int_equal(toy.jobs[1].piece.protocol, 6);
    assert_false(toy.jobs[1].out_only);
    forget_jobs();
    /* They stay as they are behind the next one: then all routes become old by what is
     * configured. */
    take(outbound_of("a", 0x0badcaff, REQID_DYNAMIC + 1));
    take(pair_of("a", REQID_DYNAMIC + 1));
    service_flush(&service);
    assert_int_equal(toy.job_count, 2);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_PIECE);
    assert_int_equal(toy.jobs[1].piece.protocol, 0);
    assert_true(toy.jobs[1].out_only);
    assert_int_equal(heard.trouble_count, 0);
}

/* The packet that asked for an SA waits in what is configured, whatever the peer has narrowed. */
static void what_a_peer_has_narrowed_is_renewed(void **state)
{
    (void)state;
    reconfigure("connections: { " DB "a: { local = \"192.0.2.1\"; remote = \"192.0.2.9\"; " NETS
                "  remote = [ \"10.2.0.0/16\" ]; }; }; }; };");
    take(pair_of("a", 0));
    service_flush(&service);
    forget_jobs();
    take(outbound_of("a", 0x0badcafe, REQID_DYNAMIC + 1));
    service_flush(&service);
    assert_int_equal(toy.job_count, 2);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_PIECE);
    assert_int_equal(toy.jobs[1].template.reqid, keeper_reqid("a", "net"));
    assert_true(toy.jobs[1].out_only);
    assert_int_equal(heard.trouble_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(policies_are_renewed_for_an_outbound_sa),
        TEST(what_is_not_there_is_not_renewed),
        TEST(what_is_for_any_peer_waits_for_others),
        TEST(what_a_peer_has_narrowed_is_renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
