/*
 * An IKE SA that goes to other ends: see movement.h.
 */
#include "lib/sa/movement.h"

#include <stdlib.h>
#include <string.h>

#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"

bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_FIND_SOURCE);

    if (effect == NULL)
        return false;
    name_of_config(&effect->find_source.connection, sa->connection->name);
    effect->find_source.remote = sa->remote;
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
