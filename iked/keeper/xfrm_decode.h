/*
 * What XFRM says in netlink: dumps, SPIs, acquires, expiries and mappings.
 *
 * Each function is false when the message is too short or not of its kind.
 * Not here: the socket (xfrm_io.c), what to do about it.
 */
#ifndef IKED_KEEPER_XFRM_DECODE_H
#define IKED_KEEPER_XFRM_DECODE_H

#include <libmnl/libmnl.h>

#include "iked/keeper/kernel.h"

/* XFRM_MSG_NEWSA, of a dump or in answer to ALLOCSPI. */
MUST_USE bool xfrm_decode_sa(const struct nlmsghdr *message, struct kernel_sa *sa);

/* XFRM_MSG_NEWPOLICY of a dump, any direction.  False also for policies without one template. */
MUST_USE bool xfrm_decode_policy(const struct nlmsghdr *message, struct kernel_piece *piece);

/* XFRM_MSG_ACQUIRE, XFRM_MSG_EXPIRE, XFRM_MSG_MAPPING. */
MUST_USE bool xfrm_decode_notice(const struct nlmsghdr *message, struct kernel_notice *notice);

#endif
