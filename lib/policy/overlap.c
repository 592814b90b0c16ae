/*
 * Whose traffic it is: see overlap.h.
 */
#include "lib/policy/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "lib/policy/known.h"

/* --- What is configured --- */

static uint32_t widest_priority(const struct child_config *child,
                                const struct child_selectors *pair)
{
    struct piece pieces[PIECES_MAX];
    uint32_t widest = 0;
    size_t count;

    if (pieces_of(&pair->local, &pair->remote, pieces, &count, NULL) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t priority = piece_priority(&pieces[i], child->policy);
        if (priority > widest)
            widest = priority;
    }
    return widest;
}

/* More pairs than it can ever have: a peer may get known by further addresses. */
static size_t pairs_most(const struct child_config *child)
{
    const struct connection *connection = child->connection;
    size_t remotes = child->remote_count > 0      ? child->remote_count
                     : connection->peer_count > 0 ? CONFIG_KNOWN_MAX
                                                  : 1;

    return child->local_count * remotes;
}

void configured_pair_range(const struct interval *node, struct interval_range *range)
{
    interval_range_set(range,
                       &INTERVAL_OWNER(node, const struct configured_pair, node)->pair.remote, 1);
}

static void child_index(struct config *config, struct child_config *child)
{
    size_t most = pairs_most(child);

    for (size_t i = 0; i < child->pair_count; i++)
        interval_remove(&config->pairs, &child->pairs[i].node);
    child->pair_count = 0;
    for (size_t i = 0; i < most && child_pair(child, i, &child->pairs[i].pair); i++) {
        struct configured_pair *configured = &child->pairs[i];
        configured->child = child;
        configured->widest = widest_priority(child, &configured->pair);
        interval_insert(&config->pairs, &configured->node);
        child->pair_count++;
    }
}

bool config_index_pairs(struct config *config, struct connection *connection)
{
    struct child_config *child;

    TAILQ_FOREACH (child, &connection->children, entry) {
        size_t most = pairs_most(child);
        if (child->pairs == NULL)
            child->pairs = calloc(most > 0 ? most : 1, sizeof(*child->pairs));
        if (child->pairs == NULL)
            return false;
        child_index(config, child);
    }
    return true;
}

const struct configured_pair *config_next_pair(const struct config *config,
                                               const struct selector *remote,
                                               const struct configured_pair *after)
{
    const struct interval *node =
        interval_next(&config->pairs, remote, after != NULL ? &after->node : NULL);

    return node != NULL ? INTERVAL_OWNER(node, const struct configured_pair, node) : NULL;
}

/* --- Pieces --- */

static bool prefixes_meet(const uint8_t *a, unsigned a_bits, const uint8_t *b, unsigned b_bits)
{
    unsigned bits = a_bits < b_bits ? a_bits : b_bits;
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

/* A piece's parts are prefixes, so two pieces have packets in common where each part of one lies
 * within that of the other or the other way round. */
static bool pieces_meet(const struct piece *a, const struct piece *b)
{
    return a->family == b->family &&
           (a->protocol == 0 || b->protocol == 0 || a->protocol == b->protocol) &&
           ((a->local_port ^ b->local_port) & a->local_mask & b->local_mask) == 0 &&
           ((a->remote_port ^ b->remote_port) & a->remote_mask & b->remote_mask) == 0 &&
           prefixes_meet(a->local, a->local_bits, b->local, b->local_bits) &&
           prefixes_meet(a->remote, a->remote_bits, b->remote, b->remote_bits);
}

/* --- What is asked --- */

/* Takes one pair that the child is entitled to into the account.  A range's pieces are as large as
 * they can be, so a piece of something within the range lies within one of them. */
static void rules_consider(struct asked *asked, const struct selector *local,
                           const struct selector *remote)
{
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (!selector_contains(local, asked->traffic.local) ||
        !selector_contains(remote, asked->traffic.remote) ||
        pieces_of(local, remote, pieces, &count, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < asked->count; i++) {
        for (size_t j = 0; j < count; j++) {
            uint32_t priority = piece_priority(&pieces[j], asked->traffic.child->policy);
            if (priority < asked->rules[i] && pieces_meet(&asked->pieces[i], &pieces[j]))
                asked->rules[i] = priority;
        }
    }
}

/* A child without remote selectors is for its peer's own address, whatever that is. */
static void rules_set(struct asked *asked)
{
    const struct child_config *child = asked->traffic.child;
    struct selector host = *asked->traffic.remote;

    host.protocol = 0;
    host.port_start = 0;
    host.port_end = UINT16_MAX;
    for (size_t i = 0; i < child->local_count; i++) {
        if (child->remote_count == 0)
            rules_consider(asked, &child->local[i], &host);
        for (size_t j = 0; j < child->remote_count; j++)
            rules_consider(asked, &child->local[i], &child->remote[j]);
    }
}

bool asked_set(struct asked *asked, const struct traffic *traffic)
{
    asked->traffic = *traffic;
    asked->as_configured = true;
    asked->narrowest = UINT32_MAX;
    if (pieces_of(traffic->local, traffic->remote, asked->pieces, &asked->count, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < asked->count; i++) {
        asked->priorities[i] = piece_priority(&asked->pieces[i], traffic->child->policy);
        asked->rules[i] = UINT32_MAX;
        if (asked->priorities[i] < asked->narrowest)
            asked->narrowest = asked->priorities[i];
    }
    rules_set(asked);
    for (size_t i = 0; i < asked->count; i++)
        if (asked->priorities[i] != asked->rules[i])
            asked->as_configured = false;
    return true;
}

void asked_allow(struct asked *asked, const struct selector *local, const struct selector *remote)
{
    rules_consider(asked, local, remote);
}

static bool takes_piece(const struct asked *asked, const struct piece *piece, uint32_t priority,
                        bool held)
{
    for (size_t i = 0; i < asked->count; i++)
        if (asked->priorities[i] <= priority &&
            (priority < asked->rules[i] || (held && priority == asked->rules[i])) &&
            pieces_meet(&asked->pieces[i], piece))
            return true;
    return false;
}

bool asked_takes(const struct asked *asked, const struct traffic *other, bool held)
{
    struct piece pieces[PIECES_MAX];
    struct selector both;
    size_t count;

    if (!selector_intersect(asked->traffic.remote, other->remote, &both) ||
        !selector_intersect(asked->traffic.local, other->local, &both) ||
        pieces_of(other->local, other->remote, pieces, &count, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (takes_piece(asked, &pieces[i], piece_priority(&pieces[i], other->child->policy), held))
            return true;
    return false;
}

static bool is_for_any(const struct child_config *child)
{
    return child->connection->remote.family == FAMILY_NONE;
}

/* The very pair of a child whose peer is known: its policy stands already, so that one who needs a
 * policy of his own cannot have it. */
static bool is_standing(const struct asked *asked, const struct configured_pair *other)
{
    return is_for_any(asked->traffic.child) && !is_for_any(other->child) &&
           selector_equal(asked->traffic.local, &other->pair.local) &&
           selector_equal(asked->traffic.remote, &other->pair.remote);
}

const struct configured_pair *asked_configured(const struct asked *asked,
                                               const struct config *config)
{
    const struct configured_pair *other = NULL;

    if (asked->as_configured && !is_for_any(asked->traffic.child))
        return NULL;
    while ((other = config_next_pair(config, asked->traffic.remote, other)) != NULL) {
        struct traffic traffic = {other->child, &other->pair.local, &other->pair.remote};
        if (other->child->connection == asked->traffic.child->connection)
            continue;
        if (is_standing(asked, other) ||
            (asked->narrowest <= other->widest && asked_takes(asked, &traffic, false)))
            return other;
    }
    return NULL;
}

bool configured_yields(const struct configured_pair *configured, const struct piece *piece,
                       uint32_t priority)
{
    const struct child_selectors *pair = &configured->pair;
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (priority > configured->widest ||
        pieces_of(&pair->local, &pair->remote, pieces, &count, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (priority <= piece_priority(&pieces[i], configured->child->policy) &&
            pieces_meet(&pieces[i], piece))
            return true;
    return false;
}
