/*
 * What becomes of a link's tries: who waits is told, and the next one is set.
 *
 * Not here: the try itself (call.h, link.h).
 */
#ifndef LIB_ENGINE_RETRY_H
#define LIB_ENGINE_RETRY_H

#include "lib/engine/private.h"

/* Tells those who wait for the outcome of such a command. */
void link_answer(struct engine *engine, struct link *link, enum command_kind kind, bool done,
                 const char *text);

/* Tells all who wait for the outcome of a command what it has come to. */
void link_progress(struct engine *engine, const struct link *link, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Keeps a fault of the peer's as the link's last error; `link` may be NULL. */
void link_note(struct engine *engine, struct link *link, const char *why);

/* What was up when somebody asked for the whole has gone before the rest came: tells him, unless
 * something is still under way. */
void link_stalled(struct engine *engine, struct link *link, const char *why);

/* Answers who waits for a rekeying, when nothing is due any more; when it cannot be done (`link`
 * may be NULL). */
void link_rekeyed(struct engine *engine, struct link *link);

void link_rekey_failed(struct engine *engine, struct link *link, const char *why);

void link_failed(struct engine *engine, struct link *link, const char *why);

/* The peer has deleted a child: one that is to be there always is made anew, soon. */
void link_lacks(struct engine *engine, struct link *link);

void link_lost(struct engine *engine, struct link *link);

void link_lost_guests(struct engine *engine, struct link *link);

#endif
