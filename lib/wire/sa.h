/*
 * The SA payload, RFC 7296 section 3.3.
 */
#ifndef LIB_WIRE_SA_H
#define LIB_WIRE_SA_H

#include "lib/wire/writer.h"

#define V2_PROPOSALS_MAX  16
#define V2_TRANSFORMS_MAX 48
#define V2_SPI_MAX        8

struct v2_transform {
    uint8_t type;
    uint16_t id;
    uint16_t key_bits;      /* 0: no Key Length attribute */
    bool unknown_attribute; /* section 3.3.6: such a transform cannot be chosen */
};

struct v2_proposal {
    uint8_t number;
    uint8_t protocol;
    uint8_t spi_size;
    uint8_t spi[V2_SPI_MAX];
    uint8_t transform_count;
    struct v2_transform transforms[V2_TRANSFORMS_MAX];
};

struct v2_sa {
    size_t count;
    struct v2_proposal proposals[V2_PROPOSALS_MAX];
};

/* Section 3.3. Proposals past the maximum are passed over, as are transforms past theirs (a peer
 * may offer more than we care to read), but every length is still checked.  Proposal numbers must
 * start at 1 and rise by 1; a proposal that stands alone may have any number but 0, for an answer
 * keeps the number of what it accepts.  SPIs: none or 8 octets for IKE, 4 for AH and ESP, up to
 * V2_SPI_MAX for other protocols; anything else is INVALID_SYNTAX. */
MUST_USE enum status v2_sa_parse(struct v2_sa *sa, struct slice body, struct reason *reason);

/* Writes a whole payload.  A size or count that its field cannot hold fails the writer. */
void v2_write_sa(struct v2_writer *writer, const struct v2_sa *sa);

#endif
