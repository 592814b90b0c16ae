/*
 * What the operator and the kernel ask for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/nearest.h"
#include "lib/engine/change.h"
#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/link.h"
#include "lib/engine/link_addresses.h"
#include "lib/engine/liveness.h"
#include "lib/engine/pair.h"
#include "lib/engine/path.h"
#include "lib/engine/private.h"
#include "lib/engine/result.h"
#include "lib/engine/sibling.h"
#include "lib/engine/task.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

#define TRAFFIC_WAITS_MS 30000 /* how long packets wait on the kernel's side for an SA */

static bool wait_for(struct engine *engine, struct link *link, const struct command *command)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));

    if (waiting == NULL) {
        result(engine, command->number, false, "out of memory");
        return false;
    }
    waiting->number = command->number;
    waiting->kind = command->kind;
    TAILQ_INSERT_TAIL(&link->waiting, waiting, entry);
    return true;
}

/* Looks whether what carries the child is there: with the peer, and one look of the kernel at
 * once. */
static void look_at(struct engine *engine, struct link *link, const struct child_config *child,
                    bool peer)
{
    struct ike_sa *sa;
    struct ike_sa *next;

    for (struct link *at = link; at != NULL; at = link_next_sibling(engine, link, at))
        for (sa = TAILQ_FIRST(&at->sas); sa != NULL; sa = next) {
            next = TAILQ_NEXT(sa, of_link);
            if (ike_sa_carries(sa, child) && !(peer ? sa->look_peer : sa->look_kernel))
                sa_look(engine, sa, peer);
        }
}

static void up(struct engine *engine, struct link *link, const struct command *command)
{
    bool whole = link_is_whole(link);
    const struct child_config *child;
    struct waiting *waiting;

    if (!wait_for(engine, link, command))
        return;
    if (whole) { /* or so it is believed */
        TAILQ_LAST(&link->waiting, waiting_list)->believed = true;
        TAILQ_FOREACH (child, &link->connection->children, entry) {
            look_at(engine, link, child, true);
            if (link->connection->remote.family != FAMILY_NONE)
                pair_ask_rest(engine, link, child);
        }
        link_up(engine, link);
        return;
    }
    waiting = TAILQ_LAST(&link->waiting, waiting_list);
    TAILQ_FOREACH (child, &link->connection->children, entry) {
        link_start(engine, link, child, NULL);
        if (TAILQ_LAST(&link->waiting, waiting_list) != waiting)
            return; /* it has failed already */
    }
}

/* Closing one may free its heir on the way, which stands in no link yet, but no other SA. */
static void close_all(struct engine *engine, struct link *link)
{
    struct ike_sa *sa;
    struct ike_sa *next;

    for (sa = TAILQ_FIRST(&link->sas); sa != NULL; sa = next) {
        next = TAILQ_NEXT(sa, of_link);
        sa_close(engine, sa);
    }
}

static void down(struct engine *engine, struct link *link, const struct command *command)
{
    link->retry_until_ms = 0;
    link->lost_children = 0;
    dial_stop(link);
    heap_remove(&engine->timers, &link->retry.node);
    link_remove_orphans(engine, link);
    bool guests = link_close_guests(engine, link);
    if (TAILQ_EMPTY(&link->sas)) {
        result(engine, command->number, true, "%s: %s", link->connection->name,
               guests ? "down" : "nothing was up");
        return;
    }
    if (!wait_for(engine, link, command))
        return;
    close_all(engine, link);
    heap_remove(&engine->timers, &link->retry.node);
}

/* The part of it that stands in IKE SAs of a sibling, or of the link itself. */
static bool mark_rekey_in(struct link *holder, const struct link *link, const char *what)
{
    struct ike_sa *sa;
    struct child_sa *child;
    bool all = what[0] == '\0';
    bool found = false;

    TAILQ_FOREACH (sa, &holder->sas, of_link) {
        if (sa->state != IKE_ESTABLISHED || sa->delete_asked || sa->inherited)
            continue;
        if (holder == link && (all || strcmp(what, COMMAND_REKEY_IKE) == 0))
            found = sa->rekey_due = true;
        TAILQ_FOREACH (child, &sa->children, entry)
            if (child->config->connection == link->connection && !child->replaced &&
                !child->delete_due && (all || strcmp(what, child->config->name) == 0)) {
                found = child->rekey_due = true;
                child->leaves_ms = 0;
            }
    }
    return found;
}

/* Marks what is to be rekeyed; false when nothing of it is established. */
static bool mark_rekey(const struct engine *engine, struct link *link, const char *what)
{
    bool found = false;

    for (struct link *at = link; at != NULL; at = link_next_sibling(engine, link, at))
        found = mark_rekey_in(at, link, what) || found;
    return found;
}

/* The nearest name of a child to one that none has. */
static void no_such_child(struct engine *engine, const struct link *link,
                          const struct command *command)
{
    const struct child_config *child;
    struct nearest near = nearest_to(command->child.text);

    nearest_try(&near, COMMAND_REKEY_IKE);
    TAILQ_FOREACH (child, &link->connection->children, entry)
        nearest_try(&near, child->name);
    result(engine, command->number, false, "%s: no child \"%s\"; the nearest is \"%s\"",
           link->connection->name, command->child.text, near.best);
}

static void rekey(struct engine *engine, struct link *link, const struct command *command)
{
    const char *what = command->child.text;
    struct ike_sa *sa;
    struct ike_sa *next;

    if (what[0] != '\0' && strcmp(what, COMMAND_REKEY_IKE) != 0 &&
        connection_find_child(link->connection, what) == NULL) {
        no_such_child(engine, link, command);
        return;
    }
    if (!mark_rekey(engine, link, what)) {
        result(engine, command->number, false, "%s: nothing is up that could be rekeyed",
               link->connection->name);
        return;
    }
    if (!wait_for(engine, link, command))
        return;
    for (struct link *at = link; at != NULL; at = link_next_sibling(engine, link, at))
        for (sa = TAILQ_FIRST(&at->sas); sa != NULL; sa = next) {
            next = TAILQ_NEXT(sa, of_link);
            sa_wishes(engine, sa);
        }
}

static void shut_down(struct engine *engine, const struct command *command)
{
    struct link *link;

    engine->context.closing = true;
    engine->shutdown_command = command->number;
    if (engine->sas.count == 0) {
        result(engine, command->number, true, "nothing was up");
        return;
    }
    TAILQ_FOREACH (link, &engine->links, entry)
        close_all(engine, link);
}

void engine_command(struct engine *engine, const struct command *command, uint64_t now_ms)
{
    struct link *link = NULL;

    engine->context.now_ms = now_ms;
    changes_end(engine);
    if (command->kind == COMMAND_UP || command->kind == COMMAND_DOWN ||
        command->kind == COMMAND_REKEY) {
        link = link_find(engine, command->name.text);
        if (link == NULL) {
            result(engine, command->number, false, "%s: no such connection", command->name.text);
            return;
        }
    }
    switch (command->kind) {
    case COMMAND_CONFIGURE: changes_begin(engine, command->config, command->number); return;
    case COMMAND_UP: up(engine, link, command); return;
    case COMMAND_DOWN: down(engine, link, command); return;
    case COMMAND_REKEY: rekey(engine, link, command); return;
    case COMMAND_SHUTDOWN: shut_down(engine, command); return;
    }
}

#define IDLE_SAID_MS 60000
#define REMADE_MS    5000 /* a child that lasted less is not made anew at once */

/* Traffic waits for somebody who has to come by himself. */
static void acquire_in_vain(struct engine *engine, const struct kernel_event *event,
                            struct link *link)
{
    uint64_t now_ms = engine->context.now_ms;
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    count(&engine->context, COUNTER_ACQUIRES_IGNORED);
    if (link->idle_said_ms != 0 && now_ms - link->idle_said_ms < IDLE_SAID_MS)
        return;
    link->idle_said_ms = now_ms;
    report(&engine->context, NULL, SEVERITY_INFO, "acquire",
           "%s: traffic %s === %s does not pass: %s, only the peer can start",
           link->connection->name, selector_text(&event->local_packet, local),
           selector_text(&event->remote_packet, remote),
           link->connection->remote.family == FAMILY_NONE ? "with remote = \"any\""
                                                          : "with start = \"never\"");
}

static void acquire(struct engine *engine, const struct kernel_event *event, struct link *link,
                    const struct child_config *child)
{
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    count(&engine->context, COUNTER_ACQUIRES);
    if (child->start == START_NEVER || link->connection->remote.family == FAMILY_NONE) {
        acquire_in_vain(engine, event, link);
        return;
    }
    link->retry_until_ms = engine->context.now_ms + TRAFFIC_WAITS_MS;
    if (link_covers(link, child)) {
        if (!link_covers_packet(link, child, &event->local_packet, &event->remote_packet))
            pair_ask(engine, link, event, child);
        else
            look_at(engine, link, child, false); /* the kernel would not ask if it had one */
        return;
    }
    report(&engine->context, NULL, SEVERITY_INFO, "acquire", "%s: traffic %s === %s asks for %s",
           link->connection->name, selector_text(&event->local_packet, local),
           selector_text(&event->remote_packet, remote), child->name);
    link_start_packet(engine, link, child, &event->local_packet, &event->remote_packet);
}

/* May we start it, and did it last?  Whoever removes it for ever is not to have us negotiate for
 * ever: the next packet asks. */
static bool is_made_anew(const struct engine *engine, const struct child_sa *child)
{
    const struct child_config *config = child->config;

    return config->start != START_NEVER && config->connection->remote.family != FAMILY_NONE &&
           !child->replaced && engine->context.now_ms - child->created_ms >= REMADE_MS;
}

/* The kernel has forgotten the SA: the pair is no use. */
static void lose(struct engine *engine, struct ike_sa *sa, struct child_sa *child, bool removed)
{
    if (child->expired)
        return; /* its other SA has gone, too */
    report(&engine->context, sa, removed ? SEVERITY_WARNING : SEVERITY_INFO, "child-expired",
           removed ? "child %s: somebody else has removed its SA from the kernel"
                   : "child %s has reached its limit",
           child->config->name);
    child->delete_due = child->expired = true;
    if (removed && is_made_anew(engine, child))
        ike_sa_want_child(sa, child->config);
}

/* It is not there yet, and has lost one of its SAs already: what is listed is closed at once. */
static void lose_installing(struct engine *engine, const struct kernel_event *event)
{
    struct child_sa *child =
        sa_table_find_installing(&engine->sas, event->protocol, event->spi, &event->destination);

    if (child != NULL)
        lose(engine, child->owner, child, event->removed);
}

/* Soft: a new pair is made first. */
static void expire(struct engine *engine, const struct kernel_event *event)
{
    struct child_sa *child =
        sa_table_find_child(&engine->sas, event->protocol, event->spi, &event->destination);
    struct ike_sa *sa = child == NULL ? NULL : child->owner;

    if (child == NULL && event->hard)
        lose_installing(engine, event);
    if (child == NULL || sa->state != IKE_ESTABLISHED || sa->delete_asked)
        return;
    if (event->hard)
        lose(engine, sa, child, event->removed);
    else
        child->rekey_due = true;
    sa_wishes(engine, sa);
}

void engine_kernel(struct engine *engine, const struct kernel_event *event, uint64_t now_ms)
{
    const struct child_config *child = NULL;
    struct link *link = NULL;

    engine->context.now_ms = now_ms;
    changes_end(engine);
    if (event->kind == KERNEL_EXPIRE) {
        expire(engine, event);
        return;
    }
    if (event->kind == KERNEL_MAPPING) {
        path_mapping(engine, event);
        return;
    }
    if (event->kind == KERNEL_ADDRESSES) {
        path_addresses(engine);
        return;
    }
    link = link_find(engine, event->connection.text);
    if (link != NULL)
        child = connection_find_child(link->connection, event->child.text);
    if (child == NULL)
        return;
    if (event->kind == KERNEL_ACQUIRE) {
        acquire(engine, event, link, child);
    } else {
        link->orphans = true;
        if (link->connection->remote.family != FAMILY_NONE)
            link_start(engine, link, child, NULL);
    }
}
