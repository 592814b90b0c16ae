/*
 * The end of an IKE SA: see close.h.
 */
#include "lib/engine/close.h"

#include "lib/engine/coverage.h"
#include "lib/engine/result.h"
#include "lib/engine/retry.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

/* Another established IKE SA of the same connection with the same peer, or NULL. */
static struct ike_sa *find_sibling(const struct engine *engine, const struct ike_sa *sa)
{
    struct ike_sa *sibling = NULL;

    while (sa->remote_id.size > 0 &&
           (sibling = sa_table_same_peer(&engine->sas, sa, sibling)) != NULL)
        if (sibling->connection == sa->connection && sibling->state == IKE_ESTABLISHED &&
            !sibling->delete_asked && address_same_host(&sibling->remote, &sa->remote) &&
            address_same_host(&sibling->local, &sa->local))
            return sibling;
    return NULL;
}

/* Nothing is sent by this one's children any more: what waited beside them goes to work. */
static void release_successors(struct engine *engine, const struct ike_sa *sa)
{
    struct ike_sa *sibling = find_sibling(engine, sa);
    struct child_sa *child;

    if (sibling == NULL)
        return;
    TAILQ_FOREACH (child, &sibling->children, entry)
        if (ike_sa_carries(sa, child->config))
            child_release_outbound(&engine->context, sibling, child);
}

/* Packets on the way by this one's children are still received for a moment, where there is
 * somebody to see to it. */
static void leave_to_sibling(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    struct ike_sa *sibling = find_sibling(engine, sa);

    if (sibling == NULL)
        return;
    release_successors(engine, sa);
    while (!TAILQ_EMPTY(&sa->children))
        child_linger(context, sa, TAILQ_FIRST(&sa->children));
    if (TAILQ_EMPTY(&sa->gone))
        return;
    ike_sa_timer(context, &sibling->later, context->now_ms);
    children_linger_in(sibling, sa);
}

void sa_end(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    struct link *link = sa->link;
    struct child_sa *child;
    bool guests = link != NULL && sa_has_guests(sa);

    sa->protocol->abandon(context, sa);
    leave_to_sibling(engine, sa);
    while ((child = TAILQ_FIRST(&sa->children)) != NULL)
        child_remove(context, sa, child);
    while ((child = TAILQ_FIRST(&sa->gone)) != NULL) {
        TAILQ_REMOVE(&sa->gone, child, entry);
        child_remove(context, sa, child);
    }
    if (sa->handshake != NULL && sa->handshake->child != NULL)
        child_remove(context, sa, sa->handshake->child);
    if (link != NULL)
        TAILQ_REMOVE(&link->sas, sa, of_link);
    ike_sa_free(context, sa);
    if (link != NULL)
        link_lost(engine, link);
    if (guests)
        link_lost_guests(engine, link);
    if (engine->context.closing && engine->sas.count == 0)
        result(engine, engine->shutdown_command, true, "all SAs are closed");
}

void sa_close(struct engine *engine, struct ike_sa *sa)
{
    struct protocol_view view;
    struct reason reason = {0};

    sa->delete_asked = true;
    switch ((enum ike_state)sa->state) {
    case IKE_ESTABLISHED:
        sa->protocol->view(sa, &view);
        if (view.busy || view.heir_due)
            return; /* sa_settle does it once the window is free, and closes the heir, too */
        release_successors(engine, sa);
        if (sa->protocol->close(&engine->context, sa, FINDING_NONE, &reason) != STATUS_OK)
            sa_end(engine, sa);
        return;
    case IKE_AWAIT_AUTH_REPLY:
    case IKE_AWAIT_VERIFY:
    case IKE_AWAIT_INSTALL:
    case IKE_AWAIT_REKEY:
        return; /* the peer may hold it for established: it is closed when it is */
    case IKE_AWAIT_DELETE_REPLY: return;
    case IKE_AWAIT_KEY:
    case IKE_AWAIT_INIT_REPLY:
    case IKE_AWAIT_SHARED:
    case IKE_AWAIT_SIGN:
    case IKE_AWAIT_AUTH_REQUEST:
    case IKE_REFUSED:
    case IKE_STATE_COUNT: sa_end(engine, sa); return;
    }
}
