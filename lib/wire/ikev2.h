/*
 * IKEv2 on the wire, RFC 7296 section 3: numbers, structs, parsers and writers.
 *
 * Parsers borrow from the packet and copy nothing.  They delimit: lengths, counts and reserved
 * shapes are checked here; what a value means is decided elsewhere.  Every count has a named
 * maximum.  A parser that returns STATUS_REJECT has set reason->code (usually INVALID_SYNTAX).
 */
#ifndef LIB_WIRE_IKEV2_H
#define LIB_WIRE_IKEV2_H

#include "lib/base/address.h"
#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/wire/names.h"

/* --- Numbers (IANA, "Internet Key Exchange Version 2 (IKEv2) Parameters") --- */

enum v2_exchange {
    V2_IKE_SA_INIT = 34,
    V2_IKE_AUTH = 35,
    V2_CREATE_CHILD_SA = 36,
    V2_INFORMATIONAL = 37,
};

enum v2_flag {
    V2_FLAG_INITIATOR = 0x08,
    V2_FLAG_VERSION = 0x10,
    V2_FLAG_RESPONSE = 0x20,
};

enum v2_payload {
    V2_NO_NEXT = 0,
    V2_SA = 33,
    V2_KE = 34,
    V2_IDI = 35,
    V2_IDR = 36,
    V2_CERT = 37,
    V2_CERTREQ = 38,
    V2_AUTH = 39,
    V2_NONCE = 40,
    V2_NOTIFY = 41,
    V2_DELETE = 42,
    V2_VENDOR = 43,
    V2_TSI = 44,
    V2_TSR = 45,
    V2_SK = 46,
    V2_CP = 47,
    V2_EAP = 48,
    V2_SKF = 53,
};

enum v2_protocol {
    V2_PROTOCOL_NONE = 0,
    V2_PROTOCOL_IKE = 1,
    V2_PROTOCOL_AH = 2,
    V2_PROTOCOL_ESP = 3,
};

enum v2_transform_type {
    V2_TRANSFORM_ENCR = 1,
    V2_TRANSFORM_PRF = 2,
    V2_TRANSFORM_INTEG = 3,
    V2_TRANSFORM_KE = 4,
    V2_TRANSFORM_ESN = 5,
};

enum v2_esn { V2_NO_ESN, V2_ESN }; /* transform IDs of that type */

enum v2_id_type {
    V2_ID_IPV4_ADDR = 1,
    V2_ID_FQDN = 2,
    V2_ID_RFC822_ADDR = 3,
    V2_ID_IPV6_ADDR = 5,
    V2_ID_DER_ASN1_DN = 9,
    V2_ID_DER_ASN1_GN = 10,
    V2_ID_KEY_ID = 11,
    V2_ID_NULL = 13,
};

enum v2_auth_method {
    V2_AUTH_RSA = 1,
    V2_AUTH_PSK = 2,
    V2_AUTH_ECDSA_256 = 9,
    V2_AUTH_ECDSA_384 = 10,
    V2_AUTH_ECDSA_521 = 11,
    V2_AUTH_NULL = 13,
    V2_AUTH_SIGNATURE = 14,
};

/* Notify types: errors are below 16384. */
enum v2_notify {
    V2_N_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
    V2_N_INVALID_IKE_SPI = 4,
    V2_N_INVALID_MAJOR_VERSION = 5,
    V2_N_INVALID_SYNTAX = 7,
    V2_N_INVALID_MESSAGE_ID = 9,
    V2_N_INVALID_SPI = 11,
    V2_N_NO_PROPOSAL_CHOSEN = 14,
    V2_N_INVALID_KE_PAYLOAD = 17,
    V2_N_AUTHENTICATION_FAILED = 24,
    V2_N_SINGLE_PAIR_REQUIRED = 34,
    V2_N_NO_ADDITIONAL_SAS = 35,
    V2_N_INTERNAL_ADDRESS_FAILURE = 36,
    V2_N_FAILED_CP_REQUIRED = 37,
    V2_N_TS_UNACCEPTABLE = 38,
    V2_N_INVALID_SELECTORS = 39,
    V2_N_UNACCEPTABLE_ADDRESSES = 40,
    V2_N_UNEXPECTED_NAT_DETECTED = 41,
    V2_N_TEMPORARY_FAILURE = 43,
    V2_N_CHILD_SA_NOT_FOUND = 44,
    V2_N_FIRST_STATUS = 16384,
    V2_N_INITIAL_CONTACT = 16384,
    V2_N_SET_WINDOW_SIZE = 16385,
    V2_N_ADDITIONAL_TS_POSSIBLE = 16386,
    V2_N_IPCOMP_SUPPORTED = 16387,
    V2_N_NAT_DETECTION_SOURCE_IP = 16388,
    V2_N_NAT_DETECTION_DESTINATION_IP = 16389,
    V2_N_COOKIE = 16390,
    V2_N_USE_TRANSPORT_MODE = 16391,
    V2_N_HTTP_CERT_LOOKUP_SUPPORTED = 16392,
    V2_N_REKEY_SA = 16393,
    V2_N_ESP_TFC_PADDING_NOT_SUPPORTED = 16394,
    V2_N_NON_FIRST_FRAGMENTS_ALSO = 16395,
    V2_N_MOBIKE_SUPPORTED = 16396,
    V2_N_ADDITIONAL_IP4_ADDRESS = 16397,
    V2_N_ADDITIONAL_IP6_ADDRESS = 16398,
    V2_N_NO_ADDITIONAL_ADDRESSES = 16399,
    V2_N_UPDATE_SA_ADDRESSES = 16400,
    V2_N_COOKIE2 = 16401,
    V2_N_NO_NATS_ALLOWED = 16402,
    V2_N_AUTH_LIFETIME = 16403,
    V2_N_CHILDLESS_IKEV2_SUPPORTED = 16418,
    V2_N_IKEV2_FRAGMENTATION_SUPPORTED = 16430,
    V2_N_SIGNATURE_HASH_ALGORITHMS = 16431,
};

/* --- The header, section 3.1 --- */

#define IKE_HEADER_SIZE 28
#define IKE_MESSAGE_MAX 65507 /* what UDP carries */

struct ike_header {
    uint64_t spi_i;
    uint64_t spi_r;
    uint8_t next_payload;
    uint8_t version; /* major << 4 | minor */
    uint8_t exchange;
    uint8_t flags;
    uint32_t message_id;
    uint32_t length;
};

/* STATUS_DROP when it is shorter than a header or when length differs from the datagram's size.
 * Serves both versions. */
MUST_USE enum status ike_header_parse(struct ike_header *header, struct slice message,
                                      struct reason *reason);

/* --- The chain of payloads, section 3.2 --- */

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

/* --- Payload bodies --- */

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

/* --- Writing --- */

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

/* Each writes one whole payload.  A size or count that its field cannot hold fails the writer.
 * SPIs of v2_write_delete are numbers in host order; IKE has none. */
void v2_write_sa(struct v2_writer *writer, const struct v2_sa *sa);
void v2_write_ke(struct v2_writer *writer, uint16_t group, struct slice public);
void v2_write_id(struct v2_writer *writer, uint8_t payload, uint8_t id_type, struct slice data);
void v2_write_auth(struct v2_writer *writer, uint8_t method, struct slice data);
void v2_write_nonce(struct v2_writer *writer, struct slice nonce);
void v2_write_notify(struct v2_writer *writer, uint8_t protocol, struct slice spi, uint16_t type,
                     struct slice data);
void v2_write_delete(struct v2_writer *writer, uint8_t protocol, const uint32_t *spis,
                     size_t count);
void v2_write_selectors(struct v2_writer *writer, uint8_t payload, const struct selector *selectors,
                        size_t count);

#endif
