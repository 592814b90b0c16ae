/*
 * The kernel's policies for children: see child_policy.h.
 */
#include "lib/sa/child_policy.h"

#include <string.h>

#include "lib/policy/overlap.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

bool child_is_away(const struct child_sa *child)
{
    const struct connection *connection = child->config->connection;

    return connection->remote.family != FAMILY_NONE &&
           (!address_same_host(&connection->local, &child->local) ||
            (connection->peer_count == 0 &&
             !address_same_host(&connection->remote, &child->remote)));
}

/* Without its ends and the reqid; NULL when memory is out. */
static struct effect_policy *policy_begin(struct context *context, enum effect_kind kind,
                                          const struct child_config *config,
                                          const struct selector *local_selector,
                                          const struct selector *remote_selector)
{
    struct effect *effect = effect_append(context->effects, kind, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return NULL;
    }
    struct effect_policy *policy = &effect->policy;
    name_of_config(&policy->connection, config->connection->name);
    name_of_config(&policy->child, config->name);
    policy->local_selector = *local_selector;
    policy->remote_selector = *remote_selector;
    policy->template_count = 1;
    policy->templates[0] = (struct effect_template){IPSEC_ESP, (uint8_t)config->mode};
    policy->policy = (uint8_t)config->policy;
    return policy;
}

void child_policy(struct context *context, enum effect_kind kind, const struct child_sa *child,
                  const struct selector *local_selector, const struct selector *remote_selector)
{
    struct effect_policy *policy =
        policy_begin(context, kind, child->config, local_selector, remote_selector);

    if (policy == NULL)
        return;
    policy->local = child->local;
    policy->remote = child->remote;
    policy->local.port = 0;
    policy->remote.port = 0;
    policy->reqid = child->reqid;
    policy->template_count = child->transform_count;
    for (size_t i = 0; i < child->transform_count; i++)
        policy->templates[i] = (struct effect_template){
            child->transforms[i].protocol,
            i == 0 ? (uint8_t)child->config->mode : CHILD_TRANSPORT,
        };
}

void configured_policy(struct context *context, enum effect_kind kind,
                       const struct child_config *config, const struct child_selectors *pair)
{
    struct effect_policy *policy = policy_begin(context, kind, config, &pair->local, &pair->remote);

    if (policy == NULL)
        return;
    policy->local = config->connection->local;
    if (policy->local.family == FAMILY_NONE)
        policy->local.family = pair->peer.family;
    policy->remote = pair->peer;
    policy->reqid = config->reqid;
}

void child_install_policies(struct context *context, const struct child_sa *child)
{
    for (size_t i = 0; i < child->local_count; i++)
        for (size_t j = 0; j < child->remote_count; j++)
            child_policy(context, EFFECT_INSTALL_POLICY, child, &child->local_selectors[i],
                         &child->remote_selectors[j]);
}

static bool has_pair(const struct selector *locals, size_t local_count,
                     const struct selector *remotes, size_t remote_count,
                     const struct selector *local, const struct selector *remote)
{
    for (size_t i = 0; i < local_count; i++)
        for (size_t j = 0; j < remote_count; j++)
            if (selector_equal(&locals[i], local) && selector_equal(&remotes[j], remote))
                return true;
    return false;
}

/* The child of a connection that is configured with just this pair (child_pair), and the pair; NULL
 * when none is. */
static const struct child_config *connection_find_pair(const struct connection *connection,
                                                       const struct selector *local,
                                                       const struct selector *remote,
                                                       struct child_selectors *pair)
{
    const struct child_config *config;

    TAILQ_FOREACH (config, &connection->children, entry)
        for (size_t i = 0; child_pair(config, i, pair); i++)
            if (selector_equal(&pair->local, local) && selector_equal(&pair->remote, remote))
                return config;
    return NULL;
}

const struct child_config *config_pair_holder(const struct config *config,
                                              const struct selector *local,
                                              const struct selector *remote,
                                              struct child_selectors *pair)
{
    const struct configured_pair *holder = NULL;
    const struct configured_pair *at = NULL;

    while ((at = config_next_pair(config, remote, at)) != NULL) {
        bool for_any = at->child->connection->remote.family == FAMILY_NONE;
        if ((holder != NULL && for_any) || !selector_equal(&at->pair.local, local) ||
            !selector_equal(&at->pair.remote, remote))
            continue;
        holder = at;
        if (!for_any)
            break;
    }
    if (holder == NULL)
        return NULL;
    *pair = holder->pair;
    return holder->child;
}

/* Has it a policy, of its own or of its own ends, for this pair? */
static bool has_policy(const struct child_sa *child, const struct selector *local,
                       const struct selector *remote)
{
    return (child->own_policies || child_is_away(child)) &&
           has_pair(child->local_selectors, child->local_count, child->remote_selectors,
                    child->remote_count, local, remote);
}

/* The newest child of the connection other than the leaving one that has a policy for the pair.
 * Its peer may be another one: behind one NAT they have the same address. */
static const struct child_sa *find_sibling(const struct context *context,
                                           const struct child_sa *leaving,
                                           const struct selector *local,
                                           const struct selector *remote)
{
    const struct child_sa *newest = NULL;
    const struct child_sa *child = NULL;

    while ((child = sa_table_next_claim(context->sas, remote, child)) != NULL)
        if (child != leaving && child->listed && child->in_kernel &&
            child->config->connection == leaving->config->connection &&
            has_policy(child, local, remote) && (newest == NULL || child->number > newest->number))
            newest = child;
    return newest;
}

static void return_to_configured(struct context *context, const struct child_config *own,
                                 const struct child_selectors *own_pair)
{
    struct child_selectors pair = *own_pair;
    const struct child_config *holder =
        config_pair_holder(context->config, &own_pair->local, &own_pair->remote, &pair);

    configured_policy(context, EFFECT_INSTALL_POLICY, holder != NULL ? holder : own, &pair);
}

static void return_policy(struct context *context, const struct child_sa *child,
                          const struct selector *local, const struct selector *remote)
{
    const struct child_sa *sibling = find_sibling(context, child, local, remote);
    struct child_selectors pair;
    const struct child_config *configured =
        connection_find_pair(child->config->connection, local, remote, &pair);

    if (sibling != NULL)
        child_policy(context, EFFECT_INSTALL_POLICY, sibling, local, remote);
    else if (configured != NULL)
        return_to_configured(context, configured, &pair);
    else
        child_policy(context, EFFECT_REMOVE_POLICY, child, local, remote);
}

void child_return_policies(struct context *context, const struct child_sa *child)
{
    for (size_t i = 0; i < child->local_count; i++)
        for (size_t j = 0; j < child->remote_count; j++)
            return_policy(context, child, &child->local_selectors[i], &child->remote_selectors[j]);
}

void child_hand_policies(struct context *context, const struct child_sa *child)
{
    for (size_t i = 0; i < child->local_count; i++)
        for (size_t j = 0; j < child->remote_count; j++) {
            const struct selector *local = &child->local_selectors[i];
            const struct selector *remote = &child->remote_selectors[j];
            const struct child_sa *sibling = find_sibling(context, child, local, remote);
            if (sibling != NULL && sibling->out_kernel && sibling->reqid != child->reqid)
                child_policy(context, EFFECT_INSTALL_POLICY, sibling, local, remote);
        }
}
