/*
 * Choosing a proposal from an offer, and checking the answer to ours.
 *
 * Pure functions on configured lists and offers; each says in a struct reason why nothing fits and
 * what would have been the nearest.  RFC 7296 sections 2.7 and 3.3.
 */
#ifndef LIB_POLICY_CHOOSE_H
#define LIB_POLICY_CHOOSE_H

#include "lib/policy/offer.h"

/* The first group of a list that the provider has; GROUP_NONE when there is none. */
enum group proposals_first_group(const struct proposal_list *list, const struct crypto *crypto);

/* Is the group in the list, and does the provider have it? */
bool proposals_have_group(const struct proposal_list *list, enum group group,
                          const struct crypto *crypto);

/* Does a list of proposals allow what was agreed? */
bool proposals_allow(const struct proposal_list *list, const struct suite *suite);

/* What a proposal is judged by besides what is offered and what is ours. */
struct suite_terms {
    enum ipsec_protocol protocol; /* IPSEC_NONE: an IKE SA */
    bool with_group;              /* false: a group is not asked for (the child of IKE_AUTH) */
    enum group prefer_group;      /* whose key is there already; it wins over our order of groups */
    const struct crypto *crypto;  /* what the provider has; NULL: nothing is lacking */
};

/* Picks from the peer's offer: our proposals in our order, within one our order of algorithms.
 * `chosen` gets the peer's proposal, a part of `offer`, for its number and its SPI.
 * STATUS_REJECT with NO_PROPOSAL_CHOSEN and a reason saying what was offered and allowed. */
MUST_USE enum status choose_suite(const struct proposal_list *ours, const struct offer *offer,
                                  const struct suite_terms *terms, struct suite *suite,
                                  const struct offer_proposal **chosen, struct reason *reason);

/* As initiator: is the responder's answer one proposal with one transform per type, out of what
 * we offered?  STATUS_CLOSE when not.  Its SPI is that of the one proposal. */
MUST_USE enum status check_answer(const struct proposal_list *ours, const struct offer *answer,
                                  const struct suite_terms *terms, struct suite *suite,
                                  struct reason *reason);

#endif
