/*
 * The tables of algorithms and the ways into them: see algorithm.h.
 *
 * Wire numbers are IANA's "IKEv2 Transform Type" registries; kernel names are those of the
 * kernel's net/xfrm/xfrm_algo.c.  A name that people write has one row; the other spellings of it
 * are in the synonym tables at the end.
 */
#include "lib/crypto/algorithm.h"

#include "lib/base/reader.h"
#include "lib/base/writer.h"

/* Three key sizes of one AES mode: RFC 3602 (CBC), RFC 3686 and RFC 5930 (CTR), RFC 4106 (GCM),
 * RFC 4309 (CCM), RFC 5282 (both for IKE). */
#define AES(bits, mode, xfrm, id, salt, iv, block, icv)                               \
    {                                                                                 \
        .name = "aes" #bits mode, .kernel = (xfrm), .wire = (id), .key_bits = (bits), \
        .key_size = (bits) / 8 + (salt), .salt_size = (salt), .iv_size = (iv),        \
        .block_size = (block), .icv_size = (icv)                                      \
    }
#define AES_CBC(bits)            AES(bits, "", "cbc(aes)", 12, 0, 16, 16, 0)
#define AES_CTR(bits)            AES(bits, "ctr", "rfc3686(ctr(aes))", 13, 4, 8, 1, 0)
#define AES_GCM(bits, icv, wire) AES(bits, "gcm" #icv, "rfc4106(gcm(aes))", wire, 4, 8, 1, icv)
#define AES_CCM(bits, icv, wire) AES(bits, "ccm" #icv, "rfc4309(ccm(aes))", wire, 3, 8, 1, icv)

static const struct encr_info encr_rows[ENCR_COUNT] = {
    [ENCR_AES128_CBC] = AES_CBC(128),
    [ENCR_AES192_CBC] = AES_CBC(192),
    [ENCR_AES256_CBC] = AES_CBC(256),
    [ENCR_AES128_CTR] = AES_CTR(128),
    [ENCR_AES192_CTR] = AES_CTR(192),
    [ENCR_AES256_CTR] = AES_CTR(256),
    [ENCR_AES128_GCM8] = AES_GCM(128, 8, 18),
    [ENCR_AES192_GCM8] = AES_GCM(192, 8, 18),
    [ENCR_AES256_GCM8] = AES_GCM(256, 8, 18),
    [ENCR_AES128_GCM12] = AES_GCM(128, 12, 19),
    [ENCR_AES192_GCM12] = AES_GCM(192, 12, 19),
    [ENCR_AES256_GCM12] = AES_GCM(256, 12, 19),
    [ENCR_AES128_GCM16] = AES_GCM(128, 16, 20),
    [ENCR_AES192_GCM16] = AES_GCM(192, 16, 20),
    [ENCR_AES256_GCM16] = AES_GCM(256, 16, 20),
    [ENCR_AES128_CCM8] = AES_CCM(128, 8, 14),
    [ENCR_AES192_CCM8] = AES_CCM(192, 8, 14),
    [ENCR_AES256_CCM8] = AES_CCM(256, 8, 14),
    [ENCR_AES128_CCM12] = AES_CCM(128, 12, 15),
    [ENCR_AES192_CCM12] = AES_CCM(192, 12, 15),
    [ENCR_AES256_CCM12] = AES_CCM(256, 12, 15),
    [ENCR_AES128_CCM16] = AES_CCM(128, 16, 16),
    [ENCR_AES192_CCM16] = AES_CCM(192, 16, 16),
    [ENCR_AES256_CCM16] = AES_CCM(256, 16, 16),
    /* RFC 7634 section 4: the Key Length attribute is not sent. */
    [ENCR_CHACHA20_POLY1305] = {.name = "chacha20poly1305",
                                .kernel = "rfc7539esp(chacha20,poly1305)",
                                .wire = 28,
                                .key_size = 36,
                                .salt_size = 4,
                                .iv_size = 8,
                                .block_size = 1,
                                .icv_size = 16},
    /* RFC 2410 */
    [ENCR_NULL] = {.name = "null", .kernel = "ecb(cipher_null)", .wire = 11, .block_size = 1},
};

/* RFC 2404, RFC 4868, RFC 3566, RFC 4494 */
static const struct integ_info integ_rows[INTEG_COUNT] = {
    [INTEG_HMAC_SHA1_96] = {"sha1", "hmac(sha1)", 2, 20, 12, true},
    [INTEG_HMAC_SHA256_128] = {"sha256", "hmac(sha256)", 12, 32, 16, false},
    [INTEG_HMAC_SHA384_192] = {"sha384", "hmac(sha384)", 13, 48, 24, false},
    [INTEG_HMAC_SHA512_256] = {"sha512", "hmac(sha512)", 14, 64, 32, false},
    [INTEG_AES_XCBC_96] = {"aesxcbc", "xcbc(aes)", 5, 16, 12, false},
    [INTEG_AES_CMAC_96] = {"aescmac", "cmac(aes)", 8, 16, 12, false},
};

/* RFC 2104, RFC 4868, RFC 4434, RFC 4615 */
static const struct prf_info prf_rows[PRF_COUNT] = {
    [PRF_HMAC_SHA1] = {"prfsha1", 2, 20, 20, true},
    [PRF_HMAC_SHA256] = {"prfsha256", 5, 32, 32, false},
    [PRF_HMAC_SHA384] = {"prfsha384", 6, 48, 48, false},
    [PRF_HMAC_SHA512] = {"prfsha512", 7, 64, 64, false},
    [PRF_AES128_XCBC] = {"prfaesxcbc", 4, 16, 16, false},
    [PRF_AES128_CMAC] = {"prfaescmac", 8, 16, 16, false},
};

/*
 * Private sizes.  MODP: RFC 3526 section 8's larger estimate of what the exponent needs, rounded
 * up to whole 64-bit words.  ECP: the order's size and 8 octets more, so that reducing modulo the
 * order leaves no bias worth the name (FIPS 186-5 appendix A.2.1).  Curve25519, Curve448: RFC 7748.
 */
static const struct group_info group_rows[GROUP_COUNT] = {
    [GROUP_MODP2048] = {"modp2048", 14, 256, 40, 256, false},
    [GROUP_MODP3072] = {"modp3072", 15, 384, 56, 384, false},
    [GROUP_MODP4096] = {"modp4096", 16, 512, 64, 512, false},
    [GROUP_MODP6144] = {"modp6144", 17, 768, 72, 768, false},
    [GROUP_MODP8192] = {"modp8192", 18, 1024, 80, 1024, false},
    [GROUP_ECP256] = {"ecp256", 19, 64, 40, 32, false},
    [GROUP_ECP384] = {"ecp384", 20, 96, 56, 48, false},
    [GROUP_ECP521] = {"ecp521", 21, 132, 74, 66, false},
    [GROUP_X25519] = {"x25519", 31, 32, 32, 32, false},
    [GROUP_X448] = {"x448", 32, 56, 56, 56, false},
};

/* Another way to write the end of a name (the whole of it, for some). */
struct synonym {
    const char *ending;
    const char *canonical;
};

/* The ICV in bits, as others write it, or left out for the full one. */
static const struct synonym encr_synonyms[] = {
    {"gcm", "gcm16"},  {"gcm64", "gcm8"}, {"gcm96", "gcm12"}, {"gcm128", "gcm16"},
    {"ccm", "ccm16"},  {"ccm64", "ccm8"}, {"ccm96", "ccm12"}, {"ccm128", "ccm16"},
    {"128cbc", "128"}, {"192cbc", "192"}, {"256cbc", "256"},
};

/* For integrity and, behind "prf", for prfs. */
static const struct synonym hash_synonyms[] = {
    {"sha", "sha1"},
    {"sha2_256", "sha256"},
    {"sha2_384", "sha384"},
    {"sha2_512", "sha512"},
};

static const struct synonym group_synonyms[] = {
    {"curve25519", "x25519"},
    {"curve448", "x448"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct encr_info *encr_info(unsigned encr)
{
    return encr > ENCR_NONE && encr < ENCR_COUNT ? &encr_rows[encr] : NULL;
}

const struct integ_info *integ_info(unsigned integ)
{
    return integ > INTEG_NONE && integ < INTEG_COUNT ? &integ_rows[integ] : NULL;
}

const struct prf_info *prf_info(unsigned prf)
{
    return prf > PRF_NONE && prf < PRF_COUNT ? &prf_rows[prf] : NULL;
}

const struct group_info *group_info(unsigned group)
{
    return group > GROUP_NONE && group < GROUP_COUNT ? &group_rows[group] : NULL;
}

enum encr encr_from_wire(uint16_t wire, uint16_t key_bits)
{
    for (unsigned i = ENCR_NONE + 1; i < ENCR_COUNT; i++)
        if (encr_rows[i].wire == wire && encr_rows[i].key_bits == key_bits)
            return (enum encr)i;
    return ENCR_NONE;
}

enum integ integ_from_wire(uint16_t wire)
{
    for (unsigned i = INTEG_NONE + 1; i < INTEG_COUNT; i++)
        if (integ_rows[i].wire == wire)
            return (enum integ)i;
    return INTEG_NONE;
}

enum prf prf_from_wire(uint16_t wire)
{
    for (unsigned i = PRF_NONE + 1; i < PRF_COUNT; i++)
        if (prf_rows[i].wire == wire)
            return (enum prf)i;
    return PRF_NONE;
}

enum group group_from_wire(uint16_t wire)
{
    for (unsigned i = GROUP_NONE + 1; i < GROUP_COUNT; i++)
        if (group_rows[i].wire == wire)
            return (enum group)i;
    return GROUP_NONE;
}

#define NAME_SIZE 32

/* The canonical spelling of `name`: itself, or written into `canonical`. */
static struct slice name_canonical(struct slice name, const struct synonym *synonyms, size_t count,
                                   char canonical[NAME_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        struct slice ending = slice_text(synonyms[i].ending);
        if (name.size < ending.size)
            continue;
        struct reader reader = reader_of(name);
        struct writer writer = writer_of(canonical, NAME_SIZE);
        writer_bytes(&writer, reader_bytes(&reader, name.size - ending.size));
        writer_bytes(&writer, slice_text(synonyms[i].canonical));
        if (slice_equal(reader_rest(&reader), ending) && writer_ok(&writer))
            return writer_slice(&writer);
    }
    return name;
}

/* Every row begins with its name, so one search serves all tables; row 0 has none. */
_Static_assert(offsetof(struct encr_info, name) == 0, "row_named");
_Static_assert(offsetof(struct integ_info, name) == 0, "row_named");
_Static_assert(offsetof(struct prf_info, name) == 0, "row_named");
_Static_assert(offsetof(struct group_info, name) == 0, "row_named");

static unsigned row_named(const void *rows, size_t row_size, unsigned count, struct slice name)
{
    for (unsigned i = 1; i < count; i++) {
        const void *row = (const char *)rows + i * row_size;
        if (slice_equal(slice_text(*(const char *const *)row), name))
            return i;
    }
    return 0;
}

#define ROW_NAMED(rows, synonyms, name)             \
    row_named(rows, sizeof((rows)[0]), COUNT(rows), \
              name_canonical(name, synonyms, COUNT(synonyms), (char[NAME_SIZE]){0}))

enum encr encr_from_name(struct slice name)
{
    return (enum encr)ROW_NAMED(encr_rows, encr_synonyms, name);
}

enum integ integ_from_name(struct slice name)
{
    return (enum integ)ROW_NAMED(integ_rows, hash_synonyms, name);
}

enum prf prf_from_name(struct slice name)
{
    return (enum prf)ROW_NAMED(prf_rows, hash_synonyms, name);
}

enum group group_from_name(struct slice name)
{
    return (enum group)ROW_NAMED(group_rows, group_synonyms, name);
}
