/*
 * Children of one configuration that are for the very same traffic, or for a part of each other's,
 * and those that have no policies of their own: see config_shared and config_unheld in config.h.
 *
 * Not here: what is narrowed to the same while iked runs; the keeper's gate and child_cut
 * see to that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/policy/loss.h"
#include "lib/policy/overlap.h"

struct wish {
    struct hash_node node;
    uint64_t key;
    const struct child_config *child;
    struct child_selectors pair;
};

static uint64_t key_of_wish(const void *context, const struct hash_node *node)
{
    (void)context;
    return HASH_OWNER(node, const struct wish, node)->key;
}

/* Nobody who could choose colliding selectors gains from it: it is the administrator's file. */
static uint64_t pair_key(const struct child_selectors *pair)
{
    static const uint8_t key[16];
    uint8_t octets[2 * SELECTOR_OCTETS_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    selector_pack(&writer, &pair->local);
    selector_pack(&writer, &pair->remote);
    return hash_keyed(key, slice_of(octets, writer.size));
}

static const struct wish *find_earlier(const struct hash_table *wishes, const struct wish *wish)
{
    struct hash_node *node = hash_first(wishes, wish->key);

    for (; node != NULL; node = hash_next(node)) {
        const struct wish *other = HASH_OWNER(node, const struct wish, node);
        if (selector_equal(&other->pair.local, &wish->pair.local) &&
            selector_equal(&other->pair.remote, &wish->pair.remote))
            return other;
    }
    return NULL;
}

static size_t pairs_count(const struct config *config)
{
    const struct connection *connection;
    const struct child_config *child;
    struct child_selectors unused;
    size_t count = 0;

    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            for (size_t i = 0; child_pair(child, i, &unused); i++)
                count++;
    return count;
}

static void tell(const struct child_config *later, const struct child_config *earlier,
                 void (*each)(void *context, const char *line), void *context)
{
    char line[2 * CONFIG_ERROR_MAX];

    snprintf(line, sizeof(line),
             "%s:%u: %s: child %s is for the same traffic as child %s of %s, which has it",
             later->connection->file, later->connection->line, later->connection->name, later->name,
             earlier->name, earlier->connection->name);
    each(context, line);
}

/* A child is told once, and its pairs are not put in before: it is no rival of its own. */
static struct wish *child_tell(struct hash_table *wishes, const struct child_config *child,
                               struct wish *next, void (*each)(void *context, const char *line),
                               void *context)
{
    struct wish *first = next;
    const struct wish *earlier = NULL;

    for (size_t i = 0; child_pair(child, i, &next->pair); i++, next++) {
        next->child = child;
        next->key = pair_key(&next->pair);
        if (earlier == NULL && (earlier = find_earlier(wishes, next)) != NULL)
            tell(child, earlier->child, each, context);
    }
    for (struct wish *wish = first; wish < next; wish++)
        hash_insert(wishes, &wish->node);
    return next;
}

/* Why something of the child's traffic passes unprotected; NULL: it does not, or is to. */
static const char *unheld(const struct connection *connection, const struct child_config *child)
{
    if (child->remote_count > 0)
        return NULL;
    if (connection->remote.family == FAMILY_NONE)
        return "with remote = \"any\" and no remote selectors only what its peers' SAs cover is "
               "protected, while they stand";
    if (child->policy == POLICY_REQUIRE && connection->peer_count > 0 &&
        connection->known_count == 0)
        return "with a name for the peer and no remote selectors nothing is protected until the "
               "name is resolved";
    return NULL;
}

void config_unheld(const struct config *config, void (*each)(void *context, const char *line),
                   void *context)
{
    char line[2 * CONFIG_ERROR_MAX];
    const struct connection *connection;
    const struct child_config *child;

    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry) {
            const char *what = unheld(connection, child);
            if (what == NULL)
                continue;
            snprintf(line, sizeof(line), "%s:%u: %s: child %s: %s", connection->file,
                     connection->line, connection->name, child->name, what);
            each(context, line);
        }
}

/* --- Overlaps --- */

#define LOOKS_MAX 256 /* pairs that one pair of a child is held against */

/* What of other connections meets a child. */
struct overlaps {
    const struct configured_pair *inner; /* the first that lies within it ... */
    const struct configured_pair *outer; /* ... in this pair of it */
    const struct configured_pair *other; /* the first that has only a part in common ... */
    const struct configured_pair *own;   /* ... with this pair */
    size_t inner_count;
};

static bool lies_within(const struct child_selectors *inner, const struct child_selectors *outer)
{
    return selector_contains(&outer->local, &inner->local) &&
           selector_contains(&outer->remote, &inner->remote);
}

static bool pairs_meet(const struct child_selectors *a, const struct child_selectors *b)
{
    struct selector both;

    return selector_intersect(&a->local, &b->local, &both) &&
           selector_intersect(&a->remote, &b->remote, &both);
}

/* Each overlap is found from one side: from the outer one, else from the one that comes later. */
static void overlaps_add(struct overlaps *overlaps, const struct configured_pair *own,
                         const struct configured_pair *other)
{
    bool inside = lies_within(&other->pair, &own->pair);

    if (lies_within(&own->pair, &other->pair) || !pairs_meet(&own->pair, &other->pair))
        return;
    if (inside && overlaps->inner_count++ == 0) {
        overlaps->inner = other;
        overlaps->outer = own;
    } else if (!inside && overlaps->other == NULL &&
               other->child->connection->place < own->child->connection->place) {
        overlaps->other = other;
        overlaps->own = own;
    }
}

static void overlaps_find(const struct config *config, const struct child_config *child,
                          struct overlaps *overlaps)
{
    for (size_t i = 0; i < child->pair_count; i++) {
        const struct configured_pair *own = &child->pairs[i];
        const struct configured_pair *other = NULL;
        for (size_t looks = 0; looks < LOOKS_MAX; looks++) {
            other = config_next_pair(config, &own->pair.remote, other);
            if (other == NULL)
                break;
            if (other->child->connection != child->connection)
                overlaps_add(overlaps, own, other);
        }
    }
}

/* "child net of b has 172.16.0.0/16 === 10.1.0.0/16", or whichever has what both are for. */
static int owner_text(char *text, size_t size, const struct configured_pair *a,
                      const struct configured_pair *b)
{
    const struct child_config *owner = a->widest <= b->widest ? a->child : b->child;
    struct selector local;
    struct selector remote;
    char local_text[SELECTOR_TEXT_MAX];
    char remote_text[SELECTOR_TEXT_MAX];

    if (!selector_intersect(&a->pair.local, &b->pair.local, &local) ||
        !selector_intersect(&a->pair.remote, &b->pair.remote, &remote))
        return 0;
    return snprintf(text, size, "%s === %s goes to child %s of %s",
                    selector_text(&local, local_text), selector_text(&remote, remote_text),
                    owner->name, owner->connection->name);
}

static void overlaps_tell(const struct config *config, const struct child_config *child,
                          void (*each)(void *context, const char *line), void *context)
{
    const struct connection *connection = child->connection;
    struct overlaps overlaps = {0};
    char line[3 * CONFIG_ERROR_MAX];
    char owner[CONFIG_ERROR_MAX];
    char more[64] = "";

    overlaps_find(config, child, &overlaps);
    if (overlaps.inner != NULL) {
        const struct child_config *inner = overlaps.inner->child;
        if (overlaps.inner_count > 1)
            snprintf(more, sizeof(more), ", and so it is with %zu more", overlaps.inner_count - 1);
        owner_text(owner, sizeof(owner), overlaps.inner, overlaps.outer);
        snprintf(line, sizeof(line), "%s:%u: %s: child %s of %s lies within child %s: %s%s",
                 connection->file, connection->line, connection->name, inner->name,
                 inner->connection->name, child->name, owner, more);
        each(context, line);
    }
    if (overlaps.other != NULL) {
        const struct child_config *other = overlaps.other->child;
        owner_text(owner, sizeof(owner), overlaps.other, overlaps.own);
        snprintf(line, sizeof(line),
                 "%s:%u: %s: child %s has something in common with child %s of %s: %s",
                 connection->file, connection->line, connection->name, child->name, other->name,
                 other->connection->name, owner);
        each(context, line);
    }
}

/* --- What no peer ever gets --- */

static bool is_twin(const struct child_config *a, const struct child_config *b)
{
    const struct connection *x = a->connection;
    const struct connection *y = b->connection;

    return a->mode == b->mode && address_same_host(&x->local, &y->local) &&
           selectors_equal(a->local, a->local_count, b->local, b->local_count) &&
           selectors_equal(a->remote, a->remote_count, b->remote, b->remote_count);
}

/* Only the peer can start, and it gets the earlier one. */
static const struct child_config *earlier_twin(const struct child_config *child)
{
    const struct connection *connection = child->connection;
    const struct child_config *other;

    if (connection->remote.family != FAMILY_NONE)
        return NULL;
    for (connection = connection->next_of_pair;; connection = connection->next_of_pair) {
        bool same = connection == child->connection;
        if (connection->remote.family == FAMILY_NONE &&
            connection->place <= child->connection->place)
            TAILQ_FOREACH (other, &connection->children, entry) {
                if (other == child)
                    break;
                if (is_twin(other, child))
                    return other;
            }
        if (same)
            return NULL;
    }
}

static bool twin_tell(const struct child_config *child,
                      void (*each)(void *context, const char *line), void *context)
{
    const struct child_config *twin = earlier_twin(child);
    char line[2 * CONFIG_ERROR_MAX];

    if (twin == NULL)
        return false;
    snprintf(line, sizeof(line),
             "%s:%u: %s: no peer ever gets child %s: child %s of %s has the same selectors, mode "
             "and identities",
             child->connection->file, child->connection->line, child->connection->name, child->name,
             twin->name, twin->connection->name);
    each(context, line);
    return true;
}

void config_shared(const struct config *config, void (*each)(void *context, const char *line),
                   void *context)
{
    struct wish *wishes = calloc(pairs_count(config) + 1, sizeof(*wishes));
    struct wish *next = wishes;
    const struct connection *connection;
    const struct child_config *child;
    struct hash_table table;

    if (wishes == NULL || !hash_init(&table, key_of_wish, NULL)) {
        free(wishes);
        return;
    }
    /* What is for any peer belongs to whoever comes: several may be for the same. */
    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            if (connection->remote.family != FAMILY_NONE)
                next = child_tell(&table, child, next, each, context);
    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry) {
            (void)twin_tell(child, each, context);
            overlaps_tell(config, child, each, context);
        }
    hash_free(&table);
    free(wishes);
}
