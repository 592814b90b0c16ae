/*
 * Which connection a peer is for: by the version of IKE and the addresses of the two hosts, then by
 * their identities.
 *
 * Not here: which proposal both can live with (choose.h), which traffic (narrow.h).
 */
#ifndef LIB_POLICY_MATCH_H
#define LIB_POLICY_MATCH_H

#include "lib/policy/config.h"

/* The most fitting connection for a first packet of this version of IKE between two hosts: one
 * whose remote is exactly `remote` before one with a name or several addresses that is known by
 * it, before one with remote "any".  `after` continues (NULL: the first).  NULL when no more: all
 * the exact ones come first, then those known by it, then the "any" ones, the first and last in the
 * file's order. */
const struct connection *choose_connection(const struct config *config, uint8_t version,
                                           const struct address *local,
                                           const struct address *remote,
                                           const struct connection *after);

/* Is it for these two hosts? */
bool connection_fits(const struct connection *connection, const struct address *local,
                     const struct address *remote);

/* Does a connection take this pair of identities?  `local` may be NULL (the peer sent no IDr). */
bool connection_accepts(const struct connection *connection, const struct identity *local,
                        const struct identity *remote);

/* Does a peer of this identity claim to be ourselves, by a key that is our own?  Where any peer may
 * come, nobody else has our identity; where the file gives both ends the same, it is meant so. */
bool connection_is_self(const struct connection *connection, const struct identity *remote);

#endif
