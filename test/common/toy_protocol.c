/*
 * The toy protocol's table of functions: see toy_protocol.h.
 */
#include "test/common/toy_protocol.h"

#include "lib/ikev2/ikev2.h"
#include "lib/sa/event.h"
#include "lib/sa/rebinding.h"
#include "test/common/toy_state.h"

static enum status toy_start(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    const struct identity *id = sa->connection->remote_id;

    if (sa->local.family == FAMILY_NONE)
        return reason_set(reason, STATUS_FAIL, 0, "the toy looks for no address of its own");
    sa->state = IKE_AWAIT_KEY;
    sa->remote_id_type = id->type;
    if (!buffer_copy(&sa->remote_id, slice_of(id->data, id->size)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    return making_start(context, sa, sa->handshake->wanted, NULL, reason);
}

static enum status delete_child(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    struct toy_message message = {.kind = TOY_DELETE, .spi = child->transforms[0].spi_in};

    child_retire_outbound(context, sa, child);
    toy_of(sa)->deleting = child->number;
    child->deleting = true;
    return toy_ask(context, sa, &message);
}

static enum status toy_task(struct context *context, struct ike_sa *sa, const struct task *task,
                            struct reason *reason)
{
    struct toy_message probe = {.kind = TOY_PROBE};

    switch (task->kind) {
    case TASK_PROBE: count(context, COUNTER_PROBES); return toy_ask(context, sa, &probe);
    case TASK_DELETE_CHILD: return delete_child(context, sa, task->child);
    case TASK_REKEY_CHILD:
        return making_start(context, sa, task->child->config, task->child, reason);
    case TASK_MAKE_CHILD: return making_start(context, sa, task->config, NULL, reason);
    case TASK_REKEY_IKE: /* a toy's IKE SA has no keys: a whole new one comes */
        sa->rekey_due = false;
        event_replace(context, sa);
        return STATUS_OK;
    case TASK_OWN: break;
    }
    return reason_set(reason, STATUS_FAIL, 0, "the toy has nothing of its own to tell");
}

static enum status toy_refuse(struct context *context, struct ike_sa *sa, const struct reason *why)
{
    report(context, sa, SEVERITY_WARNING, "refused", "%s", why->text);
    making_end(context, sa, &toy_of(sa)->theirs);
    ike_sa_leave_half_open(context, sa);
    return toy_reply_error(context, sa, TOY_REFUSED);
}

static enum status toy_close(struct context *context, struct ike_sa *sa, enum finding_code code,
                             struct reason *reason)
{
    struct toy_message message = {.kind = TOY_DELETE,
                                  .error = code != FINDING_NONE ? TOY_REFUSED : TOY_FINE};
    struct child_sa *child;

    (void)reason;
    making_end(context, sa, &toy_of(sa)->own);
    toy_drop_request(context, sa);
    TAILQ_FOREACH (child, &sa->children, entry)
        child_remove_outbound(context, child);
    TAILQ_FOREACH (child, &sa->gone, entry)
        child_remove_outbound(context, child);
    sa->state = IKE_AWAIT_DELETE_REPLY;
    return toy_ask(context, sa, &message);
}

static void toy_abandon(struct context *context, struct ike_sa *sa)
{
    making_end(context, sa, &toy_of(sa)->own);
    making_end(context, sa, &toy_of(sa)->theirs);
}

static void toy_ask_again(struct context *context, struct ike_sa *sa)
{
    if (toy_of(sa)->request.size > 0)
        toy_send(context, sa, buffer_slice(&toy_of(sa)->request));
}

static void toy_released(struct context *context, struct ike_sa *sa)
{
    if (toy_of(sa)->reply_waits)
        toy_send(context, sa, buffer_slice(&toy_of(sa)->reply));
    toy_of(sa)->reply_waits = false;
}

static bool rebind_making(struct making *making, const struct rebinding *rebinding)
{
    if (making == NULL)
        return true;
    making->config = rebinding_config(rebinding, making->config);
    return rebinding_child(rebinding, making->child) && making->config != NULL;
}

static bool toy_rebind(struct ike_sa *sa, const struct rebinding *rebinding)
{
    bool whole = rebind_making(toy_of(sa)->own, rebinding);

    return rebind_making(toy_of(sa)->theirs, rebinding) && whole;
}

static void toy_view(const struct ike_sa *sa, struct protocol_view *view)
{
    const struct toy *toy = toy_of(sa);

    *view = (struct protocol_view){
        .busy = toy->request.size > 0,
        .ours = toy->own != NULL,
        .theirs = toy->theirs != NULL,
        .making = toy->own != NULL && toy->own->old == 0 ? toy->own->config : NULL,
        .tries = toy->tries,
    };
}

static void toy_end(struct context *context, struct ike_sa *sa)
{
    toy_abandon(context, sa);
    toy_drop_request(context, sa);
    buffer_free(&toy_of(sa)->reply);
}

/* --- What a toy does not do: it stays where it is --- */

static void stay_mapped(struct context *context, struct ike_sa *sa, const struct address *source)
{
    (void)context;
    (void)sa;
    (void)source;
}

static void do_nothing(struct context *context, struct ike_sa *sa)
{
    (void)context;
    (void)sa;
}

static void follow_nobody(struct ike_sa *sa, const struct ike_sa *other)
{
    (void)sa;
    (void)other;
}

const struct protocol toy_protocol = {
    .version = TOY_VERSION,
    .state_size = sizeof(struct toy),
    .packet = toy_packet,
    .requester = toy_requester,
    .answer = toy_answer,
    .mapping = stay_mapped,
    .ask_again = toy_ask_again,
    .ask_source = do_nothing,
    .released = toy_released,
    .start = toy_start,
    .task = toy_task,
    .refuse = toy_refuse,
    .close = toy_close,
    .settle = toy_settle,
    .abandon = toy_abandon,
    .forget = do_nothing,
    .follow = follow_nobody,
    .rebind = toy_rebind,
    .view = toy_view,
    .end = toy_end,
};

const struct protocol *const toy_protocols[] = {&ikev2, &toy_protocol, NULL};
