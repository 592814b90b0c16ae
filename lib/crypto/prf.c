/*
 * prf, prf+, SHA-1 and the shared-secret authenticator: RFC 7296 sections 2.13, 2.15 and 2.23.
 *
 * Not here: which parts go in where (lib/ikev2), the keyed hashes themselves (mac.c).
 */
#include "lib/crypto/provider.h"

#include <string.h>

static const enum mac_id prf_macs[PRF_COUNT] = {
    [PRF_HMAC_SHA1] = MAC_HMAC_SHA1,     [PRF_HMAC_SHA256] = MAC_HMAC_SHA256,
    [PRF_HMAC_SHA384] = MAC_HMAC_SHA384, [PRF_HMAC_SHA512] = MAC_HMAC_SHA512,
    [PRF_AES128_XCBC] = MAC_AES_XCBC,    [PRF_AES128_CMAC] = MAC_AES_CMAC,
};

enum mac_id mac_of_prf(enum prf prf)
{
    return prf_info(prf) != NULL ? prf_macs[prf] : MAC_NONE;
}

enum status crypto_prf(struct crypto *crypto, enum prf prf, struct slice key,
                       const struct slice *parts, size_t part_count, uint8_t *out)
{
    struct mac *mac = crypto_mac(crypto, mac_of_prf(prf));

    return crypto_outcome(mac != NULL && mac_once(mac, key, parts, part_count, out));
}

/* T(n) = prf(K, T(n-1) | S | n); the count is one octet. */
#define PRF_PLUS_BLOCKS_MAX 255

enum status crypto_prf_plus(struct crypto *crypto, enum prf prf, struct slice key,
                            const struct slice *parts, size_t part_count, uint8_t *out, size_t size)
{
    struct mac *mac = crypto_mac(crypto, mac_of_prf(prf));
    uint8_t block[PRF_SIZE_MAX];
    uint8_t count = 0;
    bool ok = mac != NULL && size <= PRF_PLUS_BLOCKS_MAX * mac->size;

    if (!ok)
        return crypto_outcome(false);
    mac_key(mac, key);
    for (size_t at = 0; ok && at < size; at += mac->size) {
        size_t left = size - at;
        mac_start(mac);
        if (count > 0)
            mac_update(mac, slice_of(block, mac->size));
        for (size_t i = 0; i < part_count; i++)
            mac_update(mac, parts[i]);
        count++;
        mac_update(mac, slice_of(&count, 1));
        ok = mac_finish(mac, block);
        memcpy(out + at, block, left < mac->size ? left : mac->size);
    }
    mac_forget(mac);
    secret_wipe(block, sizeof(block));
    return crypto_outcome(ok);
}

enum status crypto_psk_auth(struct crypto *crypto, enum prf prf, struct slice psk,
                            const struct slice *octets, size_t part_count, uint8_t *out)
{
    struct mac *mac = crypto_mac(crypto, mac_of_prf(prf));
    struct slice pad = slice_text("Key Pad for IKEv2");
    uint8_t key[PRF_SIZE_MAX];

    bool ok = mac != NULL && mac_once(mac, psk, &pad, 1, key) &&
              mac_once(mac, slice_of(key, mac->size), octets, part_count, out);
    secret_wipe(key, sizeof(key));
    return crypto_outcome(ok);
}

enum status crypto_sha1(struct crypto *crypto, const struct slice *parts, size_t part_count,
                        uint8_t out[20])
{
    EVP_MD_CTX *hash = crypto->sha1;
    bool ok = hash != NULL && EVP_DigestInit_ex2(hash, EVP_MD_CTX_get0_md(hash), NULL) == 1;

    for (size_t i = 0; ok && i < part_count; i++)
        ok = EVP_DigestUpdate(hash, parts[i].data, parts[i].size) == 1;
    return crypto_outcome(ok && EVP_DigestFinal_ex(hash, out, NULL) == 1);
}
