/*
 * A request of ours that is not answered: sent again, or given up.  See retransmit.h.
 */
#include "lib/ikev2/retransmit.h"

#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/message.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"

#define DELETE_TRIES 3 /* a peer that does not answer a Delete is let go */
#define HASTY_TRIES  3 /* of a handshake, where ike_sa.hasty says so */

static const char *request_name(const struct ike_sa *sa)
{
    switch ((enum ike_state)sa->state) {
    case IKE_AWAIT_INIT_REPLY: return "IKE_SA_INIT";
    case IKE_AWAIT_AUTH_REPLY: return "IKE_AUTH";
    case IKE_AWAIT_DELETE_REPLY: return "the Delete";
    default: return "a request";
    }
}

/* There are other addresses. */
static bool is_hasty_handshake(const struct ike_sa *sa)
{
    return sa->hasty && sa->handshake != NULL;
}

/* How often it is sent again before the peer is given up. */
static uint32_t tries_max(const struct context *context, const struct ike_sa *sa)
{
    uint32_t tries = message_tries_max(context, sa);

    if (sa->state == IKE_AWAIT_DELETE_REPLY && tries > DELETE_TRIES)
        return DELETE_TRIES;
    return is_hasty_handshake(sa) && tries > HASTY_TRIES ? HASTY_TRIES : tries;
}

static void tell_retransmission(struct context *context, struct ike_sa *sa)
{
    uint32_t max = tries_max(context, sa);
    uint64_t wait_ms = heap_due_ms(context->timers, &ikev2_of(sa)->request->retransmit.timer.node) -
                       context->now_ms;
    char remote[ADDRESS_TEXT_MAX];
    struct reason reason;

    reason_set(&reason, STATUS_OK, 0,
               "no answer from %s to %s: retransmission %u of %u, %s in %llu.%llu s",
               address_text(&sa->remote, remote), request_name(sa), ikev2_of(sa)->request->tries,
               max, ikev2_of(sa)->request->tries < max ? "the next" : "given up",
               (unsigned long long)(wait_ms / 1000), (unsigned long long)(wait_ms % 1000 / 100));
    event_sent_again(context, sa, reason.text);
    report(context, sa, SEVERITY_DEBUG, "sent-again", "%s", reason.text);
    /* Whether this one goes out is yet to be seen. */
    if (sa->handshake != NULL && sa->handshake->unsent)
        sa->handshake->refusal = (struct reason){0};
    if (sa->handshake != NULL)
        sa->handshake->unsent = false;
}

/* Why there was no answer to a request of ours, after all tries. */
static void set_unanswered(const struct ike_sa *sa, struct reason *reason)
{
    const struct handshake *handshake = sa->handshake;
    char remote[ADDRESS_TEXT_MAX];

    address_text(&sa->remote, remote);
    if (sa->state == IKE_AWAIT_DELETE_REPLY)
        reason_set(reason, STATUS_CLOSE, 0, "closed, though the peer did not answer the Delete");
    else if (handshake != NULL && handshake->unsent)
        reason_set(reason, STATUS_CLOSE, 0, "%s to %s cannot be sent: %.200s", request_name(sa),
                   remote, handshake->refusal.text);
    else if (handshake != NULL && handshake->refusal.text[0] != '\0')
        reason_set(reason, STATUS_CLOSE, 0, "no usable answer after %u tries: %.150s",
                   ikev2_of(sa)->request->tries + 1u, handshake->refusal.text);
    else
        reason_set(reason, STATUS_CLOSE, 0, "no answer from %s to %s after %u tries", remote,
                   request_name(sa), ikev2_of(sa)->request->tries + 1u);
}

void retransmit_due(struct context *context, struct protocol_timer *timer)
{
    struct ike_sa *sa = timer->sa;
    uint8_t tries = ikev2_of(sa)->request->tries;
    bool closing = sa->state == IKE_AWAIT_DELETE_REPLY;
    struct reason reason = {0};

    if (!(closing && tries >= DELETE_TRIES) && !(is_hasty_handshake(sa) && tries >= HASTY_TRIES) &&
        message_retransmit(context, sa)) {
        tell_retransmission(context, sa);
        return;
    }
    set_unanswered(sa, &reason);
    event_unanswered(context, sa, &reason);
}
