/*
 * The TS payloads, RFC 7296 section 3.13.
 */
#ifndef LIB_WIRE_SELECTORS_H
#define LIB_WIRE_SELECTORS_H

#include "lib/base/address.h"
#include "lib/wire/writer.h"

#define V2_SELECTORS_MAX 17 /* what a child may have, and a packet's before them */

struct v2_selectors {
    size_t count; /* at least 1 */
    struct selector items[V2_SELECTORS_MAX];
};

/* Section 3.13.  Selectors of unknown type are passed over; so are those past the maximum.
 * A payload that leaves none is STATUS_REJECT with TS_UNACCEPTABLE; a malformed one (count against
 * length, start above end) INVALID_SYNTAX. */
MUST_USE enum status v2_selectors_parse(struct v2_selectors *selectors, struct slice body,
                                        struct reason *reason);

/* Writes a whole payload.  A size or count that its field cannot hold fails the writer. */
void v2_write_selectors(struct v2_writer *writer, uint8_t payload, const struct selector *selectors,
                        size_t count);

#endif
