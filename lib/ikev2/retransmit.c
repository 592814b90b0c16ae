/*
 * A request of ours that is not answered: sent again, or given up.  See retransmit.h.
 */
#include "lib/ikev2/retransmit.h"

#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/timer.h"

#define DELETE_TRIES 3 /* a peer that does not answer a Delete is let go */
#define HASTY_TRIES  3 /* of a handshake, where ike_sa.hasty says so */

/* A first wait this many times doubled is the longest (RFC 7296 section 2.4 leaves it to us). */
#define BACKOFF_DOUBLINGS_MAX 6

/* An established peer is asked again at least so often, unless the first wait is longer. */
#define WATCHED_WAIT_MS 2500
/* Given up is one who says, maybe, that it has forgotten us, after so many first waits; and one to
 * whom we send in vain after this time: more than the outages that pass by themselves. */
#define HASTY_WAITS 7
#define UNHEARD_MS  35000

/* How often a large message goes unanswered before it is cut smaller (RFC 7383 section 2.5.2). */
#define SIZE_TRIES 2

/* Is it the request of an SA that stands, whose peer is dead when it does not answer? */
static bool is_watched(const struct ike_sa *sa)
{
    return sa->state == IKE_ESTABLISHED && sa->handshake == NULL;
}

/* The wait after so many tries, each twice the one before. */
static uint64_t doubled_ms(const struct context *context, uint32_t tries)
{
    unsigned doublings = tries < BACKOFF_DOUBLINGS_MAX ? tries : BACKOFF_DOUBLINGS_MAX;

    return (uint64_t)context->config->daemon.retransmit_ms << doublings;
}

/* RFC 4555 section 3.11: the peer that may move is given the time to find another way. */
static bool is_awaited_long(const struct ike_sa *sa)
{
    return ikev2_of(sa)->mobike && !sa->leads && sa->connection->remote.family == FAMILY_NONE;
}

/* How long the answer of a peer that stands is awaited: as long as the configured tries take, and
 * less where there is a hint that it has lost its SAs (RFC 7296 section 2.4). */
static uint64_t patience_ms(const struct context *context, const struct ike_sa *sa)
{
    uint64_t first_ms = context->config->daemon.retransmit_ms;
    uint64_t patience = 0;

    for (uint32_t i = 0; i <= context->config->daemon.retransmit_tries; i++)
        patience += doubled_ms(context, i);
    if (sa->hasty && patience > HASTY_WAITS * first_ms)
        return HASTY_WAITS * first_ms;
    if (sa->unheard && patience > UNHEARD_MS && !is_awaited_long(sa))
        return UNHEARD_MS;
    return patience;
}

/* An outage is over for IKE as soon as for ESP: the waits for a peer that stood do not grow
 * long. */
static uint64_t wait_ms(const struct context *context, const struct ike_sa *sa, uint32_t tries)
{
    uint64_t first_ms = context->config->daemon.retransmit_ms;
    uint64_t longest = first_ms > WATCHED_WAIT_MS ? first_ms : WATCHED_WAIT_MS;
    uint64_t wait = doubled_ms(context, tries);

    if (!is_watched(sa))
        return wait;
    return sa->hasty ? first_ms : wait < longest ? wait : longest;
}

/* About how often it is sent again before that. */
static uint32_t watched_tries(const struct context *context, const struct ike_sa *sa)
{
    uint64_t patience = patience_ms(context, sa);
    uint64_t waited = 0;
    uint32_t tries = 0;

    if (!is_watched(sa))
        return context->config->daemon.retransmit_tries;
    while ((waited += wait_ms(context, sa, tries)) < patience)
        tries++;
    return tries;
}

/* Is it time to give up? */
static bool is_over(const struct context *context, const struct ike_sa *sa)
{
    const struct request *request = ikev2_of(sa)->request;

    if (!is_watched(sa))
        return request->tries >= context->config->daemon.retransmit_tries;
    return context->now_ms - request->since_ms >= patience_ms(context, sa);
}

/* Half of the wait is fixed, half is chance, so that many SAs do not fall into step. */
void retransmit_arm(struct context *context, struct ike_sa *sa)
{
    uint64_t wait = wait_ms(context, sa, ikev2_of(sa)->request->tries);
    uint64_t end_ms = ikev2_of(sa)->request->since_ms + patience_ms(context, sa);
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    uint64_t due_ms = context->now_ms + wait - wait / 8 + chance % (wait / 4 + 1);
    if (is_watched(sa) && due_ms > end_ms)
        due_ms = end_ms > context->now_ms ? end_ms : context->now_ms;
    ike_sa_timer(context, &ikev2_of(sa)->request->retransmit.timer, due_ms);
}

/* RFC 7383 section 2.5.2: it may have been too large for the path.  Waits and tries begin anew. */
static bool try_smaller(struct context *context, struct ike_sa *sa)
{
    uint16_t size = fragment_cut_smaller(context, sa, &ikev2_of(sa)->request->octets);

    if (size == 0)
        return false;
    ikev2_of(sa)->datagram_max = size;
    ikev2_of(sa)->request->tries = 0;
    ikev2_of(sa)->request->since_ms = context->now_ms;
    report(context, sa, SEVERITY_INFO, "fragments-smaller",
           "a large message is not answered: from now on in datagrams of at most %u octets", size);
    return true;
}

/* Sends the request again; false when the answer was awaited for long enough.  The waits grow: in a
 * handshake exponentially, for an established peer only at first. */
static bool send_again(struct context *context, struct ike_sa *sa)
{
    struct request *request = ikev2_of(sa)->request;
    bool over = is_over(context, sa);
    bool smaller = (request->tries >= SIZE_TRIES || over) && try_smaller(context, sa);

    if (!smaller && over)
        return false;
    if (!smaller && request->tries < UINT8_MAX)
        request->tries++;
    count(context, COUNTER_RETRANSMITS);
    sa->sent_ms = context->now_ms;
    trial_send_again(context, sa);
    retransmit_arm(context, sa);
    return true;
}

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
    uint32_t tries = watched_tries(context, sa);

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
        send_again(context, sa)) {
        tell_retransmission(context, sa);
        return;
    }
    set_unanswered(sa, &reason);
    event_unanswered(context, sa, &reason);
}
