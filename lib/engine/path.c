/*
 * Where an SA's messages may come from, and when the SA follows them: port 4500, and peers behind a
 * NAT whose mapping changes.  RFC 7296 sections 2.11 and 2.23, RFC 4555 section 3.8.
 *
 * A reply goes where its request came from.  The SA itself follows only what is authenticated and
 * new, and only a peer behind a NAT, from an end that is behind none.
 */
#include "lib/engine/private.h"
#include "lib/ikev2/nat.h"

#define MOVES_MS 1000 /* an SA follows its peer at most once in this time */

bool path_allowed(const struct ike_sa *sa, const struct ike_message *message)
{
    bool same_local = address_same_host(&sa->local, &message->local);

    if (same_local && address_equal(&sa->remote, &message->remote))
        return true;
    if (sa->state == IKE_AWAIT_AUTH_REQUEST) /* the float to port 4500 */
        return same_local && (sa->nat_there || address_same_host(&sa->remote, &message->remote));
    return same_local && sa->nat_there && sa->keys.size > 0;
}

/* A transport mode child has addresses as selectors, and cannot go to another host; no child can take
 * the place of another peer's. */
static bool can_follow(const struct engine *engine, const struct ike_sa *sa,
                       const struct child_sa *child, const struct address *remote)
{
    return address_same_host(&sa->remote, remote) ||
           (child->mode != CHILD_TRANSPORT &&
            !sa_table_outbound_taken(&engine->sas, child, remote));
}

static bool all_can_follow(const struct engine *engine, const struct ike_sa *sa,
                           const struct address *remote)
{
    const struct creation *creations[] = {sa->own, sa->theirs};
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (!can_follow(engine, sa, child, remote))
            return false;
    TAILQ_FOREACH (child, &sa->gone, entry)
        if (!can_follow(engine, sa, child, remote))
            return false;
    for (size_t i = 0; i < 2; i++)
        if (creations[i] != NULL && creations[i]->child != NULL &&
            !can_follow(engine, sa, creations[i]->child, remote))
            return false;
    return true;
}

static bool may_follow(const struct engine *engine, const struct ike_sa *sa,
                       const struct address *remote)
{
    bool rests = sa->followed_ms != 0 && engine->context.now_ms - sa->followed_ms < MOVES_MS;

    return sa->state == IKE_ESTABLISHED && sa->nat_there && !sa->nat_here && !rests &&
           remote->family == sa->remote.family && !address_equal(&sa->remote, remote) &&
           all_can_follow(engine, sa, remote);
}

void path_move(struct engine *engine, struct ike_sa *sa, const struct address *local,
               const struct address *remote)
{
    struct context *context = &engine->context;
    char text[ADDRESS_TEXT_MAX];

    sa->local = *local;
    sa->remote = *remote;
    report(context, sa, SEVERITY_INFO, "peer-moved", "the peer is now at %s, port %u",
           address_text(remote, text), remote->port);
    count(context, COUNTER_MOVES);
    children_follow(context, sa, sa);
}

void path_keepalive(struct engine *engine, struct ike_sa *sa)
{
    uint64_t wait_ms = sa->connection->keepalive_s * 1000ull;

    if (sa->state == IKE_ESTABLISHED && !sa->inherited && sa->nat_here && sa->encap)
        ike_sa_timer(&engine->context, &sa->keepalive, sa->sent_ms + wait_ms);
}

/* Only messages of IKE count as sent: nobody tells when ESP last was. */
void path_keepalive_due(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    if (sa->sent_ms + sa->connection->keepalive_s * 1000ull <= context->now_ms) {
        message_send_keepalive(context, sa);
        sa->sent_ms = context->now_ms;
    }
    path_keepalive(engine, sa);
}

void path_take(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    if (!ike_message_is_response(message)) {
        sa->asked_at = message->local;
        sa->asked_from = message->remote;
    }
    if (sa->state == IKE_AWAIT_AUTH_REQUEST) {
        sa->local = message->local;
        sa->remote = message->remote;
        sa->encap = sa->encap && sa->local.port == NAT_PORT_BOTH;
    } else if (may_follow(engine, sa, &message->remote)) {
        sa->followed_ms = engine->context.now_ms;
        path_move(engine, sa, &sa->local, &message->remote);
    }
}

void path_mapping(struct engine *engine, const struct kernel_event *event)
{
    struct child_sa *child = sa_table_find_child(&engine->sas, event->protocol, event->spi,
                                                 &event->destination);
    struct ike_sa *sa = child == NULL ? NULL : child->owner;

    if (sa == NULL || child->spi_in != event->spi || !child->encap ||
        !may_follow(engine, sa, &event->source))
        return;
    sa->followed_ms = engine->context.now_ms;
    path_move(engine, sa, &sa->local, &event->source);
}
