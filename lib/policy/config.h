/*
 * The configuration as iked understands it: what the operator wrote, checked and with defaults.
 *
 * Both processes parse the same text into the same struct: the keeper to know what it may allow,
 * the negotiator to know what to do.  Secrets are a file and a struct of their own (secrets.h).
 * Not here: reading files, choosing among connections (match.h).
 */
#ifndef LIB_POLICY_CONFIG_H
#define LIB_POLICY_CONFIG_H

#include <stdio.h>
#include <sys/queue.h>

#include "lib/base/address.h"
#include "lib/base/hash.h"
#include "lib/base/interval.h"
#include "lib/base/pool.h"
#include "lib/crypto/algorithm.h"
#include "lib/policy/identity.h"

#define CONFIG_NAME_MAX        63 /* letters, digits, '-', '_', '.' */
#define CONFIG_CONNECTIONS_MAX 65536
#define CONFIG_CHILDREN_MAX    64  /* per connection */
#define CONFIG_SELECTORS_MAX   16  /* per side of a child */
#define CONFIG_PROPOSALS_MAX   8   /* per list */
#define CONFIG_ALGORITHMS_MAX  12  /* per type in one proposal */
#define CONFIG_HOST_MAX        253 /* a host's name */
#define CONFIG_PEERS_MAX       8   /* addresses and names of one peer */
#define CONFIG_RESOLVED_MAX    8   /* addresses that are taken of one name */
#define CONFIG_KNOWN_MAX       16  /* addresses that one peer is known by */

/* One string of `proposals` or `esp`: alternatives by type, in order of preference. */
struct algorithm_list {
    uint8_t count;
    uint8_t ids[CONFIG_ALGORITHMS_MAX]; /* enum encr, prf, integ or group */
};

bool algorithm_list_has(const struct algorithm_list *list, unsigned id);

struct proposal {
    struct algorithm_list encr;
    struct algorithm_list integ; /* empty with AEADs: AEAD and other ciphers are never mixed */
    struct algorithm_list prf;   /* IKE only */
    struct algorithm_list group; /* IKE; for a child: PFS at rekeying */
    bool esn;                    /* child only: extended sequence numbers allowed ... */
    bool no_esn;                 /* ... and 32-bit ones */
};

struct proposal_list {
    uint8_t count;
    struct proposal items[CONFIG_PROPOSALS_MAX];
};

enum child_mode { CHILD_TRANSPORT, CHILD_TUNNEL };
enum child_start { START_TRAFFIC, START_IMMEDIATE, START_NEVER };
enum child_policy { POLICY_REQUIRE, POLICY_PREFER };

/* What follows when an established peer does not answer any more. */
enum on_dead { DEAD_TRAP, DEAD_RESTART, DEAD_CLEAR };

struct child_config {
    TAILQ_ENTRY(child_config) entry;
    struct hash_node by_reqid;
    const struct connection *connection; /* its owner */
    const char *name;
    uint32_t reqid; /* same for the same connection and child in every process (see config.c) */
    enum child_mode mode;
    enum child_start start;
    enum child_policy policy;
    uint8_t local_count;
    uint8_t remote_count;
    /* Whole selectors of the child.  A transport child's addresses are the connection's; with
     * remote = "any", a name or several addresses the default remote selector is the peer's own
     * address: remote_count is 0. */
    const struct selector *local;
    const struct selector *remote;
    const struct proposal_list *esp;
    uint32_t replay_window; /* packets, default 128; 0 turns replay protection off */
    uint32_t lifetime_s;    /* 0: no limit */
    uint64_t lifetime_bytes;
    uint64_t lifetime_packets;
    struct configured_pair *pairs; /* what child_pair says, where others find it (overlap.h) */
    uint16_t pair_count;
};
TAILQ_HEAD(child_config_list, child_config);

#define FRAGMENT_SIZE_MIN 576 /* RFC 7383 section 2.5.1 */

/* Where a peer may be: an address, or a name to be resolved. */
struct peer_address {
    struct address address; /* FAMILY_NONE: by its name */
    char *name;             /* NULL: by its address */
};

/* An address by which a peer with a name or several addresses is known. */
struct known_address {
    struct hash_node node;
    const struct connection *connection;
    struct address address;
};

struct connection {
    TAILQ_ENTRY(connection) entry;
    struct hash_node by_name;
    struct hash_node by_remote;              /* the first of each remote address alone */
    const struct connection *next_of_remote; /* in the file's order */
    struct hash_node by_pair;                /* the last of each pair of identities alone */
    /* A ring of those with the same pair of identities and so, maybe, with the same peer: the
     * next one in the file's order, behind the last one the first. */
    const struct connection *next_of_pair;
    uint32_t place; /* in the file's order */
    const char *name;
    struct address local; /* FAMILY_NONE: the one that the host's routes say */
    /* FAMILY_NONE: any peer; we can then only answer.  With `peers` the one in use; unspecified
     * (all zero) until there is one. */
    struct address remote;
    uint8_t peer_count; /* 0: `remote` is all there is */
    uint8_t known_count;
    struct peer_address *peers;  /* a name, or several of either kind */
    struct known_address *known; /* the latest first; room for CONFIG_KNOWN_MAX */
    /* No longer than their size says: who keeps one copies it by identity_of. */
    const struct identity *local_id;
    const struct identity *remote_id;
    const struct proposal_list *proposals;
    uint32_t lifetime_s;
    uint32_t reauth_s;      /* a whole new IKE SA is made by then; 0: never */
    uint32_t sas_max;       /* IKE SAs with one peer; default 16 */
    uint32_t children_max;  /* children of one IKE SA that a peer may have; default 64 */
    bool encapsulate;       /* ESP in UDP though no NAT is seen (RFC 3948) */
    uint8_t version;        /* of IKE; there is one yet */
    bool mobike;            /* RFC 4555, when the peer can, too; never with transport mode */
    uint32_t keepalive_s;   /* behind a NAT: silence after which its mapping is kept alive */
    bool childless;         /* the IKE SA first, RFC 6023, when the peer can, too */
    bool fragmentation;     /* RFC 7383, when the peer can, too */
    uint32_t fragment_size; /* the largest IP datagram that IKE sends */
    uint32_t liveness_s;    /* the peer's longest silence before it is asked; 0: it never is */
    uint8_t on_dead;        /* enum on_dead */
    bool weak;              /* weak algorithms were allowed */
    uint16_t child_count;
    struct child_config_list children; /* at least one */
    const char *file;                  /* where it was written, for messages */
    unsigned line;
};
TAILQ_HEAD(connection_list, connection);

/* Daemon-wide settings, the group `daemon` in the file. */
struct daemon_settings {
    uint32_t half_open_max;           /* cap on half-open SAs of responders; default 1000 */
    uint32_t cookie_threshold;        /* half-open SAs from which COOKIE is asked; default 100 */
    uint32_t source_half_open_max;    /* the same two for those of one source: default 200 ... */
    uint32_t source_cookie_threshold; /* ... and 10 */
    uint32_t half_open_s;             /* their life; default 30 */
    uint32_t retransmit_ms;           /* first wait; default 1000 */
    uint32_t retransmit_tries;        /* default 5 */
    bool clear_on_exit;   /* on_exit = "clear": SIGTERM removes policies; default "keep" */
    bool open_on_failure; /* on_failure = "open": nothing is blocked when iked cannot run */
};

struct config {
    struct daemon_settings daemon;
    bool says_connections; /* the group stands in a file, be it empty */
    size_t connection_count;
    struct connection_list connections;
    struct hash_table names;        /* of connections */
    struct hash_table remotes;      /* of connections */
    struct hash_table known;        /* addresses of connections with peers of their own */
    struct hash_table pairs_of_ids; /* of connections */
    struct hash_table reqids;       /* of children */
    struct interval_tree pairs;     /* of children, by their remote addresses (overlap.h) */
    struct pool pool;               /* what several connections and children may have in common */
};

/* One file's text.  Several make one configuration, in the order given. */
struct config_text {
    const char *path; /* for messages only */
    struct slice text;
};

#define CONFIG_ERROR_MAX 512

/* Parses and validates.  NULL on the first fault, with one line in `error`:
 * "iked.conf:12: esp: "aes257": no such algorithm; the nearest is "aes256"". */
struct config *config_parse(const struct config_text *texts, size_t count,
                            char error[CONFIG_ERROR_MAX]);
void config_free(struct config *config);

/* What is without a fault in texts that are not: files whose syntax can be read, and in them the
 * connections that are right, and on_failure.  NULL when memory is out. */
struct config *config_salvage(const struct config_text *texts, size_t count);

/* A file that was emptied or cut says nothing of connections: false with a line in `error`. */
MUST_USE bool config_is_complete(const struct config *config, const char *path,
                                 char error[CONFIG_ERROR_MAX]);

/* What is told of one without a fault: "iked.conf: 2 connections, no fault". */
char *config_verdict(const struct config *config, const char *path, char text[CONFIG_ERROR_MAX]);

const struct connection *config_find(const struct config *config, const char *name);

/* The first connection whose remote is this host (FAMILY_NONE: "any"); next_of_remote goes on. */
const struct connection *config_find_remote(const struct config *config,
                                            const struct address *remote);

/* For the functions here that change one: the same connection, writable. */
struct connection *config_own(struct config *config, const char *name);

/* --- Peers with a name or several addresses (known.c); nothing happens to other connections --- */

/* Is this one of the peer's names? */
bool connection_has_peer(const struct connection *connection, const char *name);

/* Are the peers in the same places, by the file's word? */
bool peers_equal(const struct connection *a, const struct connection *b);

/* The i-th pair of selectors that is protected as long as the connection is configured, and where
 * the peer is that it is for: nowhere (an unspecified address) with remote = "any", and as long as
 * no address is known.  False past the last.  There is none for the own address of a peer that is
 * not known, so none at all for any peer where no remote selector is configured. */
struct child_selectors {
    struct selector local;
    struct selector remote;
    struct address peer;
};
bool child_pair(const struct child_config *child, size_t i, struct child_selectors *pair);

/* Calls `each` with one line for every child for whose traffic an earlier one is configured (the
 * kernel has one policy for it), within which another connection's lies or with which that has
 * something in common, and that no peer ever gets.  That is no fault: the other one may go. */
void config_shared(const struct config *config, void (*each)(void *context, const char *line),
                   void *context);

/* Calls `each` with one line for every child that has no policies while no peer has an SA: what it
 * is for passes in the clear then. */
void config_unheld(const struct config *config, void (*each)(void *context, const char *line),
                   void *context);

const struct child_config *connection_find_child(const struct connection *connection,
                                                 const char *name);

/* The connection of a child by its reqid, NULL when none. */
const struct child_config *config_find_reqid(const struct config *config, uint32_t reqid,
                                             const struct connection **connection);

/* "aes256gcm16-prfsha384-ecp384"; returns `text`. */
char *proposal_text(const struct proposal *proposal, char *text, size_t size);

#endif
