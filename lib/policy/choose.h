/*
 * Choosing a proposal from an offer, and checking the answer to ours.
 *
 * Pure functions on configured lists and parsed payloads; each says in a struct reason why nothing
 * fits and what would have been the nearest.  RFC 7296 sections 2.7 and 3.3.
 */
#ifndef LIB_POLICY_CHOOSE_H
#define LIB_POLICY_CHOOSE_H

#include "lib/crypto/crypto.h"
#include "lib/crypto/suite.h"
#include "lib/policy/config.h"
#include "lib/wire/ikev2.h"

/* The first group of a list that the provider has; GROUP_NONE when there is none. */
enum group proposals_first_group(const struct proposal_list *list, const struct crypto *crypto);

/* Is the group in the list, and does the provider have it? */
bool proposals_have_group(const struct proposal_list *list, enum group group,
                          const struct crypto *crypto);

/* Does a list of proposals allow what was agreed? */
bool proposals_allow(const struct proposal_list *list, const struct suite *suite);

/* Writes our list as the SA payload to send: algorithms that `crypto` lacks are left out (NULL: a
 * child's SA, nothing is left out but groups when `with_group` is false).
 * spi: 0 octets for IKE_SA_INIT, 4 for ESP and AH. */
void offer_from_proposals(struct v2_sa *sa, const struct proposal_list *list, uint8_t protocol,
                          struct slice spi, const struct crypto *crypto, bool with_group);

/* Picks from the peer's offer: our proposals in our order, within one our order of algorithms;
 * `prefer_group` (a KE payload that is there already, 0: none) wins over our order of groups.
 * `number` gets the number of the peer's proposal and `spi` its SPI (RFC 7296 section 3.3.1).
 * `with_group` false: transforms of type KE are not asked for (IKE_AUTH).
 * STATUS_REJECT with NO_PROPOSAL_CHOSEN and a reason saying what was offered and allowed. */
MUST_USE enum status choose_suite(const struct proposal_list *ours, const struct v2_sa *offer,
                                  uint8_t protocol, const struct crypto *crypto, bool with_group,
                                  enum group prefer_group, struct suite *suite, uint8_t *number,
                                  uint32_t *spi, struct reason *reason);

/* The responder's answer to an offer: the one proposal with one transform of each type. */
void offer_from_suite(struct v2_sa *sa, const struct suite *suite, uint8_t number, uint8_t protocol,
                      struct slice spi, bool with_group);

/* As initiator: is the responder's answer one proposal with one transform per type, out of what
 * we offered?  STATUS_CLOSE when not. */
MUST_USE enum status check_answer(const struct proposal_list *ours, const struct v2_sa *answer,
                                  uint8_t protocol, const struct crypto *crypto, bool with_group,
                                  struct suite *suite, uint32_t *spi, struct reason *reason);

/* A proposal of the wire for people: "AES_GCM_16-256/PRF_HMAC_SHA2_256/X25519". */
char *offer_text(const struct v2_proposal *proposal, char *text, size_t size);

#endif
