/*
 * The tables of algorithms: their numbers against IANA's, their columns against each other, and
 * the ways in and out by number and by name (lib/crypto/algorithm.h).
 */
#include "lib/crypto/algorithm.h"

#include <string.h>

#include "lib/crypto/crypto.h"
#include "test/unit/bytes.h"

static enum encr encr_named(const char *name)
{
    return encr_from_name(slice_text(name));
}

/* IANA's "IKEv2 Transform Type" registries. */
static void numbers_are_ianas(void **state)
{
    static const struct {
        enum encr encr;
        uint16_t wire;
        uint16_t key_bits;
    } encrs[] = {
        {ENCR_NULL, 11, 0},           {ENCR_AES128_CBC, 12, 128},      {ENCR_AES256_CBC, 12, 256},
        {ENCR_AES192_CTR, 13, 192},   {ENCR_AES128_CCM8, 14, 128},     {ENCR_AES128_CCM12, 15, 128},
        {ENCR_AES256_CCM16, 16, 256}, {ENCR_AES256_GCM8, 18, 256},     {ENCR_AES192_GCM12, 19, 192},
        {ENCR_AES256_GCM16, 20, 256}, {ENCR_CHACHA20_POLY1305, 28, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(encrs) / sizeof(encrs[0]); i++)
        assert_int_equal(encr_from_wire(encrs[i].wire, encrs[i].key_bits), encrs[i].encr);
    assert_int_equal(integ_from_wire(2), INTEG_HMAC_SHA1_96);
    assert_int_equal(integ_from_wire(5), INTEG_AES_XCBC_96);
    assert_int_equal(integ_from_wire(8), INTEG_AES_CMAC_96);
    assert_int_equal(integ_from_wire(12), INTEG_HMAC_SHA256_128);
    assert_int_equal(integ_from_wire(13), INTEG_HMAC_SHA384_192);
    assert_int_equal(integ_from_wire(14), INTEG_HMAC_SHA512_256);
    assert_int_equal(prf_from_wire(2), PRF_HMAC_SHA1);
    assert_int_equal(prf_from_wire(4), PRF_AES128_XCBC);
    assert_int_equal(prf_from_wire(5), PRF_HMAC_SHA256);
    assert_int_equal(prf_from_wire(6), PRF_HMAC_SHA384);
    assert_int_equal(prf_from_wire(7), PRF_HMAC_SHA512);
    assert_int_equal(prf_from_wire(8), PRF_AES128_CMAC);
    for (uint16_t wire = 14; wire <= 18; wire++)
        assert_int_equal(group_from_wire(wire), GROUP_MODP2048 + wire - 14);
    for (uint16_t wire = 19; wire <= 21; wire++)
        assert_int_equal(group_from_wire(wire), GROUP_ECP256 + wire - 19);
    assert_int_equal(group_from_wire(31), GROUP_X25519);
    assert_int_equal(group_from_wire(32), GROUP_X448);
}

/* R8: a number of the wire is never an index, whatever it is. */
static void other_numbers_name_nothing(void **state)
{
    unsigned encrs = 0, integs = 0, prfs = 0, groups = 0;
    (void)state;

    for (unsigned wire = 0; wire <= UINT16_MAX; wire++) {
        static const uint16_t bits[] = {0, 64, 127, 128, 192, 256, 512, UINT16_MAX};
        for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
            encrs += encr_from_wire((uint16_t)wire, bits[i]) != ENCR_NONE;
        integs += integ_from_wire((uint16_t)wire) != INTEG_NONE;
        prfs += prf_from_wire((uint16_t)wire) != PRF_NONE;
        groups += group_from_wire((uint16_t)wire) != GROUP_NONE;
    }
    assert_int_equal(encrs, ENCR_COUNT - 1);
    assert_int_equal(integs, INTEG_COUNT - 1);
    assert_int_equal(prfs, PRF_COUNT - 1);
    assert_int_equal(groups, GROUP_COUNT - 1);
    /* RFC 7296 section 3.3.5: AES without a key length, and others with one, are no proposal */
    assert_int_equal(encr_from_wire(12, 0), ENCR_NONE);
    assert_int_equal(encr_from_wire(28, 256), ENCR_NONE);
}

static void rows_end_where_the_enums_do(void **state)
{
    (void)state;
    assert_null(encr_info(ENCR_NONE));
    assert_null(encr_info(ENCR_COUNT));
    assert_null(encr_info(UINT32_MAX));
    assert_null(integ_info(INTEG_NONE));
    assert_null(integ_info(INTEG_COUNT));
    assert_null(prf_info(PRF_NONE));
    assert_null(prf_info(PRF_COUNT));
    assert_null(group_info(GROUP_NONE));
    assert_null(group_info(GROUP_COUNT));
    assert_false(encr_is_aead(ENCR_NONE));
    assert_false(encr_is_aead(ENCR_COUNT));
    assert_false(encr_is_aead(ENCR_AES128_CTR));
    assert_true(encr_is_aead(ENCR_AES128_CCM8));
}

static void every_row_leads_back_to_itself(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ENCR_COUNT; i++) {
        const struct encr_info *info = encr_info(i);
        assert_int_equal(encr_from_wire(info->wire, info->key_bits), i);
        assert_int_equal(encr_named(info->name), i);
        assert_non_null(info->kernel);
    }
    for (unsigned i = 1; i < INTEG_COUNT; i++) {
        const struct integ_info *info = integ_info(i);
        assert_int_equal(integ_from_wire(info->wire), i);
        assert_int_equal(integ_from_name(slice_text(info->name)), i);
        assert_non_null(info->kernel);
    }
    for (unsigned i = 1; i < PRF_COUNT; i++) {
        assert_int_equal(prf_from_wire(prf_info(i)->wire), i);
        assert_int_equal(prf_from_name(slice_text(prf_info(i)->name)), i);
    }
    for (unsigned i = 1; i < GROUP_COUNT; i++) {
        assert_int_equal(group_from_wire(group_info(i)->wire), i);
        assert_int_equal(group_from_name(slice_text(group_info(i)->name)), i);
    }
}

/* RFC 5282, 5930, 7634, 3602: what each mode carries. */
static void cipher_sizes_fit_their_modes(void **state)
{
    static const struct {
        uint16_t wire;
        uint8_t salt_size, iv_size, block_size, icv_size;
        const char *kernel;
    } modes[] = {
        {12, 0, 16, 16, 0, "cbc(aes)"},         {13, 4, 8, 1, 0, "rfc3686(ctr(aes))"},
        {14, 3, 8, 1, 8, "rfc4309(ccm(aes))"},  {15, 3, 8, 1, 12, "rfc4309(ccm(aes))"},
        {16, 3, 8, 1, 16, "rfc4309(ccm(aes))"}, {18, 4, 8, 1, 8, "rfc4106(gcm(aes))"},
        {19, 4, 8, 1, 12, "rfc4106(gcm(aes))"}, {20, 4, 8, 1, 16, "rfc4106(gcm(aes))"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        for (uint16_t bits = 128; bits <= 256; bits += 64) {
            const struct encr_info *info = encr_info(encr_from_wire(modes[i].wire, bits));
            assert_non_null(info);
            assert_int_equal(info->key_size, bits / 8 + modes[i].salt_size);
            assert_int_equal(info->salt_size, modes[i].salt_size);
            assert_int_equal(info->iv_size, modes[i].iv_size);
            assert_int_equal(info->block_size, modes[i].block_size);
            assert_int_equal(info->icv_size, modes[i].icv_size);
            assert_string_equal(info->kernel, modes[i].kernel);
            assert_false(info->weak);
        }
    }
    assert_int_equal(encr_info(ENCR_CHACHA20_POLY1305)->key_size, 36);
    assert_int_equal(encr_info(ENCR_CHACHA20_POLY1305)->icv_size, 16);
    assert_string_equal(encr_info(ENCR_CHACHA20_POLY1305)->kernel, "rfc7539esp(chacha20,poly1305)");
    assert_int_equal(encr_info(ENCR_NULL)->key_size, 0);
    assert_string_equal(encr_info(ENCR_NULL)->kernel, "ecb(cipher_null)");
}

/* What callers size their memory by. */
static void sizes_fit_the_limits(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ENCR_COUNT; i++)
        assert_true(encr_info(i)->icv_size <= SEAL_ICV_MAX);
    for (unsigned i = 1; i < INTEG_COUNT; i++)
        assert_true(integ_info(i)->icv_size <= SEAL_ICV_MAX);
    for (unsigned i = 1; i < PRF_COUNT; i++)
        assert_true(prf_info(i)->size <= PRF_SIZE_MAX && prf_info(i)->key_size <= PRF_SIZE_MAX);
    for (unsigned i = 1; i < GROUP_COUNT; i++)
        assert_true(group_info(i)->public_size <= KE_PUBLIC_MAX);
}

/* RFC 8247: of what is here only SHA-1 is on its way out. */
static void sha1_is_weak_and_nothing_else(void **state)
{
    (void)state;
    for (unsigned i = 1; i < INTEG_COUNT; i++)
        assert_int_equal(integ_info(i)->weak, i == INTEG_HMAC_SHA1_96);
    for (unsigned i = 1; i < PRF_COUNT; i++)
        assert_int_equal(prf_info(i)->weak, i == PRF_HMAC_SHA1);
    for (unsigned i = 1; i < GROUP_COUNT; i++)
        assert_false(group_info(i)->weak);
}

static void takes_the_spellings_of_others(void **state)
{
    (void)state;
    assert_int_equal(encr_named("aes256"), ENCR_AES256_CBC);
    assert_int_equal(encr_named("aes256cbc"), ENCR_AES256_CBC);
    assert_int_equal(encr_named("aes192ctr"), ENCR_AES192_CTR);
    assert_int_equal(encr_named("aes128gcm16"), ENCR_AES128_GCM16);
    assert_int_equal(encr_named("aes128gcm128"), ENCR_AES128_GCM16);
    assert_int_equal(encr_named("aes128gcm"), ENCR_AES128_GCM16);
    assert_int_equal(encr_named("aes256gcm96"), ENCR_AES256_GCM12);
    assert_int_equal(encr_named("aes256gcm64"), ENCR_AES256_GCM8);
    assert_int_equal(encr_named("aes256ccm16"), ENCR_AES256_CCM16);
    assert_int_equal(encr_named("aes256ccm"), ENCR_AES256_CCM16);
    assert_int_equal(encr_named("aes192ccm64"), ENCR_AES192_CCM8);
    assert_int_equal(encr_named("chacha20poly1305"), ENCR_CHACHA20_POLY1305);
    assert_int_equal(encr_named("null"), ENCR_NULL);
    assert_int_equal(integ_from_name(slice_text("sha1")), INTEG_HMAC_SHA1_96);
    assert_int_equal(integ_from_name(slice_text("sha")), INTEG_HMAC_SHA1_96);
    assert_int_equal(integ_from_name(slice_text("sha2_256")), INTEG_HMAC_SHA256_128);
    assert_int_equal(integ_from_name(slice_text("aesxcbc")), INTEG_AES_XCBC_96);
    assert_int_equal(integ_from_name(slice_text("aescmac")), INTEG_AES_CMAC_96);
    assert_int_equal(prf_from_name(slice_text("prfsha256")), PRF_HMAC_SHA256);
    assert_int_equal(prf_from_name(slice_text("prfsha2_512")), PRF_HMAC_SHA512);
    assert_int_equal(prf_from_name(slice_text("prfaesxcbc")), PRF_AES128_XCBC);
    assert_int_equal(prf_from_name(slice_text("prfaescmac")), PRF_AES128_CMAC);
    assert_int_equal(group_from_name(slice_text("curve25519")), GROUP_X25519);
    assert_int_equal(group_from_name(slice_text("curve448")), GROUP_X448);
    assert_int_equal(group_from_name(slice_text("modp8192")), GROUP_MODP8192);
}

static void knows_no_other_words(void **state)
{
    static const char *const words[] = {
        "",
        "aes",
        "aes25",
        "aes2566",
        "AES256",
        "aes256 ",
        " aes256",
        "gcm",
        "gcm16",
        "aes256gcm4",
        "aes512",
        "3des",
        "md5",
        "prfmd5",
        "modp1024",
        "modp2048s",
        "xcurve25519",
        "prf",
        "sha2",
        "prfprfsha1",
        "sha2_256_a",
        "aes256gcmgcm",
        "aes256ccm0",
        "ecp256bp",
        "curve",
        "aes256gcm16aes256gcm16aes256gcm16aes256gcm16aes256gcm16aes256gcm",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(encr_named(words[i]), ENCR_NONE);
        assert_int_equal(integ_from_name(slice_text(words[i])), INTEG_NONE);
        assert_int_equal(prf_from_name(slice_text(words[i])), PRF_NONE);
        assert_int_equal(group_from_name(slice_text(words[i])), GROUP_NONE);
    }
    /* a word is its bytes: an embedded NUL does not end it */
    assert_int_equal(encr_from_name(slice_of("aes256\0", 7)), ENCR_NONE);
    assert_int_equal(encr_from_name(slice_of("aes256gcm16", 6)), ENCR_AES256_CBC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_ianas),
        cmocka_unit_test(other_numbers_name_nothing),
        cmocka_unit_test(rows_end_where_the_enums_do),
        cmocka_unit_test(every_row_leads_back_to_itself),
        cmocka_unit_test(cipher_sizes_fit_their_modes),
        cmocka_unit_test(sizes_fit_the_limits),
        cmocka_unit_test(sha1_is_weak_and_nothing_else),
        cmocka_unit_test(takes_the_spellings_of_others),
        cmocka_unit_test(knows_no_other_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
