/*
 * IKE's UDP sockets: see udp.h, ip(7) and RFC 3542 section 6 for the control messages, RFC 3948
 * section 2 for what stands on port 4500.
 */
#include "iked/negotiator/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "iked/process/clock.h"
#include "iked/process/log.h"
#include "iked/process/sockaddr.h"

#define COMPLAINT_MS 1000
#define WHY_MAX      256
#define SEND_PROBE   0x10  /* the kernel's MSG_PROBE: finds the route and sends nothing */
#define BATCH        16    /* datagrams that one system call brings */
#define DATAGRAM_MAX 65536 /* pages that no datagram reaches are never touched */

struct udp_socket {
    struct udp *udp;
    int fd;
    struct ipc_socket description;
    struct event *readable;
};

union pktinfo_room {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

/* One datagram as recvmmsg fills it in. */
struct arrival {
    union sockaddr_any from;
    _Alignas(union pktinfo_room) uint8_t room[sizeof(union pktinfo_room)];
    struct iovec part;
    uint8_t data[DATAGRAM_MAX];
};

struct udp {
    struct event_base *base;
    struct udp_hooks hooks;
    struct udp_socket sockets[IPC_SOCKETS_MAX];
    size_t count;
    uint64_t complained_ms;
    char why[WHY_MAX]; /* what was sent last is lost */
    struct udp_counts counts;
    struct arrival arrivals[BATCH];
    struct mmsghdr headers[BATCH];
};

/* --- In --- */

/* Where a datagram was sent to. */
static bool local_from(struct msghdr *header, const struct ipc_socket *description,
                       struct address *local)
{
    *local = (struct address){.port = description->port};
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
         control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof(info));
            local->family = FAMILY_IPV4;
            memcpy(local->bytes, &info.ipi_addr, 4);
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof(info));
            local->family = FAMILY_IPV6;
            memcpy(local->bytes, &info.ipi6_addr, 16);
        }
    }
    return local->family != FAMILY_NONE;
}

/* Takes the marker away.  Without one it is ESP, which the kernel takes out where it can, or a
 * keepalive. */
static bool take_marker(struct udp *udp, struct datagram *datagram)
{
    static const uint8_t marker[IPC_MARKER_SIZE];

    if (datagram->local.port != IPC_PORT_NAT)
        return true;
    if (datagram->size < IPC_MARKER_SIZE || memcmp(datagram->data, marker, IPC_MARKER_SIZE) != 0) {
        udp->counts.unmarked++;
        return false;
    }
    datagram->data += IPC_MARKER_SIZE;
    datagram->size -= IPC_MARKER_SIZE;
    return true;
}

static void take_arrival(struct udp_socket *socket, struct mmsghdr *header, struct arrival *arrival)
{
    struct udp *udp = socket->udp;
    struct datagram datagram = {.data = arrival->data, .size = header->msg_len};

    if ((header->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
        sockaddr_read(&arrival->from.any, &datagram.remote) &&
        local_from(&header->msg_hdr, &socket->description, &datagram.local) &&
        take_marker(udp, &datagram))
        udp->hooks.packet(udp->hooks.context, &datagram);
}

/* Everything that waits, up to a batch; false when there is nothing more to read. */
static bool receive_batch(struct udp_socket *socket)
{
    struct udp *udp = socket->udp;

    for (size_t i = 0; i < BATCH; i++) {
        struct arrival *arrival = &udp->arrivals[i];
        arrival->part = (struct iovec){.iov_base = arrival->data, .iov_len = DATAGRAM_MAX};
        udp->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &arrival->from,
            .msg_namelen = sizeof(arrival->from),
            .msg_iov = &arrival->part,
            .msg_iovlen = 1,
            .msg_control = arrival->room,
            .msg_controllen = sizeof(arrival->room),
        };
    }
    int count = recvmmsg(socket->fd, udp->headers, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0)
        return errno == EINTR;
    for (int i = 0; i < count; i++)
        take_arrival(socket, &udp->headers[i], &udp->arrivals[i]);
    return count == BATCH;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct udp_socket *socket = context;

    (void)fd;
    (void)what;
    for (int i = 0; i < UDP_DRAIN_MAX / BATCH && receive_batch(socket); i++)
        continue;
    socket->udp->hooks.drained(socket->udp->hooks.context);
}

/* --- Out --- */

static const struct udp_socket *socket_for(const struct udp *udp, const struct address *local)
{
    for (size_t i = 0; i < udp->count; i++)
        if (udp->sockets[i].description.family == local->family &&
            udp->sockets[i].description.port == local->port)
            return &udp->sockets[i];
    return NULL;
}

/* The source address, as the control message of a send; returns its size. */
static size_t source_to(const struct address *local, union pktinfo_room *room)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    bool is_v4 = local->family == FAMILY_IPV4;
    size_t size = is_v4 ? sizeof(v4) : sizeof(v6);

    memcpy(&v4.ipi_spec_dst, local->bytes, 4);
    memcpy(&v6.ipi6_addr, local->bytes, 16);
    *room = (union pktinfo_room){0};
    room->header = (struct cmsghdr){
        .cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
        .cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO,
        .cmsg_len = CMSG_LEN(size),
    };
    memcpy(CMSG_DATA(&room->header), is_v4 ? (const void *)&v4 : (const void *)&v6, size);
    return CMSG_SPACE(size);
}

/* To the kernel an address that the host does not have is no route with IPv4, so another look is
 * taken without it. */
static bool source_is_missing(int fd, const struct msghdr *header, int error)
{
    struct msghdr any = *header;

    if (error != ENETUNREACH)
        return error == EADDRNOTAVAIL || error == EINVAL;
    any.msg_control = NULL;
    any.msg_controllen = 0;
    return sendmsg(fd, &any, SEND_PROBE | MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static const char *complain(struct udp *udp, const struct effect_send *send, const char *why)
{
    uint64_t now_ms = clock_now_ms();
    char local[ADDRESS_TEXT_MAX];
    char remote[ADDRESS_TEXT_MAX];

    udp->counts.lost++;
    snprintf(udp->why, sizeof(udp->why), "cannot send from %s to %s: %s",
             address_text(&send->local, local), address_text(&send->remote, remote), why);
    if (udp->complained_ms != 0 && now_ms - udp->complained_ms < COMPLAINT_MS)
        return udp->why;
    udp->complained_ms = now_ms;
    log_line(SEVERITY_WARNING, "%s (%llu lost so far)", udp->why,
             (unsigned long long)udp->counts.lost);
    return udp->why;
}

/* What goes out for `send`, in at most two parts; returns how many. */
static size_t parts_of(const struct effect_send *send, struct iovec parts[2])
{
    static uint8_t marker[IPC_MARKER_SIZE];
    static uint8_t keepalive = 0xff;
    size_t count = 0;

    if (send->keepalive) {
        parts[0] = (struct iovec){.iov_base = &keepalive, .iov_len = sizeof(keepalive)};
        return 1;
    }
    if (send->local.port == IPC_PORT_NAT)
        parts[count++] = (struct iovec){.iov_base = marker, .iov_len = sizeof(marker)};
    parts[count++] = (struct iovec){.iov_base = send->data.data, .iov_len = send->data.size};
    return count;
}

const char *udp_send(struct udp *udp, const struct effect_send *send)
{
    const struct udp_socket *socket = socket_for(udp, &send->local);
    union sockaddr_any to;
    union pktinfo_room room;
    struct iovec parts[2];
    struct msghdr header = {.msg_name = &to, .msg_iov = parts};

    if (socket == NULL || send->remote.family != send->local.family)
        return complain(udp, send, "no socket for it");
    header.msg_iovlen = parts_of(send, parts);
    header.msg_namelen = sockaddr_write(&send->remote, &to);
    header.msg_control = &room;
    header.msg_controllen = source_to(&send->local, &room);
    if (sendmsg(socket->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return NULL;
    int error = errno;
    return complain(udp, send,
                    source_is_missing(socket->fd, &header, error)
                        ? "no interface has the local address"
                        : strerror(error));
}

/* --- Life --- */

struct udp *udp_new(struct event_base *base, const struct udp_hooks *hooks)
{
    struct udp *udp = calloc(1, sizeof(*udp));

    if (udp == NULL)
        return NULL;
    udp->base = base;
    udp->hooks = *hooks;
    return udp;
}

bool udp_add(struct udp *udp, int fd, const struct ipc_socket *description)
{
    struct udp_socket *socket = &udp->sockets[udp->count];

    if (udp->count == IPC_SOCKETS_MAX) {
        close(fd);
        return false;
    }
    *socket = (struct udp_socket){.udp = udp, .fd = fd, .description = *description};
    udp->count++;
    socket->readable = event_new(udp->base, fd, EV_READ | EV_PERSIST, on_readable, socket);
    return socket->readable != NULL && event_add(socket->readable, NULL) == 0;
}

const struct udp_counts *udp_counts(const struct udp *udp)
{
    return &udp->counts;
}

void udp_pause(struct udp *udp, bool pause)
{
    for (size_t i = 0; i < udp->count; i++) {
        if (pause)
            event_del(udp->sockets[i].readable);
        else
            event_add(udp->sockets[i].readable, NULL);
    }
}

void udp_free(struct udp *udp)
{
    if (udp == NULL)
        return;
    for (size_t i = 0; i < udp->count; i++) {
        if (udp->sockets[i].readable != NULL)
            event_free(udp->sockets[i].readable);
        close(udp->sockets[i].fd);
    }
    free(udp);
}
