/*
 * Lists of traffic selectors: what two ends can agree on, what is within what, and what is left.
 *
 * RFC 7296 section 2.9.  Not here: one selector (lib/base/address.h), their text (selector.h).
 */
#ifndef LIB_POLICY_NARROW_H
#define LIB_POLICY_NARROW_H

#include "lib/policy/config.h"

/* What both `allowed` and `offered` hold, at most CONFIG_SELECTORS_MAX; returns the count (0:
 * nothing in common).  A selector within another one of the result is left out. */
size_t narrow_selectors(const struct selector *allowed, size_t allowed_count,
                        const struct selector *offered, size_t offered_count,
                        struct selector *narrowed);

/* Leaves out what lies within another one of the list, in place; returns how many are left. */
size_t selectors_reduce(struct selector *list, size_t count);

/* What of `from` does not lie in `what`, in the order of addresses, then of ports: writes up to
 * four and returns their number.  Where only one protocol of several would be left out, the
 * addresses are, as a whole: a selector names one protocol or all. */
size_t selector_without(const struct selector *from, const struct selector *what,
                        struct selector rest[4]);

/* True when every item of `inner` lies within some item of `outer`. */
bool selectors_within(const struct selector *outer, size_t outer_count,
                      const struct selector *inner, size_t inner_count);

/* True when every packet that some item of `inner` holds is held by an item of `outer`, though it
 * may take several of them to hold one of `inner`. */
bool selectors_cover(const struct selector *outer, size_t outer_count, const struct selector *inner,
                     size_t inner_count);

#endif
