/*
 * A look at netlink messages with nothing but the kernel's own structs and a walk over attributes,
 * independent of what iked decodes with.
 */
#ifndef TEST_UNIT_NETLINK_H
#define TEST_UNIT_NETLINK_H

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <string.h>

#include "iked/keeper/xfrm_encode.h"
#include "test/unit/bytes.h"

static inline const struct nlmsghdr *message_at(const struct xfrm_batch *batch, size_t number)
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

static inline struct slice attribute_of(const struct nlmsghdr *message, size_t fixed, uint16_t type)
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

#define BODY(message) ((const void *)((const uint8_t *)(message) + sizeof(struct nlmsghdr)))

static inline struct xfrm_usersa_info sa_body(const struct nlmsghdr *message)
{
    struct xfrm_usersa_info info;

    memcpy(&info, BODY(message), sizeof(info));
    return info;
}

static inline void assert_host(const xfrm_address_t *address, uint16_t family, const char *expected)
{
    char text[INET6_ADDRSTRLEN];

    assert_non_null(inet_ntop(family, address, text, sizeof(text)));
    assert_string_equal(text, expected);
}

#endif
