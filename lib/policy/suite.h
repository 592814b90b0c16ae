/*
 * Transforms of the wire against algorithms of ours: what choosing and offering share.
 *
 * RFC 7296 section 3.3.2.
 */
#ifndef LIB_POLICY_SUITE_H
#define LIB_POLICY_SUITE_H

#include "lib/policy/choose.h"

/* Transform IDs of type ESN. */
enum {
    V2_NO_ESN = 0,
    V2_ESN = 1,
};

/* Our number of the algorithm that a transform names: enum encr, prf, integ or group by its type
 * (0 for NONE), for ESN its transform ID.  False when we do not know it or it has an attribute
 * that does not belong there. */
bool transform_algorithm(const struct v2_transform *transform, unsigned *id);

/* Can the provider do it?  NULL: yes. */
bool algorithm_usable(const struct crypto *crypto, uint8_t type, unsigned id);

#endif
