/*
 * The kernel itself, in a network namespace of the test's own: what others do to its policies is
 * heard, what the keeper does is not, and a look shows what is there.
 * Needs root, namespaces and XFRM's netlink; skipped otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "iked/keeper/xfrm/kernel.h"
#include "iked/keeper/xfrm/netlink.h"
#include "iked/keeper/xfrm/xfrm_encode.h"
#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

#define QUIET_MS 50
#define WAIT_MS  2000

static struct kernel *kernel;
static struct kernel_notice heard[16];
static size_t heard_count;
static struct kernel_piece seen[4096];
static size_t seen_count;

static int enter(void **state)
{
    struct reason reason = {0};

    (void)state;
    kernel = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 ? kernel_xfrm_new(NULL, &reason) : NULL;
    return 0;
}

static int leave(void **state)
{
    (void)state;
    if (kernel != NULL)
        kernel->ops->free(kernel);
    return 0;
}

static struct kernel_job job_of(enum kernel_verb verb, uint16_t number)
{
    struct kernel_job job = {
        .verb = verb,
        .piece = {.family = FAMILY_IPV4,
                  .local_bits = 16,
                  .remote_bits = 32,
                  .local = {10, 1, 0, 0},
                  .remote = {10, 2, (uint8_t)(number >> 8), (uint8_t)number}},
        .template = {.local = policy_address("192.0.2.1"),
                     .remote = policy_address("192.0.2.2"),
                     .reqid = 0x69000003,
                     .protocol = IPSEC_ESP,
                     .mode = CHILD_TUNNEL},
        .mode = CHILD_TUNNEL,
    };

    return job;
}

static void run(struct kernel_job job)
{
    kernel->ops->run(kernel, &job, 1);
    assert_int_equal(job.error, 0);
}

static uint8_t room[XFRM_JOB_ROOM] __attribute__((aligned(8)));

/* What somebody else does: by a socket of his own. */
static void other_sends(const struct xfrm_batch *batch)
{
    int fd = netlink_open(NETLINK_XFRM, 0, 1 << 16);

    assert_true(fd >= 0 && netlink_send(fd, batch->data, batch->size));
    close(fd);
}

static void other_does(struct kernel_job job)
{
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};

    assert_true(xfrm_encode_job(&batch, &job, NULL));
    other_sends(&batch);
}

static void other_flushes(void)
{
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};

    xfrm_end(&batch, xfrm_begin(&batch, XFRM_MSG_FLUSHPOLICY, NLM_F_ACK));
    other_sends(&batch);
}

static void on_notice(void *context, const struct kernel_notice *notice)
{
    (void)context;
    assert_true(heard_count < sizeof(heard) / sizeof(heard[0]));
    heard[heard_count++] = *notice;
}

static void listen_for(size_t count)
{
    struct pollfd ready = {.fd = kernel->ops->notice_fd(kernel), .events = POLLIN};

    heard_count = 0;
    while (poll(&ready, 1, heard_count < count ? WAIT_MS : QUIET_MS) > 0)
        kernel->ops->read_notices(kernel, on_notice, NULL);
    assert_int_equal(heard_count, count);
}

static void on_piece(void *context, const struct kernel_piece *piece)
{
    (void)context;
    assert_true(seen_count < sizeof(seen) / sizeof(seen[0]));
    seen[seen_count++] = *piece;
}

/* --- Tests --- */

static void others_are_heard_and_the_keeper_is_not(void **state)
{
    struct kernel_job job = job_of(KERNEL_SET_PIECE, 1);
    (void)state;

    if (kernel == NULL)
        skip();
    run(job);
    run(job_of(KERNEL_REMOVE_PIECE, 1));
    run(job);
    listen_for(0);
    other_does(job_of(KERNEL_REMOVE_PIECE, 1));
    listen_for(3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(heard[i].kind, NOTICE_POLICY_GONE);
        assert_true(piece_equal(&heard[i].piece.piece, &job.piece));
    }
    job.template.reqid = 7;
    other_does(job);
    listen_for(3);
    assert_int_equal(heard[0].kind, NOTICE_POLICY);
    assert_int_equal(heard[0].piece.template.reqid, 7);
    run(job_of(KERNEL_SET_PIECE, 1)); /* put back */
    listen_for(0);
    other_flushes();
    listen_for(1);
    assert_int_equal(heard[0].kind, NOTICE_POLICIES_GONE);
}

/* All that is there is shown, in steps or at once, and as it was told; a look that is given up
 * leaves nothing behind. */
static void a_look_shows_what_is_there(void **state)
{
    struct kernel_viewer viewer = {.piece = on_piece};
    const struct kernel_job first = job_of(KERNEL_SET_PIECE, 0);
    enum kernel_look look;
    size_t steps = 1;
    (void)state;

    if (kernel == NULL)
        skip();
    for (uint16_t i = 0; i < 1000; i++)
        run(job_of(KERNEL_SET_PIECE, i));
    seen_count = 0;
    assert_true(kernel->ops->dump(kernel, KERNEL_POLICIES, &viewer));
    assert_int_equal(seen_count, 3000);
    for (size_t i = 0; i < seen_count; i++) {
        bool out = seen[i].direction == KERNEL_OUT;
        assert_int_equal(seen[i].template.reqid, first.template.reqid);
        assert_int_equal(seen[i].template.protocol, IPSEC_ESP);
        assert_int_equal(seen[i].priority, piece_priority(&first.piece, POLICY_REQUIRE));
        assert_true(address_same_host(&seen[i].template.local, &first.template.local));
        assert_true(!out || address_same_host(&seen[i].template.remote, &first.template.remote));
        assert_false(seen[i].plain || seen[i].blocks || seen[i].partial);
    }
    seen_count = 0;
    look = kernel->ops->look(kernel, KERNEL_POLICIES, &viewer, true);
    seen_count = 0;
    look = kernel->ops->look(kernel, KERNEL_POLICIES, &viewer, true);
    run(job_of(KERNEL_SET_PIECE, 0));
    for (; look == LOOK_MORE; steps++)
        look = kernel->ops->look(kernel, KERNEL_POLICIES, &viewer, false);
    assert_int_equal(look, LOOK_DONE);
    assert_in_range(seen_count, 2997, 3003); /* what was set meanwhile may be missing */
    assert_true(steps > 1);
}

/* Each of a batch has its own result, wherever what failed stands. */
static void what_fails_is_told_of_each(void **state)
{
    const struct effect_query_sa nobody = {.source = policy_address("192.0.2.1"),
                                           .destination = policy_address("192.0.2.2"),
                                           .spi = 0xc0000001,
                                           .protocol = IPSEC_ESP};
    struct kernel_job query = {.verb = KERNEL_QUERY_SA, .query_sa = &nobody};
    (void)state;

    if (kernel == NULL)
        skip();
    for (size_t failing = 0; failing < 3; failing++) {
        struct kernel_job jobs[3];
        for (uint16_t i = 0; i < 3; i++)
            jobs[i] = i == failing ? query : job_of(KERNEL_SET_PIECE, i);
        kernel->ops->run(kernel, jobs, 3);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(jobs[i].error, i == failing ? ESRCH : 0);
        struct kernel_job both[2] = {query, query};
        kernel->ops->run(kernel, both, 2);
        assert_int_equal(both[0].error, ESRCH);
        assert_int_equal(both[1].error, ESRCH);
        run(job_of(KERNEL_REMOVE_PIECE, 7)); /* what is not there is removed */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_heard_and_the_keeper_is_not),
        cmocka_unit_test(a_look_shows_what_is_there),
        cmocka_unit_test(what_fails_is_told_of_each),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
