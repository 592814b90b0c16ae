/*
 * Peers with a name or with several addresses: by which addresses they are known, which one is in
 * use, and which pairs of selectors follow from that.
 *
 * Both processes keep the same book: what the configuration says, and what names were resolved to.
 * Not here: resolving (resolver/resolver.c), which address to try next
 * (lib/engine/link_addresses.c).
 */
#include "lib/policy/known.h"

#include <string.h>

#include "lib/policy/connection.h"
#include "lib/policy/overlap.h"

const struct connection *config_find_known(const struct config *config,
                                           const struct address *remote,
                                           const struct connection *after)
{
    struct hash_node *node = hash_first(&config->known, remote_key(remote));
    bool passed = after == NULL;

    for (; node != NULL; node = hash_next(node)) {
        const struct known_address *known = HASH_OWNER(node, struct known_address, node);
        if (!address_same_host(&known->address, remote))
            continue;
        if (passed)
            return known->connection;
        passed = known->connection == after;
    }
    return NULL;
}

bool connection_knows(const struct connection *connection, const struct address *remote)
{
    for (size_t i = 0; i < connection->known_count; i++)
        if (address_same_host(&connection->known[i].address, remote))
            return true;
    return false;
}

static bool places_have(const struct places *places, const struct address *address)
{
    for (size_t i = 0; i < places->count; i++)
        if (address_same_host(&places->items[i], address))
            return true;
    return false;
}

void places_add(struct places *places, const struct address *address)
{
    if (places->count < CONFIG_KNOWN_MAX && !places_have(places, address))
        places->items[places->count++] = *address;
}

static bool is_in_file(const struct connection *connection, const struct address *address)
{
    for (size_t i = 0; i < connection->peer_count; i++)
        if (connection->peers[i].name == NULL &&
            address_same_host(&connection->peers[i].address, address))
            return true;
    return false;
}

/* Which of a full list makes room: the oldest that nothing needs, or else the oldest. */
static size_t least_needed(const struct connection *connection, const struct address *list,
                           const struct places *used)
{
    for (size_t i = CONFIG_KNOWN_MAX; i > 0; i--)
        if (!is_in_file(connection, &list[i - 1]) && !places_have(used, &list[i - 1]))
            return i - 1;
    return CONFIG_KNOWN_MAX - 1;
}

/* The latest stand first. */
static void know(struct config *config, struct connection *connection,
                 const struct address *address, const struct places *used)
{
    struct address kept[CONFIG_KNOWN_MAX];
    size_t count = 0;

    for (size_t i = 0; i < connection->known_count; i++) {
        hash_remove(&config->known, &connection->known[i].node);
        if (!address_same_host(&connection->known[i].address, address))
            kept[count++] = connection->known[i].address;
    }
    size_t moved = count == CONFIG_KNOWN_MAX ? least_needed(connection, kept, used) : count;
    if (count == CONFIG_KNOWN_MAX)
        count--;
    memmove(&kept[1], &kept[0], moved * sizeof(kept[0]));
    kept[0] = *address;
    kept[0].port = 0;
    connection->known_count = (uint8_t)(count + 1);
    for (size_t i = 0; i < connection->known_count; i++) {
        struct known_address *known = &connection->known[i];
        *known = (struct known_address){.connection = connection, .address = kept[i]};
        hash_insert(&config->known, &known->node);
    }
}

/* No address of this family, or none that a peer can have. */
static bool is_useless(const struct connection *connection, const struct address *address)
{
    return !address_is_host(address) || address->family != connection->remote.family ||
           address_same_host(address, &connection->local);
}

void config_learn(struct config *config, const struct connection *connection,
                  const struct address *addresses, size_t count, const struct places *used)
{
    struct connection *own = config_own(config, connection->name);

    if (own == NULL || own->peer_count == 0)
        return;
    for (size_t i = count; i > 0; i--)
        if (!is_useless(own, &addresses[i - 1]))
            know(config, own, &addresses[i - 1], used);
    config_index_pairs(config, own);
}

void config_know_peers(struct config *config, struct connection *connection)
{
    const struct places none = {0};

    for (size_t i = connection->peer_count; i > 0; i--)
        if (connection->peers[i - 1].name == NULL)
            know(config, connection, &connection->peers[i - 1].address, &none);
}

void config_use(struct config *config, const struct connection *connection,
                const struct address *remote)
{
    struct connection *own = config_own(config, connection->name);

    if (own == NULL || own->peer_count == 0)
        return;
    own->remote = *remote;
    own->remote.port = 0;
    config_index_pairs(config, own);
}

bool peers_equal(const struct connection *a, const struct connection *b)
{
    if (a->peer_count != b->peer_count)
        return false;
    for (size_t i = 0; i < a->peer_count; i++) {
        const char *x = a->peers[i].name;
        const char *y = b->peers[i].name;
        if (x == NULL || y == NULL ? x != y : strcasecmp(x, y) != 0)
            return false;
        if (x == NULL && !address_same_host(&a->peers[i].address, &b->peers[i].address))
            return false;
    }
    return a->peer_count > 0 || address_equal(&a->remote, &b->remote);
}

void config_inherit(struct config *config, const struct config *before)
{
    const struct places none = {0};
    struct connection *connection;

    TAILQ_FOREACH (connection, &config->connections, entry) {
        const struct connection *old =
            connection->peer_count == 0 ? NULL : config_find(before, connection->name);
        if (old == NULL || !peers_equal(connection, old) ||
            old->remote.family != connection->remote.family)
            continue;
        for (size_t i = old->known_count; i > 0; i--)
            know(config, connection, &old->known[i - 1].address, &none);
        connection->remote = old->remote;
        config_index_pairs(config, connection);
    }
}

bool connection_has_peer(const struct connection *connection, const char *name)
{
    for (size_t i = 0; i < connection->peer_count; i++)
        if (connection->peers[i].name != NULL && strcasecmp(connection->peers[i].name, name) == 0)
            return true;
    return false;
}

/* Where nobody in particular is, as seen from our end. */
static struct address nowhere(const struct connection *connection, const struct selector *remote)
{
    uint8_t family = connection->local.family;

    return (struct address){.family = family != FAMILY_NONE ? family : remote->family};
}

bool child_pair(const struct child_config *child, size_t i, struct child_selectors *pair)
{
    const struct connection *connection = child->connection;
    size_t remote_count =
        child->remote_count > 0 ? child->remote_count : (size_t)connection->known_count;

    if (remote_count == 0 || i / remote_count >= child->local_count)
        return false;
    pair->local = child->local[i / remote_count];
    if (child->remote_count > 0) {
        pair->remote = child->remote[i % remote_count];
        pair->peer = connection->remote.family != FAMILY_NONE ? connection->remote
                                                              : nowhere(connection, &pair->remote);
    } else {
        pair->peer = connection->known[i % remote_count].address;
        pair->remote = selector_host(&pair->peer);
    }
    return true;
}
