/*
 * iked: the command line, the check of a configuration, and becoming a daemon.
 *
 * Not here: what the two processes do (keeper/keeper.h, negotiator.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iked/keeper/files.h"
#include "iked/keeper/keeper.h"
#include "iked/negotiator/negotiator.h"
#include "iked/options.h"
#include "iked/process/log.h"
#include "iked/process/sandbox.h"
#include "iked/resolver/resolver.h"

/* Where the daemon tells who started it that it runs; -1: nobody waits. */
static int waiting_fd = -1;

static void on_check_line(void *context, enum severity severity, const char *text)
{
    (void)context;
    fprintf(stderr, "%s%s\n", severity == SEVERITY_WARNING ? "warning: " : "", text);
}

/* In the words of `ikectl check`. */
static int check(const struct options *options)
{
    char text[FILES_ERROR_MAX];
    struct loaded loaded;

    log_divert(on_check_line, NULL);
    if (!files_load(options->file, &loaded, text)) {
        fprintf(stderr, "%s\n", text);
        return EXIT_FAILURE;
    }
    files_warn(options->file, &loaded);
    puts(config_verdict(loaded.config, options->file, text));
    loaded_free(&loaded);
    return EXIT_SUCCESS;
}

/* The daemon runs: whoever started it may go, and stderr with it. */
static void daemon_ready(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (waiting_fd < 0)
        return;
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
    log_open(LOG_TO_SYSLOG);
    if (write(waiting_fd, "", 1) != 1)
        log_line(SEVERITY_WARNING, "nobody waited for the start");
    close(waiting_fd);
    waiting_fd = -1;
}

/* What we were started with beyond the standard three is not ours; and those three must be there,
 * or a socket would become stderr. */
static void tidy_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(EXIT_FAILURE);
    sandbox_close_from(STDERR_FILENO + 1);
}

/* The parent, in which this does not return, waits until the daemon runs or has failed. */
static bool become_daemon(void)
{
    int fds[2];
    char ready;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid > 0) {
        close(fds[1]);
        _exit(read(fds[0], &ready, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(fds[0]);
    waiting_fd = fds[1];
    return setsid() >= 0 && chdir("/") == 0;
}

int main(int argc, char **argv)
{
    struct options options;

    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_DONE: return EXIT_SUCCESS;
    case OPTIONS_MISUSE: return EXIT_MISUSE;
    case OPTIONS_GO: break;
    }
    if (options.negotiator)
        return negotiator_run(&options);
    if (options.resolver)
        return resolver_run(&options);
    if (options.check_only)
        return check(&options);
    tidy_descriptors();
    if (!options_make_absolute(&options)) {
        log_line(SEVERITY_ERROR, "the working directory is unknown: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (options.foreground) {
        log_open(LOG_TO_STDERR_TIMED);
    } else if (!become_daemon()) {
        log_line(SEVERITY_ERROR, "cannot become a daemon: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    return keeper_run(&options, daemon_ready);
}
