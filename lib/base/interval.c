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

static void consider(struct interval *node, const struct interval *child)
{
    if (child != NULL && compare(child->furthest->end, node->furthest->end) > 0)
        node->furthest = child->furthest;
}

static void update(struct interval *node)
{
    node->furthest = node;
    consider(node, node->left);
    consider(node, node->right);
}

static void update_upward(struct interval *node)
{
    for (; node != NULL; node = node->parent)
        update(node);
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
    update(parent);
    update(node);
}

void interval_insert(struct interval_tree *tree, struct interval *node,
                     const struct selector *range)
{
    struct interval *parent = NULL;
    struct interval **link = &tree->root;

    *node = (struct interval){.weight = draw(tree)};
    key_of(node->start, range->family, range->start);
    key_of(node->end, range->family, range->end);
    while (*link != NULL) {
        parent = *link;
        link = compare(node->start, parent->start) < 0 ? &parent->left : &parent->right;
    }
    *link = node;
    node->parent = parent;
    update_upward(node);
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
    update_upward(node->parent);
    *node = (struct interval){0};
    tree->count--;
}

/* A search: what is to be met. */
struct range {
    uint8_t start[17];
    uint8_t end[17];
};

static bool may_hold(const struct interval *node, const struct range *range)
{
    return node != NULL && compare(node->furthest->end, range->start) >= 0;
}

static bool begins_late(const struct interval *node, const struct range *range)
{
    return compare(node->start, range->end) > 0;
}

/* The first at or below `node`.  Where the left side reaches far enough but nothing there meets the
 * range, what reaches begins behind it, and so does all that follows. */
static struct interval *first_below(struct interval *node, const struct range *range)
{
    while (may_hold(node, range)) {
        if (may_hold(node->left, range)) {
            node = node->left;
            continue;
        }
        if (begins_late(node, range))
            return NULL;
        if (compare(node->end, range->start) >= 0)
            return node;
        node = node->right;
    }
    return NULL;
}

/* The first behind `node`. */
static struct interval *first_behind(const struct interval *node, const struct range *range)
{
    if (may_hold(node->right, range))
        return first_below(node->right, range);
    for (struct interval *parent = node->parent; parent != NULL;
         node = parent, parent = parent->parent) {
        if (parent->right == node)
            continue;
        if (begins_late(parent, range))
            return NULL;
        if (compare(parent->end, range->start) >= 0)
            return parent;
        if (may_hold(parent->right, range))
            return first_below(parent->right, range);
    }
    return NULL;
}

struct interval *interval_next(const struct interval_tree *tree, const struct selector *range,
                               const struct interval *after)
{
    struct range sought;

    key_of(sought.start, range->family, range->start);
    key_of(sought.end, range->family, range->end);
    return after == NULL ? first_below(tree->root, &sought) : first_behind(after, &sought);
}
