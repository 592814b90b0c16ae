/*
 * Configurations: what the short and the long form come to, and the tables over them
 * (lib/policy/config.h).
 */
#include "lib/policy/config.h"

#include <stdio.h>

#include "lib/policy/known.h"
#include "lib/policy/loss.h"
#include "test/unit/policy.h"

#define DEFAULT_IKE_AEAD                                                                    \
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-x25519-ecp256-" \
    "ecp384-x448-modp3072-modp4096-modp2048"
#define DEFAULT_IKE_CBC                                                               \
    "aes256-aes128-sha256-sha384-sha512-prfsha384-prfsha256-prfsha512-x25519-ecp256-" \
    "ecp384-x448-modp3072-modp4096-modp2048"

static const struct connection *first(const struct config *config)
{
    return TAILQ_FIRST(&config->connections);
}

static const struct child_config *only_child(const struct connection *connection)
{
    assert_int_equal(connection->child_count, 1);
    return TAILQ_FIRST(&connection->children);
}

static void the_short_form_means_everything_between_two_hosts(void **state)
{
    (void)state;
    struct config *config = policy_config("connections: {\n"
                                          "  db: { local = \"192.0.2.1\";\n"
                                          "        remote = \"192.0.2.2\"; };\n"
                                          "};\n");
    const struct connection *db = first(config);
    const struct child_config *child = only_child(db);

    assert_int_equal(config->connection_count, 1);
    assert_string_equal(db->name, "db");
    assert_address(db->local, "192.0.2.1");
    assert_address(db->remote, "192.0.2.2");
    assert_identity(*db->local_id, "192.0.2.1");
    assert_identity(*db->remote_id, "192.0.2.2");
    assert_int_equal(db->remote_id->type, IDENTITY_IPV4_ADDR);
    assert_int_equal(db->proposals->count, 2);
    assert_proposal(db->proposals->items[0], DEFAULT_IKE_AEAD);
    assert_proposal(db->proposals->items[1], DEFAULT_IKE_CBC);
    assert_int_equal(db->lifetime_s, 8 * 3600);
    assert_int_equal(db->sas_max, 16);
    assert_false(db->encapsulate);
    assert_false(db->childless);
    assert_int_equal(db->keepalive_s, 20);
    assert_true(db->fragmentation);
    assert_int_equal(db->fragment_size, 1280);
    assert_int_equal(db->liveness_s, 60);
    assert_int_equal(db->on_dead, DEAD_TRAP);
    assert_false(db->weak);
    assert_string_equal(db->file, "iked.conf");
    assert_int_equal(db->line, 2);

    assert_string_equal(child->name, "db");
    assert_ptr_equal(child->connection, db);
    assert_int_equal(child->mode, CHILD_TRANSPORT);
    assert_int_equal(child->start, START_TRAFFIC);
    assert_int_equal(child->policy, POLICY_REQUIRE);
    assert_int_equal(child->local_count, 1);
    assert_selector(child->local[0], "192.0.2.1/32");
    assert_int_equal(child->remote_count, 1);
    assert_selector(child->remote[0], "192.0.2.2/32");
    assert_int_equal(child->esp->count, 2);
    assert_proposal(child->esp->items[0], "aes256gcm16-aes128gcm16-chacha20poly1305");
    assert_proposal(child->esp->items[1], "aes256-aes128-sha256-sha512");
    assert_true(child->esp->items[0].esn && child->esp->items[0].no_esn);
    assert_int_equal(child->replay_window, 128);
    assert_int_equal(child->lifetime_s, 3600);
    assert_int_equal(child->lifetime_bytes, 0);
    assert_int_equal(child->lifetime_packets, 0);
    config_free(config);
}

static const char long_form[] =
    "connections: {\n"
    "  branch: {\n"
    "    version = 2;                                   # 1 or 2\n"
    "    local  = { address = \"203.0.113.1\"; id = \"gw1.example.net\"; auth = \"psk\"; };\n"
    "    remote = { address = \"203.0.113.9\"; id = \"gw2.example.net\"; auth = \"psk\"; };\n"
    "    proposals = [ \"aes256gcm16-sha384-ecp384\" ];   # IKE\n"
    "    lifetime = \"12h\"; sas_max = 4;\n"
    "    childless = true; encapsulate = true; keepalive = \"30s\";\n"
    "    fragmentation = false; fragment_size = 1400;\n"
    "    weak = true;\n"
    "    children: {\n"
    "      lan: {\n"
    "        mode = \"tunnel\";\n"
    "        local = [ \"10.1.0.0/16\", \"2001:db8:1::/48\" ];\n"
    "        remote = ( \"10.2.0.0/16 tcp/5432\", \"[2001:db8:2::1]/128\" );\n"
    "        esp = [ \"aes256gcm16-esn\", \"aes128-sha1-modp2048-noesn\" ];\n"
    "        lifetime = 7200; bytes = \"64G\"; packets = 5000000000L;\n"
    "        start = \"immediate\";\n"
    "        policy = \"require\";\n"
    "        replay_window = 4096;\n"
    "      };\n"
    "      ssh: { local = \"tcp/22\"; remote = \"203.0.113.9  tcp\"; start = \"never\";"
    " policy = \"prefer\"; };\n"
    "    };\n"
    "  };\n"
    "};\n"
    "daemon: {\n"
    "  half_open_max = 50000; cookie_threshold = 0; half_open_lifetime = \"1m\";\n"
    "  source_half_open_max = 2000; source_cookie_threshold = 20;\n"
    "  retransmit = \"500ms\"; retransmit_tries = 7; on_exit = \"clear\"; on_failure = \"open\";\n"
    "};\n";

static void the_long_form_says_it_all(void **state)
{
    (void)state;
    struct config *config = policy_config(long_form);
    const struct connection *branch = first(config);
    const struct child_config *lan = connection_find_child(branch, "lan");
    const struct child_config *ssh = connection_find_child(branch, "ssh");

    assert_identity(*branch->local_id, "gw1.example.net");
    assert_int_equal(branch->local_id->type, IDENTITY_FQDN);
    assert_identity(*branch->remote_id, "gw2.example.net");
    assert_int_equal(branch->proposals->count, 1);
    assert_proposal(branch->proposals->items[0], "aes256gcm16-prfsha384-ecp384");
    assert_int_equal(branch->lifetime_s, 12 * 3600);
    assert_int_equal(branch->sas_max, 4);
    assert_true(branch->childless);
    assert_true(branch->encapsulate);
    assert_int_equal(branch->keepalive_s, 30);
    assert_false(branch->fragmentation);
    assert_int_equal(branch->fragment_size, 1400);
    assert_true(branch->weak);
    assert_int_equal(branch->child_count, 2);

    assert_int_equal(lan->mode, CHILD_TUNNEL);
    assert_int_equal(lan->start, START_IMMEDIATE);
    assert_int_equal(lan->policy, POLICY_REQUIRE);
    assert_int_equal(lan->local_count, 2);
    assert_selector(lan->local[0], "10.1.0.0/16");
    assert_selector(lan->local[1], "2001:db8:1::/48");
    assert_int_equal(lan->remote_count, 2);
    assert_selector(lan->remote[0], "10.2.0.0/16 tcp/5432");
    assert_selector(lan->remote[1], "2001:db8:2::1/128");
    assert_int_equal(lan->esp->count, 2);
    assert_proposal(lan->esp->items[0], "aes256gcm16-esn");
    assert_proposal(lan->esp->items[1], "aes128-sha1-modp2048-noesn");
    assert_int_equal(lan->lifetime_s, 7200);
    assert_int_equal(lan->lifetime_bytes, 64ull << 30);
    assert_int_equal(lan->lifetime_packets, 5000000000ull);
    assert_int_equal(lan->replay_window, 4096);

    assert_int_equal(ssh->start, START_NEVER);
    assert_selector(ssh->local[0], "203.0.113.1/32 tcp/22");
    assert_selector(ssh->remote[0], "203.0.113.9/32 tcp");
    assert_null(connection_find_child(branch, "wan"));

    assert_int_equal(config->daemon.half_open_max, 50000);
    assert_int_equal(config->daemon.cookie_threshold, 0);
    assert_int_equal(config->daemon.half_open_s, 60);
    assert_int_equal(config->daemon.source_half_open_max, 2000);
    assert_int_equal(config->daemon.source_cookie_threshold, 20);
    assert_int_equal(config->daemon.retransmit_ms, 500);
    assert_int_equal(config->daemon.retransmit_tries, 7);
    assert_true(config->daemon.clear_on_exit);
    assert_true(config->daemon.open_on_failure);
    config_free(config);
}

static void nothing_written_means_the_defaults(void **state)
{
    (void)state;
    struct config *config = policy_config("");

    assert_int_equal(config->connection_count, 0);
    assert_int_equal(config->daemon.half_open_max, 1000);
    assert_int_equal(config->daemon.cookie_threshold, 100);
    assert_int_equal(config->daemon.half_open_s, 30);
    assert_int_equal(config->daemon.source_half_open_max, 200);
    assert_int_equal(config->daemon.source_cookie_threshold, 10);
    assert_int_equal(config->daemon.retransmit_ms, 1000);
    assert_int_equal(config->daemon.retransmit_tries, 5);
    assert_false(config->daemon.clear_on_exit);
    assert_false(config->daemon.open_on_failure);
    config_free(config);
}

static void times_and_numbers_come_in_several_spellings(void **state)
{
    static const struct {
        const char *text;
        uint32_t milliseconds;
    } rows[] = {
        {"daemon: { retransmit = \"1s\"; };", 1000}, {"daemon: { retransmit = 2; };", 2000},
        {"daemon: { retransmit_ms = 250; };", 250},  {"daemon: { retransmit = \"1m\"; };", 60000},
        {"daemon: { retransmit = 3L; };", 3000},     {"daemon: { retransmit_ms = 0x64; };", 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config = policy_config(rows[i].text);
        assert_int_equal(config->daemon.retransmit_ms, rows[i].milliseconds);
        config_free(config);
    }
}

static void a_remote_of_any_only_answers(void **state)
{
    (void)state;
    struct config *config = policy_config(
        "connections: {\n"
        "  road: { local = \"2001:db8::1\"; remote = \"any\"; };\n"
        "  named: { local = \"192.0.2.1\"; remote = { address = \"any\"; id = \"a@b.example\"; };\n"
        "    children: { web: { local = \"tcp/443\"; }; }; };\n"
        "  listed: { local = \"192.0.2.1\";\n"
        "    remote = { address = \"192.0.2.7\"; id = \"any\"; }; };\n"
        "};\n");
    const struct connection *road = config_find(config, "road");
    const struct connection *named = config_find(config, "named");
    const struct connection *listed = config_find(config, "listed");

    assert_int_equal(road->remote.family, FAMILY_NONE);
    assert_identity(*road->remote_id, "any");
    assert_int_equal(only_child(road)->start, START_NEVER);
    assert_int_equal(only_child(road)->local_count, 1);
    assert_selector(only_child(road)->local[0], "2001:db8::1/128");
    assert_int_equal(only_child(road)->remote_count, 0);
    assert_identity(*named->remote_id, "a@b.example");
    assert_int_equal(named->remote_id->type, IDENTITY_RFC822_ADDR);
    assert_int_equal(only_child(named)->start, START_NEVER);
    assert_selector(only_child(named)->local[0], "192.0.2.1/32 tcp/443");
    assert_int_equal(only_child(named)->remote_count, 0);
    assert_identity(*listed->remote_id, "any");
    assert_int_equal(only_child(listed)->start, START_TRAFFIC);
    config_free(config);
}

static void without_a_replay_window_there_is_no_esn(void **state)
{
    (void)state;
    struct config *config = policy_config(TWO_HOSTS("children: { c: { replay_window = 0; }; };"));
    const struct child_config *child = only_child(first(config));

    assert_int_equal(child->replay_window, 0);
    assert_proposal(child->esp->items[0], "aes256gcm16-aes128gcm16-chacha20poly1305-noesn");
    assert_proposal(child->esp->items[1], "aes256-aes128-sha256-sha512-noesn");
    config_free(config);
}

/* The reqids were computed apart from this code. */
static void reqids_come_from_names_alone(void **state)
{
    (void)state;
    struct config *alone = policy_config(TWO_HOSTS(""));
    struct config *together =
        policy_config("connections: { x: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; };\n"
                      "  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };");

    assert_int_equal(only_child(first(alone))->reqid, 0x69317f5b);
    assert_int_equal(only_child(config_find(together, "db"))->reqid, 0x69317f5b);
    config_free(alone);
    config_free(together);
}

/* These names meet in the 22 bits, the second three at their very end. */
static void reqids_that_meet_move_up(void **state)
{
    static const struct {
        const char *name;
        uint32_t reqid;
    } rows[] = {
        {"c1394", 0x69091d31},   {"c2023", 0x69091d32},    {"b2295211", 0x693fffff},
        {"d898743", 0x69000000}, {"b3210147", 0x69000001},
    };
    char text[1024] = "connections: {";
    const struct connection *connection = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "%s: { local = \"192.0.2.1\"; remote = \"192.0.2.%zu\"; };\n", rows[i].name,
                 i + 2);
    strcat(text, "};");
    struct config *config = policy_config(text);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct child_config *child = only_child(config_find(config, rows[i].name));
        assert_int_equal(child->reqid, rows[i].reqid);
        assert_ptr_equal(config_find_reqid(config, rows[i].reqid, &connection), child);
        assert_string_equal(connection->name, rows[i].name);
    }
    assert_null(config_find_reqid(config, 0x69000002, &connection));
    config_free(config);
}

static void files_add_up(void **state)
{
    const struct config_text files[] = {
        {"iked.conf", slice_text("daemon: { half_open_max = 7; };\n")},
        {"conf.d/a.conf",
         slice_text("connections: { a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };")},
        {"conf.d/b.conf",
         slice_text("\nconnections: { b: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; }; };")},
    };
    char error[CONFIG_ERROR_MAX];

    (void)state;
    struct config *config = config_parse(files, 3, error);
    assert_non_null(config);
    assert_int_equal(config->connection_count, 2);
    assert_int_equal(config->daemon.half_open_max, 7);
    assert_string_equal(first(config)->name, "a");
    assert_string_equal(config_find(config, "b")->file, "conf.d/b.conf");
    assert_int_equal(config_find(config, "b")->line, 2);
    assert_null(config_find(config, "c"));
    config_free(config);
}

static void what_stands_in_two_files_names_both_places(void **state)
{
    const struct config_text connections[] = {
        {"a.conf", slice_text("\n\n" TWO_HOSTS(""))},
        {"b.conf", slice_text("connections: {\n db: { }; };")},
    };
    const struct config_text daemons[] = {
        {"0.conf", slice_text("daemon: { };")}, /* says nothing */
        {"a.conf", slice_text("daemon: { on_exit = \"clear\"; };")},
        {"a0.conf", slice_text("daemon: { };")},
        {"b.conf", slice_text("\ndaemon: { half_open_max = 5; };")},
    };
    char error[CONFIG_ERROR_MAX];

    (void)state;
    assert_null(config_parse(connections, 2, error));
    assert_string_equal(error, "b.conf:2: db: a connection of this name stands at a.conf:3; "
                               "expected another name");
    struct config *config = config_parse(daemons, 3, error);
    assert_non_null(config);
    assert_true(config->daemon.clear_on_exit);
    config_free(config);
    assert_null(config_parse(daemons, 4, error));
    assert_string_equal(error, "b.conf:2: daemon: stands already at a.conf:1; expected it once");
}

static void many_connections_are_found_by_name_and_remote(void **state)
{
    enum { COUNT = 3000, REMOTES = COUNT / 2 };
    static char text[COUNT * 80];
    size_t used = (size_t)snprintf(text, sizeof(text), "connections: {\n");

    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "c%u: { local = \"192.0.2.1\"; remote = \"10.0.%u.%u\"; };\n", i,
                                 i % REMOTES / 250, i % 250 + 1);
    snprintf(text + used, sizeof(text) - used, "};");
    struct config *config = policy_config(text);
    assert_int_equal(config->connection_count, COUNT);
    for (unsigned i = 0; i < COUNT; i += 7) {
        char name[16];
        snprintf(name, sizeof(name), "c%u", i);
        const struct connection *connection = config_find(config, name);
        assert_non_null(connection);
        snprintf(name, sizeof(name), "c%u", i % REMOTES);
        const struct connection *head = config_find_remote(config, &connection->remote);
        assert_ptr_equal(head, config_find(config, name));
        snprintf(name, sizeof(name), "c%u", i % REMOTES + REMOTES);
        assert_ptr_equal(head->next_of_remote, config_find(config, name));
        assert_null(head->next_of_remote->next_of_remote);
    }
    config_free(config);
}

/* A name that brings ever new addresses: neither the one in use is forgotten nor one of the file.
 * */
static void what_is_in_use_stays_known(void **state)
{
    struct config *config = policy_config("connections: { c: { local = \"192.0.2.1\"; "
                                          "remote = [ \"gw.example\", \"192.0.2.3\" ]; }; };");
    const struct connection *c = config_find(config, "c");
    struct address in_file = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 3}};
    struct address in_use = {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 1}};
    struct address other = {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 2}};
    struct places used = {0};

    (void)state;
    places_add(&used, &in_use);
    config_learn(config, c, &in_use, 1, &used);
    for (uint8_t i = 0; i < 3 * CONFIG_KNOWN_MAX; i++) {
        other.bytes[3] = (uint8_t)(2 + i);
        config_learn(config, c, &other, 1, &used);
        assert_true(address_same_host(&c->known[0].address, &other));
        assert_true(connection_knows(c, &in_use));
        assert_true(connection_knows(c, &in_file));
    }
    assert_int_equal(c->known_count, CONFIG_KNOWN_MAX);
    other.bytes[3]--;
    assert_true(connection_knows(c, &other));
    other.bytes[3] = 2;
    assert_false(connection_knows(c, &other));
    config_free(config);
}

/* Thousands of connections are written alike: what they have in common is there once. */
static void what_is_the_same_is_kept_once(void **state)
{
    (void)state;
    struct config *config =
        policy_config("connections: {\n"
                      "  a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };\n"
                      "  b: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; };\n"
                      "  c: { local = \"192.0.2.1\"; remote = \"192.0.2.4\";\n"
                      "       proposals = [ \"aes256gcm16-prfsha384-ecp384\" ]; };\n"
                      "  d: { local = \"192.0.2.1\"; remote = \"192.0.2.5\";\n"
                      "       proposals = \"aes256gcm16-prfsha384-ecp384\"; weak = true;\n"
                      "       children: { c: { esp = \"aes256gcm16\"; replay_window = 0; };\n"
                      "                   d: { esp = \"aes256gcm16\"; }; }; };\n"
                      "};\n");
    const struct connection *a = config_find(config, "a");
    const struct connection *b = config_find(config, "b");
    const struct connection *c = config_find(config, "c");
    const struct connection *d = config_find(config, "d");

    assert_ptr_equal(a->proposals, b->proposals);
    assert_ptr_equal(a->local_id, b->local_id);
    assert_ptr_not_equal(a->remote_id, b->remote_id);
    assert_ptr_equal(only_child(a)->esp, only_child(b)->esp);
    assert_ptr_equal(only_child(a)->local, only_child(b)->local);
    assert_ptr_equal(c->proposals, d->proposals);
    assert_ptr_not_equal(a->proposals, c->proposals);
    assert_ptr_equal(a->file, d->file);
    /* What is meant apart is apart, though it is written alike. */
    const struct proposal_list *without = connection_find_child(d, "c")->esp;
    const struct proposal_list *with = connection_find_child(d, "d")->esp;
    assert_false(without->items[0].esn);
    assert_true(with->items[0].esn && with->items[0].no_esn);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_form_means_everything_between_two_hosts),
        cmocka_unit_test(the_long_form_says_it_all),
        cmocka_unit_test(nothing_written_means_the_defaults),
        cmocka_unit_test(times_and_numbers_come_in_several_spellings),
        cmocka_unit_test(a_remote_of_any_only_answers),
        cmocka_unit_test(without_a_replay_window_there_is_no_esn),
        cmocka_unit_test(reqids_come_from_names_alone),
        cmocka_unit_test(reqids_that_meet_move_up),
        cmocka_unit_test(files_add_up),
        cmocka_unit_test(what_stands_in_two_files_names_both_places),
        cmocka_unit_test(many_connections_are_found_by_name_and_remote),
        cmocka_unit_test(what_is_in_use_stays_known),
        cmocka_unit_test(what_is_the_same_is_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
