/*
 * The algorithms iked knows: one row each, with the numbers of every world they live in.
 *
 * Inside iked an algorithm is an enum value (a row of these tables).  The wire's numbers, the
 * names people write and the kernel's names are columns; code never uses one for another.
 * Not here: OpenSSL objects (crypto.h), what is offered by default (lib/policy).
 */
#ifndef LIB_CRYPTO_ALGORITHM_H
#define LIB_CRYPTO_ALGORITHM_H

#include "lib/base/slice.h"

/* Encryption algorithms, each key size a row.  RFC 7296 section 3.3.2, RFC 5282, RFC 7634. */
enum encr {
    ENCR_NONE = 0,
    ENCR_AES128_CBC,
    ENCR_AES192_CBC,
    ENCR_AES256_CBC,
    ENCR_AES128_CTR,
    ENCR_AES192_CTR,
    ENCR_AES256_CTR,
    ENCR_AES128_GCM8,
    ENCR_AES192_GCM8,
    ENCR_AES256_GCM8,
    ENCR_AES128_GCM12,
    ENCR_AES192_GCM12,
    ENCR_AES256_GCM12,
    ENCR_AES128_GCM16,
    ENCR_AES192_GCM16,
    ENCR_AES256_GCM16,
    ENCR_AES128_CCM8,
    ENCR_AES192_CCM8,
    ENCR_AES256_CCM8,
    ENCR_AES128_CCM12,
    ENCR_AES192_CCM12,
    ENCR_AES256_CCM12,
    ENCR_AES128_CCM16,
    ENCR_AES192_CCM16,
    ENCR_AES256_CCM16,
    ENCR_CHACHA20_POLY1305,
    ENCR_NULL, /* ESP only */
    ENCR_COUNT
};

enum integ {
    INTEG_NONE = 0, /* with an AEAD */
    INTEG_HMAC_SHA1_96,
    INTEG_HMAC_SHA256_128,
    INTEG_HMAC_SHA384_192,
    INTEG_HMAC_SHA512_256,
    INTEG_AES_XCBC_96,
    INTEG_AES_CMAC_96,
    INTEG_COUNT
};

enum prf {
    PRF_NONE = 0,
    PRF_HMAC_SHA1,
    PRF_HMAC_SHA256,
    PRF_HMAC_SHA384,
    PRF_HMAC_SHA512,
    PRF_AES128_XCBC,
    PRF_AES128_CMAC,
    PRF_COUNT
};

enum group {
    GROUP_NONE = 0,
    GROUP_MODP2048,
    GROUP_MODP3072,
    GROUP_MODP4096,
    GROUP_MODP6144,
    GROUP_MODP8192,
    GROUP_ECP256,
    GROUP_ECP384,
    GROUP_ECP521,
    GROUP_X25519,
    GROUP_X448,
    GROUP_COUNT
};

struct encr_info {
    const char *name;   /* as in configurations: "aes256gcm16" */
    const char *kernel; /* XFRM name: "cbc(aes)", "rfc4106(gcm(aes))"; NULL when it has none */
    uint16_t wire;      /* IANA transform ID */
    uint16_t key_bits;  /* the Key Length attribute's value; 0: the attribute is not sent */
    uint8_t key_size;   /* octets of KEYMAT taken: cipher key plus salt */
    uint8_t salt_size;  /* octets at the end of those that are salt or nonce */
    uint8_t iv_size;    /* octets of IV on the wire */
    uint8_t block_size; /* padding unit; 1 for none */
    uint8_t icv_size;   /* AEAD tag octets on the wire; 0: an integ is needed */
    bool weak;
};

struct integ_info {
    const char *name;   /* "sha256" */
    const char *kernel; /* "hmac(sha256)" */
    uint16_t wire;
    uint8_t key_size;
    uint8_t icv_size; /* octets on the wire, truncated */
    bool weak;
};

struct prf_info {
    const char *name; /* "prfsha256" */
    uint16_t wire;
    uint8_t key_size; /* preferred key length, RFC 7296 section 2.13 */
    uint8_t size;     /* output octets */
    bool weak;
};

struct group_info {
    const char *name; /* "x25519", "ecp256", "modp2048" */
    uint16_t wire;
    uint16_t public_size;  /* octets in the KE payload */
    uint16_t private_size; /* random octets that make a private key */
    uint16_t shared_size;  /* octets of g^ir */
    bool weak;
};

/* The row of an algorithm; NULL for NONE (ENCR_NONE, ...) and for values past the end. */
const struct encr_info *encr_info(unsigned encr);
const struct integ_info *integ_info(unsigned integ);
const struct prf_info *prf_info(unsigned prf);
const struct group_info *group_info(unsigned group);

/* From the wire: 0 (NONE) when the number, with this key length attribute (0: absent), names
 * nothing that iked knows. */
enum encr encr_from_wire(uint16_t wire, uint16_t key_bits);
enum integ integ_from_wire(uint16_t wire);
enum prf prf_from_wire(uint16_t wire);
enum group group_from_wire(uint16_t wire);

/* From a configuration's word: "aes256gcm16" (also "aes256" for CBC, "aes256ctr",
 * "chacha20poly1305", "null"), "sha256", "prfsha256", "x25519". 0 when unknown. */
enum encr encr_from_name(struct slice name);
enum integ integ_from_name(struct slice name);
enum prf prf_from_name(struct slice name);
enum group group_from_name(struct slice name);

static inline bool encr_is_aead(unsigned encr)
{
    const struct encr_info *info = encr_info(encr);

    return info != NULL && info->icv_size > 0;
}

#endif
