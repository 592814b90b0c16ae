/*
 * The IKE header, RFC 7296 section 3.1; ISAKMP's has the same shape (RFC 2408 section 3.1).
 *
 * Not here: which version, exchange or SPI is welcome, and the non-ESP marker of port 4500.
 */
#include "lib/wire/header.h"

#include "lib/wire/ikev2.h"

enum status ike_header_parse(struct ike_header *header, struct slice message, struct reason *reason)
{
    struct reader reader = reader_of(message);

    header->spi_i = reader_u64(&reader);
    header->spi_r = reader_u64(&reader);
    header->next_payload = reader_u8(&reader);
    header->version = reader_u8(&reader);
    header->exchange = reader_u8(&reader);
    header->flags = reader_u8(&reader);
    header->message_id = reader_u32(&reader);
    header->length = reader_u32(&reader);
    if (!reader_ok(&reader))
        return reason_set(reason, STATUS_DROP, 0, "datagram of %zu octets, an IKE header has %d",
                          message.size, IKE_HEADER_SIZE);
    if (header->length != message.size)
        return reason_set(reason, STATUS_DROP, 0, "header says %u octets, the datagram has %zu",
                          header->length, message.size);
    return STATUS_OK;
}
