/*
 * The kernel of the keeper's fuzzer: see keeper_kernel.h.
 */
#include "test/fuzz/keeper_kernel.h"

#include <errno.h>
#include <string.h>

#include "test/fuzz/fuzz.h"

FUZZ_NOT_COVERED

struct model model;

/* --- Taint --- */

bool model_is_tainted(const struct piece *piece)
{
    for (size_t i = 0; i < model.tainted_count; i++)
        if (piece_equal(&model.tainted[i], piece))
            return true;
    return model.all_tainted;
}

void model_taint(const struct piece *piece)
{
    if (model_is_tainted(piece))
        return;
    if (model.tainted_count == MODEL_TAINTED)
        model.all_tainted = true;
    else
        model.tainted[model.tainted_count++] = *piece;
}

static void untaint(const struct piece *piece)
{
    for (size_t i = 0; i < model.tainted_count; i++)
        if (piece_equal(&model.tainted[i], piece))
            model.tainted[i--] = model.tainted[--model.tainted_count];
}

/* --- Policies --- */

struct kernel_piece *model_policy(const struct piece *piece, uint8_t direction)
{
    for (size_t i = 0; i < model.policy_count; i++)
        if (model.policies[i].direction == direction &&
            piece_equal(&model.policies[i].piece, piece))
            return &model.policies[i];
    return NULL;
}

/* A look that is under way goes on behind the one before it. */
static void adjust_look(enum kernel_table table, size_t removed)
{
    if (model.looking_at == table && removed < model.looked_at)
        model.looked_at--;
}

void model_remove_policy(struct kernel_piece *policy)
{
    size_t at = (size_t)(policy - model.policies);

    adjust_look(KERNEL_POLICIES, at);
    memmove(policy, policy + 1, (--model.policy_count - at) * sizeof(*policy));
}

static void set_policy(const struct piece *piece, uint8_t direction,
                       const struct policy_template *template, uint32_t priority)
{
    struct kernel_piece *policy = model_policy(piece, direction);

    if (policy == NULL) {
        CHECK(model.policy_count < MODEL_POLICIES);
        policy = &model.policies[model.policy_count++];
    }
    *policy = (struct kernel_piece){
        .piece = *piece, .direction = direction, .priority = priority, .plain = template == NULL};
    if (template != NULL)
        policy->template = *template;
    if (direction != KERNEL_OUT && template != NULL)
        policy->template.remote = (struct address){.family = template->remote.family};
}

static void run_set_piece(struct kernel_job *job)
{
    uint8_t all = job->template.mode == CHILD_TUNNEL ? 3 : 2;
    uint8_t directions = job->out_only ? 1 : all; /* KERNEL_OUT is the first */

    if (job->template.mode == CHILD_TUNNEL && job->template.policy == POLICY_PREFER) {
        job->error = EINVAL; /* the kernel has no optional tunnels */
        model_taint(&job->piece);
        return;
    }
    for (uint8_t i = 0; i < directions; i++)
        set_policy(&job->piece, i, &job->template,
                   piece_priority(&job->piece, job->template.policy));
    if (!job->out_only)
        untaint(&job->piece);
}

static void remove_direction(const struct piece *piece, uint8_t direction)
{
    struct kernel_piece *policy = model_policy(piece, direction);

    if (policy != NULL)
        model_remove_policy(policy);
}

static void run_remove_piece(struct kernel_job *job)
{
    for (uint8_t i = 0; i < (job->mode == CHILD_TUNNEL ? 3 : 2); i++)
        remove_direction(&job->piece, i);
}

static void run_bypass(bool set)
{
    for (uint16_t i = 0; i < 2 * KERNEL_ND_COUNT; i++) {
        struct piece piece = {
            .family = FAMILY_IPV6,
            .protocol = 58,
            .local_port = (uint16_t)(KERNEL_ND_FIRST + i / 2),
            .local_mask = UINT16_MAX,
        };
        if (set)
            set_policy(&piece, i % 2, NULL, PIECE_PRIORITY_BYPASS);
        else
            remove_direction(&piece, i % 2);
    }
}

/* --- SAs --- */

static struct model_sa *find_sa(const struct address *destination, uint32_t spi)
{
    for (size_t i = 0; i < model.sa_count; i++)
        if (model.sas[i].is.spi == spi &&
            address_same_host(&model.sas[i].is.destination, destination))
            return &model.sas[i];
    return NULL;
}

void model_remove_sa(struct model_sa *sa)
{
    size_t at = (size_t)(sa - model.sas);

    adjust_look(KERNEL_SAS, at);
    memmove(sa, sa + 1, (--model.sa_count - at) * sizeof(*sa));
}

static void add_sa(struct kernel_job *job, const struct kernel_sa *is, bool larval)
{
    if (model.sa_count == MODEL_SAS)
        job->error = ENOMEM;
    else
        model.sas[model.sa_count++] = (struct model_sa){.larval = larval, .is = *is};
}

static void run_allocate(struct kernel_job *job)
{
    const struct effect_allocate_spi *allocate = job->allocate_spi;
    struct kernel_sa is = {
        .source = allocate->source,
        .destination = allocate->destination,
        .spi = model.next_spi++,
        .reqid = allocate->reqid,
        .protocol = allocate->protocol,
        .mode = allocate->mode,
        .encap = allocate->encap,
    };

    add_sa(job, &is, true);
    job->spi = is.spi;
}

static void run_install(struct kernel_job *job)
{
    const struct effect_install_sa *sa = job->install_sa;
    struct model_sa *there = find_sa(&sa->destination, sa->spi);
    struct kernel_sa is = {
        .source = sa->source,
        .destination = sa->destination,
        .spi = sa->spi,
        .reqid = sa->reqid,
        .protocol = sa->protocol,
        .mode = sa->mode,
        .encap = sa->encap,
    };

    if (sa->inbound && (there == NULL || !there->larval))
        job->error = ESRCH;
    else if (!sa->inbound && there != NULL)
        job->error = EEXIST;
    else if (there != NULL)
        *there = (struct model_sa){.is = is};
    else
        add_sa(job, &is, false);
}

static void run_move(struct kernel_job *job)
{
    const struct effect_move_sa *move = job->move_sa;
    struct model_sa *there = find_sa(&move->destination, move->spi);

    if (there == NULL) {
        job->error = ESRCH;
        return;
    }
    struct kernel_sa is = there->is;
    is.source = move->new_source;
    is.destination = move->new_destination;
    is.encap = move->encap;
    if (address_same_host(&move->destination, &move->new_destination))
        there->is = is;
    else if (find_sa(&is.destination, is.spi) != NULL)
        job->error = EEXIST;
    else
        add_sa(job, &is, false);
}

static void run_query(struct kernel_job *job)
{
    if (find_sa(&job->query_sa->destination, job->query_sa->spi) == NULL)
        job->error = ESRCH;
    job->packets = 7;
}

static void run_remove_sa(struct kernel_job *job)
{
    struct model_sa *there = find_sa(&job->remove_sa.destination, job->remove_sa.spi);

    if (there != NULL)
        model_remove_sa(there);
}

/* --- The kernel --- */

static bool has_piece(const struct kernel_job *job)
{
    return job->verb == KERNEL_SET_PIECE || job->verb == KERNEL_REMOVE_PIECE ||
           job->verb == KERNEL_REMOVE_FORWARD;
}

static void run_job(struct kernel_job *job)
{
    switch (job->verb) {
    case KERNEL_ALLOCATE_SPI: run_allocate(job); return;
    case KERNEL_INSTALL_SA: run_install(job); return;
    case KERNEL_QUERY_SA: run_query(job); return;
    case KERNEL_MOVE_SA: run_move(job); return;
    case KERNEL_REMOVE_SA: run_remove_sa(job); return;
    case KERNEL_SET_PIECE: run_set_piece(job); return;
    case KERNEL_REMOVE_PIECE: run_remove_piece(job); return;
    case KERNEL_REMOVE_FORWARD: remove_direction(&job->piece, KERNEL_FORWARD); return;
    case KERNEL_SET_BYPASS: run_bypass(true); return;
    case KERNEL_REMOVE_BYPASS: run_bypass(false); return;
    }
    CHECK(false);
}

static void model_run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    (void)kernel;
    for (size_t i = 0; i < count; i++) {
        bool fails = model.failures_left > 0 && jobs[i].verb == model.failing;
        if (!fails) {
            run_job(&jobs[i]);
            continue;
        }
        model.failures_left--;
        jobs[i].error = model.error;
        if (has_piece(&jobs[i]))
            model_taint(&jobs[i].piece);
    }
}

static void show(const struct kernel_viewer *viewer, enum kernel_table table, size_t at)
{
    if (table == KERNEL_POLICIES)
        viewer->piece(viewer->context, &model.policies[at]);
    else if (reqid_is_ours(model.sas[at].is.reqid))
        viewer->sa(viewer->context, &model.sas[at].is);
}

static size_t table_size(enum kernel_table table)
{
    return table == KERNEL_SAS ? model.sa_count : model.policy_count;
}

static bool model_dump(struct kernel *kernel, enum kernel_table table,
                       const struct kernel_viewer *viewer)
{
    (void)kernel;
    for (size_t i = 0; i < table_size(table); i++) {
        if (model.dumps_fail && i == 3)
            return false;
        show(viewer, table, i);
    }
    return true;
}

static enum kernel_look model_look(struct kernel *kernel, enum kernel_table table,
                                   const struct kernel_viewer *viewer, bool begin)
{
    (void)kernel;
    if (begin)
        model.looked_at = 0;
    model.looking_at = table;
    for (int i = 0; i < 16 && model.looked_at < table_size(table); i++)
        show(viewer, table, model.looked_at++);
    if (model.dumps_fail)
        return LOOK_BROKEN;
    return model.looked_at < table_size(table) ? LOOK_MORE : LOOK_DONE;
}

static int model_notice_fd(const struct kernel *kernel)
{
    (void)kernel;
    return 0;
}

void model_notice(const struct kernel_notice *notice)
{
    if (model.notice_count < MODEL_NOTICES)
        model.notices[model.notice_count++] = *notice;
}

static void model_read_notices(struct kernel *kernel,
                               void (*notice)(void *context, const struct kernel_notice *notice),
                               void *context)
{
    size_t count = model.notice_count;

    (void)kernel;
    model.notice_count = 0;
    for (size_t i = 0; i < count; i++)
        notice(context, &model.notices[i]);
}

static void model_free(struct kernel *kernel)
{
    (void)kernel;
}

void model_reset(void)
{
    static const struct kernel_ops ops = {
        model_run, model_dump, model_look, model_notice_fd, model_read_notices, model_free,
    };

    model.kernel.ops = &ops;
    model.sa_count = model.policy_count = model.tainted_count = model.notice_count = 0;
    model.looked_at = 0;
    model.all_tainted = model.dumps_fail = false;
    model.next_spi = 0xc0000001;
    model.failures_left = 0;
}

FUZZ_COVERED
