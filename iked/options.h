/*
 * What iked was told on the command line.
 *
 * Not here: the configuration file.
 */
#ifndef IKED_OPTIONS_H
#define IKED_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "iked/ipc.h"

#define EXIT_MISUSE 2

enum options_kernel { OPTIONS_KERNEL_XFRM, OPTIONS_KERNEL_NONE };

struct options {
    bool foreground;
    bool check_only;
    bool verbose;
    const char *file;
    const char *run_dir;
    const char *state_dir; /* NULL: nothing is kept */
    const char *user;
    enum options_kernel kernel;
    uint32_t commit_ms; /* for a negotiator to take a configuration; 0: the default */
    /* For the processes that the keeper starts. */
    bool negotiator;
    bool resolver;
    uid_t uid;
    gid_t gid;
};

enum options_result { OPTIONS_GO, OPTIONS_DONE, OPTIONS_MISUSE };

/* Fills `options` with what was given and defaults for the rest.  DONE: --help or --version has
 * been printed.  MISUSE: one line has gone to stderr. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
