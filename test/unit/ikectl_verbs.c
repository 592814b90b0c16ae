/*
 * ikectl's verbs against a server whose answers lie ready in a socketpair: text, JSON, exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "ikectl/ikectl.h"

#define HELLO "{\"iked\":\"0.1.0\",\"protocol\":1}\n"
#define DONE1 "{\"id\":1,\"done\":true}\n"

/* What the last run left. */
static struct {
    enum exit_status status;
    char *out;
    char *err;
    char asked[4096]; /* what it sent */
} last;

static void forget(void)
{
    free(last.out);
    free(last.err);
    last.out = last.err = NULL;
}

static enum exit_status run_arguments(int fd, va_list list)
{
    char *argv[16] = {(char *)"ikectl"};
    int argc = 1;
    size_t out_size;
    size_t err_size;

    while ((argv[argc] = va_arg(list, char *)) != NULL)
        argc++;
    forget();
    struct ikectl ctl = {.fd = fd, .socket = "/nowhere/control.sock"};
    ctl.out = open_memstream(&last.out, &out_size);
    ctl.err = open_memstream(&last.err, &err_size);
    last.status = ikectl_run(&ctl, argc, argv);
    fclose(ctl.out);
    fclose(ctl.err);
    return last.status;
}

/* Runs a command line (ended by NULL) against a server that has said `said` and then leaves. */
__attribute__((sentinel)) static enum exit_status run(const char *said, ...)
{
    int pair[2];
    va_list list;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(send(pair[1], said, strlen(said), 0), strlen(said));
    shutdown(pair[1], SHUT_WR);
    va_start(list, said);
    run_arguments(pair[0], list);
    va_end(list);
    ssize_t size = recv(pair[1], last.asked, sizeof(last.asked) - 1, MSG_DONTWAIT);
    last.asked[size > 0 ? size : 0] = '\0';
    close(pair[1]);
    return last.status;
}

/* Runs a command line that needs no server. */
__attribute__((sentinel)) static enum exit_status run_alone(const char *first, ...)
{
    va_list list;

    (void)first;
    va_start(list, first);
    run_arguments(-1, list);
    va_end(list);
    return last.status;
}

static int teardown(void **state)
{
    (void)state;
    forget();
    return 0;
}

/* --- The command line --- */

static void misuse_is_explained(void **state)
{
    (void)state;
    assert_int_equal(run_alone("", "shwo", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: unknown verb \"shwo\"; the nearest is \"show\"\n");
    assert_int_equal(run_alone("", "show", "--jsn", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: unknown option --jsn; the nearest is --json\n");
    assert_int_equal(run_alone("", "show", "-x", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: unknown option -x; see ikectl --help\n");
    assert_int_equal(run_alone("", "--json=1", "show", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: --json takes no value\n");
    assert_int_equal(run_alone("", "show", "-s", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: -s needs a path behind it\n");
    assert_int_equal(run_alone("", "up", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: up: NAME is missing; usage: ikectl up NAME\n");
    assert_int_equal(run_alone("", "down", "a", "b", NULL), EXIT_MISUSE);
    assert_string_equal(last.err,
                        "ikectl: down: nothing to do with \"b\"; usage: ikectl down NAME\n");
    assert_int_equal(run_alone("", "monitor", "db", NULL), EXIT_MISUSE);
    assert_string_equal(last.err,
                        "ikectl: monitor: nothing to do with \"db\"; usage: ikectl monitor\n");
    assert_int_equal(run_alone("", "up", "a", "--dry-run", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: --dry-run does not go with up\n");
    assert_int_equal(run_alone("", "show", "sa", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: show: unknown \"sa\"; the nearest is \"sas\"\n");
    assert_int_equal(run_alone("", "show", "counters", "db", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: show counters takes no name\n");
    assert_string_equal(last.out, "");
    assert_int_equal(run_alone("", "-s", "/run/b", "check", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: check asks no iked, so -s does not say which file; "
                                  "usage: ikectl check FILE\n");
    assert_int_equal(run_alone("", NULL), EXIT_MISUSE);
    assert_memory_equal(last.err, "usage: ikectl ", 14);
}

static void help_and_version_go_to_out(void **state)
{
    (void)state;
    assert_int_equal(run_alone("", "--help", NULL), EXIT_DONE);
    assert_memory_equal(last.out, "usage: ikectl ", 14);
    assert_string_equal(last.err, "");
    assert_int_equal(run_alone("", "--version", NULL), EXIT_DONE);
    assert_string_equal(last.out, "ikectl " IKED_VERSION "\n");
}

/* --- The connection --- */

static void no_daemon_is_said(void **state)
{
    char path[200];

    (void)state;
    assert_int_equal(run_alone("", "show", NULL), EXIT_NO_DAEMON);
    assert_string_equal(last.err,
                        "ikectl: no iked at /nowhere/control.sock: No such file or directory\n");
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(run_alone("", "show", "--socket", path, NULL), EXIT_MISUSE);
    assert_non_null(strstr(last.err, "too long for the path of a socket"));
}

static void nonsense_is_told_from_iked(void **state)
{
    static const char *const rows[][2] = {
        {"", "iked at /nowhere/control.sock has left"},
        {"220 mail ESMTP\n", "what answers at /nowhere/control.sock is not iked as we know it"},
        {HELLO "{\"id\":1,\"text\":\"\\u001b\"}\n", "an answer with unprintable octets"},
        {HELLO "{\"id\":2,\"done\":true}\n", "an answer to what was not asked"},
        {HELLO "{\"id\":1,\"done\":true}", "iked at /nowhere/control.sock has left"},
        {HELLO "what?\n", "not JSON at column"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(run(rows[i][0], "show", "sas", NULL), EXIT_NO_DAEMON);
        assert_non_null(strstr(last.err, rows[i][1]));
        assert_string_equal(last.out, "");
    }
}

static void other_protocol_is_named(void **state)
{
    (void)state;
    assert_int_equal(run("{\"iked\":\"9.0\",\"protocol\":2}\n", "show", NULL), EXIT_FAILED);
    assert_string_equal(last.err, "ikectl: iked 9.0 speaks protocol 2, this ikectl speaks 1\n");
}

static void an_iked_that_protects_nothing_is_told_each_time(void **state)
{
    static const char *const verbs[] = {"show", "up"};

    (void)state;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        run("{\"iked\":\"0.1.0\",\"protocol\":1,\"kernel\":\"none\"}\n", verbs[i],
            i > 0 ? "db" : NULL, NULL);
        assert_memory_equal(last.err,
                            "warning: iked runs with --kernel=none: NOTHING IS PROTECTED\n", 60);
    }
}

static void full_server_is_quoted(void **state)
{
    (void)state;
    assert_int_equal(run("{\"id\":null,\"done\":false,\"code\":\"busy\",\"error\":\"too many "
                         "clients\"}\n",
                         "up", "db", NULL),
                     EXIT_FAILED);
    assert_string_equal(last.err, "ikectl: too many clients\n");
}

/* --- up, down, reload --- */

/* What comes before the outcome is for people alone. */
static void up_prints_what_it_has_come_to(void **state)
{
    static const char said[] =
        HELLO "{\"id\":1,\"progress\":{\"text\":\"no answer from 192.0.2.2\"}}\n"
              "{\"id\":1,\"event\":{\"text\":\"not asked for\"}}\n"
              "{\"id\":1,\"progress\":{\"text\":\"nor now\"}}\n"
              "{\"id\":1,\"done\":true,\"text\":\"db: established\"}\n";

    (void)state;
    assert_int_equal(run(said, "up", "db", NULL), EXIT_DONE);
    assert_string_equal(last.err, "db: no answer from 192.0.2.2\ndb: nor now\n");
    assert_string_equal(last.out, "db: established\n");
    assert_int_equal(run(said, "up", "db", "--json", NULL), EXIT_DONE);
    assert_string_equal(last.err, "");
    assert_string_equal(last.out, "{\"done\":true,\"text\":\"db: established\"}\n");
}

static void up_prints_the_outcome(void **state)
{
    (void)state;
    assert_int_equal(
        run(HELLO "{\"id\":1,\"done\":true,\"text\":\"db is up\"}\n", "up", "db", NULL), EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"up\",\"name\":\"db\"}\n");
    assert_string_equal(last.out, "db is up\n");
    assert_string_equal(last.err, "");
    assert_int_equal(run(HELLO DONE1, "down", "db", NULL), EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"down\",\"name\":\"db\"}\n");
    assert_string_equal(last.out, "done\n");
}

static void rekey_may_name_a_part(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO DONE1, "rekey", "db", NULL), EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"rekey\",\"name\":\"db\"}\n");
    assert_int_equal(run(HELLO DONE1, "rekey", "db", "ike", NULL), EXIT_DONE);
    assert_string_equal(last.asked,
                        "{\"id\":1,\"verb\":\"rekey\",\"name\":\"db\",\"child\":\"ike\"}\n");
    assert_int_equal(run(HELLO DONE1, "rekey", "db", "", NULL), EXIT_FAILED);
    assert_string_equal(last.err, "ikectl: no child \"\": names have 1 to 63 letters\n");
}

static void failure_goes_to_err(void **state)
{
    static const char answer[] = HELLO "{\"id\":1,\"done\":false,\"code\":\"failed\",\"error\":"
                                       "\"192.0.2.2 did not answer\"}\n";

    (void)state;
    assert_int_equal(run(answer, "up", "db", NULL), EXIT_FAILED);
    assert_string_equal(last.err, "ikectl: 192.0.2.2 did not answer\n");
    assert_string_equal(last.out, "");
    assert_int_equal(run(answer, "up", "db", "--json", NULL), EXIT_FAILED);
    assert_string_equal(last.out, "{\"done\":false,\"error\":\"192.0.2.2 did not answer\"}\n");
    assert_string_equal(last.err, "");
}

static void reload_prints_the_changes(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO "{\"id\":1,\"done\":true,\"text\":\"added    a\\n1 connection "
                               "unchanged\"}\n",
                         "reload", NULL),
                     EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"reload\",\"dry_run\":false}\n");
    assert_string_equal(last.out, "added    a\n1 connection unchanged\n");
    assert_int_equal(run(HELLO DONE1, "--json", "reload", "--dry-run", NULL), EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"reload\",\"dry_run\":true}\n");
    assert_string_equal(last.out, "{\"done\":true,\"text\":\"\"}\n");
    assert_int_equal(run(HELLO DONE1, "reload", "--force", NULL), EXIT_DONE);
    assert_string_equal(last.asked,
                        "{\"id\":1,\"verb\":\"reload\",\"dry_run\":false,\"force\":true}\n");
    assert_int_equal(run_alone("", "up", "a", "--force", NULL), EXIT_MISUSE);
    assert_string_equal(last.err, "ikectl: --force does not go with up\n");
}

static void long_names_are_refused_here(void **state)
{
    char name[65];

    (void)state;
    memset(name, 'n', 64);
    name[64] = '\0';
    assert_int_equal(run(HELLO, "up", name, NULL), EXIT_FAILED);
    assert_non_null(strstr(last.err, "names have 1 to 63 letters"));
    assert_int_equal(run(HELLO, "show", "sas", name, NULL), EXIT_FAILED);
    assert_string_equal(last.asked, "");
    assert_int_equal(run(HELLO, "show", "sas", "", NULL), EXIT_FAILED);
    assert_string_equal(last.err, "ikectl: no connection \"\": names have 1 to 63 letters\n");
    assert_string_equal(last.asked, "");
}

/* --- show --- */

#define DB                                                                                \
    "{\"name\":\"db\",\"state\":\"up\",\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.2\"," \
    "\"local_id\":\"192.0.2.1\",\"remote_id\":\"192.0.2.2\",\"children\":[\"db\"],\"sas\":1}"
#define BRANCH                                                                               \
    "{\"name\":\"branch\",\"state\":\"down\",\"local\":\"203.0.113.1\","                     \
    "\"remote\":\"203.0.113.9\",\"local_id\":\"gw1.example.net\","                           \
    "\"remote_id\":\"gw2.example.net\","                                                     \
    "\"children\":[\"lan\",\"dmz\"],\"sas\":0,\"weak_allowed\":true,"                        \
    "\"error\":\"203.0.113.9 answered NO_PROPOSAL_CHOSEN: it has nothing of what we offer, " \
    "aes256gcm16-prfsha384-ecp384\",\"error_age_ms\":192000}"
#define DB_SA                                                                                      \
    "{\"number\":1,\"connection\":\"db\",\"state\":\"established\",\"initiator\":true,"            \
    "\"local\":\"192.0.2.1\",\"local_port\":500,\"remote\":\"192.0.2.2\",\"remote_port\":4500,"    \
    "\"local_id\":\"192.0.2.1\",\"remote_id\":\"db2.example.net\",\"spi_i\":\"0123456789abcdef\"," \
    "\"spi_r\":\"fedcba9876543210\",\"suite\":\"aes256gcm16-prfsha384-x25519\",\"weak\":[],"       \
    "\"age_ms\":7990000,\"established_ms\":7980000,\"heard_ms\":12000,"                            \
    "\"nat_local\":false,\"nat_remote\":true,\"esp_in_udp\":true,\"mobike\":true,"                 \
    "\"fragmentation\":true,\"children\":[{\"name\":\"db\",\"number\":2,"                          \
    "\"protocol\":\"esp\",\"mode\":\"transport\",\"reqid\":16385,\"spi_in\":\"c1b2c3d4\","         \
    "\"spi_out\":\"0a0b0c0d\",\"suite\":\"aes128-sha1\",\"weak\":[\"sha1\"],"                      \
    "\"local\":[\"192.0.2.1/32\"],\"remote\":[\"10.0.0.0/24\",\"10.0.1.0/24 tcp/5432\"],"          \
    "\"age_ms\":45000}]}"
#define HALF_SA                                                                                \
    "{\"number\":2,\"connection\":\"\",\"state\":\"await-auth\",\"initiator\":false,"          \
    "\"local\":\"2001:db8::1\",\"local_port\":500,\"remote\":\"2001:db8::2\","                 \
    "\"remote_port\":500,\"local_id\":\"\",\"remote_id\":\"\",\"spi_i\":\"0000000000000001\"," \
    "\"spi_r\":\"0000000000000002\",\"suite\":\"\",\"weak\":[],\"age_ms\":2000,"               \
    "\"established_ms\":0,\"children\":[]}"

static void connections_are_a_table(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO "{\"id\":1,\"connection\":" DB "}\n{\"id\":1,\"connection\":" BRANCH
                               "}\n" DONE1,
                         "show", "connections", NULL),
                     EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"show\",\"what\":\"connections\"}\n");
    assert_string_equal(
        last.out,
        "NAME    STATE  LOCAL        REMOTE       SAS\n"
        "db      up     192.0.2.1    192.0.2.2    1\n"
        "branch  down   203.0.113.1  203.0.113.9  0\n"
        "    ids gw1.example.net - gw2.example.net\n"
        "    children lan, dmz\n"
        "    weak algorithms are allowed\n"
        "    3m12s ago: 203.0.113.9 answered NO_PROPOSAL_CHOSEN: it has nothing of what we offer,\n"
        "    aes256gcm16-prfsha384-ecp384\n");
}

static void connections_are_json(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO "{\"id\":1,\"connection\":{\"name\":\"a\"}}\n"
                               "{\"id\":1,\"connection\":{\"name\":\"b\"}}\n" DONE1,
                         "show", "--json", "connections", NULL),
                     EXIT_DONE);
    assert_string_equal(last.out, "[\n{\"name\":\"a\"},\n{\"name\":\"b\"}\n]\n");
    assert_int_equal(run(HELLO DONE1, "show", "sas", "--json", NULL), EXIT_DONE);
    assert_string_equal(last.out, "[]\n");
}

static void sas_are_blocks(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO "{\"id\":1,\"sa\":" DB_SA "}\n{\"id\":1,\"sa\":" HALF_SA "}\n" DONE1,
                         "show", "sas", NULL),
                     EXIT_DONE);
    assert_string_equal(last.out,
                        "db: IKE SA 1, established 2h13m ago, started by us\n"
                        "  local   192.0.2.1\n"
                        "  remote  192.0.2.2 port 4500, id db2.example.net\n"
                        "  nat     the peer is behind one, ESP goes in UDP\n"
                        "  suite   aes256gcm16-prfsha384-x25519\n"
                        "  uses    fragmentation, MOBIKE\n"
                        "  spis    initiator 0123456789abcdef, responder fedcba9876543210\n"
                        "  heard   12s ago\n"
                        "  child db: ESP transport, reqid 16385, 45s old\n"
                        "    suite   aes128-sha1 (WEAK: sha1)\n"
                        "    spis    in c1b2c3d4, out 0a0b0c0d\n"
                        "    local   192.0.2.1/32\n"
                        "    remote  10.0.0.0/24\n"
                        "            10.0.1.0/24 tcp/5432\n"
                        "\n"
                        "(not known yet): IKE SA 2, await-auth, 2s old, started by the peer\n"
                        "  local   2001:db8::1\n"
                        "  remote  2001:db8::2\n"
                        "  spis    initiator 0000000000000001, responder 0000000000000002\n");
    assert_int_equal(run(HELLO DONE1, "show", "sas", "db", NULL), EXIT_DONE);
    assert_string_equal(last.asked,
                        "{\"id\":1,\"verb\":\"show\",\"what\":\"sas\",\"name\":\"db\"}\n");
    assert_string_equal(last.out, "db has no IKE SAs\n");
}

static void policies_are_a_table(void **state)
{
    (void)state;
    assert_int_equal(
        run(HELLO "{\"id\":1,\"policy\":{\"connection\":\"branch\",\"child\":\"lan\","
                  "\"reqid\":16385,\"mode\":\"tunnel\",\"local\":[\"10.1.0.0/16\"],\"remote\":"
                  "[\"10.2.0.0/16\",\"10.3.0.0/16 tcp/443\"],\"policy\":\"require\","
                  "\"start\":\"traffic\"}}\n"
                  "{\"id\":1,\"policy\":{\"connection\":\"road\",\"child\":\"road\",\"reqid\":7,"
                  "\"mode\":\"transport\",\"local\":[\"192.0.2.1/32\"],\"remote\":[],"
                  "\"policy\":\"prefer\",\"start\":\"never\"}}\n" DONE1,
            "show", "policies", NULL),
        EXIT_DONE);
    assert_string_equal(
        last.out,
        "CONNECTION  CHILD  REQID  MODE       LOCAL         REMOTE               POLICY   START\n"
        "branch      lan    16385  tunnel     10.1.0.0/16   10.2.0.0/16          require  traffic\n"
        "                                                   10.3.0.0/16 tcp/443\n"
        "road        road   7      transport  192.0.2.1/32  the peer             prefer   never\n");
}

/* What passes in the clear for now is said. */
static void policies_that_do_not_stand_are_named(void **state)
{
    (void)state;
    assert_int_equal(
        run(HELLO "{\"id\":1,\"policy\":{\"connection\":\"road\",\"child\":\"road\",\"reqid\":7,"
                  "\"stands\":\"with-sas\",\"mode\":\"transport\",\"local\":[\"192.0.2.1/32\"],"
                  "\"remote\":[],\"policy\":\"require\",\"start\":\"never\"}}\n"
                  "{\"id\":1,\"policy\":{\"connection\":\"name\",\"child\":\"c\",\"reqid\":8,"
                  "\"stands\":\"when-known\",\"mode\":\"transport\",\"local\":[\"192.0.2.1/32\"],"
                  "\"remote\":[],\"policy\":\"require\",\"start\":\"traffic\"}}\n" DONE1,
            "show", "policies", NULL),
        EXIT_DONE);
    assert_string_equal(
        last.out,
        "CONNECTION  CHILD  REQID  MODE       LOCAL         REMOTE    POLICY   START\n"
        "road        road   7      transport  192.0.2.1/32  the peer  require  never\n"
        "name        c      8      transport  192.0.2.1/32  the peer  require  traffic\n"
        "road: child road: only what its peers' SAs cover is protected, while they stand\n"
        "name: child c: nothing is protected until an address of the peer's is known\n");
}

static void wide_tables_are_stacked(void **state)
{
    (void)state;
    assert_int_equal(
        run(HELLO "{\"id\":1,\"policy\":{\"connection\":\"branch\",\"child\":\"lan\","
                  "\"reqid\":16385,\"mode\":\"tunnel\",\"local\":[\"2001:db8:1:2:3:4:5:6/128\"],"
                  "\"remote\":[\"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128\",\"2001:db8::/32\"],"
                  "\"policy\":\"require\",\"start\":\"traffic\"}}\n"
                  "{\"id\":1,\"policy\":{\"connection\":\"db\",\"child\":\"db\"}}\n" DONE1,
            "show", "policies", NULL),
        EXIT_DONE);
    assert_string_equal(last.out, "branch\n"
                                  "  child   lan\n"
                                  "  reqid   16385\n"
                                  "  mode    tunnel\n"
                                  "  local   2001:db8:1:2:3:4:5:6/128\n"
                                  "  remote  2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/128\n"
                                  "          2001:db8::/32\n"
                                  "  policy  require\n"
                                  "  start   traffic\n"
                                  "\n"
                                  "db\n"
                                  "  child   db\n"
                                  "  reqid   0\n"
                                  "  mode    \n"
                                  "  local   the peer\n"
                                  "  remote  the peer\n"
                                  "  policy  \n"
                                  "  start   \n");
}

static void counters_leave_out_zeroes(void **state)
{
    static const char answer[] =
        HELLO "{\"id\":1,\"counters\":{\"packets_in\":12,\"dropped_header\":0,"
              "\"established\":3}}\n" DONE1;

    (void)state;
    assert_int_equal(run(answer, "show", "counters", NULL), EXIT_DONE);
    assert_string_equal(last.out, "packets_in           12\n"
                                  "established           3\n");
    assert_int_equal(run(answer, "show", "counters", "--json", NULL), EXIT_DONE);
    assert_string_equal(last.out, "{\n  \"packets_in\": 12,\n  \"dropped_header\": 0,\n"
                                  "  \"established\": 3\n}\n");
}

/* --- The overview --- */

#define OVERVIEW_OF(connections, sas) HELLO connections DONE1 sas "{\"id\":2,\"done\":true}\n"

static void overview_is_one_screen(void **state)
{
    (void)state;
    assert_int_equal(
        run(OVERVIEW_OF("{\"id\":1,\"connection\":" DB "}\n"
                        "{\"id\":1,\"connection\":" BRANCH "}\n",
                        "{\"id\":2,\"sa\":" DB_SA "}\n{\"id\":2,\"sa\":" HALF_SA "}\n"),
            "show", NULL),
        EXIT_DONE);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"show\",\"what\":\"connections\"}\n"
                                    "{\"id\":2,\"verb\":\"show\",\"what\":\"sas\"}\n");
    assert_string_equal(
        last.out,
        "iked 0.1.0: 2 connections, 1 up, 1 down; 1 IKE SA, 1 child, 1 half-open\n"
        "\n"
        "NAME    STATE  REMOTE       CHILDREN  FOR    SUITE\n"
        "branch  down   203.0.113.9  0/2\n"
        "    3m12s ago: 203.0.113.9 answered NO_PROPOSAL_CHOSEN: it has nothing of what we offer,\n"
        "    aes256gcm16-prfsha384-ecp384\n"
        "db      up     192.0.2.2    1/1       2h13m  aes256gcm16-prfsha384-x25519\n"
        "    weak algorithms in use: sha1\n");
}

static void empty_overview_is_a_line(void **state)
{
    (void)state;
    assert_int_equal(run(OVERVIEW_OF("", ""), "show", NULL), EXIT_DONE);
    assert_string_equal(last.out, "iked 0.1.0: no connections\n");
    assert_int_equal(run(OVERVIEW_OF("", ""), "show", "--json", NULL), EXIT_DONE);
    assert_string_equal(last.out, "{\"iked\":\"0.1.0\",\n\"connections\":[],\n\"sas\":[]}\n");
}

/* An IKE SA that waits for a child to be wanted is no trouble. */
#define LONE \
    "{\"name\":\"web\",\"state\":\"childless\",\"remote\":\"192.0.2.2\",\"children\":[\"web\"]}"
#define LONE_SA                                                                                \
    "{\"number\":3,\"connection\":\"web\",\"state\":\"established\",\"initiator\":true,"       \
    "\"local\":\"192.0.2.1\",\"local_port\":500,\"remote\":\"192.0.2.2\",\"remote_port\":500," \
    "\"local_id\":\"192.0.2.1\",\"remote_id\":\"192.0.2.2\",\"spi_i\":\"0123456789abcdef\","   \
    "\"spi_r\":\"fedcba9876543210\",\"suite\":\"aes256gcm16-prfsha384-x25519\",\"weak\":[],"   \
    "\"age_ms\":60000,\"established_ms\":60000,\"heard_ms\":12000,\"children\":[]}"

static void an_ike_sa_without_a_child_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        run(OVERVIEW_OF("{\"id\":1,\"connection\":" LONE "}\n", "{\"id\":2,\"sa\":" LONE_SA "}\n"),
            "show", NULL),
        EXIT_DONE);
    assert_string_equal(
        last.out, "iked 0.1.0: 1 connection, 1 childless; 1 IKE SA\n"
                  "\n"
                  "NAME  STATE      REMOTE     CHILDREN  FOR    SUITE\n"
                  "web   childless  192.0.2.2  0/1       1m00s  aes256gcm16-prfsha384-x25519\n");
    assert_int_equal(run(HELLO "{\"id\":1,\"sa\":" LONE_SA "}\n" DONE1, "show", "sas", NULL),
                     EXIT_DONE);
    assert_non_null(strstr(last.out, "\n  heard   12s ago\n  child   none\n"));
}

/* Less than is configured: named in the overview, and shown beside it. */
#define LESS                                                                                   \
    "{\"number\":3,\"connection\":\"web\",\"state\":\"established\",\"initiator\":true,"       \
    "\"local\":\"192.0.2.1\",\"local_port\":500,\"remote\":\"192.0.2.2\",\"remote_port\":500," \
    "\"established_ms\":60000,\"children\":[{\"name\":\"web\",\"local\":[\"10.1.0.0/17\"],"    \
    "\"remote\":[\"10.2.0.0/16\"],\"configured_local\":[\"10.1.0.0/16\",\"10.9.0.0/16\"],"     \
    "\"configured_remote\":[\"10.2.0.0/16\"]}]}"

#define UNCOVERED                                                                         \
    "{\"name\":\"web\",\"state\":\"up\",\"remote\":\"192.0.2.2\",\"children\":[\"web\"]," \
    "\"uncovered\":\"child web does not cover all: TS_UNACCEPTABLE\"}"

static void what_the_peer_has_narrowed_is_told(void **state)
{
    (void)state;
    assert_int_equal(run(HELLO "{\"id\":1,\"sa\":" LESS "}\n" DONE1, "show", "sas", NULL),
                     EXIT_DONE);
    assert_non_null(strstr(last.out, "    local   10.1.0.0/17\n"
                                     "    remote  10.2.0.0/16\n"
                                     "    narrowed by the peer from\n"
                                     "    local   10.1.0.0/16\n"
                                     "            10.9.0.0/16\n"
                                     "    remote  10.2.0.0/16\n"));
    assert_int_equal(
        run(OVERVIEW_OF("{\"id\":1,\"connection\":" LONE "}\n", "{\"id\":2,\"sa\":" LESS "}\n"),
            "show", NULL),
        EXIT_DONE);
    assert_non_null(
        strstr(last.out, "\n    child web is narrowed by the peer: ikectl show sas web\n"));
    assert_int_equal(run(OVERVIEW_OF("{\"id\":1,\"connection\":" UNCOVERED "}\n",
                                     "{\"id\":2,\"sa\":" LESS "}\n"),
                         "show", NULL),
                     EXIT_DONE);
    assert_non_null(strstr(last.out, "\n    child web does not cover all: TS_UNACCEPTABLE\n"));
}

static void crowded_overview_counts_the_rest(void **state)
{
    char said[8192] = HELLO;
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 30; i++)
        snprintf(said + strlen(said), sizeof(said) - strlen(said),
                 "{\"id\":1,\"connection\":{\"name\":\"c%d\",\"state\":\"%s\",\"remote\":\"any\","
                 "\"children\":[\"x\"]}}\n",
                 i, i == 29 ? "connecting" : "up");
    strcat(said, DONE1 "{\"id\":2,\"done\":true}\n");
    assert_int_equal(run(said, "show", NULL), EXIT_DONE);
    assert_non_null(strstr(last.out, "iked 0.1.0: 30 connections, 29 up, 1 connecting\n\n"
                                     "NAME  STATE       REMOTE  CHILDREN  FOR  SUITE\n"
                                     "c29   connecting  any     0/1\n"
                                     "c0    up          any     0/1\n"));
    assert_non_null(strstr(last.out, "\n... and 10 more: ikectl show connections\n"));
    for (const char *at = last.out; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 24);
}

/* --- monitor --- */

static void monitor_prints_events(void **state)
{
    static const char said[] = HELLO
        "{\"id\":1,\"event\":{\"time_ms\":1700000000123,\"severity\":\"info\",\"event\":"
        "\"ike-established\",\"connection\":\"db\",\"text\":\"with 192.0.2.2\"}}\n"
        "{\"id\":1,\"event\":{\"time_ms\":1700000001000,\"severity\":\"debug\",\"event\":\"x\"}}\n"
        "{\"id\":1,\"event\":{\"time_ms\":1700000001004,\"severity\":\"warning\",\"event\":"
        "\"auth-failed\",\"connection\":\"\",\"remote\":\"192.0.2.9\",\"text\":\"no secret\"}}\n";

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_int_equal(run(said, "monitor", NULL), EXIT_NO_DAEMON);
    assert_string_equal(last.asked, "{\"id\":1,\"verb\":\"monitor\"}\n");
    assert_string_equal(
        last.out,
        "2023-11-14 22:13:20.123  db            ike-established     with 192.0.2.2\n"
        "2023-11-14 22:13:21.004  192.0.2.9     auth-failed         warning: no secret\n");
    assert_string_equal(last.err, "ikectl: iked at /nowhere/control.sock has left\n");
    assert_int_equal(run(said, "monitor", "--json", NULL), EXIT_NO_DAEMON);
    assert_memory_equal(last.out, "{\"time_ms\":1700000000123,\"severity\":\"info\",", 43);
    assert_non_null(strstr(last.out, "}\n{\"time_ms\":1700000001000,\"severity\":\"debug\","));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(misuse_is_explained),
        TEST(help_and_version_go_to_out),
        TEST(no_daemon_is_said),
        TEST(nonsense_is_told_from_iked),
        TEST(other_protocol_is_named),
        TEST(an_iked_that_protects_nothing_is_told_each_time),
        TEST(full_server_is_quoted),
        TEST(up_prints_what_it_has_come_to),
        TEST(up_prints_the_outcome),
        TEST(rekey_may_name_a_part),
        TEST(failure_goes_to_err),
        TEST(reload_prints_the_changes),
        TEST(long_names_are_refused_here),
        TEST(connections_are_a_table),
        TEST(connections_are_json),
        TEST(sas_are_blocks),
        TEST(policies_are_a_table),
        TEST(policies_that_do_not_stand_are_named),
        TEST(wide_tables_are_stacked),
        TEST(counters_leave_out_zeroes),
        TEST(overview_is_one_screen),
        TEST(empty_overview_is_a_line),
        TEST(an_ike_sa_without_a_child_is_told),
        TEST(what_the_peer_has_narrowed_is_told),
        TEST(crowded_overview_counts_the_rest),
        TEST(monitor_prints_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
