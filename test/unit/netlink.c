/*
 * Netlink messages in tests (netlink.h).
 */
#include "test/unit/netlink.h"

#include <string.h>

#include "test/unit/bytes.h"

static uint8_t room[65536] __attribute__((aligned(8)));

struct xfrm_batch batch_new(void)
{
    memset(room, 0xa5, sizeof(room)); /* what is not written shows */
    return (struct xfrm_batch){.data = room, .capacity = sizeof(room), .sequence = 100};
}

const struct nlmsghdr *message_at(const struct xfrm_batch *batch, size_t number)
{
    size_t at = 0;

    for (;;) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)(batch->data + at);
        assert_true(at + sizeof(*message) <= batch->size);
        assert_true(at + message->nlmsg_len <= batch->size);
        if (number-- == 0)
            return message;
        at += (message->nlmsg_len + 3u) & ~3u;
    }
}

struct slice attribute_of(const struct nlmsghdr *message, size_t fixed, uint16_t type)
{
    size_t at = sizeof(*message) + ((fixed + 3) & ~(size_t)3);
    const uint8_t *data = (const uint8_t *)message;
    struct slice found = {0};

    while (at + sizeof(struct nlattr) <= message->nlmsg_len) {
        struct nlattr head;
        memcpy(&head, data + at, sizeof(head));
        assert_true(head.nla_len >= sizeof(head) && at + head.nla_len <= message->nlmsg_len);
        if (head.nla_type == type) {
            assert_null(found.data); /* once only */
            found = slice_of(data + at + sizeof(head), head.nla_len - sizeof(head));
        }
        at += (head.nla_len + 3u) & ~3u;
    }
    return found;
}

struct xfrm_usersa_info sa_body(const struct nlmsghdr *message)
{
    struct xfrm_usersa_info info;

    memcpy(&info, BODY(message), sizeof(info));
    return info;
}

void assert_host(const xfrm_address_t *address, uint16_t family, const char *expected)
{
    char text[INET6_ADDRSTRLEN];

    assert_non_null(inet_ntop(family, address, text, sizeof(text)));
    assert_string_equal(text, expected);
}

struct nlmsghdr *message_new(uint16_t type, const void *body, size_t size)
{
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)room;

    memset(room, 0, sizeof(room));
    message->nlmsg_type = type;
    message->nlmsg_len = (uint32_t)(sizeof(*message) + size);
    if (size > 0)
        memcpy(room + sizeof(*message), body, size);
    return message;
}

void message_put(struct nlmsghdr *message, uint16_t type, const void *body, size_t size)
{
    size_t at = (message->nlmsg_len + 3u) & ~3u;
    struct nlattr head = {.nla_type = type, .nla_len = (uint16_t)(sizeof(head) + size)};

    memcpy(room + at, &head, sizeof(head));
    memcpy(room + at + sizeof(head), body, size);
    message->nlmsg_len = (uint32_t)(at + head.nla_len);
}
