/*
 * What follows when an established peer does not answer any more.
 */
#ifndef LIB_ENGINE_LINK_DEAD_H
#define LIB_ENGINE_LINK_DEAD_H

#include "lib/engine/private.h"

/* The peer of an established SA does not answer any more: ends the SA, and does what the connection
 * says for that. */
void link_dead(struct engine *engine, struct ike_sa *sa, const char *why);

/* A child stands: what an earlier life left is forgotten, and the policies that went with a dead
 * peer come back. */
void link_serves(struct engine *engine, struct link *link);

#endif
