/*
 * The shell around the engine: hands events in, carries effects out, keeps its one timer.
 *
 * SEND goes to the sockets, COMPUTE is done here and now, REPORT and RESULT go to log and control,
 * and what needs a right or a key goes to the keeper, batched: one datagram per drain.
 * Not here: starting up and the keeper's messages (negotiator.c).
 */
#ifndef IKED_SHELL_H
#define IKED_SHELL_H

#include "iked/channel.h"
#include "iked/control.h"
#include "iked/udp.h"

/* Commands of our own have this bit in their number, the control socket's have not. */
#define SHELL_OWN (UINT64_C(1) << 63)

struct shell {
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
MUST_USE bool shell_init(struct shell *shell, struct event_base *base);
void shell_free(struct shell *shell);

/* Carries out all effects that wait, and sets the timer; after each call into the engine.  Within a
 * drain it does nothing: the one under way goes on until there is nothing left. */
void shell_drain(struct shell *shell);

/* engine_command and shell_drain. */
void shell_command(struct shell *shell, const struct command *command);

/* A report that is not the engine's. */
void shell_report(struct shell *shell, const struct effect_report *report);

#endif
