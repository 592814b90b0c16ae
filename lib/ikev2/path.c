/*
 * Where an SA's messages may come from, and when the SA follows them: see path.h.
 */
#include "lib/ikev2/path.h"

#include <stdlib.h>

#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"

bool path_allowed(const struct ike_sa *sa, const struct ike_message *message)
{
    bool same_local = address_same_host(&sa->local, &message->local);

    if (same_local && address_equal(&sa->remote, &message->remote))
        return true;
    if (ikev2_of(sa)->mobike) /* RFC 4555 section 3.10: a message may try another path */
        return sa->keys.size > 0;
    if (sa->state == IKE_AWAIT_AUTH_REQUEST) /* the float to port 4500 */
        return same_local && (sa->nat_there || address_same_host(&sa->remote, &message->remote));
    return same_local && sa->nat_there && sa->keys.size > 0;
}

static bool may_follow(const struct context *context, const struct ike_sa *sa,
                       const struct address *remote)
{
    return sa->state == IKE_ESTABLISHED && sa->nat_there && !sa->nat_here &&
           !ike_sa_rests(context, sa) && remote->family == sa->remote.family &&
           !address_equal(&sa->remote, remote) && mobike_can_move(context->sas, sa, remote);
}

/* Without memory the reply goes to where the SA is then. */
static void note_asker(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message)
{
    if (ikev2_of(sa)->asker == NULL)
        ikev2_of(sa)->asker = calloc(1, sizeof(*ikev2_of(sa)->asker));
    if (ikev2_of(sa)->asker == NULL)
        count(context, COUNTER_FAILURES);
    else
        *ikev2_of(sa)->asker = (struct asker){.at = message->local, .from = message->remote};
}

/* IKE_SA_INIT has proven the peer's address; its port is another one behind a NAT.  With IKE_AUTH
 * from another address it is to answer from there first. */
static void float_to(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    bool same_host = address_same_host(&sa->handshake->came_from, &message->remote);

    sa->local = message->local;
    sa->remote.port = message->remote.port;
    sa->encap = sa->encap && sa->local.port == NAT_PORT_BOTH;
    if (!same_host)
        (void)trial_begin(context, sa, &message->local, &message->remote, NULL);
}

/* RFC 4555 section 3.10: the first answer came from another address of the peer's. */
static bool is_other_path(const struct context *context, const struct ike_sa *sa,
                          const struct ike_message *message)
{
    return sa->state == IKE_ESTABLISHED && ikev2_of(sa)->mobike && sa->leads && !trial_is_on(sa) &&
           ike_message_is_response(message) && address_same_host(&sa->local, &message->local) &&
           !address_same_host(&sa->remote, &message->remote) &&
           mobike_can_move(context->sas, sa, &message->remote);
}

void path_take(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    bool response = ike_message_is_response(message);

    if (!response)
        note_asker(context, sa, message);
    if (sa->state == IKE_AWAIT_AUTH_REQUEST)
        float_to(context, sa, message);
    else if ((is_other_path(context, sa, message) ||
              (!ikev2_of(sa)->mobike && may_follow(context, sa, &message->remote))) &&
             trial_begin(context, sa, &sa->local, &message->remote, NULL) && !response)
        trial_ask(context, sa);
}

void ikev2_mapping(struct context *context, struct ike_sa *sa, const struct address *source)
{
    if (!may_follow(context, sa, source) || !trial_begin(context, sa, &sa->local, source, NULL))
        return;
    trial_ask(context, sa);
    event_due(context, sa);
}

/* --- Our own address --- */

void ikev2_ask_again(struct context *context, struct ike_sa *sa)
{
    const struct request *request = ikev2_of(sa)->request;

    if (sa->state == IKE_ESTABLISHED && request != NULL && request->tries > 0)
        ike_sa_timer(context, &ikev2_of(sa)->request->retransmit.timer, context->now_ms);
}

void ikev2_ask_source(struct context *context, struct ike_sa *sa)
{
    struct mobike_state *movement = mobike_state(sa);

    if (movement == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    if (movement->step.awaited > 0) {
        movement->again = true;
        return;
    }
    step_begin(sa, &movement->step);
    (void)(ike_sa_find_source(context, sa, &movement->step) == false); /* it is counted */
}

/* An attempt whose request has not been answered says the new address from now on. */
static void restart_attempt(struct context *context, struct ike_sa *sa,
                            const struct address *source)
{
    struct reason reason = {0};

    sa->local = *source;
    enum status status = init_request_send(context, sa, &reason);
    if (status != STATUS_OK)
        event_settled(context, sa, status, &reason);
}

void path_source(struct context *context, struct ike_sa *sa, const struct answer *answer)
{
    struct address source = answer->source;
    char remote[ADDRESS_TEXT_MAX];

    if (ikev2_of(sa)->movement->again) {
        ikev2_of(sa)->movement->again = false;
        ikev2_ask_source(context, sa);
        return;
    }
    if (answer->status != STATUS_OK) {
        report(context, sa, SEVERITY_INFO, "no-route", "there is no way to %s for now",
               address_text(&sa->remote, remote));
        return;
    }
    if (address_same_host(&source, &sa->local) || source.family != sa->remote.family)
        return;
    source.port = sa->local.port;
    trial_change_local(sa, &source);
    if (sa->state == IKE_AWAIT_INIT_REPLY) {
        restart_attempt(context, sa, &source);
    } else if (sa->state == IKE_ESTABLISHED && ikev2_of(sa)->mobike) {
        ike_sa_move(context, sa, &source, &sa->remote);
        ikev2_of(sa)->update_due = sa->leads;
        ikev2_of(sa)->announce_due = !sa->leads;
        message_send_again(context, sa);
        event_due(context, sa);
    } else if (sa->state == IKE_ESTABLISHED && sa->initiator && !sa->delete_asked) {
        event_replace(context, sa); /* without MOBIKE a new IKE SA takes all over */
    }
}
