/*
 * What follows when an established peer does not answer any more: `on_dead` of its connection.
 * RFC 7296 section 2.4.
 *
 *   trap     SAs go, policies stay: the next packet asks for new ones
 *   restart  a try at once, and again with back-off, for the children that were up
 *   clear    SAs and policies go, until the connection is up again
 *
 * Not here: how a peer is found dead (liveness.c, sa_life.c).
 */
#include "lib/engine/link_dead.h"

#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/link.h"
#include "lib/engine/private.h"
#include "lib/engine/retry.h"
#include "lib/sa/ike_sa.h"

/* What the SA carried, or was to. */
static uint64_t children_of(const struct ike_sa *sa)
{
    const struct child_sa *child;
    uint64_t places = sa->wanted_children;
    struct protocol_view view;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (!child_is_guest(sa, child))
            places |= child_bit(child->config);
    sa->protocol->view(sa, &view);
    if (view.making != NULL)
        places |= child_bit(view.making);
    return places;
}

static void restart(struct engine *engine, struct link *link)
{
    const struct child_config *config;

    TAILQ_FOREACH (config, &link->connection->children, entry)
        if (link_restarts(link, config))
            link_start(engine, link, config, NULL);
}

/* Its guests are their own connections' matter. */
static void note_guests(struct engine *engine, const struct ike_sa *sa)
{
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry) {
        struct link *link =
            child_is_guest(sa, child) ? link_of_child(engine, sa, child->config) : NULL;
        if (link != NULL && link->connection->on_dead == DEAD_RESTART)
            link->lost_children |= child_bit(child->config);
    }
}

void link_dead(struct engine *engine, struct ike_sa *sa, const char *why)
{
    struct link *link = sa->link;
    uint64_t lost = children_of(sa);

    if (link == NULL) {
        sa_end(engine, sa);
        return;
    }
    link_note(engine, link, why);
    if (link->connection->on_dead == DEAD_RESTART)
        link->lost_children |= lost;
    note_guests(engine, sa);
    sa_end(engine, sa);
    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;)
        restart(engine, at);
    if (link->connection->on_dead == DEAD_RESTART) {
        restart(engine, link);
    } else if (link->connection->on_dead == DEAD_CLEAR && !link->cleared &&
               link_covered(link) == 0) {
        link->cleared = true;
        link_policies(engine, link->connection, EFFECT_REMOVE_POLICY);
    }
    link_resume(engine, link);
    link_stalled(engine, link, why);
}

void link_serves(struct engine *engine, struct link *link)
{
    if (link->connection->remote.family != FAMILY_NONE) /* else they may be other peers' */
        link_remove_orphans(engine, link);
    if (!link->cleared)
        return;
    link->cleared = false;
    link_policies(engine, link->connection, EFFECT_INSTALL_POLICY);
}
