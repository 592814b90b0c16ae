/*
 * Writing messages and their payloads.
 */
#ifndef LIB_WIRE_WRITER_H
#define LIB_WIRE_WRITER_H

#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/base/writer.h"
#include "lib/wire/header.h"

/* A message under construction: it keeps the chain of Next Payload fields and the lengths. */
struct v2_writer {
    struct writer bytes;
    size_t next_at;    /* where the Next Payload field of the last payload stands */
    size_t payload_at; /* where the open payload's generic header begins; 0: none is open */
    size_t sk_at;      /* where the SK payload's generic header begins; 0: there is none */
    size_t sk_text_at; /* where its text begins, behind the IV */
};

/* Starts a message in `data` with `header` (length and next_payload are filled in later). */
void v2_message_begin(struct v2_writer *writer, void *data, size_t capacity,
                      const struct ike_header *header);

/* Opens a payload, closing the one before. Write its body with writer_* on writer->bytes or one
 * of the functions below. */
void v2_payload_begin(struct v2_writer *writer, uint8_t type);

/* Opens the SK payload, section 3.14, with an IV of zeroes for the caller to fill
 * (at bytes.data + sk_text_at - iv_size).  Payloads opened from now on go inside it. */
void v2_sk_begin(struct v2_writer *writer, size_t iv_size);

/* Opens an SKF payload, RFC 7383 section 2.5, in the same way; what goes inside is a part of the
 * text of an SK payload.  `first` is the type of the first payload in the text; it is written to
 * fragment 1 alone. */
void v2_skf_begin(struct v2_writer *writer, size_t iv_size, uint8_t first, uint16_t number,
                  uint16_t total);

/* Closes the last inner payload, pads the text (zeroes and the Pad Length octet) to a multiple of
 * `block_size`, appends room for the ICV and fills in the lengths of SK or SKF and of the message,
 * so that it is ready for seal_encrypt: aad_size is sk_text_at - iv_size, text_size is what lies
 * between sk_text_at and the ICV.  False when the room ended. */
MUST_USE bool v2_sk_end(struct v2_writer *writer, size_t block_size, size_t icv_size);

/* The decrypted text of an SK payload without padding: checks the Pad Length octet.
 * STATUS_REJECT with INVALID_SYNTAX when it lies. */
MUST_USE enum status v2_sk_unpad(struct slice text, struct slice *payloads, struct reason *reason);

/* Closes the last payload and fills in the header's length.  False when the room ended. */
MUST_USE bool v2_message_end(struct v2_writer *writer);

#endif
