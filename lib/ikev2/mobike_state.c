/*
 * What an end that moves needs: see mobike_state.h.
 */
#include "lib/ikev2/mobike_state.h"

#include <stdlib.h>

#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"

struct mobike_state *mobike_state(struct ike_sa *sa)
{
    if (ikev2_of(sa)->movement == NULL)
        ikev2_of(sa)->movement = calloc(1, sizeof(*ikev2_of(sa)->movement));
    return ikev2_of(sa)->movement;
}

/* A transport mode child has addresses as selectors, and cannot go to another host; no child can
 * take the place of another peer's. */
static bool can_follow(const struct sa_table *table, const struct ike_sa *sa,
                       const struct child_sa *child, const struct address *remote)
{
    return address_same_host(&sa->remote, remote) ||
           (child->mode != CHILD_TRANSPORT && !sa_table_outbound_taken(table, child, remote));
}

bool mobike_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote)
{
    const struct creation *creations[] = {ikev2_of(sa)->own, ikev2_of(sa)->theirs};
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

void mobike_take_path(struct ike_sa *heir, const struct ike_sa *old)
{
    heir->local = old->local;
    heir->remote = old->remote;
    heir->proven = old->proven;
    ikev2_of(heir)->nat_known = ikev2_of(old)->nat_known;
    heir->nat_here = old->nat_here;
    heir->nat_there = old->nat_there;
    heir->nat_pretended = old->nat_pretended;
    heir->encap = old->encap;
    heir->sent_ms = old->sent_ms;
    ikev2_of(heir)->mobike = ikev2_of(old)->mobike;
    heir->leads = old->leads;
    ikev2_of(heir)->update_due = ikev2_of(old)->update_due || ikev2_of(old)->updating;
    ikev2_of(heir)->announce_due = ikev2_of(old)->announce_due;
    ikev2_of(heir)->check_due = ikev2_of(old)->check_due || ikev2_of(old)->checking;
    heir->followed_ms = old->followed_ms;
    heir->follow_due = old->follow_due;
    const struct mobike_state *from = ikev2_of(old)->movement;
    if (from == NULL || (from->peer_count == 0 && from->tried_remote.family == FAMILY_NONE) ||
        mobike_state(heir) == NULL)
        return;
    *ikev2_of(heir)->movement = *from;
    ikev2_of(heir)->movement->step = (struct step){0};
    ikev2_of(heir)->movement->again = false;
    ikev2_of(heir)->movement->spoiled = true; /* by then the cookie is the old SA's */
}

bool mobike_wanted(const struct ike_sa *sa)
{
    return sa->connection->mobike && ikev2_of(sa)->nat_known;
}

bool trial_is_on(const struct ike_sa *sa)
{
    return ikev2_of(sa)->movement != NULL &&
           ikev2_of(sa)->movement->tried_remote.family != FAMILY_NONE;
}
