/*
 * What XFRM says in netlink: dumps, SPIs, acquires, expiries, mappings, and what others do.
 *
 * Each function is false when the message is too short or not of its kind.
 * Not here: the socket (xfrm_io.c), what to do about it.
 */
#ifndef IKED_KEEPER_XFRM_XFRM_DECODE_H
#define IKED_KEEPER_XFRM_XFRM_DECODE_H

#include <libmnl/libmnl.h>

#include "iked/keeper/xfrm/kernel.h"

/* XFRM_MSG_NEWSA, of a dump or in answer to ALLOCSPI. */
MUST_USE bool xfrm_decode_sa(const struct nlmsghdr *message, struct kernel_sa *sa);

/* XFRM_MSG_NEWPOLICY, of a dump or a notice, and XFRM_MSG_UPDPOLICY.  False also for those of
 * single sockets. */
MUST_USE bool xfrm_decode_policy(const struct nlmsghdr *message, struct kernel_piece *piece);

/* XFRM_MSG_ACQUIRE, XFRM_MSG_EXPIRE, XFRM_MSG_MAPPING; and of what others do XFRM_MSG_DELSA,
 * XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHSA, XFRM_MSG_FLUSHPOLICY and the two above. */
MUST_USE bool xfrm_decode_notice(const struct nlmsghdr *message, struct kernel_notice *notice);

#endif
