/*
 * Choosing a suite and checking an answer (lib/policy/choose.h).
 */
#include "lib/policy/choose.h"

#include <stdio.h>

#include "lib/crypto/provider.h"
#include "lib/policy/proposal.h"
#include "test/unit/policy.h"

#define IKE V2_PROTOCOL_IKE
#define ESP V2_PROTOCOL_ESP

/* Numbers of IANA's registries, written apart from lib/crypto's. */
enum {
    AES_CBC = 12,
    AES_GCM_16 = 20,
    PRF_SHA256 = 5,
    PRF_SHA384 = 6,
    AUTH_SHA1 = 2,
    AUTH_SHA256 = 12,
    MODP_1024 = 2,
    MODP_2048 = 14,
    ECP_256 = 19,
    CURVE25519 = 31,
};

static struct v2_transform transform(uint8_t type, uint16_t id, uint16_t key_bits)
{
    return (struct v2_transform){.type = type, .id = id, .key_bits = key_bits};
}

#define ENCR(number, bits) transform(V2_TRANSFORM_ENCR, (number), (bits))
#define PRF(number)        transform(V2_TRANSFORM_PRF, (number), 0)
#define INTEG(number)      transform(V2_TRANSFORM_INTEG, (number), 0)
#define KE(number)         transform(V2_TRANSFORM_KE, (number), 0)
#define ESN(number)        transform(V2_TRANSFORM_ESN, (number), 0)

#define PROPOSAL(sa, protocol, ...)                                            \
    proposal_add((sa), (protocol), (const struct v2_transform[]){__VA_ARGS__}, \
                 sizeof((const struct v2_transform[]){__VA_ARGS__}) / sizeof(struct v2_transform))

static void proposal_add(struct v2_sa *sa, uint8_t protocol, const struct v2_transform *transforms,
                         size_t count)
{
    struct v2_proposal *proposal = &sa->proposals[sa->count++];

    *proposal = (struct v2_proposal){
        .number = (uint8_t)sa->count,
        .protocol = protocol,
        .spi_size = protocol == ESP ? 4 : 0,
        .spi = {0xc0, 0xff, 0xee, 0x01},
        .transform_count = (uint8_t)count,
    };
    memcpy(proposal->transforms, transforms, count * sizeof(*transforms));
}

static struct proposal_list ours(bool child, const char *first, const char *second)
{
    struct proposal_list list = {0};
    struct proposal_use use = {.child = child, .weak = true};
    char wrong[PROPOSAL_WRONG_MAX];

    assert_true(proposal_parse(&list.items[list.count++], first, use, wrong));
    if (second != NULL)
        assert_true(proposal_parse(&list.items[list.count++], second, use, wrong));
    return list;
}

/* What comes of an offer, as text, and the number of the chosen proposal. */
struct choice {
    enum status status;
    char suite[120];
    uint8_t number;
    uint32_t spi;
    struct reason reason;
};

static struct choice choose(const struct proposal_list *list, const struct v2_sa *offer,
                            uint8_t protocol, bool with_group, enum group prefer)
{
    struct choice choice = {0};
    struct suite suite;

    choice.status = choose_suite(list, offer, protocol, NULL, with_group, prefer, &suite,
                                 &choice.number, &choice.spi, &choice.reason);
    if (choice.status == STATUS_OK)
        suite_text(&suite, choice.suite, sizeof(choice.suite));
    else
        assert_int_equal(choice.reason.notify, V2_N_NO_PROPOSAL_CHOSEN);
    return choice;
}

static void assert_chosen(struct choice choice, const char *suite, uint8_t number)
{
    if (choice.status != STATUS_OK)
        fail_msg("%s", choice.reason.text);
    assert_string_equal(choice.suite, suite);
    assert_int_equal(choice.number, number);
}

static void assert_refused(struct choice choice, const char *reason)
{
    assert_int_equal(choice.status, STATUS_REJECT);
    assert_string_equal(choice.reason.text, reason);
}

static void our_order_wins_over_the_peer_s(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha384-x25519-ecp256",
                                     "aes256-aes128-sha256-x25519");
    struct v2_sa offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES_CBC, 128), ENCR(AES_CBC, 256), PRF(PRF_SHA256),
             INTEG(AUTH_SHA256), KE(CURVE25519));
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes256-sha256-prfsha256-x25519", 1);
    PROPOSAL(&offer, IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), PRF(PRF_SHA384), KE(ECP_256),
             KE(CURVE25519));
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes128gcm16-prfsha384-x25519", 2);
}

static void a_key_that_is_there_wins_over_our_order_of_groups(void **state)
{
    struct proposal_list list = ours(false, "aes128gcm16-prfsha256-x25519-ecp256", NULL);
    struct v2_sa offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), KE(CURVE25519), KE(ECP_256),
             KE(MODP_2048));
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
    struct v2_sa none = {0};
    struct v2_sa mixed = {0};
    struct v2_sa bare = {0};

    (void)state;
    PROPOSAL(&none, IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), INTEG(0), KE(CURVE25519));
    assert_chosen(choose(&aead, &none, IKE, true, 0), "aes128gcm16-prfsha256-x25519", 1);
    PROPOSAL(&mixed, IKE, ENCR(AES_GCM_16, 128), ENCR(AES_CBC, 128), PRF(PRF_SHA256),
             INTEG(AUTH_SHA256), KE(CURVE25519));
    assert_refused(choose(&aead, &mixed, IKE, true, 0),
                   "no proposal fits: the nearest differs in integrity; peer offered "
                   "AES_GCM_16-128|AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519; "
                   "allowed is aes128gcm16-prfsha256-x25519");
    assert_chosen(choose(&cbc, &mixed, IKE, true, 0), "aes128-sha256-prfsha256-x25519", 1);
    PROPOSAL(&bare, IKE, ENCR(AES_CBC, 128), PRF(PRF_SHA256), KE(CURVE25519));
    assert_refused(choose(&cbc, &bare, IKE, true, 0),
                   "no proposal fits: the nearest differs in integrity; peer offered "
                   "AES_CBC-128/PRF_HMAC_SHA2_256/X25519; allowed is "
                   "aes128-sha256-prfsha256-x25519");
}

/* RFC 7296 section 3.3.5: AES without a key length must not be taken, nor a PRF with one. */
static void key_lengths_stand_where_they_must(void **state)
{
    struct proposal_list list = ours(false, "aes128-sha256-x25519", NULL);
    struct v2_sa missing = {0};
    struct v2_sa superfluous = {0};

    (void)state;
    PROPOSAL(&missing, IKE, ENCR(AES_CBC, 0), PRF(PRF_SHA256), INTEG(AUTH_SHA256), KE(CURVE25519));
    assert_refused(choose(&list, &missing, IKE, true, 0),
                   "no proposal fits: the nearest differs in cipher; peer offered "
                   "AES_CBC/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519; allowed is "
                   "aes128-sha256-prfsha256-x25519");
    PROPOSAL(&superfluous, IKE, ENCR(AES_CBC, 128), PRF(PRF_SHA256), INTEG(AUTH_SHA256),
             KE(CURVE25519));
    superfluous.proposals[0].transforms[1].key_bits = 256;
    assert_refused(choose(&list, &superfluous, IKE, true, 0),
                   "no proposal fits: the nearest differs in PRF; peer offered "
                   "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256-256/X25519; allowed is "
                   "aes128-sha256-prfsha256-x25519");
}

/* RFC 7296 section 3.3.6. */
static void what_is_not_understood_is_passed_over(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha256-x25519", NULL);
    struct v2_sa offer = {0};

    (void)state;
    PROPOSAL(&offer, IKE, ENCR(AES_GCM_16, 256), ENCR(999, 128), ENCR(AES_GCM_16, 128),
             PRF(PRF_SHA256), KE(1024), KE(CURVE25519));
    offer.proposals[0].transforms[0].unknown_attribute = true;
    assert_chosen(choose(&list, &offer, IKE, true, 0), "aes128gcm16-prfsha256-x25519", 1);
    offer.proposals[0].transforms[1].type = 6;
    assert_refused(choose(&list, &offer, IKE, true, 0),
                   "no proposal fits: the nearest differs in a transform type that is unknown; "
                   "peer offered AES_GCM_16-256?|AES_GCM_16-128/PRF_HMAC_SHA2_256/KE_1024|X25519/1 "
                   "of unknown type; allowed is aes256gcm16-aes128gcm16-prfsha256-x25519");
}

static void the_nearest_is_told(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-prfsha384-x25519", "aes128-sha1-modp2048");
    struct v2_sa offer = {0};

    (void)state;
    assert_refused(choose(&list, &offer, IKE, true, 0), "no proposal fits: none was offered");
    PROPOSAL(&offer, IKE, ENCR(3, 0), PRF(1), INTEG(1), KE(1));
    PROPOSAL(&offer, IKE, ENCR(AES_CBC, 128), PRF(2), INTEG(AUTH_SHA1), KE(MODP_1024));
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
    struct v2_sa silent = {0};
    struct v2_sa two = {0};
    struct v2_sa one = {0};

    (void)state;
    PROPOSAL(&two, ESP, ENCR(AES_GCM_16, 128), ESN(0), ESN(1));
    assert_chosen(choose(&both, &two, ESP, false, 0), "aes128gcm16-esn", 1);
    assert_chosen(choose(&short_ones, &two, ESP, false, 0), "aes128gcm16", 1);
    PROPOSAL(&one, ESP, ENCR(AES_GCM_16, 128), ESN(0));
    assert_chosen(choose(&both, &one, ESP, false, 0), "aes128gcm16", 1);
    assert_refused(choose(&only, &one, ESP, false, 0),
                   "no proposal fits: the nearest differs in ESN; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16-esn");
    PROPOSAL(&silent, ESP, ENCR(AES_GCM_16, 128));
    assert_refused(choose(&both, &silent, ESP, false, 0),
                   "no proposal fits: the nearest differs in ESN; peer offered AES_GCM_16-128; "
                   "allowed is aes128gcm16");
    two.proposals[0].transforms[1].id = 32;
    two.proposals[0].transforms[2].id = 33;
    assert_int_equal(choose(&both, &two, ESP, false, 0).status, STATUS_REJECT);
}

static void a_child_s_spi_comes_along(void **state)
{
    struct proposal_list list = ours(true, "aes128gcm16", NULL);
    struct v2_sa offer = {0};

    (void)state;
    PROPOSAL(&offer, ESP, ENCR(AES_GCM_16, 128), ESN(0));
    struct choice choice = choose(&list, &offer, ESP, false, 0);
    assert_chosen(choice, "aes128gcm16", 1);
    assert_int_equal(choice.spi, 0xc0ffee01);
    memcpy(offer.proposals[0].spi, "\0\0\0\xff", 4); /* RFC 4303 section 2.1: reserved */
    assert_refused(choose(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in SPI; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
    memcpy(offer.proposals[0].spi, "\0\0\1\0", 4);
    assert_int_equal(choose(&list, &offer, ESP, false, 0).spi, 256);
    offer.proposals[0].spi_size = 8;
    assert_int_equal(choose(&list, &offer, ESP, false, 0).status, STATUS_REJECT);
    offer.proposals[0].spi_size = 4;
    offer.proposals[0].protocol = V2_PROTOCOL_AH;
    assert_refused(choose(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in protocol; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
}

static void pfs_is_asked_for_where_it_can_be(void **state)
{
    struct proposal_list pfs = ours(true, "aes128gcm16-x25519", NULL);
    struct proposal_list plain = ours(true, "aes128gcm16", NULL);
    struct v2_sa with = {0};
    struct v2_sa without = {0};
    struct v2_sa either = {0};

    (void)state;
    PROPOSAL(&with, ESP, ENCR(AES_GCM_16, 128), KE(CURVE25519), ESN(0));
    PROPOSAL(&without, ESP, ENCR(AES_GCM_16, 128), ESN(0));
    PROPOSAL(&either, ESP, ENCR(AES_GCM_16, 128), KE(CURVE25519), KE(0), ESN(0));
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

static void offers_say_what_is_configured(void **state)
{
    struct proposal_list ike = ours(false, "aes256gcm16-chacha20poly1305-prfsha384-x25519",
                                    "aes128-sha256-x25519-modp2048");
    struct proposal_list esp = ours(true, "aes256gcm16-x25519", "aes128-sha256-noesn");
    struct v2_sa sa;
    char text[200];

    (void)state;
    offer_from_proposals(&sa, &ike, IKE, slice_of(NULL, 0), NULL, true);
    assert_int_equal(sa.count, 2);
    assert_int_equal(sa.proposals[0].number, 1);
    assert_int_equal(sa.proposals[0].spi_size, 0);
    assert_string_equal(offer_text(&sa.proposals[0], text, sizeof(text)),
                        "AES_GCM_16-256|CHACHA20_POLY1305/PRF_HMAC_SHA2_384/X25519");
    assert_int_equal(sa.proposals[1].number, 2);
    assert_string_equal(offer_text(&sa.proposals[1], text, sizeof(text)),
                        "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519|MODP_2048");
    offer_from_proposals(&sa, &esp, ESP, slice_of("\1\2\3\4", 4), NULL, false);
    assert_int_equal(sa.count, 2);
    assert_bytes(slice_of(sa.proposals[1].spi, sa.proposals[1].spi_size), "01020304");
    assert_int_equal(sa.proposals[1].protocol, ESP);
    assert_string_equal(offer_text(&sa.proposals[0], text, sizeof(text)),
                        "AES_GCM_16-256/ESN|NO_ESN");
    assert_string_equal(offer_text(&sa.proposals[1], text, sizeof(text)),
                        "AES_CBC-128/HMAC_SHA2_256_128/NO_ESN");
    offer_from_proposals(&sa, &esp, ESP, slice_of("\1\2\3\4", 4), NULL, true);
    assert_string_equal(offer_text(&sa.proposals[0], text, sizeof(text)),
                        "AES_GCM_16-256/X25519/ESN|NO_ESN");
}

/* The default lists against a provider that has all of it: what is offered is chosen. */
static void both_ends_of_the_same_configuration_agree(void **state)
{
    struct crypto *crypto = crypto_new();
    struct proposal_list list;
    struct v2_sa offer;
    struct v2_sa answer;
    struct suite suite;
    struct suite checked;
    uint8_t number;
    uint32_t spi;

    (void)state;
    assert_non_null(crypto);
    proposal_list_default(&list, false);
    offer_from_proposals(&offer, &list, IKE, slice_of(NULL, 0), crypto, true);
    assert_int_equal(offer.count, 2);
    assert_int_equal(choose_suite(&list, &offer, IKE, crypto, true, 0, &suite, &number, &spi, NULL),
                     STATUS_OK);
    offer_from_suite(&answer, &suite, number, IKE, slice_of(NULL, 0), true);
    assert_int_equal(check_answer(&list, &answer, IKE, crypto, true, &checked, &spi, NULL),
                     STATUS_OK);
    assert_memory_equal(&suite, &checked, sizeof(suite));
    assert_int_equal(suite.encr, ENCR_AES256_GCM16);
    assert_int_equal(suite.prf, PRF_HMAC_SHA384);
    assert_int_equal(suite.group, GROUP_X25519);
    offer_from_suite(&answer, &suite, number, IKE, slice_of(NULL, 0), false);
    assert_int_equal(check_answer(&list, &answer, IKE, crypto, true, &checked, &spi, NULL),
                     STATUS_CLOSE);

    proposal_list_default(&list, true);
    offer_from_proposals(&offer, &list, ESP, slice_of("\1\2\3\4", 4), NULL, false);
    assert_int_equal(choose_suite(&list, &offer, ESP, NULL, false, 0, &suite, &number, &spi, NULL),
                     STATUS_OK);
    offer_from_suite(&answer, &suite, number, ESP, slice_of("\5\6\7\10", 4), false);
    assert_int_equal(check_answer(&list, &answer, ESP, NULL, false, &checked, &spi, NULL),
                     STATUS_OK);
    assert_int_equal(spi, 0x05060708);
    assert_int_equal(checked.encr, ENCR_AES256_GCM16);
    assert_true(checked.esn);
    crypto_free(crypto);
}

/* R22: neither offered nor chosen, and a proposal for which nothing is left is not made. */
static void what_the_provider_lacks_is_left_out(void **state)
{
    struct proposal_list list =
        ours(false, "aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256",
             "aes256gcm16-prfsha256-ecp256");
    struct crypto *crypto = crypto_new();
    struct v2_sa offer;
    struct suite suite;
    char text[300];
    uint8_t number;
    uint32_t spi;

    (void)state;
    assert_non_null(crypto);
    EVP_CIPHER_CTX_free(crypto->ciphers[ENCR_AES256_GCM16]);
    crypto->ciphers[ENCR_AES256_GCM16] = NULL;
    mac_close(&crypto->macs[MAC_HMAC_SHA384]);
    ke_close(&crypto->exchanges[GROUP_X25519]);
    offer_from_proposals(&offer, &list, IKE, slice_of(NULL, 0), crypto, true);
    assert_int_equal(offer.count, 1);
    assert_string_equal(offer_text(&offer.proposals[0], text, sizeof(text)),
                        "AES_GCM_16-128/PRF_HMAC_SHA2_256/ECP_256");
    offer_from_proposals(&offer, &list, IKE, slice_of(NULL, 0), NULL, true);
    assert_int_equal(choose_suite(&list, &offer, IKE, crypto, true, 0, &suite, &number, &spi, NULL),
                     STATUS_OK);
    assert_int_equal(suite.encr, ENCR_AES128_GCM16);
    assert_int_equal(suite.prf, PRF_HMAC_SHA256);
    assert_int_equal(suite.group, GROUP_ECP256);
    crypto_free(crypto);
}

static void assert_answer(const struct proposal_list *list, const struct v2_sa *answer,
                          const char *reason_expected)
{
    struct suite suite;
    struct reason reason = {0};
    uint32_t spi;
    enum status status = check_answer(list, answer, IKE, NULL, true, &suite, &spi, &reason);

    assert_int_equal(status, reason_expected != NULL ? STATUS_CLOSE : STATUS_OK);
    if (reason_expected != NULL)
        assert_string_equal(reason.text, reason_expected);
}

/* RFC 7296 section 3.3.6: an inconsistent answer ends it. */
static void answers_are_held_against_the_offer(void **state)
{
    struct proposal_list list = ours(false, "aes256gcm16-aes128gcm16-prfsha256-x25519", NULL);
    struct v2_sa answer = {0};

    (void)state;
    assert_answer(&list, &answer, "peer answered 0 proposals instead of one");
    PROPOSAL(&answer, IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), KE(CURVE25519));
    assert_answer(&list, &answer, NULL);
    answer.count = 2;
    answer.proposals[1] = answer.proposals[0];
    assert_answer(&list, &answer, "peer answered 2 proposals instead of one");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES_GCM_16, 128), ENCR(AES_GCM_16, 256), PRF(PRF_SHA256),
             KE(CURVE25519));
    assert_answer(&list, &answer,
                  "peer did not choose among alternatives: "
                  "AES_GCM_16-128|AES_GCM_16-256/PRF_HMAC_SHA2_256/X25519");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES_GCM_16, 192), PRF(PRF_SHA256), KE(CURVE25519));
    assert_answer(&list, &answer,
                  "peer chose what we did not offer: AES_GCM_16-192/PRF_HMAC_SHA2_256/X25519");
    answer.count = 0;
    PROPOSAL(&answer, IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), INTEG(AUTH_SHA256),
             KE(CURVE25519));
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
        cmocka_unit_test(key_lengths_stand_where_they_must),
        cmocka_unit_test(what_is_not_understood_is_passed_over),
        cmocka_unit_test(the_nearest_is_told),
        cmocka_unit_test(sequence_numbers_are_agreed),
        cmocka_unit_test(a_child_s_spi_comes_along),
        cmocka_unit_test(pfs_is_asked_for_where_it_can_be),
        cmocka_unit_test(offers_say_what_is_configured),
        cmocka_unit_test(both_ends_of_the_same_configuration_agree),
        cmocka_unit_test(what_the_provider_lacks_is_left_out),
        cmocka_unit_test(answers_are_held_against_the_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
