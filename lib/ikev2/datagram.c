/*
 * Datagrams that leave: see datagram.h.
 */
#include "lib/ikev2/datagram.h"

#include "lib/sa/context.h"
#include "lib/wire/ikev2.h"

struct slice message_next(struct reader *datagrams)
{
    struct reader header = *datagrams;

    reader_skip(&header, IKE_HEADER_SIZE - 4);
    return reader_bytes(datagrams, reader_u32(&header));
}

void message_send(struct context *context, const struct address *local,
                  const struct address *remote, struct slice bytes)
{
    struct effect *effect = effect_append(context->effects, EFFECT_SEND, (struct ticket){0});

    if (effect == NULL || !buffer_copy(&effect->send.data, bytes)) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->send.local = *local;
    effect->send.remote = *remote;
    count(context, COUNTER_PACKETS_OUT);
}

void message_send_datagrams(struct context *context, const struct address *local,
                            const struct address *remote, struct slice datagrams)
{
    struct reader reader = reader_of(datagrams);
    struct slice bytes;

    while ((bytes = message_next(&reader)).size > 0)
        message_send(context, local, remote, bytes);
}
