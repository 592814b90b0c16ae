/*
 * Choosing a suite and checking an answer (lib/policy/choose.h), and what is offered (offer.h).
 */
#include "lib/policy/choose.h"

#include <stdio.h>

#include "lib/crypto/provider.h"
#include "test/unit/choice.h"

/* Numbers as a protocol might have them, and what they are called; known ones have our own, too. */
static const struct known {
    enum transform_type type;
    unsigned algorithm;
    uint16_t number;
    uint16_t key_bits;
    const char *name;
} rows[] = {
    {TRANSFORM_ENCR, ENCR_AES128_CBC, 12, 128, "AES_CBC"},
    {TRANSFORM_ENCR, ENCR_AES256_CBC, 12, 256, "AES_CBC"},
    {TRANSFORM_ENCR, ENCR_AES128_GCM16, 20, 128, "AES_GCM_16"},
    {TRANSFORM_ENCR, ENCR_AES192_GCM16, 20, 192, "AES_GCM_16"},
    {TRANSFORM_ENCR, ENCR_AES256_GCM16, 20, 256, "AES_GCM_16"},
    {TRANSFORM_ENCR, 0, 3, 0, "3DES"},
    {TRANSFORM_PRF, PRF_HMAC_SHA1, 2, 0, "PRF_HMAC_SHA1"},
    {TRANSFORM_PRF, PRF_HMAC_SHA256, 5, 0, "PRF_HMAC_SHA2_256"},
    {TRANSFORM_PRF, PRF_HMAC_SHA384, 6, 0, "PRF_HMAC_SHA2_384"},
    {TRANSFORM_PRF, 0, 1, 0, "PRF_HMAC_MD5"},
    {TRANSFORM_INTEG, INTEG_NONE, 0, 0, "NONE"},
    {TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 2, 0, "HMAC_SHA1_96"},
    {TRANSFORM_INTEG, INTEG_HMAC_SHA256_128, 12, 0, "HMAC_SHA2_256_128"},
    {TRANSFORM_INTEG, 0, 1, 0, "HMAC_MD5_96"},
    {TRANSFORM_GROUP, GROUP_NONE, 0, 0, "NONE"},
    {TRANSFORM_GROUP, GROUP_MODP2048, 14, 0, "MODP_2048"},
    {TRANSFORM_GROUP, GROUP_ECP256, 19, 0, "ECP_256"},
    {TRANSFORM_GROUP, GROUP_X25519, 31, 0, "X25519"},
    {TRANSFORM_GROUP, 0, 1, 0, "MODP_768"},
    {TRANSFORM_GROUP, 0, 2, 0, "MODP_1024"},
    {TRANSFORM_ESN, ESN_NO, 0, 0, "NO_ESN"},
    {TRANSFORM_ESN, ESN_YES, 1, 0, "ESN"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *name(enum transform_type type, uint16_t number)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].type == type && rows[i].number == number)
            return rows[i].name;
    return NULL;
}

static struct offer_transform known(enum transform_type type, unsigned algorithm)
{
    struct offer_transform transform = {
        .type = (uint8_t)type, .algorithm = (uint8_t)algorithm, .known = true};

    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].type != type || rows[i].algorithm != algorithm)
            continue;
        transform.number = rows[i].number;
        transform.key_bits = rows[i].key_bits;
        return transform;
    }
    fail_msg("algorithm %u of type %d has no row", algorithm, type);
    return transform;
}

static struct offer_transform unknown(enum transform_type type, uint16_t number)
{
    return (struct offer_transform){.type = (uint8_t)type, .number = number};
}

#define ENCR(id)  known(TRANSFORM_ENCR, ENCR_##id)
#define PRF(id)   known(TRANSFORM_PRF, PRF_HMAC_##id)
#define INTEG(id) known(TRANSFORM_INTEG, INTEG_##id)
#define KE(id)    known(TRANSFORM_GROUP, GROUP_##id)
#define ESN(id)   known(TRANSFORM_ESN, ESN_##id)

#define PROPOSAL(offer, protocol, ...)                                               \
    proposal_add((offer), (protocol), (const struct offer_transform[]){__VA_ARGS__}, \
                 sizeof((const struct offer_transform[]){__VA_ARGS__}) /             \
                     sizeof(struct offer_transform))

static void proposal_add(struct offer *offer, enum ipsec_protocol protocol,
                         const struct offer_transform *transforms, size_t count)
{
    struct offer_proposal *proposal = &offer->proposals[offer->count++];

    offer->name = name;
    *proposal = (struct offer_proposal){
        .number = (uint8_t)offer->count,
        .protocol = (uint8_t)protocol,
        .spi = {protocol == ESP ? 4 : 0, protocol == ESP ? 0xc0ffee01 : 0},
        .transform_count = (uint8_t)count,
    };
    memcpy(proposal->transforms, transforms, count * sizeof(*transforms));
}

static const struct offer_spi no_spi = {0};

static void our_order_wins_over_the_peer_s(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha384-x25519-ecp256",
                                     "aes256-aes128-sha256-x25519");
    struct offer offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES128_CBC), ENCR(AES256_CBC), PRF(SHA256), INTEG(HMAC_SHA256_128),
             KE(X25519));
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes256-sha256-prfsha256-x25519", 1);
    PROPOSAL(&offer, IKE, ENCR(AES128_GCM16), PRF(SHA256), PRF(SHA384), KE(ECP256), KE(X25519));
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes128gcm16-prfsha384-x25519", 2);
}

static void a_key_that_is_there_wins_over_our_order_of_groups(void **state)
{
    struct proposal_list list = ours(false, "aes128gcm16-prfsha256-x25519-ecp256", NULL);
    struct offer offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES128_GCM16), PRF(SHA256), KE(X25519), KE(ECP256), KE(MODP2048));
    assert_chosen(choose(&list, &offer, IKE, true, GROUP_ECP256), "aes128gcm16-prfsha256-ecp256",
                  1);
    /* Not one of ours; and the same when it is not offered. */
    assert_chosen(choose(&list, &offer, IKE, true, GROUP_MODP2048), "aes128gcm16-prfsha256-x25519",
                  1);
    offer.proposals[0].transform_count = 3;
    assert_chosen(choose(&list, &offer, IKE, true, GROUP_ECP256), "aes128gcm16-prfsha256-x25519",
                  1);
}

/* RFC 7296 section 2.7 and RFC 5282 section 8: an AEAD goes without integrity, or with NONE. */
static void aead_and_integrity_do_not_mix(void **state)
{
    struct proposal_list aead = ours(false, "aes128gcm16-prfsha256-x25519", NULL);
    struct proposal_list cbc = ours(false, "aes128-sha256-x25519", NULL);
    struct offer none = {0};
    struct offer mixed = {0};
    struct offer bare = {0};

    (void)state;
    PROPOSAL(&none, IKE, ENCR(AES128_GCM16), PRF(SHA256), INTEG(NONE), KE(X25519));
    assert_chosen(choose(&aead, &none, IKE, true, 0), "aes128gcm16-prfsha256-x25519", 1);
    PROPOSAL(&mixed, IKE, ENCR(AES128_GCM16), ENCR(AES128_CBC), PRF(SHA256), INTEG(HMAC_SHA256_128),
             KE(X25519));
    assert_refused(choose(&aead, &mixed, IKE, true, 0),
                   "no proposal fits: the nearest differs in integrity; peer offered "
                   "AES_GCM_16-128|AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519; "
                   "allowed is aes128gcm16-prfsha256-x25519");
    assert_chosen(choose(&cbc, &mixed, IKE, true, 0), "aes128-sha256-prfsha256-x25519", 1);
    PROPOSAL(&bare, IKE, ENCR(AES128_CBC), PRF(SHA256), KE(X25519));
    assert_refused(choose(&cbc, &bare, IKE, true, 0),
                   "no proposal fits: the nearest differs in integrity; peer offered "
                   "AES_CBC-128/PRF_HMAC_SHA2_256/X25519; allowed is "
                   "aes128-sha256-prfsha256-x25519");
}

/* RFC 7296 section 3.3.6. */
static void what_is_not_understood_is_passed_over(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha256-x25519", NULL);
    struct offer offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES256_GCM16), unknown(TRANSFORM_ENCR, 999), ENCR(AES128_GCM16),
             PRF(SHA256), unknown(TRANSFORM_GROUP, 1024), KE(X25519));
    offer.proposals[0].transforms[0].unknown_attribute = true;
    offer.proposals[0].transforms[0].known = false;
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes128gcm16-prfsha256-x25519", 1);
    offer.proposals[0].transforms[1] = unknown(TRANSFORM_UNKNOWN, 6);
    assert_refused(choose(&list, &offer, IKE, true, 0),
                   "no proposal fits: the nearest differs in a transform type that is unknown; "
                   "peer offered AES_GCM_16-256?|AES_GCM_16-128/PRF_HMAC_SHA2_256/KE_1024|X25519/1 "
                   "of unknown type; allowed is aes256gcm16-aes128gcm16-prfsha256-x25519");
}

static void the_nearest_is_told(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-prfsha384-x25519", "aes128-sha1-modp2048");
    struct offer offer = {0};

    (void)state;
    assert_refused(choose(&list, &offer, IKE, true, 0), "no proposal fits: none was offered");
    PROPOSAL(&offer, IKE, unknown(TRANSFORM_ENCR, 3), unknown(TRANSFORM_PRF, 1),
             unknown(TRANSFORM_INTEG, 1), unknown(TRANSFORM_GROUP, 1));
    PROPOSAL(&offer, IKE, ENCR(AES128_CBC), PRF(SHA1), INTEG(HMAC_SHA1_96),
             unknown(TRANSFORM_GROUP, 2));
    assert_refused(choose(&list, &offer, IKE, true, 0),
                   "no proposal fits: the nearest differs in group; peer offered "
                   "AES_CBC-128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024; allowed is "
                   "aes128-sha1-prfsha1-modp2048");
    offer.count = 1;
    assert_refused(choose(&list, &offer, IKE, true, 0),
                   "no proposal fits: the nearest differs in cipher, integrity, PRF, group; peer "
                   "offered 3DES/HMAC_MD5_96/PRF_HMAC_MD5/MODP_768; allowed is "
                   "aes256gcm16-prfsha384-x25519");
}

/* RFC 7296 section 3.3.3: ESN is mandatory for ESP; section 3.3.2: 0 and 1 may both be offered. */
static void sequence_numbers_are_agreed(void **state)
{
    struct proposal_list both = ours(true, "aes128gcm16", NULL);
    struct proposal_list only = ours(true, "aes128gcm16-esn", NULL);
    struct proposal_list short_ones = ours(true, "aes128gcm16-noesn", NULL);
    struct offer silent = {0};
    struct offer two = {0};
    struct offer one = {0};

    (void)state;
    PROPOSAL(&two, ESP, ENCR(AES128_GCM16), ESN(NO), ESN(YES));
    assert_chosen(choose(&both, &two, ESP, false, 0), "aes128gcm16-esn", 1);
    assert_chosen(choose(&short_ones, &two, ESP, false, 0), "aes128gcm16", 1);
    PROPOSAL(&one, ESP, ENCR(AES128_GCM16), ESN(NO));
    assert_chosen(choose(&both, &one, ESP, false, 0), "aes128gcm16", 1);
    assert_refused(choose(&only, &one, ESP, false, 0),
                   "no proposal fits: the nearest differs in ESN; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16-esn");
    PROPOSAL(&silent, ESP, ENCR(AES128_GCM16));
    assert_refused(choose(&both, &silent, ESP, false, 0),
                   "no proposal fits: the nearest differs in ESN; peer offered AES_GCM_16-128; "
                   "allowed is aes128gcm16");
    two.proposals[0].transforms[1] = unknown(TRANSFORM_ESN, 32);
    two.proposals[0].transforms[2] = unknown(TRANSFORM_ESN, 33);
    assert_int_equal(choose(&both, &two, ESP, false, 0).status, STATUS_REJECT);
}

static void a_child_s_spi_comes_along(void **state)
{
    struct proposal_list list = ours(true, "aes128gcm16", NULL);
    struct offer offer = {0};

    (void)state;
    PROPOSAL(&offer, ESP, ENCR(AES128_GCM16), ESN(NO));
    struct choice choice = choose(&list, &offer, ESP, false, 0);
    assert_chosen(choice, "aes128gcm16", 1);
    assert_int_equal(choice.spi, 0xc0ffee01);
    offer.proposals[0].spi.value = 255; /* RFC 4303 section 2.1: reserved */
    assert_refused(choose(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in SPI; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
    offer.proposals[0].spi.value = 256;
    assert_int_equal(choose(&list, &offer, ESP, false, 0).spi, 256);
    offer.proposals[0].spi.size = 8;
    assert_int_equal(choose(&list, &offer, ESP, false, 0).status, STATUS_REJECT);
    offer.proposals[0].spi.size = 4;
    offer.proposals[0].protocol = IPSEC_AH;
    assert_refused(choose(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in protocol; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
}

static void pfs_is_asked_for_where_it_can_be(void **state)
{
    struct proposal_list pfs = ours(true, "aes128gcm16-x25519", NULL);
    struct proposal_list plain = ours(true, "aes128gcm16", NULL);
    struct offer with = {0};
    struct offer without = {0};
    struct offer either = {0};

    (void)state;
    PROPOSAL(&with, ESP, ENCR(AES128_GCM16), KE(X25519), ESN(NO));
    PROPOSAL(&without, ESP, ENCR(AES128_GCM16), ESN(NO));
    PROPOSAL(&either, ESP, ENCR(AES128_GCM16), KE(X25519), KE(NONE), ESN(NO));
    assert_chosen(choose(&pfs, &with, ESP, true, 0), "aes128gcm16-x25519", 1);
    assert_chosen(choose(&pfs, &without, ESP, false, 0), "aes128gcm16", 1);
    assert_chosen(choose(&pfs, &with, ESP, false, 0), "aes128gcm16", 1);
    assert_refused(choose(&pfs, &without, ESP, true, 0),
                   "no proposal fits: the nearest differs in group; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16-x25519");
    assert_int_equal(choose(&plain, &with, ESP, true, 0).status, STATUS_REJECT);
    assert_chosen(choose(&plain, &without, ESP, true, 0), "aes128gcm16", 1);
    assert_chosen(choose(&plain, &either, ESP, true, 0), "aes128gcm16", 1);
}

/* The default lists against a provider that has all of it: what is offered is chosen. */
static void both_ends_of_the_same_configuration_agree(void **state)
{
    struct crypto *crypto = crypto_new();
    struct proposal_list list;
    struct offer offer;
    struct offer answer;
    struct suite suite;
    struct suite checked;
    struct suite_terms terms = {.protocol = IKE, .with_group = true, .crypto = crypto};
    const struct offer_proposal *chosen;

    (void)state;
    assert_non_null(crypto);
    proposal_list_default(&list, false);
    offer_from_proposals(&offer, &list, IKE, no_spi, crypto, true);
    assert_int_equal(offer.count, 2);
    assert_int_equal(choose_suite(&list, &offer, &terms, &suite, &chosen, NULL), STATUS_OK);
    offer_from_suite(&answer, &suite, chosen->number, IKE, no_spi, true);
    assert_int_equal(check_answer(&list, &answer, &terms, &checked, NULL), STATUS_OK);
    assert_memory_equal(&suite, &checked, sizeof(suite));
    assert_int_equal(suite.encr, ENCR_AES256_GCM16);
    assert_int_equal(suite.prf, PRF_HMAC_SHA384);
    assert_int_equal(suite.group, GROUP_X25519);
    offer_from_suite(&answer, &suite, chosen->number, IKE, no_spi, false);
    assert_int_equal(check_answer(&list, &answer, &terms, &checked, NULL), STATUS_CLOSE);

    terms = (struct suite_terms){.protocol = ESP};
    proposal_list_default(&list, true);
    offer_from_proposals(&offer, &list, ESP, (struct offer_spi){4, 0x01020304}, NULL, false);
    assert_int_equal(choose_suite(&list, &offer, &terms, &suite, &chosen, NULL), STATUS_OK);
    assert_int_equal(chosen->spi.value, 0x01020304);
    offer_from_suite(&answer, &suite, chosen->number, ESP, (struct offer_spi){4, 0x05060708},
                     false);
    assert_int_equal(check_answer(&list, &answer, &terms, &checked, NULL), STATUS_OK);
    assert_int_equal(answer.proposals[0].spi.value, 0x05060708);
    assert_int_equal(checked.encr, ENCR_AES256_GCM16);
    assert_true(checked.esn);
    crypto_free(crypto);
}

static void assert_transform(const struct offer *offer, size_t i, enum transform_type type,
                             unsigned algorithm)
{
    assert_int_equal(offer->proposals[0].transforms[i].type, type);
    assert_int_equal(offer->proposals[0].transforms[i].algorithm, algorithm);
}

/* R22: neither offered nor chosen, and a proposal for which nothing is left is not made. */
static void what_the_provider_lacks_is_left_out(void **state)
{
    struct proposal_list list =
        ours(false, "aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256",
             "aes256gcm16-prfsha256-ecp256");
    struct crypto *crypto = crypto_new();
    struct suite_terms terms = {.protocol = IKE, .with_group = true, .crypto = crypto};
    const struct offer_proposal *chosen;
    struct offer offer;
    struct suite suite;

    (void)state;
    assert_non_null(crypto);
    EVP_CIPHER_CTX_free(crypto->ciphers[ENCR_AES256_GCM16]);
    crypto->ciphers[ENCR_AES256_GCM16] = NULL;
    mac_close(&crypto->macs[MAC_HMAC_SHA384]);
    ke_close(&crypto->exchanges[GROUP_X25519]);
    offer_from_proposals(&offer, &list, IKE, no_spi, crypto, true);
    assert_int_equal(offer.count, 1);
    assert_int_equal(offer.proposals[0].transform_count, 3);
    assert_transform(&offer, 0, TRANSFORM_ENCR, ENCR_AES128_GCM16);
    assert_transform(&offer, 1, TRANSFORM_PRF, PRF_HMAC_SHA256);
    assert_transform(&offer, 2, TRANSFORM_GROUP, GROUP_ECP256);
    offer_from_proposals(&offer, &list, IKE, no_spi, NULL, true);
    assert_int_equal(choose_suite(&list, &offer, &terms, &suite, &chosen, NULL), STATUS_OK);
    assert_int_equal(suite.encr, ENCR_AES128_GCM16);
    assert_int_equal(suite.prf, PRF_HMAC_SHA256);
    assert_int_equal(suite.group, GROUP_ECP256);
    crypto_free(crypto);
}

static void assert_answer(const struct proposal_list *list, const struct offer *answer,
                          const char *reason_expected)
{
    struct suite_terms terms = {.protocol = IKE, .with_group = true};
    struct suite suite;
    struct reason reason = {0};
    enum status status = check_answer(list, answer, &terms, &suite, &reason);

    assert_int_equal(status, reason_expected != NULL ? STATUS_CLOSE : STATUS_OK);
    if (reason_expected != NULL)
        assert_string_equal(reason.text, reason_expected);
}

/* RFC 7296 section 3.3.6: an inconsistent answer ends it. */
static void answers_are_held_against_the_offer(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha256-x25519", NULL);
    struct offer answer = {0};

    (void)state;
    assert_answer(&list, &answer, "peer answered 0 proposals instead of one");
    PROPOSAL(&answer, IKE, ENCR(AES128_GCM16), PRF(SHA256), KE(X25519));
    assert_answer(&list, &answer, NULL);
    answer.count = 2;
    answer.proposals[1] = answer.proposals[0];
    assert_answer(&list, &answer, "peer answered 2 proposals instead of one");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES128_GCM16), ENCR(AES256_GCM16), PRF(SHA256), KE(X25519));
    assert_answer(&list, &answer,
                  "peer did not choose among alternatives: "
                  "AES_GCM_16-128|AES_GCM_16-256/PRF_HMAC_SHA2_256/X25519");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES192_GCM16), PRF(SHA256), KE(X25519));
    assert_answer(&list, &answer,
                  "peer chose what we did not offer: AES_GCM_16-192/PRF_HMAC_SHA2_256/X25519");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES128_GCM16), PRF(SHA256), INTEG(HMAC_SHA256_128), KE(X25519));
    assert_answer(&list, &answer,
                  "peer chose what we did not offer: "
                  "AES_GCM_16-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_order_wins_over_the_peer_s),
        cmocka_unit_test(a_key_that_is_there_wins_over_our_order_of_groups),
        cmocka_unit_test(aead_and_integrity_do_not_mix),
        cmocka_unit_test(what_is_not_understood_is_passed_over),
        cmocka_unit_test(the_nearest_is_told),
        cmocka_unit_test(sequence_numbers_are_agreed),
        cmocka_unit_test(a_child_s_spi_comes_along),
        cmocka_unit_test(pfs_is_asked_for_where_it_can_be),
        cmocka_unit_test(both_ends_of_the_same_configuration_agree),
        cmocka_unit_test(what_the_provider_lacks_is_left_out),
        cmocka_unit_test(answers_are_held_against_the_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
