/*
 * Timers: see timer.h.
 */
#include "lib/sa/timer.h"

#include "lib/sa/context.h"

void ike_sa_timer(struct context *context, struct timer *timer, uint64_t due_ms)
{
    if (!heap_set(context->timers, &timer->node, due_ms))
        count(context, COUNTER_FAILURES);
}

void ike_sa_timer_stop(struct context *context, struct timer *timer)
{
    heap_remove(context->timers, &timer->node);
}
