/*
 * One packet's way: header, SA, window, row, verification, payloads, exchange.
 * RFC 7296 sections 2.1-2.5, 2.21.4 and 3.1.
 *
 * Until a message is verified nothing about its SA changes; whatever does not fit is dropped with
 * a counter and no other trace.
 */
#include <stdio.h>

#include "lib/engine/change.h"
#include "lib/engine/private.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/trace.h"
#include "lib/policy/match.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

/* An error reply without state, to a request that has no SA here.  Rate limited (R24). */
static void respond_error(struct engine *engine, const struct ike_message *message,
                          enum error_kind kind, uint16_t type, struct slice data)
{
    struct context *context = &engine->context;

    if (!admission_error(engine, message, kind))
        return;
    count(context, COUNTER_ERRORS_SENT);
    if (type == V2_N_INVALID_KE_PAYLOAD)
        count(context, COUNTER_INVALID_KE_SENT);
    else if (type == V2_N_NO_PROPOSAL_CHOSEN)
        count(context, COUNTER_NO_PROPOSAL_SENT);
    init_respond_notify(context, message, type, data);
}

static bool is_init_request(const struct ike_header *header)
{
    return header->exchange == V2_IKE_SA_INIT && (header->flags & V2_FLAG_RESPONSE) == 0;
}

static void drop(struct engine *engine, enum counter counter, const struct ike_message *message,
                 const char *why)
{
    char remote[ADDRESS_TEXT_MAX];

    count(&engine->context, counter);
    if (!engine->context.debug)
        return;
    report(&engine->context, NULL, SEVERITY_DEBUG, "dropped", "%s from %s: %s",
           v2_exchange_name(message->header.exchange), address_text(&message->remote, remote), why);
}

static uint64_t digest(const struct engine *engine, const struct ike_message *message)
{
    return hash_keyed(engine->sas.hash_key, slice_of(message->data, message->size));
}

/* Is it the peer's last request?  By its bytes, those of its first fragment when it has several;
 * cut anew it has other bytes, and must verify (RFC 7383 section 2.6.1). */
static bool is_repeated(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    uint64_t this_digest = digest(engine, message);

    if (this_digest == ikev2_of(sa)->request_digest)
        return true;
    if (!fragment_repeats(&engine->context, sa, message))
        return false;
    ikev2_of(sa)->request_digest = this_digest;
    return true;
}

/* The reply that a repeated request is owed. */
static void repeat_reply(struct engine *engine, struct ike_sa *sa,
                         const struct ike_message *message)
{
    if (ikev2_of(sa)->reply.size == 0)
        drop(engine, COUNTER_DROP_WINDOW, message, "an old request whose reply is forgotten");
    else if (is_repeated(engine, sa, message))
        message_repeat_response(&engine->context, sa, message);
    else
        drop(engine, COUNTER_DROP_WINDOW, message, "an old request with other contents");
}

/* One line about a stranger, and no more than one in a second: the others are for debugging. */
static bool report_stranger(struct engine *engine, const struct ike_message *message,
                            const char *event, const char *why)
{
    bool told = admission_report(engine);
    char remote[ADDRESS_TEXT_MAX];

    report(&engine->context, NULL, told ? SEVERITY_WARNING : SEVERITY_DEBUG, event,
           "IKE_SA_INIT from %s: %s", address_text(&message->remote, remote), why);
    return told;
}

/* For who looks at the connection that the stranger would have had.  It has not proven its address,
 * so nothing is noted where all is well. */
static void note_refusal(struct engine *engine, const struct ike_message *message, const char *why)
{
    const struct connection *connection =
        choose_connection(engine->config, &message->local, &message->remote, NULL);
    struct link *link = connection == NULL || connection->remote.family == FAMILY_NONE
                            ? NULL
                            : link_find(engine, connection->name);
    char text[REASON_TEXT_MAX];

    if (link == NULL || link_is_whole(link))
        return;
    snprintf(text, sizeof(text), "refused the peer's IKE_SA_INIT: %.350s", why);
    link_note(engine, link, text);
}

static void init_request_reject(struct engine *engine, const struct ike_message *message,
                                uint16_t group, const struct reason *reason)
{
    uint8_t bytes[2];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    writer_u16(&writer, group);
    if (reason->notify == V2_N_NO_PROPOSAL_CHOSEN &&
        report_stranger(engine, message, "no-proposal", reason->text))
        note_refusal(engine, message, reason->text);
    respond_error(engine, message, ERROR_TO_FIRST, reason->notify,
                  reason->notify == V2_N_INVALID_KE_PAYLOAD ? writer_slice(&writer)
                                                            : slice_of(NULL, 0));
}

/* Cuts the chain of payloads.  A first request that cannot be read is told so. */
static bool parse_payloads(struct engine *engine, struct ike_message *message)
{
    struct reader reader = reader_of(slice_of(message->data, message->size));
    struct reason reason = {0};
    uint8_t critical_type = 0;

    reader_skip(&reader, IKE_HEADER_SIZE);
    enum status status = v2_payloads_parse(&message->payloads, message->header.next_payload,
                                           reader_rest(&reader), &critical_type, &reason);
    if (status == STATUS_OK)
        return true;
    bool critical = reason.notify == V2_N_UNSUPPORTED_CRITICAL_PAYLOAD;
    drop(engine, critical ? COUNTER_DROP_CRITICAL : COUNTER_DROP_SYNTAX, message, reason.text);
    if (is_init_request(&message->header))
        respond_error(engine, message, ERROR_TO_FIRST, reason.notify,
                      slice_of(&critical_type, critical ? 1 : 0));
    return false;
}

/* Is it the first message of an initiator that some connection may be for, and unknown so far? */
static bool is_news(struct engine *engine, const struct ike_message *message)
{
    const struct ike_header *header = &message->header;

    if (header->spi_i == 0 || header->spi_r != 0 || header->message_id != 0 ||
        (header->flags & V2_FLAG_INITIATOR) == 0) {
        drop(engine, COUNTER_DROP_SYNTAX, message, "not the first message of an initiator");
        return false;
    }
    struct ike_sa *known = sa_table_find_half_open(&engine->sas, &message->remote, header->spi_i);
    if (known != NULL) {
        repeat_reply(engine, known, message);
        return false;
    }
    /* Whoever sends our own request back would have us authenticate to ourselves: the keys depend
     * on the SPI, so with another one it leads to nothing. */
    if (sa_table_find(&engine->sas, header->spi_i) != NULL) {
        drop(engine, COUNTER_DROP_SYNTAX, message, "an SPI of our own: our request was sent back");
        return false;
    }
    if (choose_connection(engine->config, &message->local, &message->remote, NULL) != NULL)
        return true;
    count(&engine->context, COUNTER_DROP_NO_CONNECTION);
    (void)report_stranger(engine, message, "dropped", "no connection is configured for this peer");
    return false;
}

static void take_init_request(struct engine *engine, struct ike_message *message)
{
    struct context *context = &engine->context;
    struct reason reason = {0};
    struct ike_sa *sa = NULL;
    uint16_t group = 0;

    if (!is_news(engine, message) || engine->shutting_down ||
        admission_check(engine, message) != STATUS_OK || !parse_payloads(engine, message))
        return;
    trace_taken(context, NULL, message);
    enum status status = init_request(context, message, &sa, &group, &reason);
    if (sa != NULL) {
        ikev2_of(sa)->request_digest = digest(engine, message);
        ike_sa_timer(context, &sa->expire, context->now_ms + admission_life_ms(engine));
        sa_settle(engine, sa, status, &reason);
    } else if (status == STATUS_REJECT) {
        if (reason.notify == V2_N_INVALID_SYNTAX)
            drop(engine, COUNTER_DROP_SYNTAX, message, reason.text);
        init_request_reject(engine, message, group, &reason);
    } else {
        (void)report_stranger(engine, message, "dropped", reason.text);
    }
}

/* The SA that a message claims to belong to: by our SPI; the peer's SPI, role and path must be
 * right too. */
static struct ike_sa *find_sa(const struct engine *engine, const struct ike_message *message)
{
    const struct ike_header *header = &message->header;
    bool from_initiator = (header->flags & V2_FLAG_INITIATOR) != 0;
    struct ike_sa *sa = sa_table_find(&engine->sas, from_initiator ? header->spi_r : header->spi_i);

    if (sa == NULL || sa->initiator == from_initiator)
        return NULL;
    bool first_reply = sa->state == IKE_AWAIT_INIT_REPLY;
    uint64_t theirs = from_initiator ? header->spi_i : header->spi_r;
    if (!first_reply && theirs != (from_initiator ? sa->spi_i : sa->spi_r))
        return NULL;
    return path_allowed(sa, message) ? sa : NULL;
}

/* Is it about our outstanding request: its ID and its exchange? */
static bool answers_request(const struct ike_sa *sa, const struct ike_message *message)
{
    struct ike_header request;
    struct reason unused;

    if (ikev2_of(sa)->request == NULL || message->header.message_id != ikev2_of(sa)->next_request)
        return false;
    struct reader reader = reader_of(buffer_slice(&ikev2_of(sa)->request->octets));
    return ike_header_parse(&request, message_next(&reader), &unused) == STATUS_OK &&
           request.exchange == message->header.exchange;
}

/* Is it inside the window of one?  A repeated request is answered here. */
static bool in_window(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    uint32_t id = message->header.message_id;

    if (ike_message_is_response(message)) {
        if (answers_request(sa, message))
            return true;
        drop(engine, COUNTER_DROP_WINDOW, message, "a response to no outstanding request");
        return false;
    }
    if (id == ikev2_of(sa)->expected)
        return true;
    if (id + 1 == ikev2_of(sa)->expected)
        repeat_reply(engine, sa, message);
    else
        drop(engine, COUNTER_DROP_WINDOW, message, "a message ID outside the window");
    return false;
}

/* What follows from an answer of no use.  To IKE_AUTH: sa_settle tells the peer. */
static enum status answer_unread(struct context *context, struct ike_sa *sa,
                                 const struct ike_message *message, struct reason *reason)
{
    if (message->header.exchange == V2_CREATE_CHILD_SA && ikev2_of(sa)->own != NULL)
        return create_reply_unread(context, sa, reason);
    if (message->header.exchange == V2_INFORMATIONAL)
        return informational_reply_unread(context, sa, reason);
    message_request_done(context, sa);
    return STATUS_CLOSE;
}

/* A message that verifies, and yet cannot be read, is the peer's own: tell him (section 2.21.3). */
static void refuse_opened(struct engine *engine, struct ike_sa *sa,
                          const struct ike_message *message, uint8_t critical_type,
                          struct reason *reason)
{
    struct context *context = &engine->context;
    bool critical = reason->notify == V2_N_UNSUPPORTED_CRITICAL_PAYLOAD;

    count(context, critical ? COUNTER_DROP_CRITICAL : COUNTER_DROP_SYNTAX);
    if (ike_message_is_response(message)) {
        sa_settle(engine, sa, answer_unread(context, sa, message, reason), reason);
        return;
    }
    enum status status =
        message_respond_notify(context, sa, message->header.exchange, reason->notify,
                               slice_of(&critical_type, critical ? 1 : 0));
    if (status == STATUS_OK && critical && sa->state == IKE_ESTABLISHED)
        return; /* section 2.5: only this request fails */
    if (status == STATUS_OK && sa->handshake != NULL)
        sa_refused(engine, sa);
    else
        sa_settle(engine, sa, status == STATUS_OK ? STATUS_CLOSE : status, reason);
}

/* Is it worth opening?  Asked before: window, state, and the fragments that are there. */
static bool is_awaited(struct engine *engine, struct ike_sa *sa, const struct ike_message *message,
                       bool *sealed)
{
    bool busy = sa->handshake != NULL && sa->handshake->step.awaited > 0;
    struct reason reason = {0};

    if (!in_window(engine, sa, message))
        return false;
    if (!ike_message_is_response(message) && ikev2_of(sa)->theirs != NULL) {
        drop(engine, COUNTER_DROP_BUSY, message, "a request of the peer's is being worked on");
        return false;
    }
    if (!exchange_expected(sa, &message->header, sealed)) {
        drop(engine, busy ? COUNTER_DROP_BUSY : COUNTER_DROP_STATE, message,
             ike_state_name(sa->state));
        return false;
    }
    if (*sealed && fragment_check(sa, message, &reason) != STATUS_OK) {
        drop(engine, COUNTER_DROP_FRAGMENT, message, reason.text);
        return false;
    }
    return true;
}

/* The exchange's part. */
static void handle(struct engine *engine, struct ike_sa *sa, const struct exchange_row *row,
                   struct ike_message *message)
{
    struct reason reason = {0};

    if (!ike_message_is_response(message)) {
        ikev2_of(sa)->request_digest = message->digest;
        ikev2_of(sa)->serving = message->header.exchange;
    }
    enum status status = row->handle(&engine->context, sa, message, &reason);
    if (status == STATUS_DROP) {
        drop(engine, COUNTER_DROP_SYNTAX, message, reason.text);
        if (sa->handshake != NULL && !sa->handshake->init_refused)
            sa->handshake->refusal = reason;
        if (sa->handshake != NULL)
            sa->handshake->unsent = false;
        return;
    }
    sa_settle(engine, sa, status, &reason);
}

static void take_sa_message(struct engine *engine, struct ike_sa *sa, struct ike_message *message)
{
    struct reason reason = {0};
    uint8_t critical_type = 0;
    bool sealed;

    if (!is_awaited(engine, sa, message, &sealed))
        return;
    message->digest = digest(engine, message); /* before it is decrypted in place */
    enum status status =
        sealed ? message_open(&engine->context, sa, message, &critical_type, &reason) : STATUS_OK;
    if (status == STATUS_DROP) {
        drop(engine, COUNTER_DROP_AUTH, message, reason.text);
        return;
    }
    if (status == STATUS_WAIT)
        return; /* no sign of life: once forgotten, the same fragment is taken again */
    /* What was dropped, and waits for its repetition, says nothing new when anybody repeats it. */
    bool again =
        !ike_message_is_response(message) && message->digest == ikev2_of(sa)->request_digest;
    if (sealed && !again)
        sa_heard(engine, sa);
    if (sealed && !again && status != STATUS_FAIL)
        path_take(engine, sa, message);
    const struct exchange_row *row = exchange_find(sa, message);
    if (status == STATUS_OK)
        trace_taken(&engine->context, sa, message);
    if (status == STATUS_OK)
        status =
            row == NULL ? STATUS_DROP : v2_payloads_check(&message->payloads, row->rules, &reason);
    if (status == STATUS_OK)
        handle(engine, sa, row, message);
    else if (sealed && status == STATUS_REJECT)
        refuse_opened(engine, sa, message, critical_type, &reason);
    else
        drop(engine, COUNTER_DROP_SYNTAX, message, reason.text);
}

static bool version_known(struct engine *engine, const struct ike_message *message)
{
    uint8_t major = message->header.version >> 4;

    if (major == 2)
        return true;
    drop(engine, COUNTER_DROP_VERSION, message, "another major version");
    /* RFC 7296 section 2.5: a higher one is told which one we speak; IKEv1 has other words. */
    if (major > 2 && (message->header.flags & V2_FLAG_RESPONSE) == 0)
        respond_error(engine, message, ERROR_TO_STRAY, V2_N_INVALID_MAJOR_VERSION,
                      slice_of(NULL, 0));
    return false;
}

/* RFC 7296 sections 1.5 and 2.21.4: a peer that asks by an SPI of an earlier life of ours gets a
 * hint that it is over.  Not where the SPI is known and something else is wrong. */
static void take_stray(struct engine *engine, const struct ike_message *message)
{
    const struct ike_header *header = &message->header;
    bool from_initiator = (header->flags & V2_FLAG_INITIATOR) != 0;
    uint64_t ours = from_initiator ? header->spi_r : header->spi_i;

    drop(engine, COUNTER_DROP_UNKNOWN_SPI, message, "no such IKE SA");
    if (!ike_message_is_response(message) && ours != 0 &&
        sa_table_find(&engine->sas, ours) == NULL &&
        v2_payloads_find(&message->payloads, V2_SK, NULL) != NULL)
        respond_error(engine, message, ERROR_TO_STRAY, V2_N_INVALID_IKE_SPI, slice_of(NULL, 0));
}

void engine_unsent(struct engine *engine, const struct effect_send *send, const char *why,
                   uint64_t now_ms)
{
    struct ike_header header;
    struct reason unused;

    engine->context.now_ms = now_ms;
    if (send->keepalive ||
        ike_header_parse(&header, buffer_slice(&send->data), &unused) != STATUS_OK ||
        (header.flags & V2_FLAG_RESPONSE) != 0)
        return;
    bool initiator = (header.flags & V2_FLAG_INITIATOR) != 0;
    struct ike_sa *sa = sa_table_find(&engine->sas, initiator ? header.spi_i : header.spi_r);
    if (sa == NULL)
        return;
    link_progress(engine, sa->link, "%s", why);
    if (sa->handshake == NULL || sa->handshake->init_refused)
        return;
    link_note(engine, sa->link, why);
    sa->handshake->unsent = true;
    reason_set(&sa->handshake->refusal, STATUS_CLOSE, 0, "%s", why);
}

void engine_packet(struct engine *engine, const struct datagram *datagram, uint64_t now_ms)
{
    struct ike_message message = {
        .local = datagram->local,
        .remote = datagram->remote,
        .data = datagram->data,
        .size = datagram->size,
    };
    struct slice bytes = slice_of(datagram->data, datagram->size);
    struct reason reason = {0};

    engine->context.now_ms = now_ms;
    changes_end(engine);
    count(&engine->context, COUNTER_PACKETS_IN);
    if (engine->config == NULL)
        return;
    if (ike_header_parse(&message.header, bytes, &reason) != STATUS_OK) {
        drop(engine, COUNTER_DROP_HEADER, &message, reason.text);
        return;
    }
    if (!version_known(engine, &message))
        return;
    if (is_init_request(&message.header)) {
        take_init_request(engine, &message);
        return;
    }
    if (!parse_payloads(engine, &message))
        return;
    struct ike_sa *sa = find_sa(engine, &message);
    liveness_hint(engine, sa, &message);
    if (sa == NULL)
        take_stray(engine, &message);
    else
        take_sa_message(engine, sa, &message);
    buffer_free(&message.whole);
}
