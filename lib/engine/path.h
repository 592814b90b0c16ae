/*
 * What the kernel says of an SA's path.
 */
#ifndef LIB_ENGINE_PATH_H
#define LIB_ENGINE_PATH_H

#include "lib/engine/private.h"

/* KERNEL_ADDRESSES: which address of ours is it now? */
void path_addresses(struct engine *engine);

/* Our mapping in a NAT is to be kept alive. */
void path_keepalive_due(struct engine *engine, struct ike_sa *sa);

/* KERNEL_MAPPING: an authentic packet came from another address or port. */
void path_mapping(struct engine *engine, const struct kernel_event *event);

#endif
