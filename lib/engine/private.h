/*
 * What the files of the engine share; nobody outside includes this.
 */
#ifndef LIB_ENGINE_PRIVATE_H
#define LIB_ENGINE_PRIVATE_H

#include "lib/engine/engine.h"
#include "lib/sa/admission.h"
#include "lib/sa/event.h"
#include "lib/sa/sa_table.h"

/* A command that waits for its outcome. */
struct waiting {
    TAILQ_ENTRY(waiting) entry;
    uint64_t number;
    enum command_kind kind;
    bool believed; /* to be up: whether it is, is being looked at */
};
TAILQ_HEAD(waiting_list, waiting);

/* A pair of configured selectors for which the peer, or a limit, has left us without a child. */
struct refused_pair {
    TAILQ_ENTRY(refused_pair) entry;
    const struct child_config *config;
    struct selector local;
    struct selector remote;
    uint64_t until_ms; /* it is not asked for again before */
    uint32_t failures; /* in a row */
    char why[64];
};
TAILQ_HEAD(refused_pairs, refused_pair);

/* A peer with a name or several addresses is called at one after the other (link_addresses.h). */
struct dial {
    uint8_t peer;    /* of the connection's peers: whose turn it is ... */
    uint8_t turns;   /* ... and how many have had theirs in this try */
    uint8_t asked;   /* about which one the resolver is asked */
    uint8_t target;  /* of the addresses: which one is called ... */
    uint8_t count;   /* ... and how many are to be */
    bool waits;      /* for the resolver's answer */
    uint8_t unknown; /* bits: names that were never resolved */
    uint32_t number; /* of the question */
    uint64_t wanted; /* bits: children to be made ... */
    uint64_t trying; /* ... and those of the call under way */
    uint64_t replaces;
    struct address addresses[CONFIG_RESOLVED_MAX];
};

/* The run-time state of a configured connection. */
struct link {
    TAILQ_ENTRY(link) entry;
    struct hash_node by_name;
    const struct engine *engine;
    const struct connection *connection;
    TAILQ_HEAD(, ike_sa) sas;
    struct waiting_list waiting;
    struct dial *dial;     /* NULL: the peer has the one address */
    struct packet *packet; /* that has just asked for a child; NULL: none */
    struct refused_pairs refused;
    uint64_t single_pairs; /* bits: children of which the peer takes one pair of selectors each */
    struct timer retry;
    uint64_t retry_until_ms; /* traffic waits in the kernel until then: worth trying again */
    uint32_t failures;       /* in a row */
    uint64_t lost_children;  /* bits: children to be made anew, their peer having died */
    bool cleared;            /* the policies went with a dead peer */
    bool orphans;            /* SAs of an earlier life are to be replaced */
    uint64_t idle_said_ms; /* when it was said that traffic waits and we may not start; 0: never */
    char *last_error;      /* NULL: the last try did well */
    uint64_t last_error_ms;
};
TAILQ_HEAD(link_list, link);

struct engine {
    struct changes *changes; /* to another configuration, under way; NULL: none */
    uint64_t lost_told;      /* effects that were lost */
    uint32_t questions;      /* to the resolver: the number of the last one */
    struct context context;  /* first of all the means that exchanges get */
    const struct protocol *const *protocols;
    struct config *config;
    struct sa_table sas;
    struct heap timers;
    struct link_list links;
    struct hash_table links_by_name;
    struct admission admission;
    uint64_t shutdown_command;
};

#endif
