/*
 * Lists of traffic selectors: see narrow.h.
 *
 * What is narrowed keeps the offer's order, so what stood first in it (the packet that made the
 * peer ask) is part of the first that fits.
 */
#include "lib/policy/narrow.h"

#include <string.h>

static bool within_some(const struct selector *outer, size_t outer_count,
                        const struct selector *inner)
{
    for (size_t i = 0; i < outer_count; i++)
        if (selector_contains(&outer[i], inner))
            return true;
    return false;
}

/* Adds `item` unless it is there already, in place of those that lie within it. */
static size_t selector_add(struct selector *list, size_t count, const struct selector *item)
{
    size_t kept = 0;

    if (within_some(list, count, item))
        return count;
    for (size_t i = 0; i < count; i++)
        if (!selector_contains(item, &list[i]))
            list[kept++] = list[i];
    if (kept < CONFIG_SELECTORS_MAX)
        list[kept++] = *item;
    return kept;
}

size_t narrow_selectors(const struct selector *allowed, size_t allowed_count,
                        const struct selector *offered, size_t offered_count,
                        struct selector *narrowed)
{
    size_t count = 0;

    for (size_t i = 0; i < offered_count; i++) {
        for (size_t k = 0; k < allowed_count; k++) {
            struct selector both;
            if (selector_intersect(&offered[i], &allowed[k], &both))
                count = selector_add(narrowed, count, &both);
        }
    }
    return count;
}

size_t selectors_reduce(struct selector *list, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!within_some(list, kept, &list[i]) &&
            !within_some(&list[i + 1], count - i - 1, &list[i]))
            list[kept++] = list[i];
    return kept;
}

bool selectors_within(const struct selector *outer, size_t outer_count,
                      const struct selector *inner, size_t inner_count)
{
    for (size_t i = 0; i < inner_count; i++)
        if (!within_some(outer, outer_count, &inner[i]))
            return false;
    return true;
}

/* The address before (-1) or behind (+1) another; the caller knows that there is one. */
static void step_address(uint8_t *address, size_t size, int by)
{
    for (size_t i = size; i > 0; i--) {
        address[i - 1] = (uint8_t)(address[i - 1] + by);
        if (address[i - 1] != (by > 0 ? 0 : UINT8_MAX))
            return;
    }
}

static bool has_ports(const struct selector *selector)
{
    return selector->port_start <= selector->port_end; /* else OPAQUE */
}

size_t selector_without(const struct selector *from, const struct selector *what,
                        struct selector rest[4])
{
    size_t size = address_size(from->family);
    struct selector both;
    size_t count = 0;

    if (!selector_intersect(from, what, &both)) {
        rest[0] = *from;
        return 1;
    }
    if (memcmp(from->start, both.start, size) < 0) {
        rest[count] = *from;
        memcpy(rest[count].end, both.start, size);
        step_address(rest[count++].end, size, -1);
    }
    if (from->protocol == both.protocol && has_ports(from) && has_ports(&both)) {
        struct selector middle = *from;
        memcpy(middle.start, both.start, size);
        memcpy(middle.end, both.end, size);
        if (from->port_start < both.port_start) {
            rest[count] = middle;
            rest[count++].port_end = (uint16_t)(both.port_start - 1);
        }
        if (both.port_end < from->port_end) {
            rest[count] = middle;
            rest[count++].port_start = (uint16_t)(both.port_end + 1);
        }
    }
    if (memcmp(both.end, from->end, size) < 0) {
        rest[count] = *from;
        memcpy(rest[count].start, both.end, size);
        step_address(rest[count++].start, size, 1);
    }
    return count;
}

/* Is all of `inner` held?  Where an outer one holds a part that can be cut out exactly, the rest is
 * left to the others. */
static bool is_covered(const struct selector *outer, size_t outer_count,
                       const struct selector *inner)
{
    struct selector rest[4];
    struct selector both;

    if (within_some(outer, outer_count, inner))
        return true;
    for (size_t i = 0; i < outer_count; i++) {
        if (!selector_intersect(&outer[i], inner, &both) || both.protocol != inner->protocol ||
            !has_ports(&both) || !has_ports(inner))
            continue;
        return selectors_cover(&outer[i + 1], outer_count - i - 1, rest,
                               selector_without(inner, &outer[i], rest));
    }
    return false;
}

bool selectors_cover(const struct selector *outer, size_t outer_count, const struct selector *inner,
                     size_t inner_count)
{
    for (size_t i = 0; i < inner_count; i++)
        if (!is_covered(outer, outer_count, &inner[i]))
            return false;
    return true;
}
