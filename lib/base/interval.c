/*
 * A tree of ranges: see interval.h.
 *
 * Aragon and Seidel, "Randomized search trees", 1989: a binary tree by key that is a heap by
 * weights drawn at random, and so nearly balanced whatever is inserted.
 */
#include "lib/base/interval.h"

#include <string.h>

static void key_of(uint8_t key[17], uint8_t family, const uint8_t *address)
{
    memset(key, 0, 17);
    key[0] = family;
    memcpy(&key[1], address, address_size(family));
}

static int compare(const uint8_t a[17], const uint8_t b[17])
{
    return memcmp(a, b, 17);
}

void interval_range_set(struct interval_range *range, const struct selector *selectors,
                        size_t count)
{
    struct interval_range one;

    for (size_t i = 0; i < count; i++) {
        key_of(one.start, selectors[i].family, selectors[i].start);
        key_of(one.end, selectors[i].family, selectors[i].end);
        if (i == 0 || compare(one.start, range->start) < 0)
            memcpy(range->start, one.start, sizeof(range->start));
        if (i == 0 || compare(one.end, range->end) > 0)
            memcpy(range->end, one.end, sizeof(range->end));
    }
}

void interval_init(struct interval_tree *tree,
                   void (*range_of)(const struct interval *node, struct interval_range *range))
{
    *tree = (struct interval_tree){.range_of = range_of};
}

/* xorshift; the order in which nodes are found does not depend on it. */
static uint32_t draw(struct interval_tree *tree)
{
    uint32_t chance = tree->chance == 0 ? 2463534242u : tree->chance;

    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    tree->chance = chance;
    return chance;
}

static bool ends_later(const struct interval_tree *tree, const struct interval *a,
                       const struct interval *b)
{
    struct interval_range a_range;
    struct interval_range b_range;

    tree->range_of(a, &a_range);
    tree->range_of(b, &b_range);
    return compare(a_range.end, b_range.end) > 0;
}

static void consider(const struct interval_tree *tree, struct interval *node,
                     const struct interval *child)
{
    if (child != NULL && ends_later(tree, child->furthest, node->furthest))
        node->furthest = child->furthest;
}

static void update(const struct interval_tree *tree, struct interval *node)
{
    node->furthest = node;
    consider(tree, node, node->left);
    consider(tree, node, node->right);
}

static void update_upward(const struct interval_tree *tree, struct interval *node)
{
    for (; node != NULL; node = node->parent)
        update(tree, node);
}

/* Where the tree points at `node`. */
static struct interval **link_of(struct interval_tree *tree, struct interval *node)
{
    struct interval *parent = node->parent;

    if (parent == NULL)
        return &tree->root;
    return parent->left == node ? &parent->left : &parent->right;
}

/* `node` takes the place of its parent, which becomes its child. */
static void rotate(struct interval_tree *tree, struct interval *node)
{
    struct interval *parent = node->parent;
    bool is_left = parent->left == node;
    struct interval *middle = is_left ? node->right : node->left;

    *link_of(tree, parent) = node;
    node->parent = parent->parent;
    parent->parent = node;
    if (is_left) {
        parent->left = middle;
        node->right = parent;
    } else {
        parent->right = middle;
        node->left = parent;
    }
    if (middle != NULL)
        middle->parent = parent;
    update(tree, parent);
    update(tree, node);
}

void interval_insert(struct interval_tree *tree, struct interval *node)
{
    struct interval *parent = NULL;
    struct interval **link = &tree->root;
    struct interval_range own;
    struct interval_range other;

    *node = (struct interval){.weight = draw(tree)};
    tree->range_of(node, &own);
    while (*link != NULL) {
        parent = *link;
        tree->range_of(parent, &other);
        link = compare(own.start, other.start) < 0 ? &parent->left : &parent->right;
    }
    *link = node;
    node->parent = parent;
    update_upward(tree, node);
    while (node->parent != NULL && node->weight > node->parent->weight)
        rotate(tree, node);
    tree->count++;
}

void interval_remove(struct interval_tree *tree, struct interval *node)
{
    if (node->weight == 0)
        return;
    while (node->left != NULL && node->right != NULL)
        rotate(tree, node->left->weight > node->right->weight ? node->left : node->right);
    struct interval *child = node->left != NULL ? node->left : node->right;
    *link_of(tree, node) = child;
    if (child != NULL)
        child->parent = node->parent;
    update_upward(tree, node->parent);
    *node = (struct interval){0};
    tree->count--;
}

/* --- Searching --- */

static bool may_hold(const struct interval_tree *tree, const struct interval *node,
                     const struct interval_range *sought)
{
    struct interval_range range;

    if (node == NULL)
        return false;
    tree->range_of(node->furthest, &range);
    return compare(range.end, sought->start) >= 0;
}

enum meeting { BEGINS_LATE, MEETS, ENDS_EARLY };

static enum meeting meeting_of(const struct interval_tree *tree, const struct interval *node,
                               const struct interval_range *sought)
{
    struct interval_range range;

    tree->range_of(node, &range);
    if (compare(range.start, sought->end) > 0)
        return BEGINS_LATE;
    return compare(range.end, sought->start) >= 0 ? MEETS : ENDS_EARLY;
}

/* The first at or below `node`.  Where the left side reaches far enough but nothing there meets the
 * range, what reaches begins behind it, and so does all that follows. */
static struct interval *first_below(const struct interval_tree *tree, struct interval *node,
                                    const struct interval_range *sought)
{
    while (may_hold(tree, node, sought)) {
        if (may_hold(tree, node->left, sought)) {
            node = node->left;
            continue;
        }
        enum meeting meeting = meeting_of(tree, node, sought);
        if (meeting != ENDS_EARLY)
            return meeting == MEETS ? node : NULL;
        node = node->right;
    }
    return NULL;
}

/* The first behind `node`. */
static struct interval *first_behind(const struct interval_tree *tree, const struct interval *node,
                                     const struct interval_range *sought)
{
    if (may_hold(tree, node->right, sought))
        return first_below(tree, node->right, sought);
    for (struct interval *parent = node->parent; parent != NULL;
         node = parent, parent = parent->parent) {
        if (parent->right == node)
            continue;
        enum meeting meeting = meeting_of(tree, parent, sought);
        if (meeting != ENDS_EARLY)
            return meeting == MEETS ? parent : NULL;
        if (may_hold(tree, parent->right, sought))
            return first_below(tree, parent->right, sought);
    }
    return NULL;
}

struct interval *interval_next(const struct interval_tree *tree, const struct selector *range,
                               const struct interval *after)
{
    struct interval_range sought;

    interval_range_set(&sought, range, 1);
    return after == NULL ? first_below(tree, tree->root, &sought)
                         : first_behind(tree, after, &sought);
}
