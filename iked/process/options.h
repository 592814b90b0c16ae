/*
 * What a process of iked was told on the command line.
 *
 * Not here: reading it (iked/options.h), the configuration file.
 */
#ifndef IKED_PROCESS_OPTIONS_H
#define IKED_PROCESS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

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

#endif
