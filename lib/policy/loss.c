/*
 * What a new configuration takes away: see loss.h.
 *
 * A file that was cut, emptied or taken from another host is not to open this one.  A connection
 * with another name for the same traffic is no loss.
 */
#include "lib/policy/loss.h"

#include <stdio.h>

#include "lib/policy/overlap.h"

static bool config_has_pair(const struct config *config, const struct child_selectors *pair)
{
    const struct configured_pair *other = NULL;

    while ((other = config_next_pair(config, &pair->remote, other)) != NULL)
        if (selector_equal(&other->pair.local, &pair->local) &&
            selector_equal(&other->pair.remote, &pair->remote))
            return true;
    return false;
}

/* Where no traffic is named (any peer, a name that was not resolved yet) the name is all there
 * is. */
static bool is_lost(const struct connection *connection, const struct config *after)
{
    const struct child_config *child;
    struct child_selectors pair;

    if (config_find(after, connection->name) != NULL)
        return false;
    TAILQ_FOREACH (child, &connection->children, entry) {
        if (!child_pair(child, 0, &pair))
            return true;
        for (size_t i = 0; child_pair(child, i, &pair); i++)
            if (!config_has_pair(after, &pair))
                return true;
    }
    return false;
}

/* How many connections of `before` are gone in `after`: there is none of that name, nor one for the
 * same traffic. */
static size_t config_lost(const struct config *before, const struct config *after)
{
    const struct connection *connection;
    size_t count = 0;

    TAILQ_FOREACH (connection, &before->connections, entry)
        count += is_lost(connection, after);
    return count;
}

bool config_loses_most(const struct config *before, const struct config *after,
                       char text[CONFIG_ERROR_MAX])
{
    const struct connection *connection;
    size_t count = config_lost(before, after);
    size_t named = 0;

    if (count * 2 <= before->connection_count)
        return false;
    size_t used =
        (size_t)snprintf(text, CONFIG_ERROR_MAX, "%zu of %zu connection%s would go:", count,
                         before->connection_count, before->connection_count == 1 ? "" : "s");
    TAILQ_FOREACH (connection, &before->connections, entry) {
        if (!is_lost(connection, after))
            continue;
        if (used + CONFIG_NAME_MAX + 8 > CONFIG_ERROR_MAX / 2) {
            snprintf(text + used, CONFIG_ERROR_MAX - used, ", ...");
            break;
        }
        used += (size_t)snprintf(text + used, CONFIG_ERROR_MAX - used, "%s %s",
                                 named++ > 0 ? "," : "", connection->name);
    }
    return true;
}
