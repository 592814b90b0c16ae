/*
 * What differs between two configurations, by meaning and not by place.
 *
 * A reload keeps the SAs of connections that are equal.
 */
#include <string.h>

#include "lib/policy/config.h"

static bool list_equal(const struct algorithm_list *a, const struct algorithm_list *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count) == 0;
}

static bool proposals_equal(const struct proposal_list *a, const struct proposal_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct proposal *x = &a->items[i];
        const struct proposal *y = &b->items[i];
        if (!list_equal(&x->encr, &y->encr) || !list_equal(&x->integ, &y->integ) ||
            !list_equal(&x->prf, &y->prf) || !list_equal(&x->group, &y->group) ||
            x->esn != y->esn || x->no_esn != y->no_esn)
            return false;
    }
    return true;
}

/* The reqid counts: another one means other policies in the kernel. */
static bool child_equal(const struct child_config *a, const struct child_config *b)
{
    return strcmp(a->name, b->name) == 0 && a->reqid == b->reqid && a->mode == b->mode &&
           a->start == b->start && a->policy == b->policy &&
           selectors_equal(a->local, a->local_count, b->local, b->local_count) &&
           selectors_equal(a->remote, a->remote_count, b->remote, b->remote_count) &&
           proposals_equal(a->esp, b->esp) && a->replay_window == b->replay_window &&
           a->lifetime_s == b->lifetime_s && a->lifetime_bytes == b->lifetime_bytes &&
           a->lifetime_packets == b->lifetime_packets;
}

/* The order of children means nothing. */
static bool children_equal(const struct connection *a, const struct connection *b)
{
    const struct child_config *child;

    if (a->child_count != b->child_count)
        return false;
    TAILQ_FOREACH (child, &a->children, entry) {
        const struct child_config *other = connection_find_child(b, child->name);
        if (other == NULL || !child_equal(child, other))
            return false;
    }
    return true;
}

bool connection_equal(const struct connection *a, const struct connection *b)
{
    return strcmp(a->name, b->name) == 0 && address_equal(&a->local, &b->local) &&
           peers_equal(a, b) && identity_equal(a->local_id, b->local_id) &&
           identity_equal(a->remote_id, b->remote_id) &&
           proposals_equal(a->proposals, b->proposals) && a->lifetime_s == b->lifetime_s &&
           a->reauth_s == b->reauth_s && a->children_max == b->children_max &&
           a->sas_max == b->sas_max && a->fragmentation == b->fragmentation &&
           a->fragment_size == b->fragment_size && a->liveness_s == b->liveness_s &&
           a->on_dead == b->on_dead && a->keepalive_s == b->keepalive_s && a->mobike == b->mobike &&
           a->encapsulate == b->encapsulate && a->childless == b->childless && a->weak == b->weak &&
           children_equal(a, b);
}

void config_diff(const struct config *before, const struct config *after,
                 void (*each)(void *context, enum config_change change,
                              const struct connection *connection_before,
                              const struct connection *connection_after),
                 void *context)
{
    const struct connection *old;
    const struct connection *new;

    if (before != NULL) {
        TAILQ_FOREACH (old, &before->connections, entry) {
            new = after != NULL ? config_find(after, old->name) : NULL;
            each(context,
                 new == NULL                  ? CONFIG_REMOVED
                 : connection_equal(old, new) ? CONFIG_SAME
                                              : CONFIG_CHANGED,
                 old, new);
        }
    }
    if (after != NULL) {
        TAILQ_FOREACH (new, &after->connections, entry)
            if (before == NULL || config_find(before, new->name) == NULL)
                each(context, CONFIG_ADDED, NULL, new);
    }
}
