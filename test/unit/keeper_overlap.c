/*
 * Policies of several owners that meet in one of the kernel's: who holds it, who waits for it, and
 * that it is never without a holder while somebody wants it.
 */
#include "iked/keeper/gate/ledger_piece.h"
#include "test/unit/keeper.h"

#define CONNECTION(name, peer, children) \
    name ": { local = \"192.0.2.1\"; remote = \"" peer "\"; children: { " children " }; }; "
#define NET(name, remote, more)                                                       \
    name ": { mode = \"tunnel\"; local = [ \"172.16.0.0/16\" ]; remote = [ \"" remote \
         "\" ]; " more " }; "

static void reconfigure_all(const char *connections)
{
    char text[2048];

    snprintf(text, sizeof(text), "connections: { %s };", connections);
    reconfigure(text);
}

static struct effect policy_of(const char *connection, uint32_t reqid, const char *start,
                               const char *end)
{
    struct effect effect = policy_for(EFFECT_INSTALL_POLICY, connection, "net");
    struct address first = policy_address(start);
    struct address last = policy_address(end);

    memcpy(effect.policy.remote_selector.start, first.bytes, 16);
    memcpy(effect.policy.remote_selector.end, last.bytes, 16);
    if (reqid != 0)
        effect.policy.reqid = REQID_DYNAMIC + reqid;
    return effect;
}

/* In its own good time. */
static void install(struct effect effect)
{
    service.gate.look_credit = GATE_LOOK_BURST * 1000ull;
    take(effect);
    service_flush(&service);
}

static void give_back(struct effect effect)
{
    effect.kind = EFFECT_REMOVE_POLICY;
    take(effect);
    service_flush(&service);
}

/* What the kernel has for a remote prefix: the reqid of the template, 0: no policy. */
static uint32_t reqid_at(const char *remote, uint8_t bits)
{
    struct address host = policy_address(remote);
    uint32_t reqid = 0;

    for (size_t i = 0; i < toy.job_count; i++) {
        const struct kernel_job *job = &toy.jobs[i];
        if (job->piece.remote_bits != bits || memcmp(job->piece.remote, host.bytes, 16) != 0)
            continue;
        if (job->verb == KERNEL_SET_PIECE)
            reqid = job->template.reqid;
        else if (job->verb == KERNEL_REMOVE_PIECE)
            reqid = 0;
    }
    return reqid;
}

/* --- Tests --- */

/* A range that was granted before the other was configured contains the other's own piece. */
static void who_waits_is_put_in_place(void **state)
{
    const char *a = CONNECTION("a", "192.0.2.2", NET("net", "10.0.0.0/8", ""));
    const char *b = CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", ""));
    char both[1024];
    (void)state;

    reconfigure_all(a);
    struct effect range = policy_of("a", 7, "10.1.0.0", "10.2.0.0");
    install(range);
    assert_int_equal(reqid_at("10.1.0.0", 16), REQID_DYNAMIC + 7);
    assert_int_equal(reqid_at("10.2.0.0", 32), REQID_DYNAMIC + 7);
    snprintf(both, sizeof(both), "%s%s", a, b);
    reconfigure_all(both);
    size_t before = toy.job_count;
    install(policy_of("b", 0, "10.1.0.0", "10.1.255.255"));
    assert_int_equal(heard.trouble_count, 0);
    assert_int_equal(toy.job_count, before); /* it waits: nothing is overwritten */
    give_back(range);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("b", "net"));
    assert_int_equal(reqid_at("10.2.0.0", 32), 0);
    assert_int_equal(toy.job_count, before + 2); /* in place, and no gap before */
    assert_int_equal(toy.jobs[toy.job_count - 2].template.mode, CHILD_TUNNEL);
    assert_true(
        address_same_host(&toy.jobs[before].template.remote, &config_find(config, "b")->remote));
}

/* The same range, asked for while the other is configured. */
static void a_range_does_not_overwrite_what_is_configured(void **state)
{
    (void)state;
    reconfigure_all(CONNECTION("a", "192.0.2.2", NET("net", "10.0.0.0/8", ""))
                        CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", "")));
    install(policy_of("b", 0, "10.1.0.0", "10.1.255.255"));
    install(policy_of("a", 7, "10.1.0.0", "10.2.0.0"));
    assert_int_equal(heard.trouble_count, 1);
    assert_non_null(strstr(heard.trouble, "connection b is configured"));
    assert_int_equal(toy.job_count, 1);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("b", "net"));
}

/* Two connections for the very same: the second waits, and has it when the first is gone. */
static void the_second_has_it_when_the_first_is_gone(void **state)
{
    const char *b = CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", ""));
    (void)state;

    reconfigure_all(CONNECTION("a", "192.0.2.2", NET("net", "10.1.0.0/16", ""))
                        CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", "")));
    struct effect first = policy_of("a", 0, "10.1.0.0", "10.1.255.255");
    install(first);
    install(policy_of("b", 0, "10.1.0.0", "10.1.255.255"));
    assert_int_equal(heard.trouble_count, 0);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("a", "net"));
    reconfigure_all(b);
    give_back(first);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("b", "net"));
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    assert_int_equal(service.ledger.policies.count, 1);
    assert_int_equal(service.ledger.pieces.count, 1);
}

/* An SA's own lies above its owner's configured one, in the owner's place. */
static void an_sas_own_lies_above_the_configured(void **state)
{
    (void)state;
    reconfigure_all(CONNECTION("a", "192.0.2.2", NET("net", "10.1.0.0/16", ""))
                        CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", "")));
    install(policy_of("a", 0, "10.1.0.0", "10.1.255.255"));
    install(policy_of("b", 0, "10.1.0.0", "10.1.255.255"));
    struct effect own = policy_of("a", 7, "10.1.0.0", "10.1.255.255");
    install(own);
    assert_int_equal(reqid_at("10.1.0.0", 16), REQID_DYNAMIC + 7);
    give_back(own);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("a", "net"));
    /* And a range of its own, which shares the piece: it goes again without a gap. */
    own = policy_of("a", 8, "10.1.0.0", "10.2.0.0");
    reconfigure_all(CONNECTION("a", "192.0.2.2", NET("net", "10.1.0.0/16\", \"10.0.0.0/8", "")));
    install(own);
    assert_int_equal(reqid_at("10.1.0.0", 16), REQID_DYNAMIC + 8);
    give_back(own);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("a", "net"));
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 1); /* of 10.2.0.0/32 */
}

/* What is required holds a piece before what is preferred, whoever came first. */
static void the_required_goes_before_the_preferred(void **state)
{
    static const char text[] =
        "connections: {"
        " soft: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { net: {"
        "  local = [ \"tcp/80\" ]; policy = \"prefer\"; }; }; };"
        " hard: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { net: {"
        "  local = [ \"tcp/80\" ]; }; }; }; };";
    (void)state;

    reconfigure(text);
    install(policy_for(EFFECT_INSTALL_POLICY, "soft", "net"));
    assert_int_equal(reqid_at("192.0.2.2", 32), keeper_reqid("soft", "net"));
    install(policy_for(EFFECT_INSTALL_POLICY, "hard", "net"));
    assert_int_equal(reqid_at("192.0.2.2", 32), keeper_reqid("hard", "net"));
    assert_int_equal(toy.jobs[1].template.policy, POLICY_REQUIRE);
    /* An SA of the preferring one's changes nothing. */
    struct effect own = policy_for(EFFECT_INSTALL_POLICY, "soft", "net");
    own.policy.reqid = REQID_DYNAMIC + 1;
    install(own);
    assert_int_equal(reqid_at("192.0.2.2", 32), keeper_reqid("hard", "net"));
}

/* What is configured for any peer waits for who can call his peer, whoever came first; what a peer
 * has in hand does not. */
static void any_peer_waits_unless_it_is_there(void **state)
{
    struct effect any;
    (void)state;

    reconfigure_all(CONNECTION("a", "any", NET("net", "10.1.0.0/16", "")));
    any = policy_of("a", 0, "10.1.0.0", "10.1.255.255");
    any.policy.remote = (struct address){.family = FAMILY_IPV4};
    struct effect peers = policy_of("a", 7, "10.1.0.0", "10.1.255.255");
    peers.policy.remote = policy_address("203.0.113.9");
    install(any);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("a", "net"));
    install(peers);
    assert_int_equal(reqid_at("10.1.0.0", 16), REQID_DYNAMIC + 7);
    reconfigure_all(CONNECTION("a", "any", NET("net", "10.1.0.0/16", ""))
                        CONNECTION("b", "192.0.2.3", NET("net", "10.1.0.0/16", "")));
    install(policy_of("b", 0, "10.1.0.0", "10.1.255.255"));
    assert_int_equal(reqid_at("10.1.0.0", 16), REQID_DYNAMIC + 7);
    install(any); /* the peer is gone */
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("b", "net"));
    assert_int_equal(heard.trouble_count, 0);
}

/* When the holder of a tunnel's piece gives way to a transport, what was forwarded goes, too. */
static void a_tunnels_forward_policy_goes(void **state)
{
    static const char text[] =
        "connections: {"
        " a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { net: {"
        "  mode = \"tunnel\"; local = [ \"192.0.2.1/32\" ]; remote = [ \"192.0.2.2/32\" ]; }; }; };"
        " b: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: { net: { }; }; }; };";
    (void)state;

    reconfigure(text);
    struct effect tunnel = policy_for(EFFECT_INSTALL_POLICY, "a", "net");
    install(tunnel);
    install(policy_for(EFFECT_INSTALL_POLICY, "b", "net"));
    assert_int_equal(toy.job_count, 1);
    reconfigure("connections: { b: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: {"
                "  net: { }; }; }; };");
    give_back(tunnel);
    assert_int_equal(toy.job_count, 3);
    assert_int_equal(toy.jobs[1].verb, KERNEL_SET_PIECE);
    assert_int_equal(toy.jobs[1].template.mode, CHILD_TRANSPORT);
    assert_int_equal(toy.jobs[2].verb, KERNEL_REMOVE_FORWARD);
}

/* A dead negotiator's: what the configuration wants comes back in place. */
static void a_session_leaves_what_is_configured(void **state)
{
    (void)state;
    reconfigure_all(CONNECTION("a", "192.0.2.2", NET("net", "10.1.0.0/16", "")));
    install(policy_of("a", 7, "10.1.0.0", "10.1.255.255"));
    upkeep_session_over(&service, 2000);
    upkeep_committed(&service, 3000);
    upkeep_tick(&service, 4000);
    assert_int_equal(jobs_of(KERNEL_REMOVE_PIECE), 0);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("a", "net"));
}

/* --- A negotiator that wants too much --- */

#define WIDE CONNECTION("x", "any", NET("net", "10.0.0.0/8", ""))

/* So many that want 10.1.0.0/16 that no more can: pairs that x may have. */
static void crowd(void)
{
    char end[16];

    for (unsigned i = 0; i < PIECE_WANTS_MAX; i++) {
        snprintf(end, sizeof(end), "10.2.%u.%u", i / 256, i % 256);
        struct effect range = policy_of("x", 7, "10.1.0.0", end);
        range.policy.remote = policy_address("192.0.2.9");
        install(range);
        if (i > 0)
            forget_jobs();
    }
    assert_int_equal(heard.trouble_count, 0);
}

/* What it has made up does not keep out what the configuration requires from now on. */
static void a_crowd_does_not_keep_out_what_is_required(void **state)
{
    (void)state;
    reconfigure_all(WIDE);
    crowd();
    reconfigure_all(CONNECTION("y", "192.0.2.3", NET("net", "10.1.0.0/16", "")));
    upkeep_committed(&service, 1000);
    assert_int_equal(reqid_at("10.1.0.0", 16), keeper_reqid("y", "net"));
    assert_int_equal(service.ledger.policies.count, 1);
}

#define HOST(policy)                             \
    CONNECTION("y", "192.0.2.3",                 \
               "net: { policy = \"" policy "\";" \
               " remote = [ \"192.0.2.3/32 tcp/1024-2047\" ]; }; ")
#define ANY_HOST CONNECTION("x", "any", "net: { policy = \"prefer\"; }; ")

/* x's own for the ports from 1024 to `last` of 192.0.2.3. */
static struct effect ports_to(uint16_t last)
{
    struct effect effect = policy_for(EFFECT_INSTALL_POLICY, "x", "net");
    struct effect_policy *policy = &effect.policy;

    policy->remote = policy_address("192.0.2.3");
    policy->remote_selector = selector_host(&policy->remote);
    policy->remote_selector.protocol = 6;
    policy->remote_selector.port_start = 1024;
    policy->remote_selector.port_end = last;
    policy->reqid = REQID_DYNAMIC + 7;
    return effect;
}

/* Nor where the pair is there already, without its piece. */
static void a_pair_without_its_piece_gets_it(void **state)
{
    (void)state;
    reconfigure_all(ANY_HOST);
    for (unsigned i = 0; i < PIECE_WANTS_MAX; i++) {
        install(ports_to((uint16_t)(2048 + i)));
        forget_jobs();
    }
    assert_int_equal(heard.trouble_count, 0);
    reconfigure_all(ANY_HOST HOST("prefer"));
    install(policy_for(EFFECT_INSTALL_POLICY, "y", "net"));
    assert_int_equal(heard.trouble_count, 1); /* it may fail: it is not required */
    assert_int_equal(toy.job_count, 0);
    reconfigure_all(ANY_HOST HOST("require"));
    upkeep_committed(&service, 1000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_int_equal(toy.jobs[0].template.reqid, keeper_reqid("y", "net"));
    assert_int_equal(toy.jobs[0].template.policy, POLICY_REQUIRE);
}

/* Each range is of many of the kernel's policies: their number has an end, and what the keeper
 * itself has to set is not held up by it. */
static void pieces_have_an_end(void **state)
{
    size_t refused_at = 0;
    (void)state;

    reconfigure_all(CONNECTION("x", "any",
                               "net: { mode = \"tunnel\"; local = [ \"172.16.0.0/16\" ]; "
                               "remote = [ \"10.0.0.0/8\" ]; };"));
    service.ledger.pieces.count = LEDGER_PIECES_MAX - 100;
    for (uint32_t i = 0; i < 16 && heard.trouble_count == 0; i++) {
        char start[16];
        char end[16];
        snprintf(start, sizeof(start), "10.%u.0.1", i);
        snprintf(end, sizeof(end), "10.%u.255.254", i);
        struct effect range = policy_of("x", 7, start, end); /* 30 pieces */
        range.policy.remote = policy_address("192.0.2.9");
        install(range);
        refused_at = i;
    }
    assert_int_equal(refused_at, 3);
    assert_non_null(strstr(heard.trouble, "no more can be kept count of"));
    assert_int_equal(service.ledger.policies.count, 3);
    assert_int_equal(service.ledger.pieces.count, LEDGER_PIECES_MAX - 10);
    reconfigure_all(CONNECTION("y", "192.0.2.3", NET("net", "10.0.0.0/8", ""))
                        CONNECTION("z", "192.0.2.4", NET("net", "11.0.0.0-11.0.0.30", "")));
    upkeep_committed(&service, 1000);
    assert_int_equal(reqid_at("10.0.0.0", 8), keeper_reqid("y", "net"));
    assert_int_equal(reqid_at("11.0.0.30", 32), keeper_reqid("z", "net"));
    service.ledger.pieces.count -= LEDGER_PIECES_MAX - 100;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_waits_is_put_in_place),
        TEST(a_range_does_not_overwrite_what_is_configured),
        TEST(the_second_has_it_when_the_first_is_gone),
        TEST(an_sas_own_lies_above_the_configured),
        TEST(the_required_goes_before_the_preferred),
        TEST(any_peer_waits_unless_it_is_there),
        TEST(a_tunnels_forward_policy_goes),
        TEST(a_session_leaves_what_is_configured),
        TEST(a_crowd_does_not_keep_out_what_is_required),
        TEST(a_pair_without_its_piece_gets_it),
        TEST(pieces_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
