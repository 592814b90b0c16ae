/*
 * Policies of a single socket, which the kernel asks before its own tables.
 */
#ifndef IKED_KEEPER_XFRM_SOCKET_POLICY_H
#define IKED_KEEPER_XFRM_SOCKET_POLICY_H

#include "lib/base/address.h"

/* A policy of the socket's own goes before all others: what goes by it passes when nothing else
 * may.  False with errno. */
MUST_USE bool socket_policy_pass(int fd, uint8_t family);

#endif
