/*
 * IKEv2 messages of an SA: building, sealing, opening, sending, and the window of one request in
 * each direction (RFC 7296 sections 2.1-2.3).
 *
 * Not here: which message may come when (exchange.h), what one says (the exchanges).
 */
#ifndef LIB_IKEV2_MESSAGE_H
#define LIB_IKEV2_MESSAGE_H

#include "lib/ikev2/ike_message.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

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

#endif
