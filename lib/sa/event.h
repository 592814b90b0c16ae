/*
 * What a protocol tells the engine of an IKE SA, or of a stranger: one call with an event.
 *
 * The engine takes it at once (context.event).
 */
#ifndef LIB_SA_EVENT_H
#define LIB_SA_EVENT_H

#include "lib/base/address.h"
#include "lib/base/status.h"

struct context;
struct ike_sa;

enum event_kind {
    EVENT_SETTLED,  /* a message or an answer was worked on; the SA may be gone afterwards */
    EVENT_HEARD,    /* an authenticated message has come */
    EVENT_HINT,     /* an unproven word that the peer has forgotten the SA */
    EVENT_REFUSED,  /* the peer's attempt was answered by an error, which may be asked for again */
    EVENT_DUE,      /* something new is to be done; the SA may be gone afterwards */
    EVENT_REPLACE,  /* a whole new IKE SA is to take all over */
    EVENT_STRANGER, /* a stranger's first message was refused */
};

struct event {
    enum event_kind kind;
    struct ike_sa *sa;     /* all but STRANGER */
    enum status status;    /* SETTLED */
    struct reason *reason; /* SETTLED: may be changed */
    bool idle;             /* HINT: nothing is asked of the peer by it, and is to be */
    struct address local;  /* STRANGER */
    struct address remote; /* STRANGER */
    const char *why;       /* STRANGER */
};

void event_settled(struct context *context, struct ike_sa *sa, enum status status,
                   struct reason *reason);
void event_heard(struct context *context, struct ike_sa *sa);
void event_hint(struct context *context, struct ike_sa *sa, bool idle);
void event_refused(struct context *context, struct ike_sa *sa);
void event_due(struct context *context, struct ike_sa *sa);
void event_replace(struct context *context, struct ike_sa *sa);
void event_stranger(struct context *context, const struct address *local,
                    const struct address *remote, const char *why);

#endif
