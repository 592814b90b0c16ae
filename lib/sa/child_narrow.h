/*
 * What a child may protect: its selectors, as configured or narrowed, and the reqid that follows
 * from them.
 *
 * On selectors alone, whichever protocol carried them (RFC 7296 section 2.9).
 * Not here: which configured child is meant (child_choose.h), what others have (child_rivals.h).
 */
#ifndef LIB_SA_CHILD_NARROW_H
#define LIB_SA_CHILD_NARROW_H

#include "lib/sa/child_sa.h"
#include "lib/sa/packet.h"

/* What a peer asks for in one child, or has chosen of what we asked for; as seen from here. */
struct selector_offer {
    const struct selector *local; /* borrowed */
    size_t local_count;
    const struct selector *remote;
    size_t remote_count;
    bool transport; /* mode */
};

/* What is left of an offer for a configured child. */
struct narrowed {
    struct selector local[CONFIG_SELECTORS_MAX];
    struct selector remote[CONFIG_SELECTORS_MAX];
    size_t local_count;
    size_t remote_count;
};

/* The remote selectors a child may have with this peer: as configured, or the peer's own address
 * where the configuration says "any".  `own` has room for one.  Returns the count. */
size_t child_allowed_remote(const struct ike_sa *sa, const struct child_config *config,
                            struct selector *own, const struct selector **selectors);

/* Initiator: a child as configured, or with no more than the pair of selectors that `packet` (NULL:
 * none) asks for; with a reqid.  NULL when memory is out. */
struct child_sa *child_propose(struct context *context, const struct ike_sa *sa,
                               const struct child_config *config, const struct packet *packet);

/* Initiator: the responder's choice of selectors, none of them within another one, for a child that
 * is to replace `old` (NULL: none).  STATUS_CLOSE when it is wider than what we asked for, or less
 * than the old one has. */
MUST_USE enum status child_narrow(struct context *context, const struct ike_sa *sa,
                                  struct child_sa *child, const struct child_sa *old,
                                  const struct selector_offer *chosen, struct reason *reason);

/* Responder: a child with what was left of the offer, which is to replace `old` (NULL: none); with
 * a reqid.  NULL when memory is out. */
struct child_sa *child_new_narrowed(struct context *context, const struct ike_sa *sa,
                                    const struct child_config *config, const struct narrowed *left,
                                    const struct child_sa *old);

/* Has the child all that the old one has? */
bool child_covers(const struct child_sa *child, const struct child_sa *old);

/* A child never gets narrower by being rekeyed (RFC 7296 section 2.9.2): STATUS_REJECT when it
 * would.  `old` NULL: STATUS_OK. */
MUST_USE enum status child_check_covers(const struct child_sa *child, const struct child_sa *old,
                                        struct reason *reason);

#endif
