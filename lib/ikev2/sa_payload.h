/*
 * SA payloads from and to offers: RFC 7296 section 3.3, and sections 3.3.5 and 3.3.6 on what is not
 * understood.
 *
 * Not here: their bytes (lib/wire), what is offered and chosen (lib/policy).
 */
#ifndef LIB_IKEV2_SA_PAYLOAD_H
#define LIB_IKEV2_SA_PAYLOAD_H

#include "lib/policy/offer.h"
#include "lib/wire/ikev2.h"

/* STATUS_REJECT as v2_sa_parse. */
MUST_USE enum status sa_payload_parse(struct offer *offer, struct slice body,
                                      struct reason *reason);
void sa_payload_write(struct v2_writer *writer, const struct offer *offer);

/* The same without the bytes.  Nothing is judged; what has no number of ours is kept as unknown. */
void offer_from_v2(struct offer *offer, const struct v2_sa *sa);
void offer_to_v2(struct v2_sa *sa, const struct offer *offer);

#endif
