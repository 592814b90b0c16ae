/*
 * What the tests of the gate share (gate.h).
 */
#include "test/unit/gate.h"

#include <string.h>

static const char configuration[] =
    "connections: {"
    "  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; proposals = [ \"aes256gcm16-prfsha384-"
    "x25519\" ]; children: { web: { local = [ \"tcp/443\" ]; esp = [ \"aes256gcm16-noesn\", "
    "\"aes128-sha256-esn\" ]; }; other: { local = [ \"tcp/25\" ]; }; }; };"
    "  lan: { mobike = false; local = \"192.0.2.1\"; remote = \"192.0.2.3\";"
    "  children: { net: { mode = \"tunnel\";"
    "  local = [ \"10.1.0.0/16\" ]; remote = [ \"10.2.0.0/16\", \"10.3.0.0/16 udp\" ]; }; }; };"
    "  any: { local = \"192.0.2.1\"; remote = \"any\"; };"
    "  road: { local = \"192.0.2.1\"; remote = \"any\"; children: { all: { mode = \"tunnel\";"
    "  local = [ \"0.0.0.0/0\" ]; }; }; };"
    "};";

struct room room;

/* This host's own addresses, besides the configured ones. */
static bool is_own_address(void *context, const struct address *address)
{
    struct address own = policy_address("192.0.2.1");
    struct address new = policy_address("198.51.100.1");

    (void)context;
    return address_same_host(address, &own) || address_same_host(address, &new);
}

int room_set_up(void **state)
{
    static const uint8_t key[16] = {1};

    (void)state;
    room.config = policy_config(configuration);
    assert_true(ledger_init(&room.ledger, key));
    gate_init(&room.gate, &room.ledger, room.config, 1000);
    room.gate.is_own_address = is_own_address;
    return 0;
}

int room_tear_down(void **state)
{
    (void)state;
    ledger_free(&room.ledger);
    config_free(room.config);
    return 0;
}

/* --- Asking --- */

void assert_passes(const struct effect *effect)
{
    struct reason reason = {0};

    if (gate_check(&room.gate, effect, 1000, &reason) != STATUS_OK)
        fail_msg("%s", reason.text);
}

void assert_refused(const struct effect *effect, const char *why)
{
    struct reason reason = {0};
    uint64_t refused = room.gate.refused;

    assert_int_equal(gate_check(&room.gate, effect, 1000, &reason), STATUS_FAIL);
    if (strstr(reason.text, why) == NULL)
        fail_msg("refused because \"%s\", expected \"%s\"", reason.text, why);
    assert_int_equal(room.gate.refused, refused + 1);
}

/* --- Configurations --- */

void room_configure(const char *text)
{
    config_free(room.config);
    room.config = policy_config(text);
    room.gate.config = room.config;
}

struct connection *room_connection(const char *name)
{
    struct connection *found;

    TAILQ_FOREACH (found, &room.config->connections, entry)
        if (strcmp(found->name, name) == 0)
            return found;
    fail_msg("no connection %s", name);
    return NULL;
}

void open_local(const char *connection)
{
    room_connection(connection)->local = (struct address){0};
}

uint32_t reqid_of(const char *connection, const char *child)
{
    const struct connection *found = config_find(room.config, connection);

    return connection_find_child(found, child)->reqid;
}

void name_set(struct name *name, const char *value)
{
    *name = (struct name){""};
    memcpy(name->text, value, strlen(value));
}

struct selector selector_between(const char *start, const char *end)
{
    struct address first = policy_address(start);
    struct address last = policy_address(end);
    struct selector selector = selector_host(&first);

    memcpy(selector.end, last.bytes, sizeof(selector.end));
    return selector;
}

/* --- The ledger --- */

struct sa_record *grant(const char *connection, const char *child, uint32_t spi, bool inbound,
                        bool filled)
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
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .inbound = inbound,
        .filled = filled,
    };

    name_set(&connection_name, connection);
    name_set(&child_name, child);
    struct sa_record *sa = ledger_add_sa(&room.ledger, &entry);
    assert_non_null(sa);
    return sa;
}

struct sa_record *grant_tunnel(bool inbound)
{
    struct sa_record *sa = grant("lan", "net", 0xc0000009, inbound, true);
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.3");

    sa->mode = CHILD_TUNNEL;
    sa = ledger_move_sa(&room.ledger, sa, inbound ? &peer : &us, inbound ? &us : &peer, false);
    return sa;
}

/* --- Requests --- */

struct effect good_spi(void)
{
    return (struct effect){
        .kind = EFFECT_ALLOCATE_SPI,
        .allocate_spi = {.connection = {"db"},
                         .child = {"web"},
                         .source = policy_address("192.0.2.2"),
                         .destination = policy_address("192.0.2.1"),
                         .protocol = IPSEC_ESP,
                         .mode = CHILD_TRANSPORT,
                         .reqid = reqid_of("db", "web")},
    };
}

struct effect good_policy(void)
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
                   .policy = POLICY_REQUIRE,
                   .template_count = 1,
                   .templates = {{IPSEC_ESP, CHILD_TUNNEL}}},
    };
}
