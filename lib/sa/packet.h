/*
 * A packet for which a child is asked.
 */
#ifndef LIB_SA_PACKET_H
#define LIB_SA_PACKET_H

#include "lib/policy/config.h"

/* A packet that waits for a child: the first that is asked for (RFC 7296 section 2.9). */
struct packet {
    const struct child_config *config; /* whose it is */
    struct selector local;
    struct selector remote;
    bool
        pair; /* no more than this pair of configured selectors, which holds it, is asked for ... */
    bool silent; /* ... and the packet itself is not named */
    struct selector pair_local;
    struct selector pair_remote;
};

#endif
