/*
 * IKEv2 messages of an SA: building, sealing, opening, sending, and the window of one request in
 * each direction (RFC 7296 sections 2.1-2.3).
 *
 * Not here: which message may come when (exchange.h), what one says (the exchanges).
 */
#ifndef LIB_IKEV2_MESSAGE_H
#define LIB_IKEV2_MESSAGE_H

#include "lib/sa/ike_sa.h"
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

static inline bool ike_message_is_response(const struct ike_message *message)
{
    return (message->header.flags & V2_FLAG_RESPONSE) != 0;
}

/* Starts the next request of ours, or the response that we owe, in the context's scratch memory. */
void message_begin(struct context *context, const struct ike_sa *sa, struct v2_writer *writer,
                   uint8_t exchange, bool response);

/* The same, and opens its SK payload. */
void message_begin_sealed(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                          uint8_t exchange, bool response);

/* Closes and seals what message_begin_sealed opened.  *bytes is borrowed until the next message is
 * begun: one datagram, or one behind the other when it had to be cut. */
MUST_USE enum status message_seal(struct context *context, struct ike_sa *sa,
                                  struct v2_writer *writer, struct slice *bytes,
                                  struct reason *reason);

/* Verifies and decrypts in place, and replaces message->payloads by the inner ones.  STATUS_DROP
 * when there is no SK or SKF payload or it does not verify; then nothing about the SA may change.
 * STATUS_WAIT for a fragment that is not the last to come.  STATUS_REJECT when it verifies and its
 * payloads cannot be read: *critical_type as in v2_payloads_parse. */
MUST_USE enum status message_open(struct context *context, struct ike_sa *sa,
                                  struct ike_message *message, uint8_t *critical_type,
                                  struct reason *reason);

/* The next of several datagrams that stand one behind the other; empty at their end. */
struct slice message_next(struct reader *datagrams);

/* Sends datagrams that stand one behind the other: what was cut goes out as its fragments. */
void message_send_datagrams(struct context *context, const struct address *local,
                            const struct address *remote, struct slice datagrams);

/* Sends one datagram once. */
void message_send(struct context *context, const struct address *local,
                  const struct address *remote, struct slice bytes);

/* Sends a request and keeps it for retransmission until the response comes. */
MUST_USE enum status message_send_request(struct context *context, struct ike_sa *sa,
                                          struct slice bytes);

/* The way to the peer is another one: sends the request, if one is unanswered, by it at once. */
void message_send_again(struct context *context, struct ike_sa *sa);

/* The request is answered: forgets it and moves the window. */
void message_request_done(struct context *context, struct ike_sa *sa);

/* Sends the response to the peer's request `expected`, keeps it for repetition and moves the
 * window. */
MUST_USE enum status message_send_response(struct context *context, struct ike_sa *sa,
                                           struct slice bytes);

/* Closes and seals what message_begin_sealed opened, and sends it as a request or a response. */
MUST_USE enum status message_finish_request(struct context *context, struct ike_sa *sa,
                                            struct v2_writer *writer, struct reason *reason);
MUST_USE enum status message_finish_response(struct context *context, struct ike_sa *sa,
                                             struct v2_writer *writer, struct reason *reason);

/* Sends the response that was kept back (`reply_waits`); harmless when none was.  Who asks again
 * gets it before. */
void message_release_response(struct context *context, struct ike_sa *sa);

/* Sends the kept response again, to where the repeated request came from; smaller, where it may
 * have been too large for the path. */
void message_repeat_response(struct context *context, struct ike_sa *sa,
                             const struct ike_message *request);

/* The response is not kept for longer than its request may be repeated; harmless when there is
 * none. */
void message_forget_reply(const struct context *context, struct ike_sa *sa);

/* Sends a sealed response that holds one notify. */
MUST_USE enum status message_respond_notify(struct context *context, struct ike_sa *sa,
                                            uint8_t exchange, uint16_t type, struct slice data);

/* Sends the request again; false when the answer was awaited for long enough.  The waits grow: in a
 * handshake exponentially, for an established peer only at first. */
bool message_retransmit(struct context *context, struct ike_sa *sa);

/* About how often it is sent again before that. */
uint32_t message_tries_max(const struct context *context, const struct ike_sa *sa);

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
