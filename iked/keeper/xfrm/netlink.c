/*
 * What all of netlink has in common: see netlink.h, netlink(7).
 */
#include "iked/keeper/xfrm/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define EXTACK_TEXT   1    /* NLMSGERR_ATTR_MSG */
#define ERRNO_MAX     4095 /* the kernel's MAX_ERRNO */
#define ANSWER_WAIT_S 5    /* far more than the kernel takes: nothing here may hang */

int netlink_open(int family, uint32_t groups, int room)
{
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = groups};
    struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    int yes = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);

    if (fd < 0)
        return -1;
    /* Extras: without them errors are only less clear and events more easily lost. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof(yes));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

uint32_t netlink_port(int fd)
{
    struct sockaddr_nl own = {0};
    socklen_t size = sizeof(own);

    return getsockname(fd, (struct sockaddr *)&own, &size) == 0 ? own.nl_pid : 0;
}

ssize_t netlink_receive(int fd, void *to, size_t size, int flags)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t from_size = sizeof(from);
        ssize_t got = recvfrom(fd, to, size, flags, (struct sockaddr *)&from, &from_size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (from_size == sizeof(from) && from.nl_pid == 0))
            return got;
    }
}

bool netlink_send(int fd, const void *data, size_t size)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return sendto(fd, data, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) >= 0;
}

const struct nlmsghdr *netlink_ask(int fd, const void *question, size_t question_size,
                                   uint32_t sequence, void *to, size_t size, int *error)
{
    const struct nlmsghdr *message = to;
    char text[1];

    ssize_t got = netlink_send(fd, question, question_size) ? 0 : -1;
    while (got >= 0) {
        got = netlink_receive(fd, to, size, 0);
        /* An answer to an earlier question may have come too late. */
        if (got < 0 || !netlink_fits(message, (int)got) || message->nlmsg_seq != sequence)
            continue;
        if (!netlink_error(message, error, text, sizeof(text)))
            return message;
        *error = *error != 0 ? *error : EIO;
        return NULL;
    }
    *error = errno == EAGAIN ? ETIMEDOUT : errno;
    return NULL;
}

uint8_t netlink_family(uint8_t family)
{
    return family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

uint8_t netlink_family_from(uint16_t family)
{
    return family == AF_INET ? FAMILY_IPV4 : family == AF_INET6 ? FAMILY_IPV6 : FAMILY_NONE;
}

bool netlink_fits(const struct nlmsghdr *message, int left)
{
    return mnl_nlmsg_ok(message, left) && message->nlmsg_len <= (uint32_t)left;
}

bool netlink_take(const struct nlmsghdr *message, uint16_t type, void *to, size_t size)
{
    if (message->nlmsg_type != type || mnl_nlmsg_get_payload_len(message) < size)
        return false;
    memcpy(to, mnl_nlmsg_get_payload(message), size);
    return true;
}

const struct nlattr *netlink_attribute(const struct nlmsghdr *message, size_t fixed, uint16_t type)
{
    const char *end = mnl_nlmsg_get_payload_tail(message);
    const struct nlattr *attribute;

    if (fixed > mnl_nlmsg_get_payload_len(message))
        return NULL;
    attribute = mnl_nlmsg_get_payload_offset(message, fixed);
    for (; mnl_attr_ok(attribute, (int)(end - (const char *)attribute));
         attribute = mnl_attr_next(attribute))
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
    return NULL;
}

bool netlink_error(const struct nlmsghdr *message, int *error, char *text, size_t size)
{
    struct nlmsgerr head;
    size_t fixed = sizeof(head);

    text[0] = '\0';
    if (!netlink_take(message, NLMSG_ERROR, &head, sizeof(head)))
        return false;
    *error = head.error <= 0 && head.error >= -ERRNO_MAX ? -head.error : EIO;
    if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0)
        return true;
    /* Unless it is capped, the message that failed comes back whole in front of the attributes. */
    if ((message->nlmsg_flags & NLM_F_CAPPED) == 0 && head.msg.nlmsg_len >= sizeof(head.msg))
        fixed += NLMSG_ALIGN(head.msg.nlmsg_len - sizeof(head.msg));
    const struct nlattr *said = netlink_attribute(message, fixed, EXTACK_TEXT);
    if (said != NULL)
        snprintf(text, size, "%.*s", (int)mnl_attr_get_payload_len(said),
                 (const char *)mnl_attr_get_payload(said));
    return true;
}
