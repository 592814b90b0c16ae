/*
 * The fake kernel as the keeper has it: jobs in, results in the jobs; dumps; notices.  See
 * fake_kernel.h and iked/keeper/xfrm/kernel.h.
 *
 * What a job, a dump or a notice means stands in fake_kernel.c; here is only who is asked.
 */
#include <errno.h>
#include <stdlib.h>

#include "test/common/fake_kernel.h"

static struct fake_kernel *fake_of(struct kernel *kernel)
{
    return (struct fake_kernel *)(void *)kernel;
}

static int run_job(struct fake_kernel *kernel, struct kernel_job *job)
{
    bool fails = kernel->failure != 0 && chance_hit(&kernel->chance, kernel->failure);

    switch (job->verb) {
    case KERNEL_ALLOCATE_SPI:
        return fails ? ENOMEM
                     : fake_kernel_allocate(kernel, job->allocate_spi, kernel->now_ms, &job->spi);
    case KERNEL_INSTALL_SA:
        return fails ? ENOMEM : fake_kernel_install(kernel, job->install_sa, kernel->now_ms);
    case KERNEL_QUERY_SA: return fake_kernel_query(kernel, job->query_sa, &job->packets);
    case KERNEL_MOVE_SA: return fake_kernel_move(kernel, job->move_sa);
    /* What is to be removed and is not there, is removed (xfrm_io.c). */
    case KERNEL_REMOVE_SA: (void)fake_kernel_remove(kernel, &job->remove_sa); return 0;
    case KERNEL_REMOVE_PIECE: (void)fake_kernel_remove_piece(kernel, &job->piece); return 0;
    case KERNEL_SET_PIECE: fake_kernel_set_piece(kernel, &job->piece, &job->template); return 0;
    case KERNEL_SET_BYPASS: kernel->bypass = true; return 0;
    case KERNEL_REMOVE_BYPASS: kernel->bypass = false; return 0;
    case KERNEL_REMOVE_FORWARD: return 0; /* a piece is one here, whatever the directions */
    }
    return EINVAL;
}

static void fake_run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        jobs[i].error = run_job(fake_of(kernel), &jobs[i]);
}

/* An acquire that is out is a larval SA without an SPI. */
static void show_sas(const struct fake_kernel *fake, const struct kernel_viewer *viewer)
{
    const struct fake_sa *sa;
    const struct fake_policy *policy;

    TAILQ_FOREACH (sa, &fake->sas, entry) {
        struct kernel_sa told = fake_sa_told(sa);
        viewer->sa(viewer->context, &told);
    }
    TAILQ_FOREACH (policy, &fake->policies, entry) {
        struct kernel_sa told = {
            .source = policy->is.local,
            .destination = policy->is.remote,
            .reqid = policy->is.reqid,
            .protocol = policy->is.protocol,
            .mode = policy->is.mode,
            .local_packet = policy->local_packet,
            .remote_packet = policy->remote_packet,
        };
        if (policy->asked_until_ms > fake->now_ms)
            viewer->sa(viewer->context, &told);
    }
}

static void show_bypasses(const struct kernel_viewer *viewer)
{
    for (unsigned i = 0; i < 2 * KERNEL_ND_COUNT; i++) {
        struct kernel_piece told = {
            .piece = {.family = FAMILY_IPV6,
                      .protocol = 58,
                      .local_port = (uint16_t)(KERNEL_ND_FIRST + i / 2),
                      .local_mask = UINT16_MAX},
            .priority = PIECE_PRIORITY_BYPASS,
            .direction = i % 2 == 0 ? KERNEL_OUT : KERNEL_IN,
            .plain = true,
        };
        viewer->piece(viewer->context, &told);
    }
}

static void show_pieces(const struct fake_kernel *fake, const struct kernel_viewer *viewer)
{
    const struct fake_policy *policy;

    TAILQ_FOREACH (policy, &fake->policies, entry) {
        struct kernel_piece told = {
            .piece = policy->piece, .template = policy->is, .priority = policy->priority};
        uint8_t most = policy->is.mode == CHILD_TUNNEL ? KERNEL_FORWARD : KERNEL_IN;
        for (told.direction = KERNEL_OUT; told.direction <= most; told.direction++) {
            if (told.direction != KERNEL_OUT)
                told.template.remote = (struct address){.family = policy->is.remote.family};
            viewer->piece(viewer->context, &told);
        }
    }
    if (fake->bypass)
        show_bypasses(viewer);
}

static bool fake_dump(struct kernel *kernel, enum kernel_table table,
                      const struct kernel_viewer *viewer)
{
    if (table == KERNEL_SAS)
        show_sas(fake_of(kernel), viewer);
    else
        show_pieces(fake_of(kernel), viewer);
    return true;
}

static enum kernel_look fake_look(struct kernel *kernel, enum kernel_table table,
                                  const struct kernel_viewer *viewer, bool begin)
{
    (void)begin;
    (void)fake_dump(kernel, table, viewer);
    return LOOK_DONE;
}

/* None to wait for, but there are notices. */
static int fake_notice_fd(const struct kernel *kernel)
{
    (void)kernel;
    return 0;
}

static void fake_read_notices(struct kernel *kernel,
                              void (*notice)(void *context, const struct kernel_notice *notice),
                              void *context)
{
    struct fake_kernel *fake = fake_of(kernel);
    struct fake_notice *next;

    while ((next = TAILQ_FIRST(&fake->notices)) != NULL) {
        TAILQ_REMOVE(&fake->notices, next, entry);
        notice(context, &next->is);
        free(next);
    }
}

static void fake_free(struct kernel *kernel)
{
    (void)kernel; /* the host's */
}

const struct kernel_ops fake_kernel_ops = {
    .run = fake_run,
    .dump = fake_dump,
    .look = fake_look,
    .notice_fd = fake_notice_fd,
    .read_notices = fake_read_notices,
    .free = fake_free,
};
