/*
 * SAs in UDP (RFC 3948) in netlink messages: how they are made, and what the kernel says of them
 * (iked/keeper/xfrm/xfrm_encode.h, xfrm_decode.h).
 */
#include <linux/udp.h>
#include <netinet/in.h>

#include "iked/keeper/xfrm/xfrm_decode.h"
#include "lib/wire/ikev2.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

static uint8_t key[36];

static struct effect_install_sa sa_of(bool inbound)
{
    struct address us = policy_address("192.0.2.1");
    struct address nat = policy_address("198.51.100.7");

    us.port = 4500;
    nat.port = 10005;
    return (struct effect_install_sa){
        .inbound = inbound,
        .encap = true,
        .source = inbound ? nat : us,
        .destination = inbound ? us : nat,
        .spi = 0xc1020304,
        .reqid = 0x69000001,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .encr = ENCR_AES256_GCM16,
        .encr_key = {key, sizeof(key)},
        .replay_window = 32,
    };
}

static bool encode(struct xfrm_batch *batch, const struct effect_install_sa *sa,
                   struct reason *reason)
{
    struct kernel_job job = {.verb = KERNEL_INSTALL_SA, .install_sa = sa};

    *batch = batch_new();
    return xfrm_encode_job(batch, &job, reason);
}

static struct nlmsghdr *encoded(const struct effect_install_sa *sa)
{
    struct xfrm_batch batch;
    struct reason reason = {0};

    if (!encode(&batch, sa, &reason))
        fail_msg("%s", reason.text);
    return (struct nlmsghdr *)(void *)batch.data;
}

static void assert_encap(const struct nlmsghdr *message, uint16_t from, uint16_t to)
{
    struct slice found = attribute_of(message, sizeof(struct xfrm_usersa_info), XFRMA_ENCAP);
    struct xfrm_encap_tmpl encap;
    struct xfrm_encap_tmpl expected = {
        .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(from), .encap_dport = htons(to)};

    assert_int_equal(found.size, sizeof(encap));
    memcpy(&encap, found.data, sizeof(encap));
    assert_memory_equal(&encap, &expected, sizeof(encap));
}

/* In either direction the ports are those of the packet (the kernel compares an inbound SA's
 * encap_sport with a packet's source). */
static void ports_stand_as_in_packets(void **state)
{
    struct effect_install_sa sa = sa_of(true);
    struct xfrm_usersa_info info;
    uint32_t seconds;
    (void)state;

    const struct nlmsghdr *message = encoded(&sa);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_UPDSA);
    assert_encap(message, 10005, 4500);
    struct slice age = attribute_of(message, sizeof(info), XFRMA_MTIMER_THRESH);
    assert_int_equal(age.size, sizeof(seconds));
    memcpy(&seconds, age.data, sizeof(seconds));
    assert_int_equal(seconds, 1);
    info = sa_body(message);
    assert_host(&info.saddr, AF_INET, "198.51.100.7");
    sa = sa_of(false);
    message = encoded(&sa);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_NEWSA);
    assert_encap(message, 4500, 10005);
    assert_null(attribute_of(message, sizeof(info), XFRMA_MTIMER_THRESH).data);
    sa.encap = false;
    assert_null(attribute_of(encoded(&sa), sizeof(info), XFRMA_ENCAP).data);
}

static void what_does_not_go_in_udp(void **state)
{
    struct effect_install_sa sa = sa_of(true);
    struct xfrm_batch batch;
    struct reason reason = {0};
    (void)state;

    sa.source.port = 0;
    assert_false(encode(&batch, &sa, &reason));
    assert_string_equal(reason.text, "in UDP goes ESP only, between two ports");
    sa = sa_of(true);
    sa.destination.port = 0;
    assert_false(encode(&batch, &sa, &reason));
    sa = sa_of(true);
    sa.protocol = IPSEC_AH;
    assert_false(encode(&batch, &sa, &reason));
}

static void dumps_show_the_ports(void **state)
{
    struct effect_install_sa sa = sa_of(true);
    struct kernel_sa found;
    (void)state;

    struct nlmsghdr *message = encoded(&sa);
    message->nlmsg_type = XFRM_MSG_NEWSA;
    assert_true(xfrm_decode_sa(message, &found));
    assert_true(found.encap);
    assert_int_equal(found.source.port, 10005);
    assert_int_equal(found.destination.port, 4500);
    sa.encap = false;
    message = encoded(&sa);
    message->nlmsg_type = XFRM_MSG_NEWSA;
    assert_true(xfrm_decode_sa(message, &found));
    assert_false(found.encap);
    assert_int_equal(found.source.port | found.destination.port, 0);
}

static void mappings(void **state)
{
    struct xfrm_user_mapping mapping = {
        .id.spi = htonl(0xc1020304),
        .id.family = AF_INET,
        .id.proto = IPPROTO_ESP,
        .reqid = 0x69000001,
        .old_sport = htons(10005),
        .new_sport = htons(10077),
    };
    struct kernel_notice notice;
    (void)state;

    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &mapping.id.daddr), 1);
    assert_int_equal(inet_pton(AF_INET, "198.51.100.8", &mapping.new_saddr), 1);
    struct nlmsghdr *message = message_new(XFRM_MSG_MAPPING, &mapping, sizeof(mapping));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_MAPPING);
    assert_int_equal(notice.sa.spi, 0xc1020304);
    assert_int_equal(notice.sa.protocol, IPSEC_ESP);
    assert_int_equal(notice.sa.source.port, 10077);
    struct address us = policy_address("192.0.2.1");
    struct address nat = policy_address("198.51.100.8");
    assert_true(address_same_host(&notice.sa.destination, &us));
    assert_true(address_same_host(&notice.sa.source, &nat));
    message->nlmsg_len--;
    assert_false(xfrm_decode_notice(message, &notice));
    mapping.id.family = AF_UNIX;
    message = message_new(XFRM_MSG_MAPPING, &mapping, sizeof(mapping));
    assert_false(xfrm_decode_notice(message, &notice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_stand_as_in_packets),
        cmocka_unit_test(what_does_not_go_in_udp),
        cmocka_unit_test(dumps_show_the_ports),
        cmocka_unit_test(mappings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
