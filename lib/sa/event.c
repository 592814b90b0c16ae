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

void event_looked(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_LOOKED, .sa = sa};

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

void event_sent_again(struct context *context, struct ike_sa *sa, const char *why)
{
    struct event event = {.kind = EVENT_SENT_AGAIN, .sa = sa, .why = why};

    context->event(context, &event);
}

void event_unanswered(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct event event = {.kind = EVENT_UNANSWERED, .sa = sa, .reason = reason};

    context->event(context, &event);
}

void event_child_made(struct context *context, struct ike_sa *sa, struct child_sa *child,
                      const struct packet *packet)
{
    struct event event = {.kind = EVENT_CHILD_MADE, .sa = sa, .child = child, .packet = packet};

    context->event(context, &event);
}

void event_child_failed(struct context *context, struct ike_sa *sa,
                        const struct child_config *config, const struct packet *packet,
                        const char *why, const char *text)
{
    struct event event = {
        .kind = EVENT_CHILD_FAILED,
        .sa = sa,
        .config = config,
        .packet = packet,
        .why = why,
        .text = text,
    };

    context->event(context, &event);
}

bool event_single_pair(struct context *context, struct ike_sa *sa,
                       const struct child_config *config, const struct packet *packet)
{
    struct event event = {.kind = EVENT_SINGLE_PAIR, .sa = sa, .config = config, .packet = packet};

    context->event(context, &event);
    return event.taken;
}

void event_ike_made(struct context *context, struct ike_sa *sa)
{
    struct event event = {.kind = EVENT_IKE_MADE, .sa = sa};

    context->event(context, &event);
}

void event_inherited(struct context *context, struct ike_sa *sa, struct ike_sa *from)
{
    struct event event = {.kind = EVENT_INHERITED, .sa = sa, .from = from};

    context->event(context, &event);
}

void event_rekey_failed(struct context *context, struct ike_sa *sa, const char *why)
{
    struct event event = {.kind = EVENT_REKEY_FAILED, .sa = sa, .why = why};

    context->event(context, &event);
}

void event_failed(struct context *context, struct ike_sa *sa, const char *why)
{
    struct event event = {.kind = EVENT_FAILED, .sa = sa, .why = why};

    context->event(context, &event);
}

void event_stranger(struct context *context, uint8_t version, const struct address *local,
                    const struct address *remote, const char *why)
{
    struct event event = {
        .kind = EVENT_STRANGER,
        .version = version,
        .local = *local,
        .remote = *remote,
        .why = why,
    };

    context->event(context, &event);
}
