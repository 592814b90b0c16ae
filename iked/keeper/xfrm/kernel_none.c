/*
 * A kernel that accepts everything and installs nothing: see kernel.h.
 *
 * For load tests and machines without ESP (iked --kernel=none); the rest of the keeper, the gate
 * and the vault with it, works as ever.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "iked/keeper/xfrm/kernel.h"

/* Random, so that two hosts of a test seldom share one; for one that is taken the service asks
 * again. */
static uint32_t random_spi(void)
{
    uint32_t spi = 0;

    while (spi < KERNEL_SPI_MIN)
        if (getrandom(&spi, sizeof(spi), 0) != sizeof(spi))
            return 0;
    return spi;
}

static void none_run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    (void)kernel;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].verb != KERNEL_ALLOCATE_SPI)
            continue;
        jobs[i].spi = random_spi();
        if (jobs[i].spi == 0)
            jobs[i].error = EIO;
    }
}

static bool none_dump(struct kernel *kernel, enum kernel_table table,
                      const struct kernel_viewer *viewer)
{
    (void)kernel;
    (void)table;
    (void)viewer;
    return true;
}

static enum kernel_look none_look(struct kernel *kernel, enum kernel_table table,
                                  const struct kernel_viewer *viewer, bool begin)
{
    (void)kernel;
    (void)table;
    (void)viewer;
    (void)begin;
    return LOOK_DONE;
}

static int none_notice_fd(const struct kernel *kernel)
{
    (void)kernel;
    return -1;
}

static void none_read_notices(struct kernel *kernel,
                              void (*notice)(void *context, const struct kernel_notice *notice),
                              void *context)
{
    (void)kernel;
    (void)notice;
    (void)context;
}

static void none_free(struct kernel *kernel)
{
    free(kernel);
}

static const struct kernel_ops none_ops = {
    .run = none_run,
    .dump = none_dump,
    .look = none_look,
    .notice_fd = none_notice_fd,
    .read_notices = none_read_notices,
    .free = none_free,
};

struct kernel *kernel_none_new(struct reason *reason)
{
    struct kernel *kernel = calloc(1, sizeof(*kernel));

    if (kernel == NULL)
        reason_set(reason, STATUS_FAIL, 0, "out of memory");
    else
        kernel->ops = &none_ops;
    return kernel;
}
