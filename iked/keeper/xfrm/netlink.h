/*
 * What all of netlink has in common: sockets, whole messages, attributes, acknowledgements.
 *
 * Not here: what the messages mean (xfrm_encode.h, xfrm_decode.h, routes.h).
 */
#ifndef IKED_KEEPER_XFRM_NETLINK_H
#define IKED_KEEPER_XFRM_NETLINK_H

#include <sys/types.h>

#include <libmnl/libmnl.h>

#include "lib/base/address.h"

/* A socket of a family (NETLINK_XFRM, ...) that hears the `groups`, with `room` octets for what is
 * not read yet.  What waits for an answer waits no longer than a few seconds (EAGAIN).  -1 with
 * errno. */
int netlink_open(int family, uint32_t groups, int room);

/* The number by which the kernel knows the socket, 0 when it does not say. */
uint32_t netlink_port(int fd);

/* Octets of a datagram of the kernel's, -1 with errno.  What others send is skipped. */
ssize_t netlink_receive(int fd, void *to, size_t size, int flags);

/* Sends one message or more to the kernel; false with errno. */
MUST_USE bool netlink_send(int fd, const void *data, size_t size);

/* Sends a question of this sequence number, and waits for its answer, the first message of a
 * datagram, in `to`.  NULL with an errno: what the kernel says is wrong, or why it says nothing. */
const struct nlmsghdr *netlink_ask(int fd, const void *question, size_t question_size,
                                   uint32_t sequence, void *to, size_t size, int *error);

/* Does a whole message stand in the `left` octets?  As mnl_nlmsg_ok, but that takes lengths of 2 GB
 * and more for negative ones, which fit anywhere. */
MUST_USE bool netlink_fits(const struct nlmsghdr *message, int left);

/* Copies the fixed part of a message of a type out; false when it is not one, or does not hold
 * it. */
MUST_USE bool netlink_take(const struct nlmsghdr *message, uint16_t type, void *to, size_t size);

/* The first attribute of a type behind a fixed part of `fixed` octets; NULL when there is none. */
const struct nlattr *netlink_attribute(const struct nlmsghdr *message, size_t fixed, uint16_t type);

/* enum family as the kernel's AF_..., and back; FAMILY_NONE for others. */
uint8_t netlink_family(uint8_t family);
uint8_t netlink_family_from(uint16_t family);

/* NLMSG_ERROR: the errno, 0 for an acknowledgement, and what the kernel says besides (or ""). */
MUST_USE bool netlink_error(const struct nlmsghdr *message, int *error, char *text, size_t size);

#endif
