/*
 * Answers without state: see stateless.h.
 */
#include "lib/ikev2/stateless.h"

#include "lib/ikev2/datagram.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/trace.h"
#include "lib/sa/context.h"

void init_respond_notify(struct context *context, const struct ike_message *message, uint16_t type,
                         struct slice data)
{
    struct ike_header header = {
        .spi_i = message->header.spi_i,
        .spi_r = message->header.spi_r,
        .version = 0x20,
        .exchange = message->header.exchange,
        .flags = V2_FLAG_RESPONSE | (~message->header.flags & V2_FLAG_INITIATOR),
        .message_id = message->header.message_id,
    };
    struct v2_writer writer;

    v2_message_begin(&writer, context->scratch, IKE_MESSAGE_MAX, &header);
    v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), type, data);
    if (!v2_message_end(&writer)) {
        count(context, COUNTER_FAILURES);
        return;
    }
    if (writer.bytes.size > message->size) {
        count(context, COUNTER_ERRORS_HELD);
        return;
    }
    trace_plain(context, NULL, &message->remote, writer_slice(&writer.bytes));
    message_send(context, &message->local, &message->remote, writer_slice(&writer.bytes));
}
