/*
 * Which addresses a peer with a name or several addresses is known by.
 */
#ifndef LIB_POLICY_KNOWN_H
#define LIB_POLICY_KNOWN_H

#include "lib/policy/config.h"

/* A connection whose peer is known by this address; `after` continues (NULL: the first). */
const struct connection *config_find_known(const struct config *config,
                                           const struct address *remote,
                                           const struct connection *after);

/* Is the peer known by this address? */
bool connection_knows(const struct connection *connection, const struct address *remote);

/* The places of a connection's SAs. */
struct places {
    uint8_t count;
    struct address items[CONFIG_KNOWN_MAX];
};

/* Once each; past the maximum they are passed over. */
void places_add(struct places *places, const struct address *address);

/* A name of the peer's was resolved: it is known by these, too.  Those that no peer can have are
 * left out.  Too many addresses make the oldest ones forgotten that are neither `used` nor in the
 * file. */
void config_learn(struct config *config, const struct connection *connection,
                  const struct address *addresses, size_t count, const struct places *used);

/* This address is in use from now on. */
void config_use(struct config *config, const struct connection *connection,
                const struct address *remote);

/* What was learned under the configuration before goes on to hold. */
void config_inherit(struct config *config, const struct config *before);

#endif
