/*
 * Where to reach the peer of a connection that has a name or several addresses: link.dial.
 */
#ifndef LIB_ENGINE_LINK_ADDRESSES_H
#define LIB_ENGINE_LINK_ADDRESSES_H

#include "lib/engine/private.h"

/* False when memory is out.  Other connections have no dial. */
MUST_USE bool dial_new(struct link *link);

/* Asks about names of which nothing is known yet. */
void dial_learn(struct engine *engine, struct link *link);

/* Calls the peer for one more child; `replaces`: as in link_call. */
void dial_start(struct engine *engine, struct link *link, const struct child_config *child,
                uint64_t replaces);

/* A call has failed: true when there is another address, which is called. */
bool dial_failed(struct engine *engine, struct link *link, const char *why);

/* An SA with the peer stands, at this address. */
void dial_done(struct engine *engine, struct link *link, const struct address *remote);

/* Nothing more is to be called for. */
void dial_stop(struct link *link);

/* What a name was resolved to. */
void dial_answer(struct engine *engine, const struct answer *answer);

#endif
