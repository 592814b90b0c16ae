/*
 * The exchanges of IKEv2, and the table that says which message may come when (R1, R4, R5).
 *
 * A handler is called only with a message that its row allows: state, direction, protection and
 * payload counts have been checked.  It returns
 *   STATUS_OK      done, or waiting for answers in the SA's new state
 *   STATUS_DROP    discard; nothing about the SA changed
 *   STATUS_REJECT  a request: answer with reason->code; the engine then refuses or closes
 *   STATUS_CLOSE   the SA ends, reason says why
 *   STATUS_FAIL    the same, by a fault of our own
 */
#ifndef LIB_IKEV2_EXCHANGE_H
#define LIB_IKEV2_EXCHANGE_H

#include "lib/ikev2/creation.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

enum exchange_role {
    ROLE_INITIATOR = 1,
    ROLE_RESPONDER = 2,
    ROLE_EITHER = 3,
};

struct exchange_row {
    uint8_t exchange; /* enum v2_exchange */
    bool response;
    bool sealed;
    uint8_t role;    /* our role as the SA's original end: enum exchange_role */
    uint8_t marker;  /* the row is meant for messages with this payload; 0: for all others */
    uint16_t states; /* bits: 1 << enum ike_state */
    const struct v2_payload_rule *rules;
    enum status (*handle)(struct context *context, struct ike_sa *sa,
                          const struct ike_message *message, struct reason *reason);
};

/* The row for a message of an existing SA in its state, without looking at payloads yet: true when
 * some row may take it.  `sealed` tells whether it must be opened first. */
bool exchange_expected(const struct ike_sa *sa, const struct ike_header *header, bool *sealed);

/* The row for a message whose payloads are known; NULL when there is none. */
const struct exchange_row *exchange_find(const struct ike_sa *sa,
                                         const struct ike_message *message);

/* What the payloads of an IKE_SA_INIT request may be. */
extern const struct v2_payload_rule init_request_rules[];

/* --- IKE_SA_INIT --- */

/* Initiator: starts the exchange with the connection's first group. */
MUST_USE enum status init_start(struct context *context, struct ike_sa *sa, struct reason *reason);

/* Responder: a request that no SA knows and admission let through.  On STATUS_OK *sa is the new
 * one.  STATUS_REJECT with reason->code and, for INVALID_KE_PAYLOAD, the right group in *group
 * (the wire's number): to be answered without state. */
MUST_USE enum status init_request(struct context *context, const struct protocol *protocol,
                                  const struct ike_message *message, struct ike_sa **sa,
                                  uint16_t *group, struct reason *reason);

/* Responder: builds and sends the response once the keys are there. */
MUST_USE enum status init_respond(struct context *context, struct ike_sa *sa,
                                  struct reason *reason);

enum status init_reply(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message, struct reason *reason);
enum status init_reply_notify(struct context *context, struct ike_sa *sa,
                              const struct ike_message *message, struct reason *reason);

/* --- IKE_AUTH --- */

/* Initiator: the keys are there; asks for an SPI and our AUTH. */
MUST_USE enum status auth_start(struct context *context, struct ike_sa *sa, struct reason *reason);

enum status auth_request(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason);
enum status auth_reply(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message, struct reason *reason);
enum status auth_reply_error(struct context *context, struct ike_sa *sa,
                             const struct ike_message *message, struct reason *reason);

/* Initiator: the public value that init_start asked for is there. */
MUST_USE enum status init_request_send(struct context *context, struct ike_sa *sa,
                                       struct reason *reason);

/* The messages of IKE_AUTH, once the answers they need are there (step.c). */
MUST_USE enum status auth_request_send(struct context *context, struct ike_sa *sa,
                                       struct reason *reason);
MUST_USE enum status auth_respond(struct context *context, struct ike_sa *sa,
                                  struct reason *reason);

/* --- CREATE_CHILD_SA --- */

enum status create_child_request(struct context *context, struct ike_sa *sa,
                                 const struct ike_message *message, struct reason *reason);
enum status create_reply(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason);
enum status create_reply_error(struct context *context, struct ike_sa *sa,
                               const struct ike_message *message, struct reason *reason);

/* The answer verifies and cannot be read, for this reason. */
MUST_USE enum status create_reply_unread(struct context *context, struct ike_sa *sa,
                                         struct reason *reason);

/* Starts an exchange of ours in ikev2_of(sa)->own: a child as configured, a rekeyed one (`old`),
 * or a rekeyed IKE SA (`config` and `old` NULL).  The window must be free. */
MUST_USE enum status create_start(struct context *context, struct ike_sa *sa,
                                  enum creation_kind kind, const struct child_config *config,
                                  const struct child_sa *old, struct reason *reason);

/* All answers of a creation's step are in. */
MUST_USE enum status create_own_continue(struct context *context, struct ike_sa *sa,
                                         struct reason *reason);
MUST_USE enum status create_their_continue(struct context *context, struct ike_sa *sa,
                                           struct reason *reason);

/* --- INFORMATIONAL --- */

enum status informational_request(struct context *context, struct ike_sa *sa,
                                  const struct ike_message *message, struct reason *reason);
enum status informational_reply(struct context *context, struct ike_sa *sa,
                                const struct ike_message *message, struct reason *reason);

/* The answer verifies and cannot be read: an answer it is, and ends no more than its exchange. */
MUST_USE enum status informational_reply_unread(struct context *context, struct ike_sa *sa,
                                                struct reason *reason);

/* Closes the IKE SA with a Delete; with a `code` (not FINDING_NONE) the peer is told why.
 * Outbound child SAs go at once, inbound ones when the peer has answered. */
MUST_USE enum status informational_close(struct context *context, struct ike_sa *sa,
                                         enum finding_code code, struct reason *reason);

/* The empty request that a living peer answers; needs the window to be free. */
MUST_USE enum status informational_probe(struct context *context, struct ike_sa *sa,
                                         struct reason *reason);

/* Deletes one child; needs the window to be free. */
MUST_USE enum status informational_delete_child(struct context *context, struct ike_sa *sa,
                                                struct child_sa *child, struct reason *reason);

/* --- Answers --- */

/* protocol.answer: stores what it brings; when all of a step are in, goes on from the state that it
 * stands in. */
bool ikev2_answer(struct context *context, struct ike_sa *sa, struct answer *answer);

#endif
