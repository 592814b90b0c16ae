/*
 * IKEv2's table of functions: see lib/sa/protocol.h.
 */
#include "lib/ikev2/ikev2.h"

#include "lib/ikev2/creation.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/finding.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/input.h"
#include "lib/ikev2/mobike.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/outcome.h"
#include "lib/ikev2/path.h"
#include "lib/ikev2/reassembly.h"
#include "lib/sa/context.h"
#include "lib/wire/ikev2.h"

_Static_assert(IKE_MESSAGE_MAX <= CONTEXT_SCRATCH_SIZE, "a message fits its room");
_Static_assert(FRAGMENTS_OCTETS_MAX <= CONTEXT_CUTTINGS_SIZE, "fragments fit their room");

static enum status ikev2_task(struct context *context, struct ike_sa *sa, const struct task *task,
                              struct reason *reason)
{
    switch (task->kind) {
    case TASK_OWN: return mobike_send(context, sa, reason);
    case TASK_PROBE: return informational_probe(context, sa, reason);
    case TASK_DELETE_CHILD: return informational_delete_child(context, sa, task->child, reason);
    case TASK_REKEY_IKE: return create_start(context, sa, CREATE_REKEY_IKE, NULL, NULL, reason);
    case TASK_REKEY_CHILD:
        return create_start(context, sa, CREATE_REKEY_CHILD, task->child->config, task->child,
                            reason);
    case TASK_MAKE_CHILD:
        return create_start(context, sa, CREATE_CHILD, task->config, NULL, reason);
    }
    return reason_set(reason, STATUS_FAIL, 0, "a task that IKEv2 does not have");
}

static enum status ikev2_refuse(struct context *context, struct ike_sa *sa,
                                const struct reason *why)
{
    report(context, sa, SEVERITY_WARNING, "refused", "%s: answered %s", why->text,
           v2_notify_name(finding_notify(why->code)));
    return message_respond_notify(context, sa, ikev2_of(sa)->serving, finding_notify(why->code),
                                  slice_of(NULL, 0));
}

static void ikev2_forget(struct context *context, struct ike_sa *sa)
{
    message_forget_reply(context, sa);
}

static void ikev2_view(const struct ike_sa *sa, struct protocol_view *view)
{
    const struct ikev2_sa *state = ikev2_of(sa);
    const struct creation *own = state->own;

    *view = (struct protocol_view){
        .busy = state->request != NULL,
        .ours = own != NULL,
        .theirs = state->theirs != NULL,
        .making = own != NULL && own->kind == CREATE_CHILD ? own->config : NULL,
        .heir_due =
            own != NULL && own->kind == CREATE_REKEY_IKE && own->state == CREATE_AWAIT_SHARED,
        .due = mobike_is_due(sa),
        .tries = state->request != NULL ? state->request->tries : 0,
        .mobike = state->mobike,
        .fragmentation = state->fragments,
    };
}

const struct protocol ikev2 = {
    .version = 2,
    .state_size = sizeof(struct ikev2_sa),
    .packet = ikev2_packet,
    .requester = ikev2_requester,
    .answer = ikev2_answer,
    .mapping = ikev2_mapping,
    .ask_again = ikev2_ask_again,
    .ask_source = ikev2_ask_source,
    .released = message_release_response,
    .start = init_start,
    .task = ikev2_task,
    .refuse = ikev2_refuse,
    .close = informational_close,
    .settle = ikev2_settle,
    .abandon = ikev2_abandon,
    .forget = ikev2_forget,
    .follow = mobike_take_path,
    .rebind = ikev2_rebind,
    .view = ikev2_view,
    .end = ikev2_sa_end,
};
