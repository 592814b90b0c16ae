/*
 * Traffic selectors that two ends can agree on: RFC 7296 section 2.9.
 *
 * The result keeps the offer's order, so what stood first in it (the packet that made the peer
 * ask) is part of the first that fits.
 */
#include "lib/policy/choose.h"

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

bool selectors_within(const struct selector *outer, size_t outer_count,
                      const struct selector *inner, size_t inner_count)
{
    for (size_t i = 0; i < inner_count; i++)
        if (!within_some(outer, outer_count, &inner[i]))
            return false;
    return true;
}
