/*
 * The least that a responder's handshake can cost: prints "limit.handshake_cpu N us".
 *
 * That is the cryptography of IKE_SA_INIT and IKE_AUTH (RFC 7296 sections 1.2, 2.14, 2.15, 2.17)
 * with x25519, HMAC-SHA-256, AES-128-GCM and a shared secret, done with OpenSSL alone: methods are
 * fetched before the clock starts.  What iked costs is compared to this.  Not here: lib/crypto.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "test/bench/tools.h"

#define RUNS               15
#define HANDSHAKES_PER_RUN 200

#define HASH_SIZE    32
#define KEY_SIZE     16
#define SALTED_SIZE  (KEY_SIZE + 4)
#define POINT_SIZE   32
#define NONCE_SIZE   32
#define HEADER_SIZE  32  /* of IKE and of the Encrypted payload */
#define MESSAGE_SIZE 300 /* an IKE_SA_INIT message */
#define TEXT_SIZE    220 /* of an IKE_AUTH message: ID, AUTH, SA, two TS, notifies */
#define TAG_SIZE     16

struct work {
    EVP_MAC_CTX *hmac;
    EVP_CIPHER_CTX *gcm;
    EVP_PKEY_CTX *import;
    EVP_PKEY *base_point;
    uint8_t peer[POINT_SIZE];
    uint8_t message[MESSAGE_SIZE];
    uint8_t nonces[2 * NONCE_SIZE];
    uint8_t text[TEXT_SIZE];
};

static void expect(bool ok)
{
    if (ok)
        return;
    fputs("limit: OpenSSL refuses\n", stderr);
    exit(1);
}

static EVP_PKEY *key_import(struct work *work, uint8_t *private, uint8_t *public)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, POINT_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private, POINT_SIZE),
        OSSL_PARAM_construct_end(),
    };

    if (private == NULL)
        parameters[1] = OSSL_PARAM_construct_end();
    expect(EVP_PKEY_fromdata_init(work->import) == 1);
    expect(EVP_PKEY_fromdata(work->import, &key,
                             private == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
                             parameters) == 1);
    return key;
}

static void x25519(EVP_PKEY_CTX *derivation, EVP_PKEY *point, uint8_t out[POINT_SIZE])
{
    size_t size = POINT_SIZE;

    expect(EVP_PKEY_derive_set_peer_ex(derivation, point, 0) == 1);
    expect(EVP_PKEY_derive(derivation, out, &size) == 1);
}

/* Our public value and the shared one. */
static void exchange(struct work *work, uint8_t private[POINT_SIZE], uint8_t public[POINT_SIZE],
                     uint8_t shared[POINT_SIZE])
{
    /* Any public half will do: without one OpenSSL computes it here, at a third exchange's cost. */
    EVP_PKEY *key = key_import(work, private, work->peer);
    EVP_PKEY *peer = key_import(work, NULL, work->peer);
    EVP_PKEY_CTX *derivation = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    expect(derivation != NULL && EVP_PKEY_derive_init(derivation) == 1);
    x25519(derivation, work->base_point, public);
    x25519(derivation, peer, shared);
    EVP_PKEY_CTX_free(derivation);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

/* `key` is NULL where it is the one before. */
static void hmac(struct work *work, const uint8_t *key, const void *a, size_t a_size, const void *b,
                 size_t b_size, uint8_t out[HASH_SIZE])
{
    size_t size;

    expect(EVP_MAC_init(work->hmac, key, key != NULL ? HASH_SIZE : 0, NULL) == 1);
    expect(EVP_MAC_update(work->hmac, a, a_size) == 1);
    expect(EVP_MAC_update(work->hmac, b, b_size) == 1);
    expect(EVP_MAC_final(work->hmac, out, &size, HASH_SIZE) == 1);
}

/* prf+ to whole blocks: `out` has room for them. */
static void hmac_plus(struct work *work, const uint8_t *key, size_t blocks, uint8_t *out)
{
    for (size_t i = 0; i < blocks; i++)
        hmac(work, i == 0 ? key : NULL, out + (i > 0 ? i - 1 : 0) * HASH_SIZE,
             i > 0 ? HASH_SIZE : 0, work->nonces, sizeof(work->nonces), out + i * HASH_SIZE);
}

/* One side's AUTH: its ID under SK_p, then the octets to sign under the padded secret. */
static void authenticate(struct work *work, const uint8_t *sk_p, const uint8_t *padded)
{
    uint8_t maced_id[HASH_SIZE], out[HASH_SIZE];

    hmac(work, sk_p, work->text, 12, NULL, 0, maced_id);
    hmac(work, padded, work->message, sizeof(work->message), maced_id, HASH_SIZE, out);
}

static void crypt_gcm(struct work *work, const uint8_t *key, bool encrypt, uint8_t tag[TAG_SIZE])
{
    uint8_t nonce[12] = {0};
    int size;

    expect(EVP_CipherInit_ex2(work->gcm, NULL, key, nonce, encrypt, NULL) == 1);
    expect(encrypt || EVP_CIPHER_CTX_ctrl(work->gcm, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1);
    expect(EVP_CipherUpdate(work->gcm, NULL, &size, work->message, HEADER_SIZE) == 1);
    expect(EVP_CipherUpdate(work->gcm, work->text, &size, work->text, TEXT_SIZE) == 1);
    expect(EVP_CipherFinal_ex(work->gcm, work->text, &size) == 1);
    expect(!encrypt || EVP_CIPHER_CTX_ctrl(work->gcm, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1);
}

static void handshake(struct work *work, uint32_t number)
{
    uint8_t private[POINT_SIZE] = {(uint8_t)number, (uint8_t)(number >> 8), 1};
    uint8_t public[POINT_SIZE], shared[POINT_SIZE], tag[TAG_SIZE];
    uint8_t skeyseed[HASH_SIZE], padded[HASH_SIZE];
    uint8_t keys[5 * HASH_SIZE]; /* SK_d, SK_pi, SK_pr and two salted keys: 136 octets */
    uint8_t keymat[2 * HASH_SIZE];

    exchange(work, private, public, shared);
    hmac(work, work->nonces, shared, sizeof(shared), NULL, 0, skeyseed);
    hmac_plus(work, skeyseed, sizeof(keys) / HASH_SIZE, keys);
    hmac(work, work->message, "Key Pad for IKEv2", 17, NULL, 0, padded);
    authenticate(work, keys + HASH_SIZE, padded);
    authenticate(work, keys + 2 * HASH_SIZE, padded);
    hmac_plus(work, keys, sizeof(keymat) / HASH_SIZE, keymat);
    /* What is sealed for the reply costs what the request's opening does: the same text serves. */
    crypt_gcm(work, keys + 3 * HASH_SIZE, true, tag);
    crypt_gcm(work, keys + 3 * HASH_SIZE, false, tag);
}

static struct work work_new(void)
{
    struct work work = {.import = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL)};
    OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    uint8_t private[POINT_SIZE] = {7}, base_point[POINT_SIZE] = {9}, none[POINT_SIZE];

    expect(work.import != NULL && mac != NULL && cipher != NULL);
    work.hmac = EVP_MAC_CTX_new(mac);
    work.gcm = EVP_CIPHER_CTX_new();
    expect(EVP_MAC_CTX_set_params(work.hmac, digest) == 1);
    expect(EVP_EncryptInit_ex2(work.gcm, cipher, NULL, NULL, NULL) == 1);
    work.base_point = key_import(&work, NULL, base_point);
    work.peer[0] = 9;
    exchange(&work, private, work.peer, none);
    EVP_MAC_free(mac);
    EVP_CIPHER_free(cipher);
    return work;
}

static void work_free(struct work *work)
{
    EVP_MAC_CTX_free(work->hmac);
    EVP_CIPHER_CTX_free(work->gcm);
    EVP_PKEY_free(work->base_point);
    EVP_PKEY_CTX_free(work->import);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    struct work work = work_new();
    double runs[RUNS];

    for (uint32_t run = 0; run < RUNS; run++) {
        double start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
        for (uint32_t i = 0; i < HANDSHAKES_PER_RUN; i++)
            handshake(&work, run * HANDSHAKES_PER_RUN + i);
        runs[run] = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - start) / HANDSHAKES_PER_RUN;
    }
    work_free(&work);
    qsort(runs, RUNS, sizeof(runs[0]), compare);
    printf("limit.handshake_cpu %.1f us\n", runs[RUNS / 2]);
    return 0;
}
