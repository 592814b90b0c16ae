/*
 * Which connection a peer is for: see match.h.
 */
#include "lib/policy/match.h"

#include "lib/policy/known.h"

static bool is_local(const struct connection *connection, const struct address *local)
{
    return connection->local.family == FAMILY_NONE || address_same_host(&connection->local, local);
}

static bool is_for(const struct connection *connection, uint8_t version,
                   const struct address *local)
{
    return connection->version == version && is_local(connection, local);
}

static const struct connection *first_for(const struct connection *connection, uint8_t version,
                                          const struct address *local)
{
    while (connection != NULL && !is_for(connection, version, local))
        connection = connection->next_of_remote;
    return connection;
}

static const struct connection *known_for(const struct config *config, uint8_t version,
                                          const struct address *local, const struct address *remote,
                                          const struct connection *after)
{
    const struct connection *found = config_find_known(config, remote, after);

    while (found != NULL && !is_for(found, version, local))
        found = config_find_known(config, remote, found);
    return found;
}

const struct connection *choose_connection(const struct config *config, uint8_t version,
                                           const struct address *local,
                                           const struct address *remote,
                                           const struct connection *after)
{
    static const struct address any = {.family = FAMILY_NONE};
    const struct connection *found = NULL;

    if (after == NULL)
        found = first_for(config_find_remote(config, remote), version, local);
    else if (after->peer_count == 0)
        found = first_for(after->next_of_remote, version, local);
    if (found != NULL || (after != NULL && after->remote.family == FAMILY_NONE))
        return found;
    found = known_for(config, version, local, remote,
                      after != NULL && after->peer_count > 0 ? after : NULL);
    return found != NULL ? found : first_for(config_find_remote(config, &any), version, local);
}

bool connection_fits(const struct connection *connection, const struct address *local,
                     const struct address *remote)
{
    return is_local(connection, local) &&
           (connection->remote.family == FAMILY_NONE ||
            (connection->peer_count > 0 ? connection_knows(connection, remote)
                                        : address_same_host(&connection->remote, remote)));
}

bool connection_accepts(const struct connection *connection, const struct identity *local,
                        const struct identity *remote)
{
    return (local == NULL || identity_equal(connection->local_id, local)) &&
           (connection->remote_id->type == IDENTITY_ANY ||
            identity_equal(connection->remote_id, remote));
}

bool connection_is_self(const struct connection *connection, const struct identity *remote)
{
    return connection->remote_id->type == IDENTITY_ANY &&
           identity_equal(connection->local_id, remote);
}
