/*
 * Sibling connections: those with the same pair of identities, so that an IKE SA of one may carry
 * children of another, its guests (lib/sa/child_choose.c chooses).  RFC 7296 knows no connections:
 * for the peer there is one pair of identities, and whichever IKE SA.
 *
 * A guest is its own connection's in all that is said of it: covered, up, rekeyed, taken down.
 */
#include "lib/engine/sibling.h"

#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/rebinding.h"
#include "lib/sa/sa_table.h"

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
            event_due(&engine->context, sa);
        }
    return found;
}

/* --- A new configuration --- */

/* It cannot outlive its configuration: the Delete is sent once.  False when it cannot be sent
 * now. */
static bool drop_guest(struct engine *engine, struct ike_sa *sa, struct child_sa *child)
{
    struct task task = {.kind = TASK_DELETE_CHILD, .child = child};
    struct protocol_view view;
    struct reason unused;

    sa->protocol->view(sa, &view);
    bool sent = !view.busy && sa->state == IKE_ESTABLISHED &&
                sa->protocol->task(&engine->context, sa, &task, &unused) == STATUS_OK;

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
        if (rebinding_child(&rebinding, child))
            continue;
        TAILQ_REMOVE(&sa->gone, child, entry);
        child_remove(&engine->context, sa, child);
    }
    bool whole = sa->protocol->rebind(sa, &rebinding);
    if (handshake != NULL && handshake->wanted != NULL) {
        handshake->wanted = rebinding_config(&rebinding, handshake->wanted);
        whole = whole && handshake->wanted != NULL;
    }
    if (handshake != NULL)
        whole = rebinding_child(&rebinding, handshake->child) && whole;
    for (child = TAILQ_FIRST(&sa->children); whole && child != NULL; child = next) {
        next = TAILQ_NEXT(child, entry);
        whole = rebinding_child(&rebinding, child) || drop_guest(engine, sa, child);
    }
    if (whole)
        sa->connection = connection;
    return whole;
}
