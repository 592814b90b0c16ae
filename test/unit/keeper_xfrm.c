/*
 * SAs in netlink messages to and from XFRM (keeper/xfrm/xfrm_encode.h, xfrm_decode.h), and what
 * dumps and errors look like; policies are in keeper_xfrm_policy.c.
 *
 * What is encoded is looked at with nothing but the kernel's own structs and a walk over attributes
 * (netlink.h); what is decoded is made of the same structs.
 */
#include "iked/keeper/xfrm/xfrm_encode.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/xfrm/netlink.h"
#include "iked/keeper/xfrm/xfrm_decode.h"
#include "lib/wire/ikev2.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

/* --- What is asked for --- */

/* name, key bits, [truncation or ICV bits,] key */
static void assert_algorithm(struct slice attribute, const char *name, uint32_t key_bits,
                             bool has_tag, uint32_t tag_bits, uint8_t key_octet)
{
    uint32_t numbers[2];
    size_t head = 64 + (has_tag ? 8 : 4);

    assert_int_equal(attribute.size, head + key_bits / 8);
    assert_string_equal((const char *)attribute.data, name);
    memcpy(numbers, attribute.data + 64, head - 64);
    assert_int_equal(numbers[0], key_bits);
    if (has_tag)
        assert_int_equal(numbers[1], tag_bits);
    for (size_t i = head; i < attribute.size; i++)
        assert_int_equal(attribute.data[i], key_octet);
}

static struct effect_install_sa sa_of(enum encr encr, enum integ integ)
{
    struct effect_install_sa sa = {
        .connection = {"db"},
        .child = {"db"},
        .inbound = true,
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .spi = 0xc1020304,
        .reqid = 0x69000001,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .encr = (uint8_t)encr,
        .integ = (uint8_t)integ,
        .replay_window = 128,
        .soft_s = 3000,
        .hard_s = 3600,
    };

    assert_true(secret_copy(&sa.encr_key, bytes_fill(0x11, encr_info(encr)->key_size)));
    if (integ != INTEG_NONE)
        assert_true(secret_copy(&sa.integ_key, bytes_fill(0x22, integ_info(integ)->key_size)));
    return sa;
}

static const struct nlmsghdr *encode_sa(struct xfrm_batch *batch,
                                        const struct effect_install_sa *sa)
{
    struct kernel_job job = {.verb = KERNEL_INSTALL_SA, .install_sa = sa};
    struct reason reason;

    *batch = batch_new();
    if (!xfrm_encode_job(batch, &job, &reason))
        fail_msg("%s", reason.text);
    assert_int_equal(batch->count, 1);
    return message_at(batch, 0);
}

static void sa_free(struct effect_install_sa *sa)
{
    secret_free(&sa->encr_key);
    secret_free(&sa->integ_key);
}

static void inbound_aead_with_esn(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    (void)state;

    sa.esn = true;
    sa.hard_bytes = 5000;
    sa.soft_packets = 70;
    const struct nlmsghdr *message = encode_sa(&batch, &sa);
    struct xfrm_usersa_info info = sa_body(message);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_UPDSA); /* it fills the larval SA */
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(message->nlmsg_seq, 101);
    assert_host(&info.saddr, AF_INET, "192.0.2.2");
    assert_host(&info.id.daddr, AF_INET, "192.0.2.1");
    assert_int_equal(info.id.spi, htonl(0xc1020304));
    assert_int_equal(info.id.proto, IPPROTO_ESP);
    assert_int_equal(info.family, AF_INET);
    assert_int_equal(info.sel.family, AF_INET);
    assert_int_equal(info.mode, XFRM_MODE_TRANSPORT);
    assert_int_equal(info.reqid, 0x69000001);
    assert_int_equal(info.flags, XFRM_STATE_ESN);
    assert_int_equal(info.replay_window, 0);
    assert_int_equal(info.lft.soft_add_expires_seconds, 3000);
    assert_int_equal(info.lft.hard_add_expires_seconds, 3600);
    assert_int_equal(info.lft.soft_use_expires_seconds, 0);
    assert_true(info.lft.soft_byte_limit == XFRM_INF && info.lft.hard_byte_limit == 5000);
    assert_true(info.lft.soft_packet_limit == 70 && info.lft.hard_packet_limit == XFRM_INF);
    assert_algorithm(attribute_of(message, sizeof(info), XFRMA_ALG_AEAD), "rfc4106(gcm(aes))", 288,
                     true, 128, 0x11);
    assert_null(attribute_of(message, sizeof(info), XFRMA_ALG_CRYPT).data);
    assert_null(attribute_of(message, sizeof(info), XFRMA_ALG_AUTH_TRUNC).data);
    struct slice replay = attribute_of(message, sizeof(info), XFRMA_REPLAY_ESN_VAL);
    struct xfrm_replay_state_esn value;
    assert_int_equal(replay.size, sizeof(value) + 16);
    memcpy(&value, replay.data, sizeof(value));
    assert_int_equal(value.bmp_len, 4);
    assert_int_equal(value.replay_window, 128);
    assert_int_equal(value.seq | value.oseq | value.seq_hi | value.oseq_hi, 0);
    for (size_t i = sizeof(value); i < replay.size; i++)
        assert_int_equal(replay.data[i], 0);
    sa_free(&sa);
}

static void outbound_cbc_in_a_v6_tunnel(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_CBC, INTEG_HMAC_SHA256_128);
    struct xfrm_batch batch;
    (void)state;

    sa.inbound = false;
    sa.mode = CHILD_TUNNEL;
    sa.source = policy_address("2001:db8::1");
    sa.destination = policy_address("2001:db8::2");
    const struct nlmsghdr *message = encode_sa(&batch, &sa);
    struct xfrm_usersa_info info = sa_body(message);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_NEWSA);
    assert_host(&info.saddr, AF_INET6, "2001:db8::1");
    assert_host(&info.id.daddr, AF_INET6, "2001:db8::2");
    assert_int_equal(info.family, AF_INET6);
    assert_int_equal(info.mode, XFRM_MODE_TUNNEL);
    assert_int_equal(info.flags, XFRM_STATE_AF_UNSPEC); /* a tunnel carries both families */
    assert_int_equal(info.sel.family, 0);
    assert_int_equal(info.replay_window, 0);
    assert_null(attribute_of(message, sizeof(info), XFRMA_REPLAY_ESN_VAL).data);
    assert_algorithm(attribute_of(message, sizeof(info), XFRMA_ALG_CRYPT), "cbc(aes)", 256, false,
                     0, 0x11);
    assert_algorithm(attribute_of(message, sizeof(info), XFRMA_ALG_AUTH_TRUNC), "hmac(sha256)", 256,
                     true, 128, 0x22);
    sa_free(&sa);
}

static void replay_windows(void **state)
{
    static const struct {
        bool inbound;
        bool esn;
        uint32_t window;
        uint8_t field;
        uint32_t words; /* of the attribute; 0: there is none */
    } rows[] = {
        {true, false, 0, 0, 0},      {true, false, 32, 32, 0}, {true, false, 33, 0, 2},
        {true, false, 4096, 0, 128}, {true, true, 1, 0, 1},    {true, true, 128, 0, 4},
        {false, false, 128, 0, 0},   {false, true, 128, 0, 1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct effect_install_sa sa = sa_of(ENCR_AES128_GCM16, INTEG_NONE);
        struct xfrm_batch batch;
        sa.inbound = rows[i].inbound;
        sa.esn = rows[i].esn;
        sa.replay_window = rows[i].window;
        const struct nlmsghdr *message = encode_sa(&batch, &sa);
        struct xfrm_usersa_info info = sa_body(message);
        struct slice replay = attribute_of(message, sizeof(info), XFRMA_REPLAY_ESN_VAL);
        assert_int_equal(info.replay_window, rows[i].field);
        assert_int_equal(replay.size, rows[i].words == 0 ? 0 : 24 + 4 * rows[i].words);
        assert_int_equal(info.flags & XFRM_STATE_ESN, rows[i].esn ? XFRM_STATE_ESN : 0);
        sa_free(&sa);
    }
}

/* The kernel's names and key sizes of every cipher that it has. */
static void algorithms_by_their_kernel_names(void **state)
{
    static const struct {
        enum encr encr;
        const char *name;
        uint32_t key_bits;
        uint32_t icv_bits; /* 0: with an integ */
    } rows[] = {
        {ENCR_AES128_CBC, "cbc(aes)", 128, 0},
        {ENCR_AES192_CTR, "rfc3686(ctr(aes))", 192 + 32, 0},
        {ENCR_AES128_GCM8, "rfc4106(gcm(aes))", 128 + 32, 64},
        {ENCR_AES256_GCM12, "rfc4106(gcm(aes))", 256 + 32, 96},
        {ENCR_AES256_CCM16, "rfc4309(ccm(aes))", 256 + 24, 128},
        {ENCR_CHACHA20_POLY1305, "rfc7539esp(chacha20,poly1305)", 256 + 32, 128},
        {ENCR_NULL, "ecb(cipher_null)", 0, 0},
    };
    static const struct {
        enum integ integ;
        const char *name;
        uint32_t key_bits;
        uint32_t icv_bits;
    } integs[] = {
        {INTEG_HMAC_SHA1_96, "hmac(sha1)", 160, 96},
        {INTEG_HMAC_SHA384_192, "hmac(sha384)", 384, 192},
        {INTEG_HMAC_SHA512_256, "hmac(sha512)", 512, 256},
        {INTEG_AES_XCBC_96, "xcbc(aes)", 128, 96},
        {INTEG_AES_CMAC_96, "cmac(aes)", 128, 96},
    };
    struct xfrm_batch batch;
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool aead = rows[i].icv_bits != 0;
        struct effect_install_sa sa = sa_of(rows[i].encr, aead ? INTEG_NONE : INTEG_HMAC_SHA1_96);
        const struct nlmsghdr *message = encode_sa(&batch, &sa);
        assert_algorithm(attribute_of(message, sizeof(struct xfrm_usersa_info),
                                      aead ? XFRMA_ALG_AEAD : XFRMA_ALG_CRYPT),
                         rows[i].name, rows[i].key_bits, aead, rows[i].icv_bits, 0x11);
        sa_free(&sa);
    }
    for (size_t i = 0; i < sizeof(integs) / sizeof(integs[0]); i++) {
        struct effect_install_sa sa = sa_of(ENCR_AES128_CBC, integs[i].integ);
        const struct nlmsghdr *message = encode_sa(&batch, &sa);
        assert_algorithm(
            attribute_of(message, sizeof(struct xfrm_usersa_info), XFRMA_ALG_AUTH_TRUNC),
            integs[i].name, integs[i].key_bits, true, integs[i].icv_bits, 0x22);
        sa_free(&sa);
    }
}

static void sas_that_cannot_be_said(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct kernel_job job = {.verb = KERNEL_INSTALL_SA, .install_sa = &sa};
    struct effect_install_sa bad;
    struct xfrm_batch batch = batch_new();
    struct reason reason;
    (void)state;

    bad = sa;
    job.install_sa = &bad;
    bad.encr_key.size--;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    assert_string_equal(reason.text, "an encryption key of 35 octets");
    bad = sa;
    bad.encr = ENCR_NONE;
    bad.encr_key.size = 0;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    bad = sa;
    bad.esn = true;
    bad.replay_window = 0;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    bad.replay_window = 4097;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    assert_string_equal(reason.text, "a replay window of 4097 packets");
    assert_int_equal(batch.size, 0);
    assert_int_equal(batch.sequence, 100);
    sa_free(&sa);
}

static void spi_and_removal(void **state)
{
    struct effect_allocate_spi allocate = {
        .source = policy_address("192.0.2.2"),
        .destination = policy_address("192.0.2.1"),
        .protocol = IPSEC_ESP,
        .mode = CHILD_TUNNEL,
        .reqid = 0x69000002,
    };
    struct kernel_job job = {.verb = KERNEL_ALLOCATE_SPI, .allocate_spi = &allocate};
    struct kernel_job removal = {
        .verb = KERNEL_REMOVE_SA,
        .remove_sa = {.source = policy_address("2001:db8::2"),
                      .destination = policy_address("2001:db8::1"),
                      .spi = 0x01020304,
                      .protocol = IPSEC_AH},
    };
    struct effect_query_sa question = {
        .destination = policy_address("192.0.2.1"),
        .spi = 0x01020305,
        .protocol = IPSEC_ESP,
    };
    struct kernel_job query = {.verb = KERNEL_QUERY_SA, .query_sa = &question};
    struct xfrm_batch batch = batch_new();
    struct xfrm_userspi_info info;
    struct xfrm_usersa_id id;
    (void)state;

    assert_true(xfrm_encode_job(&batch, &job, NULL));
    assert_true(xfrm_encode_job(&batch, &removal, NULL));
    assert_true(xfrm_encode_job(&batch, &query, NULL));
    const struct nlmsghdr *message = message_at(&batch, 0);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_ALLOCSPI);
    memcpy(&info, BODY(message), sizeof(info));
    assert_host(&info.info.saddr, AF_INET, "192.0.2.2");
    assert_host(&info.info.id.daddr, AF_INET, "192.0.2.1");
    assert_int_equal(info.info.mode, XFRM_MODE_TUNNEL);
    assert_int_equal(info.info.reqid, 0x69000002);
    assert_int_equal(info.info.id.proto, IPPROTO_ESP);
    assert_int_equal(info.min, 0x01000000);
    assert_int_equal(info.max, 0xffffffff);
    message = message_at(&batch, 1);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_DELSA);
    assert_int_equal(message->nlmsg_seq, 102);
    memcpy(&id, BODY(message), sizeof(id));
    assert_host(&id.daddr, AF_INET6, "2001:db8::1");
    assert_int_equal(id.family, AF_INET6);
    assert_int_equal(id.spi, htonl(0x01020304));
    assert_int_equal(id.proto, IPPROTO_AH);
    message = message_at(&batch, 2);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_GETSA);
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK); /* one, not a dump */
    memcpy(&id, BODY(message), sizeof(id));
    assert_host(&id.daddr, AF_INET, "192.0.2.1");
    assert_int_equal(id.spi, htonl(0x01020305));
}

static void dumps_ask_for_all(void **state)
{
    struct xfrm_batch batch = batch_new();
    (void)state;

    xfrm_encode_dump(&batch, KERNEL_SAS);
    xfrm_encode_dump(&batch, KERNEL_POLICIES);
    assert_int_equal(message_at(&batch, 0)->nlmsg_type, XFRM_MSG_GETSA);
    assert_int_equal(message_at(&batch, 0)->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(message_at(&batch, 1)->nlmsg_type, XFRM_MSG_GETPOLICY);
}

/* --- What comes back --- */

static void sas_are_read(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    struct kernel_sa found;
    (void)state;

    struct xfrm_usersa_info info = sa_body(encode_sa(&batch, &sa));
    struct nlmsghdr *message = message_new(XFRM_MSG_NEWSA, &info, sizeof(info));
    assert_true(xfrm_decode_sa(message, &found));
    assert_address(found.source, "192.0.2.2");
    assert_address(found.destination, "192.0.2.1");
    assert_int_equal(found.spi, 0xc1020304);
    assert_int_equal(found.reqid, 0x69000001);
    assert_int_equal(found.protocol, IPSEC_ESP);
    assert_int_equal(found.mode, CHILD_TRANSPORT);
    message->nlmsg_len--;
    assert_false(xfrm_decode_sa(message, &found));
    message->nlmsg_len++;
    message->nlmsg_type = XFRM_MSG_DELSA;
    assert_false(xfrm_decode_sa(message, &found));
    info.family = AF_UNIX;
    assert_false(xfrm_decode_sa(message_new(XFRM_MSG_NEWSA, &info, sizeof(info)), &found));
    sa_free(&sa);
}

/* Linux says since 6.2 when an SA was last used. */
static void the_last_use_is_read(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    struct kernel_sa found;
    struct {
        struct xfrm_usersa_info info;
        struct nlattr head;
        uint8_t seconds[8];
    } __attribute__((packed)) said = {
        .info = sa_body(encode_sa(&batch, &sa)),
        .head = {.nla_len = sizeof(said.head) + sizeof(said.seconds), .nla_type = XFRMA_LASTUSED},
    };
    uint64_t seconds = UINT64_C(0x100000005);
    (void)state;

    memcpy(said.seconds, &seconds, sizeof(seconds));
    assert_true(xfrm_decode_sa(message_new(XFRM_MSG_NEWSA, &said, sizeof(said)), &found));
    assert_true(found.used_s == seconds);
    said.head.nla_len -= 4;
    assert_true(xfrm_decode_sa(message_new(XFRM_MSG_NEWSA, &said, sizeof(said)), &found));
    assert_int_equal(found.used_s, 0);
    sa_free(&sa);
}

static void expiries_are_read(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    struct xfrm_user_expire expire = {.state = sa_body(encode_sa(&batch, &sa)), .hard = 1};
    struct kernel_notice notice;
    struct nlmsghdr *message = message_new(XFRM_MSG_EXPIRE, &expire, sizeof(expire));
    (void)state;

    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_EXPIRE);
    assert_true(notice.hard);
    assert_int_equal(notice.sa.spi, 0xc1020304);
    assert_address(notice.sa.destination, "192.0.2.1");
    message->nlmsg_len = (uint32_t)(sizeof(*message) + sizeof(struct xfrm_usersa_info));
    assert_false(xfrm_decode_notice(message, &notice));
    sa_free(&sa);
}

static void errors_are_read(void **state)
{
    static const char text[] = "Requested AEAD algorithm not found";
    struct nlmsgerr error = {.error = -ENOSYS, .msg.nlmsg_len = 400};
    struct nlmsghdr *message = message_new(NLMSG_ERROR, &error, sizeof(error));
    char said[64];
    int number;
    (void)state;

    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_int_equal(number, ENOSYS);
    assert_string_equal(said, "");
    message->nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    message_put(message, 1, text, sizeof(text));
    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_string_equal(said, text);
    assert_true(netlink_error(message, &number, said, 10));
    assert_string_equal(said, "Requested");
    message->nlmsg_flags = NLM_F_ACK_TLVS; /* the text would stand behind 400 octets */
    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_string_equal(said, "");
    error.error = 0;
    assert_true(netlink_error(message_new(NLMSG_ERROR, &error, sizeof(error)), &number, said,
                              sizeof(said)));
    assert_int_equal(number, 0);
    assert_false(netlink_error(message_new(NLMSG_ERROR, &error, 3), &number, said, sizeof(said)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inbound_aead_with_esn),
        cmocka_unit_test(outbound_cbc_in_a_v6_tunnel),
        cmocka_unit_test(replay_windows),
        cmocka_unit_test(algorithms_by_their_kernel_names),
        cmocka_unit_test(sas_that_cannot_be_said),
        cmocka_unit_test(spi_and_removal),
        cmocka_unit_test(dumps_ask_for_all),
        cmocka_unit_test(sas_are_read),
        cmocka_unit_test(the_last_use_is_read),
        cmocka_unit_test(expiries_are_read),
        cmocka_unit_test(errors_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
