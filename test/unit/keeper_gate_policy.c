/*
 * The gate (keeper/gate/gate.h) against a negotiator that lies about policies: what they select,
 * whose they are, and where their ends are.
 */
#include "test/unit/gate.h"

#include <string.h>

#include "iked/keeper/xfrm/kernel.h"
#include "lib/policy/known.h"

/* --- What they select --- */

static void policies_stay_within_the_child(void **state)
{
    struct effect good = good_policy();
    (void)state;

    assert_passes(&good);
    good.policy.local_selector = selector_between("10.1.0.5", "10.1.0.9"); /* narrower is good */
    assert_passes(&good);
    good = good_policy();
    REFUSED(good, "local selector",
            e->policy.local_selector = selector_between("10.0.255.255", "10.1.255.255"));
    REFUSED(good, "local selector",
            e->policy.local_selector = selector_between("10.1.0.0", "10.2.0.0"));
    REFUSED(good, "local selector",
            e->policy.local_selector = selector_between("0.0.0.0", "255.255.255.255"));
    REFUSED(good, "remote selector",
            e->policy.remote_selector = selector_between("10.2.0.0", "10.3.255.255"));
    REFUSED(good, "remote selector", /* only UDP there */
            e->policy.remote_selector = selector_between("10.3.0.0", "10.3.0.9"));
    REFUSED(good, "remote selector", e->policy.remote_selector = selector_between("::", "::"));
    REFUSED(good, "other policy", e->policy.policy = POLICY_PREFER);
    REFUSED(good, "mode", e->policy.templates[0].mode = CHILD_TRANSPORT);
    REFUSED(good, "protocol", e->policy.templates[0].protocol = IPSEC_AH);
    REFUSED(good, "other templates", e->policy.template_count = 2);
    REFUSED(good, "other templates", e->policy.template_count = 0);
    REFUSED(good, "remote address", e->policy.remote = policy_address("192.0.2.4"));
    REFUSED(good, "remote address", e->policy.remote = (struct address){0});
    REFUSED(good, "reqid", e->policy.reqid = reqid_of("db", "web"));
}

static void peers_take_no_traffic_but_theirs(void **state)
{
    struct effect good = good_policy();
    (void)state;

    name_set(&good.policy.connection, "any");
    name_set(&good.policy.child, "any");
    good.policy.reqid = reqid_of("any", "any");
    good.policy.templates[0].mode = CHILD_TRANSPORT;
    good.policy.remote = policy_address("198.51.100.7");
    good.policy.local_selector = selector_between("192.0.2.1", "192.0.2.1");
    good.policy.remote_selector = selector_between("198.51.100.7", "198.51.100.7");
    assert_passes(&good);
    /* The child says "the peer", so another host's traffic cannot be taken. */
    REFUSED(good, "remote selector",
            e->policy.remote_selector = selector_between("198.51.100.8", "198.51.100.8"));
    REFUSED(good, "remote selector",
            e->policy.remote_selector = selector_between("198.51.100.7", "198.51.100.8"));
    REFUSED(good, "remote selector", e->policy.remote = policy_address("198.51.100.8"));
    /* So does this one, in tunnel mode. */
    name_set(&good.policy.connection, "road");
    name_set(&good.policy.child, "all");
    good.policy.reqid = reqid_of("road", "all");
    good.policy.templates[0].mode = CHILD_TUNNEL;
    good.policy.local_selector = selector_between("0.0.0.0", "255.255.255.255");
    assert_passes(&good);
    REFUSED(good, "remote selector",
            e->policy.remote_selector = selector_between("0.0.0.0", "255.255.255.255"));
}

static struct effect dynamic(struct effect policy, const char *start, const char *end)
{
    policy.policy.remote_selector = selector_between(start, end);
    policy.policy.reqid = 0x69812345;
    return policy;
}

/* In the hands of an SA of another connection's: not even a part is to be had. */
static void selectors_in_hand_are_not_taken_over(void **state)
{
    struct effect good = good_policy();
    struct effect asked = dynamic(good, "10.2.3.0", "10.2.3.255");
    struct effect_policy held = good.policy;
    (void)state;

    name_set(&held.connection, "road");
    name_set(&held.child, "all");
    held.reqid = 0x69854321;
    assert_passes(&asked);
    struct policy_record *policy = ledger_set_policy(&room.ledger, &held, true);
    assert_non_null(policy);
    assert_refused(&asked, "connection road has some of the traffic in hand");
    assert_passes(&good); /* as configured: it waits */
    asked = dynamic(good, "10.2.0.0", "10.2.255.255");
    assert_refused(&asked, "in hand");
    ledger_remove_policy(&room.ledger, policy);
    /* More than it wants beside it: the kernel prefers the narrower. */
    held.remote_selector = selector_between("10.2.4.0", "10.2.4.255");
    assert_non_null(ledger_set_policy(&room.ledger, &held, true));
    assert_passes(&asked);
    asked = dynamic(good, "10.2.4.7", "10.2.4.7");
    assert_refused(&asked, "in hand");
    asked = dynamic(good, "10.2.5.0", "10.2.5.255");
    assert_passes(&asked);
    /* Once its owner is configured no more, they are free. */
    asked = dynamic(good, "10.2.4.7", "10.2.4.7");
    room_configure("connections: { lan: { local = \"192.0.2.1\"; remote = "
                   "\"192.0.2.3\"; children: { net: { mode = \"tunnel\"; local = [ "
                   "\"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\" ]; }; }; }; };");
    assert_passes(&asked);
}

/* What another connection is configured for is not to be had by something narrower, or by a range
 * whose pieces are. */
static void others_keep_what_they_are_configured_for(void **state)
{
    struct effect broad = good_policy();
    struct effect asked;
    (void)state;

    room_configure(
        "connections: {"
        " lan: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; children: { net: { "
        "mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ \"10.0.0.0/8\" ]; }; }; };"
        " b: { local = \"192.0.2.1\"; remote = \"192.0.2.4\"; children: { net: { "
        "mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\" ]; }; }; };"
        " };");
    broad.policy.remote_selector = selector_between("10.0.0.0", "10.255.255.255");
    assert_passes(&broad);
    asked = dynamic(broad, "10.2.3.0", "10.2.3.255");
    assert_refused(&asked, "connection b is configured for some");
    asked = dynamic(broad, "10.2.0.0", "10.3.0.0");
    assert_refused(&asked, "connection b is configured for some");
    asked = dynamic(broad, "10.2.0.0", "10.2.255.255");
    assert_refused(&asked, "connection b is configured for some");
    asked = dynamic(broad, "10.3.0.0", "10.3.0.255");
    assert_passes(&asked);
    asked = dynamic(broad, "10.0.0.0", "10.127.255.255"); /* the kernel prefers b's there */
    assert_passes(&asked);
    /* B itself may have a part of its own. */
    name_set(&asked.policy.connection, "b");
    asked.policy.remote = policy_address("192.0.2.4");
    asked = dynamic(asked, "10.2.3.0", "10.2.3.255");
    assert_passes(&asked);
}

static void only_own_policies_are_removed(void **state)
{
    struct effect good = good_policy();
    (void)state;

    good.kind = EFFECT_REMOVE_POLICY;
    good.policy.local_selector = selector_between("10.1.0.0", "10.1.0.255");
    assert_refused(&good, "no such policy");
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy, false));
    assert_passes(&good);
    REFUSED(good, "no such policy", name_set(&e->policy.connection, "db"));
    REFUSED(good, "no such policy",
            e->policy.local_selector = selector_between("10.1.0.0", "10.1.255.255"));
}

/* Also while a reload is under way, and whatever the configuration before said. */
static void configured_policies_are_not_removed(void **state)
{
    struct effect good = good_policy();
    struct config *empty = policy_config("connections: { };");
    (void)state;

    good.kind = EFFECT_REMOVE_POLICY;
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy, false));
    assert_refused(&good, "the configuration wants this policy");
    gate_offer(&room.gate, empty);
    assert_passes(&good);
    gate_offer(&room.gate, room.config);
    assert_refused(&good, "the configuration wants this policy");
    config_free(empty);
}

/* on_dead = "clear", and only of what is not required. */
static void policies_that_a_dead_peer_clears_may_go(void **state)
{
    struct effect good = good_policy();
    (void)state;

    room_configure("connections: { db: { local = \"192.0.2.1\"; remote = "
                   "\"192.0.2.2\"; on_dead = \"clear\"; children: { web: { policy = "
                   "\"prefer\"; }; }; }; };");
    struct child_config *web = TAILQ_FIRST(&TAILQ_FIRST(&room.config->connections)->children);
    name_set(&good.policy.connection, "db");
    name_set(&good.policy.child, "web");
    good.policy.reqid = web->reqid;
    good.kind = EFFECT_REMOVE_POLICY;
    good.policy.local_selector = web->local[0];
    good.policy.remote_selector = web->remote[0];
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy, false));
    assert_passes(&good);
    web->policy = POLICY_REQUIRE;
    assert_refused(&good, "the configuration wants this policy");
}

/* --- Where its ends are --- */

/* Until an SA stands the kernel takes the address that the route says; an SA has one. */
static void a_policy_may_leave_the_local_end_open(void **state)
{
    struct effect good = good_policy();
    (void)state;

    REFUSED(good, "local address", memset(e->policy.local.bytes, 0, 16));
    open_local("lan");
    assert_passes(&good);
    memset(good.policy.local.bytes, 0, 16);
    assert_passes(&good);
    REFUSED(good, "local address", e->policy.local.family = FAMILY_NONE);
    open_local("db");
    struct effect spi = good_spi();
    REFUSED(spi, "local address", memset(e->allocate_spi.destination.bytes, 0, 16));
}

/* RFC 4555: a peer that may move is where the negotiator says, in UDP or not. */
static void a_mobile_peer_may_be_anywhere(void **state)
{
    struct effect good = good_policy();
    (void)state;

    good.policy.remote = policy_address("203.0.113.9");
    assert_refused(&good, "remote address");
    room_connection("lan")->mobike = true;
    assert_passes(&good);
    REFUSED(good, "remote address", e->policy.remote.family = FAMILY_NONE);
}

/* What the file says and what the resolver said, of this connection; policies may wait for it. */
static void named_peers_are_where_they_are_known(void **state)
{
    struct address found[] = {policy_address("198.51.100.7"), policy_address("224.0.0.1")};
    const struct places used = {0};
    struct effect good = good_policy();
    (void)state;

    room_configure(
        "connections: { lan: { local = \"192.0.2.1\"; remote = [ \"gw.example\", \"192.0.2.3\" ]; "
        "children: { net: { mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ "
        "\"10.2.0.0/16\" ]; }; host: { }; }; }; };");
    assert_passes(&good);
    REFUSED(good, "remote address", e->policy.remote = policy_address("198.51.100.7"));
    config_learn(room.config, config_find(room.config, "lan"), found, 2, &used);
    good.policy.remote = found[0];
    assert_passes(&good);
    REFUSED(good, "remote address", e->policy.remote = found[1]);
    REFUSED(good, "remote address", e->policy.remote = policy_address("198.51.100.8"));
    good.policy.remote = (struct address){.family = FAMILY_IPV4};
    assert_passes(&good);
    struct effect spi = {
        .kind = EFFECT_ALLOCATE_SPI,
        .allocate_spi = {.connection = {"lan"},
                         .child = {"net"},
                         .source = found[0],
                         .destination = policy_address("192.0.2.1"),
                         .protocol = IPSEC_ESP,
                         .mode = CHILD_TUNNEL,
                         .reqid = reqid_of("lan", "net")},
    };
    assert_passes(&spi);
    REFUSED(spi, "remote address",
            e->allocate_spi.source = (struct address){.family = FAMILY_IPV4});
    REFUSED(spi, "remote address", e->allocate_spi.source = policy_address("198.51.100.8"));
    /* The other child protects traffic with each of these addresses, and the gate knows it. */
    const struct owner owner = {.connection = {"lan"}, .child = {"host"}};
    struct address us = policy_address("192.0.2.1");
    struct child_selectors pair = {.local = selector_host(&us), .remote = selector_host(&found[0])};
    struct effect_policy wanted;
    assert_true(config_policy(room.config, &owner, &pair, &wanted));
    assert_string_equal(wanted.child.text, "host");
    assert_int_equal(wanted.reqid, reqid_of("lan", "host"));
    assert_true(address_same_host(&wanted.local, &us));
    assert_true(address_same_host(&wanted.remote, &found[0]));
    pair.remote = selector_host(&found[1]);
    assert_false(config_policy(room.config, &owner, &pair, &wanted));
}

/* Policies and further SPIs follow an SA that has moved, and go nowhere else; selectors stay. */
static void policies_follow_their_sas(void **state)
{
    struct effect policy = good_policy();
    struct effect spi = good_spi();
    struct sa_record *sa = grant_tunnel(false);
    (void)state;

    policy.policy.remote = policy_address("203.0.113.9");
    name_set(&spi.allocate_spi.connection, "lan");
    name_set(&spi.allocate_spi.child, "net");
    spi.allocate_spi.reqid = reqid_of("lan", "net");
    spi.allocate_spi.mode = CHILD_TUNNEL;
    spi.allocate_spi.source = policy.policy.remote;
    assert_refused(&policy, "remote address");
    assert_refused(&spi, "remote address");
    struct address source = sa_source(sa);
    assert_ptr_equal(ledger_move_sa(&room.ledger, sa, &source, &policy.policy.remote, true), sa);
    assert_passes(&policy);
    assert_passes(&spi);
    REFUSED(policy, "remote address", e->policy.remote = policy_address("203.0.113.8"));
    REFUSED(policy, "remote selector",
            e->policy.remote_selector = selector_between("203.0.113.9", "203.0.113.9"));
    REFUSED(policy, "local selector",
            e->policy.local_selector = selector_between("10.0.0.0", "10.255.255.255"));
}

/* They lead nowhere, stand as long as they are configured, and yield to who can call its peer. */
static void policies_for_any_peer_stand(void **state)
{
    struct effect policy = good_policy();
    (void)state;

    room_configure(
        "connections: { road: { local = \"192.0.2.1\"; remote = \"any\"; children: { net: { mode = "
        "\"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\" ]; }; }; }; "
        "lan: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; children: { net: { mode = "
        "\"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\" ]; }; }; }; };");
    name_set(&policy.policy.connection, "road");
    policy.policy.reqid = reqid_of("road", "net");
    policy.policy.remote = (struct address){.family = FAMILY_IPV4};
    assert_passes(&policy);
    assert_non_null(ledger_set_policy(&room.ledger, &policy.policy, true));
    struct effect removal = policy;
    removal.kind = EFFECT_REMOVE_POLICY;
    assert_refused(&removal, "the configuration wants this policy");
    struct effect known = good_policy();
    known.policy.reqid = reqid_of("lan", "net");
    assert_passes(&known);
    /* Not so when a peer has it: then it is in somebody's hands. */
    policy.policy.reqid = REQID_DYNAMIC + 5;
    policy.policy.remote = policy_address("203.0.113.9");
    assert_refused(&policy, "connection lan is configured");
    assert_non_null(ledger_set_policy(&room.ledger, &policy.policy, true));
    assert_passes(&policy); /* in hand, whatever another is configured for since */
    assert_passes(&known);  /* it waits */
    known.policy.reqid = REQID_DYNAMIC + 6;
    assert_refused(&known, "connection road has some of the traffic in hand");
}

/* What meets it is looked at pair by pair, and that has an end; all else goes on. */
static void looks_at_what_is_in_hand_are_counted(void **state)
{
    const uint64_t count = 1000;
    struct effect good = good_policy();
    struct effect asked = dynamic(good, "10.2.0.0", "10.2.255.255");
    struct effect_policy held = good.policy;
    struct effect spi = good_spi();
    struct reason reason;
    uint64_t done = 0;
    (void)state;

    name_set(&held.connection, "road");
    name_set(&held.child, "all");
    held.reqid = 0x69854321;
    held.local_selector = selector_between("10.9.0.0", "10.9.0.0"); /* no packet of lan's */
    for (uint64_t i = 0; i < count; i++) {
        held.remote_selector = selector_between("10.2.0.0", "10.2.0.0");
        held.remote_selector.start[2] = held.remote_selector.end[2] = (uint8_t)(i / 256);
        held.remote_selector.start[3] = held.remote_selector.end[3] = (uint8_t)i;
        assert_non_null(ledger_set_policy(&room.ledger, &held, true));
    }
    while (gate_check(&room.gate, &asked, 1000, &reason) == STATUS_OK)
        assert_true(++done <= GATE_LOOK_BURST / count);
    assert_int_equal(done, GATE_LOOK_BURST / count);
    assert_non_null(strstr(reason.text, "too much to look through"));
    for (done = 0; gate_check(&room.gate, &asked, 1100, &reason) == STATUS_OK; done++)
        continue;
    assert_int_equal(done, GATE_LOOK_RATE / 10 / count);
    assert_passes(&spi);
    assert_passes(&good); /* as configured: it needs no look */
}

/* Wide ranges are many pieces at both ends. */
static void looks_count_the_pieces_of_both(void **state)
{
    const uint64_t pieces = 30;
    struct effect good = good_policy();
    struct effect asked = dynamic(good, "10.2.0.1", "10.2.255.254");
    struct effect_policy held = good.policy;
    struct reason reason = {0};
    uint64_t done = 0;
    (void)state;

    name_set(&held.connection, "road");
    name_set(&held.child, "all");
    held.reqid = 0x69854321;
    held.remote_selector = selector_between("10.2.0.1", "10.2.255.254");
    assert_non_null(ledger_set_policy(&room.ledger, &held, true));
    while (strstr(reason.text, "too much to look through") == NULL) {
        (void)(gate_check(&room.gate, &asked, 1000, &reason) == STATUS_OK);
        assert_true(++done <= GATE_LOOK_BURST / (pieces * pieces) + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(policies_stay_within_the_child),
        TEST(peers_take_no_traffic_but_theirs),
        TEST(selectors_in_hand_are_not_taken_over),
        TEST(others_keep_what_they_are_configured_for),
        TEST(only_own_policies_are_removed),
        TEST(configured_policies_are_not_removed),
        TEST(policies_that_a_dead_peer_clears_may_go),
        TEST(a_policy_may_leave_the_local_end_open),
        TEST(a_mobile_peer_may_be_anywhere),
        TEST(named_peers_are_where_they_are_known),
        TEST(policies_follow_their_sas),
        TEST(policies_for_any_peer_stand),
        TEST(looks_at_what_is_in_hand_are_counted),
        TEST(looks_count_the_pieces_of_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
