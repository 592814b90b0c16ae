/*
 * What the parsers of this room share: the refusal of malformed bytes, and the sizes of SPIs.
 *
 * Private to lib/wire.  RFC 7296 sections 2.21 and 3.3.1.
 */
#ifndef LIB_WIRE_SYNTAX_H
#define LIB_WIRE_SYNTAX_H

#include "lib/wire/ikev2.h"

#define reject_syntax(reason, ...) \
    reason_set((reason), STATUS_REJECT, FINDING_INVALID_SYNTAX, __VA_ARGS__)

#define IKE_SPI_SIZE   8
#define CHILD_SPI_SIZE 4

static inline bool protocol_is_child(uint8_t protocol)
{
    return protocol == V2_PROTOCOL_AH || protocol == V2_PROTOCOL_ESP;
}

#endif
