/*
 * The keeper: the privileged process, from its first to its last moment.
 *
 * It owns the kernel, the keys and the files, starts negotiators and outlives them.  It parses no
 * packet of a peer's.
 * Not here: the negotiators (session.h), what they may have (gate.h), how it is done (service.h,
 * upkeep.h).
 */
#ifndef IKED_KEEPER_KEEPER_H
#define IKED_KEEPER_KEEPER_H

#include "iked/process/options.h"

/* Runs until it is told to stop; returns the exit status.  `ready` is called once, when the first
 * negotiator runs the configuration. */
int keeper_run(struct options *options, void (*ready)(void));

#endif
