/*
 * The engine: events in, effects out.  A pure state machine for all IKE SAs of one host.
 *
 * It has no clock, no socket, no randomness of its own and no thread: the same engine runs in the
 * daemon, the simulation, the fuzzer and the load generator.  One seed gives one trace.
 * After each call the owner drains engine_next_effect until it is empty, then sleeps no longer
 * than engine_deadline.
 */
#ifndef LIB_ENGINE_ENGINE_H
#define LIB_ENGINE_ENGINE_H

#include "lib/crypto/crypto.h"
#include "lib/policy/config.h"
#include "lib/sa/effect.h"
#include "lib/sa/kernel_event.h"
#include "lib/sa/protocol.h"

struct engine;

struct engine_options {
    struct crypto *crypto; /* borrowed, must outlive the engine */
    /* Fills `to` with unpredictable octets (in tests: with a seed's). */
    void (*random)(void *context, void *to, size_t size);
    void *context;
    /* The versions of IKE that are spoken, in their order and ended by NULL; NULL: all that there
     * are.  Borrowed. */
    const struct protocol *const *protocols;
    bool debug; /* report every message and every dropped packet, too, at SEVERITY_DEBUG */
};

/* NULL when memory is out. */
struct engine *engine_new(const struct engine_options *options, uint64_t now_ms);
void engine_free(struct engine *engine);

/* A datagram that came in. */
void engine_packet(struct engine *engine, const struct datagram *datagram, uint64_t now_ms);

/* Are debugging reports wanted from now on?  As engine_options.debug. */
void engine_set_debug(struct engine *engine, bool debug);

/* Timers that are due. */
void engine_expire(struct engine *engine, uint64_t now_ms);

void engine_kernel(struct engine *engine, const struct kernel_event *event, uint64_t now_ms);

/* The result of an effect.  Its owned parts stay the caller's (answer_free afterwards), though the
 * engine may have taken some out of it. */
void engine_answer(struct engine *engine, struct answer *answer, uint64_t now_ms);

/* A SEND that this host did not let out, and one line why.  It is lost as others are on their way;
 * this is for those who wait and ask. */
void engine_unsent(struct engine *engine, const struct effect_send *send, const char *why,
                   uint64_t now_ms);

enum command_kind {
    COMMAND_CONFIGURE = 1, /* takes `config`; unchanged connections keep their SAs.
                            * NULL: the one in use, once more */
    COMMAND_UP,            /* RESULT when it is established, or has failed */
    COMMAND_DOWN,          /* RESULT when its SAs are gone */
    COMMAND_REKEY,         /* RESULT when it is done, or has failed */
    COMMAND_SHUTDOWN,      /* sends deletes; RESULT when all are answered or given up */
};

#define COMMAND_REKEY_IKE "ike" /* the IKE SA (and a child of that name) */

struct command {
    enum command_kind kind;
    uint64_t number;       /* comes back in EFFECT_RESULT */
    struct name name;      /* UP, DOWN, REKEY: a connection */
    struct name child;     /* REKEY: one of its children, COMMAND_REKEY_IKE, or "" for everything */
    struct config *config; /* CONFIGURE: the engine owns it from now on */
};
void engine_command(struct engine *engine, const struct command *command, uint64_t now_ms);

/* Moves the next effect out; false when there is none.  The caller frees it (effect_free). */
bool engine_next_effect(struct engine *engine, struct effect *effect);

/* When engine_expire wants to be called, in the time of now_ms; UINT64_MAX: never. */
uint64_t engine_deadline(const struct engine *engine);

/* --- Looking in --- */

const struct config *engine_config(const struct engine *engine);

/* What `show` says of an IKE SA or a child; borrowed during the visit. */
struct child_view {
    const char *name;
    uint32_t number; /* unique in the engine's life */
    uint32_t spi_in;
    uint32_t spi_out;
    uint32_t reqid;
    uint8_t protocol; /* enum ipsec_protocol */
    uint8_t mode;     /* enum child_mode */
    struct suite suite;
    const struct selector *local;
    size_t local_count;
    const struct selector *remote;
    size_t remote_count;
    const struct child_config *config;
    bool narrowed; /* to less than `config` has */
    uint64_t age_ms;
};

struct sa_view {
    uint64_t number;
    uint64_t spi_i;
    uint64_t spi_r;
    bool initiator;
    const char *connection; /* "" before it is known (a responder before IKE_AUTH) */
    const char *state;      /* "established", "await-auth-reply", ... */
    struct address local;
    struct address remote;
    const char *local_id; /* text; "" before it is known */
    const char *remote_id;
    struct suite suite;
    uint64_t age_ms;
    uint64_t established_ms; /* ms since it was established, 0 when it is not */
    uint64_t heard_ms;       /* ms since the peer, once established, was last known to be there */
    uint64_t silent_ms;      /* the same while it is asked and does not answer; else 0 */
    bool nat_local;          /* we are behind a NAT */
    bool nat_remote;         /* the peer is */
    bool encap;              /* ESP goes in UDP (RFC 3948) */
    bool mobike;             /* both ends have agreed on it (RFC 4555) */
    bool fragmentation;      /* the same (RFC 7383) */
    const struct child_view *children;
    size_t child_count;
};
void engine_visit_sas(const struct engine *engine, uint64_t now_ms,
                      void (*visit)(void *context, const struct sa_view *view), void *context);

struct connection_view {
    const struct connection *connection;
    const char *state;      /* "up", "childless", "connecting", "resolving", "down" */
    const char *last_error; /* "" when the last try did well */
    uint64_t last_error_age_ms;
    uint64_t silent_ms; /* the longest of its SAs' */
    const char
        *uncovered; /* what the peer has narrowed away and refused to cover then; NULL: nothing */
    size_t sa_count;
};
void engine_visit_connections(const struct engine *engine, uint64_t now_ms,
                              void (*visit)(void *context, const struct connection_view *view),
                              void *context);

/* Counters for `show` and metrics: the i-th of them; NULL past the last. */
const char *engine_counter(const struct engine *engine, size_t i, uint64_t *value);

/* How many IKE SAs there are, and of these half-open ones of ours as responder. */
size_t engine_sa_count(const struct engine *engine);
size_t engine_half_open_count(const struct engine *engine);

/* How many a connection has; 0 for a name that nobody has. */
size_t engine_sa_count_of(const struct engine *engine, const char *connection);

#endif
