/*
 * Both processes of iked, for real, with --kernel=none in a network namespace of their own: start,
 * the negotiator's death, reloads good and bad, the end (iked/keeper/keeper.h, negotiator.h).
 *
 * The keeper executes /proc/self/exe as negotiator and resolver, so this program is both, too.
 * Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

#define ONE   "connections: { one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
#define TWO   "connections: { two: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"
#define THREE "connections: { three: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };\n"

static char directory[] = "/tmp/iked-daemon.XXXXXX";
static pid_t keeper;
static bool verbose;
static bool run_relative;
static uint32_t commit_ms;
static bool protects; /* in the kernel, and in this process's own network namespace */

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
    assert_int_equal(chmod(path_of(name), 0600), 0);
}

static void read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t got = file != NULL ? fread(text, 1, size - 1, file) : 0;

    text[got] = '\0';
    if (file != NULL)
        fclose(file);
}

/* Waits until the log has `text` at least `count` times. */
static void wait_for_log(const char *text, int count)
{
    static char log[65536];

    for (int i = 0; i < 1000; i++) {
        int seen = 0;
        read_file(path_of("log"), log, sizeof(log));
        for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
            seen++;
        if (seen >= count)
            return;
        usleep(10000);
    }
    fail_msg("\"%s\" is not %d times in the log:\n%s", text, count, log);
}

/* --- Starting and stopping --- */

static _Noreturn void be_keeper(void)
{
    static char file[128];
    static char run_dir[128];
    static char state_dir[128];
    struct options options = {
        .foreground = true,
        .verbose = verbose,
        .kernel = protects ? OPTIONS_KERNEL_XFRM : OPTIONS_KERNEL_NONE,
        .file = file,
        .run_dir = run_dir,
        .state_dir = state_dir,
        .user = "nobody",
        .commit_ms = commit_ms,
    };

    snprintf(file, sizeof(file), "%s/iked.conf", directory);
    snprintf(run_dir, sizeof(run_dir), "%s/run", directory);
    if (run_relative && chdir(directory) == 0)
        strcpy(run_dir, "run");
    snprintf(state_dir, sizeof(state_dir), "%s/state", directory);
    int log = open(path_of("log"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0 || (!protects && unshare(CLONE_NEWNET) != 0))
        _exit(99);
    sandbox_close_from(STDERR_FILENO + 1);
    _exit(keeper_run(&options, NULL));
}

static void start(void)
{
    keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0)
        be_keeper();
}

static int end_of_keeper(void)
{
    int status = 0;

    for (int i = 0; i < 1000; i++) {
        if (waitpid(keeper, &status, WNOHANG) == keeper) {
            keeper = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
        usleep(10000);
    }
    fail_msg("the keeper does not end");
    return -1;
}

/* The keeper's children in the order of their birth; 0: there is no such one now. */
static pid_t child(int which)
{
    char path[64];
    char text[64];
    char *at = text;
    pid_t pid = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)keeper, (int)keeper);
    read_file(path, text, sizeof(text));
    for (int i = 0; i <= which; i++)
        pid = (pid_t)strtol(at, &at, 10);
    return pid;
}

static pid_t negotiator(void)
{
    return child(0);
}

static void need_root(void)
{
#if defined(__SANITIZE_ADDRESS__)
    print_message("a sanitizer's own system calls are not in the sandbox's list\n");
    skip();
#endif
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(geteuid() == 0 && unshare(CLONE_NEWNET) == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        print_message("needs root and network namespaces\n");
        skip();
    }
}

static int set_up(void **state)
{
    (void)state;
    memcpy(directory, "/tmp/iked-daemon.XXXXXX", sizeof(directory));
    if (mkdtemp(directory) == NULL)
        return -1;
    put("iked.conf", ONE);
    put("secrets.conf", "secrets: ( { psk = \"open sesame\"; } );\n");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    protects = false;
    if (keeper > 0) {
        kill(keeper, SIGKILL);
        waitpid(keeper, NULL, 0);
        keeper = 0;
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

/* --- Tests --- */

/* What the client is greeted with. */
static void assert_greeting(const char *has)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[256] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(strlen(path_of("run/control.sock")) < sizeof(address.sun_path));
    strcpy(address.sun_path, path_of("run/control.sock"));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    close(fd);
    if (strstr(text, has) == NULL)
        fail_msg("%s", text);
}

/* What is answered to one request. */
static void assert_asked(const char *request, const char *has)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[1024] = "";
    size_t size = 0;
    ssize_t got;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, path_of("run/control.sock"));
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_true(send(fd, request, strlen(request), 0) > 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    while ((got = recv(fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
        size += (size_t)got;
    close(fd);
    if (strstr(text, has) == NULL)
        fail_msg("%s", text);
}

static void it_starts_and_stops(void **state)
{
    struct stat socket_status;
    char pid_text[32];
    (void)state;

    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(stat(path_of("run/control.sock"), &socket_status), 0);
    assert_int_equal(socket_status.st_mode & 07777, 0600);
    assert_greeting("\"kernel\":\"none\"");
    read_file(path_of("run/iked.pid"), pid_text, sizeof(pid_text));
    assert_int_equal(atoi(pid_text), keeper);
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
    assert_int_equal(rmdir(path_of("run")), 0); /* nothing is left in it */
}

static void assert_field(pid_t pid, const char *field, const char *expected)
{
    char path[64];
    char text[4096];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof(text));
    const char *at = strstr(text, field);
    assert_non_null(at);
    if (strncmp(at + strlen(field), expected, strlen(expected)) != 0)
        fail_msg("%.60s", at);
}

static void rights_are_put_down(void **state)
{
    static const char *const none[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    (void)state;

    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_field(negotiator(), none[i], ":\t0000000000000000");
    assert_field(negotiator(), "Seccomp", ":\t2");
    /* NET_ADMIN, NET_BIND_SERVICE; SETUID, SETGID, SYS_CHROOT, KILL for new negotiators. */
    assert_field(keeper, "CapEff", ":\t00000000000414e0");
    assert_field(keeper, "CapPrm", ":\t00000000000414e0");
    assert_field(keeper, "CapBnd", ":\t0000000000000000");
    assert_field(keeper, "NoNewPrivs", ":\t1");
}

static bool ignores(pid_t pid, int number)
{
    char path[64];
    char text[4096];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof(text));
    const char *at = strstr(text, "SigIgn:");
    assert_non_null(at);
    return (strtoull(at + strlen("SigIgn:"), NULL, 16) >> (number - 1) & 1) != 0;
}

/* By a process that has nothing but its user's rights, and is replaced when it dies. */
static void names_are_looked_up_elsewhere(void **state)
{
    char log[65536];
    (void)state;

    need_root();
    put("iked.conf",
        "connections: { n: { local = \"192.0.2.1\"; remote = \"name.invalid\"; }; };\n");
    start();
    wait_for_log("name.invalid cannot be resolved", 2);
    read_file(path_of("log"), log, sizeof(log));
    assert_null(strstr(log, "the resolver "));
    pid_t resolver = child(1);
    assert_true(resolver > 0);
    assert_field(resolver, "CapPrm", ":\t0000000000000000");
    assert_field(resolver, "CapInh", ":\t0000000000000000");
    assert_field(resolver, "NoNewPrivs", ":\t1");
    assert_field(resolver, "Groups", ":\t \n");
    /* What a module of nsswitch.conf(5) writes fails, and kills nobody. */
    assert_true(ignores(resolver, SIGXFSZ));
    assert_int_equal(kill(resolver, SIGKILL), 0);
    wait_for_log("the resolver ", 1);
    wait_for_log("name.invalid cannot be resolved", 3);
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
}

static void dead_negotiators_are_replaced(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    for (int i = 1; i <= 3; i++) { /* at once, after 100 ms, after 200 ms */
        pid_t before = negotiator();
        assert_true(before > 0);
        assert_int_equal(kill(before, SIGKILL), 0);
        wait_for_log("was killed by signal 9", i);
        wait_for_log("1 connection configured", i + 1);
        assert_int_not_equal(negotiator(), before);
    }
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
}

static void negotiators_die_with_their_keeper(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    pid_t orphan = negotiator();
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(end_of_keeper(), 1000 + SIGKILL);
    for (int i = 0; i < 500 && kill(orphan, 0) == 0; i++)
        usleep(10000);
    assert_int_equal(kill(orphan, 0), -1);
    /* What it left does not hinder the next. */
    start();
    wait_for_log("1 connection configured", 1);
}

static void reloads_take_all_or_nothing(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    put("iked.conf", ONE "nonsense\n");
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("not reloaded, the configuration stays as it was", 1);
    wait_for_log("iked.conf:3: ", 1);
    put("iked.conf", TWO);
    assert_int_equal(chmod(path_of("secrets.conf"), 0644), 0);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("secrets.conf: others can read or write it", 1);
    assert_int_equal(chmod(path_of("secrets.conf"), 0600), 0);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("1 connection configured", 2);
    wait_for_log("two", 1);
    put("secrets.conf", "secrets: ( { psk = \"another\"; } );\n");
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("configuration: changed  the secrets", 1);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("configuration: nothing changed", 1);
}

/* What was emptied is a fault; what is to open the host must be asked for as such. */
static void reloads_do_not_open_the_host(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    put("iked.conf", "");
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("not reloaded, the configuration stays as it was: ", 1);
    wait_for_log("iked.conf: no connections; expected", 1);
    put("iked.conf", "connections: { };\n");
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("1 of 1 connection would go: one; if that is meant, say \"ikectl reload --force\"",
                 1);
    assert_asked("{\"id\":1,\"verb\":\"reload\"}\n",
                 "\"error\":\"1 of 1 connection would go: one; if that is meant");
    assert_asked("{\"id\":1,\"verb\":\"reload\",\"dry_run\":true}\n",
                 "removed  one\\n0 connections unchanged\\n1 of 1 connection would go: one: this "
                 "needs reload --force\"");
    assert_asked("{\"id\":1,\"verb\":\"reload\",\"dry_run\":true,\"force\":true}\n",
                 "removed  one\\n0 connections unchanged\"");
    assert_asked("{\"id\":1,\"verb\":\"reload\",\"force\":true}\n", "\"done\":true");
    wait_for_log("0 connections configured", 1);
    wait_for_log("there are no connections: nothing is protected", 1);
}

static void emptied_files_do_not_start(void **state)
{
    (void)state;
    need_root();
    put("iked.conf", "");
    start();
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log("iked.conf: no connections; expected", 1);
    put("iked.conf", "connections: { };\n");
    start();
    wait_for_log("there are no connections: nothing is protected", 1);
    wait_for_log("0 connections configured", 1);
}

/* It is not to hold on to what the operator has taken back. */
static void negotiators_that_do_not_commit_are_replaced(void **state)
{
    (void)state;
    need_root();
    commit_ms = 3000;
    start();
    commit_ms = 0;
    wait_for_log("1 connection configured", 1);
    pid_t idle = negotiator();
    assert_int_equal(kill(idle, SIGSTOP), 0);
    put("iked.conf", TWO);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("the negotiator does not take the configuration: it is replaced", 1);
    wait_for_log("1 connection configured", 2);
    assert_int_not_equal(negotiator(), idle);
    assert_asked("{\"id\":1,\"verb\":\"show\",\"what\":\"policies\"}\n", "\"connection\":\"two\"");
}

/* What negotiators die of is not there for ever: who reads the files anew is heard at any time. */
static void reloads_end_a_row_of_deaths(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(kill(negotiator(), SIGSTOP), 0);
    put("iked.conf", TWO);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("reading the configuration anew", 1);
    put("leave", "");
    assert_int_equal(kill(negotiator(), SIGKILL), 0);
    wait_for_log("left with status 1", 2);
    wait_for_log("the newest configuration is not in use: no negotiator has taken it", 2);
    put("iked.conf", THREE);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("the next one is given this configuration", 1);
    assert_int_equal(unlink(path_of("leave")), 0);
    wait_for_log("1 connection configured", 2);
    assert_asked("{\"id\":1,\"verb\":\"show\",\"what\":\"policies\"}\n",
                 "\"connection\":\"three\"");
}

/* Nor is it forgotten that the operator has asked for it. */
static void reloads_wait_for_the_one_under_way(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(kill(negotiator(), SIGSTOP), 0);
    put("iked.conf", TWO);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("reading the configuration anew", 1);
    put("iked.conf", THREE);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("the last configuration is not in use yet", 1);
    assert_int_equal(kill(negotiator(), SIGCONT), 0);
    wait_for_log("1 connection configured", 3);
    assert_asked("{\"id\":1,\"verb\":\"show\",\"what\":\"policies\"}\n",
                 "\"connection\":\"three\"");
}

/* The same texts again are a reload, too: what comes before the negotiator has answered waits. */
static void reloads_of_the_same_wait_as_well(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    pid_t first = negotiator();
    assert_int_equal(kill(first, SIGSTOP), 0);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("reading the configuration anew", 1);
    put("iked.conf", TWO);
    assert_int_equal(kill(keeper, SIGHUP), 0);
    wait_for_log("the last configuration is not in use yet", 1);
    assert_int_equal(kill(first, SIGCONT), 0);
    wait_for_log("reading the configuration anew", 2);
    assert_asked("{\"id\":1,\"verb\":\"show\",\"what\":\"policies\"}\n", "\"connection\":\"two\"");
    assert_int_equal(negotiator(), first);
}

/* Short of descriptors for a while, as a host may be. */
static void negotiators_that_cannot_be_started_are_tried_again(void **state)
{
    struct rlimit few;
    struct rlimit enough;
    (void)state;

    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(prlimit(keeper, RLIMIT_NOFILE, NULL, &enough), 0);
    few = (struct rlimit){3, enough.rlim_max};
    assert_int_equal(prlimit(keeper, RLIMIT_NOFILE, &few, NULL), 0);
    assert_int_equal(kill(negotiator(), SIGKILL), 0);
    wait_for_log("cannot make a socket pair", 2);
    assert_int_equal(prlimit(keeper, RLIMIT_NOFILE, &enough, NULL), 0);
    wait_for_log("1 connection configured", 2);
}

static void verbose_ones_tell_each_message(void **state)
{
    static const char line[] = "iked: debug: one: IKE_SA_INIT request 0 to 192.0.2.2 port 500, ";
    char log[65536];
    (void)state;

    need_root();
    put("iked.conf",
        "connections: { one: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: "
        "{ c: { start = \"immediate\"; }; }; }; };\n");
    start();
    wait_for_log("cannot send from 192.0.2.1", 1);
    read_file(path_of("log"), log, sizeof(log));
    assert_null(strstr(log, "debug"));
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
    verbose = true;
    start();
    wait_for_log(line, 1);
    verbose = false;
}

static void one_directory_has_one_iked(void **state)
{
    (void)state;
    need_root();
    start();
    wait_for_log("1 connection configured", 1);
    pid_t first = keeper;
    start();
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log("already running in ", 1);
    keeper = first;
    assert_int_equal(kill(keeper, 0), 0);
}

static void bad_starts_say_why(void **state)
{
    (void)state;
    need_root();
    put("iked.conf", "connections: { db: { lokal = \"192.0.2.1\"; }; };\n");
    start();
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log("iked.conf:1: ", 1);
    put("iked.conf", ONE);
    assert_int_equal(chmod(path_of("run"), 0777), 0);
    start();
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log("others can write here", 1);
}

/* A line that the negotiator says at its end, when nothing else does. */
static void what_a_negotiator_dies_of_is_told(void **state)
{
    (void)state;
    need_root();
    put("iked.conf", ONE);
    run_relative = true; /* which a negotiator's directory does not know */
    for (int i = 0; i < 10; i++) {
        start();
        assert_int_equal(end_of_keeper(), 1);
        wait_for_log("sandbox: ", 1);
        wait_for_log("the negotiator left with status 1", 1);
    }
    run_relative = false;
}

/* --- Starts that fail --- */

/* Policies in the kernel for packets that go out to the network. */
static bool is_blocked(const char *network)
{
    static char text[65536];
    char wanted[64];
    FILE *file = popen("ip xfrm policy list dir out", "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(pclose(file), 0);
    snprintf(wanted, sizeof(wanted), " dst %s ", network);
    return strstr(text, wanted) != NULL;
}

/* With a kernel that is nobody else's, and without an iked. */
static void begin_protecting(void)
{
    need_root();
    if (unshare(CLONE_NEWNET) != 0 || system("ip xfrm policy >/dev/null 2>&1") != 0) {
        print_message("needs network namespaces and XFRM\n");
        skip();
    }
    protects = true;
}

#define NETWORK(name, network)                                                                     \
    name                                                                                           \
        ": { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; "                                      \
        "children: { net: { mode = \"tunnel\"; local = [ \"10.1.0.0/16\" ]; remote = [ \"" network \
        "\" ]; }; }; };"
#define FAULT "connections: { bad: { lokal = \"192.0.2.1\"; }; };\n"

static void start_in_vain(const char *said)
{
    start();
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log(said, 1);
}

static void a_first_start_with_a_fault_blocks_what_can_be_read(void **state)
{
    (void)state;
    begin_protecting();
    put("iked.conf", "connections: {" NETWORK("net", "10.2.0.0/16") "bad: { lokal = 1; }; };\n");
    start_in_vain(
        "iked does not run, and what the readable part of the configuration requires does not "
        "pass: policies for 1 pair of selectors stand");
    assert_true(is_blocked("10.2.0.0/16"));
}

static void a_start_with_a_fault_blocks_what_was_good(void **state)
{
    (void)state;
    begin_protecting();
    put("iked.conf", "daemon: { on_exit = \"clear\"; }; connections: {" NETWORK(
                         "net", "10.2.0.0/16") NETWORK("any", "10.3.0.0/16") " };\n");
    start();
    wait_for_log("2 connections configured", 1);
    assert_true(is_blocked("10.2.0.0/16") && is_blocked("10.3.0.0/16"));
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
    assert_false(is_blocked("10.2.0.0/16") || is_blocked("10.3.0.0/16"));
    put("iked.conf", FAULT);
    start_in_vain("what the last good configuration requires does not pass: policies for 2 pairs");
    assert_true(is_blocked("10.2.0.0/16") && is_blocked("10.3.0.0/16"));
    /* Empty is no better. */
    put("iked.conf", "");
    start_in_vain("what the last good configuration requires does not pass: policies for 2 pairs");
    assert_true(is_blocked("10.2.0.0/16") && is_blocked("10.3.0.0/16"));
}

static void a_start_without_a_port_or_a_secret_blocks_what_is_configured(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(500)};
    int taken = -1;
    (void)state;

    begin_protecting();
    taken = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    put("iked.conf", "connections: {" NETWORK("net", "10.2.0.0/16") "};\n");
    start_in_vain("what the configuration requires does not pass: policies for 1 pair");
    assert_true(is_blocked("10.2.0.0/16"));
    close(taken);
    put("iked.conf", "connections: {" NETWORK("net", "10.3.0.0/16") "};\n");
    assert_int_equal(chmod(path_of("secrets.conf"), 0644), 0);
    start_in_vain("what the configuration requires does not pass: policies for 1 pair");
    assert_true(is_blocked("10.2.0.0/16") && is_blocked("10.3.0.0/16"));
}

static void a_failure_opens_only_where_that_is_wished(void **state)
{
    (void)state;
    begin_protecting();
    put("iked.conf",
        "daemon: { on_exit = \"clear\"; on_failure = \"open\"; }; connections: {" NETWORK(
            "net", "10.2.0.0/16") "};\n");
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(end_of_keeper(), 0);
    put("iked.conf", FAULT);
    start_in_vain("iked does not run, and what no earlier policy covers passes in the clear "
                  "(daemon.on_failure = \"open\" in the last good configuration)");
    assert_false(is_blocked("10.2.0.0/16"));
}

/* Before its first word the policies are there. */
static void policies_stand_without_a_negotiator(void **state)
{
    (void)state;
    begin_protecting();
    put("iked.conf", "connections: {" NETWORK("net", "10.2.0.0/16") "};\n");
    start();
    wait_for_log("1 connection configured", 1);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(end_of_keeper(), 1000 + SIGKILL);
    assert_int_equal(system("ip xfrm policy flush"), 0);
    assert_false(is_blocked("10.2.0.0/16"));
    put("leave", "");
    start();
    for (int i = 0; i < 1000 && !is_blocked("10.2.0.0/16"); i++)
        usleep(10000);
    assert_true(is_blocked("10.2.0.0/16"));
    assert_int_equal(end_of_keeper(), 1);
    wait_for_log("what the configuration requires does not pass: policies for 1 pair", 1);
    assert_true(is_blocked("10.2.0.0/16"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* A negotiator that never says a word. */
static bool is_to_leave(const struct options *options)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/../leave", options->run_dir);
    return access(path, F_OK) == 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(it_starts_and_stops),
        TEST(rights_are_put_down),
        TEST(names_are_looked_up_elsewhere),
        TEST(dead_negotiators_are_replaced),
        TEST(negotiators_die_with_their_keeper),
        TEST(reloads_take_all_or_nothing),
        TEST(reloads_do_not_open_the_host),
        TEST(emptied_files_do_not_start),
        TEST(negotiators_that_do_not_commit_are_replaced),
        TEST(reloads_end_a_row_of_deaths),
        TEST(reloads_wait_for_the_one_under_way),
        TEST(reloads_of_the_same_wait_as_well),
        TEST(negotiators_that_cannot_be_started_are_tried_again),
        TEST(verbose_ones_tell_each_message),
        TEST(one_directory_has_one_iked),
        TEST(bad_starts_say_why),
        TEST(what_a_negotiator_dies_of_is_told),
        TEST(a_first_start_with_a_fault_blocks_what_can_be_read),
        TEST(a_start_with_a_fault_blocks_what_was_good),
        TEST(a_start_without_a_port_or_a_secret_blocks_what_is_configured),
        TEST(a_failure_opens_only_where_that_is_wished),
        TEST(policies_stand_without_a_negotiator),
    };
    struct options options;

    if (argc > 1 && options_parse(&options, argc, argv) == OPTIONS_GO && options.negotiator)
        return is_to_leave(&options) ? 1 : negotiator_run(&options);
    if (argc > 1 && options.resolver)
        return resolver_run(&options);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
