/*
 * The runner around the engine: hands events in, carries effects out, keeps its one timer.
 *
 * SEND goes to the sockets, COMPUTE is done here and now, REPORT and RESULT go to log and control,
 * and what needs a right or a key goes to the keeper, batched: one datagram per drain.
 * Not here: starting up and the keeper's messages (negotiator.c).
 */
#ifndef IKED_NEGOTIATOR_RUNNER_H
#define IKED_NEGOTIATOR_RUNNER_H

#include "iked/negotiator/control.h"
#include "iked/negotiator/udp.h"
#include "iked/process/channel.h"

/* Commands of our own have this bit in their number, the control socket's have not. */
#define RUNNER_OWN (UINT64_C(1) << 63)

struct runner {
    struct engine *engine;
    struct crypto *crypto;
    struct channel *channel;
    struct udp *udp;
    struct control *control; /* NULL until the keeper sent its socket */
    struct event *timer;
    uint64_t timer_ms; /* when it is set to; UINT64_MAX: it is not */
    bool draining;
    bool paused;
    /* The outcome of a command of our own. */
    void (*own_result)(void *context, const struct effect_result *result);
    void *context;
};

/* False when memory is out.  The parts are the caller's. */
MUST_USE bool runner_init(struct runner *runner, struct event_base *base);
void runner_free(struct runner *runner);

/* Carries out all effects that wait, and sets the timer; after each call into the engine.  Within a
 * drain it does nothing: the one under way goes on until there is nothing left. */
void runner_drain(struct runner *runner);

/* engine_command and runner_drain. */
void runner_command(struct runner *runner, const struct command *command);

/* A report that is not the engine's. */
void runner_report(struct runner *runner, const struct effect_report *report);

#endif
