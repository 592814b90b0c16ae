/*
 * Binary heap of timers: see heap.h.
 */
#include "lib/base/heap.h"

#include <stdlib.h>

static void place(struct heap *heap, struct heap_node *node, size_t at)
{
    heap->nodes[at] = node;
    node->at = (uint32_t)at + 1;
}

static void sift_up(struct heap *heap, struct heap_node *node, size_t at)
{
    while (at > 0 && heap->nodes[(at - 1) / 2]->due_ms > node->due_ms) {
        place(heap, heap->nodes[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place(heap, node, at);
}

static void sift_down(struct heap *heap, struct heap_node *node, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->nodes[child + 1]->due_ms < heap->nodes[child]->due_ms)
            child++;
        if (heap->nodes[child]->due_ms >= node->due_ms)
            break;
        place(heap, heap->nodes[child], at);
        at = child;
    }
    place(heap, node, at);
}

static void settle(struct heap *heap, struct heap_node *node, size_t at)
{
    if (at > 0 && heap->nodes[(at - 1) / 2]->due_ms > node->due_ms)
        sift_up(heap, node, at);
    else
        sift_down(heap, node, at);
}

static bool make_room(struct heap *heap)
{
    if (heap->count < heap->capacity)
        return true;
    size_t capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
    struct heap_node **nodes = reallocarray(heap->nodes, capacity, sizeof(*nodes));
    if (nodes == NULL)
        return false;
    heap->nodes = nodes;
    heap->capacity = capacity;
    return true;
}

bool heap_set(struct heap *heap, struct heap_node *node, uint64_t due_ms)
{
    if (node->at == 0) {
        if (!make_room(heap))
            return false;
        heap->count++;
        node->due_ms = due_ms;
        sift_up(heap, node, heap->count - 1);
        return true;
    }
    node->due_ms = due_ms;
    settle(heap, node, node->at - 1);
    return true;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->at == 0)
        return;
    size_t at = node->at - 1;
    struct heap_node *last = heap->nodes[--heap->count];
    node->at = 0;
    if (last != node)
        settle(heap, last, at);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

void heap_free(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){0};
}
