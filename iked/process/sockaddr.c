/*
 * Addresses as the socket calls have them: see sockaddr.h.
 */
#include "iked/process/sockaddr.h"

#include <arpa/inet.h>
#include <string.h>

bool sockaddr_read(const struct sockaddr *from, struct address *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *address = (struct address){0};
    if (from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof(v4));
        address->family = FAMILY_IPV4;
        address->port = ntohs(v4.sin_port);
        memcpy(address->bytes, &v4.sin_addr, sizeof(v4.sin_addr));
    } else if (from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof(v6));
        address->family = FAMILY_IPV6;
        address->port = ntohs(v6.sin6_port);
        memcpy(address->bytes, &v6.sin6_addr, sizeof(v6.sin6_addr));
    }
    return address->family != FAMILY_NONE;
}

socklen_t sockaddr_write(const struct address *address, union sockaddr_any *to)
{
    *to = (union sockaddr_any){0};
    if (address->family == FAMILY_IPV4) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(address->port);
        memcpy(&to->v4.sin_addr, address->bytes, sizeof(to->v4.sin_addr));
        return sizeof(to->v4);
    }
    to->v6.sin6_family = AF_INET6;
    to->v6.sin6_port = htons(address->port);
    memcpy(&to->v6.sin6_addr, address->bytes, sizeof(to->v6.sin6_addr));
    return sizeof(to->v6);
}
