/*
 * prf, prf+, the shared-secret authenticator and SHA-1 against published vectors
 * (RFC 2202, 3566, 4231, 4434, 4493, 4615; NIST's samples for IKE from the shared vectors).
 */
#include "lib/crypto/provider.h"

#include <string.h>

#include <jansson.h>

#include "test/unit/bytes.h"
#include "test/unit/group.h"
#include "test/unit/shared.h"

struct vector {
    enum prf prf;
    const char *key;
    const char *message;
    const char *out;
};

#define KEY_0_TO_F  "000102030405060708090a0b0c0d0e0f"
#define KEY_1_TO_19 "0102030405060708090a0b0c0d0e0f10111213141516171819"
#define AA_20       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AA_80       AA_20 AA_20 AA_20 AA_20
#define AA_131      AA_80 AA_20 AA_20 "aaaaaaaaaaaaaaaaaaaaaa"
#define CD_10       "cdcdcdcdcdcdcdcdcdcd"
#define CD_50       CD_10 CD_10 CD_10 CD_10 CD_10
#define DD_10       "dddddddddddddddddddd"
#define DD_50       DD_10 DD_10 DD_10 DD_10 DD_10
#define HI_THERE    "4869205468657265"
#define JEFE        "4a656665"
#define WHAT_DO     "7768617420646f2079612077616e7420666f72206e6f7468696e673f"
#define LARGE_KEY                                                                                  \
    "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b" \
    "6579204669727374"
#define LARGE_KEY_AND_DATA                                                                         \
    "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a6520" \
    "6b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579" \
    "206e6565647320746f20626520686173686564206265666f7265206265696e672075736564206279207468652048" \
    "4d414320616c676f726974686d2e"
#define B_20     "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define CMAC_KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define CMAC_16  "6bc1bee22e409f96e93d7e117393172a"
#define CMAC_40  CMAC_16 "ae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411"
#define CMAC_64  CMAC_40 "e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static const struct vector vectors[] = {
    /* RFC 2202 section 3 */
    {PRF_HMAC_SHA1, B_20, HI_THERE, "b617318655057264e28bc0b6fb378c8ef146be00"},
    {PRF_HMAC_SHA1, JEFE, WHAT_DO, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {PRF_HMAC_SHA1, AA_20, DD_50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
    {PRF_HMAC_SHA1, KEY_1_TO_19, CD_50, "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
    {PRF_HMAC_SHA1, AA_80, LARGE_KEY, "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
    /* RFC 4231 section 4, cases 1 to 4, 6 and 7 */
    {PRF_HMAC_SHA256, B_20, HI_THERE,
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {PRF_HMAC_SHA256, JEFE, WHAT_DO,
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {PRF_HMAC_SHA256, AA_20, DD_50,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {PRF_HMAC_SHA256, KEY_1_TO_19, CD_50,
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {PRF_HMAC_SHA256, AA_131, LARGE_KEY,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {PRF_HMAC_SHA256, AA_131, LARGE_KEY_AND_DATA,
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    {PRF_HMAC_SHA384, B_20, HI_THERE,
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6"},
    {PRF_HMAC_SHA384, JEFE, WHAT_DO,
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
     "8e2240ca5e69e2c78b3239ecfab21649"},
    {PRF_HMAC_SHA384, AA_20, DD_50,
     "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
     "2a5ab39dc13814b94e3ab6e101a34f27"},
    {PRF_HMAC_SHA384, KEY_1_TO_19, CD_50,
     "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e"
     "6801dd23c4a7d679ccf8a386c674cffb"},
    {PRF_HMAC_SHA384, AA_131, LARGE_KEY,
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
     "0c2ef6ab4030fe8296248df163f44952"},
    {PRF_HMAC_SHA384, AA_131, LARGE_KEY_AND_DATA,
     "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
     "a678cc31e799176d3860e6110c46523e"},
    {PRF_HMAC_SHA512, B_20, HI_THERE,
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {PRF_HMAC_SHA512, JEFE, WHAT_DO,
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    {PRF_HMAC_SHA512, AA_20, DD_50,
     "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
     "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
    {PRF_HMAC_SHA512, KEY_1_TO_19, CD_50,
     "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
     "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
    {PRF_HMAC_SHA512, AA_131, LARGE_KEY,
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
    {PRF_HMAC_SHA512, AA_131, LARGE_KEY_AND_DATA,
     "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
     "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
    /* RFC 3566 section 4.6 */
    {PRF_AES128_XCBC, KEY_0_TO_F, "", "75f0251d528ac01c4573dfd584d79f29"},
    {PRF_AES128_XCBC, KEY_0_TO_F, "000102", "5b376580ae2f19afe7219ceef172756f"},
    {PRF_AES128_XCBC, KEY_0_TO_F, KEY_0_TO_F, "d2a246fa349b68a79998a4394ff7a263"},
    {PRF_AES128_XCBC, KEY_0_TO_F, KEY_0_TO_F "10111213", "47f51b4564966215b8985c63055ed308"},
    {PRF_AES128_XCBC, KEY_0_TO_F, KEY_0_TO_F "101112131415161718191a1b1c1d1e1f",
     "f54f0ec8d2b9f3d36807734bd5283fd4"},
    {PRF_AES128_XCBC, KEY_0_TO_F, KEY_0_TO_F "101112131415161718191a1b1c1d1e1f2021",
     "becbb3bccdb518a30677d5481fb6b4d8"},
    /* RFC 4434 section 2.1: short and long keys */
    {PRF_AES128_XCBC, "00010203040506070809", KEY_0_TO_F "10111213",
     "0fa087af7d866e7653434e602fdde835"},
    {PRF_AES128_XCBC, KEY_0_TO_F "edcb", KEY_0_TO_F "10111213", "8cd3c93ae598a9803006ffb67c40e9e4"},
    /* RFC 4493 section 4 */
    {PRF_AES128_CMAC, CMAC_KEY, "", "bb1d6929e95937287fa37d129b756746"},
    {PRF_AES128_CMAC, CMAC_KEY, CMAC_16, "070a16b46b4d4144f79bdd9dd04a287c"},
    {PRF_AES128_CMAC, CMAC_KEY, CMAC_40, "dfa66747de9ae63030ca32611497c827"},
    {PRF_AES128_CMAC, CMAC_KEY, CMAC_64, "51f0bebf7e3b9d92fc49741779363cfe"},
    /* RFC 4615 section 4: short and long keys */
    {PRF_AES128_CMAC, KEY_0_TO_F, KEY_0_TO_F "10111213", "980ae87b5f4c9c5214f5b6a8455e4c2d"},
    {PRF_AES128_CMAC, "00010203040506070809", KEY_0_TO_F "10111213",
     "290d9e112edb09ee141fcf64c0b72f3d"},
    {PRF_AES128_CMAC, KEY_0_TO_F "edcb", KEY_0_TO_F "10111213", "84a348a4a45d235babfffc0d2b4da09a"},
};

static struct slice prf_of(enum prf prf, struct slice key, const struct slice *parts, size_t count)
{
    static uint8_t out[PRF_SIZE_MAX];

    assert_int_equal(crypto_prf(crypto, prf, key, parts, count, out), STATUS_OK);
    return slice_of(out, prf_info(prf)->size);
}

static void computes_published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct slice message = bytes_hex(vectors[i].message);
        assert_bytes(prf_of(vectors[i].prf, bytes_hex(vectors[i].key), &message, 1),
                     vectors[i].out);
    }
}

/* RFC 3566's seventh case: 1000 zero octets. */
static void computes_a_long_xcbc(void **state)
{
    struct slice zeroes = bytes_fill(0, 1000);
    (void)state;

    assert_bytes(prf_of(PRF_AES128_XCBC, bytes_hex(KEY_0_TO_F), &zeroes, 1),
                 "f0dafee895db30253761103b5d84528f");
}

/* However a message is cut, the result is the same: no state is lost at a block's border. */
static void joins_parts_however_cut(void **state)
{
    struct slice key = bytes_hex(KEY_0_TO_F);
    (void)state;

    for (unsigned prf = PRF_NONE + 1; prf < PRF_COUNT; prf++) {
        struct slice whole = bytes_hex(LARGE_KEY_AND_DATA);
        struct slice expected =
            bytes_cut(prf_of((enum prf)prf, key, &whole, 1), prf_info(prf)->size);
        for (size_t at = 0; at <= whole.size; at++) {
            struct slice parts[] = {
                slice_of(NULL, 0),
                slice_of(whole.data, at),
                slice_of(whole.data + at, whole.size - at),
            };
            assert_slices(prf_of((enum prf)prf, key, parts, 3), expected);
        }
    }
}

/* A prf keyed before leaves nothing behind in its context. */
static void forgets_the_key_before(void **state)
{
    struct slice message = bytes_hex(WHAT_DO);
    (void)state;

    (void)prf_of(PRF_HMAC_SHA256, bytes_hex(AA_131), &message, 1);
    assert_bytes(prf_of(PRF_HMAC_SHA256, bytes_hex(JEFE), &message, 1),
                 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* Nor anything to be read in its memory but what OpenSSL keeps. */
static void wipes_what_it_made_of_the_key(void **state)
{
    struct slice key = bytes_fill(0xaa, 20);
    (void)state;

    for (unsigned prf = PRF_NONE + 1; prf < PRF_COUNT; prf++) {
        struct mac *mac = crypto_mac(crypto, mac_of_prf((enum prf)prf));
        uint8_t out[PRF_SIZE_MAX * 2];
        (void)prf_of((enum prf)prf, key, &key, 1);
        assert_int_equal(crypto_prf_plus(crypto, (enum prf)prf, key, &key, 1, out, sizeof(out)),
                         STATUS_OK);
        if (mac->size == AES_BLOCK_SIZE) {
            assert_slices(slice_of(mac->cbc.mask_whole, AES_BLOCK_SIZE), bytes_fill(0, 16));
            assert_slices(slice_of(mac->cbc.mask_padded, AES_BLOCK_SIZE), bytes_fill(0, 16));
        } else {
            assert_slices(slice_of(mac->hmac.inner_pad, HASH_BLOCK_MAX), bytes_fill(0, 128));
            assert_slices(slice_of(mac->hmac.outer_pad, HASH_BLOCK_MAX), bytes_fill(0, 128));
        }
    }
}

/* T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), ... to the very last, T255. */
static void prf_plus_chains_blocks_up_to_255(void **state)
{
    struct slice key = bytes_hex(KEY_0_TO_F);
    struct slice seed = bytes_hex("0102030405");
    (void)state;

    for (unsigned prf = PRF_NONE + 1; prf < PRF_COUNT; prf++) {
        size_t size = prf_info(prf)->size;
        struct slice out = bytes_fill(0, 255 * size);
        struct slice last = slice_of(NULL, 0);
        assert_int_equal(crypto_prf_plus(crypto, (enum prf)prf, key, &seed, 1,
                                         (uint8_t *)(uintptr_t)out.data, out.size),
                         STATUS_OK);
        for (unsigned n = 1; n <= 255; n++) {
            uint8_t count = (uint8_t)n;
            struct slice parts[] = {last, seed, slice_of(&count, 1)};
            last = bytes_cut(prf_of((enum prf)prf, key, parts, 3), size);
            assert_slices(slice_of(out.data + (n - 1) * size, size), last);
        }
    }
}

static void prf_plus_refuses_a_256th_block(void **state)
{
    static uint8_t out[255 * PRF_SIZE_MAX + 1];
    struct slice key = bytes_hex(KEY_0_TO_F);
    (void)state;

    for (unsigned prf = PRF_NONE + 1; prf < PRF_COUNT; prf++)
        assert_int_equal(crypto_prf_plus(crypto, (enum prf)prf, key, &key, 1, out,
                                         255u * prf_info(prf)->size + 1),
                         STATUS_FAIL);
}

/* Cut within a block, and not an octet further. */
static void prf_plus_writes_the_size_asked_for(void **state)
{
    struct slice key = bytes_hex(KEY_0_TO_F);
    uint8_t whole[96], part[96];
    (void)state;

    assert_int_equal(crypto_prf_plus(crypto, PRF_HMAC_SHA256, key, &key, 1, whole, 96), STATUS_OK);
    for (size_t size = 0; size < 96; size++) {
        memset(part, 0x77, sizeof(part));
        assert_int_equal(crypto_prf_plus(crypto, PRF_HMAC_SHA256, key, &key, 1, part, size),
                         STATUS_OK);
        assert_slices(slice_of(part, size), slice_of(whole, size));
        assert_slices(slice_of(part + size, 96 - size), bytes_fill(0x77, 96 - size));
    }
}

static void refuses_what_is_no_prf(void **state)
{
    struct slice key = bytes_hex(KEY_0_TO_F);
    uint8_t out[PRF_SIZE_MAX];
    (void)state;

    assert_false(crypto_has_prf(crypto, PRF_NONE));
    assert_false(crypto_has_prf(crypto, PRF_COUNT));
    assert_int_equal(crypto_prf(crypto, PRF_NONE, key, &key, 1, out), STATUS_FAIL);
    assert_int_equal(crypto_prf(crypto, PRF_COUNT, key, &key, 1, out), STATUS_FAIL);
    assert_int_equal(crypto_prf_plus(crypto, PRF_NONE, key, &key, 1, out, 1), STATUS_FAIL);
    assert_int_equal(crypto_psk_auth(crypto, PRF_NONE, key, &key, 1, out), STATUS_FAIL);
}

/* RFC 7296 section 2.15, as two prfs with the pad's octets written out. */
static void psk_auth_pads_the_secret(void **state)
{
    struct slice psk = slice_text("correct horse battery staple");
    struct slice pad = bytes_hex("4b65792050616420666f7220494b457632");
    struct slice octets[] = {bytes_hex("00112233"), bytes_hex("445566")};
    uint8_t out[PRF_SIZE_MAX];
    (void)state;

    for (unsigned prf = PRF_NONE + 1; prf < PRF_COUNT; prf++) {
        struct slice key = bytes_cut(prf_of((enum prf)prf, psk, &pad, 1), prf_info(prf)->size);
        assert_int_equal(crypto_psk_auth(crypto, (enum prf)prf, psk, octets, 2, out), STATUS_OK);
        assert_slices(slice_of(out, prf_info(prf)->size), prf_of((enum prf)prf, key, octets, 2));
    }
}

/* FIPS 180-4's examples. */
static void hashes_with_sha1(void **state)
{
    struct slice parts[] = {slice_text("a"), slice_text(""), slice_text("bc")};
    uint8_t out[20];
    (void)state;

    assert_int_equal(crypto_sha1(crypto, parts, 3, out), STATUS_OK);
    assert_bytes(slice_of(out, 20), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_int_equal(crypto_sha1(crypto, NULL, 0, out), STATUS_OK);
    assert_bytes(slice_of(out, 20), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

/* --- the shared vectors --- */

/* One row's key ends in a single digit, which stands for an octet of its own (so 17 octets). */
static struct slice row_hex(json_t *row, const char *field)
{
    const char *text = json_string_value(json_object_get(row, field));
    size_t size = strlen(text);
    char hex[1024] = "";

    assert_true(size + 1 < sizeof(hex));
    memcpy(hex, text, size);
    if (size % 2 == 1) {
        hex[size] = hex[size - 1];
        hex[size - 1] = '0';
    }
    return bytes_hex(hex);
}

static enum prf row_prf(json_t *row)
{
    static const struct {
        const char *name;
        enum prf prf;
    } names[] = {
        {"hmac-sha1", PRF_HMAC_SHA1},     {"hmac-sha256", PRF_HMAC_SHA256},
        {"hmac-sha384", PRF_HMAC_SHA384}, {"hmac-sha512", PRF_HMAC_SHA512},
        {"aes-xcbc", PRF_AES128_XCBC},
    };
    const char *name = json_string_value(json_object_get(row, "prf"));

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].prf;
    return PRF_NONE;
}

static struct slice row_prf_plus(json_t *row)
{
    struct slice seed = row_hex(row, "seed");
    struct slice out = bytes_fill(0, row_hex(row, "out").size);

    assert_int_equal(crypto_prf_plus(crypto, row_prf(row), row_hex(row, "key"), &seed, 1,
                                     (uint8_t *)(uintptr_t)out.data, out.size),
                     STATUS_OK);
    return out;
}

/* What a row's formula comes to; empty for formulas that are neither prf nor prf+. */
static struct slice row_compute(json_t *row)
{
    const char *kind = json_string_value(json_object_get(row, "kind"));
    struct slice key = row_hex(row, "key");
    struct slice gxy = row_hex(row, "gxy");
    struct slice nonces = bytes_join(row_hex(row, "ni"), row_hex(row, "nr"));
    uint8_t n = (uint8_t)json_integer_value(json_object_get(row, "n"));

    if (strcmp(kind, "ikePlus") == 0)
        return row_prf_plus(row);
    if (strcmp(kind, "ikeGxy") == 0)
        return prf_of(row_prf(row), nonces, &key, 1);
    if (strcmp(kind, "ikeV1Psk") == 0)
        return prf_of(row_prf(row), key, &nonces, 1);
    if (strcmp(kind, "ikeV2Rekey") == 0)
        return prf_of(row_prf(row), key, (struct slice[]){gxy, nonces}, 2);
    if (strcmp(kind, "ikeV1") == 0)
        return prf_of(row_prf(row), key,
                      (struct slice[]){row_hex(row, "prev"), gxy, nonces, slice_of(&n, 1)}, 4);
    return slice_of(NULL, 0);
}

static void computes_the_shared_vectors(void **state)
{
    json_t *rows = json_load_file(shared_file("vectors/ike-kdf.json"), 0, NULL);
    size_t computed = 0, at;
    json_t *row;
    (void)state;

    assert_non_null(rows);
    json_array_foreach (rows, at, row) {
        struct slice out = row_compute(row);
        if (out.size == 0)
            continue;
        assert_slices(out, bytes_cut(row_hex(row, "out"), out.size));
        assert_true(json_is_true(json_object_get(row, "valid")));
        computed++;
    }
    json_decref(rows);
    assert_int_equal(computed, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_published_vectors),
        cmocka_unit_test(computes_a_long_xcbc),
        cmocka_unit_test(joins_parts_however_cut),
        cmocka_unit_test(forgets_the_key_before),
        cmocka_unit_test(wipes_what_it_made_of_the_key),
        cmocka_unit_test(prf_plus_chains_blocks_up_to_255),
        cmocka_unit_test(prf_plus_refuses_a_256th_block),
        cmocka_unit_test(prf_plus_writes_the_size_asked_for),
        cmocka_unit_test(refuses_what_is_no_prf),
        cmocka_unit_test(psk_auth_pads_the_secret),
        cmocka_unit_test(hashes_with_sha1),
        cmocka_unit_test(computes_the_shared_vectors),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
