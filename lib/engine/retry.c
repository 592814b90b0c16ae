/*
 * What becomes of a link's tries: see retry.h.
 */
#include "lib/engine/retry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/coverage.h"
#include "lib/engine/pair.h"
#include "lib/engine/result.h"
#include "lib/sa/context.h"
#include "lib/sa/timer.h"

#define RETRY_FIRST_MS      1000
#define RETRY_DOUBLINGS_MAX 6

void link_answer(struct engine *engine, struct link *link, enum command_kind kind, bool done,
                 const char *text)
{
    struct waiting *waiting;
    struct waiting *next;

    for (waiting = TAILQ_FIRST(&link->waiting); waiting != NULL; waiting = next) {
        next = TAILQ_NEXT(waiting, entry);
        if (waiting->kind != kind)
            continue;
        result(engine, waiting->number, done, "%s: %s%s", link->connection->name,
               done && waiting->believed ? "already " : "", text);
        TAILQ_REMOVE(&link->waiting, waiting, entry);
        free(waiting);
    }
}

void link_progress(struct engine *engine, const struct link *link, const char *format, ...)
{
    const struct waiting *waiting;

    if (link == NULL)
        return;
    TAILQ_FOREACH (waiting, &link->waiting, entry) {
        struct effect *effect =
            effect_append(engine->context.effects, EFFECT_PROGRESS, (struct ticket){0});
        if (effect == NULL)
            return;
        effect->progress.command = waiting->number;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(effect->progress.text, sizeof(effect->progress.text), format, arguments);
        va_end(arguments);
    }
}

void link_note(struct engine *engine, struct link *link, const char *why)
{
    if (link == NULL)
        return;
    char *copy = strdup(why);
    free(link->last_error);
    link->last_error = copy;
    link->last_error_ms = engine->context.now_ms;
}

void link_stalled(struct engine *engine, struct link *link, const char *why)
{
    if (!TAILQ_EMPTY(&link->waiting) && !link_is_at_work(link))
        link_answer(engine, link, COMMAND_UP, false, why);
}

void link_rekeyed(struct engine *engine, struct link *link)
{
    if (!TAILQ_EMPTY(&link->waiting) && !link_rekey_is_due(engine, link))
        link_answer(engine, link, COMMAND_REKEY, true, "rekeyed");
}

void link_rekey_failed(struct engine *engine, struct link *link, const char *why)
{
    if (link != NULL)
        link_answer(engine, link, COMMAND_REKEY, false, why);
}

/* --- Trying again --- */

/* Something to wait for stands on its own: an immediate child, or packets in the kernel. */
static void schedule_retry(struct engine *engine, struct link *link)
{
    struct context *context = &engine->context;
    const struct child_config *child;
    bool immediate = false;
    uint32_t chance;

    TAILQ_FOREACH (child, &link->connection->children, entry)
        immediate = immediate || link_restarts(link, child) ||
                    (child->start == START_IMMEDIATE && !link_covers(link, child));
    uint32_t doublings =
        link->failures < RETRY_DOUBLINGS_MAX ? link->failures : RETRY_DOUBLINGS_MAX;
    uint64_t wait_ms = (uint64_t)RETRY_FIRST_MS << doublings;
    context->random(context->random_context, &chance, sizeof(chance));
    wait_ms += chance % (wait_ms / 4);
    bool traffic = context->now_ms + wait_ms < link->retry_until_ms;
    if (engine->context.closing || link->connection->remote.family == FAMILY_NONE ||
        (!immediate && !traffic && !link->orphans && !dial_has_unknown(link)) ||
        heap_has(&link->retry.node))
        return;
    ike_sa_timer(context, &link->retry, context->now_ms + wait_ms);
}

void link_failed(struct engine *engine, struct link *link, const char *why)
{
    if (link == NULL)
        return;
    link_note(engine, link, why);
    link->failures++;
    link_answer(engine, link, COMMAND_UP, false, why);
    schedule_retry(engine, link);
}

void link_lacks(struct engine *engine, struct link *link)
{
    if (!engine->context.closing)
        schedule_retry(engine, link);
}

void link_lost(struct engine *engine, struct link *link)
{
    if (TAILQ_EMPTY(&link->sas)) {
        pairs_forget(link); /* the peer may be another one when it comes back */
        link_answer(engine, link, COMMAND_DOWN, true, "down");
    }
    if (!link_rekey_is_due(engine, link))
        link_rekey_failed(engine, link, "closed before it was rekeyed");
    schedule_retry(engine, link);
}

void link_lost_guests(struct engine *engine, struct link *link)
{
    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;)
        link_lost(engine, at);
}
