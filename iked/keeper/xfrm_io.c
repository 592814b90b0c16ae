/*
 * The kernel through XFRM's netlink: sockets, batches, acknowledgements, dumps, notices.
 *
 * Requests are synchronous: the kernel carries a batch out within the send, so its answers wait
 * when that returns.  A second socket listens to acquires, expiries and mappings.
 * Not here: the messages (xfrm_encode.h, xfrm_move.h, xfrm_decode.h).
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/early.h"
#include "iked/keeper/netlink.h"
#include "iked/keeper/xfrm_decode.h"
#include "iked/keeper/xfrm_move.h"
#include "lib/wire/ikev2.h"

#define XFRMGRP_MAPPING (1u << (XFRMNLGRP_MAPPING - 1)) /* which <linux/xfrm.h> forgot */
#define BATCH_SIZE      65536
#define BATCH_JOBS_MAX  128 /* their answers fit the receive buffer */
#define RECEIVE_SIZE    65536
#define REQUEST_RCVBUF  (4 << 20)
#define NOTICE_RCVBUF   (8 << 20)
#define NOTICES_MAX     256 /* datagrams per wakeup */

struct xfrm {
    struct kernel kernel;
    struct early *early;
    int request_fd;
    int notice_fd;
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
    return (struct xfrm_batch){
        .data = xfrm->out, .capacity = sizeof(xfrm->out), .sequence = xfrm->sequence};
}

/* --- Jobs --- */

/* The part of a run that goes with one send. */
struct flight {
    struct kernel_job *jobs;
    size_t count;
    uint32_t last[BATCH_JOBS_MAX]; /* of each job, the sequence of its last message */
    uint32_t first;                /* sequence of the batch's first message */
    size_t waiting;                /* messages without an acknowledgement */
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
        flight->waiting--;
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

static void fly(struct xfrm *xfrm, struct flight *flight, const struct xfrm_batch *batch)
{
    flight->first = xfrm->sequence + 1;
    flight->waiting = batch->count;
    xfrm->sequence = batch->sequence;
    if (batch->count > 0 && !send_batch(xfrm, batch)) {
        give_up(flight, errno);
        return;
    }
    while (flight->waiting > 0) {
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

    if (allocate->early && allocate->protocol == V2_PROTOCOL_ESP)
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

/* Calls `each` for every message of a table; false when the answer broke off. */
static bool dump(struct xfrm *xfrm, enum xfrm_table table,
                 void (*each)(void *context, const struct nlmsghdr *message), void *context)
{
    struct xfrm_batch batch = batch_of(xfrm);

    xfrm_encode_dump(&batch, table);
    xfrm->sequence = batch.sequence;
    if (!send_batch(xfrm, &batch))
        return false;
    for (;;) {
        ssize_t size = netlink_receive(xfrm->request_fd, xfrm->in, sizeof(xfrm->in), 0);
        if (size < 0)
            return false;
        int left = (int)size;
        const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)xfrm->in;
        for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_seq != xfrm->sequence)
                continue;
            if (message->nlmsg_type == NLMSG_DONE)
                return true;
            if (message->nlmsg_type == NLMSG_ERROR)
                return false;
            each(context, message);
        }
    }
}

struct sa_visit {
    void (*found)(void *context, const struct kernel_sa *sa);
    void *context;
};

static void visit_sa(void *context, const struct nlmsghdr *message)
{
    const struct sa_visit *visit = context;
    struct kernel_sa sa;

    if (xfrm_decode_sa(message, &sa) && reqid_is_ours(sa.reqid))
        visit->found(visit->context, &sa);
}

static bool xfrm_dump_sas(struct kernel *kernel,
                          void (*found)(void *context, const struct kernel_sa *sa), void *context)
{
    struct sa_visit visit = {.found = found, .context = context};

    return dump(xfrm_of(kernel), XFRM_TABLE_SAS, visit_sa, &visit);
}

struct piece_visit {
    void (*found)(void *context, const struct kernel_piece *piece);
    void *context;
};

static void visit_piece(void *context, const struct nlmsghdr *message)
{
    const struct piece_visit *visit = context;
    struct kernel_piece piece;

    if (xfrm_decode_policy(message, &piece) && reqid_is_ours(piece.reqid))
        visit->found(visit->context, &piece);
}

static bool xfrm_dump_pieces(struct kernel *kernel,
                             void (*found)(void *context, const struct kernel_piece *piece),
                             void *context)
{
    struct piece_visit visit = {.found = found, .context = context};

    return dump(xfrm_of(kernel), XFRM_TABLE_POLICIES, visit_piece, &visit);
}

/* --- Notices --- */

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
            if (xfrm_decode_notice(message, &heard))
                notice(context, &heard);
        }
    }
}

/* --- Life --- */

static void xfrm_free(struct kernel *kernel)
{
    struct xfrm *xfrm = xfrm_of(kernel);

    early_free(xfrm->early);
    if (xfrm->request_fd >= 0)
        close(xfrm->request_fd);
    if (xfrm->notice_fd >= 0)
        close(xfrm->notice_fd);
    free(xfrm);
}

static const struct kernel_ops xfrm_ops = {
    .run = xfrm_run,
    .dump_sas = xfrm_dump_sas,
    .dump_pieces = xfrm_dump_pieces,
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
    xfrm->notice_fd = netlink_open(NETLINK_XFRM, XFRMGRP_ACQUIRE | XFRMGRP_EXPIRE | XFRMGRP_MAPPING,
                                   NOTICE_RCVBUF);
    if (xfrm->request_fd >= 0 && xfrm->notice_fd >= 0)
        return &xfrm->kernel;
    reason_set(reason, STATUS_FAIL, 0,
               "cannot open the kernel's XFRM (%s): it needs CAP_NET_ADMIN and the module "
               "xfrm_user; --kernel=none goes without, and protects nothing",
               strerror(errno));
    xfrm_free(&xfrm->kernel);
    return NULL;
}
