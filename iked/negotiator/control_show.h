/*
 * What the control server tells of the engine: the items of `show`, and what a reload changes.
 *
 * Not here: clients, and the lines that carry the items (control.c).
 */
#ifndef IKED_NEGOTIATOR_CONTROL_SHOW_H
#define IKED_NEGOTIATOR_CONTROL_SHOW_H

#include "iked/negotiator/udp.h"
#include "lib/control/item.h"
#include "lib/control/message.h"

/* The server's own counters, and where the sockets' stand. */
struct control_counts {
    const struct udp_counts *udp; /* borrowed; NULL: there are none */
    uint64_t accepted;            /* clients */
    uint64_t refused;             /* ... over CONTROL_CLIENTS_MAX */
    uint64_t accept_errors;       /* accept(2) failed */
    uint64_t dropped;             /* clients that did not read, or when memory was out */
    uint64_t requests;            /* lines that were understood ... */
    uint64_t bad_requests;        /* ... and others */
};

/* Gives `each` every item that the request asks for; `body` is NULL when memory is out and stays
 * ours.  Returns how many there were. */
size_t control_show(const struct engine *engine, const struct control_counts *counts,
                    uint64_t now_ms, const struct control_request *request,
                    void (*each)(void *context, enum control_item item, json_t *body),
                    void *context);

/* Says that there is no connection of this name, and which is the nearest. */
void control_unknown_name(const struct config *config, const char *name, struct reason *reason);

#endif
