/*
 * The gate (iked/keeper/gate.h) against a negotiator that lies: each test begins with a request
 * that passes, and changes one thing.
 */
#include "iked/keeper/gate.h"

#include <string.h>

#include "iked/keeper/kernel.h"
#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

static const char text[] =
    "connections: {"
    "  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; proposals = [ \"aes256gcm16-prfsha384-"
    "x25519\" ]; children: { web: { local = [ \"tcp/443\" ]; esp = [ \"aes256gcm16-noesn\", "
    "\"aes128-sha256-esn\" ]; }; other: { local = [ \"tcp/25\" ]; }; }; };"
    "  lan: { mobike = false; local = \"192.0.2.1\"; remote = \"192.0.2.3\"; children: { net: { mode = \"tunnel\";"
    "  local = [ \"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\", \"10.3.0.0/16 udp\" ]; }; }; };"
    "  any: { local = \"192.0.2.1\"; remote = \"any\"; };"
    "  road: { local = \"192.0.2.1\"; remote = \"any\"; children: { all: { mode = \"tunnel\";"
    "  local = [ \"0.0.0.0/0\" ]; }; }; };"
    "};";

struct room {
    struct config *config;
    struct ledger ledger;
    struct gate gate;
};

static struct room room;

/* This host's own addresses, besides the configured ones. */
static bool is_own_address(void *context, const struct address *address)
{
    struct address own = policy_address("192.0.2.1");
    struct address new = policy_address("198.51.100.1");

    (void)context;
    return address_same_host(address, &own) || address_same_host(address, &new);
}

static int room_set_up(void **state)
{
    static const uint8_t key[16] = {1};

    (void)state;
    room.config = policy_config(text);
    assert_true(ledger_init(&room.ledger, key));
    gate_init(&room.gate, &room.ledger, room.config, 1000);
    room.gate.is_own_address = is_own_address;
    return 0;
}

static int room_tear_down(void **state)
{
    (void)state;
    ledger_free(&room.ledger);
    config_free(room.config);
    return 0;
}

static uint32_t reqid_of(const char *connection, const char *child)
{
    const struct connection *found = config_find(room.config, connection);

    return connection_find_child(found, child)->reqid;
}

static void name_set(struct name *name, const char *value)
{
    *name = (struct name){""};
    memcpy(name->text, value, strlen(value));
}

/* --- Asking --- */

static void assert_passes(const struct effect *effect)
{
    struct reason reason = {0};

    if (gate_check(&room.gate, effect, 1000, &reason) != STATUS_OK)
        fail_msg("%s", reason.text);
}

static void assert_refused(const struct effect *effect, const char *why)
{
    struct reason reason = {0};
    uint64_t refused = room.gate.refused;

    assert_int_equal(gate_check(&room.gate, effect, 1000, &reason), STATUS_FAIL);
    if (strstr(reason.text, why) == NULL)
        fail_msg("refused because \"%s\", expected \"%s\"", reason.text, why);
    assert_int_equal(room.gate.refused, refused + 1);
}

/* Changes a copy of a good request, expects a refusal. */
#define REFUSED(good, why, change)      \
    do {                                \
        struct effect changed = (good); \
        struct effect *e = &changed;    \
        change;                         \
        assert_refused(e, (why));       \
    } while (0)

static struct sa_record *grant(const char *connection, const char *child, uint32_t spi,
                               bool inbound, bool filled)
{
    struct name connection_name;
    struct name child_name;
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");
    struct sa_entry entry = {
        .connection = &connection_name,
        .child = &child_name,
        .source = inbound ? &peer : &us,
        .destination = inbound ? &us : &peer,
        .spi = spi,
        .reqid = reqid_of(connection, child),
        .protocol = V2_PROTOCOL_ESP,
        .mode = CHILD_TRANSPORT,
        .inbound = inbound,
        .filled = filled,
        .session = room.ledger.session,
    };

    name_set(&connection_name, connection);
    name_set(&child_name, child);
    struct sa_record *sa = ledger_add_sa(&room.ledger, &entry);
    assert_non_null(sa);
    return sa;
}

/* --- SPIs --- */

static struct effect good_spi(void)
{
    return (struct effect){
        .kind = EFFECT_ALLOCATE_SPI,
        .allocate_spi = {.connection = {"db"},
                         .child = {"web"},
                         .source = policy_address("192.0.2.2"),
                         .destination = policy_address("192.0.2.1"),
                         .protocol = V2_PROTOCOL_ESP,
                         .mode = CHILD_TRANSPORT,
                         .reqid = reqid_of("db", "web")},
    };
}

static void spis_for_children_only(void **state)
{
    struct effect good = good_spi();
    (void)state;

    assert_passes(&good);
    good.allocate_spi.source.port = 500; /* ports do not matter */
    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->allocate_spi.connection, "dbx"));
    REFUSED(good, "no such connection", name_set(&e->allocate_spi.connection, ""));
    REFUSED(good, "no such child", name_set(&e->allocate_spi.child, "net"));
    REFUSED(good, "local address", e->allocate_spi.destination = policy_address("192.0.2.9"));
    REFUSED(good, "remote address", e->allocate_spi.source = policy_address("192.0.2.3"));
    REFUSED(good, "remote address", e->allocate_spi.source = policy_address("2001:db8::2"));
    REFUSED(good, "remote address", e->allocate_spi.source.family = FAMILY_NONE);
    REFUSED(good, "protocol", e->allocate_spi.protocol = V2_PROTOCOL_AH);
    REFUSED(good, "protocol", e->allocate_spi.protocol = 50);
    REFUSED(good, "mode", e->allocate_spi.mode = CHILD_TUNNEL);
    REFUSED(good, "reqid", e->allocate_spi.reqid = 0);
    REFUSED(good, "reqid", e->allocate_spi.reqid = reqid_of("lan", "net"));
    REFUSED(good, "reqid", e->allocate_spi.reqid = REQID_DYNAMIC - 1);
    REFUSED(good, "reqid", e->allocate_spi.reqid = 0x6a800000);
}

static void dynamic_reqids_have_one_user(void **state)
{
    struct effect good = good_spi();
    (void)state;

    good.allocate_spi.reqid = REQID_DYNAMIC + 5;
    assert_passes(&good);
    struct sa_record *other = grant("db", "other", 0x1001, true, true);
    REFUSED(good, "reqid", e->allocate_spi.reqid = other->reqid->node.key & UINT32_MAX);
    /* The other child gets the dynamic one first. */
    struct sa_entry entry = {
        .connection = &(struct name){"db"},
        .child = &(struct name){"other"},
        .source = &other->source,
        .destination = &other->destination,
        .spi = 0x1002,
        .reqid = REQID_DYNAMIC + 5,
        .protocol = V2_PROTOCOL_ESP,
        .filled = true,
        .session = 1,
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
    ledger_fill_sa(ledger_find_sa(&room.ledger, &us, 0x1000, V2_PROTOCOL_ESP), true);
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

/* What `local = "any"` is to the gate. */
static void open_local(const char *connection)
{
    struct connection *found;

    TAILQ_FOREACH (found, &room.config->connections, entry)
        if (strcmp(found->name, connection) == 0)
            found->local = (struct address){0};
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

static void sources_are_found_for_connections(void **state)
{
    struct effect good = {.kind = EFFECT_FIND_SOURCE,
                          .find_source = {.connection = {"db"},
                                          .remote = policy_address("203.0.113.9")}};
    (void)state;

    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->find_source.connection, "dbx"));
    REFUSED(good, "no address", e->find_source.remote.family = FAMILY_NONE);
}

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
                       .protocol = V2_PROTOCOL_ESP,
                       .mode = CHILD_TRANSPORT,
                       .encr = ENCR_AES256_GCM16,
                       .replay_window = 128,
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
    ledger_fill_sa(spi, true);
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
    spi->source = policy_address("192.0.2.9");
    assert_refused(&good, "not allocated");
}

static void outbound_sas_are_new(void **state)
{
    struct effect good = good_sa(false);
    (void)state;

    assert_passes(&good);
    REFUSED(good, "reserved", e->install_sa.spi = 255);
    REFUSED(good, "reserved", e->install_sa.spi = 0);
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

/* --- Moving --- */

static struct selector selector_between(const char *start, const char *end)
{
    struct address first = policy_address(start);
    struct address last = policy_address(end);
    struct selector selector = selector_host(&first);

    memcpy(selector.end, last.bytes, sizeof(selector.end));
    return selector;
}

static struct sa_record *grant_tunnel(bool inbound)
{
    struct sa_record *sa = grant("lan", "net", 0xc0000009, inbound, true);
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.3");

    sa->mode = CHILD_TUNNEL;
    ledger_move_sa(&room.ledger, sa, inbound ? &peer : &us, inbound ? &us : &peer, false);
    return sa;
}

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
                    .protocol = V2_PROTOCOL_ESP,
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
    REFUSED(good, "no such SA", e->move_sa.protocol = V2_PROTOCOL_AH);
    REFUSED(good, "no such SA", e->move_sa.source = policy_address("192.0.2.9"));
    REFUSED(good, "no such SA", e->move_sa.destination = policy_address("192.0.2.9"));
    REFUSED(good, "no such SA", e->move_sa.inbound = true);
    REFUSED(good, "no such SA", name_set(&e->move_sa.connection, "db"));
    REFUSED(good, "no such SA", name_set(&e->move_sa.child, "web"));
    sa->session--; /* an orphan: this negotiator cannot know it */
    assert_refused(&good, "no such SA");
    sa->session++;
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
    ledger_move_sa(&room.ledger, other, &other->source, &there, true);
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
    good.move_sa.source = good.move_sa.new_source = sa->source;
    good.move_sa.new_source.port = 10005;
    assert_passes(&good); /* only the port is another */
    REFUSED(good, "remote address", e->move_sa.new_source = policy_address("192.0.2.9"));
}

/* Policies and further SPIs follow an SA that has moved, and go nowhere else; selectors stay. */
static void policies_follow_their_sas(void **state)
{
    struct effect policy = {
        .kind = EFFECT_INSTALL_POLICY,
        .policy = {.connection = {"lan"},
                   .child = {"net"},
                   .local = policy_address("192.0.2.1"),
                   .remote = policy_address("203.0.113.9"),
                   .local_selector = selector_between("10.1.0.0", "10.1.255.255"),
                   .remote_selector = selector_between("10.2.0.0", "10.2.255.255"),
                   .reqid = reqid_of("lan", "net"),
                   .protocol = V2_PROTOCOL_ESP,
                   .mode = CHILD_TUNNEL,
                   .policy = POLICY_REQUIRE},
    };
    struct effect spi = good_spi();
    struct sa_record *sa = grant_tunnel(false);
    (void)state;

    name_set(&spi.allocate_spi.connection, "lan");
    name_set(&spi.allocate_spi.child, "net");
    spi.allocate_spi.reqid = reqid_of("lan", "net");
    spi.allocate_spi.mode = CHILD_TUNNEL;
    spi.allocate_spi.source = policy.policy.remote;
    assert_refused(&policy, "remote address");
    assert_refused(&spi, "remote address");
    ledger_move_sa(&room.ledger, sa, &sa->source, &policy.policy.remote, true);
    assert_passes(&policy);
    assert_passes(&spi);
    REFUSED(policy, "remote address", e->policy.remote = policy_address("203.0.113.8"));
    REFUSED(policy, "remote selector",
            e->policy.remote_selector = selector_between("203.0.113.9", "203.0.113.9"));
    REFUSED(policy, "local selector", e->policy.local_selector = selector_between("10.0.0.0", "10.255.255.255"));
}

static void sas_have_limits_that_fit(void **state)
{
    struct effect good = good_sa(false);
    (void)state;

    REFUSED(good, "limit", e->install_sa.soft_s = 3601);
    REFUSED(good, "limit", (e->install_sa.soft_bytes = 2, e->install_sa.hard_bytes = 1));
    REFUSED(good, "limit", (e->install_sa.soft_packets = 2, e->install_sa.hard_packets = 1));
    REFUSED(good, "reqid", e->install_sa.reqid = reqid_of("db", "other"));
    REFUSED(good, "mode", e->install_sa.mode = CHILD_TUNNEL);
    REFUSED(good, "protocol", e->install_sa.protocol = V2_PROTOCOL_IKE);
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
                      .protocol = V2_PROTOCOL_ESP},
    };
    (void)state;

    assert_refused(&good, "no such SA");
    grant("db", "web", 0xc0000001, true, true);
    assert_passes(&good);
    REFUSED(good, "no such SA", e->remove_sa.spi++);
    REFUSED(good, "no such SA", e->remove_sa.protocol = V2_PROTOCOL_AH);
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
                     .protocol = V2_PROTOCOL_ESP},
    };
    (void)state;

    grant("db", "web", 0xc0000001, true, false);
    assert_refused(&good, "no such SA");
    grant("db", "web", 0xc0000002, true, true);
    good.query_sa.spi++;
    assert_passes(&good);
    REFUSED(good, "no such SA", e->query_sa.spi++);
    REFUSED(good, "no such SA", e->query_sa.protocol = V2_PROTOCOL_AH);
    REFUSED(good, "no such SA", e->query_sa.destination = policy_address("192.0.2.2"));
    REFUSED(good, "no such SA", e->query_sa.source = policy_address("192.0.2.3"));
}

/* --- Policies --- */

static struct effect good_policy(void)
{
    return (struct effect){
        .kind = EFFECT_INSTALL_POLICY,
        .policy = {.connection = {"lan"},
                   .child = {"net"},
                   .local = policy_address("192.0.2.1"),
                   .remote = policy_address("192.0.2.3"),
                   .local_selector = selector_between("10.1.0.0", "10.1.255.255"),
                   .remote_selector = selector_between("10.2.0.0", "10.2.255.255"),
                   .reqid = reqid_of("lan", "net"),
                   .protocol = V2_PROTOCOL_ESP,
                   .mode = CHILD_TUNNEL,
                   .policy = POLICY_REQUIRE},
    };
}

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
    struct connection *found;
    (void)state;

    good.policy.remote = policy_address("203.0.113.9");
    assert_refused(&good, "remote address");
    TAILQ_FOREACH (found, &room.config->connections, entry)
        if (strcmp(found->name, "lan") == 0)
            found->mobike = true;
    assert_passes(&good);
    REFUSED(good, "remote address", e->policy.remote.family = FAMILY_NONE);
}

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
    REFUSED(good, "mode", e->policy.mode = CHILD_TRANSPORT);
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
    good.policy.mode = CHILD_TRANSPORT;
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
    good.policy.mode = CHILD_TUNNEL;
    good.policy.local_selector = selector_between("0.0.0.0", "255.255.255.255");
    assert_passes(&good);
    REFUSED(good, "remote selector",
            e->policy.remote_selector = selector_between("0.0.0.0", "255.255.255.255"));
}

static void selectors_in_use_are_not_taken_over(void **state)
{
    struct effect good = good_policy();
    struct effect_policy held = good.policy;
    (void)state;

    name_set(&held.connection, "any");
    name_set(&held.child, "any");
    held.reqid = reqid_of("any", "any");
    assert_non_null(ledger_set_policy(&room.ledger, &held));
    assert_refused(&good, "in use by connection any");
    /* Once its owner is configured no more, they are free. */
    config_free(room.config);
    room.config = policy_config("connections: { lan: { local = \"192.0.2.1\"; remote = "
                                "\"192.0.2.3\"; children: { net: { mode = \"tunnel\"; local = [ "
                                "\"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\" ]; }; }; }; };");
    room.gate.config = room.config;
    assert_passes(&good);
}

static void only_own_policies_are_removed(void **state)
{
    struct effect good = good_policy();
    (void)state;

    good.kind = EFFECT_REMOVE_POLICY;
    good.policy.local_selector = selector_between("10.1.0.0", "10.1.0.255");
    assert_refused(&good, "no such policy");
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy));
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
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy));
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

    config_free(room.config);
    room.config = policy_config("connections: { db: { local = \"192.0.2.1\"; remote = "
                                "\"192.0.2.2\"; on_dead = \"clear\"; children: { web: { policy = "
                                "\"prefer\"; }; }; }; };");
    room.gate.config = room.config;
    struct child_config *web =
        TAILQ_FIRST(&TAILQ_FIRST(&room.config->connections)->children);
    name_set(&good.policy.connection, "db");
    name_set(&good.policy.child, "web");
    good.kind = EFFECT_REMOVE_POLICY;
    good.policy.local_selector = web->local[0];
    good.policy.remote_selector = web->remote[0];
    assert_non_null(ledger_set_policy(&room.ledger, &good.policy));
    assert_passes(&good);
    web->policy = POLICY_REQUIRE;
    assert_refused(&good, "the configuration wants this policy");
}

/* What the file says and what the resolver said, of this connection; policies may wait for it. */
static void named_peers_are_where_they_are_known(void **state)
{
    struct address found[] = {policy_address("198.51.100.7"), policy_address("224.0.0.1")};
    const struct places used = {0};
    struct effect good = good_policy();
    (void)state;

    config_free(room.config);
    room.config = policy_config(
        "connections: { lan: { local = \"192.0.2.1\"; remote = [ \"gw.example\", \"192.0.2.3\" ]; "
        "children: { net: { mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ "
        "\"10.2.0.0/16\" ]; }; host: { }; }; }; };");
    room.gate.config = room.config;
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
                         .protocol = V2_PROTOCOL_ESP,
                         .mode = CHILD_TUNNEL,
                         .reqid = reqid_of("lan", "net")},
    };
    assert_passes(&spi);
    REFUSED(spi, "remote address", e->allocate_spi.source = (struct address){.family = FAMILY_IPV4});
    REFUSED(spi, "remote address", e->allocate_spi.source = policy_address("198.51.100.8"));
    /* The other child protects traffic with each of these addresses, and the gate knows it. */
    const struct owner owner = {.connection = {"lan"}, .child = {"host"}};
    struct address us = policy_address("192.0.2.1");
    struct selector local = selector_host(&us);
    struct selector remote = selector_host(&found[0]);
    assert_true(config_wants_pair(room.config, &owner, &local, &remote));
    remote = selector_host(&found[1]);
    assert_false(config_wants_pair(room.config, &owner, &local, &remote));
}

static void names_of_the_connection_are_resolved(void **state)
{
    struct effect good = {
        .kind = EFFECT_RESOLVE,
        .resolve = {.connection = {"lan"}, .host = "GW.example"},
    };
    (void)state;

    config_free(room.config);
    room.config = policy_config("connections: { lan: { local = \"192.0.2.1\"; remote = "
                                "\"gw.example\"; }; db: { local = \"192.0.2.1\"; remote = "
                                "\"192.0.2.9\"; }; };");
    room.gate.config = room.config;
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

static struct effect good_sign(void)
{
    static uint8_t octets[3] = {1, 2, 3};

    return (struct effect){
        .kind = EFFECT_SIGN,
        .sign = {.connection = {"db"},
                 .prf = PRF_HMAC_SHA384,
                 .local_id = policy_identity("192.0.2.1"),
                 .remote_id = policy_identity("192.0.2.2"),
                 .own_octets = {octets, 3}},
    };
}

static void signatures_for_the_connections_identities(void **state)
{
    struct effect good = good_sign();
    (void)state;

    assert_passes(&good);
    REFUSED(good, "no such connection", name_set(&e->sign.connection, "x"));
    REFUSED(good, "identities", e->sign.local_id = policy_identity("192.0.2.9"));
    REFUSED(good, "identities", e->sign.remote_id = policy_identity("192.0.2.3"));
    REFUSED(good, "identities", e->sign.remote_id = policy_identity("host.example"));
    REFUSED(good, "identities", e->sign.remote_id = (struct identity){0});
    REFUSED(good, "identities", e->sign.local_id = (struct identity){0});
    REFUSED(good, "prf", e->sign.prf = PRF_HMAC_SHA256);
    REFUSED(good, "nothing to sign", e->sign.own_octets.size = 0);
}

static void signatures_are_counted(void **state)
{
    struct effect good = good_sign();
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, room_set_up, room_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spis_for_children_only),
        TEST(dynamic_reqids_have_one_user),
        TEST(bare_spis_are_counted),
        TEST(any_peer_must_make_sense),
        TEST(an_open_local_end_is_this_host),
        TEST(a_policy_may_leave_the_local_end_open),
        TEST(a_mobile_peer_may_be_anywhere),
        TEST(sources_are_found_for_connections),
        TEST(inbound_sas_need_their_spi),
        TEST(outbound_sas_are_new),
        TEST(sas_have_the_childs_algorithms),
        TEST(sas_in_udp_have_their_ports),
        TEST(only_own_sas_are_moved),
        TEST(sas_move_to_where_they_may),
        TEST(transport_stays_with_its_peer),
        TEST(policies_follow_their_sas),
        TEST(sas_have_limits_that_fit),
        TEST(only_own_sas_are_removed),
        TEST(only_own_sas_are_asked_about),
        TEST(policies_stay_within_the_child),
        TEST(peers_take_no_traffic_but_theirs),
        TEST(selectors_in_use_are_not_taken_over),
        TEST(only_own_policies_are_removed),
        TEST(configured_policies_are_not_removed),
        TEST(policies_that_a_dead_peer_clears_may_go),
        TEST(named_peers_are_where_they_are_known),
        TEST(names_of_the_connection_are_resolved),
        TEST(orphans_of_known_connections),
        TEST(signatures_for_the_connections_identities),
        TEST(signatures_are_counted),
        TEST(effects_of_others_are_refused),
        TEST(both_configurations_hold_until_the_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
