/*
 * What the two ends of an SA have agreed on: its algorithms, and the protocol of its packets.
 *
 * Knows no version of IKE.  Not here: offers (lib/policy), numbers on the wire (lib/wire).
 */
#ifndef LIB_CRYPTO_SUITE_H
#define LIB_CRYPTO_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By their numbers in the IP header (IANA, "Protocol Numbers"), which the kernel uses, too. */
enum ipsec_protocol {
    IPSEC_NONE = 0, /* no IPsec SA: IKE's own */
    IPSEC_ESP = 50,
    IPSEC_AH = 51,
    IPSEC_IPCOMP = 108,
};

#define TRANSFORMS_MAX 3 /* what one packet goes through: IPComp, ESP, AH, each once at most */

struct suite {
    uint8_t encr;  /* enum encr */
    uint8_t integ; /* enum integ */
    uint8_t prf;   /* enum prf; IKE only */
    uint8_t group; /* enum group */
    bool esn;      /* child only */
};

/* "aes256gcm16-prfsha384-x25519"; returns `text`, cut where its `size` ends. */
char *suite_text(const struct suite *suite, char *text, size_t size);

/* "esp", "ah", "ipcomp"; "none". */
const char *ipsec_protocol_name(uint8_t protocol);

#endif
