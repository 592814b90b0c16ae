/*
 * What lib/crypto's files share: the work contexts of a struct crypto.
 *
 * Contexts are made once and keyed anew for each use, because fetching and allocating costs more
 * than a prf does.  A context remembers its last key until its next use or crypto_free.
 * Not for other rooms: they include crypto.h.
 */
#ifndef LIB_CRYPTO_PROVIDER_H
#define LIB_CRYPTO_PROVIDER_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "lib/crypto/crypto.h"

/* --- keyed hashes (mac.c) --- */

enum mac_id {
    MAC_NONE = 0,
    MAC_HMAC_SHA1,
    MAC_HMAC_SHA256,
    MAC_HMAC_SHA384,
    MAC_HMAC_SHA512,
    MAC_AES_XCBC,
    MAC_AES_CMAC,
    MAC_COUNT
};

#define HASH_BLOCK_MAX 128
#define AES_BLOCK_SIZE 16

/* RFC 2104: both pads are kept, as hashing them again is cheaper than copying a context. */
struct hmac {
    EVP_MD_CTX *hash;
    size_t block_size;
    uint8_t inner_pad[HASH_BLOCK_MAX];
    uint8_t outer_pad[HASH_BLOCK_MAX];
};

/* AES-XCBC and AES-CMAC: CBC-MAC whose last block is masked. */
struct cbc_mac {
    EVP_CIPHER_CTX *aes;
    uint8_t mask_whole[AES_BLOCK_SIZE];
    uint8_t mask_padded[AES_BLOCK_SIZE];
    uint8_t chain[AES_BLOCK_SIZE];
    uint8_t held[AES_BLOCK_SIZE]; /* the newest block: it may be the last */
    size_t held_size;
};

struct mac {
    const struct mac_row *row; /* NULL: the provider lacks it */
    size_t size;               /* octets of output */
    bool failed;               /* sticky from mac_key to mac_finish */
    union {
        struct hmac hmac;
        struct cbc_mac cbc;
    };
};

/* Makes and tries it; false when the provider lacks it (nothing is then held). */
bool mac_open(struct mac *mac, enum mac_id id);
void mac_close(struct mac *mac);

/* Takes a key of any length, then mac_start | mac_update... | mac_finish as often as wanted, then
 * mac_forget. mac_finish writes mac->size octets; false when anything since mac_key failed. */
void mac_key(struct mac *mac, struct slice key);
void mac_start(struct mac *mac);
void mac_update(struct mac *mac, struct slice bytes);
bool mac_finish(struct mac *mac, uint8_t *out);
void mac_forget(struct mac *mac);

/* All of that for one message. */
bool mac_once(struct mac *mac, struct slice key, const struct slice *parts, size_t part_count,
              uint8_t *out);

/* --- key exchange (ke.c) --- */

struct modp {
    BIGNUM *prime;
    BIGNUM *prime_less_one;
    BN_MONT_CTX *montgomery;
};

struct ecp {
    EC_GROUP *curve;
    EC_POINT *point; /* work */
};

struct montgomery {
    EVP_PKEY_CTX *import;
    EVP_PKEY *base_point;
    EVP_PKEY *peer; /* of whoever came last */
};

struct ke {
    const struct ke_row *row;       /* NULL: the provider lacks it */
    const struct group_info *group; /* its sizes */
    BN_CTX *numbers;                /* the crypto's */
    union {
        struct modp modp;
        struct ecp ecp;
        struct montgomery montgomery;
    };
};

bool ke_open(struct ke *ke, enum group group, BN_CTX *numbers);
void ke_close(struct ke *ke);

/* --- ciphers (seal.c) --- */

/* A context with all but key and nonce set; NULL when the provider lacks the cipher. */
EVP_CIPHER_CTX *cipher_open(enum encr encr);

/* --- all of it (provider.c) --- */

struct crypto {
    struct mac macs[MAC_COUNT];
    struct ke exchanges[GROUP_COUNT];
    EVP_CIPHER_CTX *ciphers[ENCR_COUNT];
    EVP_MD_CTX *sha1; /* NULL: the provider lacks it */
    BN_CTX *numbers;
};

/* What an algorithm is computed with; MAC_NONE for none (prf.c, seal.c). */
enum mac_id mac_of_prf(enum prf prf);
enum mac_id mac_of_integ(enum integ integ);

/* NULL when the provider lacks it, and for MAC_NONE. */
struct mac *crypto_mac(struct crypto *crypto, enum mac_id id);

/* STATUS_OK, or STATUS_FAIL and OpenSSL's queue of errors emptied. */
enum status crypto_outcome(bool ok);

#endif
