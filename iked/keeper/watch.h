/*
 * Waits until this host's addresses and routes have come to rest after a change, and says so once.
 *
 * One move of a host is many changes: an address goes, routes go with it, others come.  Packets are
 * lost until the peer knows, so the wait is short; where one change follows the other for long it
 * doubles.
 * Not here: reading the notices (routes.h).
 */
#ifndef IKED_KEEPER_WATCH_H
#define IKED_KEEPER_WATCH_H

#include "lib/base/slice.h"

struct event_base;
struct watch;

#define WATCH_REST_MS 20   /* so long nothing must have changed, at first ... */
#define WATCH_MOST_MS 1000 /* ... but no longer than so after the first change */

struct watch_hooks {
    /* `fd` is readable: reads it, true when it told of a change. */
    bool (*read)(void *context);
    void (*rested)(void *context);
    void *context;
};

/* Borrows `fd`.  NULL when memory is out. */
struct watch *watch_new(struct event_base *base, int fd, const struct watch_hooks *hooks);
void watch_free(struct watch *watch);

/* The rest to wait for in a gathering that begins `since_told_ms` after the last one was told of,
 * which had waited for `rest_ms`. */
uint64_t watch_rest_ms(uint64_t rest_ms, uint64_t since_told_ms);

/* How long to wait still, when the first change was seen `since_first_ms` ago and the last one just
 * now. */
uint64_t watch_wait_ms(uint64_t rest_ms, uint64_t since_first_ms);

#endif
