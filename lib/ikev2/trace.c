/*
 * Lines about messages: see trace.h.
 *
 *   IKE_AUTH request 1 to 192.0.2.2 port 500, 257 octets: IDi, AUTH, SA, TSi, TSr
 */
#include "lib/ikev2/trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/sealed.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

#define NAMES_MAX 280 /* octets; a message with more payloads is cut */

struct names {
    char text[NAMES_MAX];
    size_t used;
};

PRINTF_LIKE(2, 3)
static void names_add(struct names *names, const char *format, ...)
{
    va_list arguments;

    if (names->used >= sizeof(names->text) - 1)
        return;
    va_start(arguments, format);
    int size =
        vsnprintf(names->text + names->used, sizeof(names->text) - names->used, format, arguments);
    va_end(arguments);
    names->used += size > 0 ? (size_t)size : 0;
}

static void payload_add(struct names *names, const struct v2_payload_item *item)
{
    struct v2_notify_body notify;
    struct reason unused;

    names_add(names, "%s%s", names->used > 0 ? ", " : "", v2_payload_name(item->type));
    if (item->type != V2_NOTIFY || v2_notify_parse(&notify, item->body, &unused) != STATUS_OK)
        return;
    const char *name = v2_notify_name(notify.type);
    if (name[0] != '?')
        names_add(names, "(%s)", name);
    else
        names_add(names, "(%u)", notify.type);
}

static void tell(struct context *context, const struct ike_sa *sa, const char *event,
                 const struct ike_header *header, const struct address *remote, size_t size,
                 const struct names *names)
{
    char text[ADDRESS_TEXT_MAX];

    report(context, sa, SEVERITY_DEBUG, event, "%s %s %u %s %s port %u, %zu octets: %s",
           v2_exchange_name(header->exchange),
           (header->flags & V2_FLAG_RESPONSE) != 0 ? "response" : "request", header->message_id,
           event[0] == 's' ? "to" : "from", address_text(remote, text), remote->port, size,
           names->used > 0 ? names->text : "no payload");
}

static void chain_add(struct names *names, uint8_t first, struct slice bytes)
{
    struct v2_walk walk = v2_walk_begin(first, bytes);
    struct v2_payload_item item;

    while (v2_walk_next(&walk, &item))
        payload_add(names, &item);
}

void trace_plain(struct context *context, const struct ike_sa *sa, const struct address *remote,
                 struct slice message)
{
    struct names names = {.used = 0};
    struct reader reader = reader_of(message);
    struct ike_header header;
    struct reason unused;

    if (!context->debug || ike_header_parse(&header, message, &unused) != STATUS_OK ||
        header.next_payload == V2_SK || header.next_payload == V2_SKF)
        return;
    reader_skip(&reader, IKE_HEADER_SIZE);
    chain_add(&names, header.next_payload, reader_rest(&reader));
    tell(context, sa, "sent", &header, remote, message.size, &names);
}

void trace_sealed(struct context *context, const struct ike_sa *sa, const struct v2_writer *writer)
{
    struct names names = {.used = 0};
    struct slice message = writer_slice(&writer->bytes);
    struct reader reader = reader_of(message);
    struct ike_header header;
    struct reason unused;

    if (!context->debug || ike_header_parse(&header, message, &unused) != STATUS_OK)
        return;
    reader_skip(&reader, writer->sk_at);
    chain_add(&names, reader_u8(&reader), sealed_text(sa, writer));
    tell(context, sa, "sent", &header, &sa->remote, message.size, &names);
}

void trace_taken(struct context *context, const struct ike_sa *sa,
                 const struct ike_message *message)
{
    struct names names = {.used = 0};

    if (!context->debug)
        return;
    for (size_t i = 0; i < message->payloads.count; i++)
        payload_add(&names, &message->payloads.items[i]);
    tell(context, sa, "received", &message->header, &message->remote, message->size, &names);
}
