/*
 * The gate's rules about policies: which a child may have, and which stay whatever is requested.
 *
 * Not here: SAs (gate_sa.c), cutting selectors into pieces (piece.h).
 */
#include "iked/keeper/gate_rule.h"
#include "lib/policy/choose.h"

/* --- What the configuration itself wants --- */

/* on_dead = "clear" takes the policies away while the peer is dead; what is required to be
 * protected never has that, whatever the file says. */
static bool may_be_cleared(const struct child_config *child)
{
    return child->connection->on_dead == DEAD_CLEAR && child->policy == POLICY_PREFER;
}

bool config_wants_pair(const struct config *config, const struct owner *owner,
                       const struct selector *local, const struct selector *remote)
{
    const struct connection *connection = config_find(config, owner->connection.text);
    const struct child_config *child =
        connection != NULL ? connection_find_child(connection, owner->child.text) : NULL;

    struct child_selectors pair;

    if (child == NULL || may_be_cleared(child))
        return false;
    for (size_t i = 0; child_pair(child, i, &pair); i++)
        if (selector_equal(&pair.local, local) && selector_equal(&pair.remote, remote))
            return true;
    return false;
}

static bool pair_has_piece(const struct selector *local, const struct selector *remote,
                           const struct piece *piece)
{
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (pieces_of(local, remote, pieces, &count, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (piece_equal(&pieces[i], piece))
            return true;
    return false;
}

bool config_wants_piece(const struct config *config, uint32_t reqid, const struct piece *piece)
{
    const struct connection *connection;
    const struct child_config *child = config_find_reqid(config, reqid, &connection);

    struct child_selectors pair;

    if (child == NULL || may_be_cleared(child))
        return false;
    for (size_t i = 0; child_pair(child, i, &pair); i++)
        if (pair_has_piece(&pair.local, &pair.remote, piece))
            return true;
    return false;
}

/* --- What may be requested --- */

static bool side_has(const struct selector *allowed, size_t count, const struct selector *selector)
{
    return count == 0 || selectors_within(allowed, count, selector, 1);
}

/* One selector within one side of the child; in transport mode (and where the side is "the peer")
 * also within the end's own address, unless it was so when the policy of a tunnel was installed
 * (`there`) and only the end has moved. */
static bool side_allows(const struct child_config *child, const struct selector *allowed,
                        size_t allowed_count, const struct address *end,
                        const struct selector *selector, bool there)
{
    struct selector host = selector_host(end);
    bool bound = child->mode == CHILD_TRANSPORT || (allowed_count == 0 && !there);

    if (bound && !selector_contains(&host, selector))
        return false;
    return side_has(allowed, allowed_count, selector);
}

/* A reload can take traffic from a child, or the child away: then another may have it.  And what is
 * configured for any peer waits for one without an SA: a connection that can call its peer goes
 * before. */
static bool still_has(const struct config *config, const struct reqid_use *reqid,
                      const struct connection *wants, const struct selector *local,
                      const struct selector *remote)
{
    const struct connection *connection = config_find(config, reqid->owner->connection.text);
    const struct child_config *child =
        connection != NULL ? connection_find_child(connection, reqid->owner->child.text) : NULL;

    bool waits = child != NULL && connection->remote.family == FAMILY_NONE &&
                 child->reqid == reqid->reqid &&
                 config_wants_pair(config, reqid->owner, local, remote);

    if (child == NULL || (waits && wants->remote.family != FAMILY_NONE))
        return false;
    return side_has(child->local, child->local_count, local) &&
           side_has(child->remote, child->remote_count, remote);
}

static struct claim policy_claim(const struct effect_policy *policy)
{
    return (struct claim){
        .connection_name = &policy->connection,
        .child_name = &policy->child,
        .local = &policy->local,
        .remote = &policy->remote,
        .reqid = policy->reqid,
        .protocol = policy->protocol,
        .mode = policy->mode,
        .is_policy = true,
    };
}

enum status gate_check_install_policy(const struct gate *gate, const struct config *config,
                                      const struct effect *effect, struct reason *reason)
{
    const struct effect_policy *policy = &effect->policy;
    struct claim claim = policy_claim(policy);
    enum status status = claim_check(gate, config, &claim, reason);

    if (status != STATUS_OK)
        return status;
    const struct child_config *child = claim.child;
    const struct policy_record *there =
        ledger_find_policy(gate->ledger, &policy->local_selector, &policy->remote_selector);
    bool its_own = there != NULL && there->reqid->owner == claim.owner;
    if (policy->policy != child->policy)
        return refuse(reason, "the child has the other policy");
    if (!side_allows(child, child->local, child->local_count, &policy->local,
                     &policy->local_selector, its_own))
        return refuse(reason, "the local selector is not within the child's");
    if (!side_allows(child, child->remote, child->remote_count, &policy->remote,
                     &policy->remote_selector, its_own))
        return refuse(reason, "the remote selector is not within the child's");
    if (there != NULL && !its_own &&
        still_has(config, there->reqid, claim.connection, &policy->local_selector,
                  &policy->remote_selector))
        return reason_set(reason, STATUS_FAIL, 0,
                          "refused: the selectors are in use by connection %s",
                          there->reqid->owner->connection.text);
    uint32_t most = claim_is_any(&claim) ? GATE_SAS_PER_ANY_CHILD : GATE_POLICIES_PER_CHILD;
    if (there == NULL && claim.owner != NULL && claim.owner->policy_count >= most)
        return refuse(reason, "the child has too many policies");
    return STATUS_OK;
}

/* Also for a child that is no longer configured: that is when its policies go. */
enum status gate_check_remove_policy(const struct gate *gate, const struct config *config,
                                     const struct effect *effect, struct reason *reason)
{
    const struct effect_policy *policy = &effect->policy;
    const struct owner *owner = ledger_owner(gate->ledger, &policy->connection, &policy->child);
    const struct policy_record *there =
        ledger_find_policy(gate->ledger, &policy->local_selector, &policy->remote_selector);

    (void)config; /* the newest decides, also while the one before still holds */
    if (there == NULL || there->reqid->owner != owner)
        return refuse(reason, "no such policy of the child's");
    if (config_wants_pair(gate->config, owner, &policy->local_selector, &policy->remote_selector))
        return refuse(reason, "the configuration wants this policy");
    return STATUS_OK;
}
