/*
 * A binary heap of timers: the earliest is found at once, any can be moved or cancelled.
 *
 * Nodes live in their owners, and what is due when in the heap: most of them are not in it.  Time
 * is a number of milliseconds that the caller hands in.
 */
#ifndef LIB_BASE_HEAP_H
#define LIB_BASE_HEAP_H

#include "lib/base/slice.h"

struct heap_node {
    uint32_t at; /* place in the heap plus one; 0 when it is not in one */
};

struct heap_entry {
    uint64_t due_ms;
    struct heap_node *node;
};

struct heap {
    struct heap_entry *entries;
    size_t count;
    size_t capacity;
};

/* Puts or moves `node` to `due_ms`.  False when memory is out (the node is then not in it). */
MUST_USE bool heap_set(struct heap *heap, struct heap_node *node, uint64_t due_ms);

/* Harmless when it is not in the heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* The earliest, or NULL. */
struct heap_node *heap_first(const struct heap *heap);

/* When a node is due; UINT64_MAX when it is not in the heap. */
uint64_t heap_due_ms(const struct heap *heap, const struct heap_node *node);

static inline bool heap_has(const struct heap_node *node)
{
    return node->at != 0;
}

/* Frees the array; the nodes are their owners'. */
void heap_free(struct heap *heap);

#endif
