/*
 * The kernel through XFRM's netlink: sockets, batches, acknowledgements, dumps, notices.
 *
 * Requests are synchronous: the kernel carries a batch out within the send, so its answers wait
 * when that returns.  A second socket listens to what the kernel says by itself and what others do
 * to its tables; a third one looks through the tables step by step.
 * Not here: the messages (xfrm_encode.h, xfrm_move.h, xfrm_decode.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/xfrm/early.h"
#include "iked/keeper/xfrm/netlink.h"
#include "iked/keeper/xfrm/xfrm_decode.h"
#include "iked/keeper/xfrm/xfrm_move.h"
#include "lib/crypto/suite.h"

#define XFRMGRP_MAPPING (1u << (XFRMNLGRP_MAPPING - 1)) /* which <linux/xfrm.h> forgot */
#define NOTICE_GROUPS \
    (XFRMGRP_ACQUIRE | XFRMGRP_EXPIRE | XFRMGRP_MAPPING | XFRMGRP_SA | XFRMGRP_POLICY)
#define BATCH_SIZE     65536
#define BATCH_JOBS_MAX 128 /* their answers fit the receive buffer */
#define RECEIVE_SIZE   65536
#define REQUEST_RCVBUF (4 << 20)
#define NOTICE_RCVBUF  (8 << 20)
#define NOTICES_MAX    256 /* datagrams per wakeup */
#define LOOK_RCVBUF    (1 << 20)
#define LOOK_DATAGRAMS 16 /* per step: some thousand entries */

struct xfrm {
    struct kernel kernel;
    struct early *early;
    int request_fd;
    int notice_fd;
    int look_fd;   /* -1: no table is being looked through */
    uint32_t port; /* of request_fd */
    uint32_t sequence;
    uint8_t out[BATCH_SIZE] __attribute__((aligned(8)));
    uint8_t in[RECEIVE_SIZE] __attribute__((aligned(8)));
    uint8_t heard[RECEIVE_SIZE] __attribute__((aligned(8))); /* what a notice brings may be asked */
};

static struct xfrm *xfrm_of(struct kernel *kernel)
{
    return (struct xfrm *)(void *)kernel;
}

/* --- Sockets --- */

static bool send_batch(struct xfrm *xfrm, const struct xfrm_batch *batch)
{
    bool sent = netlink_send(xfrm->request_fd, batch->data, batch->size);
    int error = errno;

    secret_wipe(batch->data, batch->size);
    errno = error;
    return sent;
}

static struct xfrm_batch batch_of(struct xfrm *xfrm)
{
    return (struct xfrm_batch){.data = xfrm->out,
                               .capacity = sizeof(xfrm->out),
                               .sequence = xfrm->sequence,
                               .port = xfrm->port};
}

/* --- Jobs --- */

/* The part of a run that goes with one send. */
struct flight {
    struct kernel_job *jobs;
    size_t count;
    uint32_t last[BATCH_JOBS_MAX]; /* of each job, the sequence of its last message */
    uint32_t first;                /* sequence of the batch's first message */
    uint32_t final;                /* ... and of its last one */
    bool waiting;                  /* the last one is not acknowledged yet */
};

static struct kernel_job *job_of(struct flight *flight, uint32_t sequence)
{
    /* As distances, which sequence numbers' wrapping does not disturb. */
    for (size_t i = 0; i < flight->count; i++)
        if (sequence - flight->first < flight->last[i] + 1 - flight->first)
            return &flight->jobs[i];
    return NULL;
}

/* What is to be removed and is not there, is removed. */
static bool is_fine(const struct kernel_job *job, int error)
{
    bool removes = job->verb == KERNEL_REMOVE_SA || job->verb == KERNEL_REMOVE_PIECE ||
                   job->verb == KERNEL_REMOVE_FORWARD || job->verb == KERNEL_REMOVE_BYPASS;

    return error == 0 || (removes && (error == ESRCH || error == ENOENT));
}

static void take_answer(struct flight *flight, const struct nlmsghdr *message)
{
    struct kernel_job *job = job_of(flight, message->nlmsg_seq);
    char text[sizeof(job->text)];
    struct kernel_sa sa;
    int error;

    if (job == NULL)
        return;
    if (netlink_error(message, &error, text, sizeof(text))) {
        if (message->nlmsg_seq == flight->final)
            flight->waiting = false;
        if (job->error == 0 && !is_fine(job, error)) {
            job->error = error;
            memcpy(job->text, text, sizeof(text));
        }
    } else if (job->verb == KERNEL_ALLOCATE_SPI && xfrm_decode_sa(message, &sa)) {
        job->spi = sa.spi;
    } else if (job->verb == KERNEL_QUERY_SA && xfrm_decode_sa(message, &sa)) {
        job->packets = sa.packets;
        job->bytes = sa.bytes;
        job->used_s = sa.used_s;
    }
}

static void give_up(struct flight *flight, int error)
{
    for (size_t i = 0; i < flight->count; i++)
        if (flight->jobs[i].error == 0)
            flight->jobs[i].error = error;
}

/* The kernel goes through what is sent in order, and says by itself what failed: who asks for the
 * last one's acknowledgement has heard of the others. */
static void ask_for_last(const struct xfrm_batch *batch)
{
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)batch->data;

    for (size_t i = 1; i < batch->count; i++) {
        message->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
        message = (struct nlmsghdr *)(void *)((uint8_t *)message + NLMSG_ALIGN(message->nlmsg_len));
    }
}

static void fly(struct xfrm *xfrm, struct flight *flight, const struct xfrm_batch *batch)
{
    flight->first = xfrm->sequence + 1;
    flight->final = batch->sequence;
    flight->waiting = batch->count > 0;
    xfrm->sequence = batch->sequence;
    ask_for_last(batch);
    if (batch->count > 0 && !send_batch(xfrm, batch)) {
        give_up(flight, errno);
        return;
    }
    while (flight->waiting) {
        ssize_t size = netlink_receive(xfrm->request_fd, xfrm->in, sizeof(xfrm->in), 0);
        if (size < 0) {
            give_up(flight, errno == EAGAIN ? ETIMEDOUT : errno);
            return;
        }
        int left = (int)size;
        const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)xfrm->in;
        for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left))
            take_answer(flight, message);
        secret_wipe(xfrm->in, (size_t)size); /* SAs come with their keys */
    }
}

/* --- What comes before its SA has keys --- */

static void watch_spi(struct early *early, const struct effect_allocate_spi *allocate, uint32_t spi)
{
    struct early_flow flow = {
        .destination = allocate->destination,
        .spi = spi,
        .encap = allocate->encap,
    };

    if (allocate->early && allocate->protocol == IPSEC_ESP)
        early_watch(early, &flow);
}

static void see_to_early(struct early *early, const struct kernel_job *job)
{
    if (job->verb == KERNEL_ALLOCATE_SPI && job->error == 0)
        watch_spi(early, job->allocate_spi, job->spi);
    else if (job->verb == KERNEL_INSTALL_SA && job->error == 0 && job->install_sa->inbound)
        early_give(early, &job->install_sa->destination, job->install_sa->spi);
    else if (job->verb == KERNEL_REMOVE_SA)
        early_forget(early, &job->remove_sa.destination, job->remove_sa.spi);
}

/* --- Moves --- */

/* Reads an SA into `in`; NULL with an errno when there is none. */
static const struct nlmsghdr *read_sa(struct xfrm *xfrm, const struct effect_move_sa *move,
                                      int *error)
{
    struct xfrm_batch batch = batch_of(xfrm);

    move_encode_get(&batch, move);
    xfrm->sequence = batch.sequence;
    return netlink_ask(xfrm->request_fd, batch.data, batch.size, batch.sequence, xfrm->in,
                       sizeof(xfrm->in), error);
}

static void fail_job(struct kernel_job *job, int error, const struct reason *reason)
{
    job->error = error;
    snprintf(job->text, sizeof(job->text), "%.*s", (int)sizeof(job->text) - 1, reason->text);
}

/* What could not be moved is no use where it was: it goes, and whoever asked is told. */
static void run_move(struct xfrm *xfrm, struct kernel_job *job)
{
    struct kernel_job ends = {.verb = KERNEL_REMOVE_SA};
    struct flight flight = {.jobs = job, .count = 1};
    struct reason reason = {0};
    const struct nlmsghdr *found = read_sa(xfrm, job->move_sa, &job->error);
    struct xfrm_batch batch = batch_of(xfrm);

    if (found != NULL && !move_encode(&batch, found, job->move_sa, &reason))
        fail_job(job, EINVAL, &reason);
    secret_wipe(xfrm->in, sizeof(xfrm->in));
    flight.last[0] = batch.sequence;
    if (job->error == 0)
        fly(xfrm, &flight, &batch);
    if (job->error == 0)
        return;
    batch = batch_of(xfrm);
    flight.jobs = &ends;
    move_encode_end(&batch, job->move_sa);
    flight.last[0] = batch.sequence;
    fly(xfrm, &flight, &batch);
}

/* --- Runs --- */

static void xfrm_run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    struct xfrm *xfrm = xfrm_of(kernel);

    for (size_t at = 0; at < count;) {
        if (jobs[at].verb == KERNEL_MOVE_SA) {
            run_move(xfrm, &jobs[at++]);
            continue;
        }
        struct flight flight = {.jobs = &jobs[at]};
        struct xfrm_batch batch = batch_of(xfrm);
        while (at < count && jobs[at].verb != KERNEL_MOVE_SA && flight.count < BATCH_JOBS_MAX &&
               batch.capacity - batch.size >= XFRM_JOB_ROOM) {
            struct kernel_job *job = &jobs[at++];
            struct reason reason = {0};
            if (!xfrm_encode_job(&batch, job, &reason))
                fail_job(job, EINVAL, &reason);
            flight.last[flight.count++] = batch.sequence;
        }
        fly(xfrm, &flight, &batch);
        for (size_t i = 0; i < flight.count; i++)
            see_to_early(xfrm->early, &flight.jobs[i]);
    }
}

/* --- Dumps --- */

static void show(const struct nlmsghdr *message, const struct kernel_viewer *viewer)
{
    struct kernel_piece piece;
    struct kernel_sa sa;

    if (viewer->sa != NULL && xfrm_decode_sa(message, &sa) && reqid_is_ours(sa.reqid))
        viewer->sa(viewer->context, &sa);
    if (viewer->piece != NULL && xfrm_decode_policy(message, &piece))
        viewer->piece(viewer->context, &piece);
}

static bool ask_dump(struct xfrm *xfrm, int fd, enum kernel_table table)
{
    struct xfrm_batch batch = batch_of(xfrm);

    xfrm_encode_dump(&batch, table);
    xfrm->sequence = batch.sequence;
    return netlink_send(fd, batch.data, batch.size);
}

/* The next datagram of a dump; LOOK_MORE too when there is none for now (`flags`). */
static enum kernel_look read_dump(int fd, int flags, void *room, size_t size,
                                  const struct kernel_viewer *viewer)
{
    ssize_t got = netlink_receive(fd, room, size, flags);
    int left = (int)got;

    if (got < 0)
        return (flags & MSG_DONTWAIT) != 0 && errno == EAGAIN ? LOOK_MORE : LOOK_BROKEN;
    const struct nlmsghdr *message = room;
    for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type == NLMSG_DONE)
            return LOOK_DONE;
        if (message->nlmsg_type == NLMSG_ERROR)
            return LOOK_BROKEN;
        show(message, viewer);
    }
    return LOOK_MORE;
}

/* Each dump has a socket of its own: what is left of one that broke off is no part of the next. */
static bool xfrm_dump(struct kernel *kernel, enum kernel_table table,
                      const struct kernel_viewer *viewer)
{
    struct xfrm *xfrm = xfrm_of(kernel);
    int fd = netlink_open(NETLINK_XFRM, 0, LOOK_RCVBUF);
    enum kernel_look look = fd >= 0 && ask_dump(xfrm, fd, table) ? LOOK_MORE : LOOK_BROKEN;

    while (look == LOOK_MORE)
        look = read_dump(fd, 0, xfrm->in, sizeof(xfrm->in), viewer);
    if (fd >= 0)
        close(fd);
    return look == LOOK_DONE;
}

static void end_look(struct xfrm *xfrm)
{
    if (xfrm->look_fd >= 0)
        close(xfrm->look_fd);
    xfrm->look_fd = -1;
}

static enum kernel_look xfrm_look(struct kernel *kernel, enum kernel_table table,
                                  const struct kernel_viewer *viewer, bool begin)
{
    struct xfrm *xfrm = xfrm_of(kernel);
    enum kernel_look look = LOOK_MORE;

    if (begin) {
        end_look(xfrm);
        xfrm->look_fd = netlink_open(NETLINK_XFRM, 0, LOOK_RCVBUF);
        look = xfrm->look_fd >= 0 && ask_dump(xfrm, xfrm->look_fd, table) ? LOOK_MORE : LOOK_BROKEN;
    }
    for (int i = 0; i < LOOK_DATAGRAMS && look == LOOK_MORE; i++)
        look = read_dump(xfrm->look_fd, MSG_DONTWAIT, xfrm->in, sizeof(xfrm->in), viewer);
    if (look != LOOK_MORE)
        end_look(xfrm);
    return look;
}

/* --- Notices --- */

/* What the keeper does comes back as notices, and of each SA that is made, by whomever, there would
 * be one of half a kilobyte: neither is of interest, so the socket does not take them.  (A filter's
 * numbers are big-endian.)  Where the filter fails they are only read for nothing. */
static void take_no_echoes(int fd, uint32_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(port), 3, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(XFRM_MSG_NEWSA), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(XFRM_MSG_UPDSA), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    if (port != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int xfrm_notice_fd(const struct kernel *kernel)
{
    return ((const struct xfrm *)(const void *)kernel)->notice_fd;
}

static void xfrm_read_notices(struct kernel *kernel,
                              void (*notice)(void *context, const struct kernel_notice *notice),
                              void *context)
{
    struct xfrm *xfrm = xfrm_of(kernel);

    for (int i = 0; i < NOTICES_MAX; i++) {
        ssize_t size =
            netlink_receive(xfrm->notice_fd, xfrm->heard, sizeof(xfrm->heard), MSG_DONTWAIT);
        if (size < 0) {
            if (errno == ENOBUFS)
                notice(context, &(struct kernel_notice){.kind = NOTICE_LOST});
            return;
        }
        int left = (int)size;
        const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)xfrm->heard;
        for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left)) {
            struct kernel_notice heard;
            bool echo = xfrm->port != 0 && message->nlmsg_pid == xfrm->port;
            if (!echo && xfrm_decode_notice(message, &heard))
                notice(context, &heard);
        }
    }
}

/* --- Life --- */

static void xfrm_free(struct kernel *kernel)
{
    struct xfrm *xfrm = xfrm_of(kernel);

    early_free(xfrm->early);
    end_look(xfrm);
    if (xfrm->request_fd >= 0)
        close(xfrm->request_fd);
    if (xfrm->notice_fd >= 0)
        close(xfrm->notice_fd);
    free(xfrm);
}

static const struct kernel_ops xfrm_ops = {
    .run = xfrm_run,
    .dump = xfrm_dump,
    .look = xfrm_look,
    .notice_fd = xfrm_notice_fd,
    .read_notices = xfrm_read_notices,
    .free = xfrm_free,
};

struct kernel *kernel_xfrm_new(struct early *early, struct reason *reason)
{
    struct xfrm *xfrm = calloc(1, sizeof(*xfrm));

    if (xfrm == NULL) {
        early_free(early);
        reason_set(reason, STATUS_FAIL, 0, "out of memory");
        return NULL;
    }
    xfrm->kernel.ops = &xfrm_ops;
    xfrm->early = early;
    xfrm->request_fd = netlink_open(NETLINK_XFRM, 0, REQUEST_RCVBUF);
    xfrm->notice_fd = netlink_open(NETLINK_XFRM, NOTICE_GROUPS, NOTICE_RCVBUF);
    xfrm->look_fd = -1;
    if (xfrm->request_fd >= 0 && xfrm->notice_fd >= 0) {
        xfrm->port = netlink_port(xfrm->request_fd);
        take_no_echoes(xfrm->notice_fd, xfrm->port);
        return &xfrm->kernel;
    }
    reason_set(reason, STATUS_FAIL, 0,
               "cannot open the kernel's XFRM (%s): it needs CAP_NET_ADMIN and the module "
               "xfrm_user; --kernel=none goes without, and protects nothing",
               strerror(errno));
    xfrm_free(&xfrm->kernel);
    return NULL;
}
