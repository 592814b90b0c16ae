/*
 * A version of IKE, as the engine and the SAs see it: one table of functions.
 *
 * The engine knows no message: it picks the table by the version in the header, or in the
 * connection, and an IKE SA keeps the one that it was made by.  What happens comes back as events
 * (event.h).
 */
#ifndef LIB_SA_PROTOCOL_H
#define LIB_SA_PROTOCOL_H

#include "lib/base/address.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct answer;
struct child_config;
struct child_sa;
struct context;
struct ike_sa;
struct rebinding;

/* A datagram that came in; data is borrowed during the call and may be scribbled over (decryption
 * is in place). */
struct datagram {
    struct address local;  /* where it was sent to, with the port */
    struct address remote; /* where it came from, with the port */
    uint8_t *data;
    size_t size;
};

/* What an established IKE SA may have to do; each is one exchange. */
enum task_kind {
    TASK_OWN,          /* what the protocol itself has to tell (protocol_view.due) */
    TASK_PROBE,        /* is the peer there? */
    TASK_DELETE_CHILD, /* `child` */
    TASK_REKEY_IKE,
    TASK_REKEY_CHILD, /* `child` */
    TASK_MAKE_CHILD,  /* as `config` says */
};

struct task {
    enum task_kind kind;
    struct child_sa *child;
    const struct child_config *config;
};

/* What the protocol is about with an IKE SA. */
struct protocol_view {
    bool busy;   /* a request of ours is not answered: no task begins */
    bool ours;   /* a child, or an IKE SA's successor, is being made by us ... */
    bool theirs; /* ... and by the peer */
    const struct child_config *making; /* the child, neither known before nor rekeyed, of `ours` */
    bool heir_due;                     /* the peer has made the successor, ours is not there yet */
    bool due;                          /* TASK_OWN is */
    uint8_t tries;                     /* how often the request was sent again */
    bool mobike;                       /* both ends have agreed on it (RFC 4555) */
    bool fragmentation;                /* the same (RFC 7383) */
};

struct protocol {
    uint8_t version;   /* the major version, as in the header of its messages */
    size_t state_size; /* octets that it keeps in each IKE SA: ike_sa.of_protocol, zeroed */

    /* --- What comes in --- */

    /* A datagram whose header names this version, or, for the highest, one that nobody knows.
     * `protocol` is the table itself, for the SA that may come of it. */
    void (*packet)(struct context *context, const struct protocol *protocol,
                   const struct datagram *datagram);

    /* The SA whose request this message of ours is; NULL: it is none. */
    struct ike_sa *(*requester)(const struct context *context, struct slice message);

    /* The result of an effect; false: nobody waits for it. */
    bool (*answer)(struct context *context, struct ike_sa *sa, struct answer *answer);

    /* The kernel has authentic packets of an inbound SA in UDP from another address or port. */
    void (*mapping)(struct context *context, struct ike_sa *sa, const struct address *source);

    /* This host's addresses have changed: what waits for an answer is sent at once; and it is asked
     * which address of ours reaches the peer now. */
    void (*ask_again)(struct context *context, struct ike_sa *sa);
    void (*ask_source)(struct context *context, struct ike_sa *sa);

    /* Our answer to the peer that waited until its child can send leaves. */
    void (*released)(struct context *context, struct ike_sa *sa);

    /* --- What is to be done --- */

    /* Begins the first exchange of a new IKE SA, for handshake.wanted. */
    enum status (*start)(struct context *context, struct ike_sa *sa, struct reason *reason);

    /* Begins a task's exchange; nothing may be under way. */
    enum status (*task)(struct context *context, struct ike_sa *sa, const struct task *task,
                        struct reason *reason);

    /* Answers the request that is worked on by the error in `why`, which is told and reported. */
    enum status (*refuse)(struct context *context, struct ike_sa *sa, const struct reason *why);

    /* Closes the IKE SA; the peer is told why, unless that is FINDING_NONE.
     * Outbound child SAs go at once, inbound ones when the peer has answered. */
    enum status (*close)(struct context *context, struct ike_sa *sa, enum finding_code code,
                         struct reason *reason);

    /* Exchanges that make something are done: what follows comes as events.  Not called for the one
     * that establishes the IKE SA: its first child is in the list by then. */
    void (*settle)(struct context *context, struct ike_sa *sa);

    /* Ends them; what they have made so far is gone, and another IKE SA that has won has the
     * children. */
    void (*abandon)(struct context *context, struct ike_sa *sa);

    /* Something is kept of the peer's last request for no longer than it may be repeated. */
    void (*forget)(struct context *context, struct ike_sa *sa);

    /* `sa` goes on where another one that carried on for it was. */
    void (*follow)(struct ike_sa *sa, const struct ike_sa *other);

    /* The configuration has moved to new memory (rebinding.h); false: what is under way is about
     * something that is gone. */
    bool (*rebind)(struct ike_sa *sa, const struct rebinding *rebinding);

    /* Looks in. */
    void (*view)(const struct ike_sa *sa, struct protocol_view *view);

    /* The IKE SA ends: frees what the protocol keeps of it. */
    void (*end)(struct context *context, struct ike_sa *sa);
};

#endif
