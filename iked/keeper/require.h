/*
 * What the configuration requires stands, whatever a negotiator does or leaves undone.
 *
 * The keeper installs it by itself: before the first negotiator starts, when a new configuration is
 * offered (what is new comes before anything of the old goes), and at each commit.  What a
 * negotiator asks for afterwards stands already, or lies above it.
 * Not here: what a negotiator may have removed (gate.h), what others remove (audit.h).
 */
#ifndef IKED_KEEPER_REQUIRE_H
#define IKED_KEEPER_REQUIRE_H

#include "iked/keeper/service.h"

/* Installs what the newest configuration requires and what does not stand.  Returns how many pairs
 * of selectors it requires.  `spare`: what an earlier keeper left in the kernel stays as it is. */
size_t require_all(struct service *service, bool spare);

/* The same for one connection, whose peer is known by other addresses now. */
void require_of(struct service *service, const struct name *connection);

/* The newest configuration is in use: what only the one before wanted goes. */
void require_no_more(struct service *service, const struct config *before);

#endif
