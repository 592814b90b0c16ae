/*
 * Cryptography for IKE over OpenSSL's EVP: the only room that knows OpenSSL.
 *
 * A struct crypto holds what was fetched from the provider once: methods and work contexts,
 * nothing of any SA.  One per thread.  Everything here is deterministic: random octets are
 * arguments.  Sizes come from algorithm.h.
 * Not here: which algorithms a peer may use (lib/policy), key layouts of exchanges (lib/ikev2).
 */
#ifndef LIB_CRYPTO_CRYPTO_H
#define LIB_CRYPTO_CRYPTO_H

#include "lib/base/secret.h"
#include "lib/crypto/algorithm.h"

struct crypto;

/* Fetches and tries every algorithm once.  NULL when OpenSSL is unusable or memory is out. */
struct crypto *crypto_new(void);
void crypto_free(struct crypto *crypto);

/* What instantiates in this provider, tried at crypto_new (R22). */
bool crypto_has_encr(const struct crypto *crypto, enum encr encr);
bool crypto_has_integ(const struct crypto *crypto, enum integ integ);
bool crypto_has_prf(const struct crypto *crypto, enum prf prf);
bool crypto_has_group(const struct crypto *crypto, enum group group);

#define PRF_SIZE_MAX  64
#define KE_PUBLIC_MAX 1024
#define SEAL_ICV_MAX  32

/* prf(key, part | part | ...): writes prf_info(prf)->size octets to `out`.  Keys of any length are
 * taken as RFC 2104, RFC 4434 and RFC 4615 say.  STATUS_OK or STATUS_FAIL. */
MUST_USE enum status crypto_prf(struct crypto *crypto, enum prf prf, struct slice key,
                                const struct slice *parts, size_t part_count, uint8_t *out);

/* prf+(key, part | part | ...), RFC 7296 section 2.13: writes `size` octets, at most 255 times the
 * prf's output.  STATUS_OK or STATUS_FAIL. */
MUST_USE enum status crypto_prf_plus(struct crypto *crypto, enum prf prf, struct slice key,
                                     const struct slice *parts, size_t part_count, uint8_t *out,
                                     size_t size);

/* Key exchange.  `private` is group_info(group)->private_size random octets.
 * Writes public_size octets to `public`. STATUS_OK or STATUS_FAIL. */
MUST_USE enum status crypto_ke_public(struct crypto *crypto, enum group group, struct slice private,
                                      uint8_t *public);

/* g^ir from our private octets and the peer's public value.  STATUS_REJECT when the peer's value
 * has the wrong length (R10) or fails RFC 6989's tests (out of range, not on the curve, all-zero
 * result for the Montgomery curves, RFC 7748 section 6); STATUS_FAIL when OpenSSL fails.
 * What `shared` held is wiped; it is empty unless STATUS_OK. */
MUST_USE enum status crypto_ke_shared(struct crypto *crypto, enum group group, struct slice private,
                                      struct slice peer_public, struct secret *shared);

/*
 * Sealing: the Encrypted payload, RFC 7296 section 3.14 and RFC 5282.
 * `data` is contiguous: associated data (aad_size; for the SK payload from the IKE header to the
 * payload's generic header) | IV (iv_size) | text (text_size, padded to block_size by the caller)
 * | ICV.  For a cipher with integ the MAC covers everything before the ICV.
 */
struct seal_keys {
    enum encr encr;
    enum integ integ;
    struct slice encr_key;  /* encr_info->key_size octets, salt last */
    struct slice integ_key; /* integ_info->key_size octets; empty for an AEAD */
};

/* Octets of ICV on the wire for the pair. */
size_t seal_icv_size(enum encr encr, enum integ integ);

/* Encrypts the text in place and writes the ICV behind it. The IV is already in its place: unique
 * per key for AEAD and CTR, unpredictable for CBC.  STATUS_OK or STATUS_FAIL. */
MUST_USE enum status seal_encrypt(struct crypto *crypto, const struct seal_keys *keys,
                                  uint8_t *data, size_t aad_size, size_t text_size);

/* Verifies the ICV (in constant time, before anything is decrypted) and decrypts the text in
 * place.  STATUS_DROP when it does not verify (an AEAD may have scribbled over the text then; the
 * caller forgets it), STATUS_FAIL when OpenSSL fails. */
MUST_USE enum status seal_decrypt(struct crypto *crypto, const struct seal_keys *keys,
                                  uint8_t *data, size_t aad_size, size_t text_size);

/* SHA-1 of the parts, RFC 7296 section 2.23 (NAT detection): 20 octets.  STATUS_OK, STATUS_FAIL. */
MUST_USE enum status crypto_sha1(struct crypto *crypto, const struct slice *parts,
                                 size_t part_count, uint8_t out[20]);

/* RFC 7296 section 2.15 for a shared secret:
 * prf(prf(psk, "Key Pad for IKEv2"), octets part | part ...) into `out` (prf size octets). */
MUST_USE enum status crypto_psk_auth(struct crypto *crypto, enum prf prf, struct slice psk,
                                     const struct slice *octets, size_t part_count, uint8_t *out);

#endif
