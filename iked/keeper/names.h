/*
 * Names for the negotiator: questions to the resolver (resolver/resolver.h), its answers checked.
 *
 * One question is with the resolver at a time, the others wait; one that it does not answer in time
 * costs it its life, and the next question starts another one.
 * Not here: whether a name may be asked about (gate.h), what an answer means (lib/policy/known.c).
 */
#ifndef IKED_KEEPER_NAMES_H
#define IKED_KEEPER_NAMES_H

#include <event2/event.h>

#include "iked/process/options.h"
#include "lib/sa/effect.h"

#define NAMES_WAITING_MAX 65536 /* as many as there may be connections */
#define NAMES_PATIENCE_S  20    /* more than libc's own waiting for two servers */

struct names_hooks {
    /* What became of an effect RESOLVE. */
    void (*answer)(void *context, struct answer *answer);
    void *context;
};

struct names;

/* NULL when memory is out. */
struct names *names_new(struct event_base *base, const struct options *options,
                        const struct names_hooks *hooks);
void names_free(struct names *names);

/* Asks; the answer comes by the hook, perhaps before this returns. */
void names_ask(struct names *names, const struct effect *effect);

/* The negotiator is gone, and with it who wanted to know. */
void names_forget(struct names *names);

/* A child of the keeper's has ended, perhaps the resolver. */
void names_reap(struct names *names);

#endif
