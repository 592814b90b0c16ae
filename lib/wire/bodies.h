/*
 * Bodies of the other payloads, RFC 7296 sections 3.4 to 3.11, RFC 7383 section 2.5.
 */
#ifndef LIB_WIRE_BODIES_H
#define LIB_WIRE_BODIES_H

#include "lib/wire/writer.h"

struct v2_ke {
    uint16_t group;
    struct slice data;
};
MUST_USE enum status v2_ke_parse(struct v2_ke *ke, struct slice body, struct reason *reason);

/* Section 3.5.  The size of data is checked for addresses and ID_NULL. */
struct v2_id {
    uint8_t type;
    struct slice data;
};
MUST_USE enum status v2_id_parse(struct v2_id *id, struct slice body, struct reason *reason);

struct v2_auth {
    uint8_t method;
    struct slice data;
};
MUST_USE enum status v2_auth_parse(struct v2_auth *auth, struct slice body, struct reason *reason);

#define V2_NONCE_MIN 16
#define V2_NONCE_MAX 256
MUST_USE enum status v2_nonce_parse(struct slice *nonce, struct slice body, struct reason *reason);

/* Section 3.10. */
struct v2_notify_body {
    uint8_t protocol; /* 0 when there is no SPI, whatever the peer wrote */
    uint16_t type;
    struct slice spi; /* 4 octets for AH and ESP: checked */
    struct slice data;
};
MUST_USE enum status v2_notify_parse(struct v2_notify_body *notify, struct slice body,
                                     struct reason *reason);

struct v2_delete {
    uint8_t protocol;
    uint8_t spi_size; /* 0 for IKE (and no SPIs), 4 for AH and ESP: checked */
    uint16_t count;   /* count * spi_size is what `spis` holds: checked */
    struct slice spis;
};
MUST_USE enum status v2_delete_parse(struct v2_delete *delete, struct slice body,
                                     struct reason *reason);

/* A part of a message, RFC 7383 section 2.5. */
struct v2_fragment {
    uint16_t number; /* 1 to total: checked */
    uint16_t total;
    struct slice sealed; /* IV, ciphertext, ICV: what an SK payload holds */
};
/* STATUS_DROP for numbers that cannot be: section 2.6 wants such a message silently discarded. */
MUST_USE enum status v2_skf_parse(struct v2_fragment *fragment, struct slice body,
                                  struct reason *reason);

/* Each writes one whole payload.  A size or count that its field cannot hold fails the writer.
 * SPIs of v2_write_delete are numbers in host order; IKE has none. */
void v2_write_ke(struct v2_writer *writer, uint16_t group, struct slice public);
void v2_write_id(struct v2_writer *writer, uint8_t payload, uint8_t id_type, struct slice data);
void v2_write_auth(struct v2_writer *writer, uint8_t method, struct slice data);
void v2_write_nonce(struct v2_writer *writer, struct slice nonce);
void v2_write_notify(struct v2_writer *writer, uint8_t protocol, struct slice spi, uint16_t type,
                     struct slice data);
void v2_write_delete(struct v2_writer *writer, uint8_t protocol, const uint32_t *spis,
                     size_t count);

#endif
