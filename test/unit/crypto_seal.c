/*
 * Sealing: published vectors (RFC 3602, 3686, 7634, McGrew and Viega's for GCM), CCM against its
 * definition in RFC 3610, round trips and forgeries for every pair of algorithms.
 */
#include "lib/crypto/crypto.h"

#include <string.h>

#include <openssl/evp.h>

#include "lib/base/writer.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define MESSAGE_MAX 4096

/* A message on its way: associated data | IV | text | ICV. */
struct message {
    struct seal_keys keys;
    size_t aad_size;
    size_t text_size;
    size_t size;
    uint8_t data[MESSAGE_MAX];
};

static size_t iv_size(const struct message *message)
{
    return encr_info(message->keys.encr)->iv_size;
}

static struct slice message_text(const struct message *message)
{
    return slice_of(message->data + message->aad_size + iv_size(message), message->text_size);
}

static struct slice message_icv(const struct message *message)
{
    size_t icv_size = seal_icv_size(message->keys.encr, message->keys.integ);

    return slice_of(message->data + message->size - icv_size, icv_size);
}

static struct message message_of(struct seal_keys keys, struct slice aad, struct slice iv,
                                 struct slice text)
{
    struct message message = {.keys = keys, .aad_size = aad.size, .text_size = text.size};
    struct writer writer = writer_of(message.data, sizeof(message.data));

    assert_int_equal(iv.size, iv_size(&message));
    writer_bytes(&writer, aad);
    writer_bytes(&writer, iv);
    writer_bytes(&writer, text);
    writer_reserve(&writer, seal_icv_size(keys.encr, keys.integ));
    assert_true(writer_ok(&writer));
    message.size = writer.size;
    return message;
}

static enum status message_seal(struct message *message)
{
    return seal_encrypt(crypto, &message->keys, message->data, message->aad_size,
                        message->text_size);
}

static enum status message_open(struct message *message)
{
    return seal_decrypt(crypto, &message->keys, message->data, message->aad_size,
                        message->text_size);
}

static struct seal_keys keys_for(enum encr encr, enum integ integ)
{
    const struct integ_info *info = integ_info(integ);

    return (struct seal_keys){
        .encr = encr,
        .integ = integ,
        .encr_key = bytes_fill(0xe1, encr_info(encr)->key_size),
        .integ_key = bytes_fill(0xa1, info != NULL ? info->key_size : 0),
    };
}

/* --- vectors --- */

struct vector {
    enum encr encr;
    const char *key; /* with the salt behind it */
    const char *iv;
    const char *aad;
    const char *text;
    const char *sealed; /* text, and for an AEAD its ICV */
};

#define TEXT_16 "000102030405060708090a0b0c0d0e0f"
#define TEXT_32 TEXT_16 "101112131415161718191a1b1c1d1e1f"
#define TEXT_36 TEXT_32 "20212223"
#define SINGLE  "53696e676c6520626c6f636b206d7367"
#define ICMP                                                                   \
    "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec1000073627" \
    "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"         \
    "28292a2b2c2d2e2f303132333435363701020204"
#define GCM_KEY  "feffe9928665731c6d6a8f9467308308"
#define GCM_KEY2 GCM_KEY "feffe9928665731c"
#define GCM_SALT "cafebabe"
#define GCM_IV   "facedbaddecaf888"
#define GCM_AAD  "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_TEXT                                                       \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_128                                                        \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" \
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
#define GCM_192                                                        \
    "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c" \
    "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710"
#define GCM_256                                                        \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" \
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define CHACHA_KEY "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3"

static const struct vector vectors[] = {
    /* RFC 3602 section 4 */
    {ENCR_AES128_CBC, "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", "",
     SINGLE, "e353779c1079aeb82708942dbe77181a"},
    {ENCR_AES128_CBC, "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58", "",
     TEXT_32, "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
    {ENCR_AES128_CBC, "56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9", "",
     "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
     "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
     "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e"
     "35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55"},
    /* RFC 3686 section 6 */
    {ENCR_AES128_CTR, "ae6852f8121067cc4bf7a5765577f39e00000030", "0000000000000000", "", SINGLE,
     "e4095d4fb7a7b3792d6175a3261311b8"},
    {ENCR_AES128_CTR, "7e24067817fae0d743d6ce1f32539163006cb6db", "c0543b59da48d90b", "", TEXT_32,
     "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"},
    {ENCR_AES128_CTR, "7691be035e5020a8ac6e618529f9a0dc00e0017b", "27777f3f4a1786f0", "", TEXT_36,
     "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
    {ENCR_AES192_CTR, "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048",
     "36733c147d6d93cb", "", SINGLE, "4b55384fe259c9c84e7935a003cbe928"},
    {ENCR_AES192_CTR, "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd",
     "5cbd60278dcc0912", "", TEXT_36,
     "96893fc55e5c722f540b7dd1ddf7e758d288bc95c691658845 36c811662f2188abee0935"},
    {ENCR_AES256_CTR, "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
     "db5672c97aa8f0b2", "", SINGLE, "145ad01dbf824ec7560863dc71e3e0c0"},
    {ENCR_AES256_CTR, "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7",
     "51a51d70a1c11148", "", TEXT_36,
     "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
    /* McGrew and Viega, The Galois/Counter Mode of Operation, appendix B: cases 4, 10 and 16 */
    {ENCR_AES128_GCM16, GCM_KEY GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT,
     GCM_128 "5bc94fbc3221a5db94fae95ae7121a47"},
    {ENCR_AES192_GCM16, GCM_KEY2 GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT,
     GCM_192 "2519498e80f1478f37ba55bd6d27618c"},
    {ENCR_AES256_GCM16, GCM_KEY GCM_KEY GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT,
     GCM_256 "76fc6ece0f4e1768cddf8853bb2d551b"},
    /* RFC 4106 section 6: the same tags, cut */
    {ENCR_AES128_GCM12, GCM_KEY GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT,
     GCM_128 "5bc94fbc3221a5db94fae95a"},
    {ENCR_AES128_GCM8, GCM_KEY GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT, GCM_128 "5bc94fbc3221a5db"},
    {ENCR_AES256_GCM8, GCM_KEY GCM_KEY GCM_SALT, GCM_IV, GCM_AAD, GCM_TEXT,
     GCM_256 "76fc6ece0f4e1768"},
    /* RFC 7634 appendix A (ESP) and B (IKEv2) */
    {ENCR_CHACHA20_POLY1305, CHACHA_KEY, "1011121314151617", "0102030400000005", ICMP,
     "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
     "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
     "cbec163fac469b502773f6fb94e664da9165b82829f641e0"
     "76aaa8266b7fb0f7b11b369907e1ad43"},
    {ENCR_CHACHA20_POLY1305, CHACHA_KEY, "1011121314151617",
     "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029",
     "0000000c000040010000000a00", "610394701f8d017f7c12924889 6b71bfe25236efd7cdc67066906315b2"},
};

static void seals_and_opens_published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *vector = &vectors[i];
        struct seal_keys keys =
            keys_for(vector->encr, encr_is_aead(vector->encr) ? INTEG_NONE : INTEG_HMAC_SHA256_128);
        keys.encr_key = bytes_hex(vector->key);
        struct message message = message_of(keys, bytes_hex(vector->aad), bytes_hex(vector->iv),
                                            bytes_hex(vector->text));
        struct slice sealed = bytes_hex(vector->sealed);
        assert_int_equal(message_seal(&message), STATUS_OK);
        assert_slices(slice_of(message_text(&message).data, sealed.size), sealed);
        assert_int_equal(message_open(&message), STATUS_OK);
        assert_bytes(message_text(&message), vector->text);
    }
}

/* RFC 7296 section 3.14: the MAC covers all from the header to the end of the ciphertext, and the
 * wire carries its first octets. */
static void mac_covers_everything_before_it(void **state)
{
    static const struct {
        enum integ integ;
        enum prf prf;
    } rows[] = {
        {INTEG_HMAC_SHA1_96, PRF_HMAC_SHA1},      {INTEG_HMAC_SHA256_128, PRF_HMAC_SHA256},
        {INTEG_HMAC_SHA384_192, PRF_HMAC_SHA384}, {INTEG_HMAC_SHA512_256, PRF_HMAC_SHA512},
        {INTEG_AES_XCBC_96, PRF_AES128_XCBC},     {INTEG_AES_CMAC_96, PRF_AES128_CMAC},
    };
    (void)state;

    assert_int_equal(sizeof(rows) / sizeof(rows[0]), INTEG_COUNT - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct message message =
            message_of(keys_for(ENCR_AES256_CBC, rows[i].integ), bytes_fill(1, 32),
                       bytes_fill(2, 16), bytes_fill(3, 48));
        uint8_t mac[PRF_SIZE_MAX];
        struct slice before = slice_of(message.data, 32 + 16 + 48);
        assert_int_equal(message_seal(&message), STATUS_OK);
        assert_int_equal(crypto_prf(crypto, rows[i].prf, message.keys.integ_key, &before, 1, mac),
                         STATUS_OK);
        assert_int_equal(message_icv(&message).size, integ_info(rows[i].integ)->icv_size);
        assert_slices(message_icv(&message), slice_of(mac, message_icv(&message).size));
    }
}

/* --- AES-CCM as RFC 3610 section 2 writes it, with 4 octets of length (RFC 4309 section 4) --- */

static void aes_block(struct slice key, const uint8_t in[16], uint8_t out[16])
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size;

    assert_int_equal(EVP_EncryptInit_ex2(context,
                                         key.size == 16   ? EVP_aes_128_ecb()
                                         : key.size == 24 ? EVP_aes_192_ecb()
                                                          : EVP_aes_256_ecb(),
                                         key.data, NULL, NULL),
                     1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &size, in, 16), 1);
    EVP_CIPHER_CTX_free(context);
}

/* B_0 | length of the associated data | it, filled up | text, filled up, chained by CBC. */
static void ccm_mac(struct slice key, struct slice nonce, struct slice aad, struct slice text,
                    size_t icv_size, uint8_t mac[16])
{
    uint8_t blocks[MESSAGE_MAX];
    struct writer writer = writer_of(blocks, sizeof(blocks));

    writer_u8(&writer, (uint8_t)((aad.size > 0 ? 64 : 0) + 8 * ((icv_size - 2) / 2) + 3));
    writer_bytes(&writer, nonce);
    writer_u32(&writer, (uint32_t)text.size);
    assert_int_equal(writer.size, 16);
    if (aad.size > 0) {
        writer_u16(&writer, (uint16_t)aad.size);
        writer_bytes(&writer, aad);
        writer_reserve(&writer, (16 - writer.size % 16) % 16);
    }
    writer_bytes(&writer, text);
    writer_reserve(&writer, (16 - writer.size % 16) % 16);
    memset(mac, 0, 16);
    for (size_t at = 0; at < writer.size; at += 16) {
        for (size_t i = 0; i < 16; i++)
            mac[i] ^= blocks[at + i];
        aes_block(key, mac, mac);
    }
}

/* XORs with the key stream's blocks from A_`counter` on. */
static void ccm_stream(struct slice key, struct slice nonce, uint32_t counter, uint8_t *data,
                       size_t size)
{
    for (size_t at = 0; at < size; at++) {
        uint8_t block[16];
        struct writer writer = writer_of(block, sizeof(block));
        writer_u8(&writer, 3);
        writer_bytes(&writer, nonce);
        writer_u32(&writer, counter + (uint32_t)(at / 16));
        aes_block(key, block, block);
        data[at] ^= block[at % 16];
    }
}

static void assert_ccm(enum encr encr, size_t aad_size, size_t text_size)
{
    const struct encr_info *info = encr_info(encr);
    struct slice key = bytes_fill(0x3c, info->key_size - 3u);
    struct slice iv = bytes_hex("0102030405060708");
    struct slice nonce = bytes_join(bytes_hex("a1a2a3"), iv);
    struct seal_keys keys = keys_for(encr, INTEG_NONE);
    uint8_t text[MESSAGE_MAX], mac[16];

    keys.encr_key = bytes_join(key, bytes_hex("a1a2a3"));
    struct message message =
        message_of(keys, bytes_fill(0x55, aad_size), iv, bytes_fill(0x66, text_size));
    assert_int_equal(message_seal(&message), STATUS_OK);
    memset(text, 0x66, text_size);
    ccm_mac(key, nonce, bytes_fill(0x55, aad_size), slice_of(text, text_size), info->icv_size, mac);
    ccm_stream(key, nonce, 0, mac, 16);
    ccm_stream(key, nonce, 1, text, text_size);
    assert_slices(message_text(&message), slice_of(text, text_size));
    assert_slices(message_icv(&message), slice_of(mac, info->icv_size));
}

static void ccm_follows_its_definition(void **state)
{
    (void)state;
    for (unsigned i = ENCR_AES128_CCM8; i <= ENCR_AES256_CCM16; i++) {
        assert_ccm((enum encr)i, 32, 0);
        assert_ccm((enum encr)i, 32, 1);
        assert_ccm((enum encr)i, 0, 33);
        assert_ccm((enum encr)i, 14, 48);
        assert_ccm((enum encr)i, 57, 65);
    }
}

/* --- every pair --- */

/* Calls `test` with every pair that can protect an IKE SA. */
static void for_each_pair(void (*test)(struct seal_keys keys))
{
    unsigned pairs = 0;

    for (unsigned e = ENCR_NONE + 1; e < ENCR_COUNT; e++) {
        if (e == ENCR_NULL)
            continue;
        assert_true(crypto_has_encr(crypto, (enum encr)e));
        for (unsigned i = INTEG_NONE; i < INTEG_COUNT; i++) {
            if (encr_is_aead(e) != (i == INTEG_NONE))
                continue;
            test(keys_for((enum encr)e, (enum integ)i));
            pairs++;
        }
    }
    assert_int_equal(pairs, 6 * (INTEG_COUNT - 1) + 19);
}

static struct message message_for(struct seal_keys keys, size_t aad_size, size_t text_size)
{
    return message_of(keys, bytes_fill(0x0a, aad_size),
                      bytes_fill(0x17, encr_info(keys.encr)->iv_size), bytes_fill(0x7e, text_size));
}

static void round_trip(struct seal_keys keys)
{
    size_t unit = encr_info(keys.encr)->block_size;

    for (size_t units = 0; units <= 3000 / unit; units = units * 3 + 1) {
        struct message message = message_for(keys, 32, units * unit);
        struct message sent = message;
        assert_int_equal(message_seal(&message), STATUS_OK);
        /* associated data and IV stay; the text does not */
        assert_slices(slice_of(message.data, 32 + iv_size(&message)),
                      slice_of(sent.data, 32 + iv_size(&sent)));
        if (message.text_size >= 8)
            assert_false(slice_equal(message_text(&message), message_text(&sent)));
        assert_int_equal(message_open(&message), STATUS_OK);
        assert_slices(message_text(&message), message_text(&sent));
        /* nothing behind the ICV was touched */
        assert_slices(slice_of(message.data + message.size, 16), bytes_fill(0, 16));
    }
}

static void opens_what_it_sealed(void **state)
{
    (void)state;
    for_each_pair(round_trip);
}

static void refuse_every_bit(struct seal_keys keys)
{
    struct message sealed = message_for(keys, 7, 2 * (size_t)encr_info(keys.encr)->block_size);

    assert_int_equal(message_seal(&sealed), STATUS_OK);
    for (size_t bit = 0; bit < 8 * sealed.size; bit++) {
        struct message forged = sealed;
        forged.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(message_open(&forged), STATUS_DROP);
    }
    assert_int_equal(message_open(&sealed), STATUS_OK);
}

static void drops_every_single_bit_forgery(void **state)
{
    (void)state;
    for_each_pair(refuse_every_bit);
}

/* A MAC that does not verify leaves the text as it came. */
static void does_not_decrypt_before_verifying(void **state)
{
    struct message message = message_for(keys_for(ENCR_AES128_CBC, INTEG_HMAC_SHA256_128), 32, 64);
    (void)state;

    assert_int_equal(message_seal(&message), STATUS_OK);
    message.data[message.size - 1] ^= 1;
    struct message forged = message;
    assert_int_equal(message_open(&forged), STATUS_DROP);
    assert_slices(message_text(&forged), message_text(&message));
}

static void refuse_other_keys(struct seal_keys keys)
{
    struct message sealed = message_for(keys, 32, 32), opened;
    struct slice encr_key = keys.encr_key;

    assert_int_equal(message_seal(&sealed), STATUS_OK);
    opened = sealed;
    if (encr_is_aead(keys.encr)) {
        opened.keys.encr_key = bytes_with(encr_key, 0, 0);
        assert_int_equal(message_open(&opened), STATUS_DROP);
        opened = sealed;
        /* the salt is a part of the nonce */
        opened.keys.encr_key = bytes_with(encr_key, encr_key.size - 1, 0);
        assert_int_equal(message_open(&opened), STATUS_DROP);
    } else {
        opened.keys.integ_key = bytes_with(keys.integ_key, 0, 0);
        assert_int_equal(message_open(&opened), STATUS_DROP);
    }
}

static void drops_what_other_keys_sealed(void **state)
{
    (void)state;
    for_each_pair(refuse_other_keys);
}

static void fail_for_wrong_key_sizes(struct seal_keys keys)
{
    struct message message = message_for(keys, 32, 32);
    struct slice longer = bytes_join(keys.encr_key, bytes_hex("00"));

    message.keys.encr_key = longer;
    assert_int_equal(message_seal(&message), STATUS_FAIL);
    assert_int_equal(message_open(&message), STATUS_FAIL);
    message.keys.encr_key = bytes_cut(keys.encr_key, keys.encr_key.size - 1);
    assert_int_equal(message_seal(&message), STATUS_FAIL);
    assert_int_equal(message_open(&message), STATUS_FAIL);
    message.keys = keys;
    if (keys.integ != INTEG_NONE) {
        message.keys.integ_key = bytes_cut(keys.integ_key, keys.integ_key.size - 1);
        assert_int_equal(message_seal(&message), STATUS_FAIL);
        assert_int_equal(message_open(&message), STATUS_FAIL);
    }
}

static void fails_for_keys_of_the_wrong_size(void **state)
{
    (void)state;
    for_each_pair(fail_for_wrong_key_sizes);
}

static void assert_no_pair(enum encr encr, enum integ integ)
{
    static uint8_t data[MESSAGE_MAX];
    struct seal_keys keys = {.encr = encr, .integ = integ};

    if (encr_info(encr) != NULL)
        keys.encr_key = bytes_fill(0, encr_info(encr)->key_size);
    if (integ_info(integ) != NULL)
        keys.integ_key = bytes_fill(0, integ_info(integ)->key_size);
    assert_int_equal(seal_encrypt(crypto, &keys, data, 32, 32), STATUS_FAIL);
    assert_int_equal(seal_decrypt(crypto, &keys, data, 32, 32), STATUS_FAIL);
}

/* RFC 5282 section 8: no MAC beside an AEAD, and nothing without one otherwise. */
static void fails_for_pairs_that_are_none(void **state)
{
    (void)state;
    assert_no_pair(ENCR_NONE, INTEG_HMAC_SHA256_128);
    assert_no_pair(ENCR_COUNT, INTEG_HMAC_SHA256_128);
    assert_no_pair(ENCR_NULL, INTEG_HMAC_SHA256_128);
    assert_no_pair(ENCR_AES128_CBC, INTEG_NONE);
    assert_no_pair(ENCR_AES128_CBC, INTEG_COUNT);
    assert_no_pair(ENCR_AES128_GCM16, INTEG_HMAC_SHA256_128);
    assert_no_pair(ENCR_CHACHA20_POLY1305, INTEG_HMAC_SHA256_128);
}

/* A CBC text that is no whole number of blocks: ours is a fault, a peer's is dropped. */
static void refuses_broken_blocks(void **state)
{
    struct seal_keys keys = keys_for(ENCR_AES128_CBC, INTEG_HMAC_SHA256_128);
    (void)state;

    for (size_t size = 1; size < 16; size++) {
        struct message message = message_for(keys, 32, 16 + size);
        struct slice before = slice_of(message.data, 32 + 16 + 16 + size);
        uint8_t mac[PRF_SIZE_MAX];
        assert_int_equal(message_seal(&message), STATUS_FAIL);
        assert_int_equal(crypto_prf(crypto, PRF_HMAC_SHA256, keys.integ_key, &before, 1, mac),
                         STATUS_OK);
        memcpy(message.data + before.size, mac, 16);
        assert_int_equal(message_open(&message), STATUS_DROP);
    }
}

static void knows_the_sizes_of_icvs(void **state)
{
    (void)state;
    assert_int_equal(seal_icv_size(ENCR_AES128_GCM8, INTEG_NONE), 8);
    assert_int_equal(seal_icv_size(ENCR_AES256_CCM12, INTEG_NONE), 12);
    assert_int_equal(seal_icv_size(ENCR_CHACHA20_POLY1305, INTEG_NONE), 16);
    assert_int_equal(seal_icv_size(ENCR_AES128_CBC, INTEG_HMAC_SHA1_96), 12);
    assert_int_equal(seal_icv_size(ENCR_AES128_CTR, INTEG_HMAC_SHA512_256), SEAL_ICV_MAX);
    assert_int_equal(seal_icv_size(ENCR_AES128_CBC, INTEG_NONE), 0);
    assert_int_equal(seal_icv_size(ENCR_NONE, INTEG_NONE), 0);
}

/* One context serves all: directions, keys and refusals in any order. */
static void changes_direction_and_key_at_will(void **state)
{
    uint64_t seed = 3;
    (void)state;

    for (unsigned round = 0; round < 500; round++) {
        unsigned encr = 1 + (unsigned)(bytes_random(&seed) % (ENCR_NULL - 1));
        struct seal_keys keys =
            keys_for((enum encr)encr, encr_is_aead(encr) ? INTEG_NONE : INTEG_AES_XCBC_96);
        keys.encr_key = bytes_fill((uint8_t)bytes_random(&seed), keys.encr_key.size);
        struct message message = message_for(keys, 28, 16 * (bytes_random(&seed) % 9));
        struct message sent = message;
        assert_int_equal(message_seal(&message), STATUS_OK);
        struct message forged = message;
        forged.data[bytes_random(&seed) % forged.size] ^= 0x10;
        assert_int_equal(message_open(&forged), STATUS_DROP);
        assert_int_equal(message_open(&message), STATUS_OK);
        assert_slices(message_text(&message), message_text(&sent));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_opens_published_vectors),
        cmocka_unit_test(mac_covers_everything_before_it),
        cmocka_unit_test(ccm_follows_its_definition),
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(drops_every_single_bit_forgery),
        cmocka_unit_test(does_not_decrypt_before_verifying),
        cmocka_unit_test(drops_what_other_keys_sealed),
        cmocka_unit_test(fails_for_keys_of_the_wrong_size),
        cmocka_unit_test(fails_for_pairs_that_are_none),
        cmocka_unit_test(refuses_broken_blocks),
        cmocka_unit_test(knows_the_sizes_of_icvs),
        cmocka_unit_test(changes_direction_and_key_at_will),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
