/*
 * Naming and drawing orders: see order.h.
 */
#include "test/crossing/order.h"

#include <stdio.h>
#include <string.h>

static const char *const host_names[] = {"a", "b"};

void order_do(struct order *order, struct crossing *crossing, struct event event)
{
    unsigned sent = crossing->sent;

    order->now++;
    crossing_do(crossing, event);
    bool sends = crossing->sent > sent;
    if (event.kind == EVENT_START) {
        order->started[event.which] = order->now;
        order->request[event.which] = sends ? sent + 1 : 0;
    }
    if (event.kind == EVENT_LOSE)
        order->lost = event.which;
    for (unsigned i = 0; event.kind == EVENT_ARRIVE && i < 2; i++) {
        if (event.which == order->request[i]) {
            order->came[i] = order->now;
            order->answer[i] = sends ? sent + 1 : 0;
        } else if (event.which == order->answer[i]) {
            order->answered[i] = order->now;
        }
    }
}

/* False when it is not worth a drawing: a loss in the midst of other things. */
static bool name_loss(const struct order *order, char *name, size_t size)
{
    bool at_once = order->started[0] == 1 && order->started[1] == 2;

    if (order->lost == 0)
        return true;
    for (unsigned i = 0; at_once && i < 2; i++) {
        if (order->lost == order->request[i]) {
            snprintf(name, size, ", but %s's is lost", host_names[i]);
            return true;
        }
        if (order->lost == order->answer[i]) {
            snprintf(name, size, ", but the answer to %s is lost", host_names[i]);
            return true;
        }
    }
    return false;
}

/* False when one of the two had nothing to ask. */
static bool name_order(const struct order *order, char *name, size_t size)
{
    unsigned first = order->started[0] < order->started[1] ? 0 : 1;
    unsigned second = !first;

    if (order->request[0] == 0 || order->request[1] == 0)
        return false;
    if (order->lost != 0) {
        snprintf(name, size, "the requests cross");
    } else if (order->started[second] < order->came[first]) {
        snprintf(name, size, "the requests cross, %s's comes first, %s is answered first",
                 host_names[order->came[1] < order->came[0]],
                 host_names[order->answered[1] < order->answered[0]]);
    } else if (order->started[second] < order->answered[first]) {
        snprintf(name, size, "%s starts behind its answer, and its request %s it",
                 host_names[second],
                 order->came[second] < order->answered[first] ? "overtakes" : "follows");
    } else {
        snprintf(name, size, "%s starts when %s is answered", host_names[second],
                 host_names[first]);
    }
    return true;
}

void order_draw(const struct order *order, const struct crossing *crossing, unsigned loser,
                struct drawn *drawn)
{
    const char *redundant = "";
    char when[NAME_SIZE / 2];
    char loss[NAME_SIZE / 4] = "";
    char name[NAME_SIZE];

    if (!name_order(order, when, sizeof(when)) || !name_loss(order, loss, sizeof(loss)))
        return;
    /* Who tries again first is left to chance, of which other things may take their share. */
    if (strstr(crossing->ladder, "TEMPORARY_FAILURE") != NULL &&
        strstr(crossing->ladder, "  :") != NULL)
        return;
    for (unsigned i = 0; i < 2; i++)
        if (crossing_redundant(crossing, i) > 0)
            redundant = host_names[i];
    snprintf(name, sizeof(name), "%s meets %s: %s%s%s%s", operation_name(crossing->ops[0]),
             operation_name(crossing->ops[1]), when, loss, redundant[0] == '\0' ? "" : "; loser ",
             redundant);
    for (size_t i = 0; i < drawn->count; i++)
        if (strcmp(drawn->names[i], name) == 0)
            return;
    if (drawn->count == DRAWN_MAX)
        return;
    memcpy(drawn->names[drawn->count++], name, sizeof(name));
    printf("scenario %s\ncrossing %s %s %s\n%s\n", name, operation_name(crossing->ops[0]),
           operation_name(crossing->ops[1]), host_names[loser], crossing->ladder);
}
