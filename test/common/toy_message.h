/*
 * What the toy protocol (toy_protocol.h) says: one layout for all that is asked and answered.
 *
 * The header is that of RFC 7296 section 3.1, so that a packet finds its protocol; what follows is
 * the toy's own.  Nothing is encrypted, and nobody is authenticated.
 */
#ifndef TEST_COMMON_TOY_MESSAGE_H
#define TEST_COMMON_TOY_MESSAGE_H

#include "lib/base/slice.h"
#include "lib/sa/effect.h"

#define TOY_VERSION     9
#define TOY_NONCE_SIZE  16
#define TOY_MESSAGE_MAX 256

enum toy_kind {
    TOY_MAKE = 1, /* a child; the first one brings the IKE SA with it */
    TOY_DELETE,   /* a child by its sender's inbound SPI; 0: the IKE SA */
    TOY_PROBE,
};

enum toy_error { TOY_FINE, TOY_REFUSED, TOY_BUSY };

struct toy_message {
    uint64_t spi_i;
    uint64_t spi_r;
    uint8_t kind;   /* enum toy_kind */
    bool initiator; /* its sender made the IKE SA */
    bool response;
    uint32_t id;
    uint8_t error; /* enum toy_error */
    uint32_t spi;  /* of its sender's inbound SA: of the child that is made or deleted */
    uint32_t old;  /* the same of the one that is rekeyed; 0: none */
    uint8_t nonce[TOY_NONCE_SIZE];
    struct name child;
};

/* Is that a message of the toy's, from its first octet to its last? */
MUST_USE bool toy_message_parse(struct toy_message *message, struct slice bytes);

/* `octets` has room for TOY_MESSAGE_MAX. */
struct slice toy_message_write(const struct toy_message *message, uint8_t *octets);

#endif
