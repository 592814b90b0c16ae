/*
 * The sandbox (process/sandbox.h): a child process enters it and then tries what an intruder would.
 * Needs root; skipped otherwise.
 */
#include "iked/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "test/unit/bytes.h"

#define NOBODY 65534

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static char run_dir[] = "/tmp/iked-sandbox.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(run_dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(run_dir); /* also proves that nothing was left in it */
}

/* How a child ends that enters and then does `deed`: its exit status, or 1000 + the signal. */
static int fate_of(int (*deed)(void))
{
    struct sandbox sandbox = {.run_dir = run_dir, .uid = NOBODY, .gid = NOBODY};
    struct reason reason = {0};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (sandbox_enter(&sandbox, &reason) == STATUS_OK)
            _exit(deed());
        (void)!write(STDERR_FILENO, reason.text, strlen(reason.text));
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void need_root(void)
{
#if defined(__SANITIZE_ADDRESS__)
    print_message("a sanitizer's own system calls are not in the list\n");
    skip();
#endif
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
}

/* --- What a negotiator does --- */

static int work(void)
{
    uint8_t octets[32];
    void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || munmap(memory, 1 << 20) != 0)
        return 1;
    if (getrandom(octets, sizeof(octets), 0) != sizeof(octets))
        return 2;
    void *heap = malloc(8 << 20);
    if (heap == NULL)
        return 3;
    free(heap);
    if (fcntl(STDIN_FILENO, F_GETFL) < 0)
        return 4;
    return getpid() > 0 ? 0 : 5;
}

static void work_goes_on(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(fate_of(work), 0);
}

/* --- What libraries do for it --- */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(uint32_t));
}

/* glibc's qsort before 2.37 asks how much memory there is when it needs over 1,024 octets. */
static int sort_much(void)
{
    static uint32_t numbers[100000];

    if (getrandom(numbers, 256, 0) != 256)
        return 1;
    for (size_t i = 64; i < 100000; i++)
        numbers[i] = numbers[i - 64] * 2654435761U + 1;
    qsort(numbers, 100000, sizeof(numbers[0]), compare);
    for (size_t i = 1; i < 100000; i++)
        if (compare(&numbers[i - 1], &numbers[i]) > 0)
            return 2;
    return 0;
}

static int encode_much(void)
{
    char key[32];

    json_object_seed(1); /* as control_new does: else a file would be asked for it */
    json_t *json = json_object();
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        if (json_object_set_new(json, key, json_real(i / 3.0)) != 0)
            return 1;
    }
    char *text = json_dumps(json, JSON_SORT_KEYS);
    json_decref(json);
    int result = text != NULL && strlen(text) > 100000 ? 0 : 2;
    free(text);
    return result;
}

static int grow_much(void)
{
    char *text = NULL;
    char *memory = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    for (size_t i = 1; i <= 64 << 20; i *= 4) {
        char *grown = realloc(memory, i);
        if (grown == NULL)
            return 1;
        memory = grown;
        memory[i - 1] = 1;
    }
    free(memory);
    if (file == NULL)
        return 2;
    for (int i = 0; i < 100000; i++)
        fprintf(file, "%d %.40f %s\n", i, 1e300 / (i + 1), strerror(i % 140));
    int closed = fclose(file);
    free(text);
    return closed;
}

/* A filter has no way to know a size: whatever a library does at one must do at all. */
static void libraries_work_at_any_size(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(fate_of(sort_much), 0);
    assert_int_equal(fate_of(encode_much), 0);
    assert_int_equal(fate_of(grow_much), 0);
}

static int asks_for_nothing(long result)
{
    return result == -1 && errno == ENOSYS ? 0 : 1;
}

#define QUESTION(name, ...)                                        \
    static int ask_##name(void)                                    \
    {                                                              \
        static char room[4096];                                    \
        (void)room;                                                \
        return asks_for_nothing(syscall(SYS_##name, __VA_ARGS__)); \
    }
QUESTION(sysinfo, room)
QUESTION(sched_getaffinity, 0, sizeof(room), room)
QUESTION(getcpu, room, room + 8, NULL)
QUESTION(uname, room)
QUESTION(prlimit64, 0, RLIMIT_STACK, NULL, room)
QUESTION(getrusage, RUSAGE_SELF, room)
QUESTION(times, room)
QUESTION(clock_getres, CLOCK_MONOTONIC, room)
QUESTION(newfstatat, STDIN_FILENO, "", room, AT_EMPTY_PATH)
QUESTION(statx, STDIN_FILENO, "", AT_EMPTY_PATH, 0, room)
QUESTION(lseek, STDIN_FILENO, 0, SEEK_CUR)
QUESTION(ioctl, STDIN_FILENO, TCGETS, room)
QUESTION(getsockname, STDIN_FILENO, room, room + 128)
QUESTION(getpeername, STDIN_FILENO, room, room + 128)
QUESTION(prctl, PR_SET_VMA, 0, room, sizeof(room), "a name")

static void questions_are_no_crimes(void **state)
{
    static int (*const deeds[])(void) = {
        ask_sysinfo,     ask_sched_getaffinity,
        ask_getcpu,      ask_uname,
        ask_prlimit64,   ask_getrusage,
        ask_times,       ask_clock_getres,
        ask_newfstatat,  ask_statx,
        ask_lseek,       ask_ioctl,
        ask_getsockname, ask_getpeername,
        ask_prctl,
    };
    (void)state;

    need_root();
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
        if (fate_of(deeds[i]) != 0)
            fail_msg("question %zu: %d", i, fate_of(deeds[i]));
}

/* What the vDSO mostly answers, and what can have no error: as on machines where it does not. */
static int know_oneself(void)
{
    if (syscall(SYS_getuid) != NOBODY || syscall(SYS_getegid) != NOBODY)
        return 1;
#ifdef SYS_time
    if (syscall(SYS_time, NULL) <= 0)
        return 2;
#endif
    return syscall(SYS_gettid) == getpid() ? 0 : 3;
}

static int give_up(void)
{
    abort();
}

static void what_libc_finds_wrong_is_told(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(fate_of(know_oneself), 0);
    assert_int_equal(fate_of(give_up), 1000 + SIGABRT);
}

/* --- What it does not --- */

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY);
}

static int open_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0);
}

static int open_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 6);
}

static int fork_off(void)
{
    return fork();
}

static int execute(void)
{
    return execl("/bin/sh", "sh", NULL);
}

static int trace(void)
{
    return (int)syscall(SYS_ptrace, 16, getppid(), NULL, NULL);
}

static int kill_parent(void)
{
    return kill(getppid(), 0);
}

static int abort_another(void)
{
    return (int)syscall(SYS_tgkill, 1, 1, SIGABRT);
}

static int name_oneself(void)
{
    return prctl(PR_SET_NAME, "iked");
}

static int push_input(void)
{
    return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int become_root(void)
{
    return setresuid(0, 0, 0);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == NULL;
}

static int make_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static int duplicate(void)
{
    return fcntl(STDIN_FILENO, F_DUPFD, 10);
}

static int set_option(void)
{
    int yes = 1;

    return setsockopt(STDIN_FILENO, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

static int mount_something(void)
{
    return (int)syscall(SYS_mount, "a", "b", "c", 0, NULL);
}

static void what_is_not_listed_kills(void **state)
{
    static int (*const deeds[])(void) = {
        open_file,       open_socket,   open_netlink, fork_off,   execute,   trace,
        kill_parent,     become_root,   map_code,     make_code,  duplicate, set_option,
        mount_something, abort_another, name_oneself, push_input,
    };
    (void)state;

    need_root();
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
        if (fate_of(deeds[i]) != 1000 + SIGSYS)
            fail_msg("deed %zu: %d", i, fate_of(deeds[i]));
}

/* --- What is left of it, seen from outside --- */

static bool line_of(pid_t pid, const char *field, char *value, size_t size)
{
    char path[64];
    char line[256];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) {
            snprintf(value, size, "%s",
                     line + strlen(field) + 1 + strspn(line + strlen(field) + 1, "\t "));
            value[strcspn(value, "\n")] = '\0';
            found = true;
        }
    if (file != NULL)
        fclose(file);
    return found;
}

static void nothing_is_left_of_root(void **state)
{
    static const char *const rows[][2] = {
        {"CapInh", "0000000000000000"},
        {"CapPrm", "0000000000000000"},
        {"CapEff", "0000000000000000"},
        {"CapAmb", "0000000000000000"},
        {"NoNewPrivs", "1"},
        {"Seccomp", "2"},
        {"Uid", "65534\t65534\t65534\t65534"},
        {"Gid", "65534\t65534\t65534\t65534"},
        {"Groups", ""},
    };
    int ready[2];
    int hold[2]; /* nobody writes to it */
    char value[128];
    char octet;
    (void)state;

    need_root();
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox sandbox = {.run_dir = run_dir, .uid = NOBODY, .gid = NOBODY};
        struct reason reason;
        gid_t group = 4;
        if (setgroups(1, &group) != 0 || sandbox_enter(&sandbox, &reason) != STATUS_OK)
            _exit(1);
        (void)!write(ready[1], "r", 1);
        (void)!read(hold[0], &octet, 1); /* until it is killed */
        _exit(0);
    }
    close(ready[1]); /* so that a child which fails is an end of file, not a wait */
    assert_int_equal(read(ready[0], &octet, 1), 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(line_of(pid, rows[i][0], value, sizeof(value)));
        while (value[0] != '\0' && value[strlen(value) - 1] == ' ')
            value[strlen(value) - 1] = '\0';
        assert_string_equal(value, rows[i][1]);
    }
    char path[64];
    struct stat inside;
    snprintf(path, sizeof(path), "/proc/%d/root/etc", (int)pid);
    assert_int_equal(stat(path, &inside), -1);
    snprintf(path, sizeof(path), "/proc/%d/root/.", (int)pid);
    assert_int_equal(stat(path, &inside), 0);
    assert_int_equal(inside.st_nlink, 0); /* a directory that is removed: nothing can come in */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    close(hold[0]);
    close(hold[1]);
}

static void closing_leaves_what_is_below(void **state)
{
    int status;
    (void)state;

    pid_t pid = fork();
    if (pid == 0) {
        int high = dup2(STDIN_FILENO, 700);
        sandbox_close_from(600);
        _exit(high == 700 && fcntl(700, F_GETFD) < 0 && fcntl(STDIN_FILENO, F_GETFD) >= 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void without_rights_it_says_so(void **state)
{
    struct sandbox sandbox = {.run_dir = "/nonexistent", .uid = NOBODY, .gid = NOBODY};
    struct reason reason = {0};
    (void)state;

    assert_int_equal(sandbox_enter(&sandbox, &reason), STATUS_FAIL);
    assert_non_null(strstr(reason.text, "sandbox: /nonexistent/empty."));
    assert_non_null(strstr(reason.text, "No such file or directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_goes_on),
        cmocka_unit_test(libraries_work_at_any_size),
        cmocka_unit_test(questions_are_no_crimes),
        cmocka_unit_test(what_libc_finds_wrong_is_told),
        cmocka_unit_test(what_is_not_listed_kills),
        cmocka_unit_test(nothing_is_left_of_root),
        cmocka_unit_test(closing_leaves_what_is_below),
        cmocka_unit_test(without_rights_it_says_so),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
