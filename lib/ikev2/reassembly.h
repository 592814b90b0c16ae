/*
 * The fragments of a message that are there while others are on their way (RFC 7383 section 2.6).
 *
 * Only what the peer has sealed comes in here.  An SA has room for one message in each direction;
 * octets and numbers are bounded for each message and for all SAs, and a timer ends what does not
 * become whole.  A fragment costs the same however many there are.
 * Not here: verification and the window (lib/ikev2, lib/engine).
 */
#ifndef LIB_IKEV2_REASSEMBLY_H
#define LIB_IKEV2_REASSEMBLY_H

#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

#define FRAGMENTS_MAX           160 /* of one message: 64 KB in the smallest that we send */
#define REASSEMBLY_MS           30000
#define REASSEMBLY_OCTETS_MAX   IKE_MESSAGE_MAX /* of one message (RFC 7383 section 5) */
#define REASSEMBLY_STRANGER_MAX 16384 /* ... and of a half-open SA's: few would fill the room */
#define REASSEMBLY_TOTAL_MAX    (32u << 20) /* of all SAs together ... */
#define REASSEMBLY_STRANGE_MAX  (16u << 20) /* ... and of these for half-open ones */

/* Each fragment has a header, an IV, padding and an ICV of its own. */
#define FRAGMENT_OVERHEAD_MAX 128
#define FRAGMENTS_OCTETS_MAX  (IKE_MESSAGE_MAX + FRAGMENTS_MAX * FRAGMENT_OVERHEAD_MAX)

struct reassembly_part {
    bool here;
    struct buffer text;
};

struct reassembly {
    struct protocol_timer timer;
    bool response;
    bool strange; /* counted as of a half-open SA */
    uint8_t exchange;
    uint8_t first; /* type of the message's first payload, from fragment 1 */
    uint16_t total;
    uint16_t here;
    uint32_t message_id;
    size_t widest; /* octets of the largest fragment as it came, with the IKE header */
    size_t text_size;
    size_t charged;  /* octets that count against the maximum */
    uint64_t digest; /* of fragment 1 as it came */
    struct reassembly_part parts[];
};

/* A verified fragment. */
struct reassembly_piece {
    const struct ike_header *header;
    uint16_t number;
    uint16_t total;
    uint8_t first;   /* its Next Payload field */
    uint64_t digest; /* of the message as it came */
    struct slice text;
};

/* May a fragment with these numbers be of use?  Asked before it is decrypted; changes nothing.
 * STATUS_DROP with a reason: it is known, of an older cutting, or does not fit the others. */
MUST_USE enum status reassembly_wants(const struct ike_sa *sa, const struct ike_header *header,
                                      const struct v2_fragment *fragment, struct reason *reason);

/* Keeps a copy of what reassembly_wants was asked about.  STATUS_OK: it was the last one.
 * STATUS_WAIT: others must come (or there was no room).  STATUS_REJECT: the message grows larger
 * than any can be; what was there is gone. */
MUST_USE enum status reassembly_add(struct context *context, struct ike_sa *sa,
                                    const struct reassembly_piece *piece, struct reason *reason);

/* The text of a message whose last fragment has come; false when memory is out. */
MUST_USE bool reassembly_text(const struct reassembly *reassembly, struct buffer *text);

/* Forgets the fragments of a direction; harmless when there are none. */
void reassembly_end(struct context *context, struct ike_sa *sa, bool response);

#endif
