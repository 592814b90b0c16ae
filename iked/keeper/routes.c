/*
 * Addresses and routes through rtnetlink: see routes.h, rtnetlink(7).
 */
#include "iked/keeper/routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/xfrm/netlink.h"

#define RECEIVE_SIZE  65536
#define NOTICE_RCVBUF (1 << 20)
#define NOTICES_MAX   1024 /* datagrams per wakeup */

/* Links as well: when one goes down its IPv4 routes go without a word. */
#define NOTICE_GROUPS \
    (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)

struct routes {
    int request_fd;
    int notice_fd;
    uint32_t sequence;
    uint8_t in[RECEIVE_SIZE] __attribute__((aligned(8)));
};

/* --- Messages --- */

size_t route_encode(uint8_t octets[ROUTE_QUESTION_MAX], const struct address *remote,
                    uint32_t sequence)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(octets);
    struct rtmsg route = {
        .rtm_family = netlink_family(remote->family),
        .rtm_dst_len = (uint8_t)(address_size(remote->family) * 8),
    };

    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST;
    message->nlmsg_seq = sequence;
    memcpy(mnl_nlmsg_put_extra_header(message, sizeof(route)), &route, sizeof(route));
    mnl_attr_put(message, RTA_DST, address_size(remote->family), remote->bytes);
    return message->nlmsg_len;
}

bool route_decode(const struct nlmsghdr *message, struct route *route)
{
    struct rtmsg head;

    *route = (struct route){0};
    if (!netlink_take(message, RTM_NEWROUTE, &head, sizeof(head)) ||
        netlink_family_from(head.rtm_family) == FAMILY_NONE ||
        (head.rtm_type != RTN_UNICAST && head.rtm_type != RTN_LOCAL))
        return false;
    uint8_t family = netlink_family_from(head.rtm_family);
    const struct nlattr *source = netlink_attribute(message, sizeof(head), RTA_PREFSRC);
    route->own = head.rtm_type == RTN_LOCAL;
    if (source == NULL || mnl_attr_get_payload_len(source) != address_size(family))
        return true;
    route->source.family = family;
    memcpy(route->source.bytes, mnl_attr_get_payload(source), address_size(family));
    return true;
}

bool route_is_change(const struct nlmsghdr *message)
{
    struct rtmsg head;

    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR: return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: break;
    default: return false;
    }
    /* What the kernel has learnt of one destination, such as its MTU, changes no source. */
    return netlink_take(message, message->nlmsg_type, &head, sizeof(head)) &&
           (head.rtm_flags & RTM_F_CLONED) == 0;
}

/* --- The sockets --- */

/* An errno: 0 with the route, or why there is none. */
static int ask_route(struct routes *routes, const struct address *remote, struct route *route)
{
    uint8_t question[ROUTE_QUESTION_MAX] __attribute__((aligned(8)));
    size_t size = route_encode(question, remote, ++routes->sequence);
    int error;
    const struct nlmsghdr *answer =
        netlink_ask(routes->request_fd, question, size, routes->sequence, routes->in,
                    sizeof(routes->in), &error);

    if (answer == NULL)
        return error;
    return route_decode(answer, route) ? 0 : ENETUNREACH;
}

enum status routes_find_source(struct routes *routes, const struct address *remote,
                               struct address *source, struct reason *reason)
{
    char text[ADDRESS_TEXT_MAX];
    struct route route;
    int error = ask_route(routes, remote, &route);

    if (error == ETIMEDOUT || error == ENOBUFS || error == ENOMEM)
        return reason_set(reason, STATUS_FAIL, 0, "the kernel's routes: %s", strerror(error));
    if (error == 0 && route.source.family == FAMILY_NONE)
        error = EADDRNOTAVAIL;
    if (error != 0)
        return reason_set(reason, STATUS_REJECT, 0, "no route to %s: %s",
                          address_text(remote, text), strerror(error));
    *source = route.source;
    return STATUS_OK;
}

bool routes_is_own(struct routes *routes, const struct address *address)
{
    struct address none = {.family = address->family};
    struct route route;

    /* To the kernel "no address" is this host, too. */
    return address->family != FAMILY_NONE && !address_same_host(address, &none) &&
           ask_route(routes, address, &route) == 0 && route.own;
}

int routes_notice_fd(const struct routes *routes)
{
    return routes->notice_fd;
}

bool routes_read_notices(struct routes *routes)
{
    bool changed = false;

    for (int i = 0; i < NOTICES_MAX; i++) {
        ssize_t size =
            netlink_receive(routes->notice_fd, routes->in, sizeof(routes->in), MSG_DONTWAIT);
        if (size < 0)
            return changed || errno == ENOBUFS;
        int left = (int)size;
        const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)routes->in;
        for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left))
            changed = route_is_change(message) || changed;
    }
    return changed;
}

/* --- Life --- */

void routes_free(struct routes *routes)
{
    if (routes == NULL)
        return;
    if (routes->request_fd >= 0)
        close(routes->request_fd);
    if (routes->notice_fd >= 0)
        close(routes->notice_fd);
    free(routes);
}

struct routes *routes_new(struct reason *reason)
{
    struct routes *routes = calloc(1, sizeof(*routes));

    if (routes == NULL) {
        reason_set(reason, STATUS_FAIL, 0, "out of memory");
        return NULL;
    }
    routes->request_fd = netlink_open(NETLINK_ROUTE, 0, RECEIVE_SIZE);
    routes->notice_fd = netlink_open(NETLINK_ROUTE, NOTICE_GROUPS, NOTICE_RCVBUF);
    if (routes->request_fd >= 0 && routes->notice_fd >= 0)
        return routes;
    reason_set(reason, STATUS_FAIL, 0, "cannot open the kernel's rtnetlink: %s", strerror(errno));
    routes_free(routes);
    return NULL;
}
