/*
 * A NAT: see nat_box.h.
 */
#include "test/common/nat_box.h"

#include <stdlib.h>
#include <string.h>

#define PORT_FIRST 10000

void nat_box_init(struct nat_box *box, const struct address *outside, bool is_static)
{
    *box = (struct nat_box){
        .outside = *outside,
        .is_static = is_static,
        .next_port = PORT_FIRST,
        .timeout_ms = NAT_TIMEOUT_MS,
    };
}

static bool alive(const struct nat_box *box, const struct nat_mapping *mapping, uint64_t now_ms)
{
    return mapping->inside.family != FAMILY_NONE &&
           (box->is_static || now_ms - mapping->used_ms <= box->timeout_ms);
}

/* The mapping of an inside address, or the one that is longest out of use. */
static struct nat_mapping *take_mapping(struct nat_box *box, const struct address *inside,
                                        uint64_t now_ms)
{
    struct nat_mapping *oldest = &box->mappings[0];

    for (size_t i = 0; i < NAT_MAPPINGS_MAX; i++) {
        struct nat_mapping *mapping = &box->mappings[i];
        if (alive(box, mapping, now_ms) && address_equal(&mapping->inside, inside))
            return mapping;
        if (oldest->inside.family != FAMILY_NONE &&
            (mapping->inside.family == FAMILY_NONE || mapping->used_ms < oldest->used_ms))
            oldest = mapping;
    }
    oldest->inside = *inside;
    oldest->port = box->is_static ? inside->port : box->next_port++;
    return oldest;
}

void nat_box_out(struct nat_box *box, struct address *source, uint64_t now_ms)
{
    struct nat_mapping *mapping = take_mapping(box, source, now_ms);

    mapping->used_ms = now_ms;
    *source = box->outside;
    source->port = mapping->port;
}

bool nat_box_in(const struct nat_box *box, struct address *destination, uint64_t now_ms)
{
    for (size_t i = 0; i < NAT_MAPPINGS_MAX; i++) {
        const struct nat_mapping *mapping = &box->mappings[i];
        if (alive(box, mapping, now_ms) && mapping->port == destination->port) {
            *destination = mapping->inside;
            return true;
        }
    }
    return false;
}

void nat_box_rebind(struct nat_box *box)
{
    memset(box->mappings, 0, sizeof(box->mappings));
}
