/*
 * What differs between two configurations, by meaning and not by place.
 *
 * A reload keeps the SAs of connections that are equal.
 */
#include "lib/policy/diff.h"

#include <string.h>

#include "lib/policy/connection.h"

static bool list_equal(const struct algorithm_list *a, const struct algorithm_list *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count) == 0;
}

const struct proposal_list *proposals_of(const struct key *key, const void *target)
{
    const struct proposal_list *list;

    memcpy(&list, (const char *)target + key->offset, sizeof(list));
    return list;
}

static bool proposals_equal(const struct proposal_list *a, const struct proposal_list *b)
{
    if (a == b)
        return true;
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

/* A side has a count beside its selectors. */
size_t selectors_of(const struct key *key, const struct child_config *child,
                    const struct selector **selectors)
{
    bool local = key->offset == offsetof(struct child_config, local);

    *selectors = local ? child->local : child->remote;
    return local ? child->local_count : child->remote_count;
}

bool selectors_key_equal(const struct key *key, const void *a, const void *b)
{
    const struct selector *x;
    const struct selector *y;
    size_t x_count = selectors_of(key, a, &x);
    size_t y_count = selectors_of(key, b, &y);

    return selectors_equal(x, x_count, y, y_count);
}

bool proposals_key_equal(const struct key *key, const void *a, const void *b)
{
    return proposals_equal(proposals_of(key, a), proposals_of(key, b));
}

bool version_key_equal(const struct key *key, const void *a, const void *b)
{
    const struct connection *x = a;
    const struct connection *y = b;

    (void)key;
    return x->version == y->version;
}

bool local_key_equal(const struct key *key, const void *a, const void *b)
{
    const struct connection *x = a;
    const struct connection *y = b;

    (void)key;
    return address_equal(&x->local, &y->local) && identity_equal(x->local_id, y->local_id);
}

bool remote_key_equal(const struct key *key, const void *a, const void *b)
{
    const struct connection *x = a;
    const struct connection *y = b;

    (void)key;
    return peers_equal(x, y) && identity_equal(x->remote_id, y->remote_id);
}

/* The reqid counts: another one means other policies in the kernel. */
static bool child_equal(const struct child_config *a, const struct child_config *b)
{
    return strcmp(a->name, b->name) == 0 && a->reqid == b->reqid && keys_equal(&child_table, a, b);
}

/* The order of children means nothing. */
bool children_key_equal(const struct key *key, const void *a, const void *b)
{
    const struct connection *x = a;
    const struct connection *y = b;
    const struct child_config *child;

    (void)key;
    if (x->child_count != y->child_count)
        return false;
    TAILQ_FOREACH (child, &x->children, entry) {
        const struct child_config *other = connection_find_child(y, child->name);
        if (other == NULL || !child_equal(child, other))
            return false;
    }
    return true;
}

bool connection_equal(const struct connection *a, const struct connection *b)
{
    return a == b || (strcmp(a->name, b->name) == 0 && keys_equal(&connection_table, a, b));
}

bool daemon_equal(const struct daemon_settings *a, const struct daemon_settings *b)
{
    return keys_equal(&daemon_table, a, b);
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
