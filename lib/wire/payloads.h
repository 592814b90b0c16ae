/*
 * The chain of payloads, RFC 7296 section 3.2, and which may be there how often.
 */
#ifndef LIB_WIRE_PAYLOADS_H
#define LIB_WIRE_PAYLOADS_H

#include "lib/base/reader.h"
#include "lib/base/status.h"

#define V2_PAYLOADS_MAX 48

struct v2_payload_item {
    uint8_t type;
    bool critical;
    struct slice body; /* without the generic header */
};

struct v2_payloads {
    size_t count;
    struct v2_payload_item items[V2_PAYLOADS_MAX];
    /* For a message that ends in SK: what stands in the SK payload's Next Payload field. */
    uint8_t sk_next;
};

/* Cuts `bytes` into payloads, the first of type `first`.  An SK payload is the last: its body
 * (IV, ciphertext, ICV) is delimited and sk_next set.  STATUS_REJECT with INVALID_SYNTAX for lying
 * lengths or too many payloads; with UNSUPPORTED_CRITICAL_PAYLOAD (and *critical_type set) for an
 * unknown payload that is marked critical.  Unknown uncritical ones are left out (section 2.5). */
MUST_USE enum status v2_payloads_parse(struct v2_payloads *payloads, uint8_t first,
                                       struct slice bytes, uint8_t *critical_type,
                                       struct reason *reason);

/* The chain one payload at a time, and nothing is kept: for whoever looks before he believes.
 * False at its end, and where it cannot be read. */
struct v2_walk {
    struct reader reader;
    uint8_t next;
};
struct v2_walk v2_walk_begin(uint8_t first, struct slice bytes);
MUST_USE bool v2_walk_next(struct v2_walk *walk, struct v2_payload_item *item);

/* The first payload of a type; NULL when there is none.  `after` continues behind an earlier
 * result (NULL: from the start). */
const struct v2_payload_item *v2_payloads_find(const struct v2_payloads *payloads, uint8_t type,
                                               const struct v2_payload_item *after);

/* --- Legality as a table (R1) --- */

struct v2_payload_rule {
    uint8_t type;
    uint8_t min;
    uint8_t max;
};

/* Checks counts against `rules` (ended by type 0).  Known payloads that the rules do not name are
 * refused; VENDOR and NOTIFY must be named too where they may appear.  STATUS_REJECT with
 * INVALID_SYNTAX and a reason that names payload, count and bounds. */
MUST_USE enum status v2_payloads_check(const struct v2_payloads *payloads,
                                       const struct v2_payload_rule *rules, struct reason *reason);

#endif
