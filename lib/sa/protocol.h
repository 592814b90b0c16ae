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

/* A datagram that came in; data is borrowed during the call and may be scribbled over (decryption
 * is in place). */
struct datagram {
    struct address local;  /* where it was sent to, with the port */
    struct address remote; /* where it came from, with the port */
    uint8_t *data;
    size_t size;
};

struct protocol {
    uint8_t version;   /* the major version, as in the header of its messages */
    size_t state_size; /* octets that it keeps in each IKE SA: ike_sa.of_protocol, zeroed */

    /* --- What comes in --- */

    /* A datagram whose header names this version, or, for the highest, one that nobody knows. */
    void (*packet)(struct context *context, const struct datagram *datagram);

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

    /* The IKE SA ends: frees what the protocol keeps of it. */
    void (*end)(struct context *context, struct ike_sa *sa);
};

#endif
