/*
 * The invariants of the keeper: see keeper_check.h.
 */
#include "test/fuzz/keeper_check.h"

#include <string.h>

#include "iked/keeper/gate/ledger_piece.h"
#include "lib/policy/overlap.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/keeper_kernel.h"

FUZZ_NOT_COVERED

#define WALK(table, node)                                                \
    for (size_t bucket_ = 0; bucket_ < (table)->bucket_count; bucket_++) \
        for (struct hash_node *node = (table)->buckets[bucket_]; node != NULL; node = node->next)

/* --- Counts --- */

static void check_owner(const struct ledger *ledger, const struct owner *owner)
{
    uint32_t sas = 0;
    uint32_t spis = 0;
    uint32_t orphans = 0;
    uint32_t policies = 0;
    const struct sa_record *sa;

    TAILQ_FOREACH (sa, &owner->sas, entry) {
        CHECK(sa->reqid->owner == owner);
        struct address destination = sa_destination(sa);
        CHECK(ledger_find_sa(ledger, &destination, sa->spi, sa->protocol) == sa);
        sas++;
        spis += !sa->filled;
        orphans += sa->orphan;
    }
    WALK(&ledger->policies, node)
    policies += policy_owner(HASH_OWNER(node, struct policy_record, node)) == owner;
    CHECK(sas == owner->sa_count && spis == owner->spi_count && orphans == owner->orphan_count);
    CHECK(policies == owner->policy_count);
    CHECK(sas + policies > 0);
    CHECK(ledger_owner(ledger, &owner->connection, &owner->child) == owner);
}

static void check_reqid(const struct ledger *ledger, const struct reqid_use *reqid)
{
    uint32_t uses = 0;
    uint32_t of_templates = 0;
    const struct sa_record *sa;

    TAILQ_FOREACH (sa, &reqid->owner->sas, entry)
        uses += sa->reqid == reqid;
    for (const struct template_use *use = reqid->templates; use != NULL; use = use->next) {
        CHECK(use->reqid == reqid && use->use_count > 0 &&
              (use->family == FAMILY_IPV4 || use->family == FAMILY_IPV6));
        of_templates += use->use_count;
    }
    CHECK(uses + of_templates == reqid->use_count);
    WALK(&ledger->policies, node)
    of_templates -= HASH_OWNER(node, struct policy_record, node)->template->reqid == reqid;
    CHECK(of_templates == 0);
}

/* --- Queues --- */

/* How many pieces' queues the policy stands in. */
static size_t queues_of(const struct ledger *ledger, const struct policy_record *policy,
                        size_t *wanted)
{
    struct child_selectors pair = policy_pair(policy);
    static struct piece pieces[PIECES_MAX];
    size_t found = 0;

    CHECK(pieces_of(&pair.local, &pair.remote, pieces, wanted, NULL) == STATUS_OK);
    for (size_t i = 0; i < *wanted; i++) {
        const struct piece_record *piece = ledger_find_piece(ledger, &pieces[i]);
        CHECK(piece != NULL && piece->top.policy != NULL);
        for (const struct piece_want *want = &piece->top; want != NULL; want = want->below)
            found += want->policy == policy;
    }
    return found;
}

/* Classes in their order; each owner's of a class together, and what is an SA's own first. */
static void check_queue(const struct piece_record *piece)
{
    for (const struct piece_want *want = &piece->top; want != NULL; want = want->below) {
        bool left = false;
        const struct policy_record *is = want->policy;
        for (const struct piece_want *at = want->below; at != NULL; at = at->below) {
            CHECK(policy_class(is) <= policy_class(at->policy));
            bool same = policy_owner(is) == policy_owner(at->policy) &&
                        policy_class(is) == policy_class(at->policy);
            CHECK(!same || (!left && (is->held || !at->policy->held)));
            left = left || !same;
        }
    }
}

void check_ledger(const struct ledger *ledger)
{
    const struct owner *owner;
    size_t owners = 0;
    size_t held = 0;
    size_t wants = 0;

    TAILQ_FOREACH (owner, &ledger->owner_list, entry) {
        check_owner(ledger, owner);
        owners++;
    }
    CHECK(owners == ledger->owners.count && ledger->sa_count == ledger->sas.count);
    WALK(&ledger->reqids, node)
    check_reqid(ledger, HASH_OWNER(node, struct reqid_use, node));
    WALK(&ledger->policies, node)
    {
        const struct policy_record *policy = HASH_OWNER(node, struct policy_record, node);
        size_t wanted;
        size_t found = queues_of(ledger, policy, &wanted);
        CHECK(found == wanted);
        wants += wanted;
        held += policy->held;
        CHECK(policy->held == reqid_is_dynamic(policy->template->reqid->reqid));
    }
    WALK(&ledger->pieces, node)
    {
        const struct piece_record *piece = HASH_OWNER(node, struct piece_record, node);
        if (piece->top.policy == NULL)
            continue;
        check_queue(piece);
        for (const struct piece_want *want = &piece->top; want != NULL; want = want->below)
            wants--;
    }
    CHECK(wants == 0 && held == ledger->held.count);
    CHECK(ledger->walks == NULL && ledger->policies.walks == NULL && ledger->pieces.walks == NULL);
}

/* --- The kernel --- */

static void check_direction(const struct piece_record *piece, uint8_t direction)
{
    struct policy_template is = {0};
    struct piece selected = piece_of(piece);
    const struct kernel_piece *policy = model_policy(&selected, direction);

    CHECK(piece_template(piece, &is));
    CHECK(policy != NULL && !policy->plain);
    CHECK(policy->template.reqid == is.reqid && policy->template.mode == is.mode &&
          policy->template.policy == is.policy);
    CHECK(address_same_host(&policy->template.local, &is.local));
    CHECK(direction != KERNEL_OUT || address_same_host(&policy->template.remote, &is.remote));
    CHECK(policy->priority == piece_priority(&selected, is.policy));
}

void check_kernel(const struct ledger *ledger)
{
    WALK(&ledger->pieces, node)
    {
        const struct piece_record *piece = HASH_OWNER(node, struct piece_record, node);
        struct piece selected = piece_of(piece);
        if (piece->top.policy == NULL || model_is_tainted(&selected))
            continue;
        check_direction(piece, KERNEL_OUT);
        check_direction(piece, KERNEL_IN);
        if (piece_mode(piece) == CHILD_TUNNEL)
            check_direction(piece, KERNEL_FORWARD);
        else
            CHECK(model_policy(&selected, KERNEL_FORWARD) == NULL);
    }
    for (size_t i = 0; i < model.policy_count; i++) {
        const struct kernel_piece *policy = &model.policies[i];
        CHECK(policy->plain || !reqid_is_ours(policy->template.reqid) ||
              model_is_tainted(&policy->piece) ||
              ledger_find_piece(ledger, &policy->piece) != NULL);
    }
}

/* --- The configuration --- */

void check_required(const struct ledger *ledger, const struct config *config)
{
    const struct connection *connection;
    const struct child_config *child;
    struct child_selectors pair;

    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            for (size_t i = 0; child->policy == POLICY_REQUIRE && child_pair(child, i, &pair);
                 i++) {
                struct name names[2] = {{""}, {""}};
                name_of_config(&names[0], connection->name);
                name_of_config(&names[1], child->name);
                CHECK(ledger_find_policy(ledger, ledger_owner(ledger, &names[0], &names[1]),
                                         &pair.local, &pair.remote) != NULL);
            }
}

static bool is_in(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        if (((address[i / 8] ^ prefix[i / 8]) >> (7 - i % 8)) & 1)
            return false;
    return true;
}

/* A packet is a piece of single hosts and ports. */
static bool matches(const struct piece *piece, const struct piece *packet)
{
    return piece->family == packet->family &&
           (piece->protocol == 0 || piece->protocol == packet->protocol) &&
           ((piece->local_port ^ packet->local_port) & piece->local_mask) == 0 &&
           ((piece->remote_port ^ packet->remote_port) & piece->remote_mask) == 0 &&
           is_in(packet->local, piece->local, piece->local_bits) &&
           is_in(packet->remote, piece->remote, piece->remote_bits);
}

/* The priority of what a child is configured for there; UINT32_MAX: nothing. */
static uint32_t rule_of(const struct child_config *child, const struct piece *packet)
{
    static struct piece pieces[PIECES_MAX];
    uint32_t best = UINT32_MAX;
    struct child_selectors pair;
    size_t count;

    for (size_t i = 0; child_pair(child, i, &pair); i++) {
        if (pieces_of(&pair.local, &pair.remote, pieces, &count, NULL) != STATUS_OK)
            continue;
        for (size_t j = 0; j < count; j++)
            if (matches(&pieces[j], packet) && piece_priority(&pieces[j], child->policy) < best)
                best = piece_priority(&pieces[j], child->policy);
    }
    return best;
}

/* Nobody else is configured for the packet with something that the kernel prefers to the rule of
 * whoever has it. */
static void check_packet(const struct ledger *ledger, const struct config *config,
                         const struct piece *packet)
{
    const struct kernel_piece *best = NULL;
    const struct connection *connection;
    const struct child_config *child;

    for (size_t i = 0; i < model.policy_count; i++) {
        const struct kernel_piece *at = &model.policies[i];
        if (at->direction == KERNEL_OUT && matches(&at->piece, packet) &&
            (best == NULL || at->priority < best->priority))
            best = at;
    }
    if (best == NULL || best->plain || model_is_tainted(&best->piece))
        return;
    const struct owner *owner = ledger_reqid_owner(ledger, best->template.reqid);
    const struct connection *whose =
        owner != NULL ? config_find(config, owner->connection.text) : NULL;
    const struct child_config *its =
        whose != NULL ? connection_find_child(whose, owner->child.text) : NULL;
    uint32_t rule = its != NULL ? rule_of(its, packet) : UINT32_MAX;
    if (rule == UINT32_MAX)
        return;
    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            CHECK(connection == whose || connection->remote.family == FAMILY_NONE ||
                  rule_of(child, packet) >= rule || rule_of(child, packet) < best->priority);
}

/* Packets at the edges of all that is there. */
void check_whose(const struct ledger *ledger, const struct config *config)
{
    for (size_t i = 0; i < model.policy_count; i++) {
        struct piece packet = model.policies[i].piece;
        if (model.policies[i].direction != KERNEL_OUT)
            continue;
        packet.protocol = packet.protocol != 0 ? packet.protocol : 17;
        check_packet(ledger, config, &packet);
        packet.remote[3] ^= 1;
        check_packet(ledger, config, &packet);
    }
}

FUZZ_COVERED
