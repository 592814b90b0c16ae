/*
 * Packets that come before the keys of their SA: see early.h.
 *
 * Raw sockets get a copy of a packet before ESP's own handler does (raw(7); net/ipv4/ip_input.c,
 * ip_protocol_deliver_rcu).  All are opened at the start, as opening takes a capability that the
 * keeper then drops.  One that waits for nothing is bound where nothing comes to, so that it costs
 * no packet a copy; one that waits is bound to our address, and its filter to the SPI.
 *
 * What was kept comes in again by a network device of our own.  Sent to our own address it would
 * come by the loopback device, where no policy looks at what the SA has brought (its disable_policy
 * is set; RFC 4301 section 5.2, step 4) and few hosts filter anything: for that moment a peer could
 * send what its selectors and the host's filter forbid.  A host with rp_filter = 1 drops what comes
 * by a device that does not lead to its source, and so loses such packets as before.
 */
#include "iked/keeper/xfrm/early.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/xfrm/socket_policy.h"
#include "iked/process/log.h"
#include "iked/process/sockaddr.h"

#define WATCHES_MAX 4    /* of a kind; each packet of its protocol is held against them */
#define PACKETS_MAX 1024 /* of a watch; its socket's buffer is full before */
#define PACKET_MAX  65535
#define UDP_HEADER  8
#define HOP_LIMIT   64
#define DEVICE_NAME "iked%d" /* the kernel finds the number */

static const struct {
    uint8_t family;
    uint8_t protocol;
    bool encap;
} kinds[] = {
    {FAMILY_IPV4, IPPROTO_ESP, false},
    {FAMILY_IPV4, IPPROTO_UDP, true},
    {FAMILY_IPV6, IPPROTO_ESP, false},
    {FAMILY_IPV6, IPPROTO_UDP, true},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct watch {
    int fd;
    struct early_flow flow; /* spi 0: it waits for nothing */
};

struct early {
    struct watch watches[KINDS][WATCHES_MAX];
    size_t next[KINDS]; /* to be taken */
    int device;
    uint8_t packet[sizeof(struct ip6_hdr) + PACKET_MAX]; /* with room for a header before it */
};

/* --- Sockets --- */

static int open_raw(uint8_t family, int protocol)
{
    int fd = socket(family == FAMILY_IPV6 ? AF_INET6 : AF_INET,
                    SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd >= 0 && socket_policy_pass(fd, family))
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static bool set_filter(int fd, struct sock_filter *code, size_t count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static bool drop_all(int fd)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};

    return set_filter(fd, code, 1);
}

/* An IPv4 packet stands in a raw socket with its header, an IPv6 packet without (ipv6(7)). */
static bool take_only(int fd, const struct early_flow *flow)
{
    bool v4 = flow->destination.family == FAMILY_IPV4;
    struct sock_filter code[] = {
        v4 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
           : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2), /* UDP: the destination port */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flow->destination.port, 0, flow->encap ? 3 : 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, flow->encap ? UDP_HEADER : 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flow->spi, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };

    return set_filter(fd, code, sizeof(code) / sizeof(code[0]));
}

static bool bind_to(int fd, const struct address *to)
{
    struct address host = *to;
    union sockaddr_any address;

    host.port = 0;
    socklen_t size = sockaddr_write(&host, &address);
    return bind(fd, &address.any, size) == 0;
}

/* To wait for nothing, from the start or again.  The first multicast address of either family is
 * reserved (RFC 5771 section 4, RFC 4291 section 2.7.1). */
static bool rest(struct watch *watch, uint8_t family)
{
    const struct address nowhere = {
        .family = family,
        .bytes = {family == FAMILY_IPV4 ? 224 : 0xff},
    };

    watch->flow = (struct early_flow){0};
    bool rests = drop_all(watch->fd) && bind_to(watch->fd, &nowhere);
    for (unsigned i = 0; i < PACKETS_MAX && recv(watch->fd, NULL, 0, MSG_TRUNC) >= 0; i++)
        continue;
    return rests;
}

static bool wait_for(struct watch *watch, const struct early_flow *flow)
{
    watch->flow = *flow;
    return bind_to(watch->fd, &flow->destination) && take_only(watch->fd, flow);
}

/* --- Giving --- */

/* The header that an IPv6 packet stands without. */
static void write_header(uint8_t *to, const struct address *source,
                         const struct address *destination, uint8_t protocol, size_t size)
{
    struct ip6_hdr header = {0};

    header.ip6_vfc = 6 << 4;
    header.ip6_plen = htons((uint16_t)size);
    header.ip6_nxt = protocol;
    header.ip6_hlim = HOP_LIMIT;
    memcpy(&header.ip6_src, source->bytes, sizeof(header.ip6_src));
    memcpy(&header.ip6_dst, destination->bytes, sizeof(header.ip6_dst));
    memcpy(to, &header, sizeof(header));
}

static bool give_one(struct early *early, const struct address *source,
                     const struct address *destination, uint8_t protocol, size_t size)
{
    uint8_t *packet = early->packet + sizeof(struct ip6_hdr);

    if (destination->family == FAMILY_IPV6) {
        packet = early->packet;
        write_header(packet, source, destination, protocol, size);
        size += sizeof(struct ip6_hdr);
    }
    return write(early->device, packet, size) == (ssize_t)size;
}

static void give(struct early *early, const struct watch *watch, uint8_t protocol)
{
    unsigned given = 0;

    /* What comes from now on has its SA; and what is given must not come back here. */
    if (!drop_all(watch->fd))
        return;
    for (unsigned i = 0; i < PACKETS_MAX; i++) {
        union sockaddr_any from;
        socklen_t from_size = sizeof(from);
        struct address source;
        ssize_t size = recvfrom(watch->fd, early->packet + sizeof(struct ip6_hdr), PACKET_MAX, 0,
                                &from.any, &from_size);
        if (size < 0)
            break;
        given += sockaddr_read(&from.any, &source) &&
                 give_one(early, &source, &watch->flow.destination, protocol, (size_t)size);
    }
    if (given > 0)
        log_line(SEVERITY_DEBUG, "SPI %08x: %u packets that came before its keys are taken in",
                 watch->flow.spi, given);
}

/* --- Watches --- */

static struct watch *find(struct early *early, const struct address *destination, uint32_t spi,
                          size_t *kind)
{
    for (*kind = 0; early != NULL && spi != 0 && *kind < KINDS; ++*kind)
        for (size_t i = 0; i < WATCHES_MAX; i++) {
            struct watch *watch = &early->watches[*kind][i];
            if (watch->flow.spi == spi && address_same_host(&watch->flow.destination, destination))
                return watch;
        }
    return NULL;
}

void early_watch(struct early *early, const struct early_flow *flow)
{
    for (size_t i = 0; early != NULL && i < KINDS; i++) {
        if (kinds[i].family != flow->destination.family || kinds[i].encap != flow->encap)
            continue;
        struct watch *watch = &early->watches[i][early->next[i]++ % WATCHES_MAX];
        if (watch->fd >= 0 && !(rest(watch, kinds[i].family) && wait_for(watch, flow)))
            (void)rest(watch, kinds[i].family);
    }
}

void early_give(struct early *early, const struct address *destination, uint32_t spi)
{
    size_t kind;
    struct watch *watch = find(early, destination, spi, &kind);

    if (watch == NULL)
        return;
    give(early, watch, kinds[kind].protocol);
    (void)rest(watch, kinds[kind].family);
}

void early_forget(struct early *early, const struct address *destination, uint32_t spi)
{
    size_t kind;
    struct watch *watch = find(early, destination, spi, &kind);

    if (watch != NULL)
        (void)rest(watch, kinds[kind].family);
}

/* --- Life --- */

/* False with errno: without raw sockets of a family nothing of it is kept. */
static bool open_watches(struct early *early, size_t kind)
{
    for (size_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &early->watches[kind][i];
        watch->fd = open_raw(kinds[kind].family, kinds[kind].protocol);
        if (watch->fd < 0 || !rest(watch, kinds[kind].family))
            return false;
    }
    return true;
}

/* An address of the link would be one more that the host can be told by.  Without IPv6 there is no
 * such file, and no such address. */
static void refuse_link_address(const char *device)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", device);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1\n", 2) != 2)
        log_line(SEVERITY_WARNING, "%s: %s", path, strerror(errno));
    close(fd);
}

/* Nothing is routed to the device, and nobody reads what the kernel says there by itself. */
static int open_device(int any_socket)
{
    struct ifreq request = {.ifr_name = DEVICE_NAME, .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -1;
    if (ioctl(fd, TUNSETIFF, &request) == 0) {
        refuse_link_address(request.ifr_name);
        request.ifr_flags = IFF_UP | IFF_NOARP;
        if (ioctl(any_socket, SIOCSIFFLAGS, &request) == 0)
            return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool open_all(struct early *early)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!open_watches(early, i) && kinds[i].family == FAMILY_IPV4)
            return false;
    early->device = open_device(early->watches[0][0].fd);
    return early->device >= 0;
}

static void close_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

struct early *early_new(void)
{
    struct early *early = calloc(1, sizeof(*early));

    if (early == NULL)
        return NULL;
    early->device = -1;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < WATCHES_MAX; j++)
            early->watches[i][j].fd = -1;
    if (open_all(early))
        return early;
    log_line(
        SEVERITY_WARNING,
        "no raw sockets, or no /dev/net/tun: %s: what a peer sends on a new SA before its answer "
        "is here is lost",
        strerror(errno));
    early_free(early);
    return NULL;
}

void early_free(struct early *early)
{
    if (early == NULL)
        return;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < WATCHES_MAX; j++)
            close_open(early->watches[i][j].fd);
    close_open(early->device);
    free(early);
}
