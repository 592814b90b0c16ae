/*
 * Binary heap of timers: see heap.h.
 */
#include "lib/base/heap.h"

#include <stdlib.h>

static void place(struct heap *heap, struct heap_entry entry, size_t at)
{
    heap->entries[at] = entry;
    entry.node->at = (uint32_t)at + 1;
}

static void sift_up(struct heap *heap, struct heap_entry entry, size_t at)
{
    while (at > 0 && heap->entries[(at - 1) / 2].due_ms > entry.due_ms) {
        place(heap, heap->entries[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    place(heap, entry, at);
}

static void sift_down(struct heap *heap, struct heap_entry entry, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->entries[child + 1].due_ms < heap->entries[child].due_ms)
            child++;
        if (heap->entries[child].due_ms >= entry.due_ms)
            break;
        place(heap, heap->entries[child], at);
        at = child;
    }
    place(heap, entry, at);
}

static void settle(struct heap *heap, struct heap_entry entry, size_t at)
{
    if (at > 0 && heap->entries[(at - 1) / 2].due_ms > entry.due_ms)
        sift_up(heap, entry, at);
    else
        sift_down(heap, entry, at);
}

static bool make_room(struct heap *heap)
{
    if (heap->count < heap->capacity)
        return true;
    size_t capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
    struct heap_entry *entries = reallocarray(heap->entries, capacity, sizeof(*entries));
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

bool heap_set(struct heap *heap, struct heap_node *node, uint64_t due_ms)
{
    struct heap_entry entry = {.due_ms = due_ms, .node = node};

    if (node->at == 0) {
        if (!make_room(heap))
            return false;
        heap->count++;
        sift_up(heap, entry, heap->count - 1);
        return true;
    }
    settle(heap, entry, node->at - 1);
    return true;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->at == 0)
        return;
    size_t at = node->at - 1;
    struct heap_entry last = heap->entries[--heap->count];
    node->at = 0;
    if (last.node != node)
        settle(heap, last, at);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->entries[0].node : NULL;
}

uint64_t heap_due_ms(const struct heap *heap, const struct heap_node *node)
{
    return node->at == 0 ? UINT64_MAX : heap->entries[node->at - 1].due_ms;
}

void heap_free(struct heap *heap)
{
    free(heap->entries);
    *heap = (struct heap){0};
}
