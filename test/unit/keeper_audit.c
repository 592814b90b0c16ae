/*
 * What others do to the kernel's tables (iked/keeper/audit.h): policies come back at once, the
 * engine hears of SAs, one line is said, and nobody is fought for ever.
 */
#include "iked/process/log.h"
#include "test/unit/keeper.h"

static char said[2048];

static void on_line(void *context, enum severity severity, const char *line)
{
    (void)context;
    if (severity < SEVERITY_WARNING)
        return;
    strncat(said, line, sizeof(said) - strlen(said) - 1);
    strncat(said, "\n", sizeof(said) - strlen(said) - 1);
}

static size_t lines_said(void)
{
    size_t count = 0;

    for (const char *at = said; *at != '\0'; at++)
        count += *at == '\n';
    return count;
}

static void listen(void)
{
    said[0] = '\0';
    log_divert(on_line, NULL);
}

/* --- What the kernel has --- */

/* As the jobs so far have left it. */
static void show_policies(void)
{
    toy.piece_count = 0;
    for (size_t i = 0; i < toy.job_count; i++) {
        const struct kernel_job *job = &toy.jobs[i];
        size_t directions = job->template.mode == CHILD_TUNNEL ? 3 : 2;
        for (size_t d = 0; job->verb == KERNEL_SET_PIECE && d < directions; d++) {
            assert_true(toy.piece_count < sizeof(toy.pieces) / sizeof(toy.pieces[0]));
            toy.pieces[toy.piece_count++] = (struct kernel_piece){
                .piece = job->piece,
                .template = job->template,
                .priority = piece_priority(&job->piece, job->template.policy),
                .direction = (uint8_t)d,
            };
        }
    }
}

static void show_bypasses(void)
{
    for (uint16_t i = 0; i < 10; i++)
        toy.pieces[toy.piece_count++] = (struct kernel_piece){
            .piece = {.family = FAMILY_IPV6,
                      .protocol = 58,
                      .local_port = (uint16_t)(133 + i / 2),
                      .local_mask = UINT16_MAX},
            .priority = PIECE_PRIORITY_BYPASS,
            .plain = true,
            .direction = i % 2,
        };
}

static void hear(struct kernel_notice notice, uint64_t now_ms)
{
    toy.notices[toy.notice_count++] = notice;
    upkeep_notices(&service, now_ms);
}

/* Two policies of db's and net's, and SAs of db's. */
static void protect(void)
{
    establish();
    take(narrow_policy_for(EFFECT_INSTALL_POLICY, "net", "b"));
    service_flush(&service);
    show_policies();
    toy.sa_count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct effect sa = i == 0 ? install_sa(0xc0000001, true) : install_sa(0x0badcafe, false);
        toy.sas[toy.sa_count++] = (struct kernel_sa){
            .source = sa.install_sa.source,
            .destination = sa.install_sa.destination,
            .spi = sa.install_sa.spi,
            .reqid = sa.install_sa.reqid,
            .protocol = sa.install_sa.protocol,
        };
        effect_free(&sa);
    }
    service.committed = true; /* upkeep_committed would add all that the configuration requires */
    heard.event_count = 0;
    forget_jobs();
    listen();
}

/* --- Policies --- */

static void flushed_policies_are_put_back_at_once(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    protect();
    toy.piece_count = 0;
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 2000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 5); /* db's, six's and net's three */
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 1);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "policies were removed or changed by somebody else: 6 put back"));
}

/* What is there stays as it is. */
static void what_is_there_is_not_touched(void **state)
{
    (void)state;
    protect();
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 2000);
    assert_int_equal(toy.job_count, 0);
    assert_int_equal(lines_said(), 0);
    /* One direction of a tunnel's is missing, or leads elsewhere. */
    struct kernel_piece all = toy.pieces[toy.piece_count - 1];
    toy.piece_count--;
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 3000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_true(piece_equal(&toy.jobs[0].piece, &all.piece));
    toy.pieces[toy.piece_count] = all;
    toy.pieces[toy.piece_count++].template.reqid++;
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 4000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 2);
    toy.pieces[toy.piece_count - 1] = all;
    toy.pieces[toy.piece_count - 1].priority = 1;
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 5000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 3);
    assert_int_equal(toy.job_count, 3);
}

/* One that is removed, or overwritten, is put back by itself; what others have of their own, and
 * what comes as it should be, is none of ours. */
static void a_policy_that_is_touched_is_put_back(void **state)
{
    (void)state;
    protect();
    struct kernel_notice notice = {.kind = NOTICE_POLICY_GONE, .piece = toy.pieces[0]};
    hear(notice, 2000);
    assert_int_equal(toy.job_count, 1);
    assert_int_equal(toy.jobs[0].verb, KERNEL_SET_PIECE);
    assert_int_equal(toy.jobs[0].template.reqid, keeper_reqid("db", "db"));
    assert_non_null(strstr(said, "1 put back, the first was connection db's for 192.0.2.1/32 === "
                                 "192.0.2.2/32"));
    notice.kind = NOTICE_POLICY; /* as it should be */
    hear(notice, 3000);
    assert_int_equal(toy.job_count, 1);
    notice.piece.template.reqid = 7;
    hear(notice, 4000);
    assert_int_equal(toy.job_count, 2);
    notice.piece.piece.remote[3]++;
    hear(notice, 5000);
    notice.kind = NOTICE_POLICY_GONE;
    hear(notice, 6000);
    assert_int_equal(toy.job_count, 2);
}

static void neighbour_discovery_is_put_back(void **state)
{
    (void)state;
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    service_flush(&service);
    show_policies();
    show_bypasses();
    listen();
    forget_jobs();
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 2000);
    assert_int_equal(toy.job_count, 0);
    struct kernel_notice notice = {.kind = NOTICE_POLICY_GONE,
                                   .piece = toy.pieces[--toy.piece_count]};
    hear(notice, 3000);
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 1);
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 4000);
    assert_int_equal(jobs_of(KERNEL_SET_BYPASS), 2);
    assert_non_null(strstr(said, "neighbour discovery"));
}

/* Whoever removes them for ever is told once that it has been seen, and is not fought faster. */
static void nobody_is_fought_for_ever(void **state)
{
    uint64_t now_ms = 100000;
    (void)state;

    protect();
    struct kernel_notice notice = {.kind = NOTICE_POLICY_GONE, .piece = toy.pieces[0]};
    for (int i = 0; i < 100; i++, now_ms += 10)
        hear(notice, now_ms);
    assert_int_equal(toy.job_count, AUDIT_REPAIRS_MAX);
    assert_int_equal(lines_said(), AUDIT_REPAIRS_MAX + 1);
    assert_non_null(strstr(said, "again and again"));
    /* What is missing in the end is put back all the same. */
    toy.pieces[0].template.reqid = 0;
    upkeep_tick(&service, now_ms);
    assert_int_equal(toy.job_count, AUDIT_REPAIRS_MAX);
    upkeep_tick(&service, now_ms + AUDIT_REPAIR_MS);
    assert_int_equal(toy.job_count, AUDIT_REPAIRS_MAX + 1);
    upkeep_tick(&service, now_ms + AUDIT_REPAIR_MS + 1);
    assert_int_equal(toy.job_count, AUDIT_REPAIRS_MAX + 1);
}

/* --- SAs --- */

static void removed_sas_are_told(void **state)
{
    (void)state;
    protect();
    hear((struct kernel_notice){.kind = NOTICE_SA_GONE, .sa = toy.sas[0]}, 2000);
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].kind, KERNEL_EXPIRE);
    assert_true(heard.events[0].hard);
    assert_int_equal(heard.events[0].spi, 0xc0000001);
    assert_int_equal(service.ledger.sa_count, 1);
    assert_non_null(strstr(said, "SAs were removed by somebody else: 1, the first was SPI c0000001 "
                                 "of connection db"));
    hear((struct kernel_notice){.kind = NOTICE_SA_GONE, .sa = toy.sas[0]}, 3000);
    assert_int_equal(heard.event_count, 1); /* nothing of ours */
    assert_int_equal(lines_said(), 1);
}

static void flushed_sas_are_told(void **state)
{
    (void)state;
    protect();
    hear((struct kernel_notice){.kind = NOTICE_SAS_GONE}, 2000);
    assert_int_equal(heard.event_count, 0); /* all are there */
    toy.sa_count = 0;
    hear((struct kernel_notice){.kind = NOTICE_SAS_GONE}, 3000);
    assert_int_equal(heard.event_count, 2);
    assert_int_equal(service.ledger.sa_count, 0);
    assert_int_equal(jobs_of(KERNEL_REMOVE_SA), 0);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "somebody else: 2,"));
}

/* --- Looking --- */

static void look_through(uint64_t from_ms)
{
    for (uint64_t i = 0; i < 30; i++)
        upkeep_tick(&service, from_ms + i * 1000);
}

/* Without a word of the kernel's: what is gone is found, and what came meanwhile is there. */
static void the_tables_are_looked_through(void **state)
{
    (void)state;
    protect();
    upkeep_tick(&service, 2000); /* the first one is that much later */
    look_through(2000 + AUDIT_PERIOD_MS);
    assert_int_equal(toy.job_count, 0);
    assert_int_equal(heard.event_count, 0);
    toy.sa_count = 1;
    toy.pieces[1].template.reqid++;
    upkeep_tick(&service, 200000); /* the look begins, with the SAs */
    take(install_sa(0x0badcaff, false));
    upkeep_tick(&service, 201000);
    upkeep_tick(&service, 202000); /* policies */
    take(policy_for(EFFECT_INSTALL_POLICY, "six", "six"));
    service_flush(&service);
    forget_jobs();
    look_through(203000);
    assert_int_equal(jobs_of(KERNEL_SET_PIECE), 1);
    assert_int_equal(toy.jobs[0].template.reqid, keeper_reqid("db", "db"));
    assert_int_equal(heard.event_count, 1);
    assert_int_equal(heard.events[0].spi, 0x0badcafe);
    assert_non_null(strstr(said, "1 put back"));
    assert_non_null(strstr(said, "SAs were removed by somebody else: 1,"));
}

/* A policy that bears our tag and that nobody wants: its removal must have failed. */
static void what_nobody_wants_is_removed(void **state)
{
    (void)state;
    protect();
    struct kernel_piece left = toy.pieces[0];
    left.piece.remote[3] = 77;
    toy.pieces[toy.piece_count++] = left;
    left.template.reqid = 7; /* another's */
    left.piece.remote[3] = 78;
    toy.pieces[toy.piece_count++] = left;
    hear((struct kernel_notice){.kind = NOTICE_POLICIES_GONE}, 2000);
    assert_int_equal(toy.job_count, 1);
    assert_int_equal(toy.jobs[0].verb, KERNEL_REMOVE_PIECE);
    assert_int_equal(toy.jobs[0].piece.remote[3], 77);
    toy.sas[toy.sa_count] = toy.sas[0];
    toy.sas[toy.sa_count++].spi = 0xdead0000;
    hear((struct kernel_notice){.kind = NOTICE_SAS_GONE}, 3000);
    assert_int_equal(toy.job_count, 2);
    assert_int_equal(toy.jobs[1].verb, KERNEL_REMOVE_SA);
    assert_int_equal(toy.jobs[1].remove_sa.spi, 0xdead0000);
    assert_int_equal(heard.event_count, 0);
}

/* Another dump in between begins the look anew: what it had seen counts no more. */
static void a_look_that_is_crossed_begins_anew(void **state)
{
    (void)state;
    protect();
    upkeep_tick(&service, 2000);
    upkeep_tick(&service, 2000 + AUDIT_PERIOD_MS);
    hear((struct kernel_notice){.kind = NOTICE_SAS_GONE}, 2000 + AUDIT_PERIOD_MS);
    look_through(3000 + AUDIT_PERIOD_MS);
    look_through(100000 + AUDIT_PERIOD_MS);
    assert_int_equal(heard.event_count, 0);
    assert_int_equal(toy.job_count, 0);
    assert_int_equal(lines_said(), 0);
}

/* They are theirs, but what they match is not protected. */
static void policies_of_others_are_named(void **state)
{
    (void)state;
    protect();
    struct kernel_piece foreign = toy.pieces[0];
    foreign.plain = true;
    foreign.piece.protocol = 6;
    struct kernel_notice notice = {.kind = NOTICE_POLICY, .piece = foreign};
    notice.piece.priority++; /* ours goes first */
    hear(notice, 2000);
    notice.piece.priority = 5;
    notice.piece.partial = true;
    hear(notice, 3000);
    notice.piece.partial = false;
    notice.piece.direction = KERNEL_IN;
    hear(notice, 4000);
    assert_int_equal(lines_said(), 0);
    notice.piece.direction = KERNEL_OUT;
    hear(notice, 5000);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "policies of others go before iked's: 1, the first is for "
                                 "192.0.2.1/32 tcp === 192.0.2.2/32 tcp"));
    hear(notice, 6000);
    hear(notice, 5000 + AUDIT_PERIOD_MS);
    assert_int_equal(lines_said(), 1);
    assert_int_equal(toy.job_count, 0);
}

/* It may have been there before iked: it is told before anything is negotiated. */
static void what_goes_before_ours_is_told_at_the_start(void **state)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");
    struct kernel_piece *foreign = &toy.pieces[0];
    (void)state;

    *foreign = (struct kernel_piece){
        .piece = {.family = FAMILY_IPV4, .protocol = 6, .local_bits = 32, .remote_bits = 32},
        .direction = KERNEL_OUT,
        .plain = true,
        .priority = 5};
    memcpy(foreign->piece.local, us.bytes, 16);
    memcpy(foreign->piece.remote, peer.bytes, 16);
    toy.piece_count = 1;
    listen();
    upkeep_adopt(&service, 1000);
    assert_int_equal(lines_said(), 1);
    assert_non_null(strstr(said, "policies of others go before iked's: 1, the first is for "
                                 "192.0.2.1/32 tcp === 192.0.2.2/32 tcp"));
    assert_int_equal(toy.job_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_goes_before_ours_is_told_at_the_start),
        TEST(flushed_policies_are_put_back_at_once),
        TEST(what_is_there_is_not_touched),
        TEST(a_policy_that_is_touched_is_put_back),
        TEST(neighbour_discovery_is_put_back),
        TEST(nobody_is_fought_for_ever),
        TEST(removed_sas_are_told),
        TEST(flushed_sas_are_told),
        TEST(the_tables_are_looked_through),
        TEST(what_nobody_wants_is_removed),
        TEST(a_look_that_is_crossed_begins_anew),
        TEST(policies_of_others_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
