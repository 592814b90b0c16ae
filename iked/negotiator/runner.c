/*
 * Carrying the engine's effects out: see runner.h.
 */
#include "iked/negotiator/runner.h"

#include <stdio.h>
#include <string.h>

#include "iked/process/clock.h"
#include "iked/process/log.h"

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct runner *runner = context;

    (void)fd;
    (void)what;
    runner->timer_ms = UINT64_MAX;
    engine_expire(runner->engine, clock_now_ms());
    runner_drain(runner);
}

bool runner_init(struct runner *runner, struct event_base *base)
{
    runner->timer_ms = UINT64_MAX;
    runner->timer = event_new(base, -1, 0, on_timer, runner);
    return runner->timer != NULL;
}

void runner_free(struct runner *runner)
{
    if (runner->timer != NULL)
        event_free(runner->timer);
    runner->timer = NULL;
}

/* --- Effects --- */

static void carry_send(struct runner *runner, struct effect *effect)
{
    const char *why = udp_send(runner->udp, &effect->send);

    if (why != NULL)
        engine_unsent(runner->engine, &effect->send, why, clock_now_ms());
}

static void give_answer(struct runner *runner, struct answer *answer)
{
    engine_answer(runner->engine, answer, clock_now_ms());
    answer_free(answer);
}

static void carry_compute(struct runner *runner, struct effect *effect)
{
    struct answer answer = {0};

    effect_compute_run(runner->crypto, effect, &answer);
    give_answer(runner, &answer);
}

/* What no datagram holds fails here, as the keeper would have said it. */
static void carry_to_keeper(struct runner *runner, struct effect *effect)
{
    struct ipc_message message = {.kind = IPC_EFFECT, .effect = *effect};
    struct answer answer = {.kind = effect->kind, .ticket = effect->ticket};

    if (channel_put(runner->channel, &message))
        return;
    answer.status =
        reason_set(&answer.reason, STATUS_FAIL, 0, "the request is too large for the keeper");
    log_line(SEVERITY_ERROR, "%s", answer.reason.text);
    if (effect->ticket.sequence != 0)
        give_answer(runner, &answer);
}

void runner_report(struct runner *runner, const struct effect_report *report)
{
    log_connection(report->severity, report->connection.text, report->text);
    if (runner->control != NULL)
        control_report(runner->control, report);
}

static void carry_report(struct runner *runner, struct effect *effect)
{
    runner_report(runner, &effect->report);
}

static void carry_result(struct runner *runner, struct effect *effect)
{
    if ((effect->result.command & RUNNER_OWN) != 0)
        runner->own_result(runner->context, &effect->result);
    else if (runner->control != NULL)
        control_result(runner->control, &effect->result);
}

static void carry_progress(struct runner *runner, struct effect *effect)
{
    if ((effect->progress.command & RUNNER_OWN) == 0 && runner->control != NULL)
        control_progress(runner->control, &effect->progress);
}

/* The others are the keeper's. */
#define CARRIERS(X)           \
    X(SEND, carry_send)       \
    X(COMPUTE, carry_compute) \
    X(REPORT, carry_report)   \
    X(RESULT, carry_result)   \
    X(PROGRESS, carry_progress)

EFFECT_TABLE_WHOLE(CARRIERS, RUNNER);

static void (*const carriers[EFFECT_COUNT])(struct runner *runner, struct effect *effect) = {
#define CARRIER(name, carry) [EFFECT_##name] = carry,
    CARRIERS(CARRIER)
#undef CARRIER
};

static void carry_out(struct runner *runner, struct effect *effect)
{
    if (carriers[effect->kind] != NULL)
        carriers[effect->kind](runner, effect);
    else
        carry_to_keeper(runner, effect);
}

/* --- The drain --- */

static void set_timer(struct runner *runner)
{
    uint64_t deadline_ms = engine_deadline(runner->engine);
    uint64_t now_ms = clock_now_ms();

    if (deadline_ms == runner->timer_ms)
        return;
    runner->timer_ms = deadline_ms;
    if (deadline_ms == UINT64_MAX) {
        event_del(runner->timer);
        return;
    }
    /* libevent counts from the time at which it woke up: a millisecond more, never less. */
    uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms + 1 : 0;
    struct timeval wait = clock_timeval(wait_ms);
    event_add(runner->timer, &wait);
}

/* While the keeper lags behind, no new work is taken in from the network. */
static void set_pause(struct runner *runner)
{
    bool pause = channel_backlog(runner->channel) > CHANNEL_BACKLOG;

    if (pause == runner->paused)
        return;
    runner->paused = pause;
    udp_pause(runner->udp, pause);
}

void runner_drain(struct runner *runner)
{
    struct effect effect;

    if (runner->draining)
        return;
    runner->draining = true;
    while (engine_next_effect(runner->engine, &effect)) {
        carry_out(runner, &effect);
        effect_free(&effect);
    }
    runner->draining = false;
    channel_flush(runner->channel);
    set_pause(runner);
    set_timer(runner);
}

void runner_command(struct runner *runner, const struct command *command)
{
    engine_command(runner->engine, command, clock_now_ms());
    runner_drain(runner);
}
