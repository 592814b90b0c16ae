/*
 * Another configuration takes the place of the one that runs.
 *
 * What that comes to goes slice by slice: as soon as so many effects wait it stops, and goes on
 * when the engine's owner has taken them (engine_next_effect), so that no number of connections and
 * SAs makes more than a queue holds.  Nothing but answers is heard in between.
 * Not here: what a connection does (link.c), what differs (lib/policy/diff.c).
 */
#ifndef LIB_ENGINE_CHANGE_H
#define LIB_ENGINE_CHANGE_H

#include "lib/engine/engine.h"

/* COMMAND_CONFIGURE, which takes `config`.  RESULT follows when all of it is done. */
void changes_begin(struct engine *engine, struct config *config, uint64_t command);

/* Goes on with it, when nothing else is under way, until the queue is busy or it is done. */
void changes_go_on(struct engine *engine);

/* Goes on to the end: an event comes that is to find one configuration. */
void changes_end(struct engine *engine);
void changes_free(struct engine *engine);

#endif
