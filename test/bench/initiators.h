/*
 * N initiators, each with an address, an identity and a tunnel of its own, on one engine.
 *
 * They start as many handshakes at once as they are told to, and start the next when one is done.
 * Not here: sockets, clocks and arguments (load.c), the other side.
 */
#ifndef TEST_BENCH_INITIATORS_H
#define TEST_BENCH_INITIATORS_H

#include "test/bench/world.h"

/* Initiator i: address local + i, identity "iN.bench.example", tunnel inner + i/32 === network. */
struct initiators_options {
    struct address local;  /* of number 0; IPv4 */
    struct address inner;  /* of number 0; IPv4 */
    struct address remote; /* the responder */
    const char *network;   /* behind the responder */
    const char *ike;       /* proposals */
    const char *esp;
    const char *psk;
    uint32_t first; /* numbers first ... first + count - 1 */
    uint32_t count;
    uint32_t concurrency; /* handshakes under way at once */
    uint32_t interval_ms; /* between two starts, at least */
    bool hold;            /* keep the SAs; otherwise each is deleted once it stands */
};

#define REASONS_MAX 16 /* different ways to fail that are told apart */

struct initiators_reason {
    char text[REASON_TEXT_MAX];
    uint32_t count;
};

struct initiators {
    struct initiators_options options;
    struct world world;
    void (*send)(void *context, struct effect_send *send);
    void *send_context;
    uint32_t started;
    uint64_t next_ms; /* when the next may start */
    uint32_t done;
    uint32_t failed;
    uint32_t ended; /* done with, in whatever way */
    size_t reason_count;
    struct initiators_reason reasons[REASONS_MAX]; /* the last one gathers what finds no place */
};

/* `send` gets `context`.  False, with a line on stderr, when something is wrong. */
MUST_USE bool initiators_open(struct initiators *initiators,
                              const struct initiators_options *options,
                              void (*send)(void *context, struct effect_send *send), void *context,
                              uint64_t seed, uint64_t now_ms);
void initiators_close(struct initiators *initiators);

/* Starts what concurrency and interval leave room for. */
void initiators_start(struct initiators *initiators, uint64_t now_ms);

bool initiators_finished(const struct initiators *initiators);

#endif
