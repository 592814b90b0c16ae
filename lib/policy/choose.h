/*
 * Choosing: a connection for a peer, a proposal from an offer, selectors from an offer.
 *
 * Pure functions on configurations and parsed payloads; each says in a struct reason why nothing
 * fits and what would have been the nearest.  RFC 7296 sections 2.7, 2.9 and 3.3.
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

/* The most fitting connection for a first packet between two hosts: one whose remote is exactly
 * `remote` before one with a name or several addresses that is known by it, before one with remote
 * "any".  `after` continues (NULL: the first).  NULL when no more: all the exact ones come first,
 * then those known by it, then the "any" ones, the first and last in the file's order. */
const struct connection *choose_connection(const struct config *config, const struct address *local,
                                           const struct address *remote,
                                           const struct connection *after);

/* Is it for these two hosts? */
bool connection_fits(const struct connection *connection, const struct address *local,
                     const struct address *remote);

/* Does a list of proposals allow what was agreed? */
bool proposals_allow(const struct proposal_list *list, const struct suite *suite);

/* Does a connection take this pair of identities?  `local` may be NULL (the peer sent no IDr). */
bool connection_accepts(const struct connection *connection, const struct identity *local,
                        const struct identity *remote);

/* Does a peer of this identity claim to be ourselves, by a key that is our own?  Where any peer may
 * come, nobody else has our identity; where the file gives both ends the same, it is meant so. */
bool connection_is_self(const struct connection *connection, const struct identity *remote);

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

/* Narrowing, RFC 7296 section 2.9: what both `allowed` and `offered` hold, at most
 * CONFIG_SELECTORS_MAX; returns the count (0: nothing in common). A selector within another one of
 * the result is left out. */
size_t narrow_selectors(const struct selector *allowed, size_t allowed_count,
                        const struct selector *offered, size_t offered_count,
                        struct selector *narrowed);

/* Leaves out what lies within another one of the list, in place; returns how many are left. */
size_t selectors_reduce(struct selector *list, size_t count);

/* What of `from` does not lie in `what`, in the order of addresses, then of ports: writes up to
 * four and returns their number.  Where only one protocol of several would be left out, the
 * addresses are, as a whole: a selector names one protocol or all. */
size_t selector_without(const struct selector *from, const struct selector *what,
                        struct selector rest[4]);

/* True when every item of `inner` lies within some item of `outer`. */
bool selectors_within(const struct selector *outer, size_t outer_count,
                      const struct selector *inner, size_t inner_count);

/* True when every packet that some item of `inner` holds is held by an item of `outer`, though it
 * may take several of them to hold one of `inner`. */
bool selectors_cover(const struct selector *outer, size_t outer_count, const struct selector *inner,
                     size_t inner_count);

/* A proposal of the wire for people: "AES_GCM_16-256/PRF_HMAC_SHA2_256/X25519". */
char *offer_text(const struct v2_proposal *proposal, char *text, size_t size);

#endif
