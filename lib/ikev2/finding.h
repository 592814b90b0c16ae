/*
 * What was wrong (lib/base/status.h), as a peer of IKEv2 is told.
 */
#ifndef LIB_IKEV2_FINDING_H
#define LIB_IKEV2_FINDING_H

#include "lib/base/status.h"

/* The error type of a Notify payload, RFC 7296 section 3.10.1; 0 for FINDING_NONE. */
uint16_t finding_notify(enum finding_code code);

#endif
