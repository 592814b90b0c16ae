/*
 * Carrying the engine's effects out: see shell.h.
 */
#include "iked/shell.h"

#include <stdio.h>
#include <string.h>

#include "iked/clock.h"
#include "iked/log.h"

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct shell *shell = context;

    (void)fd;
    (void)what;
    shell->timer_ms = UINT64_MAX;
    engine_expire(shell->engine, clock_now_ms());
    shell_drain(shell);
}

bool shell_init(struct shell *shell, struct event_base *base)
{
    shell->timer_ms = UINT64_MAX;
    shell->timer = event_new(base, -1, 0, on_timer, shell);
    return shell->timer != NULL;
}

void shell_free(struct shell *shell)
{
    if (shell->timer != NULL)
        event_free(shell->timer);
    shell->timer = NULL;
}

/* --- Effects --- */

static void carry_send(struct shell *shell, struct effect *effect)
{
    const char *why = udp_send(shell->udp, &effect->send);

    if (why != NULL)
        engine_unsent(shell->engine, &effect->send, why, clock_now_ms());
}

static void give_answer(struct shell *shell, struct answer *answer)
{
    engine_answer(shell->engine, answer, clock_now_ms());
    answer_free(answer);
}

static void carry_compute(struct shell *shell, struct effect *effect)
{
    struct answer answer = {0};

    effect_compute_run(shell->crypto, effect, &answer);
    give_answer(shell, &answer);
}

/* What no datagram holds fails here, as the keeper would have said it. */
static void carry_to_keeper(struct shell *shell, struct effect *effect)
{
    struct ipc_message message = {.kind = IPC_EFFECT, .effect = *effect};
    struct answer answer = {.kind = effect->kind, .ticket = effect->ticket};

    if (channel_put(shell->channel, &message))
        return;
    answer.status =
        reason_set(&answer.reason, STATUS_FAIL, 0, "the request is too large for the keeper");
    log_line(SEVERITY_ERROR, "%s", answer.reason.text);
    if (effect->ticket.sequence != 0)
        give_answer(shell, &answer);
}

void shell_report(struct shell *shell, const struct effect_report *report)
{
    log_connection(report->severity, report->connection.text, report->text);
    if (shell->control != NULL)
        control_report(shell->control, report);
}

static void carry_report(struct shell *shell, struct effect *effect)
{
    shell_report(shell, &effect->report);
}

static void carry_result(struct shell *shell, struct effect *effect)
{
    if ((effect->result.command & SHELL_OWN) != 0)
        shell->own_result(shell->context, &effect->result);
    else if (shell->control != NULL)
        control_result(shell->control, &effect->result);
}

static void carry_progress(struct shell *shell, struct effect *effect)
{
    if ((effect->progress.command & SHELL_OWN) == 0 && shell->control != NULL)
        control_progress(shell->control, &effect->progress);
}

static void (*const carriers[])(struct shell *shell, struct effect *effect) = {
    [EFFECT_SEND] = carry_send,
    [EFFECT_COMPUTE] = carry_compute,
    [EFFECT_SIGN] = carry_to_keeper,
    [EFFECT_ALLOCATE_SPI] = carry_to_keeper,
    [EFFECT_INSTALL_SA] = carry_to_keeper,
    [EFFECT_FIND_SOURCE] = carry_to_keeper,
    [EFFECT_MOVE_SA] = carry_to_keeper,
    [EFFECT_QUERY_SA] = carry_to_keeper,
    [EFFECT_RESOLVE] = carry_to_keeper,
    [EFFECT_REMOVE_SA] = carry_to_keeper,
    [EFFECT_INSTALL_POLICY] = carry_to_keeper,
    [EFFECT_REMOVE_POLICY] = carry_to_keeper,
    [EFFECT_REMOVE_ORPHANS] = carry_to_keeper,
    [EFFECT_REPORT] = carry_report,
    [EFFECT_RESULT] = carry_result,
    [EFFECT_PROGRESS] = carry_progress,
};

/* --- The drain --- */

static void set_timer(struct shell *shell)
{
    uint64_t deadline_ms = engine_deadline(shell->engine);
    uint64_t now_ms = clock_now_ms();

    if (deadline_ms == shell->timer_ms)
        return;
    shell->timer_ms = deadline_ms;
    if (deadline_ms == UINT64_MAX) {
        event_del(shell->timer);
        return;
    }
    /* libevent counts from the time at which it woke up: a millisecond more, never less. */
    uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms + 1 : 0;
    struct timeval wait = clock_timeval(wait_ms);
    event_add(shell->timer, &wait);
}

/* While the keeper lags behind, no new work is taken in from the network. */
static void set_pause(struct shell *shell)
{
    bool pause = channel_backlog(shell->channel) > CHANNEL_BACKLOG;

    if (pause == shell->paused)
        return;
    shell->paused = pause;
    udp_pause(shell->udp, pause);
}

void shell_drain(struct shell *shell)
{
    struct effect effect;

    if (shell->draining)
        return;
    shell->draining = true;
    while (engine_next_effect(shell->engine, &effect)) {
        carriers[effect.kind](shell, &effect);
        effect_free(&effect);
    }
    shell->draining = false;
    channel_flush(shell->channel);
    set_pause(shell);
    set_timer(shell);
}

void shell_command(struct shell *shell, const struct command *command)
{
    engine_command(shell->engine, command, clock_now_ms());
    shell_drain(shell);
}
