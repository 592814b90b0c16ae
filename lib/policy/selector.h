/*
 * Traffic selectors as people write them: "10.1.0.0/16", "[2001:db8::1]/128", "10.0.0.5 tcp/5432",
 * "10.0.0.1-10.0.0.9 udp", "sctp", "tcp/1000-2000", "icmp/8".
 */
#ifndef LIB_POLICY_SELECTOR_H
#define LIB_POLICY_SELECTOR_H

#include "lib/base/address.h"

#define SELECTOR_WRONG_MAX 200

/* One without an address gets `host`'s, and is a fault when that is FAMILY_NONE.
 * False with `wrong` saying what is wrong and what was expected. */
MUST_USE bool selector_parse(struct selector *selector, const char *text,
                             const struct address *host, char wrong[SELECTOR_WRONG_MAX]);

#endif
