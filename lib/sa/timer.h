/*
 * Timers of SAs and of the engine: nodes of its one heap.
 */
#ifndef LIB_SA_TIMER_H
#define LIB_SA_TIMER_H

#include "lib/base/heap.h"

enum timer_kind {
    TIMER_PROTOCOL,  /* a protocol's: struct protocol_timer */
    TIMER_EXPIRE,    /* ike_sa.expire */
    TIMER_LATER,     /* ike_sa.later */
    TIMER_WATCH,     /* ike_sa.watch */
    TIMER_KEEPALIVE, /* ike_sa.keepalive */
    TIMER_RETRY,     /* the engine's: a connection tries again */
    TIMER_CALM,      /* the engine's: is the flood over? */
};

struct timer {
    struct heap_node node;
    uint8_t kind; /* enum timer_kind */
};

struct context;
struct ike_sa;

/* One that a protocol arms for an SA, and what it does when it is due; that may free the SA. */
struct protocol_timer {
    struct timer timer;
    struct ike_sa *sa;
    void (*due)(struct context *context, struct protocol_timer *timer);
};

/* Arms or moves a timer. A failure for want of memory is counted: the SA's other timer, or its
 * peer, ends it. */
void ike_sa_timer(struct context *context, struct timer *timer, uint64_t due_ms);

void ike_sa_timer_stop(struct context *context, struct timer *timer);

#endif
