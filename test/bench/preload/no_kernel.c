/*
 * A kernel that accepts everything and installs nothing, for daemons that have no such setting.
 *
 * Preloaded into a daemon (LD_PRELOAD), it answers what is written to NETLINK_XFRM sockets at once
 * and without a thread of its own: an allocated SPI or an acknowledgement.  So another daemon can
 * be measured beside `iked --kernel=none` on machines without ESP.  It never sends events.
 * Not here: IP_XFRM_POLICY of sockets, which the real kernel still gets.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define DESCRIPTORS_MAX 1024

static int (*next_socket)(int, int, int);
static int (*next_bind)(int, const struct sockaddr *, socklen_t);
static ssize_t (*next_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

static int other_end[DESCRIPTORS_MAX]; /* of the socket pair that stands for a socket; 0: none */
static atomic_uint next_spi = 0xc0000000;

__attribute__((constructor)) static void find_next(void)
{
    next_socket = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    next_bind = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
    next_sendto = (ssize_t(*)(int, const void *, size_t, int, const struct sockaddr *,
                              socklen_t))dlsym(RTLD_NEXT, "sendto");
}

int socket(int domain, int type, int protocol)
{
    int pair[2];

    if (domain != AF_NETLINK || protocol != NETLINK_XFRM)
        return next_socket(domain, type, protocol);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    if (pair[0] >= DESCRIPTORS_MAX) {
        errno = EMFILE;
        return -1;
    }
    other_end[pair[0]] = pair[1];
    return pair[0];
}

static int stands_for(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX ? other_end[descriptor] : 0;
}

int bind(int descriptor, const struct sockaddr *address, socklen_t size)
{
    return stands_for(descriptor) != 0 ? 0 : next_bind(descriptor, address, size);
}

static ssize_t answer_spi(int to, const struct nlmsghdr *request)
{
    const struct xfrm_userspi_info *wanted = NLMSG_DATA(request);
    struct {
        struct nlmsghdr header;
        struct xfrm_usersa_info sa;
    } answer = {
        .header = {.nlmsg_len = sizeof(answer),
                   .nlmsg_type = XFRM_MSG_NEWSA,
                   .nlmsg_seq = request->nlmsg_seq,
                   .nlmsg_pid = request->nlmsg_pid},
        .sa = wanted->info,
    };

    answer.sa.id.spi = __builtin_bswap32(atomic_fetch_add(&next_spi, 1));
    return send(to, &answer, sizeof(answer), 0);
}

/* Nothing is there to be dumped or looked up; all else is well. */
static ssize_t answer_error(int to, const struct nlmsghdr *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer = {
        .header = {.nlmsg_len = sizeof(answer),
                   .nlmsg_type = NLMSG_ERROR,
                   .nlmsg_seq = request->nlmsg_seq,
                   .nlmsg_pid = request->nlmsg_pid},
        .error = {.msg = *request},
    };

    if (request->nlmsg_type == XFRM_MSG_GETSA || request->nlmsg_type == XFRM_MSG_GETPOLICY)
        answer.error.error = -ESRCH;
    return send(to, &answer, sizeof(answer), 0);
}

ssize_t sendto(int descriptor, const void *data, size_t size, int flags,
               const struct sockaddr *address, socklen_t address_size)
{
    int to = stands_for(descriptor);
    const struct nlmsghdr *request = data;

    if (to == 0)
        return next_sendto(descriptor, data, size, flags, address, address_size);
    ssize_t sent = request->nlmsg_type == XFRM_MSG_ALLOCSPI ? answer_spi(to, request)
                                                            : answer_error(to, request);
    return sent < 0 ? sent : (ssize_t)size;
}
