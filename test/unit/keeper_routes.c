/*
 * Addresses and routes (iked/keeper/routes.h): the messages, by the kernel's own structs, and how
 * changes are gathered (iked/keeper/watch.h).
 */
#include "iked/keeper/routes.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "iked/keeper/watch.h"
#include "test/unit/netlink.h"
#include "test/unit/policy.h"

static uint8_t room[1024] __attribute__((aligned(8)));

/* --- The question --- */

static void asks_for_one_destination(void **state)
{
    struct address four = policy_address("203.0.113.9");
    struct address six = policy_address("2001:db8::9");
    (void)state;

    size_t size = route_encode(room, &four, 0x01020304);
    struct nlmsghdr head;
    memcpy(&head, room, sizeof(head));
    assert_int_equal(head.nlmsg_len, size);
    assert_int_equal(head.nlmsg_type, RTM_GETROUTE);
    assert_int_equal(head.nlmsg_flags, NLM_F_REQUEST);
    assert_int_equal(head.nlmsg_seq, 0x01020304);
    /* rtmsg: family, 32 bits of destination; RTA_DST (type 1) of 8 octets. */
    uint16_t attribute[] = {8, RTA_DST};
    assert_slices(slice_of(room + sizeof(head), 12), bytes_hex("02200000 00000000 00000000"));
    assert_memory_equal(room + sizeof(head) + 12, attribute, sizeof(attribute));
    assert_slices(slice_of(room + sizeof(head) + 16, size - sizeof(head) - 16),
                  bytes_hex("cb007109"));
    size = route_encode(room, &six, 1);
    assert_slices(slice_of(room + sizeof(head), 12), bytes_hex("0a800000 00000000 00000000"));
    assert_slices(slice_of(room + sizeof(head) + 16, size - sizeof(head) - 16),
                  bytes_hex("20010db8000000000000000000000009"));
}

/* --- The answer --- */

static struct nlmsghdr *route_of(uint8_t family, uint8_t type, const char *source, size_t size)
{
    struct rtmsg head = {.rtm_family = family, .rtm_type = type};
    struct address address = policy_address(source);
    struct nlmsghdr *message = message_new(RTM_NEWROUTE, &head, sizeof(head));

    mnl_attr_put_u32(message, RTA_OIF, 7);
    mnl_attr_put(message, RTA_PREFSRC, size, address.bytes);
    return message;
}

static void sources_are_read(void **state)
{
    struct address four = policy_address("192.0.2.1");
    struct address six = policy_address("2001:db8::1");
    struct route route;
    (void)state;

    assert_true(route_decode(route_of(AF_INET, RTN_UNICAST, "192.0.2.1", 4), &route));
    assert_true(address_equal(&route.source, &four));
    assert_false(route.own);
    assert_true(route_decode(route_of(AF_INET6, RTN_LOCAL, "2001:db8::1", 16), &route));
    assert_true(address_equal(&route.source, &six));
    assert_true(route.own);
    /* A source of the wrong size is none. */
    assert_true(route_decode(route_of(AF_INET, RTN_UNICAST, "2001:db8::1", 16), &route));
    assert_int_equal(route.source.family, FAMILY_NONE);
}

static void what_leads_nowhere_is_no_route(void **state)
{
    struct route route;
    (void)state;

    assert_false(route_decode(route_of(AF_INET, RTN_BLACKHOLE, "192.0.2.1", 4), &route));
    assert_false(route_decode(route_of(AF_INET, RTN_BROADCAST, "192.0.2.1", 4), &route));
    assert_false(route_decode(route_of(AF_UNIX, RTN_UNICAST, "192.0.2.1", 4), &route));
    struct nlmsghdr *message = route_of(AF_INET, RTN_UNICAST, "192.0.2.1", 4);
    message->nlmsg_type = RTM_DELROUTE;
    assert_false(route_decode(message, &route));
    message = route_of(AF_INET, RTN_UNICAST, "192.0.2.1", 4);
    message->nlmsg_len = sizeof(*message) + sizeof(struct rtmsg) - 1;
    assert_false(route_decode(message, &route));
}

/* --- Changes --- */

static void changes_are_told_from_what_was_learnt(void **state)
{
    static const struct {
        uint16_t type;
        uint32_t flags;
        bool change;
    } rows[] = {
        {RTM_NEWADDR, 0, true},   {RTM_DELADDR, 0, true},
        {RTM_NEWLINK, 0, true},   {RTM_DELLINK, 0, true},
        {RTM_NEWROUTE, 0, true},  {RTM_NEWROUTE, RTM_F_CLONED, false},
        {RTM_DELROUTE, 0, true},  {RTM_DELROUTE, RTM_F_CLONED, false},
        {RTM_NEWNEIGH, 0, false}, {NLMSG_DONE, 0, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rtmsg head = {.rtm_family = AF_INET, .rtm_flags = rows[i].flags};
        assert_int_equal(route_is_change(message_new(rows[i].type, &head, sizeof(head))),
                         rows[i].change);
    }
    assert_false(route_is_change(message_new(RTM_NEWROUTE, "", 0)));
}

/* After each change a rest is waited for, but a host that never rests is heard in the end, and more
 * and more seldom. */
static void rest_is_waited_for_but_not_for_ever(void **state)
{
    uint64_t rest_ms = 0;
    (void)state;

    assert_int_equal(watch_wait_ms(WATCH_REST_MS, 0), WATCH_REST_MS);
    assert_int_equal(watch_wait_ms(WATCH_REST_MS, WATCH_MOST_MS - 1), 1);
    assert_int_equal(watch_wait_ms(WATCH_REST_MS, WATCH_MOST_MS), 0);
    assert_int_equal(watch_wait_ms(WATCH_MOST_MS, WATCH_MOST_MS + 5), 0);
    for (uint64_t expected_ms = WATCH_REST_MS; expected_ms < WATCH_MOST_MS; expected_ms *= 2) {
        rest_ms = watch_rest_ms(rest_ms, 5);
        assert_int_equal(rest_ms, expected_ms);
    }
    rest_ms = watch_rest_ms(rest_ms, 5);
    assert_int_equal(rest_ms, WATCH_MOST_MS);
    assert_int_equal(watch_rest_ms(rest_ms, 5), WATCH_MOST_MS);
    assert_int_equal(watch_rest_ms(rest_ms, WATCH_MOST_MS), WATCH_REST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_one_destination),
        cmocka_unit_test(sources_are_read),
        cmocka_unit_test(what_leads_nowhere_is_no_route),
        cmocka_unit_test(changes_are_told_from_what_was_learnt),
        cmocka_unit_test(rest_is_waited_for_but_not_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
