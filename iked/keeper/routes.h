/*
 * What the kernel says of this host's addresses and routes, through rtnetlink.
 *
 * It is asked at the moment of need: an answer kept could be of another moment than the request
 * that it is held against.  Besides, it says by itself that something has changed.
 * Not here: who asks (gate.h, service.h), what follows from a change (the engine).
 */
#ifndef IKED_KEEPER_ROUTES_H
#define IKED_KEEPER_ROUTES_H

#include <libmnl/libmnl.h>

#include "lib/base/address.h"
#include "lib/base/status.h"

struct routes;

/* NULL with a line in the reason. */
struct routes *routes_new(struct reason *reason);
void routes_free(struct routes *routes);

/* Which address of ours packets to `remote` leave with; its port is 0.  STATUS_REJECT: there is no
 * route; STATUS_FAIL: the kernel does not answer. */
MUST_USE enum status routes_find_source(struct routes *routes, const struct address *remote,
                                        struct address *source, struct reason *reason);

/* Is it one of this host's own addresses? */
MUST_USE bool routes_is_own(struct routes *routes, const struct address *address);

/* The descriptor that becomes readable with changes. */
int routes_notice_fd(const struct routes *routes);

/* Reads what has come: true when an address, a link or a route has changed, or some of it was
 * lost. */
MUST_USE bool routes_read_notices(struct routes *routes);

/* --- The messages themselves --- */

struct route {
    bool own;              /* it leads to this very host */
    struct address source; /* that packets leave with; FAMILY_NONE: not said */
};

#define ROUTE_QUESTION_MAX 256

/* "Which route leads to `remote`?"  Returns its size. */
size_t route_encode(uint8_t octets[ROUTE_QUESTION_MAX], const struct address *remote,
                    uint32_t sequence);

/* RTM_NEWROUTE in answer to that; false when it is not one, or leads nowhere. */
MUST_USE bool route_decode(const struct nlmsghdr *message, struct route *route);

/* Does a notice say that an address, a link or a route has changed? */
MUST_USE bool route_is_change(const struct nlmsghdr *message);

#endif
