/*
 * The negotiator's sandbox: see sandbox.h, seccomp(2), capabilities(7).
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "iked/process/privilege.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define FDS_MAX 256 /* far above sockets and control clients */

#ifndef PR_SET_VMA /* of headers before Linux 5.17 */
#define PR_SET_VMA 0x53564d41
#endif

/* Where a call is a door to more, its arguments are bound: `argument` masked with `mask` must be
 * `value`. */
struct call_rule {
    int call;
    const char *reason;
    bool bound;
    unsigned argument;
    uint64_t mask;
    uint64_t value;
};

/* Every system call of the negotiator; anything else but the questions below kills it. */
static const struct call_rule calls[] = {
    {SCMP_SYS(recvmmsg), "packets", false, 0, 0, 0},
    {SCMP_SYS(recvmsg), "the keeper's messages", false, 0, 0, 0},
    {SCMP_SYS(sendmsg), "packets with their source address", false, 0, 0, 0},
    {SCMP_SYS(recvfrom), "libevent's and libc's recv", false, 0, 0, 0},
    {SCMP_SYS(sendto), "the keeper's messages", false, 0, 0, 0},
    {SCMP_SYS(accept4), "control clients", false, 0, 0, 0},
    {SCMP_SYS(read), "control clients, libevent's wakeups", false, 0, 0, 0},
    {SCMP_SYS(readv), "control clients", false, 0, 0, 0},
    {SCMP_SYS(write), "control clients, libevent's wakeups", false, 0, 0, 0},
    {SCMP_SYS(writev), "control clients", false, 0, 0, 0},
    {SCMP_SYS(shutdown), "control clients that leave", false, 0, 0, 0},
    {SCMP_SYS(close), "control clients that left", false, 0, 0, 0},
    {SCMP_SYS(ioctl), "how much a control client sent (bufferevent)", true, 1, UINT32_MAX,
     FIONREAD},
    {SCMP_SYS(fcntl), "non-blocking control clients", true, 1, UINT32_MAX, F_SETFL},
    {SCMP_SYS(fcntl), "non-blocking control clients", true, 1, UINT32_MAX, F_GETFL},
    {SCMP_SYS(fcntl), "control clients are not inherited", true, 1, UINT32_MAX, F_SETFD},
    {SCMP_SYS(fcntl), "control clients are not inherited", true, 1, UINT32_MAX, F_GETFD},
    {SCMP_SYS(getsockopt), "errors and credentials of control clients", false, 0, 0, 0},
    {SCMP_SYS(epoll_wait), "libevent", false, 0, 0, 0},
    {SCMP_SYS(epoll_pwait), "libevent, on machines without epoll_wait", false, 0, 0, 0},
    {SCMP_SYS(epoll_pwait2), "libevent 2.2", false, 0, 0, 0},
    {SCMP_SYS(epoll_ctl), "libevent", false, 0, 0, 0},
    {SCMP_SYS(poll), "last words to the keeper", false, 0, 0, 0},
    {SCMP_SYS(ppoll), "last words to the keeper, on machines without poll", false, 0, 0, 0},
    {SCMP_SYS(clock_gettime), "time, where the vDSO does not do", false, 0, 0, 0},
    {SCMP_SYS(gettimeofday), "libevent's time, where the vDSO does not do", false, 0, 0, 0},
    {SCMP_SYS(time), "OpenSSL's time, where the vDSO does not do", false, 0, 0, 0},
    {SCMP_SYS(getrandom), "nonces, SPIs, private keys", false, 0, 0, 0},
    {SCMP_SYS(getpid), "OpenSSL looks whether it was forked", false, 0, 0, 0},
    {SCMP_SYS(gettid), "libc's abort, which must be told from a call that is not here", false, 0, 0,
     0},
    {SCMP_SYS(getuid), "libevent, before it trusts the environment", false, 0, 0, 0},
    {SCMP_SYS(geteuid), "the same; it cannot be answered with an error", false, 0, 0, 0},
    {SCMP_SYS(getgid), "the same", false, 0, 0, 0},
    {SCMP_SYS(getegid), "the same", false, 0, 0, 0},
    {SCMP_SYS(brk), "memory", false, 0, 0, 0},
    {SCMP_SYS(mmap), "memory, never executable", true, 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), "memory, never executable", true, 2, PROT_EXEC, 0},
    {SCMP_SYS(mremap), "memory", false, 0, 0, 0},
    {SCMP_SYS(munmap), "memory", false, 0, 0, 0},
    {SCMP_SYS(madvise), "memory", false, 0, 0, 0},
    {SCMP_SYS(futex), "OpenSSL's locks, though nobody contends", false, 0, 0, 0},
    {SCMP_SYS(sched_yield), "jansson's lock around its seed", false, 0, 0, 0},
    {SCMP_SYS(rt_sigprocmask), "libc around signals", false, 0, 0, 0},
    {SCMP_SYS(rt_sigreturn), "return from signals", false, 0, 0, 0},
    {SCMP_SYS(restart_syscall), "a stopped process goes on", false, 0, 0, 0},
    {SCMP_SYS(exit), "the end", false, 0, 0, 0},
    {SCMP_SYS(exit_group), "the end", false, 0, 0, 0},
};

/* What libraries may ask of the system, some of it only at some size, in some version or on some
 * machine, and can do without: it is answered as by a kernel that has no such call. */
static const struct call_rule questions[] = {
    {SCMP_SYS(sysinfo), "libc: memory there is, for qsort of over 1,024 octets", false, 0, 0, 0},
    {SCMP_SYS(sched_getaffinity), "libc: processors, for its arenas of memory", false, 0, 0, 0},
    {SCMP_SYS(getcpu), "libc: sched_getcpu, where the vDSO does not do", false, 0, 0, 0},
    {SCMP_SYS(uname), "libc's gethostname; OpenSSL: what the kernel can", false, 0, 0, 0},
    {SCMP_SYS(prlimit64), "libc: sysconf, and the size of stacks", false, 0, 0, 0},
    {SCMP_SYS(getrlimit), "the same, on some machines", false, 0, 0, 0},
    {SCMP_SYS(getrusage), "libc: time used", false, 0, 0, 0},
    {SCMP_SYS(times), "libc: time used", false, 0, 0, 0},
    {SCMP_SYS(clock_getres), "how fine clocks are, where the vDSO does not do", false, 0, 0, 0},
    {SCMP_SYS(fstat), "stdio, libevent: of what kind a descriptor is", false, 0, 0, 0},
    {SCMP_SYS(newfstatat), "the same; there is nothing in the root to be found", false, 0, 0, 0},
    {SCMP_SYS(statx), "the same, on some machines", false, 0, 0, 0},
    {SCMP_SYS(lseek), "stdio, libevent: where in a file", false, 0, 0, 0},
    {SCMP_SYS(ioctl), "stdio: whether it is a terminal", true, 1, UINT32_MAX, TCGETS},
    {SCMP_SYS(getsockname), "OpenSSL, libevent: of what kind a socket is", false, 0, 0, 0},
    {SCMP_SYS(getpeername), "the same", false, 0, 0, 0},
    {SCMP_SYS(prctl), "libc names its memory, if tuned so", true, 0, UINT32_MAX, PR_SET_VMA},
};

static enum status sandbox_fail(struct reason *reason, const char *what)
{
    return reason_set(reason, STATUS_FAIL, 0, "sandbox: %s: %s", what, strerror(errno));
}

void sandbox_close_from(unsigned first)
{
    /* Kernels before 5.9 do not know it: then one by one. */
    if (syscall(SYS_close_range, first, ~0u, 0) != 0)
        for (int fd = (int)first; fd < 65536; fd++)
            (void)close(fd);
}

/* The directory is removed while we stand in it: nothing can ever be made in it, by anybody. */
static enum status enter_empty_root(const struct sandbox *sandbox, struct reason *reason)
{
    char path[512];

    if (snprintf(path, sizeof(path), "%s/empty.XXXXXX", sandbox->run_dir) >= (int)sizeof(path))
        return reason_set(reason, STATUS_FAIL, 0, "sandbox: the run directory's path is too long");
    if (mkdtemp(path) == NULL)
        return sandbox_fail(reason, path);
    int entered = chdir(path);
    if (rmdir(path) != 0 || entered != 0 || chroot(".") != 0)
        return sandbox_fail(reason, path);
    return STATUS_OK;
}

enum status sandbox_become_user(const struct sandbox *sandbox, struct reason *reason)
{
    if (setgroups(0, NULL) != 0 || setresgid(sandbox->gid, sandbox->gid, sandbox->gid) != 0 ||
        setresuid(sandbox->uid, sandbox->uid, sandbox->uid) != 0)
        return sandbox_fail(reason, "the user cannot be changed");
    if (!capabilities_set(0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return sandbox_fail(reason, "capabilities cannot be dropped");
    return STATUS_OK;
}

/* Seccomp already forbids most of what these limit: two walls. */
static enum status set_limits(struct reason *reason)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t limit;
    } limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_NOFILE, FDS_MAX}};

    for (size_t i = 0; i < LENGTH(limits); i++) {
        struct rlimit limit = {limits[i].limit, limits[i].limit};
        if (setrlimit(limits[i].resource, &limit) != 0)
            return sandbox_fail(reason, "limits cannot be set");
    }
    return STATUS_OK;
}

/* -EDOM says that this machine has no such call. */
static int add_rule(scmp_filter_ctx filter, uint32_t action, const struct call_rule *rule)
{
    int result;

    if (rule->bound)
        result = seccomp_rule_add(
            filter, action, rule->call, 1,
            SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value));
    else
        result = seccomp_rule_add(filter, action, rule->call, 0);
    return result == -EDOM ? 0 : result;
}

/* So that what libc found wrong (a smashed stack or heap) is not told as a forbidden call. */
static int allow_abort(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
                            SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0),
                            SCMP_A2_64(SCMP_CMP_EQ, SIGABRT, 0));
}

static enum status filter_calls(struct reason *reason)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result = filter == NULL ? -ENOMEM : 0;

    for (size_t i = 0; result == 0 && i < LENGTH(calls); i++)
        result = add_rule(filter, SCMP_ACT_ALLOW, &calls[i]);
    for (size_t i = 0; result == 0 && i < LENGTH(questions); i++)
        result = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), &questions[i]);
    if (result == 0)
        result = allow_abort(filter);
    if (result == 0)
        result = seccomp_load(filter);
    if (filter != NULL)
        seccomp_release(filter);
    if (result == 0)
        return STATUS_OK;
    errno = -result;
    return sandbox_fail(reason, "system calls cannot be filtered");
}

enum status sandbox_enter(const struct sandbox *sandbox, struct reason *reason)
{
    enum status status = enter_empty_root(sandbox, reason);

    if (status == STATUS_OK)
        status = sandbox_become_user(sandbox, reason);
    if (status == STATUS_OK)
        status = set_limits(reason);
    if (status != STATUS_OK)
        return status;
    /* After the change of user, which clears both. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return sandbox_fail(reason, "it can be traced");
    return filter_calls(reason);
}
