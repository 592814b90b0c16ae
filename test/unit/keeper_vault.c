/*
 * The vault (iked/keeper/vault.h): the right key for a pair of identities, and nothing signed for a
 * peer that does not know it.  The expected octets are computed with OpenSSL's HMAC alone.
 */
#include "iked/keeper/vault.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/policy/loss.h"
#include "test/unit/policy.h"

static struct vault vault;

static struct secrets *secrets_of(const char *text)
{
    struct config_text file = {"secrets.conf", slice_text(text)};
    char error[CONFIG_ERROR_MAX];
    struct secrets *secrets = secrets_parse(&file, 1, error);

    if (secrets == NULL)
        fail_msg("%s", error);
    return secrets;
}

static int vault_set_up(void **state)
{
    (void)state;
    assert_true(vault_init(&vault, NULL));
    vault_set(&vault, secrets_of("secrets: ("
                                 "{ ids = [ \"192.0.2.1\", \"192.0.2.2\" ]; psk = \"alpha\"; },"
                                 "{ ids = [ \"192.0.2.1\", \"192.0.2.3\" ]; psk = \"beta\"; } );"));
    return 0;
}

static int vault_tear_down(void **state)
{
    (void)state;
    vault_free(&vault);
    return 0;
}

/* RFC 7296 section 2.15: prf(prf(secret, "Key Pad for IKEv2"), octets). */
static struct slice auth_of(const char *psk, struct slice octets)
{
    static uint8_t auth[32];
    static const uint8_t pad[] = "Key Pad for IKEv2";
    uint8_t key[32];
    unsigned size = sizeof(key);

    assert_non_null(HMAC(EVP_sha256(), psk, (int)strlen(psk), pad, sizeof(pad) - 1, key, &size));
    assert_non_null(HMAC(EVP_sha256(), key, 32, octets.data, octets.size, auth, &size));
    return slice_of(auth, 32);
}

static struct effect sign_for(const char *remote)
{
    return (struct effect){
        .kind = EFFECT_PSK_AUTH,
        .ticket = {.sa = 4, .sequence = 5},
        .psk_auth = {.prf = PRF_HMAC_SHA256,
                     .local_id = policy_identity("192.0.2.1"),
                     .remote_id = policy_identity(remote)},
    };
}

static void own_octets_are_signed(void **state)
{
    struct effect effect = sign_for("192.0.2.2");
    struct slice own = bytes_fill(0x5a, 700);
    struct answer answer;
    (void)state;

    assert_true(buffer_copy(&effect.psk_auth.own_octets, own));
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.kind, EFFECT_PSK_AUTH);
    assert_int_equal(answer.status, STATUS_OK);
    assert_int_equal(answer.ticket.sequence, 5);
    assert_slices(buffer_slice(&answer.auth), auth_of("alpha", own));
    answer_free(&answer);
    effect.psk_auth.remote_id = policy_identity("192.0.2.3"); /* another pair, another key */
    vault_psk_auth(&vault, &effect, &answer);
    assert_slices(buffer_slice(&answer.auth), auth_of("beta", own));
    answer_free(&answer);
    effect_free(&effect);
    assert_int_equal(vault.signed_count, 2);
}

static void peers_are_checked_before(void **state)
{
    struct effect effect = sign_for("192.0.2.2");
    struct slice own = bytes_hex("0102");
    struct slice peer = bytes_hex("030405");
    struct answer answer;
    (void)state;

    assert_true(buffer_copy(&effect.psk_auth.own_octets, own));
    assert_true(buffer_copy(&effect.psk_auth.peer_octets, peer));
    assert_true(buffer_copy(&effect.psk_auth.peer_auth, auth_of("alpha", peer)));
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.status, STATUS_OK);
    assert_slices(buffer_slice(&answer.auth), auth_of("alpha", own));
    answer_free(&answer);

    assert_true(buffer_copy(&effect.psk_auth.peer_auth, auth_of("beta", peer)));
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.status, STATUS_REJECT);
    assert_int_equal(answer.auth.size, 0);
    answer_free(&answer);

    /* A prefix of the right value is not the right value. */
    assert_true(buffer_copy(&effect.psk_auth.peer_auth, bytes_cut(auth_of("alpha", peer), 31)));
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.status, STATUS_REJECT);
    assert_int_equal(answer.auth.size, 0);
    answer_free(&answer);
    effect_free(&effect);
    assert_int_equal(vault.rejected_count, 2);
}

static void no_secret_says_for_whom(void **state)
{
    struct effect effect = sign_for("gw.example.net");
    struct answer answer;
    (void)state;

    assert_true(buffer_copy(&effect.psk_auth.own_octets, bytes_hex("01")));
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.status, STATUS_REJECT);
    assert_string_equal(
        answer.reason.text,
        "no secret for the pair \"192.0.2.1\" and \"gw.example.net\" in secrets.conf");
    assert_int_equal(answer.auth.size, 0);
    answer_free(&answer);

    vault_set(&vault, NULL); /* the file is gone */
    effect.psk_auth.remote_id = policy_identity("192.0.2.2");
    vault_psk_auth(&vault, &effect, &answer);
    assert_int_equal(answer.status, STATUS_REJECT);
    assert_non_null(strstr(answer.reason.text, "no secret for the pair"));
    answer_free(&answer);
    effect_free(&effect);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, vault_set_up, vault_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(own_octets_are_signed),
        TEST(peers_are_checked_before),
        TEST(no_secret_says_for_whom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
