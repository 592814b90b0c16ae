/*
 * The gate (iked/keeper/gate/gate.h) against a negotiator that lies about SAs: installed, moved,
 * removed, asked about.
 */
#include "test/unit/gate.h"

/* --- SAs --- */

static struct effect good_sa(bool inbound)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");
    struct effect effect = {
        .kind = EFFECT_INSTALL_SA,
        .install_sa = {.connection = {"db"},
                       .child = {"web"},
                       .inbound = inbound,
                       .source = inbound ? peer : us,
                       .destination = inbound ? us : peer,
                       .spi = 0xc0000001,
                       .reqid = reqid_of("db", "web"),
                       .protocol = IPSEC_ESP,
                       .mode = CHILD_TRANSPORT,
                       .encr = ENCR_AES256_GCM16,
                       .replay_window = inbound ? 128 : 0,
                       .soft_s = 3240,
                       .hard_s = 3600},
    };
    static uint8_t key[64];

    effect.install_sa.encr_key = (struct secret){key, 36};
    return effect;
}

static void inbound_sas_need_their_spi(void **state)
{
    struct effect good = good_sa(true);
    (void)state;

    assert_refused(&good, "not allocated");
    struct sa_record *spi = grant("db", "web", 0xc0000001, true, false);
    assert_passes(&good);
    REFUSED(good, "not allocated", e->install_sa.spi++);
    REFUSED(good, "replay window", e->install_sa.replay_window = 0);
    ledger_fill_sa(&room.ledger, spi, true);
    assert_refused(&good, "already");
    ledger_remove_sa(&room.ledger, spi);
    /* Granted to another child, or as an outbound one. */
    spi = grant("db", "other", 0xc0000001, true, false);
    assert_refused(&good, "not allocated");
    ledger_remove_sa(&room.ledger, spi);
    spi = grant("db", "web", 0xc0000001, true, false);
    spi->inbound = false;
    assert_refused(&good, "not allocated");
    spi->inbound = true;
    struct address elsewhere = policy_address("192.0.2.9");
    struct address here = sa_destination(spi);
    assert_non_null(ledger_move_sa(&room.ledger, spi, &elsewhere, &here, false));
    assert_refused(&good, "not allocated");
}

static void outbound_sas_are_new(void **state)
{
    struct effect good = good_sa(false);
    (void)state;

    assert_passes(&good);
    REFUSED(good, "reserved", e->install_sa.spi = 255);
    REFUSED(good, "reserved", e->install_sa.spi = 0);
    REFUSED(good, "no replay", e->install_sa.replay_window = 128);
    REFUSED(good, "no replay", e->install_sa.replay_window = UINT32_MAX);
    grant("db", "other", 0xc0000001, false, true);
    assert_refused(&good, "is there");
    REFUSED(good, "local address", e->install_sa.inbound = true); /* the ends swap */
}

static void sas_have_the_childs_algorithms(void **state)
{
    static uint8_t key[64];
    struct effect good = good_sa(false);
    (void)state;

    assert_passes(&good);
    REFUSED(good, "algorithms", e->install_sa.esn = true); /* this proposal is noesn */
    REFUSED(good, "algorithms", e->install_sa.encr = ENCR_AES128_GCM16);
    REFUSED(good, "algorithms", e->install_sa.encr = ENCR_NULL);
    REFUSED(good, "algorithms", e->install_sa.encr = ENCR_NONE);
    REFUSED(good, "algorithms", e->install_sa.integ = INTEG_HMAC_SHA256_128);
    REFUSED(good, "wrong size", e->install_sa.encr_key.size = 32);
    REFUSED(good, "wrong size", e->install_sa.encr_key.size = 0);
    REFUSED(good, "wrong size", e->install_sa.integ_key = ((struct secret){key, 32}));
    good.install_sa.encr = ENCR_AES128_CBC;
    good.install_sa.encr_key = (struct secret){key, 16};
    good.install_sa.integ = INTEG_HMAC_SHA256_128;
    good.install_sa.integ_key = (struct secret){key, 32};
    good.install_sa.esn = true;
    assert_passes(&good);
    REFUSED(good, "algorithms", e->install_sa.esn = false);
    REFUSED(good, "algorithms", e->install_sa.integ = INTEG_NONE);
    REFUSED(good, "algorithms", e->install_sa.integ = INTEG_HMAC_SHA1_96);
    REFUSED(good, "wrong size", e->install_sa.integ_key.size = 20);
}

static void sas_in_udp_have_their_ports(void **state)
{
    struct effect good = good_sa(false);
    (void)state;

    good.install_sa.encap = true;
    good.install_sa.source.port = 4500;
    good.install_sa.destination.port = 10005; /* the NAT's choice */
    assert_passes(&good);
    REFUSED(good, "ports", e->install_sa.destination.port = 0);
    REFUSED(good, "ports", e->install_sa.source.port = 500);
    REFUSED(good, "ports", e->install_sa.source.port = 53);
    REFUSED(good, "remote address", e->install_sa.destination = policy_address("192.0.2.9"));
    grant("db", "web", 0xc0000001, true, false);
    good = good_sa(true);
    good.install_sa.encap = true;
    good.install_sa.source.port = 10005;
    good.install_sa.destination.port = 4500;
    assert_passes(&good);
    REFUSED(good, "ports", e->install_sa.destination.port = 10005);
}

static void sas_have_limits_that_fit(void **state)
{
    struct effect good = good_sa(false);
    (void)state;

    REFUSED(good, "limit", e->install_sa.soft_s = 3601);
    REFUSED(good, "limit", (e->install_sa.soft_bytes = 2, e->install_sa.hard_bytes = 1));
    REFUSED(good, "limit", (e->install_sa.soft_packets = 2, e->install_sa.hard_packets = 1));
    /* No longer than the configuration says, and not for ever. */
    REFUSED(good, "limit", e->install_sa.soft_s = e->install_sa.hard_s = 0);
    REFUSED(good, "limit", e->install_sa.hard_s = 3601);
    good.install_sa.hard_s = 60;
    good.install_sa.soft_s = 50;
    assert_passes(&good);
    room_connection("db")->children.tqh_first->lifetime_bytes = 1000;
    room_connection("db")->children.tqh_first->lifetime_packets = 100;
    REFUSED(good, "limit", e->install_sa.hard_bytes = 1000);
    REFUSED(good, "limit", e->install_sa.hard_packets = 100);
    good.install_sa.hard_bytes = 1000;
    good.install_sa.hard_packets = 100;
    assert_passes(&good);
    REFUSED(good, "limit", e->install_sa.hard_bytes = 1001);
    REFUSED(good, "limit", e->install_sa.hard_packets = 101);
    REFUSED(good, "reqid", e->install_sa.reqid = reqid_of("db", "other"));
    REFUSED(good, "mode", e->install_sa.mode = CHILD_TUNNEL);
    REFUSED(good, "protocol", e->install_sa.protocol = IPSEC_NONE);
    for (uint32_t i = 0; i < GATE_SAS_PER_CHILD; i++)
        grant("db", "web", 0x2000 + i, i % 2 == 0, true);
    assert_refused(&good, "too many SAs");
}

static void only_own_sas_are_removed(void **state)
{
    struct effect good = {
        .kind = EFFECT_REMOVE_SA,
        .remove_sa = {.source = policy_address("192.0.2.2"),
                      .destination = policy_address("192.0.2.1"),
                      .spi = 0xc0000001,
                      .protocol = IPSEC_ESP},
    };
    (void)state;

    assert_refused(&good, "no such SA");
    grant("db", "web", 0xc0000001, true, true);
    assert_passes(&good);
    REFUSED(good, "no such SA", e->remove_sa.spi++);
    REFUSED(good, "no such SA", e->remove_sa.protocol = IPSEC_AH);
    REFUSED(good, "no such SA", e->remove_sa.destination = policy_address("192.0.2.2"));
    REFUSED(good, "no such SA", e->remove_sa.source = policy_address("192.0.2.3"));
}

static void only_own_sas_are_asked_about(void **state)
{
    struct effect good = {
        .kind = EFFECT_QUERY_SA,
        .query_sa = {.source = policy_address("192.0.2.2"),
                     .destination = policy_address("192.0.2.1"),
                     .spi = 0xc0000001,
                     .protocol = IPSEC_ESP},
    };
    (void)state;

    grant("db", "web", 0xc0000001, true, false);
    assert_refused(&good, "no such SA");
    grant("db", "web", 0xc0000002, true, true);
    good.query_sa.spi++;
    assert_passes(&good);
    REFUSED(good, "no such SA", e->query_sa.spi++);
    REFUSED(good, "no such SA", e->query_sa.protocol = IPSEC_AH);
    REFUSED(good, "no such SA", e->query_sa.destination = policy_address("192.0.2.2"));
    REFUSED(good, "no such SA", e->query_sa.source = policy_address("192.0.2.3"));
}

/* --- Moving --- */

static struct effect good_move(bool inbound)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.3");
    struct effect effect = {
        .kind = EFFECT_MOVE_SA,
        .move_sa = {.connection = {"lan"},
                    .child = {"net"},
                    .inbound = inbound,
                    .encap = true,
                    .spi = 0xc0000009,
                    .protocol = IPSEC_ESP,
                    .source = inbound ? peer : us,
                    .destination = inbound ? us : peer},
    };

    us.port = 4500;
    peer.port = 10005;
    effect.move_sa.new_source = inbound ? peer : us;
    effect.move_sa.new_destination = inbound ? us : peer;
    return effect;
}

static void only_own_sas_are_moved(void **state)
{
    struct effect good = good_move(false);
    (void)state;

    assert_refused(&good, "no such SA");
    struct sa_record *sa = grant_tunnel(false);
    assert_passes(&good);
    REFUSED(good, "no such SA", e->move_sa.spi++);
    REFUSED(good, "no such SA", e->move_sa.protocol = IPSEC_AH);
    REFUSED(good, "no such SA", e->move_sa.source = policy_address("192.0.2.9"));
    REFUSED(good, "no such SA", e->move_sa.destination = policy_address("192.0.2.9"));
    REFUSED(good, "no such SA", e->move_sa.inbound = true);
    REFUSED(good, "no such SA", name_set(&e->move_sa.connection, "db"));
    REFUSED(good, "no such SA", name_set(&e->move_sa.child, "web"));
    sa->orphan = true; /* this negotiator cannot know it */
    assert_refused(&good, "no such SA");
    sa->orphan = false;
    assert_passes(&good);
    ledger_remove_sa(&room.ledger, sa);
    sa = grant("lan", "net", 0xc0000009, true, false); /* a bare SPI */
    REFUSED(good, "no such SA", e->move_sa.inbound = true);
}

static void sas_move_to_where_they_may(void **state)
{
    struct effect good = good_move(false);
    struct address there = policy_address("203.0.113.9");
    (void)state;

    grant_tunnel(false);
    there.port = 10005;
    good.move_sa.new_destination = there; /* another address of the NAT's */
    assert_passes(&good);
    REFUSED(good, "remote address", e->move_sa.encap = false);
    REFUSED(good, "remote address", e->move_sa.new_destination.family = FAMILY_NONE);
    REFUSED(good, "two families", e->move_sa.new_destination = policy_address("2001:db8::9"));
    REFUSED(good, "same address", e->move_sa.new_destination = policy_address("192.0.2.1"));
    REFUSED(good, "local address", e->move_sa.new_source = policy_address("198.51.100.1"));
    REFUSED(good, "ports", e->move_sa.new_destination.port = 0);
    REFUSED(good, "ports", e->move_sa.new_source.port = 4501);
    open_local("lan");
    good.move_sa.new_source = policy_address("198.51.100.1");
    good.move_sa.new_source.port = 4500;
    assert_passes(&good);
    REFUSED(good, "local address", e->move_sa.new_source = policy_address("198.51.100.2"));
    /* The name at the new place is taken. */
    struct sa_record *other = grant("db", "web", 0xc0000009, false, true);
    struct address source = sa_source(other);
    assert_ptr_equal(ledger_move_sa(&room.ledger, other, &source, &there, true), other);
    assert_refused(&good, "is there");
}

/* In transport mode the peer's address is what the policy selects by. */
static void transport_stays_with_its_peer(void **state)
{
    struct effect good = good_move(true);
    (void)state;

    struct sa_record *sa = grant("db", "web", 0xc0000009, true, true);
    name_set(&good.move_sa.connection, "db");
    name_set(&good.move_sa.child, "web");
    good.move_sa.source = good.move_sa.new_source = sa_source(sa);
    good.move_sa.new_source.port = 10005;
    assert_passes(&good); /* only the port is another */
    REFUSED(good, "remote address", e->move_sa.new_source = policy_address("192.0.2.9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inbound_sas_need_their_spi),     TEST(outbound_sas_are_new),
        TEST(sas_have_the_childs_algorithms), TEST(sas_in_udp_have_their_ports),
        TEST(sas_have_limits_that_fit),       TEST(only_own_sas_are_removed),
        TEST(only_own_sas_are_asked_about),   TEST(only_own_sas_are_moved),
        TEST(sas_move_to_where_they_may),     TEST(transport_stays_with_its_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
