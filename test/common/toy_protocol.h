/*
 * A second protocol, for the tests of what lib/engine and lib/sa share among protocols: a request
 * and an answer, no cryptography to speak of.
 *
 *   MAKE {child, SPI, nonce}  -->
 *                                  the responder's kernel gets its SAs
 *                             <--  MAKE {SPI, nonce}
 *
 * It makes the IKE SA and its first child, further ones, and successors of those; keys are the two
 * nonces, repeated.  DELETE and PROBE are answered with the same.
 */
#ifndef TEST_COMMON_TOY_PROTOCOL_H
#define TEST_COMMON_TOY_PROTOCOL_H

#include "lib/sa/protocol.h"

extern const struct protocol toy_protocol;

/* What a world speaks that has it: IKEv2 and the toy (world.protocols). */
extern const struct protocol *const toy_protocols[];

#endif
