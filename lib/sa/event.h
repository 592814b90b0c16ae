/*
 * What a protocol tells the engine of an IKE SA, or of a stranger: one call with an event.
 *
 * The engine takes it at once (context.event).
 */
#ifndef LIB_SA_EVENT_H
#define LIB_SA_EVENT_H

#include "lib/base/address.h"
#include "lib/base/status.h"

struct child_config;
struct child_sa;
struct context;
struct ike_sa;
struct packet;

enum event_kind {
    EVENT_SETTLED, /* a message or an answer was worked on; the SA may be gone afterwards */
    EVENT_HEARD,   /* an authenticated message has come */
    EVENT_HINT,    /* an unproven word that the peer has forgotten the SA */
    EVENT_LOOKED,  /* all is known that was asked of the kernel; the SA may be gone afterwards */
    EVENT_REFUSED, /* the peer's attempt was answered by an error, which may be asked for again */
    EVENT_DUE,     /* something new is to be done; the SA may be gone afterwards */
    EVENT_REPLACE, /* a whole new IKE SA is to take all over */
    EVENT_SENT_AGAIN,   /* a request of ours is not answered so far */
    EVENT_UNANSWERED,   /* and is given up; the SA may be gone afterwards */
    EVENT_CHILD_MADE,   /* a child is there, new or rekeyed */
    EVENT_CHILD_FAILED, /* a child that was asked for will not be */
    EVENT_SINGLE_PAIR,  /* the peer takes one pair of selectors in a child */
    EVENT_IKE_MADE,     /* an IKE SA's successor is there */
    EVENT_INHERITED,    /* and has the children of `from` */
    EVENT_REKEY_FAILED, /* what was to be rekeyed stays as it is */
    EVENT_FAILED,       /* the connection has not come to what it was to */
    EVENT_STRANGER,     /* a stranger's first message was refused */
};

struct event {
    enum event_kind kind;
    struct ike_sa *sa;                 /* all but STRANGER */
    enum status status;                /* SETTLED */
    struct reason *reason;             /* SETTLED: may be changed */
    bool idle;                         /* HINT: nothing is asked of the peer by it, and is to be */
    struct child_sa *child;            /* CHILD_MADE */
    const struct child_config *config; /* CHILD_FAILED, SINGLE_PAIR */
    const struct packet *packet;       /* for which it was asked for; NULL: none.  CHILD_MADE,
                                  * CHILD_FAILED, SINGLE_PAIR */
    struct ike_sa *from;               /* INHERITED */
    bool taken;                        /* SINGLE_PAIR: set when it will be asked for so */
    const char *text;                  /* CHILD_FAILED: `why` with what it is about */
    uint8_t version;                   /* STRANGER: of IKE */
    struct address local;              /* STRANGER */
    struct address remote;             /* STRANGER */
    const char *why; /* SENT_AGAIN, CHILD_FAILED, REKEY_FAILED, FAILED, STRANGER */
};

void event_settled(struct context *context, struct ike_sa *sa, enum status status,
                   struct reason *reason);
void event_heard(struct context *context, struct ike_sa *sa);
void event_hint(struct context *context, struct ike_sa *sa, bool idle);
void event_looked(struct context *context, struct ike_sa *sa);
void event_refused(struct context *context, struct ike_sa *sa);
void event_due(struct context *context, struct ike_sa *sa);
void event_replace(struct context *context, struct ike_sa *sa);
void event_sent_again(struct context *context, struct ike_sa *sa, const char *why);
void event_unanswered(struct context *context, struct ike_sa *sa, struct reason *reason);
void event_child_made(struct context *context, struct ike_sa *sa, struct child_sa *child,
                      const struct packet *packet);
void event_child_failed(struct context *context, struct ike_sa *sa,
                        const struct child_config *config, const struct packet *packet,
                        const char *why, const char *text);
bool event_single_pair(struct context *context, struct ike_sa *sa,
                       const struct child_config *config, const struct packet *packet);
void event_ike_made(struct context *context, struct ike_sa *sa);
void event_inherited(struct context *context, struct ike_sa *sa, struct ike_sa *from);
void event_rekey_failed(struct context *context, struct ike_sa *sa, const char *why);
void event_failed(struct context *context, struct ike_sa *sa, const char *why);
void event_stranger(struct context *context, uint8_t version, const struct address *local,
                    const struct address *remote, const char *why);

#endif
