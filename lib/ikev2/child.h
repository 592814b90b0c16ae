/*
 * Negotiating a child SA: what both exchanges that carry SA, TSi and TSr share.
 * RFC 7296 sections 1.2, 1.3.1 and 2.9.
 *
 * Not here: what a child may protect (lib/sa/child_narrow.h and its neighbours), its life in the
 * kernel (lib/sa/child_kernel.h).
 */
#ifndef LIB_IKEV2_CHILD_H
#define LIB_IKEV2_CHILD_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"
#include "lib/policy/offer.h"
#include "lib/sa/packet.h"

/* The SA, TSi and TSr payloads of a message and its wish for transport mode, parsed. */
struct child_offer {
    struct offer sa;
    struct v2_selectors tsi;
    struct v2_selectors tsr;
    bool transport;
};

/* What follows the name of a peer's error in a text for people: where to look, or "". */
const char *child_advice(uint16_t error);

/* STATUS_REJECT when one is malformed; the message has all three (its row says so). */
MUST_USE enum status child_offer_parse(struct child_offer *offer, const struct ike_message *message,
                                       struct reason *reason);

/* Initiator: writes USE_TRANSPORT_MODE, SA, the nonce (none in IKE_AUTH, where it is empty), TSi
 * and TSr for it.  `group`: of the exchange's KE payload, GROUP_NONE: it has none.  The selectors
 * of `packet` come first, when it is the child's (NULL: there is none). */
void child_write_offer(struct v2_writer *writer, const struct child_sa *child, struct slice nonce,
                       enum group group, const struct packet *packet);

/* Initiator: takes the responder's choice into the child, which is to replace `old` (NULL: none).
 * STATUS_CLOSE when it is not one of ours, or less than the old one has. */
MUST_USE enum status child_accept(struct context *context, const struct ike_sa *sa,
                                  struct child_sa *child, const struct child_sa *old,
                                  const struct child_offer *answer, enum group group,
                                  struct reason *reason);

/* What a request for a child brings besides its offer. */
struct child_request {
    const struct child_offer *offer;
    const struct child_sa *old; /* the one to be rekeyed; NULL: a new one */
    bool with_group;            /* CREATE_CHILD_SA: a key exchange of its own is possible */
    enum group group;           /* of the KE payload that came, GROUP_NONE */
};

/* Responder: chooses a configured child, a suite and selectors for the offer.  STATUS_REJECT with
 * NO_PROPOSAL_CHOSEN or TS_UNACCEPTABLE; then the IKE SA is not touched. */
MUST_USE enum status child_choose(struct context *context, const struct ike_sa *sa,
                                  const struct child_request *request, struct child_sa **child,
                                  uint8_t *number, struct reason *reason);

/* child_check_rivals (lib/sa/child_rivals.h): STATUS_REJECT with TS_UNACCEPTABLE. */
MUST_USE enum status child_check_others(const struct context *context, const struct ike_sa *sa,
                                        const struct child_sa *child, struct reason *reason);

/* Responder: the counterpart of child_write_offer for what was chosen. */
void child_write_answer(struct v2_writer *writer, const struct child_sa *child, uint8_t number,
                        struct slice nonce, bool with_group);

#endif
