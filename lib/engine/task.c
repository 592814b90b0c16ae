/*
 * Tasks: what an established IKE SA is to do next when nothing is under way.
 *
 * A task is a flag on the SA or the child (probe_due, delete_due, rekey_due, wanted_children), so
 * it survives a collision or a TEMPORARY_FAILURE and is simply tried again.
 */

#include "lib/engine/task.h"

#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/duplicate.h"
#include "lib/engine/lifetime.h"
#include "lib/engine/pair.h"
#include "lib/engine/private.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

/* The peer knows this child by now: before, it would not find what we want to rekey or delete. */
static bool is_proven(const struct engine *engine, const struct child_sa *child)
{
    return !child->unproven || child->created_ms + PROVEN_MS <= engine->context.now_ms;
}

static bool is_rekeyed_now(const struct engine *engine, const struct child_sa *child)
{
    return child->rekey_due && !child->replaced && is_proven(engine, child) &&
           child->leaves_ms <= engine->context.now_ms;
}

/* What could not be rekeyed, and is at its end, goes with its IKE SA: a whole new one is made (RFC
 * 7296 section 2.8). */
static bool gives_up(struct engine *engine, struct ike_sa *sa, struct child_sa *child)
{
    if (child->leaves_ms == 0 || !child_nears_end(&engine->context, child) ||
        sa->connection->remote.family == FAMILY_NONE)
        return false;
    child->rekey_due = false;
    event_replace(&engine->context, sa);
    return true;
}

static bool begin(struct engine *engine, struct ike_sa *sa, struct task task, enum status *status,
                  struct reason *reason)
{
    *status = sa->protocol->task(&engine->context, sa, &task, reason);
    return true;
}

/* Begins the next task; false when there is none. */
static bool next_task(struct engine *engine, struct ike_sa *sa, enum status *status,
                      struct reason *reason)
{
    struct child_sa *child;

    if (sa->probe_due) {
        sa->probe_due = false;
        return begin(engine, sa, (struct task){.kind = TASK_PROBE}, status, reason);
    }
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->delete_due && is_proven(engine, child))
            return begin(engine, sa, (struct task){.kind = TASK_DELETE_CHILD, .child = child},
                         status, reason);
    if (sa->rekey_due)
        return begin(engine, sa, (struct task){.kind = TASK_REKEY_IKE}, status, reason);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (is_rekeyed_now(engine, child) && !gives_up(engine, sa, child))
            return begin(engine, sa, (struct task){.kind = TASK_REKEY_CHILD, .child = child},
                         status, reason);
    while (sa->wanted_children != 0) {
        const struct child_config *config = child_of_bits(sa->connection, sa->wanted_children);
        sa->wanted_children &= sa->wanted_children - 1;
        /* What is replaced as a whole goes only when all of it is there again. */
        if (config == NULL ||
            (sa->replaces != 0 ? ike_sa_carries(sa, config) : link_covers(sa->link, config)))
            continue;
        return begin(engine, sa, (struct task){.kind = TASK_MAKE_CHILD, .config = config}, status,
                     reason);
    }
    const struct child_config *paired = pair_task(engine, sa);
    return paired != NULL &&
           begin(engine, sa, (struct task){.kind = TASK_MAKE_CHILD, .config = paired}, status,
                 reason);
}

static void earlier(uint64_t *due_ms, uint64_t other_ms)
{
    if (other_ms < *due_ms)
        *due_ms = other_ms;
}

/* It is the peer's part to delete what it has rekeyed; a peer that has lost its memory will not,
 * and is found out by our doing so. */
static bool is_forgotten(const struct engine *engine, const struct child_sa *child)
{
    return child->replaced && !child->delete_due && child->leaves_ms <= engine->context.now_ms;
}

/* For the first of all that is put off. */
static void arm_later(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    const struct child_sa *child;
    uint64_t due_ms = child_sweep_ms(sa);

    if (sa->follow_due)
        earlier(&due_ms, sa->followed_ms + FOLLOW_MS);
    if (sa->wishes_ms > context->now_ms)
        earlier(&due_ms, sa->wishes_ms);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->held != NULL)
            earlier(&due_ms, child->held->until_ms);
    TAILQ_FOREACH (child, &sa->children, entry)
        if ((child->delete_due || child->rekey_due) && !is_proven(engine, child))
            earlier(&due_ms, child->created_ms + PROVEN_MS);
    TAILQ_FOREACH (child, &sa->children, entry)
        if ((child->replaced && !child->delete_due) ||
            (child->rekey_due && child->leaves_ms > context->now_ms))
            earlier(&due_ms, child->leaves_ms);
    if (due_ms == UINT64_MAX)
        ike_sa_timer_stop(context, &sa->later);
    else
        ike_sa_timer(context, &sa->later, due_ms);
}

void sa_wishes(struct engine *engine, struct ike_sa *sa)
{
    enum status status = STATUS_OK;
    struct protocol_view view;
    struct reason reason = {0};

    arm_later(engine, sa);
    if (sa->link == NULL || sa->state != IKE_ESTABLISHED || sa->handshake != NULL)
        return;
    sa->protocol->view(sa, &view);
    if (view.busy || view.ours || view.theirs)
        return;
    if (sa->delete_asked) {
        sa_close(engine, sa);
        return;
    }
    bool due = view.due && !sa->inherited;
    bool early = sa->expecting && !sa->probe_due; /* its children are to come first */
    if (!due && (sa->inherited || early || engine->context.now_ms < sa->wishes_ms))
        return;
    if (due) {
        (void)begin(engine, sa, (struct task){.kind = TASK_OWN}, &status, &reason);
    } else if (!next_task(engine, sa, &status, &reason)) {
        sa_replace_finish(engine, sa);
        sa_leave_lone(engine, sa);
        return;
    }
    if (status != STATUS_OK)
        event_settled(&engine->context, sa, status, &reason);
}

void sa_later(struct engine *engine, struct ike_sa *sa)
{
    struct child_sa *child;

    child_sweep(&engine->context, sa);
    if (sa->follow_due)
        ike_sa_follow(&engine->context, sa, &sa->local, &sa->remote);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->held != NULL && child->held->until_ms <= engine->context.now_ms)
            child_release_outbound(&engine->context, sa, child);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (is_forgotten(engine, child))
            child->delete_due = true;
    sa_wishes(engine, sa);
}

/* The child whose held outbound SA's release has this number; any that has one: 0. */
static struct child_sa *find_releasing(const struct ike_sa *sa, uint32_t number)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->releasing != 0 && (number == 0 || child->releasing == number))
            return child;
    return NULL;
}

bool sa_released(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    struct child_sa *child = find_releasing(sa, answer->ticket.sequence);

    if (child != NULL && (answer->status != STATUS_OK || --child->releases == 0))
        child->releasing = 0;
    if (find_releasing(sa, 0) == NULL)
        sa->protocol->released(&engine->context, sa);
    if (child == NULL)
        return false;
    if (answer->status == STATUS_OK)
        return true;
    count(&engine->context, COUNTER_FAILURES);
    report(&engine->context, sa, SEVERITY_WARNING, "child-failed",
           "child %s cannot send, and is rekeyed: %s", child->config->name, answer->reason.text);
    child->out_kernel = false;
    child->rekey_due = true;
    sa_wishes(engine, sa);
    return true;
}
