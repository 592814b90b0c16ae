/*
 * Negotiator and resolver as processes: starting them, and what to say of their end.
 *
 * They are iked itself, executed anew, so that nothing of the keeper's memory is in them.
 * Not here: when to start one (keeper/session.h, keeper/names.h), what they do first
 * (negotiator/negotiator.c, resolver/resolver.c).
 */
#ifndef IKED_PROCESS_START_H
#define IKED_PROCESS_START_H

#include <sys/types.h>

#include "iked/process/options.h"
#include "lib/base/status.h"

/* Where they find their end of the channel. */
#define PROCESS_CHANNEL_FD 3

/* Finds the negotiator's user: as told, or the built-in one, or nobody with a warning. */
MUST_USE bool process_find_user(struct options *options, struct reason *reason);

enum process_kind { PROCESS_NEGOTIATOR, PROCESS_RESOLVER };

/* -1 with the reason; else the process, and the keeper's end of the channel in *fd. */
pid_t process_start(const struct options *options, enum process_kind kind, int *fd,
                    struct reason *reason);

/* "was killed by signal 9 (Killed)"; returns `text`. */
char *process_end_text(int status, char *text, size_t size);

#endif
