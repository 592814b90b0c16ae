/*
 * The gate (keeper/gate/gate.h) against a negotiator that lies about SPIs, names and signatures,
 * and what holds for all its requests; about SAs and policies it lies in keeper_gate_sa.c and
 * keeper_gate_policy.c.
 */
#include "test/unit/gate.h"

#include <string.h>

#include "iked/keeper/xfrm/kernel.h"
#include "iked/process/ipc.h"

/* --- SPIs --- */

static void spis_for_children_only(void **state)
{
    struct effect good = good_spi();
    (void)state;

    assert_passes(&good);
    good.allocate_spi.source.port = 500; /* ports do not matter ... */
    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->allocate_spi.connection, "dbx"));
    REFUSED(good, "no such connection", name_set(&e->allocate_spi.connection, ""));
    REFUSED(good, "no such child", name_set(&e->allocate_spi.child, "net"));
    REFUSED(good, "local address", e->allocate_spi.destination = policy_address("192.0.2.9"));
    REFUSED(good, "remote address", e->allocate_spi.source = policy_address("192.0.2.3"));
    REFUSED(good, "remote address", e->allocate_spi.source = policy_address("2001:db8::2"));
    REFUSED(good, "remote address", e->allocate_spi.source.family = FAMILY_NONE);
    REFUSED(good, "protocol", e->allocate_spi.protocol = IPSEC_AH);
    REFUSED(good, "protocol", e->allocate_spi.protocol = 3);
    REFUSED(good, "mode", e->allocate_spi.mode = CHILD_TUNNEL);
    REFUSED(good, "reqid", e->allocate_spi.reqid = 0);
    REFUSED(good, "reqid", e->allocate_spi.reqid = reqid_of("lan", "net"));
    REFUSED(good, "reqid", e->allocate_spi.reqid = REQID_DYNAMIC - 1);
    REFUSED(good, "reqid", e->allocate_spi.reqid = 0x6a800000);
}

/* ... but in UDP: what comes early is taken from there (iked/keeper/xfrm/early.h). */
static void what_comes_early_comes_to_our_port(void **state)
{
    struct effect good = good_spi();
    (void)state;

    good.allocate_spi.early = good.allocate_spi.encap = true;
    good.allocate_spi.source.port = 10005;
    good.allocate_spi.destination.port = IPC_PORT_NAT;
    assert_passes(&good);
    REFUSED(good, "ports", e->allocate_spi.destination.port = 53);
    REFUSED(good, "ports", e->allocate_spi.destination.port = 0);
    REFUSED(good, "ports", e->allocate_spi.source.port = 0);
}

static void dynamic_reqids_have_one_user(void **state)
{
    struct effect good = good_spi();
    (void)state;

    good.allocate_spi.reqid = REQID_DYNAMIC + 5;
    assert_passes(&good);
    struct sa_record *other = grant("db", "other", 0x1001, true, true);
    struct address source = sa_source(other);
    struct address destination = sa_destination(other);
    REFUSED(good, "reqid", e->allocate_spi.reqid = other->reqid->reqid);
    /* The other child gets the dynamic one first. */
    struct sa_entry entry = {
        .connection = &(struct name){"db"},
        .child = &(struct name){"other"},
        .source = &source,
        .destination = &destination,
        .spi = 0x1002,
        .reqid = REQID_DYNAMIC + 5,
        .protocol = IPSEC_ESP,
        .filled = true,
    };
    struct sa_record *dynamic = ledger_add_sa(&room.ledger, &entry);
    assert_non_null(dynamic);
    REFUSED(good, "reqid", (void)e);
    ledger_remove_sa(&room.ledger, dynamic);
    assert_passes(&good);
}

static void bare_spis_are_counted(void **state)
{
    struct effect good = good_spi();
    (void)state;

    for (uint32_t i = 0; i < GATE_SPIS_PER_CHILD; i++) {
        assert_passes(&good);
        grant("db", "web", 0x1000 + i, true, false);
    }
    assert_refused(&good, "too many SPIs");
    struct address us = policy_address("192.0.2.1");
    ledger_fill_sa(&room.ledger, ledger_find_sa(&room.ledger, &us, 0x1000, IPSEC_ESP), true);
    assert_passes(&good);
}

static void any_peer_must_make_sense(void **state)
{
    struct effect good = good_spi();
    (void)state;

    name_set(&good.allocate_spi.connection, "any");
    name_set(&good.allocate_spi.child, "any");
    good.allocate_spi.reqid = reqid_of("any", "any");
    good.allocate_spi.source = policy_address("198.51.100.7");
    assert_passes(&good);
    REFUSED(good, "local address", e->allocate_spi.destination = policy_address("198.51.100.1"));
    REFUSED(good, "remote address", e->allocate_spi.source = (struct address){0});
    REFUSED(good, "two families", e->allocate_spi.source = policy_address("2001:db8::1"));
    REFUSED(good, "same address", e->allocate_spi.source = policy_address("192.0.2.1"));
}

static void an_open_local_end_is_this_host(void **state)
{
    struct effect good = good_spi();
    (void)state;

    REFUSED(good, "local address", e->allocate_spi.destination = policy_address("198.51.100.1"));
    open_local("db");
    assert_passes(&good);
    good.allocate_spi.destination = policy_address("198.51.100.1");
    assert_passes(&good);
    REFUSED(good, "local address", e->allocate_spi.destination = policy_address("198.51.100.2"));
    REFUSED(good, "local address", e->allocate_spi.destination.family = FAMILY_NONE);
}

/* Whether a child has an SA at a place is asked of its SAs one by one, and that has an end. */
static void looks_at_sas_are_counted(void **state)
{
    const uint32_t count = 999;
    struct effect good = good_spi();
    struct effect elsewhere = good;
    struct reason reason;
    uint64_t done = 0;
    (void)state;

    open_local("db");
    for (uint32_t i = 0; i < count; i++)
        grant("db", "web", 0x10000 + i, true, true);
    elsewhere.allocate_spi.destination = policy_address("198.51.100.2");
    do {
        assert_int_equal(gate_check(&room.gate, &elsewhere, 1000, &reason), STATUS_FAIL);
        assert_true(done <= GATE_LOOK_BURST / count);
    } while (strstr(reason.text, "local address") != NULL && ++done > 0);
    assert_int_equal(done, GATE_LOOK_BURST / count);
    assert_non_null(strstr(reason.text, "too much to look through"));
    assert_passes(&good);
}

/* --- Names --- */

static void sources_are_found_for_connections(void **state)
{
    struct effect good = {
        .kind = EFFECT_FIND_SOURCE,
        .find_source = {.connection = {"db"}, .remote = policy_address("203.0.113.9")}};
    (void)state;

    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->find_source.connection, "dbx"));
    REFUSED(good, "no address", e->find_source.remote.family = FAMILY_NONE);
}

static void names_of_the_connection_are_resolved(void **state)
{
    struct effect good = {
        .kind = EFFECT_RESOLVE,
        .resolve = {.connection = {"lan"}, .host = "GW.example"},
    };
    (void)state;

    room_configure("connections: { lan: { local = \"192.0.2.1\"; remote = "
                   "\"gw.example\"; }; db: { local = \"192.0.2.1\"; remote = "
                   "\"192.0.2.9\"; }; };");
    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->resolve.connection, "x"));
    REFUSED(good, "the name is not", name_set(&e->resolve.connection, "db"));
    REFUSED(good, "the name is not", e->resolve.host[0] = 'h');
}

static void orphans_of_known_connections(void **state)
{
    struct effect good = {.kind = EFFECT_REMOVE_ORPHANS, .orphans_of = {"db"}};
    (void)state;

    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->orphans_of, "x"));
}

/* --- Signatures --- */

static struct effect good_psk_auth(void)
{
    static uint8_t octets[3] = {1, 2, 3};

    return (struct effect){
        .kind = EFFECT_PSK_AUTH,
        .psk_auth = {.connection = {"db"},
                     .prf = PRF_HMAC_SHA384,
                     .local_id = policy_identity("192.0.2.1"),
                     .remote_id = policy_identity("192.0.2.2"),
                     .own_octets = {octets, 3}},
    };
}

static void signatures_for_the_connections_identities(void **state)
{
    struct effect good = good_psk_auth();
    (void)state;

    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->psk_auth.connection, "x"));
    REFUSED(good, "identities", e->psk_auth.local_id = policy_identity("192.0.2.9"));
    REFUSED(good, "identities", e->psk_auth.remote_id = policy_identity("192.0.2.3"));
    REFUSED(good, "identities", e->psk_auth.remote_id = policy_identity("host.example"));
    REFUSED(good, "identities", e->psk_auth.remote_id = (struct identity){0});
    REFUSED(good, "identities", e->psk_auth.local_id = (struct identity){0});
    REFUSED(good, "prf", e->psk_auth.prf = PRF_HMAC_SHA256);
    REFUSED(good, "nothing to sign", e->psk_auth.own_octets.size = 0);
}

static void signatures_are_counted(void **state)
{
    struct effect good = good_psk_auth();
    struct reason reason;
    uint64_t done = 0;
    (void)state;

    while (gate_check(&room.gate, &good, 1000, &reason) == STATUS_OK)
        done++;
    assert_int_equal(done, GATE_SIGN_BURST);
    assert_non_null(strstr(reason.text, "too many signatures"));
    for (done = 0; gate_check(&room.gate, &good, 1100, &reason) == STATUS_OK; done++)
        continue;
    assert_int_equal(done, GATE_SIGN_RATE / 10);
    for (done = 0; gate_check(&room.gate, &good, 10000000, &reason) == STATUS_OK; done++)
        continue;
    assert_int_equal(done, GATE_SIGN_BURST); /* time saved up has its end */
    struct effect spi = good_spi();
    assert_passes(&spi); /* nothing else is held up */
}

/* Declared, and no more. */
static void other_ways_to_authenticate_are_refused(void **state)
{
    static const enum effect_kind kinds[] = {EFFECT_DERIVE, EFFECT_SIGN, EFFECT_VERIFY};
    (void)state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct effect asked = {.kind = kinds[i], .authentication_of = {"db"}};
        uint64_t credit = room.gate.sign_credit;
        assert_refused(&asked, "this version has no such authentication");
        assert_int_equal(room.gate.sign_credit, credit);
        REFUSED(asked, "no such connection", name_set(&e->authentication_of, "x"));
    }
}

/* --- All of them --- */

static void effects_of_others_are_refused(void **state)
{
    static const int kinds[] = {0, EFFECT_SEND, EFFECT_COMPUTE, EFFECT_REPORT, EFFECT_RESULT, 99};
    (void)state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct effect effect = {.kind = (enum effect_kind)kinds[i]};
        assert_refused(&effect, "not an effect of the keeper's");
    }
}

/* Between a reload and its commit the engine may still ask for what was good before. */
static void both_configurations_hold_until_the_commit(void **state)
{
    struct effect old = good_spi();
    struct effect new = good_spi();
    struct config *next = policy_config("connections: { fresh: { local = \"192.0.2.1\"; remote = "
                                        "\"192.0.2.2\"; }; };");
    (void)state;

    name_set(&new.allocate_spi.connection, "fresh");
    name_set(&new.allocate_spi.child, "fresh");
    new.allocate_spi.reqid = connection_find_child(config_find(next, "fresh"), "fresh")->reqid;
    assert_refused(&new, "no such connection");
    gate_offer(&room.gate, next);
    assert_passes(&new);
    assert_passes(&old);
    gate_commit(&room.gate);
    assert_passes(&new);
    assert_refused(&old, "no such connection");
    config_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spis_for_children_only),
        TEST(what_comes_early_comes_to_our_port),
        TEST(dynamic_reqids_have_one_user),
        TEST(bare_spis_are_counted),
        TEST(any_peer_must_make_sense),
        TEST(an_open_local_end_is_this_host),
        TEST(looks_at_sas_are_counted),
        TEST(sources_are_found_for_connections),
        TEST(names_of_the_connection_are_resolved),
        TEST(orphans_of_known_connections),
        TEST(signatures_for_the_connections_identities),
        TEST(signatures_are_counted),
        TEST(other_ways_to_authenticate_are_refused),
        TEST(effects_of_others_are_refused),
        TEST(both_configurations_hold_until_the_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
