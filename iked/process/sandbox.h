/*
 * The negotiator's sandbox: an empty root, its own user, no capability, few system calls.
 *
 * Not here: what is opened before it closes (iked/negotiator/negotiator.c).
 */
#ifndef IKED_PROCESS_SANDBOX_H
#define IKED_PROCESS_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/status.h"

struct sandbox {
    const char *run_dir; /* where the empty root is made, and removed at once */
    uid_t uid;
    gid_t gid;
};

/* Closes every descriptor from `first` on. */
void sandbox_close_from(unsigned first);

/* The part of it that concerns rights: its user, no group but its own, no capability, for ever. */
MUST_USE enum status sandbox_become_user(const struct sandbox *sandbox, struct reason *reason);

/* Enters, for ever.  STATUS_FAIL with the reason: whoever fails must exit. */
MUST_USE enum status sandbox_enter(const struct sandbox *sandbox, struct reason *reason);

#endif
