/*
 * A message of IKEv2 on its way: what an exchange is given of it, and what is found in it.
 */
#ifndef LIB_IKEV2_IKE_MESSAGE_H
#define LIB_IKEV2_IKE_MESSAGE_H

#include "lib/sa/context.h"
#include "lib/wire/ikev2.h"

/* A message on its way through an exchange; everything is borrowed from the datagram, or from
 * `whole`. */
struct ike_message {
    struct ike_header header;
    struct address local;
    struct address remote;
    uint8_t *data;
    size_t size;
    uint64_t digest;             /* keyed hash of the datagram; of fragment 1 when it had several */
    struct v2_payloads payloads; /* the inner ones once it is opened */
    struct buffer whole;         /* the text of fragments: for the message's owner to free */
};

static inline bool ike_message_is_response(const struct ike_message *message)
{
    return (message->header.flags & V2_FLAG_RESPONSE) != 0;
}

/* A child's protocol as RFC 7296 section 3.3.1 numbers it, and back; IPSEC_NONE: any other. */
static inline uint8_t v2_protocol_of(uint8_t protocol)
{
    return protocol == IPSEC_ESP  ? V2_PROTOCOL_ESP
           : protocol == IPSEC_AH ? V2_PROTOCOL_AH
                                  : V2_PROTOCOL_NONE;
}

static inline uint8_t ipsec_protocol_of(uint8_t wire)
{
    return wire == V2_PROTOCOL_ESP ? IPSEC_ESP : wire == V2_PROTOCOL_AH ? IPSEC_AH : IPSEC_NONE;
}

/* The group of the message's KE payload; GROUP_NONE when none or an unreadable one is there. */
enum group message_find_group(const struct ike_message *message);

/* Is the peer's KE payload for this group, and of its length?  STATUS_REJECT: the notify says what
 * is wrong. */
MUST_USE enum status message_check_ke(const struct v2_ke *ke, enum group group,
                                      struct reason *reason);

/* The first notify of `type`; false when there is none.  Malformed ones are passed over. */
bool message_find_notify(const struct ike_message *message, uint16_t type,
                         struct v2_notify_body *notify);

/* The first error notify (type below 16384); 0 when there is none. */
uint16_t message_find_error(const struct ike_message *message);

#endif
