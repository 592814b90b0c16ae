/*
 * Key exchange: RFC 7748 and RFC 5903 vectors, agreement with OpenSSL's own exchange in every
 * group, and the public values that RFC 6989 and RFC 7748 have us refuse.
 */
#include "lib/crypto/crypto.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/dh.h>
#include <openssl/evp.h>

#include "test/unit/bytes.h"
#include "test/unit/group.h"

/* `octets` behind as many zeroes as the group's private keys need. */
static struct slice private_of(enum group group, struct slice octets)
{
    size_t size = group_info(group)->private_size;

    return bytes_join(bytes_fill(0, size - octets.size), octets);
}

static struct slice public_of(enum group group, struct slice private)
{
    static uint8_t public[KE_PUBLIC_MAX];

    assert_int_equal(crypto_ke_public(crypto, group, private, public), STATUS_OK);
    return bytes_cut(slice_of(public, KE_PUBLIC_MAX), group_info(group)->public_size);
}

static struct slice shared_of(enum group group, struct slice private, struct slice peer)
{
    SECRET_AUTO shared = {0};

    assert_int_equal(crypto_ke_shared(crypto, group, private, peer, &shared), STATUS_OK);
    assert_int_equal(shared.size, group_info(group)->shared_size);
    return bytes_cut(secret_slice(&shared), shared.size);
}

static void assert_refused(enum group group, struct slice peer)
{
    SECRET_AUTO shared = {0};
    struct slice private = bytes_fill(0x5a, group_info(group)->private_size);

    assert_true(secret_new(&shared, 7));
    assert_int_equal(crypto_ke_shared(crypto, group, private, peer, &shared), STATUS_REJECT);
    assert_null(shared.data);
}

/* --- vectors --- */

struct exchange {
    enum group group;
    const char *private[2];
    const char *public[2];
    const char *shared;
};

static const struct exchange exchanges[] = {
    /* RFC 7748 section 6 */
    {GROUP_X25519,
     {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
      "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"},
     {"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
      "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
    {GROUP_X448,
     {"9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d"
      "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
      "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d"
      "6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d"},
     {"9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c"
      "22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
      "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430"
      "27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"},
     "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b"
     "b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d"},
    /* RFC 5903 section 8 */
    {GROUP_ECP256,
     {"c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
      "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53"},
     {"dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
      "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
      "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
      "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"},
     "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
    {GROUP_ECP384,
     {"099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee"
      "3faef896783ab194",
      "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2"
      "960e4bd55a7448fc"},
     {"667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4"
      "c88732aee95f41aa"
      "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947da"
      "e69b4c634573a81c",
      "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def9"
      "6fda41d0774a3571"
      "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff"
      "5eaad96db9e6386c"},
     "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d0"
     "9cf5d4a270f59746"},
    {GROUP_ECP521,
     {"0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c295"
      "2c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52",
      "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757"
      "a3bdbf2a3163e4c2f869cca7458aa4a4effc311f5cb151685eb9"},
     {"0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e38"
      "0aeae57c2d107564941885942af5a7f4601723c4195d176ced3e"
      "017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7"
      "799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
      "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e"
      "95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f"
      "015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b6536c5c408a1"
      "d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a"},
     "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa24"
     "0a34786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea"},
};

static void computes_published_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        const struct exchange *exchange = &exchanges[i];
        for (unsigned side = 0; side < 2; side++) {
            struct slice private = private_of(exchange->group, bytes_hex(exchange->private[side]));
            assert_bytes(public_of(exchange->group, private), exchange->public[side]);
            assert_bytes(shared_of(exchange->group, private, bytes_hex(exchange->public[1 - side])),
                         exchange->shared);
        }
    }
}

/* RFC 7748 section 5.2. */
static void multiplies_published_points(void **state)
{
    static const struct {
        enum group group;
        const char *scalar;
        const char *point;
        const char *product;
    } rows[] = {
        {GROUP_X25519, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
        /* the point's highest bit is set, and not to be looked at */
        {GROUP_X25519, "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
         "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
         "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
        {GROUP_X448,
         "3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121"
         "700a779c984c24f8cdd78fbff44943eba368f54b29259a4f1c600ad3",
         "06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9"
         "814dc031ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8a086",
         "ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239f"
         "e14fbaadeb445fc66a01b0779d98223961111e21766282f73dd96b6f"},
        {GROUP_X448,
         "203d494428b8399352665ddca42f9de8fef600908e0d461cb021f8c5"
         "38345dd77c3e4806e25f46d3315c44e0a5b4371282dd2c8d5be3095f",
         "0fbcc2f993cd56d3305b0b7d9e55d4c1a8fb5dbb52f8e9a1e9b6201b"
         "165d015894e56c4d3570bee52fe205e28a78b91cdfbde71ce8d157db",
         "884a02576239ff7a2f2f63b2db6a9ff37047ac13568e1e30fe63c4a7"
         "ad1b3ee3a5700df34321d62077e63633c575c1c954514e99da7c179d"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_bytes(shared_of(rows[i].group, bytes_hex(rows[i].scalar), bytes_hex(rows[i].point)),
                     rows[i].product);
}

/* RFC 7748 section 5.2, its second kind of vector: a thousand times in a row. */
static void multiplies_a_thousand_times(void **state)
{
    struct slice scalar = bytes_join(bytes_hex("09"), bytes_fill(0, 31));
    struct slice point = scalar;
    (void)state;

    for (unsigned i = 1; i <= 1000; i++) {
        struct slice product = shared_of(GROUP_X25519, scalar, point);
        point = scalar;
        scalar = product;
        if (i == 1)
            assert_bytes(product,
                         "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    assert_bytes(scalar, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

/* --- agreement with OpenSSL's exchange --- */

struct peer {
    enum group group;
    const char *algorithm;
    const char *parameter; /* its group; NULL where the algorithm says it */
    bool point;            /* OpenSSL puts an octet 4 before the public value */
};

static const struct peer peers[] = {
    {GROUP_MODP2048, "DH", "modp_2048", false}, {GROUP_MODP3072, "DH", "modp_3072", false},
    {GROUP_MODP4096, "DH", "modp_4096", false}, {GROUP_MODP6144, "DH", "modp_6144", false},
    {GROUP_MODP8192, "DH", "modp_8192", false}, {GROUP_ECP256, "EC", "P-256", true},
    {GROUP_ECP384, "EC", "P-384", true},        {GROUP_ECP521, "EC", "P-521", true},
    {GROUP_X25519, "X25519", NULL, false},      {GROUP_X448, "X448", NULL, false},
};

static EVP_PKEY *peer_generate(const struct peer *peer)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, peer->algorithm, NULL);
    EVP_PKEY *key = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    if (peer->parameter != NULL)
        assert_int_equal(EVP_PKEY_CTX_set_group_name(context, peer->parameter), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    return key;
}

static struct slice peer_public(const struct peer *peer, EVP_PKEY *key)
{
    unsigned char *encoded = NULL;
    size_t size = EVP_PKEY_get1_encoded_public_key(key, &encoded);
    size_t skipped = peer->point ? 1 : 0;

    assert_int_equal(size - skipped, group_info(peer->group)->public_size);
    struct slice public = bytes_cut(slice_of(encoded + skipped, size - skipped), size - skipped);
    OPENSSL_free(encoded);
    return public;
}

static struct slice peer_shared(const struct peer *peer, EVP_PKEY *key, struct slice public)
{
    struct slice encoded = peer->point ? bytes_join(bytes_hex("04"), public) : public;
    EVP_PKEY *other = EVP_PKEY_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    uint8_t shared[KE_PUBLIC_MAX];
    size_t size = sizeof(shared);

    assert_int_equal(EVP_PKEY_copy_parameters(other, key), 1);
    assert_int_equal(EVP_PKEY_set1_encoded_public_key(other, encoded.data, encoded.size), 1);
    assert_int_equal(EVP_PKEY_derive_init(context), 1);
    if (strcmp(peer->algorithm, "DH") == 0)
        assert_int_equal(EVP_PKEY_CTX_set_dh_pad(context, 1), 1);
    assert_int_equal(EVP_PKEY_derive_set_peer(context, other), 1);
    assert_int_equal(EVP_PKEY_derive(context, shared, &size), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    return bytes_cut(slice_of(shared, sizeof(shared)), size);
}

static struct slice random_private(enum group group, uint64_t *seed)
{
    uint8_t octets[80];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)bytes_random(seed);
    return bytes_cut(slice_of(octets, sizeof(octets)), group_info(group)->private_size);
}

static void agrees_with_openssl(void **state)
{
    uint64_t seed = 1;
    (void)state;

    assert_int_equal(sizeof(peers) / sizeof(peers[0]), GROUP_COUNT - 1);
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        const struct peer *peer = &peers[i];
        EVP_PKEY *key = peer_generate(peer);
        struct slice private = random_private(peer->group, &seed);
        assert_slices(shared_of(peer->group, private, peer_public(peer, key)),
                      peer_shared(peer, key, public_of(peer->group, private)));
        EVP_PKEY_free(key);
    }
}

static void agrees_with_itself(void **state)
{
    uint64_t seed = 2;
    (void)state;

    for (unsigned i = GROUP_NONE + 1; i < GROUP_COUNT; i++) {
        enum group group = (enum group)i;
        struct slice a = random_private(group, &seed), b = random_private(group, &seed);
        assert_true(crypto_has_group(crypto, group));
        assert_slices(shared_of(group, a, public_of(group, b)),
                      shared_of(group, b, public_of(group, a)));
    }
}

/* --- lengths --- */

static void refuses_public_values_of_another_length(void **state)
{
    (void)state;
    for (unsigned i = GROUP_NONE + 1; i < GROUP_COUNT; i++) {
        enum group group = (enum group)i;
        struct slice private = bytes_fill(0x11, group_info(group)->private_size);
        struct slice public = public_of(group, private);
        assert_refused(group, slice_of(NULL, 0));
        assert_refused(group, bytes_cut(public, 1));
        assert_refused(group, bytes_cut(public, public.size - 1));
        assert_refused(group, bytes_join(public, bytes_hex("00")));
        assert_refused(group, bytes_join(bytes_hex("00"), public));
        assert_refused(group, bytes_join(bytes_hex("04"), public));
        assert_refused(group, bytes_fill(0x11, 65535));
    }
}

static void fails_for_private_keys_of_another_length(void **state)
{
    uint8_t out[KE_PUBLIC_MAX];
    SECRET_AUTO shared = {0};
    (void)state;

    for (unsigned i = GROUP_NONE + 1; i < GROUP_COUNT; i++) {
        enum group group = (enum group)i;
        size_t size = group_info(group)->private_size;
        struct slice public = public_of(group, bytes_fill(0x11, size));
        for (size_t wrong = size - 1; wrong <= size + 1; wrong += 2) {
            struct slice private = bytes_fill(0x11, wrong);
            assert_int_equal(crypto_ke_public(crypto, group, private, out), STATUS_FAIL);
            assert_int_equal(crypto_ke_shared(crypto, group, private, public, &shared),
                             STATUS_FAIL);
        }
    }
}

static void fails_for_what_is_no_group(void **state)
{
    uint8_t out[KE_PUBLIC_MAX];
    SECRET_AUTO shared = {0};
    struct slice octets = bytes_fill(0x11, 32);
    (void)state;

    assert_false(crypto_has_group(crypto, GROUP_NONE));
    assert_false(crypto_has_group(crypto, GROUP_COUNT));
    assert_int_equal(crypto_ke_public(crypto, GROUP_NONE, octets, out), STATUS_FAIL);
    assert_int_equal(crypto_ke_shared(crypto, GROUP_COUNT, octets, octets, &shared), STATUS_FAIL);
}

/* --- MODP --- */

static BIGNUM *(*const primes[GROUP_COUNT])(BIGNUM *) = {
    [GROUP_MODP2048] = BN_get_rfc3526_prime_2048, [GROUP_MODP3072] = BN_get_rfc3526_prime_3072,
    [GROUP_MODP4096] = BN_get_rfc3526_prime_4096, [GROUP_MODP6144] = BN_get_rfc3526_prime_6144,
    [GROUP_MODP8192] = BN_get_rfc3526_prime_8192,
};

/* The group's prime and `more`, as a public value. */
static struct slice prime_and(enum group group, int more)
{
    uint8_t octets[KE_PUBLIC_MAX];
    int size = group_info(group)->public_size;
    BIGNUM *prime = primes[group](NULL);

    if (more < 0)
        assert_int_equal(BN_sub_word(prime, (BN_ULONG)-more), 1);
    else
        assert_int_equal(BN_add_word(prime, (BN_ULONG)more), 1);
    assert_int_equal(BN_bn2binpad(prime, octets, size), size);
    BN_free(prime);
    return bytes_cut(slice_of(octets, sizeof(octets)), (size_t)size);
}

static struct slice modp_number(enum group group, uint8_t number)
{
    return bytes_join(bytes_fill(0, group_info(group)->public_size - 1u), slice_of(&number, 1));
}

/* RFC 6989 section 2.1: 1 < r < p-1. */
static void modp_refuses_values_out_of_range(void **state)
{
    (void)state;
    for (unsigned i = GROUP_MODP2048; i <= GROUP_MODP3072; i++) {
        enum group group = (enum group)i;
        assert_refused(group, modp_number(group, 0));
        assert_refused(group, modp_number(group, 1));
        assert_refused(group, prime_and(group, -1));
        assert_refused(group, prime_and(group, 0));
        assert_refused(group, prime_and(group, 1));
        assert_refused(group, bytes_fill(0xff, group_info(group)->public_size));
    }
}

/* 2 and p-2 are the outermost that are allowed; squared both give 4, as long as the prime. */
static void modp_takes_the_outermost_values(void **state)
{
    (void)state;
    for (unsigned i = GROUP_MODP2048; i <= GROUP_MODP3072; i++) {
        enum group group = (enum group)i;
        struct slice two = private_of(group, bytes_hex("02"));
        assert_slices(shared_of(group, two, modp_number(group, 2)), modp_number(group, 4));
        assert_slices(shared_of(group, two, prime_and(group, -2)), modp_number(group, 4));
        assert_slices(public_of(group, two), modp_number(group, 4));
    }
}

static void modp_fails_for_a_zero_exponent(void **state)
{
    uint8_t out[KE_PUBLIC_MAX];
    (void)state;

    assert_int_equal(crypto_ke_public(crypto, GROUP_MODP2048, bytes_fill(0, 40), out), STATUS_FAIL);
}

/* --- ECP --- */

/* RFC 5903 section 3: the generators and orders. */
static const struct curve {
    enum group group;
    const char *generator;
    const char *order;
} curves[] = {
    {GROUP_ECP256,
     "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
     "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
    {GROUP_ECP384,
     "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c"
     "3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0"
     "0a60b1ce1d7e819d7a431d7c90ea0e5f",
     "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77a"
     "ecec196accc52973"},
    {GROUP_ECP521,
     "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe7"
     "5928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
     "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef4"
     "2640c550b9013fad0761353c7086a272c24088be94769fd16650",
     "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "fffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"},
};

/* Private octets are taken modulo the order: one more than it is as good as 1. */
static void ecp_reduces_private_octets(void **state)
{
    uint8_t out[KE_PUBLIC_MAX];
    (void)state;

    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        enum group group = curves[i].group;
        struct slice order = private_of(group, bytes_hex(curves[i].order));
        struct slice after =
            bytes_with(order, order.size - 1, (uint8_t)(order.data[order.size - 1] + 1));
        assert_int_equal(crypto_ke_public(crypto, group, order, out), STATUS_FAIL);
        assert_bytes(public_of(group, after), curves[i].generator);
        assert_bytes(public_of(group, private_of(group, bytes_hex("01"))), curves[i].generator);
    }
}

/* RFC 6989 section 2.3; a coordinate past the prime is not on the curve either. */
static void ecp_refuses_points_off_the_curve(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        enum group group = curves[i].group;
        struct slice good = bytes_hex(curves[i].generator);
        size_t half = good.size / 2;
        assert_refused(group, bytes_fill(0, good.size));
        assert_refused(group, bytes_fill(0xff, good.size));
        assert_refused(group, bytes_with(good, good.size - 1, good.data[good.size - 1] ^ 1));
        assert_refused(group, bytes_with(good, 0, good.data[0] ^ 0x80));
        assert_refused(group, bytes_join(bytes_fill(0, half), bytes_cut(good, half)));
        assert_refused(group, bytes_join(bytes_fill(0xff, half), slice_of(good.data + half, half)));
    }
}

/* --- Curve25519 and Curve448 --- */

#define FF_27   "ffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define ZERO_27 "000000000000000000000000000000000000000000000000000000"

/* RFC 7748 section 6: every point of small order gives zeroes. */
static void montgomery_refuses_points_of_small_order(void **state)
{
    static const char *const small_25519[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p-1 */
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p+1 */
    };
    static const char *const small_448[] = {
        "00" ZERO_27 "00" ZERO_27, "01" ZERO_27 "00" ZERO_27, "fe" FF_27 "fe" FF_27, /* p-1 */
        "ff" FF_27 "fe" FF_27,                                                       /* p */
        "00" ZERO_27 "ff" FF_27,                                                     /* p+1 */
    };
    (void)state;

    for (size_t i = 0; i < sizeof(small_25519) / sizeof(small_25519[0]); i++) {
        struct slice point = bytes_hex(small_25519[i]);
        assert_refused(GROUP_X25519, point);
        assert_refused(GROUP_X25519, bytes_with(point, 31, point.data[31] ^ 0x80));
    }
    for (size_t i = 0; i < sizeof(small_448) / sizeof(small_448[0]); i++)
        assert_refused(GROUP_X448, bytes_hex(small_448[i]));
}

/* RFC 8031 section 3.2: p + u is as good as u, here the base point's; X25519 masks the last bit. */
static void montgomery_takes_values_that_are_not_canonical(void **state)
{
    struct slice private_25519 = bytes_fill(0x33, 32), private_448 = bytes_fill(0x33, 56);
    struct slice point =
        bytes_hex("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    (void)state;

    assert_slices(shared_of(GROUP_X25519, private_25519, point),
                  public_of(GROUP_X25519, private_25519));
    assert_slices(shared_of(GROUP_X25519, private_25519, bytes_with(point, 31, 0xff)),
                  public_of(GROUP_X25519, private_25519));
    assert_slices(shared_of(GROUP_X448, private_448, bytes_hex("04" ZERO_27 "ff" FF_27)),
                  public_of(GROUP_X448, private_448));
}

/* After a refusal the next exchange is as good as ever. */
static void recovers_from_a_refusal(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_refused(GROUP_X25519, bytes_fill(0, 32));
        assert_refused(GROUP_ECP256, bytes_fill(0, 64));
        computes_published_exchanges(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_published_exchanges),
        cmocka_unit_test(multiplies_published_points),
        cmocka_unit_test(multiplies_a_thousand_times),
        cmocka_unit_test(agrees_with_openssl),
        cmocka_unit_test(agrees_with_itself),
        cmocka_unit_test(refuses_public_values_of_another_length),
        cmocka_unit_test(fails_for_private_keys_of_another_length),
        cmocka_unit_test(fails_for_what_is_no_group),
        cmocka_unit_test(modp_refuses_values_out_of_range),
        cmocka_unit_test(modp_takes_the_outermost_values),
        cmocka_unit_test(modp_fails_for_a_zero_exponent),
        cmocka_unit_test(ecp_reduces_private_octets),
        cmocka_unit_test(ecp_refuses_points_off_the_curve),
        cmocka_unit_test(montgomery_refuses_points_of_small_order),
        cmocka_unit_test(montgomery_takes_values_that_are_not_canonical),
        cmocka_unit_test(recovers_from_a_refusal),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
