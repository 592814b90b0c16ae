/*
 * IKEv2 messages of an SA: see message.h.
 */
#include "lib/ikev2/message.h"

#include <stdlib.h>

#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/reassembly.h"
#include "lib/ikev2/retransmit.h"
#include "lib/ikev2/sealed.h"
#include "lib/ikev2/trace.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/timer.h"

/* RFC 7296 section 2.1: "several minutes".  No peer that is known to us asks for as long. */
#define REPLY_KEPT_MS 300000
/* A first wait this many times doubled is the longest (RFC 7296 section 2.4 leaves it to us). */
#define BACKOFF_DOUBLINGS_MAX 6

/* An established peer is asked again at least so often, unless the first wait is longer. */
#define WATCHED_WAIT_MS 2500
/* Given up is one who says, maybe, that it has forgotten us, after so many first waits; and one to
 * whom we send in vain after this time: more than the outages that pass by themselves. */
#define HASTY_WAITS 7
#define UNHEARD_MS  35000

/* Whoever has seen a request can send it again in anybody's name: other places than the peer's are
 * answered at most once in this time. */
#define ELSEWHERE_MS 1000

/* How often a large message goes unanswered before it is cut smaller (RFC 7383 section 2.5.2). */
#define SIZE_TRIES 2

void message_begin(struct context *context, const struct ike_sa *sa, struct v2_writer *writer,
                   uint8_t exchange, bool response)
{
    struct ike_header header = {
        .spi_i = sa->spi_i,
        .spi_r = sa->spi_r,
        .version = 0x20,
        .exchange = exchange,
        .flags =
            (uint8_t)((sa->initiator ? V2_FLAG_INITIATOR : 0) | (response ? V2_FLAG_RESPONSE : 0)),
        .message_id = response ? ikev2_of(sa)->expected : ikev2_of(sa)->next_request,
    };

    v2_message_begin(writer, context->scratch, IKE_MESSAGE_MAX, &header);
}

void message_begin_sealed(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                          uint8_t exchange, bool response)
{
    message_begin(context, sa, writer, exchange, response);
    sealed_begin(context, sa, writer);
}

enum status message_seal(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                         struct slice *bytes, struct reason *reason)
{
    if (!sealed_end(sa, writer))
        return reason_set(reason, STATUS_FAIL, 0, "a message of ours grew too large");
    trace_sealed(context, sa, writer);
    if (writer->bytes.size > fragment_message_max(sa))
        return fragment_cut(context, sa, writer, bytes, reason);
    *bytes = writer_slice(&writer->bytes);
    return sealed_encrypt(context, sa, writer);
}

static enum status open_whole(struct context *context, const struct ike_sa *sa,
                              const struct ike_message *message, struct slice *inner,
                              struct reason *reason)
{
    const struct v2_payload_item *sk = v2_payloads_find(&message->payloads, V2_SK, NULL);

    if (sk == NULL)
        return reason_set(reason, STATUS_DROP, 0, "no whole Encrypted payload");
    return sealed_open(context, sa, false, message->data, message->size, sk->body, inner, reason);
}

enum status message_open(struct context *context, struct ike_sa *sa, struct ike_message *message,
                         uint8_t *critical_type, struct reason *reason)
{
    bool fragment = v2_payloads_find(&message->payloads, V2_SKF, NULL) != NULL;
    uint8_t first = message->payloads.sk_next;
    struct slice inner;
    enum status status = fragment ? fragment_open(context, sa, message, &first, reason)
                                  : open_whole(context, sa, message, &inner, reason);

    if (status == STATUS_DROP || status == STATUS_WAIT)
        return status;
    reassembly_end(context, sa, ike_message_is_response(message));
    if (fragment)
        inner = buffer_slice(&message->whole);
    if (status == STATUS_OK)
        status = v2_payloads_parse(&message->payloads, first, inner, critical_type, reason);
    return status;
}

struct slice message_next(struct reader *datagrams)
{
    struct reader header = *datagrams;

    reader_skip(&header, IKE_HEADER_SIZE - 4);
    return reader_bytes(datagrams, reader_u32(&header));
}

void message_send(struct context *context, const struct address *local,
                  const struct address *remote, struct slice bytes)
{
    struct effect *effect = effect_append(context->effects, EFFECT_SEND, (struct ticket){0});

    if (effect == NULL || !buffer_copy(&effect->send.data, bytes)) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->send.local = *local;
    effect->send.remote = *remote;
    count(context, COUNTER_PACKETS_OUT);
}

void message_send_datagrams(struct context *context, const struct address *local,
                            const struct address *remote, struct slice datagrams)
{
    struct reader reader = reader_of(datagrams);
    struct slice bytes;

    while ((bytes = message_next(&reader)).size > 0)
        message_send(context, local, remote, bytes);
}

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

uint32_t message_tries_max(const struct context *context, const struct ike_sa *sa)
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
static void arm_retransmit(struct context *context, struct ike_sa *sa)
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

enum status message_send_request(struct context *context, struct ike_sa *sa, struct slice bytes)
{
    if (ikev2_of(sa)->request == NULL)
        ikev2_of(sa)->request = calloc(1, sizeof(*ikev2_of(sa)->request));
    if (ikev2_of(sa)->request == NULL || !buffer_copy(&ikev2_of(sa)->request->octets, bytes))
        return STATUS_FAIL;
    ikev2_of(sa)->request->retransmit.timer.kind = TIMER_PROTOCOL;
    ikev2_of(sa)->request->retransmit.sa = sa;
    ikev2_of(sa)->request->retransmit.due = retransmit_due;
    ikev2_of(sa)->request->deleting = 0;
    ikev2_of(sa)->request->tries = 0;
    ikev2_of(sa)->request->since_ms = context->now_ms;
    sa->sent_ms = context->now_ms;
    trace_plain(context, sa, &sa->remote, bytes);
    trial_send(context, sa);
    arm_retransmit(context, sa);
    return STATUS_OK;
}

enum status message_finish_request(struct context *context, struct ike_sa *sa,
                                   struct v2_writer *writer, struct reason *reason)
{
    struct slice bytes;
    enum status status = message_seal(context, sa, writer, &bytes, reason);

    return status == STATUS_OK ? message_send_request(context, sa, bytes) : status;
}

enum status message_finish_response(struct context *context, struct ike_sa *sa,
                                    struct v2_writer *writer, struct reason *reason)
{
    struct slice bytes;
    enum status status = message_seal(context, sa, writer, &bytes, reason);

    return status == STATUS_OK ? message_send_response(context, sa, bytes) : status;
}

void message_send_again(struct context *context, struct ike_sa *sa)
{
    if (ikev2_of(sa)->request == NULL)
        return;
    ikev2_of(sa)->request->tries = 0;
    ikev2_of(sa)->request->since_ms = context->now_ms;
    sa->sent_ms = context->now_ms;
    trial_send(context, sa);
    arm_retransmit(context, sa);
}

void message_request_done(struct context *context, struct ike_sa *sa)
{
    ikev2_end_request(context, sa);
    ikev2_of(sa)->next_request++;
}

static void reply_left(struct ike_sa *sa)
{
    ikev2_of(sa)->reply_waits = false;
    free(ikev2_of(sa)->asker);
    ikev2_of(sa)->asker = NULL;
}

static void send_reply(struct context *context, struct ike_sa *sa)
{
    const struct asker *asker = ikev2_of(sa)->asker;

    sa->sent_ms = context->now_ms;
    message_send_datagrams(context, asker != NULL ? &asker->at : &sa->local,
                           asker != NULL ? &asker->from : &sa->remote,
                           buffer_slice(&ikev2_of(sa)->reply));
    reply_left(sa);
}

enum status message_send_response(struct context *context, struct ike_sa *sa, struct slice bytes)
{
    ikev2_of(sa)->expected++;
    ikev2_of(sa)->repeats = 0;
    if (!buffer_copy(&ikev2_of(sa)->reply, bytes))
        return STATUS_FAIL;
    ikev2_of(sa)->replied_ms = context->now_ms;
    trace_plain(context, sa, &sa->remote, bytes);
    if (!ikev2_of(sa)->reply_waits)
        send_reply(context, sa);
    return STATUS_OK;
}

void message_release_response(struct context *context, struct ike_sa *sa)
{
    if (ikev2_of(sa)->reply_waits)
        send_reply(context, sa);
}

/* Has the request come again as it came first?  Anybody who saw it can send it from elsewhere. */
static bool asks_again(const struct ike_sa *sa, const struct ike_message *request)
{
    return ikev2_of(sa)->asker == NULL ||
           (address_equal(&ikev2_of(sa)->asker->from, &request->remote) &&
            address_equal(&ikev2_of(sa)->asker->at, &request->local));
}

void message_repeat_response(struct context *context, struct ike_sa *sa,
                             const struct ike_message *request)
{
    uint32_t now_ms = (uint32_t)context->now_ms;

    if (!address_equal(&request->remote, &sa->remote)) {
        if (ikev2_of(sa)->elsewhere_ms != 0 && now_ms - ikev2_of(sa)->elsewhere_ms < ELSEWHERE_MS) {
            count(context, COUNTER_REPLIES_HELD);
            return;
        }
        ikev2_of(sa)->elsewhere_ms = now_ms;
    }
    count(context, COUNTER_REPLAYED_REPLIES);
    if (ikev2_of(sa)->repeats > 0 && ikev2_of(sa)->repeats % SIZE_TRIES == 0)
        (void)fragment_cut_smaller(context, sa, &ikev2_of(sa)->reply);
    if (ikev2_of(sa)->repeats <= FRAGMENT_STEPS * SIZE_TRIES)
        ikev2_of(sa)->repeats++;
    if (ikev2_of(sa)->reply_waits && asks_again(sa, request))
        reply_left(sa);
    message_send_datagrams(context, &request->local, &request->remote,
                           buffer_slice(&ikev2_of(sa)->reply));
}

void message_forget_reply(const struct context *context, struct ike_sa *sa)
{
    if (context->now_ms - ikev2_of(sa)->replied_ms >= REPLY_KEPT_MS)
        buffer_free(&ikev2_of(sa)->reply);
}

enum status message_respond_notify(struct context *context, struct ike_sa *sa, uint8_t exchange,
                                   uint16_t type, struct slice data)
{
    struct v2_writer writer;
    struct reason reason;

    message_begin_sealed(context, sa, &writer, exchange, true);
    v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), type, data);
    enum status status = message_finish_response(context, sa, &writer, &reason);
    if (type < V2_N_FIRST_STATUS)
        count(context, COUNTER_ERRORS_SENT);
    return status;
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

bool message_retransmit(struct context *context, struct ike_sa *sa)
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
    arm_retransmit(context, sa);
    return true;
}

enum group message_find_group(const struct ike_message *message)
{
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, V2_KE, NULL);
    struct reason unused;
    struct v2_ke ke;

    return item != NULL && v2_ke_parse(&ke, item->body, &unused) == STATUS_OK
               ? group_from_wire(ke.group)
               : GROUP_NONE;
}

enum status message_check_ke(const struct v2_ke *ke, enum group group, struct reason *reason)
{
    const struct group_info *info = group_info(group);

    if (ke->group != info->wire)
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_KE,
                          "the peer's KE is for group %u, chosen is %s", ke->group, info->name);
    if (ke->data.size != info->public_size)
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                          "KE for %s has %zu octets, expected %u", info->name, ke->data.size,
                          info->public_size);
    return STATUS_OK;
}

bool message_find_notify(const struct ike_message *message, uint16_t type,
                         struct v2_notify_body *notify)
{
    const struct v2_payload_item *item = NULL;
    struct reason reason;

    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(notify, item->body, &reason) == STATUS_OK && notify->type == type)
            return true;
    return false;
}

uint16_t message_find_error(const struct ike_message *message)
{
    const struct v2_payload_item *item = NULL;
    struct v2_notify_body notify;
    struct reason reason;

    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(&notify, item->body, &reason) == STATUS_OK &&
            notify.type < V2_N_FIRST_STATUS)
            return notify.type;
    return 0;
}
