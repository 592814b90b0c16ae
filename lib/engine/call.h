/*
 * Calling the peer of a link at one address; and children that go along with what is there.
 */
#ifndef LIB_ENGINE_CALL_H
#define LIB_ENGINE_CALL_H

#include "lib/engine/private.h"

/* Is nothing to be started for a child: it stands, or an attempt is on its way?  `replacing`: an
 * IKE SA that is there is to be replaced. */
bool link_is_served(const struct engine *engine, const struct link *link,
                    const struct child_config *child, bool replacing);

/* An IKE SA of the link that can carry one more child is to make it; false: there is none. */
bool link_join(struct engine *engine, struct link *link, const struct child_config *child);

/* The protocol of this version; the highest one when there is none. */
const struct protocol *engine_protocol(const struct engine *engine, uint8_t version);

/* The packet that has asked is forgotten. */
void link_drop_packet(struct link *link);

/* Starts an IKE SA at an address; `replaces`: our SPI of the one that it is for, 0: none;
 * `has_more`: there are other addresses, so that this one need not be tried for long. */
void link_call(struct engine *engine, struct link *link, const struct child_config *child,
               const struct address *remote, uint64_t replaces, bool has_more);

#endif
