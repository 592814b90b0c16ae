/*
 * Timers of SAs and of the engine: nodes of its one heap.
 */
#ifndef LIB_SA_TIMER_H
#define LIB_SA_TIMER_H

#include "lib/base/heap.h"

enum timer_kind {
    TIMER_RETRANSMIT, /* request.retransmit */
    TIMER_EXPIRE,     /* ike_sa.expire */
    TIMER_LATER,      /* ike_sa.later */
    TIMER_REASSEMBLY, /* reassembly.timer */
    TIMER_WATCH,      /* ike_sa.watch */
    TIMER_KEEPALIVE,  /* ike_sa.keepalive */
    TIMER_RETRY,      /* the engine's: a connection tries again */
    TIMER_CALM,       /* the engine's: is the flood over? */
};

struct timer {
    struct heap_node node;
    uint8_t kind; /* enum timer_kind */
};

struct context;

/* Arms or moves a timer. A failure for want of memory is counted: the SA's other timer, or its
 * peer, ends it. */
void ike_sa_timer(struct context *context, struct timer *timer, uint64_t due_ms);

void ike_sa_timer_stop(struct context *context, struct timer *timer);

#endif
