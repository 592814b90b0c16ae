/*
 * The kernel's policies for children: of their own, or those that are configured.
 */
#ifndef LIB_SA_CHILD_POLICY_H
#define LIB_SA_CHILD_POLICY_H

#include "lib/sa/child_sa.h"

/* Asks for, or to be rid of, the policies of one pair of selectors: those of a child, between the
 * ends that it has; or configured ones (child_pair). */
void child_policy(struct context *context, enum effect_kind kind, const struct child_sa *child,
                  const struct selector *local_selector, const struct selector *remote_selector);

void configured_policy(struct context *context, enum effect_kind kind,
                       const struct child_config *config, const struct child_selectors *pair);

/* Asks for all policies of a child's own. */
void child_install_policies(struct context *context, const struct child_sa *child);

/* Whose is the pair by configuration, when no SA has it?  The first child's that is configured with
 * it and whose peer is known, else the first one's for any peer, who can ask nobody; NULL: none. */
const struct child_config *config_pair_holder(const struct config *config,
                                              const struct selector *local,
                                              const struct selector *remote,
                                              struct child_selectors *pair);

/* Are its ends others than the configured policies say?  Ours or the peer's may have moved (RFC
 * 4555), or ours was left open. */
bool child_is_away(const struct child_sa *child);

/* A child with policies of its own leaves: whoever else wants one for the same pair gets it back,
 * without a gap. */
void child_return_policies(struct context *context, const struct child_sa *child);

/* It is to send no more, and is still to receive: where another child has the same pair, and sends,
 * that one has the policies from now on. */
void child_hand_policies(struct context *context, const struct child_sa *child);

#endif
