/*
 * The gate's rules about policies: which a child may have, and which stay whatever is requested.
 *
 * Not here: SAs (gate_sa.c), cutting selectors into pieces (piece.h).
 */
#include <string.h>

#include "iked/keeper/gate/gate_rule.h"
#include "lib/crypto/suite.h"
#include "lib/policy/narrow.h"
#include "lib/policy/overlap.h"

/* --- What the configuration itself wants --- */

/* on_dead = "clear" takes the policies away while the peer is dead; what is required to be
 * protected never has that, whatever the file says. */
static bool may_be_cleared(const struct child_config *child)
{
    return child->connection->on_dead == DEAD_CLEAR && child->policy == POLICY_PREFER;
}

static const struct child_config *child_of(const struct config *config, const struct owner *owner)
{
    const struct connection *connection = config_find(config, owner->connection.text);

    return connection != NULL ? connection_find_child(connection, owner->child.text) : NULL;
}

struct effect_policy child_policy_of(const struct child_config *child,
                                     const struct child_selectors *pair)
{
    struct effect_policy policy = {
        .local = child->connection->local,
        .remote = pair->peer,
        .local_selector = pair->local,
        .remote_selector = pair->remote,
        .reqid = child->reqid,
        .policy = (uint8_t)child->policy,
        .template_count = 1,
        .templates = {{IPSEC_ESP, (uint8_t)child->mode}},
    };

    name_of_config(&policy.connection, child->connection->name);
    name_of_config(&policy.child, child->name);
    if (policy.local.family == FAMILY_NONE)
        policy.local.family = pair->peer.family;
    return policy;
}

bool config_policy(const struct config *config, const struct owner *owner,
                   const struct child_selectors *pair, struct effect_policy *policy)
{
    const struct child_config *child = child_of(config, owner);
    struct child_selectors at;

    if (child == NULL || may_be_cleared(child))
        return false;
    for (size_t i = 0; child_pair(child, i, &at); i++)
        if (selector_equal(&at.local, &pair->local) && selector_equal(&at.remote, &pair->remote)) {
            *policy = child_policy_of(child, &at);
            return true;
        }
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

/* A reload can take traffic from a child, or the child away: then another may have it.  NULL: it
 * has. */
static const struct child_config *still_has(const struct config *config,
                                            const struct policy_record *policy,
                                            const struct child_selectors *pair)
{
    const struct child_config *child = child_of(config, policy_owner(policy));

    return child != NULL && side_has(child->local, child->local_count, &pair->local) &&
                   side_has(child->remote, child->remote_count, &pair->remote)
               ? child
               : NULL;
}

/* What it costs to hold a request against a pair: each of its pieces against each of that one's. */
static size_t looks_of(const struct asked *asked, const struct child_selectors *pair)
{
    struct piece pieces[PIECES_MAX];
    struct selector both;
    size_t count = 1;

    if (selector_intersect(asked->traffic.local, &pair->local, &both) &&
        selector_intersect(asked->traffic.remote, &pair->remote, &both) &&
        pieces_of(&pair->local, &pair->remote, pieces, &count, NULL) != STATUS_OK)
        count = 1;
    return asked->count * (count == 0 ? 1 : count);
}

/* In the hands of another connection's SAs is nothing that would be taken. */
static enum status check_held(struct gate *gate, const struct config *config,
                              const struct asked *asked, struct reason *reason)
{
    const struct policy_record *held = NULL;

    while ((held = ledger_next_held(gate->ledger, asked->traffic.remote, held)) != NULL) {
        struct child_selectors pair = policy_pair(held);
        if (!gate_look(gate, looks_of(asked, &pair)))
            return gate_refuse(reason, "too much to look through at once");
        struct traffic traffic = {still_has(config, held, &pair), &pair.local, &pair.remote};
        if (traffic.child != NULL &&
            traffic.child->connection != asked->traffic.child->connection &&
            asked_takes(asked, &traffic, true))
            return reason_set(reason, STATUS_FAIL, 0,
                              "refused: connection %s has some of the traffic in hand",
                              traffic.child->connection->name);
    }
    return STATUS_OK;
}

/* Would it take packets that another connection is configured for, or has in hand? */
static enum status check_others(struct gate *gate, const struct config *config,
                                const struct asked *asked, struct reason *reason)
{
    const struct configured_pair *configured = asked_configured(asked, config);

    if (configured != NULL)
        return reason_set(reason, STATUS_FAIL, 0,
                          "refused: connection %s is configured for some of the traffic",
                          configured->child->connection->name);
    return check_held(gate, config, asked, reason);
}

/* What the child itself has in hand stays in its hands, also piece by piece.  False: it has none of
 * it, or that would be too much to look through. */
static bool allow_in_hand(struct gate *gate, const struct config *config, struct asked *asked)
{
    const struct policy_record *held = NULL;
    bool any = false;

    while ((held = ledger_next_held(gate->ledger, asked->traffic.remote, held)) != NULL) {
        struct child_selectors pair = policy_pair(held);
        if (!gate_look(gate, looks_of(asked, &pair)))
            return false;
        if (still_has(config, held, &pair) != asked->traffic.child)
            continue;
        asked_allow(asked, &pair.local, &pair.remote);
        any = true;
    }
    return any;
}

/* What the configuration itself says may be asked for, and waits where another has it. */
static enum status check_overlap(struct gate *gate, const struct config *config,
                                 const struct child_config *child,
                                 const struct effect_policy *policy, struct reason *reason)
{
    struct traffic traffic = {child, &policy->local_selector, &policy->remote_selector};
    struct asked asked;

    if (!asked_set(&asked, &traffic) || (asked.as_configured && policy->reqid == child->reqid))
        return STATUS_OK;
    enum status status = check_others(gate, config, &asked, reason);
    if (status == STATUS_OK || !allow_in_hand(gate, config, &asked))
        return status;
    return check_others(gate, config, &asked, reason);
}

static struct claim policy_claim(const struct effect_policy *policy,
                                 const struct connection *connection)
{
    return (struct claim){
        .connection = connection,
        .connection_name = &policy->connection,
        .child_name = &policy->child,
        .local = &policy->local,
        .remote = &policy->remote,
        .reqid = policy->reqid,
        .protocol = policy->templates[0].protocol,
        .mode = policy->templates[0].mode,
        .is_policy = true,
    };
}

/* Would it open what the newest configuration requires?  That holds from when it is offered, also
 * while the one before is still good. */
static bool is_taken_back(const struct gate *gate, const struct effect_policy *policy)
{
    struct child_selectors pair = {.local = policy->local_selector,
                                   .remote = policy->remote_selector};
    const struct owner *owner = ledger_owner(gate->ledger, &policy->connection, &policy->child);
    struct effect_policy configured;

    return owner != NULL && policy->policy != POLICY_REQUIRE &&
           config_policy(gate->config, owner, &pair, &configured) &&
           configured.policy == POLICY_REQUIRE;
}

enum status gate_check_install_policy(struct gate *gate, const struct gate_request *request)
{
    const struct effect_policy *policy = &request->effect->policy;
    struct claim claim = policy_claim(policy, request->connection);
    enum status status = claim_check(gate, &claim, request->reason);

    if (status != STATUS_OK)
        return status;
    const struct child_config *child = claim.child;
    const struct policy_record *there = ledger_find_policy(
        gate->ledger, claim.owner, &policy->local_selector, &policy->remote_selector);
    if (policy->template_count != 1) /* no child is configured for more */
        return gate_refuse(request->reason, "the child has other templates");
    if (policy->policy != child->policy || is_taken_back(gate, policy))
        return gate_refuse(request->reason, "the child has the other policy");
    if (!side_allows(child, child->local, child->local_count, &policy->local,
                     &policy->local_selector, there != NULL))
        return gate_refuse(request->reason, "the local selector is not within the child's");
    if (!side_allows(child, child->remote, child->remote_count, &policy->remote,
                     &policy->remote_selector, there != NULL))
        return gate_refuse(request->reason, "the remote selector is not within the child's");
    uint32_t most = claim_is_any(&claim) ? GATE_SAS_PER_ANY_CHILD : GATE_POLICIES_PER_CHILD;
    if (there == NULL && claim.owner != NULL && claim.owner->policy_count >= most)
        return gate_refuse(request->reason, "the child has too many policies");
    if (there != NULL && there->held)
        return STATUS_OK; /* in hand: it stays there, whatever was configured since */
    return check_overlap(gate, request->config, child, policy, request->reason);
}

/* Also for a child that is no longer configured: that is when its policies go. */
enum status gate_check_remove_policy(struct gate *gate, const struct gate_request *request)
{
    const struct effect_policy *policy = &request->effect->policy;
    const struct owner *owner = ledger_owner(gate->ledger, &policy->connection, &policy->child);
    const struct policy_record *there =
        ledger_find_policy(gate->ledger, owner, &policy->local_selector, &policy->remote_selector);
    struct effect_policy configured;

    if (there == NULL)
        return gate_refuse(request->reason, "no such policy of the child's");
    struct child_selectors pair = policy_pair(there);
    if (config_policy(gate->config, owner, &pair, &configured) &&
        there->template->reqid->reqid == configured.reqid)
        return gate_refuse(request->reason, "the configuration wants this policy");
    return STATUS_OK;
}
