/*
 * Children of one configuration that are for the very same traffic, and those that have no policies
 * of their own: see config_shared and config_unheld in config.h.
 *
 * Not here: what is narrowed to the same while iked runs; the keeper's gate and child_cut
 * see to that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/policy/config.h"

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

void config_unheld(const struct config *config, void (*each)(void *context, const char *line),
                   void *context)
{
    char line[2 * CONFIG_ERROR_MAX];
    const struct connection *connection;
    const struct child_config *child;

    TAILQ_FOREACH (connection, &config->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry) {
            if (connection->remote.family != FAMILY_NONE || child->remote_count > 0)
                continue;
            snprintf(line, sizeof(line),
                     "%s:%u: %s: child %s: with remote = \"any\" and no remote selectors only what "
                     "its peers' SAs cover is protected, while they stand",
                     connection->file, connection->line, connection->name, child->name);
            each(context, line);
        }
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
    hash_free(&table);
    free(wishes);
}
