/*
 * The cage (iked/sandbox.h): a child process enters it and then tries what an intruder would.
 * Needs root; skipped otherwise.
 */
#include "iked/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/unit/bytes.h"

#define NOBODY 65534

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
        open_file,   open_socket, open_netlink, fork_off,  execute,    trace,           kill_parent,
        become_root, map_code,    make_code,    duplicate, set_option, mount_something,
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
        cmocka_unit_test(what_is_not_listed_kills),
        cmocka_unit_test(nothing_is_left_of_root),
        cmocka_unit_test(closing_leaves_what_is_below),
        cmocka_unit_test(without_rights_it_says_so),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
