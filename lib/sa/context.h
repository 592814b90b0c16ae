/*
 * What every exchange is given: the engine's means, the time of this event, and a way to report.
 */
#ifndef LIB_SA_CONTEXT_H
#define LIB_SA_CONTEXT_H

#include "lib/sa/counter.h"
#include "lib/sa/effect.h"

struct admission;
struct crypto;
struct event;
struct heap;
struct ike_sa;
struct sa_table;

#define CONTEXT_SCRATCH_SIZE  65535 /* the largest message of IKE */
#define CONTEXT_CUTTINGS_SIZE (CONTEXT_SCRATCH_SIZE + 32768)

/* What every exchange is given: the engine's means, and the time of this event. */
struct context {
    struct crypto *crypto;
    const struct config *config;
    struct effect_queue *effects;
    struct heap *timers;
    struct sa_table *sas;
    struct admission *admission;
    void (*event)(struct context *context, struct event *event); /* the engine's ear */
    void (*random)(void *context, void *to, size_t size);
    void *random_context;
    uint8_t *scratch;  /* CONTEXT_SCRATCH_SIZE octets to build a message in ... */
    uint8_t *cuttings; /* ... and CONTEXT_CUTTINGS_SIZE for the fragments of one */
    uint64_t now_ms;
    bool debug;   /* debug reports are wanted */
    bool closing; /* the engine shuts down: nothing new begins */
    uint32_t next_child;
    uint32_t out_order; /* how many outbound SAs were handed to the kernel */
    uint64_t counters[COUNTER_COUNT];
};

static inline void count(struct context *context, enum counter counter)
{
    context->counters[counter]++;
}

/* Reports something about an SA; `sa` may be NULL (R3). */
void report(struct context *context, const struct ike_sa *sa, enum severity severity,
            const char *event, const char *format, ...) PRINTF_LIKE(5, 6);

#endif
