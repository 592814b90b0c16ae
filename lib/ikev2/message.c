/*
 * IKEv2 messages of an SA: see message.h.
 */
#include "lib/ikev2/message.h"

#include <stdlib.h>

#include "lib/ikev2/datagram.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
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
    retransmit_arm(context, sa);
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
    retransmit_arm(context, sa);
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
