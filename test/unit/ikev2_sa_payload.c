/*
 * SA payloads from and to offers, RFC 7296 section 3.3 (lib/ikev2/sa_payload.h).
 */
#include "lib/ikev2/sa_payload.h"

#include "test/unit/choice.h"

/* Numbers of IANA's registries, written apart from lib/crypto's. */
enum {
    AES_CBC = 12,
    AES_GCM_16 = 20,
    PRF_SHA256 = 5,
    AUTH_SHA256 = 12,
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
        .spi_size = protocol == V2_PROTOCOL_ESP ? 4 : 0,
        .spi = {0xc0, 0xff, 0xee, 0x01},
        .transform_count = (uint8_t)count,
    };
    memcpy(proposal->transforms, transforms, count * sizeof(*transforms));
}

static struct choice choose_v2(const struct proposal_list *list, const struct v2_sa *sa,
                               enum ipsec_protocol protocol, bool with_group, enum group prefer)
{
    struct offer offer;

    offer_from_v2(&offer, sa);
    return choose(list, &offer, protocol, with_group, prefer);
}

static void assert_shown(const struct v2_sa *sa, size_t i, const char *expected)
{
    struct offer offer;
    char text[200];

    offer_from_v2(&offer, sa);
    assert_string_equal(offer_text(&offer, &offer.proposals[i], text, sizeof(text)), expected);
}

/* RFC 7296 section 3.3.5: AES without a key length must not be taken, nor a PRF with one. */
static void key_lengths_stand_where_they_must(void **state)
{
    struct proposal_list list = ours(false, "aes128-sha256-x25519", NULL);
    struct v2_sa missing = {0};
    struct v2_sa superfluous = {0};

    (void)state;
    PROPOSAL(&missing, V2_PROTOCOL_IKE, ENCR(AES_CBC, 0), PRF(PRF_SHA256), INTEG(AUTH_SHA256),
             KE(CURVE25519));
    assert_refused(choose_v2(&list, &missing, IKE, true, 0),
                   "no proposal fits: the nearest differs in cipher; peer offered "
                   "AES_CBC/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519; allowed is "
                   "aes128-sha256-prfsha256-x25519");
    PROPOSAL(&superfluous, V2_PROTOCOL_IKE, ENCR(AES_CBC, 128), PRF(PRF_SHA256), INTEG(AUTH_SHA256),
             KE(CURVE25519));
    superfluous.proposals[0].transforms[1].key_bits = 256;
    assert_refused(choose_v2(&list, &superfluous, IKE, true, 0),
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
    PROPOSAL(&offer, V2_PROTOCOL_IKE, ENCR(AES_GCM_16, 256), ENCR(999, 128), ENCR(AES_GCM_16, 128),
             PRF(PRF_SHA256), KE(1024), KE(CURVE25519));
    offer.proposals[0].transforms[0].unknown_attribute = true;
    assert_chosen(choose_v2(&list, &offer, IKE, true, 0), "aes128gcm16-prfsha256-x25519", 1);
    offer.proposals[0].transforms[1].type = 6;
    assert_refused(choose_v2(&list, &offer, IKE, true, 0),
                   "no proposal fits: the nearest differs in a transform type that is unknown; "
                   "peer offered AES_GCM_16-256?|AES_GCM_16-128/PRF_HMAC_SHA2_256/KE_1024|X25519/1 "
                   "of unknown type; allowed is aes256gcm16-aes128gcm16-prfsha256-x25519");
}

static void spis_are_read(void **state)
{
    struct proposal_list list = ours(true, "aes128gcm16", NULL);
    struct v2_sa offer = {0};

    (void)state;
    PROPOSAL(&offer, V2_PROTOCOL_ESP, ENCR(AES_GCM_16, 128), ESN(0));
    struct choice choice = choose_v2(&list, &offer, ESP, false, 0);
    assert_chosen(choice, "aes128gcm16", 1);
    assert_int_equal(choice.spi, 0xc0ffee01);
    memcpy(offer.proposals[0].spi, "\0\0\0\xff", 4); /* RFC 4303 section 2.1: reserved */
    assert_refused(choose_v2(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in SPI; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
    memcpy(offer.proposals[0].spi, "\0\0\1\0", 4);
    assert_int_equal(choose_v2(&list, &offer, ESP, false, 0).spi, 256);
    offer.proposals[0].spi_size = 8;
    assert_int_equal(choose_v2(&list, &offer, ESP, false, 0).status, STATUS_REJECT);
    offer.proposals[0].spi_size = 4;
    offer.proposals[0].protocol = V2_PROTOCOL_AH;
    assert_refused(choose_v2(&list, &offer, ESP, false, 0),
                   "no proposal fits: the nearest differs in protocol; peer offered "
                   "AES_GCM_16-128/NO_ESN; allowed is aes128gcm16");
}

static void offers_say_what_is_configured(void **state)
{
    struct proposal_list ike = ours(false, "aes256gcm16-chacha20poly1305-prfsha384-x25519",
                                    "aes128-sha256-x25519-modp2048");
    struct proposal_list esp = ours(true, "aes256gcm16-x25519", "aes128-sha256-noesn");
    struct offer offer;
    struct v2_sa sa;

    (void)state;
    offer_from_proposals(&offer, &ike, IKE, (struct offer_spi){0}, NULL, true);
    offer_to_v2(&sa, &offer);
    assert_int_equal(sa.count, 2);
    assert_int_equal(sa.proposals[0].number, 1);
    assert_int_equal(sa.proposals[0].spi_size, 0);
    assert_shown(&sa, 0, "AES_GCM_16-256|CHACHA20_POLY1305/PRF_HMAC_SHA2_384/X25519");
    assert_int_equal(sa.proposals[1].number, 2);
    assert_shown(&sa, 1, "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/X25519|MODP_2048");
    offer_from_proposals(&offer, &esp, ESP, (struct offer_spi){4, 0x01020304}, NULL, false);
    offer_to_v2(&sa, &offer);
    assert_int_equal(sa.count, 2);
    assert_bytes(slice_of(sa.proposals[1].spi, sa.proposals[1].spi_size), "01020304");
    assert_int_equal(sa.proposals[1].protocol, V2_PROTOCOL_ESP);
    assert_shown(&sa, 0, "AES_GCM_16-256/ESN|NO_ESN");
    assert_shown(&sa, 1, "AES_CBC-128/HMAC_SHA2_256_128/NO_ESN");
    offer_from_proposals(&offer, &esp, ESP, (struct offer_spi){4, 0x01020304}, NULL, true);
    offer_to_v2(&sa, &offer);
    assert_shown(&sa, 0, "AES_GCM_16-256/X25519/ESN|NO_ESN");
}

/* RFC 7296 section 3.3.3: NONE is a choice for integrity and key exchange alone. */
static void only_what_is_known_gets_a_number_of_ours(void **state)
{
    static const struct {
        uint8_t type;
        uint16_t id;
        bool known;
        enum transform_type expected;
    } rows[] = {
        {V2_TRANSFORM_ENCR, 0, false, TRANSFORM_ENCR},
        {V2_TRANSFORM_ENCR, 28, true, TRANSFORM_ENCR},
        {V2_TRANSFORM_PRF, 0, false, TRANSFORM_PRF},
        {V2_TRANSFORM_PRF, 999, false, TRANSFORM_PRF},
        {V2_TRANSFORM_INTEG, 0, true, TRANSFORM_INTEG},
        {V2_TRANSFORM_INTEG, 999, false, TRANSFORM_INTEG},
        {V2_TRANSFORM_KE, 0, true, TRANSFORM_GROUP},
        {V2_TRANSFORM_KE, 999, false, TRANSFORM_GROUP},
        {V2_TRANSFORM_ESN, 0, true, TRANSFORM_ESN},
        {V2_TRANSFORM_ESN, 1, true, TRANSFORM_ESN},
        {V2_TRANSFORM_ESN, 2, false, TRANSFORM_ESN},
        {0, 1, false, TRANSFORM_UNKNOWN},
        {6, 1, false, TRANSFORM_UNKNOWN},
        {255, 0, false, TRANSFORM_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct v2_sa sa = {0};
        struct offer offer;
        PROPOSAL(&sa, V2_PROTOCOL_IKE, transform(rows[i].type, rows[i].id, 0));
        offer_from_v2(&offer, &sa);
        assert_int_equal(offer.proposals[0].transforms[0].type, rows[i].expected);
        assert_int_equal(offer.proposals[0].transforms[0].known, rows[i].known);
    }
}

/* An answer may have two types that we do not know: it has no alternatives, but is not ours. */
static void unknown_types_are_not_one(void **state)
{
    struct proposal_list list = ours(false, "aes128gcm16-prfsha256-x25519", NULL);
    struct suite_terms terms = {.protocol = IKE, .with_group = true};
    struct v2_sa sa = {0};
    struct offer offer;
    struct suite suite;
    struct reason reason;

    (void)state;
    PROPOSAL(&sa, V2_PROTOCOL_IKE, ENCR(AES_GCM_16, 128), PRF(PRF_SHA256), KE(CURVE25519),
             transform(6, 1, 0), transform(7, 1, 0));
    offer_from_v2(&offer, &sa);
    assert_int_equal(check_answer(&list, &offer, &terms, &suite, &reason), STATUS_CLOSE);
    assert_string_equal(reason.text, "peer chose what we did not offer: AES_GCM_16-128/"
                                     "PRF_HMAC_SHA2_256/X25519/2 of unknown type");
    sa.proposals[0].transforms[4].type = 6;
    offer_from_v2(&offer, &sa);
    assert_int_equal(check_answer(&list, &offer, &terms, &suite, &reason), STATUS_CLOSE);
    assert_string_equal(reason.text, "peer did not choose among alternatives: AES_GCM_16-128/"
                                     "PRF_HMAC_SHA2_256/X25519/2 of unknown type");
}

static void suite_comes_back(const struct suite *suite, enum ipsec_protocol protocol,
                             struct offer_spi spi)
{
    struct offer sent;
    struct offer came;
    struct v2_sa sa;

    offer_from_suite(&sent, suite, 7, protocol, spi, true);
    offer_to_v2(&sa, &sent);
    offer_from_v2(&came, &sa);
    assert_int_equal(came.count, 1);
    assert_int_equal(came.proposals[0].number, 7);
    assert_int_equal(came.proposals[0].protocol, protocol);
    assert_int_equal(came.proposals[0].spi.size, spi.size);
    assert_int_equal(came.proposals[0].spi.value, spi.value);
    assert_int_equal(came.proposals[0].transform_count, sent.proposals[0].transform_count);
    for (size_t i = 0; i < came.proposals[0].transform_count; i++) {
        assert_true(came.proposals[0].transforms[i].known);
        assert_int_equal(came.proposals[0].transforms[i].type,
                         sent.proposals[0].transforms[i].type);
        assert_int_equal(came.proposals[0].transforms[i].algorithm,
                         sent.proposals[0].transforms[i].algorithm);
    }
}

static void each_algorithm_comes_back(void **state)
{
    struct offer_spi none = {0};
    struct offer_spi eight = {8, 0xfedcba9876543210};
    struct offer_spi four = {4, 0xfedcba98};

    (void)state;
    for (unsigned i = 1; i < ENCR_COUNT; i++)
        suite_comes_back(&(struct suite){.encr = (uint8_t)i, .esn = i % 2 != 0}, ESP, four);
    for (unsigned i = 1; i < INTEG_COUNT; i++)
        suite_comes_back(&(struct suite){.encr = ENCR_AES128_CBC, .integ = (uint8_t)i}, IPSEC_AH,
                         four);
    for (unsigned i = 1; i < PRF_COUNT; i++)
        suite_comes_back(&(struct suite){.encr = ENCR_AES128_GCM8, .prf = (uint8_t)i}, IKE, none);
    for (unsigned i = 1; i < GROUP_COUNT; i++)
        suite_comes_back(&(struct suite){.encr = ENCR_AES128_GCM8, .group = (uint8_t)i}, IKE,
                         eight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_lengths_stand_where_they_must),
        cmocka_unit_test(what_is_not_understood_is_passed_over),
        cmocka_unit_test(spis_are_read),
        cmocka_unit_test(offers_say_what_is_configured),
        cmocka_unit_test(only_what_is_known_gets_a_number_of_ours),
        cmocka_unit_test(unknown_types_are_not_one),
        cmocka_unit_test(each_algorithm_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
