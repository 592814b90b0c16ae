/*
 * An IKE SA that goes to other ends: see movement.h.
 */
#include "lib/sa/movement.h"

#include <stdlib.h>
#include <string.h>

#include "lib/sa/context.h"
#include "lib/sa/creation.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"

bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_FIND_SOURCE);

    if (effect == NULL)
        return false;
    memcpy(effect->find_source.connection.text, sa->connection->name,
           sizeof(effect->find_source.connection.text));
    effect->find_source.remote = sa->remote;
    return true;
}

struct movement *ike_sa_movement(struct ike_sa *sa)
{
    if (sa->movement == NULL)
        sa->movement = calloc(1, sizeof(*sa->movement));
    return sa->movement;
}

/* A transport mode child has addresses as selectors, and cannot go to another host; no child can
 * take the place of another peer's. */
static bool can_follow(const struct sa_table *table, const struct ike_sa *sa,
                       const struct child_sa *child, const struct address *remote)
{
    return address_same_host(&sa->remote, remote) ||
           (child->mode != CHILD_TRANSPORT && !sa_table_outbound_taken(table, child, remote));
}

bool ike_sa_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote)
{
    const struct creation *creations[] = {sa->own, sa->theirs};
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (!can_follow(table, sa, child, remote))
            return false;
    TAILQ_FOREACH (child, &sa->gone, entry)
        if (!can_follow(table, sa, child, remote))
            return false;
    for (size_t i = 0; i < 2; i++)
        if (creations[i] != NULL && creations[i]->child != NULL &&
            !can_follow(table, sa, creations[i]->child, remote))
            return false;
    return true;
}

void ike_sa_move(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote)
{
    char from[ADDRESS_TEXT_MAX];
    char to[ADDRESS_TEXT_MAX];

    sa->local = *local;
    sa->remote = *remote;
    sa->follow_due = false;
    count(context, COUNTER_MOVES);
    report(context, sa, SEVERITY_INFO, "moved", "now between %s, port %u, and %s, port %u%s",
           address_text(local, from), local->port, address_text(remote, to), remote->port,
           sa->encap ? ", ESP in UDP" : "");
    children_follow(context, sa, sa);
}

bool ike_sa_rests(const struct context *context, const struct ike_sa *sa)
{
    return sa->followed_ms != 0 && context->now_ms - sa->followed_ms < FOLLOW_MS;
}

void ike_sa_follow(struct context *context, struct ike_sa *sa, const struct address *local,
                   const struct address *remote)
{
    if (ike_sa_rests(context, sa)) {
        sa->local = *local;
        sa->remote = *remote;
        sa->follow_due = true;
        return;
    }
    sa->followed_ms = context->now_ms;
    ike_sa_move(context, sa, local, remote);
}

void ike_sa_take_path(struct ike_sa *heir, const struct ike_sa *old)
{
    heir->local = old->local;
    heir->remote = old->remote;
    heir->proven = old->proven;
    heir->nat_known = old->nat_known;
    heir->nat_here = old->nat_here;
    heir->nat_there = old->nat_there;
    heir->nat_pretended = old->nat_pretended;
    heir->encap = old->encap;
    heir->sent_ms = old->sent_ms;
    heir->mobike = old->mobike;
    heir->leads = old->leads;
    heir->update_due = old->update_due || old->updating;
    heir->announce_due = old->announce_due;
    heir->check_due = old->check_due || old->checking;
    heir->followed_ms = old->followed_ms;
    heir->follow_due = old->follow_due;
    const struct movement *from = old->movement;
    if (from == NULL || (from->peer_count == 0 && from->tried_remote.family == FAMILY_NONE) ||
        ike_sa_movement(heir) == NULL)
        return;
    *heir->movement = *from;
    heir->movement->step = (struct step){0};
    heir->movement->again = false;
    heir->movement->spoiled = true; /* by then the cookie is the old SA's */
}
