/*
 * Sibling connections: those with the same pair of identities, so that an IKE SA of one may carry
 * children of another, its guests.
 */
#ifndef LIB_ENGINE_SIBLING_H
#define LIB_ENGINE_SIBLING_H

#include "lib/engine/private.h"

/* Is nothing else known to the peer that INITIAL_CONTACT would make it forget: no other SA of this
 * pair of identities (RFC 7296 section 2.4)?  To be asked when IKE_AUTH is about to leave, not
 * before: only then it holds for the peer, too. */
bool link_first_contact(const struct engine *engine, const struct ike_sa *sa);

/* Deletes the link's children in IKE SAs of its siblings; false when there are none. */
bool link_close_guests(struct engine *engine, struct link *link);

/* The same configuration has moved to new memory: the SA follows by name.  A guest whose own
 * connection has changed is deleted.  False when the SA as a whole is to go: it is in the midst of
 * something about such a one. */
MUST_USE bool sa_rebind(struct engine *engine, struct ike_sa *sa,
                        const struct connection *connection, const struct config *all);

#endif
