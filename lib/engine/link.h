/*
 * Links come and go with configurations.
 */
#ifndef LIB_ENGINE_LINK_H
#define LIB_ENGINE_LINK_H

#include "lib/engine/engine.h"

struct link;

/* A link for a connection that is new: its policies, and what is to start at once. */
void link_add(struct engine *engine, const struct connection *connection);

/* Its SAs are gone already. */
void link_free(struct engine *engine, struct link *link);
void links_free(struct engine *engine);

/* Tells those who wait for the outcome of such a command. */
void link_answer(struct engine *engine, struct link *link, enum command_kind kind, bool done,
                 const char *text);

/* The packet that has asked is forgotten. */
void link_drop_packet(struct link *link);

#endif
