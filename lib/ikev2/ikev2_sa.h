/*
 * What only IKEv2 has of an IKE SA: message IDs and the window of one in each direction, the cached
 * reply, the CREATE_CHILD_SA exchanges under way, fragments, MOBIKE.
 */
#ifndef LIB_IKEV2_IKEV2_SA_H
#define LIB_IKEV2_IKEV2_SA_H

#include "lib/sa/ike_sa.h"

/* A request of ours that is not answered yet. */
struct request {
    struct protocol_timer retransmit;
    struct buffer octets; /* its fragments one behind the other */
    uint32_t deleting;    /* number of the child that its Delete is about; 0: none */
    uint64_t since_ms;    /* when it was first sent */
    uint8_t tries;
};

/* Where the peer's request that is being worked on came to, and from: there its reply goes, however
 * the SA moves (RFC 7296 section 2.11). */
struct asker {
    struct address at;
    struct address from;
};

struct creation;     /* creation.h */
struct mobike_state; /* mobike.h */
struct reassembly;   /* reassembly.h */

struct ikev2_sa {
    struct request *request;     /* NULL: all are answered */
    struct asker *asker;         /* NULL: nothing is asked of us */
    struct buffer reply;         /* to the peer's last request, as request.octets */
    uint64_t request_digest;     /* keyed hash of the peer's last request */
    uint64_t replied_ms;         /* when the reply was made */
    struct reassembly *parts[2]; /* of the peer's next request, and of the response to ours */
    uint64_t iv_counter;
    struct creation *own;          /* the CREATE_CHILD_SA exchange that we asked for */
    struct creation *theirs;       /* and the peer */
    struct mobike_state *movement; /* NULL: never moved */
    uint32_t next_request;         /* message ID of our next request */
    uint32_t expected;             /* message ID of the peer's next request */
    uint32_t elsewhere_ms; /* when the reply was last sent to somewhere else than the peer, ... */
    uint32_t refused_ms;   /* ... and a child that the peer asked for last reported as refused,
                            * both modulo 2^32; 0: never */
    uint16_t datagram_max; /* what the path seems to carry, 0: what is configured */
    uint8_t repeats;       /* how often the reply was asked for again */
    uint8_t serving;       /* exchange of the peer's last request */

    bool peer_wants_pfs : 1; /* it refused a child without a key exchange of its own */
    bool fragments : 1;      /* both ends have agreed on fragments (RFC 7383) */
    bool nat_known : 1;      /* the peer takes part in NAT detection */
    bool mobike : 1;         /* both ends have agreed on it (RFC 4555) */
    bool update_due : 1;     /* the peer is to learn our new address ... */
    bool updating : 1;       /* ... and is being told */
    bool announce_due : 1;   /* the initiator is to learn the responder's */
    bool reply_waits : 1;    /* our reply leaves when the kernel has what was held */
    bool check_due : 1;      /* whether the peer is where it is tried (trial.h) ... */
    bool checking : 1;       /* ... is being asked */
};

/* It lies in the IKE SA, and as long as that does. */
static inline struct ikev2_sa *ikev2_of(const struct ike_sa *sa)
{
    return (struct ikev2_sa *)(uintptr_t)sa->of_protocol;
}

/* The IKE SA ends: frees what stands here (protocol.end). */
void ikev2_sa_end(struct context *context, struct ike_sa *sa);

/* Our request is answered, or is not to be sent any more; harmless when there is none. */
void ikev2_end_request(struct context *context, struct ike_sa *sa);

/* The child that our outstanding Delete is about; NULL: none. */
struct child_sa *ikev2_deleting(const struct ike_sa *sa);

#endif
