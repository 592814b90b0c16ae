/*
 * A simulated world: hosts, each an engine with a kernel, a network between them, one virtual
 * clock, one seed.  The same seed and the same calls give the same trace.
 *
 * It is what unit tests, scenarios, the simulation and the fuzzer of the engine drive.  Nothing
 * here judges: the hooks let a test see every effect and every packet.
 * Not here: which faults to make when (test/simulate), the kernel's ways (fake_kernel.h).
 */
#ifndef TEST_COMMON_WORLD_H
#define TEST_COMMON_WORLD_H

#include <stdio.h>

#include "iked/keeper/service.h"
#include "lib/engine/engine.h"
#include "lib/policy/loss.h"
#include "test/common/chance.h"
#include "test/common/fake_kernel.h"
#include "test/common/nat_box.h"

#define WORLD_HOSTS_MAX  40
#define WORLD_NATS_MAX   8
#define HOST_NAME_MAX_   15
#define HOST_RESULTS_MAX 64
#define FLIGHTS_MAX      4096 /* packets on their way; more are lost */

struct world;

/* Work of the keeper's, or of a computing thread, that is on its way. */
struct work {
    TAILQ_ENTRY(work) entry;
    uint64_t due_ms;
    bool commit; /* no effect: the engine says that it has its configuration */
    struct effect effect;
};
TAILQ_HEAD(work_list, work);

/* The host's keeper: the real gate, ledger and upkeep, over a kernel that is not
 * (host_keeper.c). */
struct host_keeper {
    struct service service;
    struct config *config; /* the newest; of a keeper that is gone while the kernel has it */
    struct config *before; /* good until that one is committed, or NULL */
    uint32_t generation;   /* of the newest */
    bool installed;        /* the kernel has what a configuration requires */
    uint64_t tick_ms;      /* when it looks after things next; 0: it does not run */
};

struct host {
    char name[HOST_NAME_MAX_ + 1];
    size_t index;
    struct world *world;
    struct address v4;
    struct address v6;
    struct address other;  /* a further one; FAMILY_NONE: none */
    struct nat_box *nat;   /* what IPv4 packets pass on their way; NULL: nothing */
    struct engine *engine; /* NULL while it does not run */
    struct fake_kernel kernel;
    struct host_keeper keeper;
    char *config_text;    /* the file */
    char *keeper_text;    /* as the keeper has read it */
    struct chance chance; /* the engine's randomness */
    uint64_t ahead_ms;    /* of its clock before the world's */
    struct work_list work;
    uint64_t keeper_free_ms;
    uint64_t next_command;
    struct effect_result results[HOST_RESULTS_MAX];                /* by command number, modulo */
    uint64_t sealed, delivered, held, clear, refused, unknown_spi; /* packets of traffic */
};

enum flight_kind { FLIGHT_IKE, FLIGHT_ESP, FLIGHT_CLEAR, FLIGHT_KEEPALIVE };

/* A packet on its way. */
struct flight {
    TAILQ_ENTRY(flight) entry;
    enum flight_kind kind;
    uint64_t due_ms;
    uint64_t number;
    struct address source;
    struct address destination;
    struct buffer data;           /* IKE */
    struct selector inner_source; /* ESP, CLEAR: single addresses */
    struct selector inner_destination;
    uint32_t spi; /* ESP */
    uint8_t protocol;
    bool encap;     /* in UDP */
    bool transport; /* the inner addresses are the outer ones */
    uint64_t key_digest;
    bool outside; /* has passed its sender's NAT */
};
TAILQ_HEAD(flight_list, flight);

/* What the network does by chance, per mille and in ms. */
struct weather {
    uint32_t loss;
    uint32_t duplication;
    uint32_t delay_min_ms;
    uint32_t delay_max_ms; /* reorders by itself */
    uint32_t work_min_ms;  /* the keeper and the computing thread */
    uint32_t work_max_ms;
    uint32_t kernel_failure; /* ALLOCATE_SPI and INSTALL_SA */
};

enum fate { FATE_PASS, FATE_LOST, FATE_HELD };

struct hooks {
    /* Every effect, before it is carried out. */
    void (*effect)(void *context, struct host *host, const struct effect *effect);
    /* Every packet that a host sends: PASS leaves it to the weather, HELD: the hook takes it over
     * (world_forward or flight_free later). */
    enum fate (*packet)(void *context, struct flight *flight);
    /* One of the policies in the host's kernel has changed. */
    void (*policies)(void *context, struct host *host);
    /* Every packet of traffic, with what became of it: FAKE_SEALED only says that it left. */
    void (*traffic)(void *context, struct host *host, enum fake_verdict verdict);
    void *context;
};

/* What a name is resolved to, everywhere; no addresses: it cannot be. */
struct world_name {
    char name[CONFIG_HOST_MAX + 1];
    uint8_t count;
    struct address addresses[CONFIG_RESOLVED_MAX];
};
#define WORLD_NAMES_MAX 16

/* The wire: all of it may be cut, or what leads to one address. */
struct wire {
    bool cut;
    struct address at; /* FAMILY_NONE: everywhere */
};

struct world {
    struct world_name names[WORLD_NAMES_MAX];
    size_t name_count;
    uint64_t now_ms;
    struct chance chance; /* of the weather */
    struct crypto *crypto;
    struct host *hosts[WORLD_HOSTS_MAX];
    size_t host_count;
    struct nat_box nats[WORLD_NATS_MAX];
    size_t nat_count;
    struct flight_list flights;
    size_t flight_count;
    uint64_t flights_made;
    struct weather weather;
    struct wire wire;
    struct hooks hooks;
    struct host *at_work; /* whose keeper is */
    FILE *ladder;         /* each packet and report as a line; NULL: none */
    bool debug;           /* reports of SEVERITY_DEBUG, too */
    bool no_upkeep;       /* keepers do nothing just because time passes */
    bool work_by_hand;    /* what hosts ask of kernel and provider waits for host_work */
    bool toy_exchange;    /* key exchanges that cost nothing (toy_exchange.h) */
    /* The versions of IKE that hosts speak (engine_options.protocols), and what a configuration
     * that was read says of each connection that `text` cannot (its version).  Both may be NULL. */
    const struct protocol *const *protocols;
    void (*complete)(struct connection *connection);
    uint64_t trace;
};

/* The crypto is borrowed (it is costly to make). */
void world_init(struct world *world, uint64_t seed, struct crypto *crypto);
void world_free(struct world *world);

/* --- Hosts --- */

/* Owned by the world; with the addresses 192.0.2.(index + 1) and 2001:db8::(index + 1). */
struct host *world_add_host(struct world *world, const char *name);
struct host *world_host(const struct world *world, const char *name);
/* Behind a NAT: by the mapping of its port, else the first behind it. */
struct host *world_host_at(const struct world *world, const struct address *address);

/* Puts a host behind the NAT with that address, which is made if it is new. */
void world_add_nat(struct world *world, struct host *host, const struct address *outside,
                   bool is_static);

/* The text is kept for the next start, and handed to the engine when it runs.  False with one line
 * in `error` when it is wrong. */
MUST_USE bool host_configure(struct host *host, const char *text, char error[CONFIG_ERROR_MAX]);
MUST_USE bool host_set_secrets(struct host *host, const char *text, char error[CONFIG_ERROR_MAX]);

/* The host has another IPv4 address from now on, and its kernel says so. */
void host_move(struct host *host, const struct address *to);

/* Starts the keeper unless it runs, and an engine as it does: configuration, then the orphans that
 * the kernel holds. */
void host_start(struct host *host);

/* The negotiator dies: SAs and policies stay. */
void host_crash(struct host *host);

/* The keeper dies with it, and what it was asked meanwhile is lost; the kernel keeps what it
 * has. */
void host_kill(struct host *host);

/* iked stops (after host_shutdown and some time): SAs go, and policies if it is so configured. */
void host_stop(struct host *host);

/* Somebody else flushes the kernel's policies or SAs; its notice may be lost. */
void host_flush_policies(struct host *host, bool heard);
void host_flush_sas(struct host *host, bool heard);

/* The machine goes down: the kernel forgets, too. */
void host_reboot(struct host *host);

/* Each returns the number by which host_result knows the outcome. */
uint64_t host_up(struct host *host, const char *connection);
uint64_t host_down(struct host *host, const char *connection);
uint64_t host_rekey(struct host *host, const char *connection, const char *what);
uint64_t host_shutdown(struct host *host);

/* Does what the host has asked of its kernel and its provider until now. */
void host_work(struct host *host);

/* NULL while there is none. */
const struct effect_result *host_result(const struct host *host, uint64_t command);

uint64_t host_counter(const struct host *host, const char *name);

/* A packet from one address and port to another: through the kernel's policies and over the
 * network. */
enum fake_verdict host_traffic(struct host *host, const struct selector *source,
                               const struct selector *destination);

/* The same between the two hosts' own addresses, UDP. */
enum fake_verdict host_ping(struct host *host, const struct host *to, uint8_t family);

/* From now on; aborts when there are too many names. */
void world_resolve(struct world *world, const char *name, const struct address *addresses,
                   size_t count);

/* --- Packets --- */

/* Puts an IKE packet on its way as if it came from `source`; weather does not touch it. */
void world_inject(struct world *world, const struct address *source,
                  const struct address *destination, struct slice data);

/* Lets a held packet go, after `delay_ms`. */
void world_forward(struct world *world, struct flight *flight, uint64_t delay_ms);
/* With a number of its own. */
struct flight *flight_copy(struct world *world, const struct flight *flight);
void flight_free(struct flight *flight);

/* --- Time --- */

/* When something is due next; UINT64_MAX: never. */
uint64_t world_next_ms(const struct world *world);

/* Runs until the clock stands at now + duration_ms. */
void world_run(struct world *world, uint64_t duration_ms);

/* Runs what is due now, without moving the clock. */
void world_settle(struct world *world);

/* A line in the ladder. */
void world_say(const struct world *world, const char *text);

#endif
