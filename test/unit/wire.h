/*
 * What the tests of lib/wire share: a refusal with its notify, and a payload written and cut out.
 */
#ifndef TEST_UNIT_WIRE_H
#define TEST_UNIT_WIRE_H

#include <string.h>

#include "lib/ikev2/finding.h"
#include "lib/wire/ikev2.h"
#include "test/unit/bytes.h"

/* `call` hands over `&reason`; it must refuse with this notify, and say why. */
#define assert_rejected(call, type)                            \
    do {                                                       \
        struct reason reason = {0};                            \
        assert_int_equal((call), STATUS_REJECT);               \
        assert_int_equal(finding_notify(reason.code), (type)); \
        assert_true(strlen(reason.text) > 0);                  \
    } while (0)

static const struct ike_header wire_header = {
    .spi_i = 0x0102030405060708,
    .spi_r = 0x1112131415161718,
    .version = 0x20,
    .exchange = V2_INFORMATIONAL,
    .flags = V2_FLAG_INITIATOR,
    .message_id = 2,
};

/* Closes a message of one payload and gives that payload's body; `type` is checked. */
static inline struct slice wire_body(struct v2_writer *writer, uint8_t type)
{
    assert_true(v2_message_end(writer));
    struct slice message = writer_slice(&writer->bytes);
    struct ike_header header;
    struct v2_payloads payloads;
    struct reader reader = reader_of(message);
    uint8_t critical;

    assert_int_equal(ike_header_parse(&header, message, NULL), STATUS_OK);
    assert_int_equal(header.next_payload, type);
    reader_skip(&reader, IKE_HEADER_SIZE);
    assert_int_equal(
        v2_payloads_parse(&payloads, header.next_payload, reader_rest(&reader), &critical, NULL),
        STATUS_OK);
    assert_int_equal(payloads.count, 1);
    assert_false(payloads.items[0].critical);
    return payloads.items[0].body;
}

#endif
