/*
 * Addresses as the socket calls have them.
 */
#ifndef IKED_PROCESS_SOCKADDR_H
#define IKED_PROCESS_SOCKADDR_H

#include <netinet/in.h>

#include "lib/base/address.h"

union sockaddr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* With its port.  False, with FAMILY_NONE, when it is neither IPv4 nor IPv6. */
MUST_USE bool sockaddr_read(const struct sockaddr *from, struct address *address);

/* Returns how much of *to it takes. */
socklen_t sockaddr_write(const struct address *address, union sockaddr_any *to);

#endif
