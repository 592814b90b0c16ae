/*
 * Links: what a configured connection is doing.  Starting, trying again, telling who waits.
 *
 * Not here: the life of one SA (sa_life.c).
 */
#include "lib/engine/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/call.h"
#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/link_addresses.h"
#include "lib/engine/pair.h"
#include "lib/engine/private.h"
#include "lib/engine/result.h"
#include "lib/engine/retry.h"
#include "lib/policy/match.h"
#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

void link_abandon(struct engine *engine, struct link *link, struct ike_sa *stays)
{
    struct ike_sa *sa;
    struct ike_sa *next;

    for (sa = TAILQ_FIRST(&link->sas); sa != NULL; sa = next) {
        bool unproven = sa->state == IKE_AWAIT_KEY || sa->state == IKE_AWAIT_INIT_REPLY ||
                        sa->state == IKE_AWAIT_SHARED || sa->state == IKE_AWAIT_SIGN;
        next = TAILQ_NEXT(sa, of_link);
        if (!sa->initiator || !unproven || sa->replaces != 0)
            continue;
        ike_sa_take_tasks(stays, sa);
        ike_sa_want_child(stays, sa->handshake->wanted);
        sa_end(engine, sa);
    }
}

void link_start(struct engine *engine, struct link *link, const struct child_config *child,
                const struct ike_sa *replaces)
{
    const struct connection *connection = link->connection;

    if (link_is_served(engine, link, child, replaces != NULL))
        return;
    if (connection->remote.family == FAMILY_NONE) {
        link_failed(engine, link, "the remote address is \"any\": only the peer can start");
        return;
    }
    if (replaces == NULL && link_join(engine, link, child))
        return;
    uint64_t replaced = replaces == NULL ? 0 : ike_sa_own_spi(replaces);
    if (link->dial != NULL)
        dial_start(engine, link, child, replaced);
    else
        link_call(engine, link, child, &connection->remote, replaced, false);
}

void link_start_packet(struct engine *engine, struct link *link, const struct child_config *child,
                       const struct selector *local, const struct selector *remote)
{
    link_drop_packet(link);
    link->packet = malloc(sizeof(*link->packet));
    if (link->packet != NULL)
        *link->packet = (struct packet){.config = child, .local = *local, .remote = *remote};
    link_start(engine, link, child, NULL);
    if (!dial_is_resolving(link))
        link_drop_packet(link);
}

void link_remove_orphans(struct engine *engine, struct link *link)
{
    if (!link->orphans)
        return;
    link->orphans = false;
    struct effect *effect =
        effect_append(engine->context.effects, EFFECT_REMOVE_ORPHANS, (struct ticket){0});
    if (effect == NULL)
        count(&engine->context, COUNTER_FAILURES);
    else
        name_of_config(&effect->orphans_of, link->connection->name);
}

void link_resume(struct engine *engine, struct link *link)
{
    const struct child_config *config;
    struct waiting *waiting;
    bool awaited = false;

    TAILQ_FOREACH (waiting, &link->waiting, entry) {
        awaited = awaited || waiting->believed;
        waiting->believed = false;
    }
    if (awaited && link->connection->remote.family != FAMILY_NONE)
        TAILQ_FOREACH (config, &link->connection->children, entry)
            link_start(engine, link, config, NULL);
}

void link_up(struct engine *engine, struct link *link)
{
    char text[REASON_TEXT_MAX];

    if (TAILQ_EMPTY(&link->waiting) && link->last_error == NULL && link->failures == 0)
        return;
    if (!link_is_whole(link)) {
        link_resume(engine, link);
        link_stalled(engine, link, "a child that stood has gone down");
        return;
    }
    if (!TAILQ_EMPTY(&link->waiting) && link_is_looked_at(link))
        return;
    free(link->last_error);
    link->last_error = NULL;
    link->failures = 0;
    link->retry_until_ms = 0;
    link->lost_children = 0;
    heap_remove(&engine->timers, &link->retry.node);
    bool missing = !TAILQ_EMPTY(&link->waiting) && pair_is_missing(link, text, sizeof(text));
    link_answer(engine, link, COMMAND_UP, !missing, missing ? text : "established");
}

void link_tell_siblings(struct engine *engine, struct link *link)
{
    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;) {
        link_up(engine, at);
        link_rekeyed(engine, at);
    }
}

void sa_replace(struct engine *engine, struct ike_sa *sa)
{
    const struct child_sa *child = TAILQ_FIRST(&sa->children);
    bool serves = child != NULL || sa->lone;

    while (child != NULL && child_is_guest(sa, child))
        child = TAILQ_NEXT(child, entry);
    if (sa->link == NULL || !serves)
        return;
    /* Without a child the name of any will do; it is not made (sa_established). */
    link_start(engine, sa->link,
               child != NULL ? child->config : TAILQ_FIRST(&sa->connection->children), sa);
}

/* For who looks at the connection that the stranger would have had.  It has not proven its address,
 * so nothing is noted where all is well. */
void link_refused_stranger(struct engine *engine, const struct event *event)
{
    const struct connection *connection =
        choose_connection(engine->config, event->version, &event->local, &event->remote, NULL);
    struct link *link = connection == NULL || connection->remote.family == FAMILY_NONE
                            ? NULL
                            : link_find(engine, connection->name);
    char text[REASON_TEXT_MAX];

    if (link == NULL || link_is_whole(link))
        return;
    snprintf(text, sizeof(text), "refused the peer's IKE_SA_INIT: %.350s", event->why);
    link_note(engine, link, text);
}

void link_try_failed(struct engine *engine, struct link *link, const char *why)
{
    if (link != NULL && !dial_failed(engine, link, why))
        link_failed(engine, link, why);
}

void link_retry(struct engine *engine, struct link *link)
{
    const struct child_config *child;
    bool traffic = engine->context.now_ms < link->retry_until_ms;

    dial_learn(engine, link);
    TAILQ_FOREACH (child, &link->connection->children, entry)
        if (child->start == START_IMMEDIATE || (traffic && child->start == START_TRAFFIC) ||
            link->orphans || link_restarts(link, child))
            link_start(engine, link, child, NULL);
}

/* --- Configuration --- */

static bool is_for_any(const struct connection *connection)
{
    return connection->remote.family == FAMILY_NONE;
}

void link_policies(struct engine *engine, const struct connection *connection,
                   enum effect_kind kind)
{
    const struct child_config *config;
    struct child_selectors pair;
    struct child_selectors other;

    TAILQ_FOREACH (config, &connection->children, entry)
        for (size_t i = 0; child_pair(config, i, &pair); i++)
            if (!is_for_any(connection) ||
                config_pair_holder(engine->config, &pair.local, &pair.remote, &other)->connection ==
                    connection)
                configured_policy(&engine->context, kind, config, &pair);
}

void link_free(struct engine *engine, struct link *link)
{
    struct waiting *waiting;

    heap_remove(&engine->timers, &link->retry.node);
    hash_remove(&engine->links_by_name, &link->by_name);
    TAILQ_REMOVE(&engine->links, link, entry);
    while ((waiting = TAILQ_FIRST(&link->waiting)) != NULL) {
        TAILQ_REMOVE(&link->waiting, waiting, entry);
        free(waiting);
    }
    link_drop_packet(link);
    pairs_forget(link);
    free(link->last_error);
    free(link->dial);
    free(link);
}

void links_free(struct engine *engine)
{
    struct link *link;

    while ((link = TAILQ_FIRST(&engine->links)) != NULL)
        link_free(engine, link);
}

void link_add(struct engine *engine, const struct connection *connection)
{
    struct link *link = calloc(1, sizeof(*link));
    const struct child_config *child;

    if (link != NULL)
        *link = (struct link){.engine = engine, .connection = connection};
    if (link == NULL || !dial_new(link)) {
        free(link);
        count(&engine->context, COUNTER_FAILURES);
        return;
    }
    link->retry.kind = TIMER_RETRY;
    TAILQ_INIT(&link->sas);
    TAILQ_INIT(&link->refused);
    TAILQ_INIT(&link->waiting);
    TAILQ_INSERT_TAIL(&engine->links, link, entry);
    hash_insert(&engine->links_by_name, &link->by_name);
    link_policies(engine, connection, EFFECT_INSTALL_POLICY);
    dial_learn(engine, link);
    TAILQ_FOREACH (child, &connection->children, entry)
        if (child->start == START_IMMEDIATE)
            link_start(engine, link, child, NULL);
}
