/*
 * Where an SA's messages may come from, and when the SA follows them: port 4500, and peers behind a
 * NAT whose mapping changes.  RFC 7296 sections 2.11 and 2.23, RFC 4555 section 3.8.
 *
 * A reply goes where its request came from.  The SA itself follows only what is authenticated and
 * new, only a peer behind a NAT, from an end that is behind none, and only to where the peer has
 * answered from (lib/ikev2/trial.h).
 */
#include <stdlib.h>

#include "lib/engine/private.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/context.h"
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

static bool may_follow(const struct engine *engine, const struct ike_sa *sa,
                       const struct address *remote)
{
    return sa->state == IKE_ESTABLISHED && sa->nat_there && !sa->nat_here &&
           !ike_sa_rests(&engine->context, sa) && remote->family == sa->remote.family &&
           !address_equal(&sa->remote, remote) && mobike_can_move(&engine->sas, sa, remote);
}

/* Only messages of IKE count as sent: nobody tells when ESP last was. */
void path_keepalive_due(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    if (sa->sent_ms + sa->connection->keepalive_s * 1000ull <= context->now_ms) {
        message_send_keepalive(context, sa);
        sa->sent_ms = context->now_ms;
    }
    nat_keepalive(context, sa);
}

/* Without memory the reply goes to where the SA is then. */
static void note_asker(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    if (ikev2_of(sa)->asker == NULL)
        ikev2_of(sa)->asker = calloc(1, sizeof(*ikev2_of(sa)->asker));
    if (ikev2_of(sa)->asker == NULL)
        count(&engine->context, COUNTER_FAILURES);
    else
        *ikev2_of(sa)->asker = (struct asker){.at = message->local, .from = message->remote};
}

/* IKE_SA_INIT has proven the peer's address; its port is another one behind a NAT.  With IKE_AUTH
 * from another address it is to answer from there first. */
static void float_to(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    bool same_host = address_same_host(&sa->handshake->came_from, &message->remote);

    sa->local = message->local;
    sa->remote.port = message->remote.port;
    sa->encap = sa->encap && sa->local.port == NAT_PORT_BOTH;
    if (!same_host)
        (void)trial_begin(&engine->context, sa, &message->local, &message->remote, NULL);
}

/* RFC 4555 section 3.10: the first answer came from another address of the peer's. */
static bool is_other_path(const struct engine *engine, const struct ike_sa *sa,
                          const struct ike_message *message)
{
    return sa->state == IKE_ESTABLISHED && ikev2_of(sa)->mobike && sa->leads && !trial_is_on(sa) &&
           ike_message_is_response(message) && address_same_host(&sa->local, &message->local) &&
           !address_same_host(&sa->remote, &message->remote) &&
           mobike_can_move(&engine->sas, sa, &message->remote);
}

void path_take(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    struct context *context = &engine->context;
    bool response = ike_message_is_response(message);

    if (!response)
        note_asker(engine, sa, message);
    if (sa->state == IKE_AWAIT_AUTH_REQUEST)
        float_to(engine, sa, message);
    else if ((is_other_path(engine, sa, message) ||
              (!ikev2_of(sa)->mobike && may_follow(engine, sa, &message->remote))) &&
             trial_begin(context, sa, &sa->local, &message->remote, NULL) && !response)
        trial_ask(context, sa);
}

void path_mapping(struct engine *engine, const struct kernel_event *event)
{
    struct child_sa *child =
        sa_table_find_child(&engine->sas, event->protocol, event->spi, &event->destination);
    struct ike_sa *sa = child == NULL ? NULL : child->owner;

    if (sa == NULL || child->spi_in != event->spi || !child->encap || event->source.port == 0 ||
        !address_is_host(&event->source) || !may_follow(engine, sa, &event->source) ||
        !trial_begin(&engine->context, sa, &sa->local, &event->source, NULL))
        return;
    trial_ask(&engine->context, sa);
    sa_wishes(engine, sa);
}

/* --- Our own address --- */

static void ask_source(struct engine *engine, struct ike_sa *sa)
{
    struct mobike_state *movement = mobike_state(sa);

    if (movement == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        return;
    }
    if (movement->step.awaited > 0) {
        movement->again = true;
        return;
    }
    step_begin(sa, &movement->step);
    (void)(ike_sa_find_source(&engine->context, sa, &movement->step) == false); /* it is counted */
}

/* What waits for an answer is sent at once: there may be a way again. */
static void ask_again(struct engine *engine)
{
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        if (sa->state == IKE_ESTABLISHED && ikev2_of(sa)->request != NULL &&
            ikev2_of(sa)->request->tries > 0)
            ike_sa_timer(&engine->context, &ikev2_of(sa)->request->retransmit,
                         engine->context.now_ms);
}

void path_addresses(struct engine *engine)
{
    struct ike_sa *sa;

    ask_again(engine);
    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        if (sa->connection->local.family == FAMILY_NONE && !sa->inherited &&
            (sa->state == IKE_ESTABLISHED || sa->state == IKE_AWAIT_INIT_REPLY))
            ask_source(engine, sa);
}

/* An attempt whose request has not been answered says the new address from now on. */
static void restart_attempt(struct engine *engine, struct ike_sa *sa, const struct address *source)
{
    struct reason reason = {0};

    sa->local = *source;
    enum status status = init_request_send(&engine->context, sa, &reason);
    if (status != STATUS_OK)
        sa_settle(engine, sa, status, &reason);
}

void path_source(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    struct context *context = &engine->context;
    struct address source = answer->source;
    char remote[ADDRESS_TEXT_MAX];

    if (ikev2_of(sa)->movement->again) {
        ikev2_of(sa)->movement->again = false;
        ask_source(engine, sa);
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
        restart_attempt(engine, sa, &source);
    } else if (sa->state == IKE_ESTABLISHED && ikev2_of(sa)->mobike) {
        ike_sa_move(context, sa, &source, &sa->remote);
        ikev2_of(sa)->update_due = sa->leads;
        ikev2_of(sa)->announce_due = !sa->leads;
        message_send_again(context, sa);
        sa_wishes(engine, sa);
    } else if (sa->state == IKE_ESTABLISHED && sa->initiator && !sa->delete_asked) {
        sa_replace(engine, sa); /* without MOBIKE a new IKE SA takes all over */
    }
}
