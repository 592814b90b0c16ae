/*
 * The third process: asks the system for the addresses of names, one after the other.
 *
 * Resolving blocks, reads files and talks to servers of others, so neither the negotiator, which
 * may do none of that, nor the keeper's loop is the place for it.  This process has no right at all
 * beyond its user's, and the keeper believes it nothing but addresses of names it asked about.
 * Not here: the messages (process/resolver_ipc.h), asking it (keeper/names.h).
 */
#ifndef IKED_RESOLVER_RESOLVER_H
#define IKED_RESOLVER_RESOLVER_H

#include "iked/process/options.h"

/* The process: reads questions from PROCESS_CHANNEL_FD until it is closed. */
int resolver_run(const struct options *options);

#endif
