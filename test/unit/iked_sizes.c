/*
 * Two whole daemons with --kernel=none, each in a network namespace, and 1, 64 and 1,000
 * connections between them: every verb, and what else can happen to all of them at once.  Under
 * the real sandbox nothing is killed at any size, for a filter knows no sizes but libraries do
 * (iked/process/sandbox.c).  With LONG=yes in the environment 10,000 besides.
 *
 * The keeper executes /proc/self/exe as negotiator and resolver, so this program is both, too.
 * Needs root, ip(8) and, beside its own folder, ikectl.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iked/keeper/keeper.h"
#include "iked/negotiator/negotiator.h"
#include "iked/options.h"
#include "iked/process/sandbox.h"
#include "iked/resolver/resolver.h"
#include "test/unit/bytes.h"

#define WAIT_MS   120000 /* for what comes by itself, however busy the machine is */
#define AT_ONCE   48     /* requests that wait; below CONTROL_WAITING_MAX */
#define LINE_ROOM 65536

static char directory[64];
static char ikectl[512]; /* its path */

/* One of the two daemons: host 1 or 2 of 192.0.2.0/24. */
struct daemon {
    const char *name;
    unsigned number;
    pid_t keeper;
};

static struct daemon one = {.name = "a", .number = 1};
static struct daemon two = {.name = "b", .number = 2};

static const char *path_of(const struct daemon *daemon, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s/%s", directory, daemon->name, name);
    return path;
}

static void must(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* --- Files --- */

/* All of them come from one address, at once: more than is let in from one (daemon in iked.conf(5))
 * where nothing is said. */
#define ADMISSION                                           \
    "half_open_max = 20000; source_half_open_max = 20000; " \
    "cookie_threshold = 20000; source_cookie_threshold = 20000; "

/* The lifetime of all children is three hours, but of the first `other` two.  A daemon that is
 * `hasty` gives up its peers after three seconds. */
static void write_config(const struct daemon *daemon, size_t count, size_t other, bool hasty)
{
    unsigned n = daemon->number;
    unsigned m = 3 - n;
    FILE *file = fopen(path_of(daemon, "iked.conf"), "w");

    assert_non_null(file);
    fprintf(file, "daemon: { " ADMISSION "%s};\n",
            hasty ? "retransmit_ms = 200; retransmit_tries = 3; " : "");
    fputs("connections: {\n", file);
    for (unsigned i = 0; i < count; i++)
        fprintf(file,
                "c%u: { local = { address = \"192.0.2.%u\"; id = \"h%u-%u.x\"; };"
                " remote = { address = \"192.0.2.%u\"; id = \"h%u-%u.x\"; };"
                " children: { n: { mode = \"tunnel\"; start = \"never\"; lifetime = \"%uh\";"
                " local = \"10.%u.%u.%u/32\"; remote = \"10.%u.%u.%u/32\"; }; }; };\n",
                i, n, n, i, m, m, i, i < other ? 2U : 3U, n, i >> 8, i & 255, m, i >> 8, i & 255);
    fputs("};\n", file);
    assert_int_equal(fclose(file), 0);
}

static void write_secret(const struct daemon *daemon, const char *secret)
{
    FILE *file = fopen(path_of(daemon, "secrets.conf"), "w");

    assert_non_null(file);
    fprintf(file, "secrets: ( { psk = \"%s\"; } );\n", secret);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of(daemon, "secrets.conf"), 0600), 0);
}

/* How often `text` is in the daemon's log. */
static size_t count_in_log(const struct daemon *daemon, const char *text)
{
    char line[4096];
    size_t count = 0;
    FILE *file = fopen(path_of(daemon, "log"), "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        count += strstr(line, text) != NULL;
    if (file != NULL)
        fclose(file);
    return count;
}

static void wait_for_log(const struct daemon *daemon, const char *text, size_t count)
{
    for (int i = 0; count_in_log(daemon, text) < count; i++) {
        if (i == WAIT_MS / 20) {
            fprintf(stderr, "--- the end of %s\n", path_of(daemon, "log"));
            char command[512];
            snprintf(command, sizeof(command), "tail -n 30 '%s' >&2", path_of(daemon, "log"));
            (void)!system(command);
            fail_msg("\"%s\" is not %zu times in it", text, count);
        }
        usleep(20000);
    }
}

/* --- Starting and stopping --- */

static _Noreturn void be_keeper(const struct daemon *daemon, int ready, int go)
{
    static char file[256];
    static char run_dir[256];
    char command[256];
    struct options options = {
        .foreground = true,
        .kernel = OPTIONS_KERNEL_NONE,
        .file = file,
        .run_dir = run_dir,
        .user = "nobody",
    };

    snprintf(file, sizeof(file), "%s", path_of(daemon, "iked.conf"));
    snprintf(run_dir, sizeof(run_dir), "%s", path_of(daemon, "run"));
    int log = open(path_of(daemon, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0 || unshare(CLONE_NEWNET) != 0)
        _exit(99);
    /* The wire is brought by the parent, once we are somewhere to bring it to. */
    (void)!write(ready, "r", 1);
    (void)!read(go, command, 1);
    snprintf(command, sizeof(command),
             "ip addr add 192.0.2.%u/24 dev wire-%s && ip link set wire-%s up && ip link set lo up",
             daemon->number, daemon->name, daemon->name);
    if (system(command) != 0)
        _exit(98);
    sandbox_close_from(STDERR_FILENO + 1);
    _exit(keeper_run(&options, NULL));
}

static void start(struct daemon *daemon)
{
    int ready[2];
    int go[2];
    char octet;
    char command[256];

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    daemon->keeper = fork();
    assert_true(daemon->keeper >= 0);
    if (daemon->keeper == 0)
        be_keeper(daemon, ready[1], go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    snprintf(command, sizeof(command), "ip link set wire-%s netns %d", daemon->name,
             (int)daemon->keeper);
    must(command);
    assert_int_equal(write(go[1], "g", 1), 1);
    close(ready[0]);
    close(go[0]);
    close(go[1]);
}

static void end(struct daemon *daemon)
{
    int status;

    assert_int_equal(kill(daemon->keeper, SIGTERM), 0);
    assert_int_equal(waitpid(daemon->keeper, &status, 0), daemon->keeper);
    daemon->keeper = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The keeper's first child. */
static pid_t negotiator_of(const struct daemon *daemon)
{
    char path[64];
    long pid = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon->keeper,
             (int)daemon->keeper);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file != NULL)
        fclose(file);
    return (pid_t)pid;
}

static void nothing_was_killed(const struct daemon *daemon, size_t by_us)
{
    assert_int_equal(count_in_log(daemon, "was killed by signal"), by_us);
    assert_int_equal(count_in_log(daemon, "out of memory"), 0);
}

/* --- The control socket --- */

struct client {
    int fd;
    size_t held;
    char text[2 * LINE_ROOM];
};

static void client_open(struct client *client, const struct daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *client = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of(daemon, "run/control.sock"));
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

/* The next line, without its newline. */
static void client_line(struct client *client, char line[LINE_ROOM])
{
    char *newline;

    while ((newline = memchr(client->text, '\n', client->held)) == NULL) {
        struct pollfd ready = {.fd = client->fd, .events = POLLIN};
        assert_true(client->held < sizeof(client->text));
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        ssize_t got =
            read(client->fd, client->text + client->held, sizeof(client->text) - client->held);
        if (got <= 0)
            fail_msg("the daemon has left");
        client->held += (size_t)got;
    }
    size_t size = (size_t)(newline - client->text);
    assert_true(size < LINE_ROOM);
    memcpy(line, client->text, size);
    line[size] = '\0';
    client->held -= size + 1;
    memmove(client->text, newline + 1, client->held);
}

static void client_ask(struct client *client, const char *verb, size_t i)
{
    char line[256];
    int size = snprintf(line, sizeof(line), "{\"id\":%zu,\"verb\":\"%s\",\"name\":\"c%zu\"}\n", i,
                        verb, i);

    assert_int_equal(write(client->fd, line, (size_t)size), size);
}

/* One verb for each of `count` connections, many at once; all do well. */
static void for_each(const struct daemon *daemon, const char *verb, size_t count)
{
    static struct client client;
    static char line[LINE_ROOM];
    size_t asked = 0;
    size_t answered = 0;

    client_open(&client, daemon);
    while (answered < count) {
        while (asked < count && asked - answered < AT_ONCE)
            client_ask(&client, verb, asked++);
        client_line(&client, line);
        if (strstr(line, "\"done\":false") != NULL)
            fail_msg("%s: %s", verb, line);
        answered += strstr(line, "\"done\":true") != NULL;
    }
    close(client.fd);
}

static long counter(const struct daemon *daemon, const char *name)
{
    static struct client client;
    static char line[LINE_ROOM];
    static const char question[] = "{\"id\":1,\"verb\":\"show\",\"what\":\"counters\"}\n";
    const char *at = NULL;

    client_open(&client, daemon);
    assert_true(write(client.fd, question, sizeof(question) - 1) > 0);
    while (strstr(line, "\"done\"") == NULL) {
        client_line(&client, line);
        if ((at = strstr(line, name)) != NULL)
            break;
    }
    close(client.fd);
    assert_non_null(at);
    long value = strtol(at + strlen(name) + 2, NULL, 10);
    line[0] = '\0';
    return value;
}

static void wait_for_count(const struct daemon *daemon, const char *name, long value)
{
    for (int i = 0; counter(daemon, name) != value; i++) {
        if (i == WAIT_MS / 20)
            fail_msg("%s of %s stays at %ld", name, daemon->name, counter(daemon, name));
        usleep(20000);
    }
}

static void ctl(const struct daemon *daemon, const char *arguments)
{
    char command[1024];

    snprintf(command, sizeof(command), "'%s' -s '%s' %s >'%s' 2>&1", ikectl,
             path_of(daemon, "run/control.sock"), arguments, path_of(daemon, "said"));
    if (system(command) == 0)
        return;
    snprintf(command, sizeof(command), "tail -n 5 '%s' >&2", path_of(daemon, "said"));
    (void)!system(command);
    fail_msg("ikectl %s", arguments);
}

/* --- What happens --- */

static void everything_is_shown(const struct daemon *daemon)
{
    static const char *const what[] = {
        "show",          "show connections",        "show sas",        "show policies",
        "show counters", "--json show connections", "--json show sas", "show sas c0",
        "show config",   "--json show config",      "show config c0",
    };

    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++)
        ctl(daemon, what[i]);
}

static void reloads(size_t count)
{
    char command[512];

    snprintf(command, sizeof(command), "check '%s'", path_of(&one, "iked.conf"));
    ctl(&one, command);
    ctl(&one, "reload --dry-run");
    ctl(&one, "reload");
    wait_for_log(&one, "configuration: nothing changed", 1);
    assert_int_equal(kill(one.keeper, SIGHUP), 0);
    wait_for_log(&one, "configuration: nothing changed", 2);
    write_config(&one, count, 1, false);
    write_secret(&one, "another");
    write_secret(&two, "another");
    ctl(&two, "reload");
    ctl(&one, "reload --dry-run");
    ctl(&one, "reload");
    wait_for_log(&one, "configuration: changed  c0, closing 1 IKE SA", 1);
    wait_for_count(&one, "ike_sas_now", (long)count - 1);
    wait_for_count(&two, "ike_sas_now", (long)count - 1);
}

static void negotiators_fall(size_t count)
{
    size_t configured = count_in_log(&one, "configured");

    assert_int_equal(kill(negotiator_of(&one), SIGKILL), 0);
    wait_for_log(&one, "configured", configured + 1);
    wait_for_log(&one, "was killed by signal 9", 1);
    everything_is_shown(&one);
    ctl(&one, "reload --dry-run");
    for_each(&one, "up", count); /* the peer's old SAs give way */
    wait_for_count(&one, "ike_sas_now", (long)count);
}

static void at_size(size_t count)
{
    pid_t monitor;

    start(&one);
    start(&two);
    wait_for_log(&one, "configured", 1);
    wait_for_log(&two, "configured", 1);
    monitor = fork();
    if (monitor == 0) {
        (void)!freopen(path_of(&two, "monitor"), "w", stdout);
        execl(ikectl, ikectl, "-s", path_of(&two, "run/control.sock"), "monitor", NULL);
        _exit(99);
    }
    for_each(&one, "up", count);
    wait_for_count(&two, "ike_sas_now", (long)count);
    everything_is_shown(&one);
    for_each(&two, "rekey", count);
    reloads(count);
    for_each(&one, "up", count);
    for_each(&two, "down", count);
    wait_for_count(&one, "ike_sas_now", 0);
    for_each(&two, "up", count);
    negotiators_fall(count);
    everything_is_shown(&two);
    end(&two); /* deletes them all */
    wait_for_count(&one, "ike_sas_now", 0);
    everything_is_shown(&one);
    end(&one);
    assert_int_equal(waitpid(monitor, NULL, 0), monitor);
    nothing_was_killed(&one, 1);
    nothing_was_killed(&two, 0);
}

/* The peer is gone without a word, and a reload changes every connection: nobody answers to the
 * Deletes, and nobody waits for ever. */
static void peers_vanish(size_t count)
{
    start(&one);
    start(&two);
    wait_for_log(&one, "configured", 1);
    wait_for_log(&two, "configured", 1);
    for_each(&one, "up", count);
    assert_int_equal(kill(two.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(two.keeper, NULL, 0), two.keeper);
    two.keeper = 0;
    write_config(&one, count, count, true);
    ctl(&one, "reload --dry-run");
    ctl(&one, "reload");
    wait_for_count(&one, "ike_sas_now", 0);
    end(&one);
    nothing_was_killed(&one, 0);
}

/* --- Sizes --- */

static void need_root(void)
{
#if defined(__SANITIZE_ADDRESS__)
    print_message("a sanitizer's own system calls are not in the sandbox's list\n");
    skip();
#endif
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
                      system("ip link add x type veth peer name y") == 0
                  ? 0
                  : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        print_message("needs root, network namespaces and ip\n");
        skip();
    }
}

static void lay_out(size_t count)
{
    struct daemon *const both[] = {&one, &two};

    snprintf(directory, sizeof(directory), "/tmp/iked-sizes.XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0755), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mkdir(path_of(both[i], ""), 0755), 0);
        write_config(both[i], count, 0, false);
        write_secret(both[i], "open sesame");
    }
    must("ip link add wire-a type veth peer name wire-b");
}

static int tear_down(void **state)
{
    struct daemon *const both[] = {&one, &two};
    char command[128];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->keeper > 0) {
            kill(both[i]->keeper, SIGKILL);
            waitpid(both[i]->keeper, NULL, 0);
            both[i]->keeper = 0;
        }
    }
    if (directory[0] == '\0')
        return 0;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    directory[0] = '\0';
    return system(command);
}

static void all_of(size_t count)
{
    need_root();
    lay_out(count);
    at_size(count);
    tear_down(NULL);
    lay_out(count);
    peers_vanish(count);
}

static void one_connection(void **state)
{
    (void)state;
    all_of(1);
}

static void sixty_four(void **state)
{
    (void)state;
    all_of(64);
}

static void a_thousand(void **state)
{
    (void)state;
    all_of(1000);
}

static void ten_thousand(void **state)
{
    const char *wish = getenv("LONG");

    (void)state;
    if (wish == NULL || strcmp(wish, "yes") != 0) {
        print_message("with LONG=yes only\n");
        skip();
    }
    all_of(10000);
}

/* The programs are in IKED_BUILD, else two folders above this one. */
static void find_ikectl(void)
{
    const char *build = getenv("IKED_BUILD");
    char self[400] = "";

    if (build == NULL && readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
        for (int i = 0; i < 3; i++)
            if (strrchr(self, '/') != NULL)
                *strrchr(self, '/') = '\0';
        build = self;
    }
    snprintf(ikectl, sizeof(ikectl), "%s/ikectl", build != NULL ? build : ".");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_connection, tear_down),
        cmocka_unit_test_teardown(sixty_four, tear_down),
        cmocka_unit_test_teardown(a_thousand, tear_down),
        cmocka_unit_test_teardown(ten_thousand, tear_down),
    };
    struct options options;

    if (argc > 1 && options_parse(&options, argc, argv) == OPTIONS_GO && options.negotiator)
        return negotiator_run(&options);
    if (argc > 1 && options.resolver)
        return resolver_run(&options);
    find_ikectl();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
