/*
 * Calling a peer: see call.h.
 */
#include "lib/engine/call.h"

#include <stdlib.h>

#include "lib/engine/coverage.h"
#include "lib/engine/pair.h"
#include "lib/engine/retry.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"

const struct protocol *engine_protocol(const struct engine *engine, uint8_t version)
{
    const struct protocol *const *at = engine->protocols;

    while (at[1] != NULL && (*at)->version != version)
        at++;
    return *at;
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
    event_settled(context, sa, status, &reason);
}

bool link_is_served(const struct engine *engine, const struct link *link,
                    const struct child_config *child, bool replacing)
{
    return engine->context.closing || trying(link, child, replacing) ||
           (!replacing && link_covers(link, child));
}

bool link_join(struct engine *engine, struct link *link, const struct child_config *child)
{
    struct ike_sa *carrier = find_carrier(link);

    if (carrier == NULL)
        return false;
    hand_packet(link, carrier, child);
    ike_sa_want_child(carrier, child);
    event_due(&engine->context, carrier);
    return true;
}
