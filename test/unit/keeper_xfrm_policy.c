/*
 * Policies in netlink messages to and from XFRM, and the acquires that they cause
 * (keeper/xfrm/xfrm_encode.h, xfrm_decode.h); as in keeper_xfrm.c, by the kernel's own structs.
 */
#include "iked/keeper/xfrm/xfrm_encode.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/xfrm/xfrm_decode.h"
#include "lib/wire/ikev2.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

/* --- What is asked for --- */

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

static struct policy_template policy_of(uint8_t mode)
{
    return (struct policy_template){
        .local = policy_address("192.0.2.1"),
        .remote = policy_address("192.0.2.2"),
        .reqid = 0x69000003,
        .protocol = IPSEC_ESP,
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

static struct xfrm_batch encode_policy(const struct policy_template *policy,
                                       const struct piece *piece)
{
    struct kernel_job job = {.verb = KERNEL_SET_PIECE, .template = *policy, .piece = *piece};
    struct xfrm_batch batch = batch_new();

    assert_true(xfrm_encode_job(&batch, &job, NULL));
    return batch;
}

static void tunnel_policies_go_three_ways(void **state)
{
    struct policy_template policy = policy_of(CHILD_TUNNEL);
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
        assert_int_equal(info.priority, piece_priority(&piece, POLICY_REQUIRE));
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
    struct policy_template policy = policy_of(CHILD_TRANSPORT);
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
    assert_int_equal(policy_body(message_at(&batch, 0)).priority,
                     piece_priority(&piece, POLICY_PREFER));
}

static void the_outbound_one_goes_alone(void **state)
{
    struct kernel_job job = {.verb = KERNEL_SET_PIECE, .piece = piece_v4(), .out_only = true};
    struct xfrm_batch batch = batch_new();
    (void)state;

    job.template = policy_of(CHILD_TUNNEL);
    assert_true(xfrm_encode_job(&batch, &job, NULL));
    assert_int_equal(batch.count, 1);
    struct xfrm_userpolicy_info info = policy_body(message_at(&batch, 0));
    assert_int_equal(info.dir, XFRM_POLICY_OUT);
}

static void preferred_tunnels_cannot_be_said(void **state)
{
    struct policy_template policy = policy_of(CHILD_TUNNEL);
    struct kernel_job job = {.verb = KERNEL_SET_PIECE, .piece = piece_v4()};
    struct xfrm_batch batch = batch_new();
    struct reason reason;
    (void)state;

    policy.policy = POLICY_PREFER;
    job.template = policy;
    assert_false(xfrm_encode_job(&batch, &job, &reason));
    assert_non_null(strstr(reason.text, "transport mode only"));
    assert_int_equal(batch.size, 0);
}

/* ICMP's type stays the source port when the direction turns. */
static void icmp_keeps_its_type(void **state)
{
    struct policy_template policy = policy_of(CHILD_TRANSPORT);
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
    struct policy_template policy = policy_of(CHILD_TUNNEL);
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

/* --- What comes back --- */

/* Whatever the direction, the policy's piece comes out again. */
static void policies_are_read(void **state)
{
    struct policy_template policy = policy_of(CHILD_TUNNEL);
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
            struct nlmsghdr *message = message_new(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
            struct kernel_piece found;
            assert_true(xfrm_decode_policy(message, &found));
            assert_true(found.plain); /* no template: not ours */
            message_put(message, XFRMA_TMPL, &template, sizeof(template));
            assert_true(xfrm_decode_policy(message, &found));
            assert_true(piece_equal(&found.piece, &pieces[p]));
            assert_false(found.plain || found.blocks || found.partial);
            assert_int_equal(found.direction, i == 0   ? KERNEL_OUT
                                              : i == 1 ? KERNEL_IN
                                                       : KERNEL_FORWARD);
            assert_int_equal(found.priority, piece_priority(&pieces[p], POLICY_REQUIRE));
            assert_int_equal(found.template.reqid, 0x69000003);
            assert_int_equal(found.template.mode, CHILD_TUNNEL);
            assert_int_equal(found.template.policy, POLICY_REQUIRE);
            assert_true(address_same_host(&found.template.local, &policy.local));
            assert_true(address_same_host(&found.template.remote, &policy.remote) == (i == 0));
            message->nlmsg_len -= 4; /* the template is cut off */
            assert_true(xfrm_decode_policy(message, &found));
            assert_true(found.plain);
        }
    }
}

/* What others do, and what is not for all packets. */
static void policies_of_others_are_read(void **state)
{
    struct policy_template policy = policy_of(CHILD_TRANSPORT);
    struct piece piece = piece_v4();
    struct xfrm_batch batch = encode_policy(&policy, &piece);
    struct xfrm_userpolicy_info info = policy_body(message_at(&batch, 0));
    struct xfrm_mark mark = {.v = 1, .m = 0xff};
    struct kernel_piece found;
    (void)state;

    info.action = XFRM_POLICY_BLOCK;
    struct nlmsghdr *message = message_new(XFRM_MSG_UPDPOLICY, &info, sizeof(info));
    assert_true(xfrm_decode_policy(message, &found));
    assert_true(found.blocks && !found.partial);
    message_put(message, XFRMA_MARK, &mark, sizeof(mark));
    assert_true(xfrm_decode_policy(message, &found));
    assert_true(found.partial);
    mark.m = 0;
    message = message_new(XFRM_MSG_UPDPOLICY, &info, sizeof(info));
    message_put(message, XFRMA_MARK, &mark, sizeof(mark));
    assert_true(xfrm_decode_policy(message, &found));
    assert_false(found.partial);
    info.dir = 3; /* a socket's */
    message = message_new(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
    assert_false(xfrm_decode_policy(message, &found));
}

/* By its selectors, or by an index that is the kernel's alone. */
static void removals_by_others_are_heard(void **state)
{
    struct policy_template policy = policy_of(CHILD_TRANSPORT);
    struct piece piece = piece_v4();
    struct xfrm_batch batch = encode_policy(&policy, &piece);
    struct xfrm_userpolicy_info info = policy_body(message_at(&batch, 1));
    struct xfrm_userpolicy_id id = {.index = 9, .dir = XFRM_POLICY_IN};
    struct xfrm_usersa_id sa = {.spi = htonl(0xc0000001), .family = AF_INET, .proto = IPPROTO_ESP};
    struct kernel_notice notice;
    (void)state;

    struct nlmsghdr *message = message_new(XFRM_MSG_DELPOLICY, &id, sizeof(id));
    assert_false(xfrm_decode_notice(message, &notice));
    message_put(message, XFRMA_POLICY, &info, sizeof(info));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_POLICY_GONE);
    assert_int_equal(notice.piece.direction, KERNEL_IN);
    assert_true(piece_equal(&notice.piece.piece, &piece));
    message = message_new(XFRM_MSG_FLUSHPOLICY, NULL, 0);
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_POLICIES_GONE);
    struct xfrm_usersa_flush flush = {.proto = IPPROTO_ESP};
    message = message_new(XFRM_MSG_FLUSHSA, &flush, sizeof(flush));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_SAS_GONE);
    inet_pton(AF_INET, "192.0.2.1", &sa.daddr);
    message = message_new(XFRM_MSG_DELSA, &sa, sizeof(sa));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_SA_GONE);
    assert_int_equal(notice.sa.spi, 0xc0000001);
    assert_int_equal(notice.sa.protocol, IPSEC_ESP);
    struct address us = policy_address("192.0.2.1");
    assert_true(address_same_host(&notice.sa.destination, &us));
    message = message_new(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_POLICY);
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
    struct nlmsghdr *message = message_new(XFRM_MSG_ACQUIRE, &acquire, sizeof(acquire));
    struct kernel_notice notice;
    (void)state;

    assert_false(xfrm_decode_notice(message, &notice));
    message_put(message, XFRMA_TMPL, &template, sizeof(template));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.kind, NOTICE_ACQUIRE);
    assert_int_equal(notice.sa.reqid, 0x69000004);
    assert_selector(notice.sa.local_packet, "192.0.2.1/32 udp/40000");
    assert_selector(notice.sa.remote_packet, "192.0.2.2/32 udp/53");
    acquire.sel = packet_selector(IPPROTO_ICMP, 8, 0);
    message = message_new(XFRM_MSG_ACQUIRE, &acquire, sizeof(acquire));
    message_put(message, XFRMA_TMPL, &template, sizeof(template));
    assert_true(xfrm_decode_notice(message, &notice));
    assert_int_equal(notice.sa.local_packet.port_start, 8 << 8);
    assert_int_equal(notice.sa.remote_packet.port_end, 8 << 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tunnel_policies_go_three_ways),
        cmocka_unit_test(transport_policies_go_two_ways),
        cmocka_unit_test(the_outbound_one_goes_alone),
        cmocka_unit_test(preferred_tunnels_cannot_be_said),
        cmocka_unit_test(icmp_keeps_its_type),
        cmocka_unit_test(removals_name_the_same_selectors),
        cmocka_unit_test(neighbour_discovery_passes_by),
        cmocka_unit_test(policies_are_read),
        cmocka_unit_test(policies_of_others_are_read),
        cmocka_unit_test(removals_by_others_are_heard),
        cmocka_unit_test(acquires_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
