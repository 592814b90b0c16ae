/*
 * The IKE header, RFC 7296 section 3.1.
 */
#ifndef LIB_WIRE_HEADER_H
#define LIB_WIRE_HEADER_H

#include "lib/base/reader.h"
#include "lib/base/status.h"

#define IKE_HEADER_SIZE 28
#define IKE_MESSAGE_MAX 65507 /* what UDP carries */

struct ike_header {
    uint64_t spi_i;
    uint64_t spi_r;
    uint8_t next_payload;
    uint8_t version; /* major << 4 | minor */
    uint8_t exchange;
    uint8_t flags;
    uint32_t message_id;
    uint32_t length;
};

/* STATUS_DROP when it is shorter than a header or when length differs from the datagram's size.
 * Serves both versions. */
MUST_USE enum status ike_header_parse(struct ike_header *header, struct slice message,
                                      struct reason *reason);

#endif
