/*
 * Both ends made the same child at once: one of the two goes.  RFC 7296 section 2.8.  So does what
 * one end takes for a part of another connection's child.
 *
 * Not here: rekeyings that cross (its protocol), several IKE SAs with one peer (duplicate.c).
 */
#include "lib/engine/twin.h"

#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/policy/narrow.h"
#include "lib/policy/overlap.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

/* A peer may also have several children for parts of what one is configured for. */
static bool same_traffic(const struct child_sa *a, const struct child_sa *b)
{
    const struct selector *a_remote = a->remote_selectors;
    const struct selector *b_remote = b->remote_selectors;

    return selectors_within(a->local_selectors, a->local_count, b->local_selectors,
                            b->local_count) &&
           selectors_within(b->local_selectors, b->local_count, a->local_selectors,
                            a->local_count) &&
           selectors_within(a_remote, a->remote_count, b_remote, b->remote_count) &&
           selectors_within(b_remote, b->remote_count, a_remote, a->remote_count);
}

/* Both ends made the same child at once: the line with the higher SPI of its initiator goes, and
 * that one deletes it.  One of the two may have been rekeyed before the other one came.  False when
 * there is none in this IKE SA. */
static bool resolve_twins_in(struct engine *engine, struct ike_sa *sa, struct child_sa *made)
{
    struct child_sa *twin;

    TAILQ_FOREACH (twin, &sa->children, entry) {
        if (twin->config != made->config || twin->ours == made->ours || twin->delete_due ||
            twin->replaced || !same_traffic(twin, made))
            continue;
        struct child_sa *loser = made->line > twin->line ? made : twin;
        if (!loser->ours)
            return true;
        count(&engine->context, COUNTER_REDUNDANT);
        loser->delete_due = true;
        if (twin->owner != made->owner)
            loser->owner->lone = false; /* without it, it serves nobody */
        if (loser->owner != made->owner)
            event_due(&engine->context, loser->owner);
        return true;
    }
    return false;
}

/* A new IKE SA is to have all that an older one has. */
static bool replaces(const struct ike_sa *sa)
{
    return sa->state != IKE_ESTABLISHED || sa->replaces != 0 || sa->superseded ||
           sa->delete_asked || sa->inherited;
}

/* Does the other connection's child take something that the one that was made is configured for? */
static bool is_part_of(const struct child_sa *other, const struct child_sa *made)
{
    for (size_t i = 0; i < (size_t)other->local_count * other->remote_count; i++) {
        struct traffic traffic = {other->config, &other->local_selectors[i / other->remote_count],
                                  &other->remote_selectors[i % other->remote_count]};
        struct asked asked;
        if (!asked_set(&asked, &traffic))
            continue;
        for (size_t j = 0; j < (size_t)made->local_count * made->remote_count; j++) {
            struct traffic own = {made->config, &made->local_selectors[j / made->remote_count],
                                  &made->remote_selectors[j % made->remote_count]};
            if (asked_takes(&asked, &own, false))
                return true;
        }
    }
    return false;
}

/* The next child of a connection with the same peer that stands in the way; NULL: none. */
static struct child_sa *find_part(struct engine *engine, const struct ike_sa *sa,
                                  const struct child_sa *made)
{
    for (size_t i = 0; i < made->remote_count; i++) {
        struct child_sa *other = NULL;
        while ((other = sa_table_next_claim(&engine->sas, &made->remote_selectors[i], other)) !=
               NULL)
            if (other->config->connection != made->config->connection && other->own_policies &&
                other->listed && !other->delete_due && !other->undone &&
                ike_sa_same_identity(other->owner, sa) && is_part_of(other, made))
                return other;
    }
    return NULL;
}

/* While a connection was not configured, what it is for was taken for a part of another one's
 * with the same peer. When the peer has made its own child, that one goes: it would hold the
 * packets. */
static void drop_parts(struct engine *engine, const struct ike_sa *sa, const struct child_sa *made)
{
    const struct connection *connection = made->config->connection;
    struct child_sa *other;

    if (made->own_policies || connection->next_of_pair == connection)
        return;
    while ((other = find_part(engine, sa, made)) != NULL) {
        count(&engine->context, COUNTER_REDUNDANT);
        other->delete_due = true;
        if (other->owner != sa)
            event_due(&engine->context, other->owner);
    }
}

void sa_resolve_twins(struct engine *engine, struct ike_sa *sa, struct child_sa *made)
{
    struct ike_sa *other;

    drop_parts(engine, sa, made);
    if (resolve_twins_in(engine, sa, made) || sa->link == NULL || replaces(sa) ||
        sa->connection->next_of_pair == sa->connection)
        return;
    if (sa->lone && !sa->settled) /* then of the IKE SAs themselves one goes (sa_settle_lone) */
        return;
    for (struct link *at = sa->link; at != NULL; at = link_next_sibling(engine, sa->link, at))
        TAILQ_FOREACH (other, &at->sas, of_link)
            if (other != sa && !replaces(other) && ike_sa_same_identity(other, sa) &&
                resolve_twins_in(engine, other, made))
                return;
}
