/*
 * One simulated run: a plan, a time of faults, a time to recover, the invariants.  Design section
 * 7; the world itself is test/common/world.h.
 *
 *   plan.c    who talks to whom, and how they are configured
 *   shape.c   the same where connections have their hosts, or their traffic, in common
 *   fault.c   what goes wrong, and when
 *   watch.c   what must hold of packets at every moment
 *   check.c   what must hold: always, and once it is quiet
 *   main.c    runs, one seed each
 */
#ifndef TEST_SIMULATE_SIMULATE_H
#define TEST_SIMULATE_SIMULATE_H

#include "test/common/probe.h"
#include "test/common/world.h"

#define PAIRS_MAX    190
#define CHILDREN_MAX 2
#define RECORDED_MAX 64
#define SUBNET_MAX   96

#define WATCHED_MAX        96
#define WATCHED_OWNERS_MAX 4

enum narrowing { NARROW_NOT, NARROW_PREFIX, NARROW_SUBSET };

/* One end of a pair: what its host's configuration says of it. */
struct end {
    struct host *host;
    char name[16]; /* of the connection; hosts that take any peer have one for each mode */
    const char *proposal;
    const char *start;
    const char *mode;       /* "transport" or "tunnel" */
    enum narrowing narrow;  /* this end allows less */
    bool any;               /* the remote is "any" */
    bool roams;             /* local is "any": its host's address may change ... */
    bool mobike;            /* ... and its SAs with it */
    uint32_t fragment_size; /* 0: no fragments */
    bool left_out;          /* for a while the connection is not configured */
    bool wrong_secret;
    bool wrong_secret_planned;
    bool prefers;        /* its policy */
    bool by_name;        /* the remote is */
    bool thief;          /* for a while it is configured with what another one has */
    uint32_t lifetime_h; /* changed to make a reload matter */
    uint32_t liveness_s;
    bool restarts; /* on_dead */
    bool childless;
};

struct pair {
    struct end ends[2];
    size_t child_count;
    uint8_t family;
    bool large;   /* IKE_AUTH and CREATE_CHILD_SA do not fit into the smallest datagrams */
    bool subsets; /* tunnel: each side is a list, of which a narrow end has the first only */
    bool agrees;  /* the two configurations, and the secrets, fit in the end */
    bool severed; /* the network between them is down */

    /* Where plan.c's networks are not what is meant: what each side is for, and its end of the
     * packets. */
    bool shaped;
    char nets[2][SUBNET_MAX];
    struct selector packets[2];
    bool sibling;   /* not the first between its two hosts: they have their identities in common */
    bool contested; /* another pair's first end wants the same traffic of the same host */
    char narrowed[SUBNET_MAX]; /* what the first end is configured for while it narrows */
    char stolen[SUBNET_MAX];   /* what a thief is configured for */
};

/* A packet of which a host's kernel is asked what would become of it. */
struct watched {
    struct selector local;
    struct selector remote;
    bool required; /* to be protected */
    size_t owner_count;
    const struct connection *owners[WATCHED_OWNERS_MAX]; /* who come first for it */
    struct name held; /* the connection in whose hands it came while that came first for it; "" */
};

struct watch {
    uint32_t generation; /* of the configuration that it was made from */
    size_t count;
    struct watched items[WATCHED_MAX];
};

/* A packet that was seen, to be sent again. */
struct recorded {
    struct address source;
    struct address destination;
    struct buffer data;
};

struct run {
    uint64_t seed;
    bool plain; /* one connection for each pair of hosts, and no faults that take more */
    struct world world;
    struct chance chance; /* of plan and faults */
    struct pair pairs[PAIRS_MAX];
    size_t pair_count;
    uint32_t cookie_threshold;
    uint32_t short_life_s; /* of children, 0: the default */
    bool crowd;            /* many hosts that all start at once */
    bool short_ike;        /* so have IKE SAs */
    struct recorded recorded[RECORDED_MAX];
    size_t recorded_count;              /* ever */
    uint64_t start_ms[WORLD_HOSTS_MAX]; /* when a host that is off starts */
    bool quiet;                         /* no more faults */
    unsigned moves;                     /* of hosts, so far */
    struct watch watches[WORLD_HOSTS_MAX];
    const struct host *holder;         /* who has what is contested; NULL: nobody */
    uint64_t granted[WORLD_HOSTS_MAX]; /* to whom, in this order; 0: not */
    uint64_t grants;
    uint64_t flushed_until_ms[WORLD_HOSTS_MAX]; /* so long the keeper may take to see it */
    uint32_t edits;                             /* answers to rekeyings that are to be narrowed */
    struct rekeying {
        uint64_t spi_i, spi_r;
        uint32_t message_id;
        bool by_initiator; /* of the IKE SA */
    } rekeying;            /* the last request for one that was seen while there were */
    bool calm;             /* and all has recovered */
    char failure[512];     /* "" while all holds */
};

/* --- plan.c --- */

void run_plan(struct run *run);

/* Hands each host the configuration and the secrets that the plan has for it now. */
void run_configure(struct run *run, struct host *host);

/* Between two hosts: the pair's last settings.  What shape.c begins with. */
struct pair *plan_pair(struct run *run, struct host *a, struct host *b);

/* Nothing stands in the way of one child between the two. */
void plan_agreement(struct run *run, struct pair *pair);

/* What such a packet would become. */
enum fake_verdict pair_would(const struct run *run, const struct pair *pair, size_t from,
                             size_t child);

/* One packet of child `child` from one end to the other; the end's host must be up. */
enum fake_verdict pair_ping(struct run *run, struct pair *pair, size_t from, size_t child);

/* --- shape.c --- */

/* Draw hosts and pairs. */
void plan_siblings(struct run *run);
void plan_overlaps(struct run *run);
void plan_contest(struct run *run);

/* --- fault.c --- */

void run_faults(struct run *run);

/* Everything is mended: engines run, configurations are final, the weather is fair. */
void run_mend(struct run *run);

/* New keys for something, from one end or from both at once. */
void run_rekey(struct run *run);

/* The hook for packets: severed pairs, and recording. */
enum fate run_packet(void *context, struct flight *flight);

/* --- watch.c --- */

/* Of one host now; the hook for policies; and of all hosts. */
void run_watch(struct run *run, const struct host *host);
void run_policies(void *context, struct host *host);
void run_watch_all(struct run *run);

/* Of one host when it has a new configuration, while the one before is still good: at every effect
 * of its. */
void run_watch_offer(struct run *run, const struct host *host);

/* To whom the host's engine has granted what is contested: at every effect of its. */
void run_grants(struct run *run, const struct host *host);

/* --- check.c --- */

/* The first failure is kept. */
void run_fail(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);

/* The hook for effects: what must hold at every step. */
void run_effect(void *context, struct host *host, const struct effect *effect);

/* Sends octets that nobody can have authenticated, and checks that no SA changed. */
void run_garbage(struct run *run, const struct address *source, const struct address *destination,
                 struct slice data);

/* Traffic until everything stands, then what must hold. */
void run_recover(struct run *run);

/* Rekeyings from all sides every second or so, in fair weather: not one packet is lost. */
void run_storm(struct run *run);

#endif
