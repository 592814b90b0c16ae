/*
 * State: an IKE SA, its children, and the table of all IKE SAs.
 *
 * Plain data: no pointer into a library, no cipher context.  What only the first exchanges need
 * stands in a struct handshake that is freed once the SA is established.
 * Both protocol versions' exchanges work on these structs; the engine owns their lives.
 */
#ifndef LIB_SA_IKE_SA_H
#define LIB_SA_IKE_SA_H

#include "lib/base/hash.h"
#include "lib/base/heap.h"
#include "lib/base/interval.h"
#include "lib/policy/choose.h"
#include "lib/sa/counter.h"
#include "lib/sa/effect.h"
#include "lib/sa/source.h"

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

struct ike_sa;

/* An outbound SA that waits until the peer can receive (child_release_outbound). */
struct held_outbound {
    uint64_t until_ms; /* released at the latest */
    struct secret encr_key;
    struct secret integ_key;
};

struct child_sa {
    TAILQ_ENTRY(child_sa) entry;
    struct ike_sa *owner;       /* in whose lists it is, or which makes it */
    struct hash_node by_spi_in; /* while it is listed: by what the kernel calls it */
    struct hash_node by_spi_out;
    struct hash_node by_reqid; /* its own reqid, which it holds (sa_table_hold_reqid) */
    struct interval claim;     /* its remote addresses stand in others' way (sa_table_claim) */
    const struct child_config *config;
    const struct selector *local_selectors; /* where they are the configured ones: those */
    const struct selector *remote_selectors;
    struct held_outbound *held; /* NULL: nothing waits */
    uint64_t created_ms;
    uint64_t leaves_ms;   /* replaced: when we delete it, if the peer has not; deleted: when the
                           * kernel may forget it; else: it is not rekeyed before (child_keep) */
    uint32_t packets_in;  /* as the kernel counted when it was last asked, ... */
    uint32_t packets_out; /* ... modulo 2^32 */
    uint32_t number;
    uint32_t spi_in; /* 0: not allocated yet */
    uint32_t spi_out;
    uint32_t reqid;
    uint32_t releasing;   /* the answer that says whether the held outbound SA came; 0: none */
    uint32_t line;        /* the inbound SPI of whoever asked for the first of its line, the same
                           * number at both ends; 0: itself is the first */
    uint32_t replaces;    /* number of the child that it was made to replace; 0: none */
    uint32_t out_order;   /* of outbound SAs handed to the kernel, which takes the latest */
    struct address local; /* the ends by which the kernel knows its SAs, with the ports ... */
    struct address remote;
    bool encap : 1;        /* ... that matter in UDP (RFC 3948) */
    bool own_policies : 1; /* narrower than configured (or for any peer): policies of its own */
    bool in_kernel : 1;    /* inbound, and ... */
    bool out_kernel : 1;   /* ... outbound were handed to the kernel */
    bool listed : 1;       /* in its SA's list */
    bool standing : 1;     /* was listed once: its own policies, if any, were asked for */
    bool ours : 1;         /* the first of its line was made by an exchange that we asked for */
    bool unproven : 1;     /* the peer asked for it, and may not have our answer yet */
    bool rekey_due : 1;    /* a soft limit was reached */
    bool replaced : 1;     /* another one `replaces` it, and its Delete is to come */
    bool expired : 1;      /* the kernel has forgotten it */
    bool exact : 1;      /* rekeyed with just the selectors that it has, not all configured ones */
    bool undone : 1;     /* made by an exchange that is not followed: the kernel never had it */
    bool delete_due : 1; /* to be deleted when the window is free */
    bool reqid_held : 1; /* its reqid is its own, and the table knows so */
    uint8_t protocol;    /* enum ipsec_protocol */
    uint8_t mode;        /* enum child_mode */
    uint8_t local_count;
    uint8_t remote_count;
    struct suite suite;
};
TAILQ_HEAD(child_sa_list, child_sa);

/* Answers that something waits for, all of one batch: they carry its number in their tickets. */
struct step {
    uint32_t number;
    uint8_t awaited;      /* answers outstanding */
    uint8_t status;       /* the worst enum status of those that came ... */
    struct reason reason; /* ... and its reason */
};

/* What the first two exchanges need and nothing after them. */
struct handshake {
    struct step step;
    struct ike_sa *sa;                 /* whose it is */
    struct hash_node by_peer;          /* half-open responders: the peer's address and SPI, keyed */
    const struct child_config *wanted; /* initiator: the child to negotiate */
    struct secret private;             /* our key exchange octets */
    struct secret shared;
    struct buffer public;
    struct buffer peer_public;
    struct buffer nonce_i;
    struct buffer nonce_r;
    struct buffer cookie;
    struct buffer init_request;  /* RealMessage1, as last sent */
    struct buffer init_response; /* RealMessage2 */
    struct buffer auth;          /* our AUTH data */
    struct child_sa *child;      /* until it is installed */
    uint32_t auth_life_s;        /* initiator: the peer's AUTH_LIFETIME; 0: none */
    uint16_t child_error;        /* why there is no child; a notify type */
    uint8_t child_proposal;      /* responder: number of the chosen proposal */
    uint8_t init_proposal;
    uint8_t cookies; /* how often a COOKIE was asked of us */
    uint8_t groups_tried;
    struct address came_from; /* responder: of IKE_SA_INIT; IKE_AUTH may float to another port */
    uint64_t source;          /* responder: whose half-open SA it is (source.h) */
    bool init_refused;        /* an unauthenticated error came; a better answer may still */
    bool initial_contact;
    bool unsent;           /* our last request did not leave this host, for this reason: */
    struct reason refusal; /* why there is no child, or the last reply we dropped */
};

/* A CREATE_CHILD_SA exchange under way: asked for by us, or by the peer. */
enum creation_kind { CREATE_CHILD, CREATE_REKEY_CHILD, CREATE_REKEY_IKE };

enum creation_state {
    CREATE_AWAIT_KEY,     /* ours: our public value, an SPI */
    CREATE_AWAIT_REPLY,   /* ours */
    CREATE_AWAIT_SHARED,  /* g^ir; the peer's: an SPI, too */
    CREATE_AWAIT_INSTALL, /* the kernel's word */
    CREATE_DONE,          /* for the engine to look at and to free */
    CREATE_FAILED,        /* the same; `error` says why */
};

#define CREATION_GONE_MAX 2

struct creation {
    struct step step;
    uint8_t kind;  /* enum creation_kind */
    uint8_t state; /* enum creation_state */
    bool ours;
    uint8_t group; /* enum group; GROUP_NONE: no key exchange of its own */
    uint8_t groups_tried;
    uint8_t proposal; /* the peer's: number of the chosen proposal */
    uint16_t error;   /* a notify type, 0: our own fault or an answer of no use */
    bool deleted;     /* ours: the peer has deleted the child while it was made */
    uint8_t gone;     /* ours, unanswered: how many unknown SPIs the peer has deleted meanwhile */
    bool closes;      /* ours, failed: and the IKE SA cannot live on */
    bool useless;     /* ours, failed: the peer has answered, but it is of no use: */
    struct reason why;
    uint32_t gone_spis[CREATION_GONE_MAX]; /* the last of them */
    uint32_t old_child;                    /* number of the child to be rekeyed */
    uint32_t rival_child; /* of the child that the peer's crossing rekey made, 0: none */
    uint64_t rival_ike;   /* our SPI of the IKE SA that the peer's crossing rekey made, 0: none */
    struct buffer rival_nonce; /* the lower nonce of that exchange */
    const struct child_config *config;
    struct secret private;
    struct secret shared;
    struct buffer public;
    struct buffer nonce_i;
    struct buffer nonce_r;
    struct packet *packet;  /* ours: for which the child is made; NULL: none */
    struct child_sa *child; /* until it is in its SA's list */
    struct ike_sa *heir;    /* REKEY_IKE: until it is established */
};

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

/* A request of ours that is not answered yet. */
struct request {
    struct ike_sa *sa; /* whose it is */
    struct timer retransmit;
    struct buffer octets;      /* its fragments one behind the other */
    struct child_sa *deleting; /* the child that its Delete is about */
    uint64_t since_ms;         /* when it was first sent */
    uint8_t tries;
};

/* Where the peer's request that is being worked on came to, and from: there its reply goes, however
 * the SA moves (RFC 7296 section 2.11). */
struct asker {
    struct address at;
    struct address from;
};

/* Where the seven keys of RFC 7296 section 2.14 lie in ike_sa.keys. */
enum ike_key { KEY_D, KEY_AI, KEY_AR, KEY_EI, KEY_ER, KEY_PI, KEY_PR, KEY_COUNT };

#define MOVEMENT_PEERS_MAX 8
#define FOLLOW_MS          1000 /* an SA follows its peer at most once in this time */

/* What an end that moves needs; made when it first does. */
struct movement {
    struct step step;   /* which address of ours is asked for */
    bool again;         /* and to be asked for once more */
    uint8_t cookie[16]; /* COOKIE2 that we sent */
    uint8_t seen[20];   /* NAT_DETECTION_DESTINATION_IP: how the peer saw us last */
    uint8_t next_peer;
    uint8_t peer_count;
    struct address peers[MOVEMENT_PEERS_MAX]; /* the peer's additional addresses */
    struct address tried_local;               /* where the peer is to answer from before ... */
    struct address tried_remote;              /* ... the SA goes there; FAMILY_NONE: none */
    bool tried_nat;                           /* what holds of NATs there: ... */
    bool tried_here;                          /* ... we are behind one, ... */
    bool tried_there;                         /* ... the peer is */
    uint64_t asked_ms; /* when what was outstanding went to a new place at once; 0: never */
    bool spoiled;      /* the question has gone to others, too */
};

/* A packet that waits for a child: the first that is asked for (RFC 7296 section 2.9). */
struct packet {
    const struct child_config *config; /* whose it is */
    struct selector local;
    struct selector remote;
    bool
        pair; /* no more than this pair of configured selectors, which holds it, is asked for ... */
    bool silent; /* ... and the packet itself is not named */
    struct selector pair_local;
    struct selector pair_remote;
};

struct link;       /* the engine's run-time state of a connection */
struct reassembly; /* reassembly.h */

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
    struct handshake *handshake;         /* NULL: over */
    struct secret keys;
    struct buffer remote_id;

    /* Messages */
    struct request *request;     /* NULL: all are answered */
    struct asker *asker;         /* NULL: nothing is asked of us */
    struct buffer reply;         /* to the peer's last request, as request.octets */
    uint64_t request_digest;     /* keyed hash of the peer's last request */
    struct reassembly *parts[2]; /* of the peer's next request, and of the response to ours */
    uint64_t iv_counter;

    /* Children */
    struct child_sa_list children;
    struct child_sa_list gone; /* deleted; the kernel still receives on them for a moment */
    struct creation *own;      /* the CREATE_CHILD_SA exchange that we asked for */
    struct creation *theirs;   /* and the peer */
    uint64_t wanted_children;  /* bits: children (by their place in the connection) to be made */
    uint64_t replaces;         /* our SPI of the IKE SA to close once this one stands; 0: none */
    struct movement *movement; /* NULL: never moved */
    struct packet *packet;     /* to be named in the next offer of its child; NULL: none */

    uint64_t created_ms;
    uint64_t established_ms;
    uint64_t reauth_ms;   /* the peers' authentication is over; 0: never */
    uint64_t line_ms;     /* when the first of those was that it is an heir of */
    uint64_t heard_ms;    /* the last authenticated message, or use of an inbound SA */
    uint64_t sent_ms;     /* when a message of ours last left */
    uint64_t replied_ms;  /* when the reply was made */
    uint64_t followed_ms; /* when it last followed the peer to another address or port */
    uint64_t hinted_ms;   /* when a hint was last heeded, 0: never */
    uint64_t wishes_ms;   /* no exchange of our own before that */
    struct timer expire;
    struct timer keepalive; /* behind a NAT */
    struct timer later;     /* wishes put off, deleted children that linger */
    struct timer watch;     /* when the peer may have been silent for too long */

    uint32_t next_request; /* message ID of our next request */
    uint32_t expected;     /* message ID of the peer's next request */
    uint32_t elsewhere_ms; /* when the reply was last sent to somewhere else than the peer, ... */
    uint32_t refused_ms;   /* ... and a child that the peer asked for last reported as refused,
                            * both modulo 2^32; 0: never */
    uint32_t steps;        /* how many steps were begun: the number of the last one */
    uint32_t asked;        /* the kernel is asked what came in under this number, what went out
                            * under the next, ... */
    uint8_t asked_count;   /* ... and so many answers are missing */
    uint8_t state;         /* enum ike_state */
    uint8_t repeats;       /* how often the reply was asked for again */
    uint8_t serving;       /* exchange of the peer's last request */
    uint8_t remote_id_type;
    uint16_t datagram_max; /* what the path seems to carry, 0: what is configured */
    struct suite suite;
    struct address local;
    struct address remote;
    struct address proven; /* where the peer surely was: it was first reached there */

    bool initiator : 1;    /* the original one */
    bool half_open : 1;    /* counted as such: a responder whose peer is not authenticated */
    bool delete_asked : 1; /* close it as soon as nothing else is outstanding */
    bool superseded : 1;   /* a newer one carries the same child */
    bool inherited : 1;    /* rekeyed: its heir has the children, the Delete is to come */
    bool expecting : 1;    /* an heir: our own rekeying decides whether it gets the children */
    bool lone : 1;         /* made without a child (RFC 6023): it may stay without one */
    bool settled : 1;      /* a lone one: its first child has shown of which connection it is */
    bool reauth_told : 1;  /* the peer has shortened `reauth_ms`: `expire` is to follow */
    bool child_lost : 1;   /* the peer has deleted one; the engine has yet to see to it */
    bool childless : 1;    /* `expire` is armed for an IKE SA without a child */
    bool rekey_due : 1;    /* the IKE SA's soft lifetime is over */
    bool probe_due : 1;    /* a liveness check is to be sent */
    bool hasty : 1;        /* fewer tries will do: somebody says that the peer has forgotten us, or
                            * there are other addresses */
    bool look_kernel : 1;  /* are the children's SAs there?  Somebody wants to know, ... */
    bool look_peer : 1;    /* ... and whether the peer is */
    bool asked_in : 1;     /* what came in, too, when the kernel was last asked */
    bool came_in : 1;      /* by a child, since the kernel was asked before; the same ... */
    bool went_out : 1;     /* ... for what we send */
    bool busy : 1;         /* either of them, when it was last asked */
    bool unheard : 1;      /* we send, and nothing comes in */
    bool peer_wants_pfs : 1; /* it refused a child without a key exchange of its own */
    bool fragments : 1;      /* both ends have agreed on fragments (RFC 7383) */
    bool encap : 1;          /* ESP goes in UDP, between the ports of `local` and `remote` */
    bool nat_known : 1;      /* the peer takes part in NAT detection */
    bool nat_here : 1;       /* we are behind a NAT */
    bool nat_there : 1;      /* the peer is */
    bool nat_pretended : 1;  /* the configuration wants the peer to believe that we are */
    bool leads : 1;          /* we made the first IKE SA of the line, whoever rekeyed it */
    bool mobike : 1;         /* both ends have agreed on it (RFC 4555) */
    bool follow_due : 1;     /* it moved again within FOLLOW_MS; the kernel's SAs are to follow */
    bool update_due : 1;     /* the peer is to learn our new address ... */
    bool updating : 1;       /* ... and is being told */
    bool announce_due : 1;   /* the initiator is to learn the responder's */
    bool reply_waits : 1;    /* our reply leaves when the kernel has what was held */
    bool check_due : 1;      /* whether the peer is where it is tried (trial.h) ... */
    bool checking : 1;       /* ... is being asked */
};
TAILQ_HEAD(ike_sa_list, ike_sa);

struct sa_table {
    struct ike_sa_list all;
    struct hash_table by_spi;
    struct hash_table by_peer;
    struct hash_table by_id;
    struct hash_table children_in;  /* listed children by their SPIs ... */
    struct hash_table children_out; /* ... the outbound ones keyed */
    struct hash_table reqids;       /* those that children hold as their own */
    struct interval_tree claims;    /* of children, by remote addresses */
    uint8_t hash_key[16];
    size_t count;
    size_t half_open;
    struct source_counts half_open_of;
    size_t parts_octets;          /* that reassembly holds for all SAs ... */
    size_t parts_stranger_octets; /* ... and of these for half-open ones */
    uint64_t next_number;
};

/* What every exchange is given: the engine's means, and the time of this event. */
struct context {
    struct crypto *crypto;
    const struct config *config;
    struct effect_queue *effects;
    struct heap *timers;
    struct sa_table *sas;
    void (*random)(void *context, void *to, size_t size);
    void *random_context;
    uint8_t *scratch;  /* IKE_MESSAGE_MAX octets to build a message in */
    uint8_t *cuttings; /* FRAGMENTS_OCTETS_MAX octets for the fragments of one */
    uint64_t now_ms;
    bool debug; /* debug reports are wanted */
    uint32_t next_child;
    uint32_t out_order; /* how many outbound SAs were handed to the kernel */
    uint64_t counters[COUNTER_COUNT];
};

static inline void count(struct context *context, enum counter counter)
{
    context->counters[counter]++;
}

/* --- The table --- */

MUST_USE bool sa_table_init(struct sa_table *table, struct context *context);
void sa_table_free(struct sa_table *table, struct context *context);

/* By our own SPI, whichever half of the header it stands in. */
struct ike_sa *sa_table_find(const struct sa_table *table, uint64_t spi);

/* A half-open responder by the peer's address, port and SPI. */
struct ike_sa *sa_table_find_half_open(const struct sa_table *table, const struct address *remote,
                                       uint64_t spi_i);

/* Enters a new SA; takes out one that ends. */
void sa_table_add(struct sa_table *table, struct ike_sa *sa);
void sa_table_remove(struct sa_table *table, struct ike_sa *sa);

/* Enters an SA whose peer is authenticated under the peer's identity. */
void sa_table_add_id(struct sa_table *table, struct ike_sa *sa);

/* The next SA with the same authenticated peer as `sa`, other than it; `after` continues (NULL: the
 * first). */
struct ike_sa *sa_table_same_peer(const struct sa_table *table, const struct ike_sa *sa,
                                  const struct ike_sa *after);

/* The next established SA with a peer of this identity; `after` as above. */
struct ike_sa *sa_table_find_peer(const struct sa_table *table, const struct identity *identity,
                                  const struct ike_sa *after);

/* The listed child that an SA of the kernel's belongs to, by what the kernel says of it; NULL when
 * there is none.  Its IKE SA is the child's owner. */
struct child_sa *sa_table_find_child(const struct sa_table *table, uint8_t protocol, uint32_t spi,
                                     const struct address *destination);

/* The same for outbound SAs alone. */
struct child_sa *sa_table_find_outbound(const struct sa_table *table, uint8_t protocol,
                                        uint32_t spi, const struct address *remote);

/* Is there another listed child to whose outbound SA the kernel would give the same name, were the
 * peer of `child` at `remote`?  SPIs are the peer's choice: of two such SAs the kernel takes only
 * the first, and the end of one would be that of the other. */
bool sa_table_outbound_taken(const struct sa_table *table, const struct child_sa *child,
                             const struct address *remote);

/* A child's selectors are settled and its peer is authenticated: from now on it stands in the way
 * of others that want the same traffic.  The second time is harmless. */
void sa_table_claim(struct sa_table *table, struct ike_sa *sa, struct child_sa *child);

/* Reqids of children that have policies, and so a reqid, of their own: one to each, for as long as
 * the child is there.  A rekeyed one and its successor share theirs.  Draw says one that is free;
 * hold takes the child's, whatever it is, and does nothing for one that is configured. */
uint32_t sa_table_draw_reqid(const struct sa_table *table, const struct context *context);
bool sa_table_reqid_taken(const struct sa_table *table, uint32_t reqid);
void sa_table_hold_reqid(struct sa_table *table, struct child_sa *child);
void sa_table_release_reqid(struct sa_table *table, struct child_sa *child);

/* A child is found by the names of its SAs, or no more; or by nothing any more. */
void sa_table_list_child(struct sa_table *table, struct child_sa *child);
void sa_table_unlist_child(struct sa_table *table, struct child_sa *child);
void sa_table_remove_child(struct sa_table *table, struct child_sa *child);

/* The next child that claims addresses which a remote selector has, too, or lie between some of its
 * own that do; `after` continues (NULL: the first). */
struct child_sa *sa_table_next_claim(const struct sa_table *table, const struct selector *remote,
                                     const struct child_sa *after);

/* --- An IKE SA --- */

/* A new SA with a fresh SPI of ours, in the table.  `spi_i` is the peer's for a responder, 0 for an
 * initiator.  NULL when memory is out. */
struct ike_sa *ike_sa_new(struct context *context, const struct connection *connection,
                          const struct address *local, const struct address *remote,
                          uint64_t spi_i);

/* The child that our outstanding Delete is about. */
static inline struct child_sa *ike_sa_deleting(const struct ike_sa *sa)
{
    return sa->request == NULL ? NULL : sa->request->deleting;
}

/* How many children are listed. */
size_t ike_sa_child_count(const struct ike_sa *sa);

/* Is the child among its own? */
bool ike_sa_carries(const struct ike_sa *sa, const struct child_config *config);

/* Does another IKE SA of the same connection and peer carry this child? */
bool ike_sa_has_elder(const struct context *context, const struct ike_sa *sa,
                      const struct child_config *config);

/* Hands all children to another IKE SA, which then looks at once what is to be done with them. */
void ike_sa_inherit(struct context *context, struct ike_sa *from, struct ike_sa *to);

/* The peer has told (RFC 4478) to authenticate again in so many seconds from `from_ms`; no peer has
 * us do so more often than once in a minute: *told_s is what was made of it.  False when an earlier
 * limit stands. */
bool ike_sa_limit_authentication(struct ike_sa *sa, uint64_t from_ms, uint32_t *told_s);

/* Asks, as part of a step, by which address of ours the peer is reached. */
MUST_USE bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step);

/* What it needs to move; NULL when memory is out. */
struct movement *ike_sa_movement(struct ike_sa *sa);

/* May it go to a peer at `remote`? */
bool ike_sa_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote);

/* It gets other ends, and its children follow; what else about the path has changed (encap) was set
 * before. */
void ike_sa_move(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote);

/* Would it follow its peer too soon? */
bool ike_sa_rests(const struct context *context, const struct ike_sa *sa);

/* It goes where the peer says.  One that says so more often than once in FOLLOW_MS is answered
 * there, and the kernel's SAs go where it was last when that time is over: each move costs several
 * requests for each of them. */
void ike_sa_follow(struct context *context, struct ike_sa *sa, const struct address *local,
                   const struct address *remote);

/* An heir goes on where the SA that it comes from is, however far that has moved. */
void ike_sa_take_path(struct ike_sa *heir, const struct ike_sa *old);

/* Ends the exchange and all that it has made so far; NULL is harmless. */
void creation_end(struct context *context, struct ike_sa *sa, struct creation **creation);

/* The packet is asked for, or not to be; harmless when there is none. */
void ike_sa_drop_packet(struct ike_sa *sa);

/* Takes it out of the table and wipes and frees all it owns; kernel state is the caller's matter
 * (child_remove). */
void ike_sa_free(struct context *context, struct ike_sa *sa);

/* Our request is answered, or is not to be sent any more; harmless when there is none. */
void ike_sa_end_request(struct context *context, struct ike_sa *sa);

/* It is no longer half-open: an authenticated peer, or the end. */
void ike_sa_leave_half_open(struct context *context, struct ike_sa *sa);

/* It has done its part: wiped and freed, and SK_pi and SK_pr with it, which only AUTH needs. */
void ike_sa_end_handshake(struct ike_sa *sa);

static inline uint64_t ike_sa_own_spi(const struct ike_sa *sa)
{
    return sa->initiator ? sa->spi_i : sa->spi_r;
}

/* A slice of sa->keys; empty when it is there no more (ike_sa_end_handshake). */
struct slice ike_sa_key(const struct ike_sa *sa, enum ike_key key);

/* Octets that the keys before `end` take for a suite; KEY_COUNT: all seven. */
size_t ike_keys_size(const struct suite *suite, enum ike_key end);

struct identity ike_sa_remote_id(const struct ike_sa *sa);

/* Is their peer the same, by its identity? */
bool ike_sa_same_identity(const struct ike_sa *a, const struct ike_sa *b);

/* Arms or moves a timer. A failure for want of memory is counted: the SA's other timer, or its
 * peer, ends it. */
void ike_sa_timer(struct context *context, struct timer *timer, uint64_t due_ms);
void ike_sa_timer_stop(struct context *context, struct timer *timer);

/* Begins a batch of effects whose answers are awaited together. */
void step_begin(struct ike_sa *sa, struct step *step);

/* An effect to be answered in this step; NULL when memory is out (the step then ends in FAIL). */
struct effect *step_effect(struct context *context, struct ike_sa *sa, struct step *step,
                           enum effect_kind kind);

/* What could not be asked, for want of memory or of room for effects: STATUS_FAIL. */
enum status step_fault(const struct context *context, struct reason *reason);

/* The handshake goes on to a state that waits for answers. */
void ike_sa_step(struct ike_sa *sa, enum ike_state state);

/* Reports something about an SA; `sa` may be NULL (R3). */
void report(struct context *context, const struct ike_sa *sa, enum severity severity,
            const char *event, const char *format, ...) PRINTF_LIKE(5, 6);

/* --- Children --- */

/* Was it deleted, though the kernel still receives on it? */
static inline bool child_is_gone(const struct child_sa *child)
{
    return child->standing && !child->listed;
}

/* Puts a child that the kernel holds into its SA's list, and asks for its own policies. */
void child_list(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* By its number; NULL when it is gone. */
struct child_sa *child_find(const struct ike_sa *sa, uint32_t number);

/* The one that the peer means by its own inbound SPI. */
struct child_sa *child_find_outbound(const struct ike_sa *sa, uint8_t protocol, uint32_t spi_out);

/* The peer sends its next request: with a window of one it has our answer to the last (RFC 7296
 * section 2.3), and so the children that it asked for. */
void child_prove_all(struct ike_sa *sa);

/* `made` is to replace it: whoever asked for that deletes it, we do at `leaves_ms`.  When `made`
 * goes first, it stays, and the mark goes with what replaced it. */
void child_replace(struct child_sa *old, struct child_sa *made, uint64_t leaves_ms);

/* What was to replace it is gone, or did not suit: it stays, and if it was due to be rekeyed by us,
 * is so later, in half of what is left of its life. */
void child_keep(struct context *context, const struct ike_sa *sa, struct child_sa *child);

/* Is its life nearly over? */
bool child_nears_end(const struct context *context, const struct child_sa *child);

/* The exchange that made it is not followed, though the peer holds it for made: it is listed for
 * its Delete alone. */
void child_undo(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* A deleted child leaves the list; the kernel receives on it until `leaves_ms`, and for a moment it
 * sends what was on its way when the successor came. */
void child_linger(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* What lingers in `from` does so in `to` from now on. */
void children_linger_in(struct ike_sa *to, struct ike_sa *from);

/* Removes lingering children whose time is over; when it is to be called next. */
void child_sweep(struct context *context, struct ike_sa *sa);
uint64_t child_sweep_ms(const struct ike_sa *sa);

struct child_sa *child_new(struct context *context, const struct child_config *config);
void child_free(struct child_sa *child);

/* The configuration has moved to new memory. */
void child_rebind(struct child_sa *child, const struct child_config *config);

/* The child gets the negotiated selectors. False when memory is out. */
MUST_USE bool child_set_selectors(struct child_sa *child, const struct selector *local,
                                  size_t local_count, const struct selector *remote,
                                  size_t remote_count);

/* The kernel's SAs of the child get the ends that its IKE SA has now. */
void child_follow(struct context *context, const struct ike_sa *sa, struct child_sa *child);

/* All that `holder` has, the lingering ones too, get the ends of `sa`; in the order in which their
 * outbound SAs came, since the kernel takes the latest. */
void children_follow(struct context *context, const struct ike_sa *holder, const struct ike_sa *sa);

/* What waits is not to come; harmless when nothing does. */
void child_drop_held(struct child_sa *child);

/* Asks the kernel to forget the outbound SA, so that packets take another one. */
void child_remove_outbound(struct context *context, struct child_sa *child);

/* The same, unless a later one takes the packets already: then the kernel may be encrypting one
 * with this, and would drop it; it goes when the child has left the list.  Earlier ones that linger
 * for this reason go now. */
void child_retire_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* Asks the kernel to forget all of the child, takes it out of its SA and frees it.  Where it had a
 * policy of its own, whoever else wants one for the same pair gets it back, without a gap. */
void child_remove(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* Asks for, or to be rid of, the policies of one pair of selectors: those of a child, between the
 * ends that it has; or configured ones (child_pair). */
void child_policy(struct context *context, enum effect_kind kind, const struct child_sa *child,
                  const struct selector *local_selector, const struct selector *remote_selector);
void configured_policy(struct context *context, enum effect_kind kind,
                       const struct child_config *config, const struct child_selectors *pair);

/* Asks for all policies of a child's own. */
void child_install_policies(struct context *context, const struct child_sa *child);

/* The child of a connection that is configured with just this pair (child_pair), and the pair; NULL
 * when none is. */
const struct child_config *connection_find_pair(const struct connection *connection,
                                                const struct selector *local,
                                                const struct selector *remote,
                                                struct child_selectors *pair);

/* Whose is the pair by configuration, when no SA has it?  The first child's that is configured with
 * it and whose peer is known, else the first one's for any peer, who can ask nobody; NULL: none. */
const struct child_config *config_pair_holder(const struct config *config,
                                              const struct selector *local,
                                              const struct selector *remote,
                                              struct child_selectors *pair);

#endif
