/*
 * The Encrypted payload of an SA's message, whole (SK, RFC 7296 section 3.14) or a fragment (SKF,
 * RFC 7383 section 2.5): IV, padding, and the SA's keys around lib/crypto's sealing.
 *
 * Not here: which message may come when, cutting and joining (fragment.h).
 */
#ifndef LIB_IKEV2_SEALED_H
#define LIB_IKEV2_SEALED_H

#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

/* Opens an SK payload with an IV of its own. */
void sealed_begin(struct context *context, struct ike_sa *sa, struct v2_writer *writer);

/* The same for a fragment, as v2_skf_begin. */
void sealed_begin_fragment(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                           uint8_t first, uint16_t number, uint16_t total);

/* Closes the message and its text, ready to be encrypted.  False when the room ended. */
MUST_USE bool sealed_end(const struct ike_sa *sa, struct v2_writer *writer);

/* The text of what sealed_end closed, padding included; borrowed. */
struct slice sealed_text(const struct ike_sa *sa, const struct v2_writer *writer);

MUST_USE enum status sealed_encrypt(struct context *context, const struct ike_sa *sa,
                                    struct v2_writer *writer);

/* How many octets of text a message of `size` octets holds that is one fragment and nothing else;
 * 0 when it holds none. */
size_t sealed_fragment_room(const struct ike_sa *sa, size_t size);

/* Verifies and decrypts in place: `data` is the whole message, `sealed` its end (IV, ciphertext,
 * ICV).  `own`: it is one of our own messages.  *inner is the text without padding.  STATUS_DROP
 * when it does not verify, STATUS_REJECT when it does and its padding is wrong. */
MUST_USE enum status sealed_open(struct context *context, const struct ike_sa *sa, bool own,
                                 uint8_t *data, size_t size, struct slice sealed,
                                 struct slice *inner, struct reason *reason);

#endif
