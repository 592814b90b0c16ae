/*
 * Which configured child a peer means by the selectors that it asks for.
 */
#ifndef LIB_SA_CHILD_CHOOSE_H
#define LIB_SA_CHILD_CHOOSE_H

#include "lib/sa/child_narrow.h"

/* One of the configured children that a request may mean. */
struct candidate {
    const struct child_config *config; /* NULL: none */
    struct narrowed left;
    unsigned fitness; /* higher is better; 0: it does not suit at all */
};

/* The most fitting of all connections with this peer and between these two.  `only`: the one that
 * is to be rekeyed, or NULL.  *rival is set when traffic that suits belongs to somebody else. */
struct candidate child_choose_config(const struct context *context, const struct ike_sa *sa,
                                     const struct selector_offer *offer,
                                     const struct child_config *only, struct reason *rival);

/* Nothing suits: STATUS_REJECT, and why: whose it is, or that nobody is configured for it. */
enum status child_choose_refuse(const struct selector_offer *offer, const struct reason *rival,
                                struct reason *reason);

#endif
