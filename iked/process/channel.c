/*
 * The socket between keeper and negotiator: see channel.h.
 */
#include "iked/process/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

struct datagram_out {
    STAILQ_ENTRY(datagram_out) entry;
    size_t size;
    uint8_t data[];
};

STAILQ_HEAD(datagram_queue, datagram_out);

struct channel {
    int fd;
    struct channel_hooks hooks;
    struct event *readable;
    struct event *writable;
    struct datagram_queue queue;
    size_t backlog;
    bool closed;
    bool mute; /* the other end is gone, and what it said is yet to be read */
    struct writer packing;
    uint8_t out[IPC_DATAGRAM_MAX];
    uint8_t in[IPC_DATAGRAM_MAX];
};

/* Room for the descriptors of HELLO, aligned as control messages must be. */
union fd_room {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int) * IPC_SOCKETS_MAX)];
};

static void close_once(struct channel *channel, const char *why)
{
    if (channel->closed)
        return;
    channel->closed = true;
    event_del(channel->readable);
    event_del(channel->writable);
    channel->hooks.closed(channel->hooks.context, why);
}

/* Moves the descriptors out of a control message; returns how many. */
static size_t take_fds(struct msghdr *header, int fds[IPC_SOCKETS_MAX])
{
    struct cmsghdr *control = CMSG_FIRSTHDR(header);

    if (control == NULL || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (count > IPC_SOCKETS_MAX)
        count = IPC_SOCKETS_MAX;
    memcpy(fds, CMSG_DATA(control), count * sizeof(int));
    return count;
}

/* Reads one datagram; false when there is none, or the channel closed. */
static bool receive_one(struct channel *channel)
{
    union fd_room room;
    struct iovec part = {.iov_base = channel->in, .iov_len = sizeof(channel->in)};
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &room,
        .msg_controllen = sizeof(room),
    };
    int fds[IPC_SOCKETS_MAX];
    ssize_t size = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* Said once, when the other end went without reading all: what it wrote before comes now. */
    if (size < 0 && errno == ECONNRESET)
        return true;
    if (size <= 0) {
        close_once(channel, size == 0 ? NULL : strerror(errno));
        return false;
    }
    size_t fd_count = take_fds(&header, fds);
    bool good = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
                channel->hooks.received(channel->hooks.context, slice_of(channel->in, (size_t)size),
                                        fds, fd_count);
    secret_wipe(channel->in, (size_t)size);
    if (!good)
        close_once(channel, "it sent what nobody can read");
    return good;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct channel *channel = context;

    (void)fd;
    (void)what;
    for (int i = 0; i < CHANNEL_DRAIN_MAX && receive_one(channel); i++)
        continue;
}

void channel_drain(struct channel *channel)
{
    while (!channel->closed && receive_one(channel))
        continue;
}

/* 1 when it left, 0 when the socket takes nothing now, -1 when the other end is gone. */
static int send_now(struct channel *channel, const uint8_t *data, size_t size)
{
    ssize_t sent = send(channel->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent >= 0)
        return 1;
    return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -1;
}

static void drop_first(struct channel *channel)
{
    struct datagram_out *first = STAILQ_FIRST(&channel->queue);

    STAILQ_REMOVE_HEAD(&channel->queue, entry);
    channel->backlog -= first->size;
    secret_wipe(first->data, first->size);
    free(first);
}

/* Is there something to be read, be it from one that is gone? */
static bool has_words(const struct channel *channel)
{
    char octet;
    ssize_t size = recv(channel->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

    if (size < 0 && errno == ECONNRESET) /* said once, before the words */
        size = recv(channel->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
    return size > 0;
}

/* When the other end is gone its last words are still to be read: the end of them closes. */
static void send_failed(struct channel *channel)
{
    bool gone = errno == EPIPE || errno == ECONNRESET;

    if (!gone || !has_words(channel)) {
        close_once(channel, gone ? NULL : strerror(errno));
        return;
    }
    channel->mute = true;
    while (!STAILQ_EMPTY(&channel->queue))
        drop_first(channel);
    event_del(channel->writable);
}

static void send_queue(struct channel *channel)
{
    struct datagram_out *first;

    while (!channel->closed && (first = STAILQ_FIRST(&channel->queue)) != NULL) {
        int sent = send_now(channel, first->data, first->size);
        if (sent == 0)
            return;
        if (sent < 0) {
            send_failed(channel);
            return;
        }
        drop_first(channel);
    }
    if (!channel->closed)
        event_del(channel->writable);
}

static void on_writable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    send_queue(context);
}

static void enqueue(struct channel *channel, const uint8_t *data, size_t size)
{
    struct datagram_out *waiting = NULL;

    if (channel->backlog + size <= CHANNEL_QUEUE_MAX)
        waiting = malloc(sizeof(*waiting) + size);
    if (waiting == NULL) {
        close_once(channel, "it reads too slowly");
        return;
    }
    waiting->size = size;
    memcpy(waiting->data, data, size);
    STAILQ_INSERT_TAIL(&channel->queue, waiting, entry);
    channel->backlog += size;
    event_add(channel->writable, NULL);
}

void channel_flush(struct channel *channel)
{
    size_t size = channel->packing.size;

    if (size == 0)
        return;
    if (!channel->closed && !channel->mute) {
        int sent = STAILQ_EMPTY(&channel->queue) ? send_now(channel, channel->out, size) : 0;
        if (sent < 0)
            send_failed(channel);
        else if (sent == 0)
            enqueue(channel, channel->out, size);
    }
    secret_wipe(channel->out, size);
    channel->packing = writer_of(channel->out, sizeof(channel->out));
}

bool channel_flush_with(struct channel *channel, const int *fds, size_t fd_count)
{
    union fd_room room = {0};
    struct iovec part = {.iov_base = channel->out, .iov_len = channel->packing.size};
    struct msghdr header = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &room,
        .msg_controllen = CMSG_SPACE(sizeof(int) * fd_count),
    };

    if (fd_count == 0 || fd_count > IPC_SOCKETS_MAX || !STAILQ_EMPTY(&channel->queue))
        return false;
    room.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SCM_RIGHTS,
        .cmsg_len = CMSG_LEN(sizeof(int) * fd_count),
    };
    memcpy(CMSG_DATA(&room.header), fds, sizeof(int) * fd_count);
    bool sent = sendmsg(channel->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    channel->packing = writer_of(channel->out, sizeof(channel->out));
    return sent;
}

bool channel_put(struct channel *channel, struct ipc_message *message)
{
    if (ipc_encode(&channel->packing, message))
        return true;
    channel_flush(channel);
    return ipc_encode(&channel->packing, message);
}

size_t channel_backlog(const struct channel *channel)
{
    return channel->backlog;
}

void channel_linger(struct channel *channel, int timeout_ms)
{
    channel_flush(channel);
    while (!channel->closed && !STAILQ_EMPTY(&channel->queue)) {
        struct pollfd waiting = {.fd = channel->fd, .events = POLLOUT};
        if (poll(&waiting, 1, timeout_ms) <= 0)
            return;
        send_queue(channel);
    }
}

bool channel_pair(int fds[2])
{
    int room = CHANNEL_SNDBUF;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return false;
    /* Failing that, the default holds three of the largest datagrams. */
    for (int i = 0; i < 2; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    return true;
}

struct channel *channel_new(struct event_base *base, int fd, const struct channel_hooks *hooks)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    if (channel == NULL) {
        close(fd);
        return NULL;
    }
    channel->fd = fd;
    channel->hooks = *hooks;
    STAILQ_INIT(&channel->queue);
    channel->packing = writer_of(channel->out, sizeof(channel->out));
    channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, channel);
    if (channel->readable == NULL || channel->writable == NULL ||
        event_add(channel->readable, NULL) != 0) {
        channel_free(channel);
        return NULL;
    }
    return channel;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    while (!STAILQ_EMPTY(&channel->queue))
        drop_first(channel);
    if (channel->readable != NULL)
        event_free(channel->readable);
    if (channel->writable != NULL)
        event_free(channel->writable);
    secret_wipe(channel->out, channel->packing.size);
    close(channel->fd);
    free(channel);
}
