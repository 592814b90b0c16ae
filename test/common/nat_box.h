/*
 * A NAT of a simulated network: what is behind it leaves from one address, each address and port by
 * a port of its own; what comes to a port without a mapping, or to one that was not used for too
 * long, is dropped.
 *
 * Mappings do not depend on the destination, and anyone who knows one may use it.  A static one
 * keeps the ports and lets anyone in.
 */
#ifndef TEST_COMMON_NAT_BOX_H
#define TEST_COMMON_NAT_BOX_H

#include "lib/base/address.h"

#define NAT_MAPPINGS_MAX 64
#define NAT_TIMEOUT_MS   60000

struct nat_mapping {
    struct address inside; /* FAMILY_NONE: free */
    uint16_t port;         /* outside */
    uint64_t used_ms;
};

struct nat_box {
    struct address outside;
    bool is_static;
    uint16_t next_port;
    uint64_t timeout_ms;
    struct nat_mapping mappings[NAT_MAPPINGS_MAX];
};

void nat_box_init(struct nat_box *box, const struct address *outside, bool is_static);

/* The source of a packet from the inside as it is outside. */
void nat_box_out(struct nat_box *box, struct address *source, uint64_t now_ms);

/* The destination of a packet from the outside as it is inside; false: it is dropped.  What comes
 * in keeps no mapping alive. */
bool nat_box_in(const struct nat_box *box, struct address *destination, uint64_t now_ms);

/* Forgets all mappings; new ones get other ports. */
void nat_box_rebind(struct nat_box *box);

#endif
