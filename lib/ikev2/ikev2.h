/*
 * IKEv2 (RFC 7296) as the engine sees it.
 */
#ifndef LIB_IKEV2_IKEV2_H
#define LIB_IKEV2_IKEV2_H

#include "lib/sa/protocol.h"

extern const struct protocol ikev2;

#endif
