/*
 * State: an IKE SA.
 *
 * Plain data: no pointer into a library, no cipher context.  What only the first exchanges need
 * stands in a struct handshake that is freed once the SA is established.
 * Both protocol versions' exchanges work on these structs; the engine owns their lives.
 */
#ifndef LIB_SA_IKE_SA_H
#define LIB_SA_IKE_SA_H

#include <sys/queue.h>

#include "lib/sa/child_sa.h"
#include "lib/sa/handshake.h"
#include "lib/sa/packet.h"
#include "lib/sa/protocol.h"
#include "lib/sa/timer.h"

/* Named after what is awaited. */
enum ike_state {
    IKE_AWAIT_KEY,          /* initiator: our public value from COMPUTE */
    IKE_AWAIT_INIT_REPLY,   /* initiator */
    IKE_AWAIT_SHARED,       /* both: g^ir from COMPUTE */
    IKE_AWAIT_SIGN,         /* initiator: our AUTH and an SPI */
    IKE_AWAIT_AUTH_REPLY,   /* initiator */
    IKE_AWAIT_AUTH_REQUEST, /* responder */
    IKE_AWAIT_VERIFY,       /* both: the vault's word on the peer's AUTH */
    IKE_AWAIT_INSTALL,      /* both: the kernel's word on the child */
    IKE_ESTABLISHED,
    IKE_AWAIT_DELETE_REPLY, /* we sent a Delete for the IKE SA */
    IKE_AWAIT_REKEY,        /* an heir: until the exchange that makes it is done */
    IKE_REFUSED,            /* responder: the error is sent; only a repeated request is answered */
    IKE_STATE_COUNT
};

const char *ike_state_name(enum ike_state state);

struct link; /* the engine's run-time state of a connection */

/* There are many: what is rare, or over with the handshake, stands elsewhere. */
struct ike_sa {
    TAILQ_ENTRY(ike_sa) entry;
    TAILQ_ENTRY(ike_sa) of_link;
    struct link *link;       /* in whose list it stands; NULL: none yet */
    struct hash_node by_spi; /* our own SPI */
    struct hash_node by_id;  /* established ones: the peer's identity, keyed */
    uint64_t number;
    uint64_t spi_i;
    uint64_t spi_r;
    const struct connection *connection; /* a responder's may change in IKE_AUTH */
    const struct protocol *protocol;
    struct handshake *handshake; /* NULL: over */
    struct secret keys;
    struct buffer remote_id;

    /* Children */
    struct child_sa_list children;
    struct child_sa_list gone; /* deleted; the kernel still receives on them for a moment */
    uint64_t wanted_children;  /* bits: children (by their place in the connection) to be made */
    uint64_t replaces;         /* our SPI of the IKE SA to close once this one stands; 0: none */
    struct packet *packet;     /* to be named in the next offer of its child; NULL: none */

    uint64_t created_ms;
    uint64_t established_ms;
    uint64_t reauth_ms;   /* the peers' authentication is over; 0: never */
    uint64_t line_ms;     /* when the first of those was that it is an heir of */
    uint64_t heard_ms;    /* the last authenticated message, or use of an inbound SA */
    uint64_t sent_ms;     /* when a message of ours last left */
    uint64_t followed_ms; /* when it last followed the peer to another address or port */
    uint64_t hinted_ms;   /* when a hint was last heeded, 0: never */
    uint64_t wishes_ms;   /* no exchange of our own before that */
    struct timer expire;
    struct timer keepalive; /* behind a NAT */
    struct timer later;     /* wishes put off, deleted children that linger */
    struct timer watch;     /* when the peer may have been silent for too long */

    uint32_t steps;      /* how many steps were begun: the number of the last one */
    uint32_t asked;      /* the kernel is asked what came in under this number, what went out
                            * under the next, ... */
    uint8_t asked_count; /* ... and so many answers are missing */
    uint8_t state;       /* enum ike_state */
    uint8_t remote_id_type;
    struct suite suite;
    struct address local;
    struct address remote;
    struct address proven; /* where the peer surely was: it was first reached there */

    bool initiator : 1;     /* the original one */
    bool half_open : 1;     /* counted as such: a responder whose peer is not authenticated */
    bool delete_asked : 1;  /* close it as soon as nothing else is outstanding */
    bool superseded : 1;    /* a newer one carries the same child */
    bool inherited : 1;     /* rekeyed: its heir has the children, the Delete is to come */
    bool expecting : 1;     /* an heir: our own rekeying decides whether it gets the children */
    bool lone : 1;          /* made without a child (RFC 6023): it may stay without one */
    bool settled : 1;       /* a lone one: its first child has shown of which connection it is */
    bool reauth_told : 1;   /* the peer has shortened `reauth_ms`: `expire` is to follow */
    bool child_lost : 1;    /* the peer has deleted one; the engine has yet to see to it */
    bool childless : 1;     /* `expire` is armed for an IKE SA without a child */
    bool rekey_due : 1;     /* the IKE SA's soft lifetime is over */
    bool probe_due : 1;     /* a liveness check is to be sent */
    bool hasty : 1;         /* fewer tries will do: somebody says that the peer has forgotten us, or
                            * there are other addresses */
    bool look_kernel : 1;   /* are the children's SAs there?  Somebody wants to know, ... */
    bool look_peer : 1;     /* ... and whether the peer is */
    bool asked_in : 1;      /* what came in, too, when the kernel was last asked */
    bool came_in : 1;       /* by a child, since the kernel was asked before; the same ... */
    bool went_out : 1;      /* ... for what we send */
    bool busy : 1;          /* either of them, when it was last asked */
    bool unheard : 1;       /* we send, and nothing comes in */
    bool encap : 1;         /* ESP goes in UDP, between the ports of `local` and `remote` */
    bool nat_here : 1;      /* we are behind a NAT */
    bool nat_there : 1;     /* the peer is */
    bool nat_pretended : 1; /* the configuration wants the peer to believe that we are */
    bool leads : 1;         /* we made the first IKE SA of the line, whoever rekeyed it */
    bool follow_due : 1;    /* it moved again within FOLLOW_MS; the kernel's SAs are to follow */

    uint64_t of_protocol[]; /* what its protocol keeps of it (protocol.h) */
};
TAILQ_HEAD(ike_sa_list, ike_sa);

/* A new SA of a protocol with a fresh SPI of ours, in the table.  `spi_i` is the peer's for a
 * responder, 0 for an initiator.  NULL when memory is out. */
struct ike_sa *ike_sa_new(struct context *context, const struct protocol *protocol,
                          const struct connection *connection, const struct address *local,
                          const struct address *remote, uint64_t spi_i);

/* How many children are listed. */
size_t ike_sa_child_count(const struct ike_sa *sa);

/* Is the child among its own? */
bool ike_sa_carries(const struct ike_sa *sa, const struct child_config *config);

/* A child's bit in a set of its connection's; the first child of a set that is not empty. */
uint64_t child_bit(const struct child_config *config);
const struct child_config *child_of_bits(const struct connection *connection, uint64_t bits);

/* One more child of its connection is to be made in it. */
void ike_sa_want_child(struct ike_sa *sa, const struct child_config *wanted);

/* The same for all that another SA was still to make. */
void ike_sa_take_tasks(struct ike_sa *sa, const struct ike_sa *from);

/* Does another IKE SA of the same connection and peer carry this child? */
bool ike_sa_has_elder(const struct context *context, const struct ike_sa *sa,
                      const struct child_config *config);

/* Hands all children to another IKE SA, which then looks at once what is to be done with them. */
void ike_sa_inherit(struct context *context, struct ike_sa *from, struct ike_sa *to);

/* The peer has told (RFC 4478) to authenticate again in so many seconds from `from_ms`; no peer has
 * us do so more often than once in a minute: *told_s is what was made of it.  False when an earlier
 * limit stands. */
bool ike_sa_limit_authentication(struct ike_sa *sa, uint64_t from_ms, uint32_t *told_s);

/* The packet is asked for, or not to be; harmless when there is none. */
void ike_sa_drop_packet(struct ike_sa *sa);

/* Takes it out of the table and wipes and frees all it owns; kernel state is the caller's matter
 * (child_remove). */
void ike_sa_free(struct context *context, struct ike_sa *sa);

/* It is no longer half-open: an authenticated peer, or the end. */
void ike_sa_leave_half_open(struct context *context, struct ike_sa *sa);

static inline uint64_t ike_sa_own_spi(const struct ike_sa *sa)
{
    return sa->initiator ? sa->spi_i : sa->spi_r;
}

/* The handshake goes on to a state that waits for answers. */
void ike_sa_step(struct ike_sa *sa, enum ike_state state);

struct identity ike_sa_remote_id(const struct ike_sa *sa);

/* Is their peer the same, by its identity? */
static inline bool ike_sa_same_identity(const struct ike_sa *a, const struct ike_sa *b)
{
    return a->remote_id_type == b->remote_id_type &&
           slice_equal(buffer_slice(&a->remote_id), buffer_slice(&b->remote_id));
}

#endif
