/*
 * Names of the wire's numbers, for logs, reasons and ikectl (IANA, "IKEv2 Parameters").
 */
#ifndef LIB_WIRE_NAMES_H
#define LIB_WIRE_NAMES_H

#include <stdint.h>

/* "NO_PROPOSAL_CHOSEN", "IKE_AUTH", "SA", ...; "?" for a number without a name. */
const char *v2_notify_name(uint16_t type);
const char *v2_exchange_name(uint8_t exchange);
const char *v2_payload_name(uint8_t payload);

/* "AES_CBC", "X25519", "NO_ESN"; NULL for a number without a name. */
const char *v2_transform_name(uint8_t type, uint16_t id);

#endif
