/*
 * An intrusive tree of ranges of addresses: which of many meet a given one.
 *
 * A treap ordered by where the ranges begin; each node knows the furthest end below it, so that
 * finding costs the logarithm of their number for each that is found.  It needs no memory of its
 * own and never fails.
 * A node is no more than links: its range is made anew from what its owner holds, which must not
 * change while it is in the tree.
 */
#ifndef LIB_BASE_INTERVAL_H
#define LIB_BASE_INTERVAL_H

#include "lib/base/address.h"
#include "lib/base/hash.h"

struct interval {
    struct interval *parent;
    struct interval *left;
    struct interval *right;
    struct interval *furthest; /* the node at or below this one whose range ends last */
    uint32_t weight;           /* 0: in no tree */
};

/* From the first address to the last. */
struct interval_range {
    uint8_t start[17]; /* the family, then the address */
    uint8_t end[17];
};

struct interval_tree {
    struct interval *root;
    void (*range_of)(const struct interval *node, struct interval_range *range);
    uint32_t chance; /* the last weight that was drawn */
    size_t count;
};

/* An empty tree of nodes whose ranges `range_of` says. */
void interval_init(struct interval_tree *tree,
                   void (*range_of)(const struct interval *node, struct interval_range *range));

/* The range that holds the addresses of each of the selectors, of which there is one at least. */
void interval_range_set(struct interval_range *range, const struct selector *selectors,
                        size_t count);

/* Enters `node`, which lives in its owner. */
void interval_insert(struct interval_tree *tree, struct interval *node);

/* Harmless when `node` (all zero, or removed before) is in no tree. */
void interval_remove(struct interval_tree *tree, struct interval *node);

/* The next node that shares an address with `range`, by where they begin and, where they begin
 * alike, in the order in which they were inserted; `after` continues (NULL: the first) and must
 * have come from the same search.  NULL when no more. */
struct interval *interval_next(const struct interval_tree *tree, const struct selector *range,
                               const struct interval *after);

#define INTERVAL_OWNER HASH_OWNER

#endif
