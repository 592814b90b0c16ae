/*
 * What the keeper knows to be in the kernel on iked's behalf: SPIs, SAs, policies, and whose.
 *
 * The gate decides with it; orphans, clean-up and reconciliation walk it.  It holds no key.
 * "Session" is a life of the negotiator: SAs of an earlier session are orphans.
 * Not here: rules (gate.h), netlink (xfrm_io.c).
 */
#ifndef IKED_KEEPER_GATE_LEDGER_H
#define IKED_KEEPER_GATE_LEDGER_H

#include <sys/queue.h>

#include "iked/keeper/xfrm/kernel.h"
#include "lib/base/interval.h"

#define LEDGER_SAS_MAX 1048576
#define SINCE_MS_MASK  ((UINT64_C(1) << 43) - 1) /* sa_record.since_ms */
/* What requests may add; what the configuration requires goes in besides, and has an end of its
 * own. */
#define LEDGER_POLICIES_MAX 1048576
#define LEDGER_PIECES_MAX   1048576
/* Different ends of the policies of one reqid: one, or some more while the peer or this host moves.
 * What the configuration requires goes in besides. */
#define REQID_TEMPLATES_MAX 64

struct sa_record;
struct sa_walk;
TAILQ_HEAD(sa_record_list, sa_record);

/* All that belongs to one child of one connection. */
struct owner {
    struct hash_node node;
    TAILQ_ENTRY(owner) entry;
    struct sa_record_list sas;
    struct name connection;
    struct name child;
    uint32_t sa_count;     /* all of them, with bare SPIs and orphans */
    uint32_t spi_count;    /* bare SPIs: allocated, not yet filled */
    uint32_t orphan_count; /* SAs of an earlier session */
    uint32_t policy_count;
    uint64_t acquire_ms; /* when the last ACQUIRE was passed on, 0: never */
};
TAILQ_HEAD(owner_list, owner);

struct template_use;

/* A reqid in use and who uses it: one owner at a time. */
struct reqid_use {
    struct hash_node node;
    struct owner *owner;
    struct template_use *templates; /* of its policies */
    uint32_t reqid;
    uint32_t use_count;
    uint32_t out_count; /* of its SAs: outbound ones */
    bool mute;          /* it had one, and has none any more */
};

/* There are many of these, of policies and of pieces. */
struct sa_record {
    struct hash_node node;
    TAILQ_ENTRY(sa_record) entry; /* of the owner's */
    struct reqid_use *reqid;      /* whose owner it is */
    uint64_t since_ms : 43; /* an orphan: when it became one; any other: when a MAPPING was passed
                             * on last, 0: never */
    uint64_t protocol : 7;  /* enum ipsec_protocol */
    uint8_t mode : 1;       /* enum child_mode */
    bool inbound : 1;
    bool encap : 1;  /* in UDP (RFC 3948) */
    bool filled : 1; /* false: only the SPI is allocated */
    bool orphan : 1; /* of an earlier session */
    bool is_v6 : 1;  /* both ends */
    uint8_t seen;    /* the ledger's `look` in which the kernel last had it */
    uint32_t spi;
    uint16_t source_port; /* the ports matter when it is in UDP */
    uint16_t destination_port;
    uint8_t ends[]; /* the addresses, the source first */
};

/* Policies of one reqid that lead to the same ends share this (policy_template_of). */
struct template_use {
    struct template_use *next; /* of the reqid */
    struct reqid_use *reqid;
    uint32_t use_count;
    uint8_t protocol; /* enum ipsec_protocol */
    uint8_t mode;     /* enum child_mode */
    uint8_t policy;   /* enum child_policy */
    uint8_t family;   /* of both ends */
    uint8_t ends[];   /* the addresses, the local one first */
};

/* What one owner wants for one pair of selectors. */
struct policy_record {
    struct hash_node node;
    struct template_use *template; /* whose reqid's owner it is */
    struct interval by_remote;     /* held: found by its remote addresses */
    uint32_t session : 22;
    bool for_any : 1; /* its connection takes any peer */
    bool held : 1;    /* it is in the hands of an SA, and not as configured */
    uint8_t pair_size;
    uint8_t pair[]; /* the local selector, then the remote one (selector_pack) */
};

/* One of those that want a piece. */
struct piece_want {
    union {
        struct piece_want *below; /* who waits for it to go */
        uint32_t left_reqid;      /* no policy: of the template that was left behind */
    };
    struct policy_record *policy;
};

/* A policy of the kernel.  Pairs that meet in one want it, too: the kernel has the template of the
 * one on top, and when that goes, of the one below it. */
struct piece_record {
    struct hash_node node;
    struct piece_want top; /* no policy: it was left behind by an earlier keeper */
    uint8_t left_mode;     /* left behind: enum child_mode */
    uint8_t seen;          /* the ledger's `look` in which the kernel last had all of it ... */
    uint8_t part_seen;     /* ... and some of it: */
    uint8_t parts;         /* bits of enum kernel_direction; left behind: where it requires */
    uint8_t octets[];      /* what it selects (piece_of) */
};

struct ledger {
    struct hash_table owners;
    struct hash_table reqids;
    struct hash_table sas;
    struct hash_table policies;
    struct hash_table pieces;
    struct interval_tree held; /* policies in the hands of SAs */
    struct owner_list owner_list;
    struct sa_walk *walks; /* those under way */
    uint8_t hash_key[16];
    uint8_t look; /* the number, never 0, of the latest look through the kernel's tables */
    uint32_t session : 22;
    uint32_t sa_count;
    uint32_t orphan_count;
};

/* False when memory is out. */
MUST_USE bool ledger_init(struct ledger *ledger, const uint8_t hash_key[16]);
void ledger_free(struct ledger *ledger);

/* NULL when there is none. */
struct owner *ledger_owner(const struct ledger *ledger, const struct name *connection,
                           const struct name *child);

/* Who uses a reqid; NULL when nobody does. */
struct owner *ledger_reqid_owner(const struct ledger *ledger, uint32_t reqid);

/* Do policies lead to it? */
bool ledger_reqid_has_policies(const struct ledger *ledger, uint32_t reqid);

/* --- SAs, named as the kernel names them: by destination, SPI and protocol --- */

struct sa_record *ledger_find_sa(const struct ledger *ledger, const struct address *destination,
                                 uint32_t spi, uint8_t protocol);

/* Its ends, with their ports. */
struct address sa_source(const struct sa_record *sa);
struct address sa_destination(const struct sa_record *sa);
struct address sa_local(const struct sa_record *sa);
struct address sa_remote(const struct sa_record *sa);

/* What an SA begins with. */
struct sa_entry {
    const struct name *connection;
    const struct name *child;
    const struct address *source;
    const struct address *destination;
    uint32_t spi;
    uint32_t reqid;
    uint8_t protocol;
    uint8_t mode;
    bool inbound;
    bool encap;
    bool filled;
    bool orphan;
};

/* Why the ledger took no SA, or no policy, of this child under this reqid: a line for people.  What
 * NULL and false below mean is not always memory. */
const char *ledger_sa_fault(const struct ledger *ledger, const struct name *connection,
                            const struct name *child, uint32_t reqid);
const char *ledger_policy_fault(const struct ledger *ledger, const struct name *connection,
                                const struct name *child, uint32_t reqid);

/* NULL when memory is out, LEDGER_SAS_MAX are there or the reqid is another owner's. */
struct sa_record *ledger_add_sa(struct ledger *ledger, const struct sa_entry *entry);

/* The bare SPI has become an SA, or is one no more. */
void ledger_fill_sa(const struct ledger *ledger, struct sa_record *sa, bool filled);

/* An SA is filled under another reqid than its SPI was allocated for: only then is it known whether
 * the child needs policies, and so a reqid, of its own.  False when memory is out or the reqid is
 * another owner's. */
MUST_USE bool ledger_set_reqid(struct ledger *ledger, struct sa_record *sa, uint32_t reqid);

/* An SA has other ends from now on, in UDP or not.  It may stand elsewhere then: the record is
 * returned; NULL when memory is out, and it is as it was. */
MUST_USE struct sa_record *ledger_move_sa(struct ledger *ledger, struct sa_record *sa,
                                          const struct address *source,
                                          const struct address *destination, bool encap);

void ledger_remove_sa(struct ledger *ledger, struct sa_record *sa);

/* A walk over all SAs, or over one owner's.  While it is under way any SA may be removed (and its
 * owner with it), also the one that comes next: see hash_walk (lib/base/hash.h), whose use is the
 * same. */
struct sa_walk {
    struct ledger *ledger;
    struct sa_walk *outer; /* begun before it: the ledger knows them all */
    struct owner *owner;   /* whose `next` is; NULL: no more */
    struct sa_record *next;
    bool all; /* go on with the next owner's */
};

/* `owner` NULL: all. */
void sa_walk_begin(struct sa_walk *walk, struct ledger *ledger, struct owner *owner);

/* NULL: no more. */
struct sa_record *sa_walk_next(struct sa_walk *walk);
void sa_walk_end(struct sa_walk *walk);

/* Another look through the kernel's tables begins.  What is told to the kernel from now on counts
 * as seen; what is not seen when it ends is not there. */
void ledger_next_look(struct ledger *ledger);

/* A new session begins: what is there belongs to the one before. */
void ledger_next_session(struct ledger *ledger, uint64_t now_ms);

/* --- Policies, named by their owner and their pair of selectors --- */

/* What the owner, which may be NULL, wants for the pair; NULL: nothing. */
struct policy_record *ledger_find_policy(const struct ledger *ledger, const struct owner *owner,
                                         const struct selector *local,
                                         const struct selector *remote);

/* Adds what an owner wants for a pair, or changes it.  NULL when memory is out or the reqid is
 * another owner's. */
struct policy_record *ledger_set_policy(struct ledger *ledger, const struct effect_policy *policy,
                                        bool for_any);

/* It wants no piece any more (piece_unwant). */
void ledger_remove_policy(struct ledger *ledger, struct policy_record *policy);

/* Is there no room for one more policy of a request's, of so many pieces? */
bool ledger_is_full(const struct ledger *ledger, size_t pieces);

/* Would it lead to other ends than all policies of its reqid, of which there are enough? */
bool ledger_leads_too_far(const struct ledger *ledger, const struct effect_policy *policy);

/* What it protects, and whose it is. */
struct child_selectors policy_pair(const struct policy_record *policy);

/* Where it leads. */
struct policy_template policy_template_of(const struct policy_record *policy);
struct owner *policy_owner(const struct policy_record *policy);

/* Of policies for one piece the one of the lower class holds it: first what is required, then what
 * is preferred; and in each of them last what is configured for any peer, while none has it. */
uint8_t policy_class(const struct policy_record *policy);

/* The next pair in an SA's hands that has remote addresses in common; `after` continues (NULL: the
 * first). */
const struct policy_record *ledger_next_held(const struct ledger *ledger,
                                             const struct selector *remote,
                                             const struct policy_record *after);

#endif
