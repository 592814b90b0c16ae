/*
 * What an iked that cannot start, or go on, leaves behind.
 *
 * By default (daemon.on_failure = "closed") what is required stays blocked: what the files require
 * where they are good and something else is in the way; else what the last good configuration
 * requires (saved.h); else what can be read of the files.  Only what is missing is installed, and
 * nothing is removed: an iked may be running that is in the way.
 */
#ifndef IKED_KEEPER_FALLBACK_H
#define IKED_KEEPER_FALLBACK_H

#include "iked/keeper/files.h"
#include "iked/keeper/xfrm/kernel.h"
#include "iked/process/options.h"

enum fallback {
    FALLBACK_NOTHING, /* nothing is known */
    FALLBACK_FILES,
    FALLBACK_SAVED,
    FALLBACK_PART,
};

/* Whose word it is: in `loaded`, which is the caller's unless it is nothing. */
enum fallback fallback_find(const struct options *options, struct loaded *loaded);

/* Installs what `config` requires and is not in the kernel, which is taken.  How many pairs of
 * selectors it requires. */
size_t fallback_protect(struct kernel *kernel, const struct config *config);

/* Both, with one line in the log that says what holds now. */
void fallback_run(const struct options *options);

#endif
