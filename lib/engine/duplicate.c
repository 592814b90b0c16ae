/*
 * Several IKE SAs with one peer: which of them stays.  RFC 7296 sections 2.4 and 2.8.
 *
 * Not here: an IKE SA's life otherwise (sa_life.c), rekeying (lib/ikev2/outcome.c).
 */
#include "lib/engine/duplicate.h"

#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define SUPERSEDED_LIFE_MS 10000 /* a peer's time to close what a newer SA has replaced */

void sa_forget_older(struct engine *engine, const struct ike_sa *sa)
{
    struct ike_sa *other = sa_table_same_peer(&engine->sas, sa, NULL);

    while (other != NULL) {
        struct ike_sa *next = sa_table_same_peer(&engine->sas, sa, other);
        if (identity_equal(other->connection->local_id, sa->connection->local_id) &&
            other->established_ms < sa->created_ms) {
            report(&engine->context, other, SEVERITY_INFO, "ike-forgotten",
                   "the peer has started anew: its earlier IKE SA is removed");
            sa_end(engine, other);
        }
        other = next;
    }
}

static bool carries_all(const struct ike_sa *sa, const struct child_sa *child)
{
    const struct child_sa *other;

    TAILQ_FOREACH (other, &sa->children, entry)
        if (other->config == child->config && !other->undone && !other->expired &&
            child_covers(other, child))
            return true;
    return false;
}

/* Does the one that stays carry a child of the other one's?  A part of it is not the same: a peer
 * may know as another child what is a part of ours. */
static bool share_child(const struct ike_sa *stays, const struct ike_sa *goes)
{
    const struct child_sa *child;

    TAILQ_FOREACH (child, &goes->children, entry)
        if (carries_all(stays, child))
            return true;
    return false;
}

/* Has the connection siblings (sibling.c)?  Then an IKE SA without a child may be any one's. */
static bool has_siblings(const struct connection *connection)
{
    return connection->next_of_pair != connection;
}

/* Do two IKE SAs serve the same connection between the same two hosts?  Where any peer may come,
 * one may have reasons for two, and so may one that has each of several children in a connection of
 * its own: unless they carry the same child, or both ends began at once. */
static bool same_service(const struct ike_sa *stays, const struct ike_sa *goes)
{
    const struct connection *connection = goes->connection;

    if (goes->state != IKE_ESTABLISHED || stays->state != IKE_ESTABLISHED ||
        stays->connection != connection || goes->inherited || stays->inherited ||
        !address_same_host(&goes->remote, &stays->remote))
        return false;
    return share_child(stays, goes) ||
           (connection->remote.family != FAMILY_NONE && !has_siblings(connection) &&
            (connection->child_count == 1 || goes->initiator != stays->initiator));
}

/* The responder of an IKE SA without a child took the first of several connections. */
static void follow_child(struct engine *engine, struct ike_sa *sa)
{
    const struct child_sa *child = TAILQ_FIRST(&sa->children);
    struct protocol_view view;

    sa->protocol->view(sa, &view);
    if (sa->leads || sa->wanted_children != 0 || view.ours || !child_is_guest(sa, child))
        return;
    sa->connection = child->config->connection;
    link_adopt(engine, sa);
}

bool sa_settle_lone(struct engine *engine, struct ike_sa *sa)
{
    if (!sa->lone || sa->settled || sa->state != IKE_ESTABLISHED || sa->inherited ||
        TAILQ_EMPTY(&sa->children) || !has_siblings(sa->connection))
        return true;
    sa->settled = true;
    follow_child(engine, sa);
    return sa->delete_asked || sa->replaces != 0 || sa_resolve_duplicates(engine, sa);
}

void sa_leave_lone(struct engine *engine, struct ike_sa *sa)
{
    if (!sa->lone || sa->settled || !sa->leads || sa->replaces != 0 || sa->link == NULL ||
        !TAILQ_EMPTY(&sa->children) || !has_siblings(sa->connection) || !link_is_whole(sa->link))
        return;
    report(&engine->context, sa, SEVERITY_INFO, "ike-redundant",
           "another IKE SA carries what this one was made for: closed");
    count(&engine->context, COUNTER_REDUNDANT);
    sa_close(engine, sa);
}

void link_leave_lone(struct engine *engine, struct link *link)
{
    struct ike_sa *sa;
    struct ike_sa *next;

    if (!has_siblings(link->connection) || link->connection->remote.family == FAMILY_NONE)
        return;
    for (sa = TAILQ_FIRST(&link->sas); sa != NULL; sa = next) {
        next = TAILQ_NEXT(sa, of_link);
        if (sa->lone && !sa->settled)
            event_due(&engine->context, sa);
    }
}

static void close_loser(struct engine *engine, struct ike_sa *loser, struct ike_sa *winner)
{
    const struct child_sa *child;

    report(&engine->context, loser, SEVERITY_INFO, "ike-redundant",
           "both ends started at once: one of the two IKE SAs is closed");
    count(&engine->context, COUNTER_REDUNDANT);
    ike_sa_take_tasks(winner, loser);
    TAILQ_FOREACH (child, &loser->children, entry)
        ike_sa_want_child(winner, child->config);
    sa_close(engine, loser);
}

void sa_supersede(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    if (!sa->superseded) /* else its time runs already: no newer one gives it more */
        ike_sa_timer(context, &sa->expire, context->now_ms + SUPERSEDED_LIFE_MS);
    sa->superseded = true;
}

/* Both ends started at once: of the two SAs the one with the higher SPI of its initiator goes; both
 * ends compute the same, and the initiator of the loser closes it.  Else the older one goes. */
bool sa_resolve_duplicates(struct engine *engine, struct ike_sa *sa)
{
    struct ike_sa *other = sa_table_same_peer(&engine->sas, sa, NULL);

    while (other != NULL) {
        struct ike_sa *next = sa_table_same_peer(&engine->sas, sa, other);
        bool at_once = sa->initiator != other->initiator;
        struct ike_sa *goes = at_once && sa->spi_i > other->spi_i ? sa : other;
        struct ike_sa *stays = goes == sa ? other : sa;
        if (!other->delete_asked && same_service(stays, goes)) {
            if (at_once && goes->initiator && !goes->delete_asked) {
                close_loser(engine, goes, stays);
                return goes != sa;
            }
            sa_supersede(engine, goes);
        }
        other = next;
    }
    return true;
}

void sa_close_surplus(struct engine *engine, const struct ike_sa *sa)
{
    const struct connection *connection = sa->connection;
    struct ike_sa *oldest = NULL;
    struct ike_sa *first = NULL; /* of those, too, that are being closed */
    uint32_t standing = 1;
    uint32_t all = 1;

    for (struct ike_sa *other = NULL;
         (other = sa_table_same_peer(&engine->sas, sa, other)) != NULL;) {
        if (other->connection != connection)
            continue;
        all++;
        if (first == NULL || other->number < first->number)
            first = other;
        if (other->state != IKE_ESTABLISHED || other->delete_asked || other->inherited)
            continue;
        standing++;
        if (oldest == NULL || other->number < oldest->number)
            oldest = other;
    }
    if (standing <= connection->sas_max)
        return;
    count(&engine->context, COUNTER_SURPLUS);
    report(&engine->context, sa, SEVERITY_WARNING, "ike-surplus",
           "%u IKE SAs with this peer, expected at most %u (sas_max): the oldest is closed",
           standing, connection->sas_max);
    if (all > 2 * connection->sas_max && first != oldest)
        sa_end(engine, first);
    sa_close(engine, oldest);
}

bool sa_is_superseded(const struct engine *engine, const struct ike_sa *sa)
{
    const struct ike_sa *other = NULL;

    while ((other = sa_table_same_peer(&engine->sas, sa, other)) != NULL)
        if (same_service(other, sa) && !other->delete_asked && other->line_ms >= sa->line_ms)
            return true;
    return false;
}
