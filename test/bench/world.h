/*
 * The world around an engine in the benches: a kernel, a vault and randomness that answer at once.
 *
 * Whoever owns a world feeds its engine packets and time and then calls world_drain.  Nothing here
 * is secret or lasting: randomness is quick and not unpredictable, every SA "is installed".
 * Not here: sockets and clocks (load.c), who negotiates with whom (initiators.h).
 */
#ifndef TEST_BENCH_WORLD_H
#define TEST_BENCH_WORLD_H

#include "lib/engine/engine.h"

struct world {
    struct engine *engine;
    struct crypto *crypto;
    struct slice psk; /* borrowed */
    /* One key pair for all SAs of this engine: the other side cannot tell, and this side saves most
     * of its work.  For the side whose cost is not measured. */
    bool one_key;
    void (*send)(void *context, struct effect_send *send); /* may take the data */
    void (*result)(void *context, const struct effect_result *result);
    void (*report)(void *context, const struct effect_report *report); /* or NULL */
    void *context;
    uint64_t now_ms; /* of the running world_drain */
    uint64_t random_state;
    uint32_t next_spi;
    uint8_t group;         /* of the one key: enum group */
    struct secret private; /* the one key */
    struct buffer public;
};

/* Makes the engine and its crypto; the caller has set psk, one_key, the calls and their context. */
MUST_USE bool world_open(struct world *world, uint64_t seed, uint64_t now_ms);
void world_close(struct world *world);

/* Hands the engine the configuration `text`, or says what is wrong with it on stderr. */
MUST_USE bool world_configure(struct world *world, const char *text, uint64_t now_ms);

/* Carries out all effects, and those that follow from them. */
void world_drain(struct world *world, uint64_t now_ms);

#endif
