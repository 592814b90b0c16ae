/*
 * Sealing and opening of the Encrypted payload: RFC 7296 section 3.14, RFC 5282 (AES-GCM and
 * AES-CCM), RFC 5930 (AES-CTR) and RFC 7634 (ChaCha20-Poly1305).
 *
 * Not here: padding, payload headers and fragments (lib/wire), where the IV comes from.
 */
#include "lib/crypto/provider.h"

#include <limits.h>
#include <string.h>

#include "lib/base/reader.h"
#include "lib/base/writer.h"

#define NONCE_MAX 16

/* OpenSSL's names.  Each row gets a context of its own: then AES-CCM's tag length, which comes
 * before the key, is set once. */
#define AES_ROWS(mode, suffix)                                                          \
    [ENCR_AES128_##suffix] = "AES-128-" mode, [ENCR_AES192_##suffix] = "AES-192-" mode, \
    [ENCR_AES256_##suffix] = "AES-256-" mode

static const char *const cipher_names[ENCR_COUNT] = {
    [ENCR_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    AES_ROWS("CBC", CBC),
    AES_ROWS("CTR", CTR),
    AES_ROWS("GCM", GCM8),
    AES_ROWS("GCM", GCM12),
    AES_ROWS("GCM", GCM16),
    AES_ROWS("CCM", CCM8),
    AES_ROWS("CCM", CCM12),
    AES_ROWS("CCM", CCM16),
};

static const enum mac_id integ_macs[INTEG_COUNT] = {
    [INTEG_HMAC_SHA1_96] = MAC_HMAC_SHA1,      [INTEG_HMAC_SHA256_128] = MAC_HMAC_SHA256,
    [INTEG_HMAC_SHA384_192] = MAC_HMAC_SHA384, [INTEG_HMAC_SHA512_256] = MAC_HMAC_SHA512,
    [INTEG_AES_XCBC_96] = MAC_AES_XCBC,        [INTEG_AES_CMAC_96] = MAC_AES_CMAC,
};

enum mac_id mac_of_integ(enum integ integ)
{
    return integ_info(integ) != NULL ? integ_macs[integ] : MAC_NONE;
}

/* One message's way through a cipher, cut out of the caller's memory. */
struct seal {
    EVP_CIPHER_CTX *cipher;
    struct mac *mac; /* NULL for an AEAD */
    struct slice key;
    struct slice integ_key;
    uint8_t nonce[NONCE_MAX];
    bool ccm;
    struct slice aad;
    struct slice authenticated; /* by the MAC */
    uint8_t *text;
    int text_size;
    uint8_t *icv;
    size_t icv_size;
};

/* The tag's size counts before the key for AES-CCM; its nonce is 11 octets (RFC 5282 section 4). */
static bool ccm_prepare(EVP_CIPHER_CTX *cipher, const struct encr_info *info)
{
    return EVP_EncryptInit_ex2(cipher, NULL, NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_IVLEN, info->salt_size + info->iv_size,
                               NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, info->icv_size, NULL) == 1;
}

static bool cipher_is_ccm(const EVP_CIPHER_CTX *cipher)
{
    return EVP_CIPHER_CTX_get_mode(cipher) == EVP_CIPH_CCM_MODE;
}

EVP_CIPHER_CTX *cipher_open(enum encr encr)
{
    const char *name = cipher_names[encr];
    EVP_CIPHER *method = name != NULL ? EVP_CIPHER_fetch(NULL, name, NULL) : NULL;

    if (method == NULL)
        return NULL;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    bool ok = cipher != NULL && EVP_EncryptInit_ex2(cipher, method, NULL, NULL, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(cipher, 0) == 1 &&
              (!cipher_is_ccm(cipher) || ccm_prepare(cipher, encr_info(encr)));
    EVP_CIPHER_free(method);
    if (ok)
        return cipher;
    EVP_CIPHER_CTX_free(cipher);
    return NULL;
}

size_t seal_icv_size(enum encr encr, enum integ integ)
{
    if (encr_is_aead(encr))
        return encr_info(encr)->icv_size;
    return integ_info(integ) != NULL ? integ_info(integ)->icv_size : 0;
}

/* Salt | IV, and for counter mode the counter's first value (RFC 3686 section 4, RFC 5930). */
static void seal_nonce(struct seal *seal, struct slice salt, struct slice iv)
{
    struct writer writer = writer_of(seal->nonce, sizeof(seal->nonce));

    writer_bytes(&writer, salt);
    writer_bytes(&writer, iv);
    if (EVP_CIPHER_CTX_get_mode(seal->cipher) == EVP_CIPH_CTR_MODE)
        writer_u32(&writer, 1);
}

/* False when keys and algorithms do not fit each other, or the provider lacks one. */
static bool seal_prepare(struct seal *seal, struct crypto *crypto, const struct seal_keys *keys,
                         uint8_t *data, size_t aad_size, size_t text_size)
{
    const struct encr_info *encr = encr_info(keys->encr);
    const struct integ_info *integ = integ_info(keys->integ);

    if (encr == NULL || crypto->ciphers[keys->encr] == NULL ||
        keys->encr_key.size != encr->key_size || encr_is_aead(keys->encr) != (integ == NULL) ||
        aad_size > INT_MAX || text_size > INT_MAX)
        return false;
    size_t text_at = aad_size + encr->iv_size;
    struct reader key = reader_of(keys->encr_key);
    struct reader reader = reader_of(slice_of(data, text_at));
    *seal = (struct seal){
        .cipher = crypto->ciphers[keys->encr],
        .mac = crypto_mac(crypto, mac_of_integ(keys->integ)),
        .key = reader_bytes(&key, encr->key_size - (size_t)encr->salt_size),
        .integ_key = keys->integ_key,
        .ccm = cipher_is_ccm(crypto->ciphers[keys->encr]),
        .aad = reader_bytes(&reader, aad_size),
        .authenticated = slice_of(data, text_at + text_size),
        .text = data + text_at,
        .text_size = (int)text_size,
        .icv = data + text_at + text_size,
        .icv_size = seal_icv_size(keys->encr, keys->integ),
    };
    seal_nonce(seal, reader_rest(&key), reader_rest(&reader));
    return integ == NULL || (seal->mac != NULL && keys->integ_key.size == integ->key_size);
}

static bool seal_start(struct seal *seal, bool encrypt)
{
    return EVP_CipherInit_ex2(seal->cipher, NULL, seal->key.data, seal->nonce, encrypt, NULL) == 1;
}

/* The text of a cipher that needs a MAC beside it. */
static bool seal_crypt(struct seal *seal, bool encrypt)
{
    int size;

    return seal_start(seal, encrypt) &&
           EVP_CipherUpdate(seal->cipher, seal->text, &size, seal->text, seal->text_size) == 1 &&
           size == seal->text_size;
}

/* Everything of an AEAD but its tag. */
static bool seal_crypt_aead(struct seal *seal)
{
    int size;

    return (!seal->ccm ||
            EVP_CipherUpdate(seal->cipher, NULL, &size, NULL, seal->text_size) == 1) &&
           EVP_CipherUpdate(seal->cipher, NULL, &size, seal->aad.data, (int)seal->aad.size) == 1 &&
           EVP_CipherUpdate(seal->cipher, seal->text, &size, seal->text, seal->text_size) == 1 &&
           EVP_CipherFinal_ex(seal->cipher, seal->text, &size) == 1;
}

static bool seal_tag(struct seal *seal, int direction, uint8_t *tag)
{
    return EVP_CIPHER_CTX_ctrl(seal->cipher, direction, (int)seal->icv_size, tag) == 1;
}

static bool seal_mac(struct seal *seal, uint8_t *out)
{
    return mac_once(seal->mac, seal->integ_key, &seal->authenticated, 1, out);
}

enum status seal_encrypt(struct crypto *crypto, const struct seal_keys *keys, uint8_t *data,
                         size_t aad_size, size_t text_size)
{
    struct seal seal;
    uint8_t mac[PRF_SIZE_MAX];

    if (!seal_prepare(&seal, crypto, keys, data, aad_size, text_size))
        return STATUS_FAIL;
    if (seal.mac == NULL)
        return crypto_outcome(seal_start(&seal, true) && seal_crypt_aead(&seal) &&
                              seal_tag(&seal, EVP_CTRL_AEAD_GET_TAG, seal.icv));
    bool ok = seal_crypt(&seal, true) && seal_mac(&seal, mac);
    if (ok)
        memcpy(seal.icv, mac, seal.icv_size);
    return crypto_outcome(ok);
}

static enum status open_aead(struct seal *seal)
{
    if (!seal_start(seal, false) || !seal_tag(seal, EVP_CTRL_AEAD_SET_TAG, seal->icv))
        return crypto_outcome(false);
    return crypto_outcome(seal_crypt_aead(seal)) == STATUS_OK ? STATUS_OK : STATUS_DROP;
}

enum status seal_decrypt(struct crypto *crypto, const struct seal_keys *keys, uint8_t *data,
                         size_t aad_size, size_t text_size)
{
    struct seal seal;
    uint8_t mac[PRF_SIZE_MAX];

    if (!seal_prepare(&seal, crypto, keys, data, aad_size, text_size))
        return STATUS_FAIL;
    if (text_size % encr_info(keys->encr)->block_size != 0)
        return STATUS_DROP;
    if (seal.mac == NULL)
        return open_aead(&seal);
    if (!seal_mac(&seal, mac))
        return crypto_outcome(false);
    if (!secret_equal(slice_of(mac, seal.icv_size), slice_of(seal.icv, seal.icv_size)))
        return STATUS_DROP;
    return crypto_outcome(seal_crypt(&seal, false));
}
