/*
 * Events for the engine: see event.h.
 */
#include "lib/sa/event.h"

#include "lib/sa/context.h"

void event_settled(struct context *context, struct ike_sa *sa, enum status status,
                   struct reason *reason)
{
    struct event event = {.kind = EVENT_SETTLED, .sa = sa, .status = status, .reason = reason};

    context->event(context, &event);
}

void event_heard(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_HEARD, .sa = sa};

    context->event(context, &event);
}

void event_hint(struct context *context, struct ike_sa *sa, bool idle)
{
    struct event event = {.kind = EVENT_HINT, .sa = sa, .idle = idle};

    context->event(context, &event);
}

void event_refused(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_REFUSED, .sa = sa};

    context->event(context, &event);
}

void event_due(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_DUE, .sa = sa};

    context->event(context, &event);
}

void event_replace(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_REPLACE, .sa = sa};

    context->event(context, &event);
}

void event_stranger(struct context *context, const struct address *local,
                    const struct address *remote, const char *why)
{
    struct event event = {.kind = EVENT_STRANGER, .local = *local, .remote = *remote, .why = why};

    context->event(context, &event);
}
