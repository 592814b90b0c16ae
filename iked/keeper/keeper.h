/*
 * The keeper: the privileged process, from its first to its last moment.
 *
 * It owns the kernel, the keys and the files, starts negotiators and outlives them.  It parses no
 * packet of a peer's.
 * Not here: what a negotiator may have (gate.h), how it is done (service.h, upkeep.h).
 */
#ifndef IKED_KEEPER_KEEPER_H
#define IKED_KEEPER_KEEPER_H

#include "iked/options.h"

#define KEEPER_SHUTDOWN_MS    3000 /* for the negotiator's goodbyes */
#define KEEPER_BACKOFF_MIN_MS 100
#define KEEPER_BACKOFF_MAX_MS 10000
#define KEEPER_STEADY_MS      60000 /* who lived this long is started anew at once */

/* Runs until it is told to stop; returns the exit status.  `ready` is called once, when the first
 * negotiator runs the configuration. */
int keeper_run(struct options *options, void (*ready)(void));

#endif
