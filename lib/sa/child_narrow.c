/*
 * A child's selectors: see child_narrow.h.
 */
#include "lib/sa/child_narrow.h"

#include "lib/policy/narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

size_t child_allowed_remote(const struct ike_sa *sa, const struct child_config *config,
                            struct selector *own, const struct selector **selectors)
{
    if (config->remote_count > 0) {
        *selectors = config->remote;
        return config->remote_count;
    }
    *own = selector_host(&sa->proven); /* it may have moved, on nobody's word but its own */
    *selectors = own;
    return 1;
}

/* Configured policies serve a child whose selectors are just the configured ones and whose peer is
 * known beforehand; any other child needs policies, and so a reqid, of its own. */
static void set_reqid(struct context *context, const struct ike_sa *sa, struct child_sa *child)
{
    const struct child_config *config = child->config;
    const struct selector *remote = child->remote_selectors;
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);

    child->own_policies = config->connection->remote.family == FAMILY_NONE ||
                          !selectors_within(child->local_selectors, child->local_count,
                                            config->local, config->local_count) ||
                          !selectors_within(remote, child->remote_count, allowed, allowed_count);
    if (child->own_policies && child->reqid_held)
        return; /* once drawn it stays: the SPI was allocated under it */
    sa_table_release_reqid(context->sas, child);
    child->reqid = child->own_policies ? sa_table_draw_reqid(context->sas, context) : config->reqid;
}

struct child_sa *child_propose(struct context *context, const struct ike_sa *sa,
                               const struct child_config *config, const struct packet *packet)
{
    struct child_sa *child = child_new(context, config);
    bool pair = packet != NULL && packet->config == config && packet->pair;
    const struct selector *remote;
    struct selector own;

    if (child == NULL)
        return NULL;
    child->exact = pair;
    size_t remote_count = child_allowed_remote(sa, config, &own, &remote);
    if (!(pair ? child_set_selectors(child, &packet->pair_local, 1, &packet->pair_remote, 1)
               : child_set_selectors(child, config->local, config->local_count, remote,
                                     remote_count))) {
        child_free(child);
        return NULL;
    }
    set_reqid(context, sa, child);
    return child;
}

bool child_covers(const struct child_sa *child, const struct child_sa *old)
{
    return selectors_cover(child->local_selectors, child->local_count, old->local_selectors,
                           old->local_count) &&
           selectors_cover(child->remote_selectors, child->remote_count, old->remote_selectors,
                           old->remote_count);
}

static bool same_selectors(const struct child_sa *a, const struct child_sa *b)
{
    return selectors_equal(a->local_selectors, a->local_count, b->local_selectors,
                           b->local_count) &&
           selectors_equal(a->remote_selectors, a->remote_count, b->remote_selectors,
                           b->remote_count);
}

/* The new one stands for the old one, whose policies go on. */
static void take_reqid(struct context *context, struct child_sa *child, const struct child_sa *old)
{
    sa_table_release_reqid(context->sas, child);
    child->reqid = old->reqid;
    child->own_policies = old->own_policies;
}

enum status child_check_covers(const struct child_sa *child, const struct child_sa *old,
                               struct reason *reason)
{
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    if (old == NULL || child_covers(child, old))
        return STATUS_OK;
    return reason_set(reason, STATUS_REJECT, 0,
                      "the new one of child %s has %s === %s and would be narrower than the one "
                      "in use, which stays",
                      old->config->name, selector_text(&child->local_selectors[0], local),
                      selector_text(&child->remote_selectors[0], remote));
}

enum status child_narrow(struct context *context, const struct ike_sa *sa, struct child_sa *child,
                         const struct child_sa *old, const struct selector_offer *chosen,
                         struct reason *reason)
{
    if (!selectors_within(child->local_selectors, child->local_count, chosen->local,
                          chosen->local_count) ||
        !selectors_within(child->remote_selectors, child->remote_count, chosen->remote,
                          chosen->remote_count))
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer's traffic selectors are wider than ours");
    if (!child_set_selectors(child, chosen->local, chosen->local_count, chosen->remote,
                             chosen->remote_count))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    if (child_check_covers(child, old, reason) != STATUS_OK)
        return STATUS_CLOSE;
    if (old != NULL && same_selectors(child, old))
        take_reqid(context, child, old);
    else
        set_reqid(context, sa, child);
    sa_table_hold_reqid(context->sas, child);
    return STATUS_OK;
}

struct child_sa *child_new_narrowed(struct context *context, const struct ike_sa *sa,
                                    const struct child_config *config, const struct narrowed *left,
                                    const struct child_sa *old)
{
    struct child_sa *child = child_new(context, config);

    if (child == NULL)
        return NULL;
    if (!child_set_selectors(child, left->local, left->local_count, left->remote,
                             left->remote_count)) {
        child_free(child);
        return NULL;
    }
    set_reqid(context, sa, child);
    if (old != NULL && same_selectors(child, old))
        take_reqid(context, child, old);
    return child;
}
