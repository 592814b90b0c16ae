/*
 * What owners want for pairs of selectors: the part of the ledger (ledger.h) about policies.
 *
 * Not here: the pieces that a pair is made of, and who holds them (ledger_piece.c).
 */
#include <stdlib.h>
#include <string.h>

#include "iked/keeper/gate/ledger_private.h"

#define PAIR_OCTETS_MAX (2 * SELECTOR_OCTETS_MAX)

_Static_assert(offsetof(struct policy_record, pair) <= 60, "a policy's record is small");

/* --- The table --- */

static struct slice pair_slice(const struct policy_record *policy)
{
    return slice_of(policy->pair, policy->pair_size);
}

static uint64_t key_of_policy(const void *context, const struct hash_node *node)
{
    const struct ledger *ledger = context;

    return hash_keyed(ledger->hash_key,
                      pair_slice(HASH_OWNER(node, const struct policy_record, node)));
}

static void held_range(const struct interval *node, struct interval_range *range)
{
    struct child_selectors pair =
        policy_pair(INTERVAL_OWNER(node, const struct policy_record, by_remote));

    interval_range_set(range, &pair.remote, 1);
}

bool policies_init(struct ledger *ledger)
{
    interval_init(&ledger->held, held_range);
    return hash_init(&ledger->policies, key_of_policy, ledger);
}

void policies_free(struct ledger *ledger)
{
    struct hash_walk walk;

    hash_walk_begin(&walk, &ledger->policies);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;)
        ledger_remove_policy(ledger, HASH_OWNER(node, struct policy_record, node));
    hash_walk_end(&walk);
    hash_free(&ledger->policies);
}

static struct slice pair_write(uint8_t octets[PAIR_OCTETS_MAX], const struct selector *local,
                               const struct selector *remote)
{
    struct writer writer = writer_of(octets, PAIR_OCTETS_MAX);

    selector_pack(&writer, local);
    selector_pack(&writer, remote);
    return writer_slice(&writer);
}

struct child_selectors policy_pair(const struct policy_record *policy)
{
    struct reader reader = reader_of(pair_slice(policy));
    struct child_selectors pair = {0};

    pair.local = selector_unpack(&reader);
    pair.remote = selector_unpack(&reader);
    return pair;
}

struct owner *policy_owner(const struct policy_record *policy)
{
    return policy->template->reqid->owner;
}

uint8_t policy_class(const struct policy_record *policy)
{
    bool prefers = policy->template->policy == POLICY_PREFER;

    return (uint8_t)(2 * prefers + (policy->for_any && !policy->held));
}

struct policy_record *ledger_find_policy(const struct ledger *ledger, const struct owner *owner,
                                         const struct selector *local,
                                         const struct selector *remote)
{
    uint8_t octets[PAIR_OCTETS_MAX];
    struct slice pair = pair_write(octets, local, remote);
    struct hash_node *node = hash_first(&ledger->policies, hash_keyed(ledger->hash_key, pair));

    for (; node != NULL; node = hash_next(node)) {
        struct policy_record *policy = HASH_OWNER(node, struct policy_record, node);
        if (policy_owner(policy) == owner && slice_equal(pair_slice(policy), pair))
            return policy;
    }
    return NULL;
}

/* --- Templates --- */

static struct policy_template template_read(const struct template_use *use)
{
    struct reader reader = reader_of(slice_of(use->ends, 2 * address_size(use->family)));
    struct policy_template template = {
        .local = {.family = use->family},
        .remote = {.family = use->family},
        .reqid = use->reqid->reqid,
        .protocol = use->protocol,
        .mode = use->mode,
        .policy = use->policy,
    };

    reader_copy(&reader, template.local.bytes, address_size(use->family));
    reader_copy(&reader, template.remote.bytes, address_size(use->family));
    return template;
}

struct policy_template policy_template_of(const struct policy_record *policy)
{
    return template_read(policy->template);
}

static bool leads_to(const struct template_use *use, const struct policy_template *template)
{
    struct policy_template is = template_read(use);

    return is.protocol == template->protocol && is.mode == template->mode &&
           is.policy == template->policy && address_equal(&is.local, &template->local) &&
           address_equal(&is.remote, &template->remote);
}

/* NULL when memory is out. */
static struct template_use *template_new(const struct policy_template *is, struct reqid_use *reqid)
{
    size_t size = address_size(is->local.family);
    struct template_use *use = calloc(1, sizeof(*use) + 2 * size);

    if (use == NULL)
        return NULL;
    struct writer writer = writer_of(use->ends, 2 * size);
    writer_bytes(&writer, slice_of(is->local.bytes, size));
    writer_bytes(&writer, slice_of(is->remote.bytes, size));
    use->protocol = is->protocol;
    use->mode = is->mode;
    use->policy = is->policy;
    use->family = is->local.family;
    use->reqid = reqid;
    use->next = reqid->templates;
    reqid->templates = use;
    return use;
}

/* The list is short: see REQID_TEMPLATES_MAX. */
static struct template_use *template_find(const struct reqid_use *reqid,
                                          const struct policy_template *is)
{
    struct template_use *use = reqid->templates;

    while (use != NULL && !leads_to(use, is))
        use = use->next;
    return use;
}

/* One more use; it is a use of the reqid, too.  NULL when memory is out or the reqid is another
 * owner's. */
static struct template_use *template_get(struct ledger *ledger, const struct policy_template *is,
                                         struct owner *owner)
{
    struct reqid_use *reqid = reqid_get(ledger, is->reqid, owner);
    struct template_use *use = reqid != NULL ? template_find(reqid, is) : NULL;

    if (use == NULL && reqid != NULL)
        use = template_new(is, reqid);
    if (use == NULL) {
        if (reqid != NULL)
            reqid_put(ledger, reqid);
        return NULL;
    }
    use->use_count++;
    return use;
}

static void template_put(struct ledger *ledger, struct template_use *use)
{
    struct reqid_use *reqid = use->reqid;
    struct template_use **link = &reqid->templates;

    if (--use->use_count == 0) {
        while (*link != use)
            link = &(*link)->next;
        *link = use->next;
        free(use);
    }
    reqid_put(ledger, reqid);
}

/* --- In the hands of SAs --- */

static void hold(struct ledger *ledger, struct policy_record *policy)
{
    if (!policy->held)
        interval_insert(&ledger->held, &policy->by_remote);
    policy->held = true;
}

static void let_go(struct ledger *ledger, struct policy_record *policy)
{
    interval_remove(&ledger->held, &policy->by_remote);
    policy->held = false;
}

const struct policy_record *ledger_next_held(const struct ledger *ledger,
                                             const struct selector *remote,
                                             const struct policy_record *after)
{
    const struct interval *node =
        interval_next(&ledger->held, remote, after != NULL ? &after->by_remote : NULL);

    return node != NULL ? INTERVAL_OWNER(node, const struct policy_record, by_remote) : NULL;
}

/* --- Adding, changing, removing --- */

bool ledger_is_full(const struct ledger *ledger, size_t pieces)
{
    return ledger->policies.count >= LEDGER_POLICIES_MAX ||
           ledger->pieces.count + pieces > LEDGER_PIECES_MAX;
}

static struct policy_record *policy_new(const struct effect_policy *from)
{
    uint8_t octets[PAIR_OCTETS_MAX];
    struct slice pair = pair_write(octets, &from->local_selector, &from->remote_selector);
    struct policy_record *policy = calloc(1, offsetof(struct policy_record, pair) + pair.size);

    if (policy == NULL)
        return NULL;
    policy->pair_size = (uint8_t)pair.size;
    memcpy(policy->pair, pair.data, pair.size);
    return policy;
}

/* The owner has it anew, or leads it elsewhere. */
static void policy_lead(struct ledger *ledger, struct policy_record *policy,
                        struct template_use *template)
{
    if (reqid_is_dynamic(template->reqid->reqid))
        hold(ledger, policy);
    else
        let_go(ledger, policy);
    if (policy->template != NULL) {
        template_put(ledger, policy->template);
        policy->template = template;
        return;
    }
    policy->template = template;
    policy_owner(policy)->policy_count++;
    hash_insert(&ledger->policies, &policy->node);
}

static struct policy_template template_of(const struct effect_policy *policy)
{
    struct policy_template template = {
        .local = policy->local,
        .remote = policy->remote,
        .reqid = policy->reqid,
        .protocol = policy->templates[0].protocol, /* the gate lets no second one pass */
        .mode = policy->templates[0].mode,
        .policy = policy->policy,
    };

    template.local.port = template.remote.port = 0;
    return template;
}

bool ledger_leads_too_far(const struct ledger *ledger, const struct effect_policy *policy)
{
    const struct reqid_use *reqid = reqid_find(ledger, policy->reqid);
    struct policy_template is = template_of(policy);
    size_t count = 0;

    if (reqid == NULL || template_find(reqid, &is) != NULL)
        return false;
    for (const struct template_use *use = reqid->templates; use != NULL; use = use->next)
        count++;
    return count >= REQID_TEMPLATES_MAX;
}

struct policy_record *ledger_set_policy(struct ledger *ledger, const struct effect_policy *from,
                                        bool for_any)
{
    struct policy_template is = template_of(from);
    struct owner *owner = owner_get(ledger, &from->connection, &from->child);

    if (owner == NULL)
        return NULL;
    struct template_use *template = template_get(ledger, &is, owner);
    struct policy_record *policy =
        ledger_find_policy(ledger, owner, &from->local_selector, &from->remote_selector);
    bool is_new = policy == NULL;
    if (is_new && template != NULL)
        policy = policy_new(from);
    if (template == NULL || policy == NULL) {
        if (template != NULL)
            template_put(ledger, template);
        owner_put(ledger, owner);
        return NULL;
    }
    policy_lead(ledger, policy, template);
    policy->session = ledger->session;
    policy->for_any = for_any;
    return policy;
}

void ledger_remove_policy(struct ledger *ledger, struct policy_record *policy)
{
    struct owner *owner = policy_owner(policy);

    hash_remove(&ledger->policies, &policy->node);
    let_go(ledger, policy);
    owner->policy_count--;
    template_put(ledger, policy->template);
    owner_put(ledger, owner);
    free(policy);
}
