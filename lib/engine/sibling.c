/*
 * Sibling connections: those with the same pair of identities, so that an IKE SA of one may carry
 * children of another, its guests (lib/sa/child_choose.c chooses).  RFC 7296 knows no connections:
 * for the peer there is one pair of identities, and whichever IKE SA.
 *
 * A guest is its own connection's in all that is said of it: covered, up, rekeyed, taken down.
 */
#include "lib/engine/private.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

struct link *link_next_sibling(const struct engine *engine, const struct link *link,
                               const struct link *at)
{
    const struct connection *connection = at->connection->next_of_pair;

    for (; connection != link->connection && connection != at->connection;
         connection = connection->next_of_pair) {
        struct link *next = link_find(engine, connection->name);
        if (next != NULL && next->connection == connection)
            return next;
    }
    return NULL;
}

struct link *link_of_child(const struct engine *engine, const struct ike_sa *sa,
                           const struct child_config *config)
{
    if (config->connection == sa->connection)
        return sa->link;
    return link_find(engine, config->connection->name);
}

static bool is_asked(const struct ike_sa *sa)
{
    return sa->state == IKE_AWAIT_AUTH_REPLY || sa->state == IKE_AWAIT_VERIFY ||
           sa->state == IKE_AWAIT_INSTALL || sa->state == IKE_ESTABLISHED;
}

/* Has another connection an SA with just this peer, whom it takes among others? */
static bool is_known_peer(const struct engine *engine, const struct connection *connection)
{
    const struct ike_sa *other = NULL;

    while (connection->remote_id->type != 0 &&
           (other = sa_table_find_peer(&engine->sas, connection->remote_id, other)) != NULL)
        if (is_asked(other) && identity_equal(other->connection->local_id, connection->local_id))
            return true;
    return false;
}

bool link_first_contact(const struct engine *engine, const struct ike_sa *sa)
{
    const struct ike_sa *other;

    if (sa->link == NULL) /* memory was out when the connection came */
        return false;
    for (const struct link *at = sa->link; at != NULL; at = link_next_sibling(engine, sa->link, at))
        TAILQ_FOREACH (other, &at->sas, of_link)
            if (other != sa && is_asked(other))
                return false;
    return !is_known_peer(engine, sa->connection);
}

void link_tell_siblings(struct engine *engine, struct link *link)
{
    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;) {
        link_up(engine, at);
        link_rekeyed(engine, at);
    }
}

bool sa_has_guests(const struct ike_sa *sa)
{
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child_is_guest(sa, child))
            return true;
    return false;
}

void link_lost_guests(struct engine *engine, struct link *link)
{
    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;)
        link_lost(engine, at);
}

/* Marks the link's children that are in the SA. */
static bool mark_guests(struct ike_sa *sa, const struct link *link)
{
    struct child_sa *child;
    bool found = false;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->config->connection == link->connection)
            found = child->delete_due = true;
    return found;
}

bool link_close_guests(struct engine *engine, struct link *link)
{
    struct ike_sa *sa;
    struct ike_sa *next;
    bool found = false;

    for (struct link *at = link; (at = link_next_sibling(engine, link, at)) != NULL;)
        for (sa = TAILQ_FIRST(&at->sas); sa != NULL; sa = next) {
            next = TAILQ_NEXT(sa, of_link);
            if (!mark_guests(sa, link))
                continue;
            found = true;
            sa_wishes(engine, sa);
        }
    return found;
}

/* --- A new configuration --- */

/* What a child is configured as now; NULL when its connection has changed, or is gone. */
static const struct child_config *rebound(const struct child_config *config,
                                          const struct connection *before,
                                          const struct connection *after, const struct config *all)
{
    const struct connection *now = after;

    if (config->connection != before) {
        now = config_find(all, config->connection->name);
        if (now == NULL || !connection_equal(config->connection, now))
            return NULL;
    }
    return connection_find_child(now, config->name);
}

/* What an IKE SA's children follow: its connection before and after, and all the others. */
struct rebinding {
    const struct connection *before;
    const struct connection *after;
    const struct config *all;
};

static bool rebind_child(struct child_sa *child, const struct rebinding *rebinding)
{
    if (child == NULL)
        return true;
    const struct child_config *config =
        rebound(child->config, rebinding->before, rebinding->after, rebinding->all);
    if (config != NULL)
        child_rebind(child, config);
    return config != NULL;
}

static bool rebind_creation(struct creation *creation, const struct rebinding *rebinding)
{
    if (creation == NULL)
        return true;
    bool whole = rebind_child(creation->child, rebinding);
    if (creation->config != NULL) {
        creation->config =
            rebound(creation->config, rebinding->before, rebinding->after, rebinding->all);
        whole = whole && creation->config != NULL;
    }
    if (creation->packet != NULL)
        creation->packet->config = creation->config;
    if (creation->heir != NULL)
        creation->heir->connection = rebinding->after;
    return whole;
}

/* It cannot outlive its configuration: the Delete is sent once.  False when it cannot be sent
 * now. */
static bool drop_guest(struct engine *engine, struct ike_sa *sa, struct child_sa *child)
{
    struct reason unused;
    bool sent = ikev2_of(sa)->request == NULL && sa->state == IKE_ESTABLISHED &&
                informational_delete_child(&engine->context, sa, child, &unused) == STATUS_OK;

    child_remove(&engine->context, sa, child);
    return sent;
}

bool sa_rebind(struct engine *engine, struct ike_sa *sa, const struct connection *connection,
               const struct config *all)
{
    struct rebinding rebinding = {sa->connection, connection, all};
    struct handshake *handshake = sa->handshake;
    struct child_sa *child;
    struct child_sa *next;

    ike_sa_drop_packet(sa);
    for (child = TAILQ_FIRST(&sa->gone); child != NULL; child = next) {
        next = TAILQ_NEXT(child, entry);
        if (rebind_child(child, &rebinding))
            continue;
        TAILQ_REMOVE(&sa->gone, child, entry);
        child_remove(&engine->context, sa, child);
    }
    bool whole = rebind_creation(ikev2_of(sa)->own, &rebinding);
    whole = rebind_creation(ikev2_of(sa)->theirs, &rebinding) && whole;
    if (handshake != NULL && handshake->wanted != NULL) {
        handshake->wanted = rebound(handshake->wanted, rebinding.before, connection, all);
        whole = whole && handshake->wanted != NULL;
    }
    if (handshake != NULL)
        whole = rebind_child(handshake->child, &rebinding) && whole;
    for (child = TAILQ_FIRST(&sa->children); whole && child != NULL; child = next) {
        next = TAILQ_NEXT(child, entry);
        whole = rebind_child(child, &rebinding) || drop_guest(engine, sa, child);
    }
    if (whole)
        sa->connection = connection;
    return whole;
}
