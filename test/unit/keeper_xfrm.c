/*
 * Netlink messages to and from XFRM (iked/keeper/xfrm_encode.h, xfrm_decode.h).
 *
 * What is encoded is looked at with nothing but the kernel's own structs and a walk over attributes
 * written here; what is decoded is made of the same structs.
 */
#include "iked/keeper/xfrm_encode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/netlink.h"
#include "iked/keeper/xfrm_decode.h"
#include "lib/wire/ikev2.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

static uint8_t room[65536] __attribute__((aligned(8)));

static struct xfrm_batch batch_new(void)
{
    memset(room, 0xa5, sizeof(room)); /* what is not written shows */
    return (struct xfrm_batch){.data = room, .capacity = sizeof(room), .sequence = 100};
}

/* --- An independent look at messages --- */

static struct xfrm_userpolicy_info policy_body(const struct nlmsghdr *message)
{
    struct xfrm_userpolicy_info info;

    memcpy(&info, BODY(message), sizeof(info));
    return info;
}

static struct xfrm_user_tmpl template_of(const struct nlmsghdr *message)
{
    struct slice found = attribute_of(message, sizeof(struct xfrm_userpolicy_info), XFRMA_TMPL);
    struct xfrm_user_tmpl template;

    assert_int_equal(found.size, sizeof(template));
    memcpy(&template, found.data, sizeof(template));
    return template;
}

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

/* --- SAs --- */

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
        .protocol = V2_PROTOCOL_ESP,
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
        .protocol = V2_PROTOCOL_ESP,
        .mode = CHILD_TUNNEL,
        .reqid = 0x69000002,
    };
    struct kernel_job job = {.verb = KERNEL_ALLOCATE_SPI, .allocate_spi = &allocate};
    struct kernel_job removal = {
        .verb = KERNEL_REMOVE_SA,
        .remove_sa = {.source = policy_address("2001:db8::2"),
                      .destination = policy_address("2001:db8::1"),
                      .spi = 0x01020304,
                      .protocol = V2_PROTOCOL_AH},
    };
    struct effect_query_sa question = {
        .destination = policy_address("192.0.2.1"),
        .spi = 0x01020305,
        .protocol = V2_PROTOCOL_ESP,
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

/* --- Policies --- */

static struct effect_policy policy_of(uint8_t mode)
{
    return (struct effect_policy){
        .local = policy_address("192.0.2.1"),
        .remote = policy_address("192.0.2.2"),
        .reqid = 0x69000003,
        .protocol = V2_PROTOCOL_ESP,
        .mode = mode,
        .policy = POLICY_REQUIRE,
    };
}

/* 10.1.0.0/16 tcp/5432 here, 10.2.0.0/24 tcp/1024-2047 there. */
static struct piece piece_v4(void)
{
    return (struct piece){
        .family = FAMILY_IPV4,
        .protocol = IPPROTO_TCP,
        .local_bits = 16,
        .remote_bits = 24,
        .local_port = 5432,
        .local_mask = 0xffff,
        .remote_port = 1024,
        .remote_mask = 0xfc00,
        .local = {10, 1, 0, 0},
        .remote = {10, 2, 0, 0},
    };
}

static struct xfrm_batch encode_policy(const struct effect_policy *policy,
                                       const struct piece *piece)
{
    struct kernel_job job = {.verb = KERNEL_SET_PIECE, .policy = policy, .piece = *piece};
    struct xfrm_batch batch = batch_new();

    assert_true(xfrm_encode_job(&batch, &job, NULL));
    return batch;
}

static void tunnel_policies_go_three_ways(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TUNNEL);
    struct piece piece = piece_v4();
    struct xfrm_batch batch = encode_policy(&policy, &piece);
    static const uint8_t directions[] = {XFRM_POLICY_OUT, XFRM_POLICY_IN, XFRM_POLICY_FWD};
    (void)state;

    assert_int_equal(batch.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct nlmsghdr *message = message_at(&batch, i);
        struct xfrm_userpolicy_info info = policy_body(message);
        struct xfrm_user_tmpl template = template_of(message);
        bool out = directions[i] == XFRM_POLICY_OUT;
        assert_int_equal(message->nlmsg_type, XFRM_MSG_UPDPOLICY);
        assert_int_equal(info.dir, directions[i]);
        assert_int_equal(info.action, XFRM_POLICY_ALLOW);
        assert_int_equal(info.priority, piece_priority(&piece));
        assert_true(info.lft.hard_byte_limit == XFRM_INF && info.lft.soft_packet_limit == XFRM_INF);
        assert_int_equal(info.sel.family, AF_INET);
        assert_int_equal(info.sel.proto, IPPROTO_TCP);
        assert_host(out ? &info.sel.saddr : &info.sel.daddr, AF_INET, "10.1.0.0");
        assert_host(out ? &info.sel.daddr : &info.sel.saddr, AF_INET, "10.2.0.0");
        assert_int_equal(out ? info.sel.prefixlen_s : info.sel.prefixlen_d, 16);
        assert_int_equal(out ? info.sel.prefixlen_d : info.sel.prefixlen_s, 24);
        assert_int_equal(out ? info.sel.sport : info.sel.dport, htons(5432));
        assert_int_equal(out ? info.sel.sport_mask : info.sel.dport_mask, 0xffff);
        assert_int_equal(out ? info.sel.dport : info.sel.sport, htons(1024));
        assert_int_equal(out ? info.sel.dport_mask : info.sel.sport_mask, htons(0xfc00));
        assert_host(&template.saddr, AF_INET, out ? "192.0.2.1" : "0.0.0.0"); /* in: any */
        assert_host(&template.id.daddr, AF_INET, out ? "192.0.2.2" : "192.0.2.1");
        assert_int_equal(template.id.spi, 0);
        assert_int_equal(template.id.proto, IPPROTO_ESP);
        assert_int_equal(template.family, AF_INET);
        assert_int_equal(template.reqid, 0x69000003);
        assert_int_equal(template.mode, XFRM_MODE_TUNNEL);
        assert_int_equal(template.optional, 0);
        assert_int_equal(template.aalgos & template.ealgos & template.calgos, UINT32_MAX);
    }
}

static void transport_policies_go_two_ways(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TRANSPORT);
    struct piece piece = piece_v4();
    struct xfrm_batch batch = encode_policy(&policy, &piece);
    (void)state;

    assert_int_equal(batch.count, 2);
    assert_int_equal(template_of(message_at(&batch, 0)).mode, XFRM_MODE_TRANSPORT);
    assert_int_equal(template_of(message_at(&batch, 0)).optional, 0);
    policy.policy = POLICY_PREFER;
    batch = encode_policy(&policy, &piece);
    assert_int_equal(template_of(message_at(&batch, 0)).optional, 1);
    assert_int_equal(template_of(message_at(&batch, 1)).optional, 1);
}

static void preferred_tunnels_cannot_be_said(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TUNNEL);
    struct kernel_job job = {.verb = KERNEL_SET_PIECE, .policy = &policy, .piece = piece_v4()};
    struct xfrm_batch batch = batch_new();
    struct reason reason;
    (void)state;

    policy.policy = POLICY_PREFER;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    assert_non_null(strstr(reason.text, "transport mode only"));
    assert_int_equal(batch.size, 0);
}

/* ICMP's type stays the source port when the direction turns. */
static void icmp_keeps_its_type(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TRANSPORT);
    struct piece piece = piece_v4();
    (void)state;

    piece.protocol = IPPROTO_ICMP;
    piece.local_port = 8;
    piece.remote_port = 3;
    piece.remote_mask = 0xffff;
    struct xfrm_batch batch = encode_policy(&policy, &piece);
    for (size_t i = 0; i < 2; i++) {
        struct xfrm_userpolicy_info info = policy_body(message_at(&batch, i));
        assert_int_equal(info.sel.sport, htons(8));
        assert_int_equal(info.sel.dport, htons(3));
    }
}

static void removals_name_the_same_selectors(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TUNNEL);
    struct kernel_job removal = {
        .verb = KERNEL_REMOVE_PIECE, .piece = piece_v4(), .mode = CHILD_TUNNEL};
    struct kernel_job forward = {.verb = KERNEL_REMOVE_FORWARD, .piece = piece_v4()};
    struct xfrm_userpolicy_info set[3];
    struct xfrm_batch batch = encode_policy(&policy, &removal.piece);
    (void)state;

    for (size_t i = 0; i < 3; i++)
        set[i] = policy_body(message_at(&batch, i));
    batch = batch_new();
    assert_true(xfrm_encode_job(&batch, &removal, NULL));
    assert_true(xfrm_encode_job(&batch, &forward, NULL));
    assert_int_equal(batch.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct nlmsghdr *message = message_at(&batch, i);
        struct xfrm_userpolicy_id id;
        memcpy(&id, BODY(message), sizeof(id));
        assert_int_equal(message->nlmsg_type, XFRM_MSG_DELPOLICY);
        assert_int_equal(id.dir, set[i < 3 ? i : 2].dir);
        assert_memory_equal(&id.sel, &set[i < 3 ? i : 2].sel, sizeof(id.sel));
    }
    removal.mode = CHILD_TRANSPORT;
    batch = batch_new();
    assert_true(xfrm_encode_job(&batch, &removal, NULL));
    assert_int_equal(batch.count, 2);
}

static void neighbour_discovery_passes_by(void **state)
{
    struct kernel_job job = {.verb = KERNEL_SET_BYPASS};
    struct xfrm_batch batch = batch_new();
    (void)state;

    assert_true(xfrm_encode_job(&batch, &job, NULL));
    assert_int_equal(batch.count, 10);
    assert_true(batch.size <= XFRM_JOB_ROOM);
    for (size_t i = 0; i < 10; i++) {
        const struct nlmsghdr *message = message_at(&batch, i);
        struct xfrm_userpolicy_info info = policy_body(message);
        assert_int_equal(info.sel.family, AF_INET6);
        assert_int_equal(info.sel.proto, IPPROTO_ICMPV6);
        assert_int_equal(info.sel.sport, htons((uint16_t)(133 + i / 2)));
        assert_int_equal(info.sel.sport_mask, 0xffff);
        assert_int_equal(info.sel.dport_mask, 0);
        assert_int_equal(info.sel.prefixlen_s | info.sel.prefixlen_d, 0);
        assert_int_equal(info.dir, i % 2 == 0 ? XFRM_POLICY_OUT : XFRM_POLICY_IN);
        assert_int_equal(info.priority, PIECE_PRIORITY_BYPASS);
        assert_null(attribute_of(message, sizeof(info), XFRMA_TMPL).data);
    }
    job.verb = KERNEL_REMOVE_BYPASS;
    batch = batch_new();
    assert_true(xfrm_encode_job(&batch, &job, NULL));
    assert_int_equal(batch.count, 10);
    assert_int_equal(message_at(&batch, 9)->nlmsg_type, XFRM_MSG_DELPOLICY);
}

static void dumps_ask_for_all(void **state)
{
    struct xfrm_batch batch = batch_new();
    (void)state;

    xfrm_encode_dump(&batch, XFRM_TABLE_SAS);
    xfrm_encode_dump(&batch, XFRM_TABLE_POLICIES);
    assert_int_equal(message_at(&batch, 0)->nlmsg_type, XFRM_MSG_GETSA);
    assert_int_equal(message_at(&batch, 0)->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    assert_int_equal(message_at(&batch, 1)->nlmsg_type, XFRM_MSG_GETPOLICY);
}

/* --- What comes back --- */

static struct nlmsghdr *reply(uint16_t type, const void *body, size_t size)
{
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)room;

    memset(room, 0, 1024);
    message->nlmsg_type = type;
    message->nlmsg_len = (uint32_t)(sizeof(*message) + size);
    memcpy(room + sizeof(*message), body, size);
    return message;
}

static void reply_attribute(struct nlmsghdr *message, uint16_t type, const void *body, size_t size)
{
    size_t at = (message->nlmsg_len + 3u) & ~3u;
    struct nlattr head = {.nla_type = type, .nla_len = (uint16_t)(sizeof(head) + size)};

    memcpy(room + at, &head, sizeof(head));
    memcpy(room + at + sizeof(head), body, size);
    message->nlmsg_len = (uint32_t)(at + head.nla_len);
}

static void sas_are_read(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    struct kernel_sa found;
    (void)state;

    struct xfrm_usersa_info info = sa_body(encode_sa(&batch, &sa));
    struct nlmsghdr *message = reply(XFRM_MSG_NEWSA, &info, sizeof(info));
    assert_true(xfrm_decode_sa(message, &found));
    assert_address(found.source, "192.0.2.2");
    assert_address(found.destination, "192.0.2.1");
    assert_int_equal(found.spi, 0xc1020304);
    assert_int_equal(found.reqid, 0x69000001);
    assert_int_equal(found.protocol, V2_PROTOCOL_ESP);
    assert_int_equal(found.mode, CHILD_TRANSPORT);
    message->nlmsg_len--;
    assert_false(xfrm_decode_sa(message, &found));
    message->nlmsg_len++;
    message->nlmsg_type = XFRM_MSG_DELSA;
    assert_false(xfrm_decode_sa(message, &found));
    info.family = AF_UNIX;
    assert_false(xfrm_decode_sa(reply(XFRM_MSG_NEWSA, &info, sizeof(info)), &found));
    sa_free(&sa);
}

/* Whatever the direction, the policy's piece comes out again. */
static void policies_are_read(void **state)
{
    struct effect_policy policy = policy_of(CHILD_TUNNEL);
    struct piece pieces[2] = {piece_v4(), piece_v4()};
    (void)state;

    pieces[1].protocol = IPPROTO_ICMP;
    pieces[1].local_port = 8;
    pieces[1].remote_port = 0;
    pieces[1].remote_mask = 0;
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < 3; i++) {
            struct xfrm_batch batch = encode_policy(&policy, &pieces[p]);
            struct xfrm_userpolicy_info info = policy_body(message_at(&batch, i));
            struct xfrm_user_tmpl template = template_of(message_at(&batch, i));
            struct nlmsghdr *message = reply(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
            struct kernel_piece found;
            assert_false(xfrm_decode_policy(message, &found)); /* no template: not ours */
            reply_attribute(message, XFRMA_TMPL, &template, sizeof(template));
            assert_true(xfrm_decode_policy(message, &found));
            assert_true(piece_equal(&found.piece, &pieces[p]));
            assert_int_equal(found.reqid, 0x69000003);
            assert_int_equal(found.mode, CHILD_TUNNEL);
            message->nlmsg_len -= 4;
            assert_false(xfrm_decode_policy(message, &found));
        }
    }
}

static struct xfrm_selector packet_selector(uint8_t protocol, uint16_t source_port,
                                            uint16_t destination_port)
{
    struct xfrm_selector selector = {
        .family = AF_INET,
        .prefixlen_s = 32,
        .prefixlen_d = 32,
        .proto = protocol,
        .sport = htons(source_port),
        .sport_mask = 0xffff,
        .dport = htons(destination_port),
        .dport_mask = 0xffff,
    };

    inet_pton(AF_INET, "192.0.2.1", &selector.saddr);
    inet_pton(AF_INET, "192.0.2.2", &selector.daddr);
    return selector;
}

static void acquires_are_read(void **state)
{
    struct xfrm_user_acquire acquire = {.sel = packet_selector(IPPROTO_UDP, 40000, 53)};
    struct xfrm_user_tmpl template = {.reqid = 0x69000004};
    struct nlmsghdr *message = reply(XFRM_MSG_ACQUIRE, &acquire, sizeof(acquire));
    struct kernel_notice notice;
    (void)state;

    assert_false(xfrm_decode_notice(message, &notice));
    reply_attribute(message, XFRMA_TMPL, &template, sizeof(template));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_ACQUIRE);
    assert_int_equal(notice.sa.reqid, 0x69000004);
    assert_selector(notice.sa.local_packet, "192.0.2.1/32 udp/40000");
    assert_selector(notice.sa.remote_packet, "192.0.2.2/32 udp/53");
    acquire.sel = packet_selector(IPPROTO_ICMP, 8, 0);
    message = reply(XFRM_MSG_ACQUIRE, &acquire, sizeof(acquire));
    reply_attribute(message, XFRMA_TMPL, &template, sizeof(template));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.sa.local_packet.port_start, 8 << 8);
    assert_int_equal(notice.sa.remote_packet.port_end, 8 << 8);
}

static void expiries_are_read(void **state)
{
    struct effect_install_sa sa = sa_of(ENCR_AES256_GCM16, INTEG_NONE);
    struct xfrm_batch batch;
    struct xfrm_user_expire expire = {.state = sa_body(encode_sa(&batch, &sa)), .hard = 1};
    struct kernel_notice notice;
    struct nlmsghdr *message = reply(XFRM_MSG_EXPIRE, &expire, sizeof(expire));
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
    struct nlmsghdr *message = reply(NLMSG_ERROR, &error, sizeof(error));
    char said[64];
    int number;
    (void)state;

    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_int_equal(number, ENOSYS);
    assert_string_equal(said, "");
    message->nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    reply_attribute(message, 1, text, sizeof(text));
    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_string_equal(said, text);
    assert_true(netlink_error(message, &number, said, 10));
    assert_string_equal(said, "Requested");
    message->nlmsg_flags = NLM_F_ACK_TLVS; /* the text would stand behind 400 octets */
    assert_true(netlink_error(message, &number, said, sizeof(said)));
    assert_string_equal(said, "");
    error.error = 0;
    assert_true(
        netlink_error(reply(NLMSG_ERROR, &error, sizeof(error)), &number, said, sizeof(said)));
    assert_int_equal(number, 0);
    assert_false(netlink_error(reply(NLMSG_ERROR, &error, 3), &number, said, sizeof(said)));
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
        cmocka_unit_test(tunnel_policies_go_three_ways),
        cmocka_unit_test(transport_policies_go_two_ways),
        cmocka_unit_test(preferred_tunnels_cannot_be_said),
        cmocka_unit_test(icmp_keeps_its_type),
        cmocka_unit_test(removals_name_the_same_selectors),
        cmocka_unit_test(neighbour_discovery_passes_by),
        cmocka_unit_test(dumps_ask_for_all),
        cmocka_unit_test(sas_are_read),
        cmocka_unit_test(policies_are_read),
        cmocka_unit_test(acquires_are_read),
        cmocka_unit_test(expiries_are_read),
        cmocka_unit_test(errors_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
