/*
 * Making a child SA: what both exchanges that carry SA, TSi and TSr share.
 * RFC 7296 sections 1.2, 1.3.1, 2.9 and 2.17.
 */
#ifndef LIB_IKEV2_CHILD_H
#define LIB_IKEV2_CHILD_H

#include "lib/ikev2/keys.h"
#include "lib/ikev2/message.h"

/* The SA, TSi and TSr payloads of a message and its wish for transport mode, parsed. */
struct child_offer {
    struct v2_sa sa;
    struct v2_selectors tsi;
    struct v2_selectors tsr;
    bool transport;
};

/* What follows the name of a peer's error in a text for people: where to look, or "". */
const char *child_advice(uint16_t error);

/* STATUS_REJECT when one is malformed; the message has all three (its row says so). */
MUST_USE enum status child_offer_parse(struct child_offer *offer, const struct ike_message *message,
                                       struct reason *reason);

/* Initiator: a child as configured, or with no more than the pair of selectors that `packet` (NULL:
 * none) asks for; with a reqid.  NULL when memory is out. */
struct child_sa *child_propose(struct context *context, const struct ike_sa *sa,
                               const struct child_config *config, const struct packet *packet);

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

/* What is left of an offer for a configured child. */
struct narrowed {
    struct selector local[CONFIG_SELECTORS_MAX];
    struct selector remote[CONFIG_SELECTORS_MAX];
    size_t local_count;
    size_t remote_count;
};

/* Takes out what belongs to others (overlap.h): what another connection is configured for, or
 * another connection or identity has in hand.  False when nothing is left, or the kernel could not
 * say it: *reason names whose it is. */
MUST_USE bool child_cut(const struct context *context, const struct ike_sa *sa,
                        const struct child_config *config, struct narrowed *left,
                        struct reason *reason);

/* The peer being authenticated: STATUS_REJECT with TS_UNACCEPTABLE when traffic of the child
 * belongs to another one by now (child_cut, nat_check_rivals). */
MUST_USE enum status child_check_rivals(const struct context *context, const struct ike_sa *sa,
                                        const struct child_sa *child, struct reason *reason);

/* The child is to rekey the old one: it carries on its line (child_sa.line), and how that was asked
 * for. */
void child_continue(struct child_sa *child, const struct child_sa *old);

/* Has the child all that the old one has? */
bool child_covers(const struct child_sa *child, const struct child_sa *old);

/* Responder: the counterpart of child_write_offer for what was chosen. */
void child_write_answer(struct v2_writer *writer, const struct child_sa *child, uint8_t number,
                        struct slice nonce, bool with_group);

/* Asks for the child's inbound SPI, as part of a step.  `peer_answers`: so that it may send on the
 * SA before we can have its keys. */
MUST_USE enum status child_ask_spi(struct context *context, struct ike_sa *sa, struct step *step,
                                   struct child_sa *child, bool peer_answers);

/* Derives the keys and hands both SAs, inbound first, and the child's own policies to the kernel,
 * as part of a step.  `hold_outbound`: the outbound SA is kept back, because the peer can receive
 * on it only later (child_release_outbound). */
MUST_USE enum status child_install(struct context *context, struct ike_sa *sa, struct step *step,
                                   struct child_sa *child, const struct child_seed *seed,
                                   bool hold_outbound);

/* The peer can receive: installs the outbound SA that was held.  Harmless when none was. */
void child_release_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child);

/* The remote selectors a child may have with this peer: as configured, or the peer's own address
 * where the configuration says "any".  `own` has room for one.  Returns the count. */
size_t child_allowed_remote(const struct ike_sa *sa, const struct child_config *config,
                            struct selector *own, const struct selector **selectors);

#endif
