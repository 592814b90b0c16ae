/*
 * A responder and N initiators in one process, with a wire of memory between them and one virtual
 * clock: what the library alone takes, for engine.c and hold.c.
 *
 * Only the responder's calls are timed.  Not here: what is printed.
 */
#ifndef TEST_BENCH_PAIR_H
#define TEST_BENCH_PAIR_H

#include <sys/queue.h>

#include "test/bench/initiators.h"

struct packet {
    STAILQ_ENTRY(packet) entry;
    struct effect_send send;
};
STAILQ_HEAD(wire, packet);

struct pair {
    struct initiators initiators;
    struct world responder;
    struct wire to_responder;
    struct wire to_initiators;
    uint64_t now_ms;
    double responder_us; /* CPU time of the responder's calls so far */
    size_t heap_before;  /* with nothing but the responder's empty engine */
};

/* All zero before.  False, with a line on stderr, when something is wrong. */
MUST_USE bool pair_open(struct pair *pair, uint32_t count);

/* Until all handshakes have ended, without a moment passing. */
void pair_run(struct pair *pair);

/* Lets time pass at both ends. */
void pair_advance(struct pair *pair, uint64_t until_ms);

/* Octets that this process has allocated since the responder was empty: its SAs, once the
 * initiators are closed. */
size_t pair_sa_memory(const struct pair *pair);

#endif
