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

#include "lib/engine/private.h"
#include "lib/engine/result.h"
#include "lib/policy/match.h"
#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define RETRY_FIRST_MS      1000
#define RETRY_DOUBLINGS_MAX 6

static uint64_t name_key(const struct engine *engine, const char *name)
{
    return hash_keyed(engine->sas.hash_key, slice_text(name));
}

uint64_t link_key(const void *engine, const struct hash_node *node)
{
    return name_key(engine, HASH_OWNER(node, const struct link, by_name)->connection->name);
}

struct link *link_find(const struct engine *engine, const char *name)
{
    struct hash_node *node = hash_first(&engine->links_by_name, name_key(engine, name));

    for (; node != NULL; node = hash_next(node)) {
        struct link *link = HASH_OWNER(node, struct link, by_name);
        if (strcmp(link->connection->name, name) == 0)
            return link;
    }
    return NULL;
}

void link_adopt(struct engine *engine, struct ike_sa *sa)
{
    struct link *link = link_find(engine, sa->connection->name);

    if (sa->link == link)
        return;
    if (sa->link != NULL)
        TAILQ_REMOVE(&sa->link->sas, sa, of_link);
    if (link != NULL)
        TAILQ_INSERT_TAIL(&link->sas, sa, of_link);
    sa->link = link;
}

/* --- What stands --- */

bool link_covers(const struct link *link, const struct child_config *config)
{
    const struct ike_sa *sa;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link)
            if (sa->state == IKE_ESTABLISHED && !sa->delete_asked && ike_sa_carries(sa, config))
                return true;
    return false;
}

size_t link_covered(const struct link *link)
{
    const struct child_config *config;
    size_t covered = 0;

    TAILQ_FOREACH (config, &link->connection->children, entry)
        covered += link_covers(link, config);
    return covered;
}

bool link_is_whole(const struct link *link)
{
    return link_covered(link) == link->connection->child_count;
}

/* Is an attempt of ours for this child on its way?  One that replaces another SA makes what that
 * one had, and is the answer only to who wants a replacement. */
static bool trying(const struct link *link, const struct child_config *config, bool replacing)
{
    const struct ike_sa *sa;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        if (sa->initiator && sa->handshake != NULL && sa->handshake->wanted == config &&
            (sa->replaces == 0 || replacing))
            return true;
    return false;
}

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
        sa_take_wishes(stays, sa);
        ike_sa_want_child(stays, sa->handshake->wanted);
        sa_end(engine, sa);
    }
}

/* An IKE SA of the link that can carry one more child: established, or an attempt of ours. */
static struct ike_sa *find_carrier(const struct link *link)
{
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        if (!sa->delete_asked && !sa->inherited && !sa->superseded &&
            (sa->state == IKE_ESTABLISHED || (sa->initiator && sa->handshake != NULL)))
            return sa;
    return NULL;
}

void link_drop_packet(struct link *link)
{
    free(link->packet);
    link->packet = NULL;
}

/* An SA that is to ask for the child names the packet. */
static void hand_packet(struct link *link, struct ike_sa *sa, const struct child_config *child)
{
    if (sa->packet == NULL && link->packet != NULL && link->packet->config == child) {
        sa->packet = link->packet;
        link->packet = NULL;
    }
    if ((link->single_pairs & child_bit(child)) != 0 &&
        (sa->packet == NULL || sa->packet->config == child))
        (void)pair_single(sa, child, sa->packet);
}

void link_call(struct engine *engine, struct link *link, const struct child_config *child,
               const struct address *remote, uint64_t replaces, bool has_more)
{
    struct context *context = &engine->context;
    struct reason reason = {0};
    struct address from = link->connection->local;
    struct address to = *remote;

    from.port = to.port = 500;
    struct ike_sa *sa = ike_sa_new(context, engine_protocol(engine, link->connection->version),
                                   link->connection, &from, &to, 0);
    if (sa == NULL) {
        link_failed(engine, link, "out of memory");
        return;
    }
    sa->handshake->wanted = child;
    hand_packet(link, sa, child);
    sa->replaces = replaces;
    sa->hasty = has_more;
    link_adopt(engine, sa);
    enum status status = sa->protocol->start(context, sa, &reason);
    sa_settle(engine, sa, status, &reason);
}

void link_start(struct engine *engine, struct link *link, const struct child_config *child,
                const struct ike_sa *replaces)
{
    const struct connection *connection = link->connection;

    if (engine->shutting_down || trying(link, child, replaces != NULL) ||
        (replaces == NULL && link_covers(link, child)))
        return;
    if (connection->remote.family == FAMILY_NONE) {
        link_failed(engine, link, "the remote address is \"any\": only the peer can start");
        return;
    }
    struct ike_sa *carrier = replaces == NULL ? find_carrier(link) : NULL;
    if (carrier != NULL) {
        hand_packet(link, carrier, child);
        ike_sa_want_child(carrier, child);
        sa_wishes(engine, carrier);
        return;
    }
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

static bool is_at_work(const struct ike_sa *sa)
{
    struct protocol_view view;

    if (sa->handshake != NULL || sa->inherited)
        return true;
    sa->protocol->view(sa, &view);
    return view.ours || view.theirs ||
           ((sa->wanted_children != 0 || sa->packet != NULL) && sa->state == IKE_ESTABLISHED);
}

bool link_is_at_work(const struct link *link)
{
    const struct ike_sa *sa;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        if (is_at_work(sa))
            return true;
    return dial_is_resolving(link);
}

void link_stalled(struct engine *engine, struct link *link, const char *why)
{
    if (!TAILQ_EMPTY(&link->waiting) && !link_is_at_work(link))
        link_answer(engine, link, COMMAND_UP, false, why);
}

/* Is it yet to be seen whether what stands is there? */
static bool is_looked_at(const struct link *link)
{
    const struct ike_sa *sa;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link)
            if (sa->state == IKE_ESTABLISHED && !sa->delete_asked &&
                (sa->look_kernel || sa->look_peer))
                return true;
    return false;
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
    if (!TAILQ_EMPTY(&link->waiting) && is_looked_at(link))
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

static bool rekey_is_due(const struct engine *engine, const struct link *link)
{
    const struct ike_sa *sa;
    const struct child_sa *child;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link) {
            if (sa->rekey_due && at == link)
                return true;
            TAILQ_FOREACH (child, &sa->children, entry)
                if (child->rekey_due && !child->replaced &&
                    child->leaves_ms <= engine->context.now_ms &&
                    child->config->connection == link->connection)
                    return true;
        }
    return false;
}

void link_rekeyed(struct engine *engine, struct link *link)
{
    if (!TAILQ_EMPTY(&link->waiting) && !rekey_is_due(engine, link))
        link_answer(engine, link, COMMAND_REKEY, true, "rekeyed");
}

void link_rekey_failed(struct engine *engine, struct link *link, const char *why)
{
    if (link != NULL)
        link_answer(engine, link, COMMAND_REKEY, false, why);
}

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
    if (engine->shutting_down || link->connection->remote.family == FAMILY_NONE ||
        (!immediate && !traffic && !link->orphans && !dial_has_unknown(link)) ||
        heap_has(&link->retry.node))
        return;
    ike_sa_timer(context, &link->retry, context->now_ms + wait_ms);
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

/* For who looks at the connection that the stranger would have had.  It has not proven its address,
 * so nothing is noted where all is well. */
void link_refused_stranger(struct engine *engine, const struct event *event)
{
    const struct connection *connection =
        choose_connection(engine->config, &event->local, &event->remote, NULL);
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
    if (!engine->shutting_down)
        schedule_retry(engine, link);
}

void link_lost(struct engine *engine, struct link *link)
{
    if (TAILQ_EMPTY(&link->sas)) {
        pairs_forget(link); /* the peer may be another one when it comes back */
        link_answer(engine, link, COMMAND_DOWN, true, "down");
    }
    if (!rekey_is_due(engine, link))
        link_rekey_failed(engine, link, "closed before it was rekeyed");
    schedule_retry(engine, link);
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
