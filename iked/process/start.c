/*
 * Starting the other processes: see start.h.
 */
#include "iked/process/start.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "iked/process/channel.h"
#include "iked/process/log.h"

#define FALLBACK_USER "nobody"

bool process_find_user(struct options *options, struct reason *reason)
{
    const char *wanted = options->user != NULL ? options->user : IKED_USER;
    const struct passwd *user = getpwnam(wanted);

    if (user == NULL && options->user == NULL) {
        user = getpwnam(FALLBACK_USER);
        if (user != NULL)
            log_line(SEVERITY_WARNING,
                     "there is no user \"%s\": the negotiator runs as \"%s\"; systemd-sysusers or "
                     "useradd -r makes one",
                     wanted, FALLBACK_USER);
    }
    if (user == NULL)
        reason_set(reason, STATUS_FAIL, 0, "there is no user \"%s\"", wanted);
    else if (user->pw_uid == 0 || user->pw_gid == 0)
        reason_set(reason, STATUS_FAIL, 0, "user \"%s\" has root's rights; expected one without",
                   wanted);
    else {
        options->uid = user->pw_uid;
        options->gid = user->pw_gid;
        return true;
    }
    return false;
}

/* In the child. */
static _Noreturn void become(const struct options *options, enum process_kind kind, int fd)
{
    static const struct {
        const char *option;
        const char *name;
    } kinds[] = {
        [PROCESS_NEGOTIATOR] = {"--negotiator", "negotiator"},
        [PROCESS_RESOLVER] = {"--resolver", "resolver"},
    };
    char who[32];
    char *arguments[] = {(char[]){"iked"},  (char *)(uintptr_t)kinds[kind].option, who,
                         (char[]){"--run"}, (char *)(uintptr_t)options->run_dir,   NULL};
    char *environment[] = {NULL};
    int null = open("/dev/null", O_RDWR);

    snprintf(who, sizeof(who), "%u:%u", options->uid, options->gid);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        (fd == PROCESS_CHANNEL_FD ? fcntl(fd, F_SETFD, 0) : dup2(fd, PROCESS_CHANNEL_FD)) >= 0)
        execve("/proc/self/exe", arguments, environment);
    log_line(SEVERITY_ERROR, "cannot execute the %s: %s", kinds[kind].name, strerror(errno));
    _exit(EXIT_FAILURE);
}

pid_t process_start(const struct options *options, enum process_kind kind, int *fd,
                    struct reason *reason)
{
    int fds[2];

    if (!channel_pair(fds)) {
        reason_set(reason, STATUS_FAIL, 0, "cannot make a socket pair: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(options, kind, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        reason_set(reason, STATUS_FAIL, 0, "cannot fork: %s", strerror(errno));
        close(fds[0]);
        return -1;
    }
    *fd = fds[0];
    return pid;
}

char *process_end_text(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was killed by signal %d (%s)%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGSYS ? ": a system call that its sandbox does not have"
                                            : "");
    else
        snprintf(text, size, "left with status %d", WEXITSTATUS(status));
    return text;
}
