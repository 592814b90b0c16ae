/*
 * SAs told anew with other ends (keeper/xfrm/xfrm_move.h): which requests, and that keys, limits,
 * counters and replay state are those that the kernel showed.
 */
#include "iked/keeper/xfrm/xfrm_move.h"

#include <linux/udp.h>
#include <netinet/in.h>

#include "lib/wire/ikev2.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

static uint8_t found_room[4096] __attribute__((aligned(8)));
static uint8_t room[2 * XFRM_JOB_ROOM] __attribute__((aligned(8)));

/* --- What the kernel shows --- */

static struct nlmsghdr *found_begin(bool esn)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(found_room);
    struct xfrm_usersa_info info = {
        .id = {.spi = htonl(0xc1020304), .proto = IPPROTO_ESP},
        .lft = {.soft_byte_limit = 70, .hard_byte_limit = 80, .hard_add_expires_seconds = 3600},
        .curlft = {.bytes = 11, .packets = 12, .add_time = 13, .use_time = 14},
        .seq = 99,
        .reqid = 0x69000001,
        .family = AF_INET,
        .mode = XFRM_MODE_TUNNEL,
        .flags = XFRM_STATE_AF_UNSPEC | (esn ? XFRM_STATE_ESN : 0),
    };

    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &info.saddr), 1);
    assert_int_equal(inet_pton(AF_INET, "192.0.2.2", &info.id.daddr), 1);
    message->nlmsg_type = XFRM_MSG_NEWSA;
    memcpy(mnl_nlmsg_put_extra_header(message, sizeof(info)), &info, sizeof(info));
    return message;
}

static void put_aead(struct nlmsghdr *message, uint8_t octet)
{
    union {
        struct xfrm_algo_aead algorithm;
        uint8_t room[sizeof(struct xfrm_algo_aead) + 36];
    } aead = {.algorithm = {.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 288}};

    memset(aead.room + sizeof(aead.algorithm), octet, 36);
    mnl_attr_put(message, XFRMA_ALG_AEAD, sizeof(aead), &aead);
}

static void put_encap(struct nlmsghdr *message)
{
    struct xfrm_encap_tmpl encap = {
        .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(4500), .encap_dport = htons(10005)};

    mnl_attr_put(message, XFRMA_ENCAP, sizeof(encap), &encap);
    mnl_attr_put_u32(message, XFRMA_MTIMER_THRESH, 1);
}

/* An AEAD SA out of the host, in UDP or not, with a plain replay state. */
static struct nlmsghdr *found_plain(bool encap)
{
    struct nlmsghdr *message = found_begin(false);
    struct xfrm_replay_state replay = {.oseq = 1000, .seq = 7, .bitmap = 0x55};

    put_aead(message, 0x33);
    mnl_attr_put_u64(message, XFRMA_LASTUSED, 5);
    if (encap)
        put_encap(message);
    mnl_attr_put(message, XFRMA_REPLAY_VAL, sizeof(replay), &replay);
    return message;
}

/* --- What is told --- */

static struct effect_move_sa move_to(const char *source, const char *destination, bool encap)
{
    struct effect_move_sa move = {
        .encap = encap,
        .spi = 0xc1020304,
        .protocol = IPSEC_ESP,
        .source = policy_address("192.0.2.1"),
        .destination = policy_address("192.0.2.2"),
        .new_source = policy_address(source),
        .new_destination = policy_address(destination),
    };

    move.new_source.port = 4500;
    move.new_destination.port = 10077;
    return move;
}

static struct xfrm_batch told(const struct nlmsghdr *found, const struct effect_move_sa *move)
{
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room), .sequence = 100};
    struct reason reason = {0};

    memset(room, 0xa5, sizeof(room));
    if (!move_encode(&batch, found, move, &reason))
        fail_msg("%s", reason.text);
    return batch;
}

static void assert_ports(const struct nlmsghdr *message, bool there)
{
    struct slice found = attribute_of(message, sizeof(struct xfrm_usersa_info), XFRMA_ENCAP);
    struct xfrm_encap_tmpl encap;

    assert_int_equal(found.size, there ? sizeof(encap) : 0);
    if (!there)
        return;
    memcpy(&encap, found.data, sizeof(encap));
    assert_int_equal(encap.encap_type, UDP_ENCAP_ESPINUDP);
    assert_int_equal(encap.encap_sport, htons(4500));
    assert_int_equal(encap.encap_dport, htons(10077));
}

/* All that is neither end nor port is as it was; returns the outbound sequence number. */
static uint32_t assert_kept(const struct nlmsghdr *message)
{
    struct xfrm_usersa_info info = sa_body(message);
    struct xfrm_usersa_info before = sa_body((const struct nlmsghdr *)(void *)found_room);
    struct slice aead = attribute_of(message, sizeof(info), XFRMA_ALG_AEAD);
    struct slice counters = attribute_of(message, sizeof(info), XFRMA_LTIME_VAL);
    struct slice state = attribute_of(message, sizeof(info), XFRMA_REPLAY_VAL);
    struct xfrm_replay_state replay;

    assert_int_equal(info.seq, 0);
    assert_int_equal(info.id.spi, before.id.spi);
    assert_int_equal(info.reqid, before.reqid);
    assert_int_equal(info.mode, before.mode);
    assert_int_equal(info.flags, before.flags);
    assert_memory_equal(&info.lft, &before.lft, sizeof(info.lft));
    assert_int_equal(aead.size, sizeof(struct xfrm_algo_aead) + 36);
    assert_int_equal(aead.data[aead.size - 1], 0x33);
    assert_int_equal(counters.size, sizeof(before.curlft));
    assert_memory_equal(counters.data, &before.curlft, sizeof(before.curlft));
    assert_null(attribute_of(message, sizeof(info), XFRMA_LASTUSED).data);
    assert_int_equal(state.size, sizeof(replay));
    memcpy(&replay, state.data, sizeof(replay));
    assert_int_equal(replay.seq, 7);
    assert_int_equal(replay.bitmap, 0x55);
    return replay.oseq;
}

static void other_ports_change_in_place(void **state)
{
    struct effect_move_sa move = move_to("192.0.2.1", "192.0.2.2", true);
    struct xfrm_batch batch = told(found_plain(true), &move);
    const struct nlmsghdr *message = message_at(&batch, 0);
    (void)state;

    assert_int_equal(batch.count, 1);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_UPDSA);
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(assert_kept(message), 1000); /* it goes on counting by itself */
    assert_ports(message, true);
}

static void another_destination_stands_beside_the_old(void **state)
{
    struct effect_move_sa move = move_to("192.0.2.1", "2001:db8::7", true);
    (void)state;

    move.new_source = policy_address("2001:db8::1"); /* to the other family, at that */
    move.new_source.port = 4500;
    struct xfrm_batch batch = told(found_plain(true), &move);
    const struct nlmsghdr *message = message_at(&batch, 0);
    struct xfrm_usersa_info info = sa_body(message);
    assert_int_equal(batch.count, 1);
    assert_int_equal(message->nlmsg_type, XFRM_MSG_NEWSA);
    assert_int_equal(info.family, AF_INET6);
    assert_host(&info.saddr, AF_INET6, "2001:db8::1");
    assert_host(&info.id.daddr, AF_INET6, "2001:db8::7");
    assert_int_equal(assert_kept(message), 1000 + MOVE_SEQUENCE_GAP);
    assert_ports(message, true);
    assert_null(attribute_of(message, sizeof(info), XFRMA_MTIMER_THRESH).data);
}

static void another_source_or_encapsulation_replaces(void **state)
{
    static const struct {
        const char *source;
        bool was;
        bool encap;
    } rows[] = {{"192.0.2.9", false, false},
                {"192.0.2.9", true, true},
                {"192.0.2.1", false, true},
                {"192.0.2.1", true, false}};
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct effect_move_sa move = move_to(rows[i].source, "192.0.2.2", rows[i].encap);
        struct xfrm_batch batch = told(found_plain(rows[i].was), &move);
        const struct nlmsghdr *removal = message_at(&batch, 0);
        const struct nlmsghdr *message = message_at(&batch, 1);
        struct xfrm_usersa_id id;
        assert_int_equal(batch.count, 2);
        assert_int_equal(removal->nlmsg_type, XFRM_MSG_DELSA);
        memcpy(&id, BODY(removal), sizeof(id));
        assert_host(&id.daddr, AF_INET, "192.0.2.2");
        assert_int_equal(id.spi, htonl(0xc1020304));
        assert_int_equal(message->nlmsg_type, XFRM_MSG_NEWSA);
        struct xfrm_usersa_info info = sa_body(message);
        assert_host(&info.saddr, AF_INET, rows[i].source);
        assert_kept(message);
        assert_ports(message, rows[i].encap);
        /* The kernel refuses a mapping's age without an encapsulation. */
        move.inbound = true;
        batch = told(found_plain(rows[i].was), &move);
        struct slice age = attribute_of(message_at(&batch, 1), sizeof(info), XFRMA_MTIMER_THRESH);
        assert_int_equal(age.size, rows[i].encap ? sizeof(uint32_t) : 0);
    }
}

/* RFC 4303 section 3.3.3: no number twice.  Inbound the window stays as it is. */
static void sequence_numbers_skip_ahead(void **state)
{
    static const struct {
        uint32_t before, before_hi;
        bool esn, inbound;
        uint32_t after, after_hi;
    } rows[] = {
        {1000, 5, true, false, 1000 + MOVE_SEQUENCE_GAP, 5},
        {0xffffffff, 5, true, false, MOVE_SEQUENCE_GAP - 1, 6},
        {0xfffffff0, 0xffffffff, true, false, 0xffffffff, 0xffffffff},
        {0xfffffff0, 0, false, false, 0xffffffff, 0},
        {1000, 5, true, true, 1000, 5},
    };
    struct effect_move_sa move = move_to("192.0.2.1", "192.0.2.3", false);
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nlmsghdr *message = found_begin(rows[i].esn);
        union {
            struct xfrm_replay_state_esn state;
            uint8_t room[sizeof(struct xfrm_replay_state_esn) + 16];
        } replay = {.state = {.bmp_len = 4,
                              .oseq = rows[i].before,
                              .oseq_hi = rows[i].before_hi,
                              .seq = 44,
                              .seq_hi = 3,
                              .replay_window = 128}};
        replay.room[sizeof(replay) - 1] = 0x77;
        put_aead(message, 0x33);
        mnl_attr_put(message, XFRMA_REPLAY_ESN_VAL, sizeof(replay), &replay);
        move.inbound = rows[i].inbound;
        struct xfrm_batch batch = told(message, &move);
        struct slice told_state = attribute_of(
            message_at(&batch, 0), sizeof(struct xfrm_usersa_info), XFRMA_REPLAY_ESN_VAL);
        replay.state.oseq = rows[i].after;
        replay.state.oseq_hi = rows[i].after_hi;
        assert_slices(told_state, slice_of(replay.room, sizeof(replay)));
    }
}

static void assert_not_told(const struct nlmsghdr *found, const struct effect_move_sa *move,
                            const char *why)
{
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};
    struct reason reason = {0};

    assert_false(move_encode(&batch, found, move, &reason));
    assert_string_equal(reason.text, why);
    assert_int_equal(batch.count, 0);
}

static void nothing_is_made_of_what_is_not_the_sa(void **state)
{
    struct effect_move_sa good = move_to("192.0.2.1", "192.0.2.3", false);
    struct effect_move_sa move = good;
    (void)state;

    move.spi++;
    assert_not_told(found_plain(false), &move, "the kernel shows another SA");
    move = good;
    move.destination = policy_address("192.0.2.8");
    assert_not_told(found_plain(false), &move, "the kernel shows another SA");
    struct nlmsghdr *message = found_begin(false);
    put_aead(message, 0); /* LOCKDOWN_XFRM_SECRET */
    assert_not_told(message, &good, "the kernel, locked down, does not show the SA's keys");
    message->nlmsg_type = XFRM_MSG_NEWPOLICY;
    assert_not_told(message, &good, "the kernel shows another SA");
}

static void questions_and_ends_name_the_sa(void **state)
{
    struct effect_move_sa move = move_to("192.0.2.1", "192.0.2.3", false);
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};
    static const uint16_t types[] = {XFRM_MSG_GETSA, XFRM_MSG_DELSA, XFRM_MSG_DELSA};
    static const char *const ends[] = {"192.0.2.2", "192.0.2.2", "192.0.2.3"};
    (void)state;

    move_encode_get(&batch, &move);
    move_encode_end(&batch, &move);
    assert_int_equal(batch.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct nlmsghdr *message = message_at(&batch, i);
        struct xfrm_usersa_id id;
        memcpy(&id, BODY(message), sizeof(id));
        assert_int_equal(message->nlmsg_type, types[i]);
        assert_host(&id.daddr, AF_INET, ends[i]);
        assert_int_equal(id.spi, htonl(0xc1020304));
        assert_int_equal(id.proto, IPPROTO_ESP);
        assert_int_equal(id.family, AF_INET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_ports_change_in_place),
        cmocka_unit_test(another_destination_stands_beside_the_old),
        cmocka_unit_test(another_source_or_encapsulation_replaces),
        cmocka_unit_test(sequence_numbers_skip_ahead),
        cmocka_unit_test(nothing_is_made_of_what_is_not_the_sa),
        cmocka_unit_test(questions_and_ends_name_the_sa),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
