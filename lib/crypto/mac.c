/*
 * HMAC (RFC 2104), AES-XCBC-MAC (RFC 3566) and AES-CMAC (NIST SP 800-38B) over EVP.
 *
 * HMAC is put together here from EVP_MD because keying OpenSSL's EVP_MAC costs as much again as
 * the whole HMAC of a short message.  OpenSSL has no XCBC; CMAC differs from it in its subkeys.
 * Not here: truncation (seal.c), what a prf's keys mean to IKE (prf.c).
 */
#include "lib/crypto/provider.h"

#include <string.h>

#include "lib/base/reader.h"

struct mac_row {
    const char *algorithm; /* OpenSSL's name of what it is built on */
    bool (*open)(struct mac *mac);
    void (*close)(struct mac *mac);
    void (*key)(struct mac *mac, struct slice key);
    void (*start)(struct mac *mac);
    void (*update)(struct mac *mac, struct slice bytes);
    void (*finish)(struct mac *mac, uint8_t *out);
    void (*forget)(struct mac *mac);
    void (*derive)(struct mac *mac, const uint8_t key[AES_BLOCK_SIZE]); /* CBC: subkeys */
    bool pads_short_keys;                                               /* CBC: RFC 4434 */
};

static void mac_expect(struct mac *mac, bool ok)
{
    mac->failed |= !ok;
}

static void xor_block(uint8_t *to, const uint8_t *with, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] ^= with[i];
}

/* --- HMAC --- */

static bool hmac_open(struct mac *mac)
{
    struct hmac *hmac = &mac->hmac;
    EVP_MD *digest = EVP_MD_fetch(NULL, mac->row->algorithm, NULL);

    hmac->hash = EVP_MD_CTX_new();
    bool ok =
        digest != NULL && hmac->hash != NULL && EVP_DigestInit_ex2(hmac->hash, digest, NULL) == 1;
    if (ok) {
        hmac->block_size = (size_t)EVP_MD_get_block_size(digest);
        mac->size = (size_t)EVP_MD_get_size(digest);
        ok = hmac->block_size <= HASH_BLOCK_MAX && mac->size <= PRF_SIZE_MAX;
    }
    EVP_MD_free(digest);
    return ok;
}

static void hmac_close(struct mac *mac)
{
    EVP_MD_CTX_free(mac->hmac.hash);
}

static void hash_start(struct mac *mac)
{
    EVP_MD_CTX *hash = mac->hmac.hash;

    mac_expect(mac, EVP_DigestInit_ex2(hash, EVP_MD_CTX_get0_md(hash), NULL) == 1);
}

static void hash_update(struct mac *mac, struct slice bytes)
{
    mac_expect(mac, EVP_DigestUpdate(mac->hmac.hash, bytes.data, bytes.size) == 1);
}

static void hash_finish(struct mac *mac, uint8_t *out)
{
    mac_expect(mac, EVP_DigestFinal_ex(mac->hmac.hash, out, NULL) == 1);
}

static void hmac_key(struct mac *mac, struct slice key)
{
    struct hmac *hmac = &mac->hmac;
    uint8_t hashed[PRF_SIZE_MAX];

    if (key.size > hmac->block_size) {
        hash_start(mac);
        hash_update(mac, key);
        hash_finish(mac, hashed);
        key = slice_of(hashed, mac->size);
    }
    memset(hmac->inner_pad, 0x36, hmac->block_size);
    memset(hmac->outer_pad, 0x5c, hmac->block_size);
    xor_block(hmac->inner_pad, key.data, key.size);
    xor_block(hmac->outer_pad, key.data, key.size);
    secret_wipe(hashed, sizeof(hashed));
}

static void hmac_start(struct mac *mac)
{
    hash_start(mac);
    hash_update(mac, slice_of(mac->hmac.inner_pad, mac->hmac.block_size));
}

static void hmac_finish(struct mac *mac, uint8_t *out)
{
    hash_finish(mac, out);
    hash_start(mac);
    hash_update(mac, slice_of(mac->hmac.outer_pad, mac->hmac.block_size));
    hash_update(mac, slice_of(out, mac->size));
    hash_finish(mac, out);
}

static void hmac_forget(struct mac *mac)
{
    secret_wipe(mac->hmac.inner_pad, mac->hmac.block_size);
    secret_wipe(mac->hmac.outer_pad, mac->hmac.block_size);
}

/* --- CBC-MAC with masks --- */

static bool cbc_open(struct mac *mac)
{
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, mac->row->algorithm, NULL);

    mac->cbc.aes = EVP_CIPHER_CTX_new();
    bool ok = aes != NULL && mac->cbc.aes != NULL &&
              EVP_EncryptInit_ex2(mac->cbc.aes, aes, NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(mac->cbc.aes, 0) == 1;
    mac->size = AES_BLOCK_SIZE;
    EVP_CIPHER_free(aes);
    return ok;
}

static void cbc_close(struct mac *mac)
{
    EVP_CIPHER_CTX_free(mac->cbc.aes);
}

static void aes_key(struct mac *mac, const uint8_t key[AES_BLOCK_SIZE])
{
    mac_expect(mac, EVP_EncryptInit_ex2(mac->cbc.aes, NULL, key, NULL, NULL) == 1);
}

/* Encrypts one block in place. */
static void aes_block(struct mac *mac, uint8_t block[AES_BLOCK_SIZE])
{
    int size;

    mac_expect(mac, EVP_EncryptUpdate(mac->cbc.aes, block, &size, block, AES_BLOCK_SIZE) == 1);
}

/* RFC 3566 section 4 step 1. */
static void xcbc_derive(struct mac *mac, const uint8_t key[AES_BLOCK_SIZE])
{
    struct cbc_mac *cbc = &mac->cbc;
    uint8_t chain_key[AES_BLOCK_SIZE];

    memset(chain_key, 1, AES_BLOCK_SIZE);
    memset(cbc->mask_whole, 2, AES_BLOCK_SIZE);
    memset(cbc->mask_padded, 3, AES_BLOCK_SIZE);
    aes_key(mac, key);
    aes_block(mac, chain_key);
    aes_block(mac, cbc->mask_whole);
    aes_block(mac, cbc->mask_padded);
    aes_key(mac, chain_key);
    secret_wipe(chain_key, sizeof(chain_key));
}

/* Times x in GF(2^128), SP 800-38B section 6.1, without a branch on the secret. */
static void block_double(uint8_t to[AES_BLOCK_SIZE], const uint8_t from[AES_BLOCK_SIZE])
{
    uint8_t carry = from[0] >> 7;

    for (size_t i = 0; i + 1 < AES_BLOCK_SIZE; i++)
        to[i] = (uint8_t)(from[i] << 1 | from[i + 1] >> 7);
    to[AES_BLOCK_SIZE - 1] = (uint8_t)(from[AES_BLOCK_SIZE - 1] << 1 ^ carry * 0x87);
}

static void cmac_derive(struct mac *mac, const uint8_t key[AES_BLOCK_SIZE])
{
    struct cbc_mac *cbc = &mac->cbc;
    uint8_t zero[AES_BLOCK_SIZE] = {0};

    aes_key(mac, key);
    aes_block(mac, zero);
    block_double(cbc->mask_whole, zero);
    block_double(cbc->mask_padded, cbc->mask_whole);
    secret_wipe(zero, sizeof(zero));
}

static void cbc_start(struct mac *mac)
{
    memset(mac->cbc.chain, 0, AES_BLOCK_SIZE);
    mac->cbc.held_size = 0;
}

static void cbc_absorb(struct mac *mac)
{
    struct cbc_mac *cbc = &mac->cbc;

    xor_block(cbc->chain, cbc->held, AES_BLOCK_SIZE);
    aes_block(mac, cbc->chain);
    cbc->held_size = 0;
}

static void cbc_update(struct mac *mac, struct slice bytes)
{
    struct cbc_mac *cbc = &mac->cbc;
    struct reader reader = reader_of(bytes);

    while (reader_left(&reader) > 0) {
        if (cbc->held_size == AES_BLOCK_SIZE)
            cbc_absorb(mac);
        size_t room = AES_BLOCK_SIZE - cbc->held_size;
        size_t size = reader_left(&reader) < room ? reader_left(&reader) : room;
        reader_copy(&reader, cbc->held + cbc->held_size, size);
        cbc->held_size += size;
    }
}

static void cbc_finish(struct mac *mac, uint8_t *out)
{
    struct cbc_mac *cbc = &mac->cbc;

    if (cbc->held_size == AES_BLOCK_SIZE) {
        xor_block(cbc->held, cbc->mask_whole, AES_BLOCK_SIZE);
    } else {
        cbc->held[cbc->held_size] = 0x80;
        memset(cbc->held + cbc->held_size + 1, 0, AES_BLOCK_SIZE - 1 - cbc->held_size);
        xor_block(cbc->held, cbc->mask_padded, AES_BLOCK_SIZE);
    }
    cbc_absorb(mac);
    memcpy(out, cbc->chain, AES_BLOCK_SIZE);
}

/* A key that is not 16 octets long becomes the MAC of itself under a zero key (RFC 4434 section 2,
 * RFC 4615 section 3), except that XCBC fills up short ones with zeroes. */
static void cbc_key(struct mac *mac, struct slice key)
{
    uint8_t fitted[AES_BLOCK_SIZE] = {0};

    if (key.size == AES_BLOCK_SIZE || (key.size < AES_BLOCK_SIZE && mac->row->pads_short_keys)) {
        struct reader reader = reader_of(key);
        reader_copy(&reader, fitted, key.size);
    } else {
        mac->row->derive(mac, fitted);
        cbc_start(mac);
        cbc_update(mac, key);
        cbc_finish(mac, fitted);
    }
    mac->row->derive(mac, fitted);
    secret_wipe(fitted, sizeof(fitted));
}

static void cbc_forget(struct mac *mac)
{
    struct cbc_mac *cbc = &mac->cbc;

    secret_wipe(cbc->mask_whole, AES_BLOCK_SIZE);
    secret_wipe(cbc->mask_padded, AES_BLOCK_SIZE);
}

/* --- what the other files see --- */

#define HMAC(digest)                                                                             \
    {                                                                                            \
        .algorithm = (digest), .open = hmac_open, .close = hmac_close, .key = hmac_key,          \
        .start = hmac_start, .update = hash_update, .finish = hmac_finish, .forget = hmac_forget \
    }
#define CBC_MAC(subkeys, pads)                                                                \
    {                                                                                         \
        .algorithm = "AES-128-ECB", .open = cbc_open, .close = cbc_close, .key = cbc_key,     \
        .start = cbc_start, .update = cbc_update, .finish = cbc_finish, .forget = cbc_forget, \
        .derive = (subkeys), .pads_short_keys = (pads)                                        \
    }

static const struct mac_row rows[MAC_COUNT] = {
    [MAC_HMAC_SHA1] = HMAC("SHA1"),
    [MAC_HMAC_SHA256] = HMAC("SHA256"),
    [MAC_HMAC_SHA384] = HMAC("SHA384"),
    [MAC_HMAC_SHA512] = HMAC("SHA512"),
    [MAC_AES_XCBC] = CBC_MAC(xcbc_derive, true),
    [MAC_AES_CMAC] = CBC_MAC(cmac_derive, false),
};

bool mac_open(struct mac *mac, enum mac_id id)
{
    uint8_t out[PRF_SIZE_MAX];

    *mac = (struct mac){.row = &rows[id]};
    if (mac->row->open(mac) && mac_once(mac, slice_of(NULL, 0), NULL, 0, out))
        return true;
    mac_close(mac);
    return false;
}

void mac_close(struct mac *mac)
{
    if (mac->row != NULL)
        mac->row->close(mac);
    secret_wipe(mac, sizeof(*mac));
}

void mac_key(struct mac *mac, struct slice key)
{
    mac->failed = false;
    mac->row->key(mac, key);
}

void mac_start(struct mac *mac)
{
    mac->row->start(mac);
}

void mac_update(struct mac *mac, struct slice bytes)
{
    mac->row->update(mac, bytes);
}

bool mac_finish(struct mac *mac, uint8_t *out)
{
    mac->row->finish(mac, out);
    return !mac->failed;
}

void mac_forget(struct mac *mac)
{
    mac->row->forget(mac);
}

bool mac_once(struct mac *mac, struct slice key, const struct slice *parts, size_t part_count,
              uint8_t *out)
{
    mac_key(mac, key);
    mac_start(mac);
    for (size_t i = 0; i < part_count; i++)
        mac_update(mac, parts[i]);
    bool ok = mac_finish(mac, out);
    mac_forget(mac);
    return ok;
}
