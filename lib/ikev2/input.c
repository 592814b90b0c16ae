/*
 * One packet's way: header, SA, window, row, verification, payloads, exchange.
 * RFC 7296 sections 2.1-2.5, 2.21.4 and 3.1.
 *
 * Until a message is verified nothing about its SA changes; whatever does not fit is dropped with
 * a counter and no other trace.
 */
#include "lib/ikev2/input.h"

#include "lib/ikev2/cookie.h"
#include "lib/ikev2/datagram.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/finding.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/path.h"
#include "lib/ikev2/stateless.h"
#include "lib/ikev2/trace.h"
#include "lib/policy/match.h"
#include "lib/sa/admission.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

/* An error reply without state, to a request that has no SA here.  Rate limited (R24). */
static void respond_error(struct context *context, const struct ike_message *message,
                          enum error_kind kind, uint16_t type, struct slice data)
{
    if (!admission_error(context, &message->remote, kind))
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

static void drop(struct context *context, enum counter counter, const struct ike_message *message,
                 const char *why)
{
    char remote[ADDRESS_TEXT_MAX];

    count(context, counter);
    if (!context->debug)
        return;
    report(context, NULL, SEVERITY_DEBUG, "dropped", "%s from %s: %s",
           v2_exchange_name(message->header.exchange), address_text(&message->remote, remote), why);
}

static uint64_t digest(const struct context *context, const struct ike_message *message)
{
    return hash_keyed(context->sas->hash_key, slice_of(message->data, message->size));
}

/* Is it the peer's last request?  By its bytes, those of its first fragment when it has several;
 * cut anew it has other bytes, and must verify (RFC 7383 section 2.6.1). */
static bool is_repeated(struct context *context, struct ike_sa *sa,
                        const struct ike_message *message)
{
    uint64_t this_digest = digest(context, message);

    if (this_digest == ikev2_of(sa)->request_digest)
        return true;
    if (!fragment_repeats(context, sa, message))
        return false;
    ikev2_of(sa)->request_digest = this_digest;
    return true;
}

/* The reply that a repeated request is owed. */
static void repeat_reply(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message)
{
    if (ikev2_of(sa)->reply.size == 0)
        drop(context, COUNTER_DROP_WINDOW, message, "an old request whose reply is forgotten");
    else if (is_repeated(context, sa, message))
        message_repeat_response(context, sa, message);
    else
        drop(context, COUNTER_DROP_WINDOW, message, "an old request with other contents");
}

/* One line about a stranger, and no more than one in a second: the others are for debugging. */
static bool report_stranger(struct context *context, const struct ike_message *message,
                            const char *event, const char *why)
{
    bool told = admission_report(context);
    char remote[ADDRESS_TEXT_MAX];

    report(context, NULL, told ? SEVERITY_WARNING : SEVERITY_DEBUG, event,
           "IKE_SA_INIT from %s: %s", address_text(&message->remote, remote), why);
    return told;
}

static void init_request_reject(struct context *context, const struct ike_message *message,
                                uint16_t group, const struct reason *reason)
{
    uint8_t bytes[2];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    writer_u16(&writer, group);
    if (reason->code == FINDING_NO_PROPOSAL &&
        report_stranger(context, message, "no-proposal", reason->text))
        event_stranger(context, message->header.version >> 4, &message->local, &message->remote,
                       reason->text);
    respond_error(context, message, ERROR_TO_FIRST, finding_notify(reason->code),
                  reason->code == FINDING_INVALID_KE ? writer_slice(&writer) : slice_of(NULL, 0));
}

/* Cuts the chain of payloads.  A first request that cannot be read is told so. */
static bool parse_payloads(struct context *context, struct ike_message *message)
{
    struct reader reader = reader_of(slice_of(message->data, message->size));
    struct reason reason = {0};
    uint8_t critical_type = 0;

    reader_skip(&reader, IKE_HEADER_SIZE);
    enum status status = v2_payloads_parse(&message->payloads, message->header.next_payload,
                                           reader_rest(&reader), &critical_type, &reason);
    if (status == STATUS_OK)
        return true;
    bool critical = reason.code == FINDING_CRITICAL_PAYLOAD;
    drop(context, critical ? COUNTER_DROP_CRITICAL : COUNTER_DROP_SYNTAX, message, reason.text);
    if (is_init_request(&message->header))
        respond_error(context, message, ERROR_TO_FIRST, finding_notify(reason.code),
                      slice_of(&critical_type, critical ? 1 : 0));
    return false;
}

/* Is it the first message of an initiator that some connection may be for, and unknown so far? */
static bool is_news(struct context *context, const struct protocol *protocol,
                    const struct ike_message *message)
{
    const struct ike_header *header = &message->header;

    if (header->spi_i == 0 || header->spi_r != 0 || header->message_id != 0 ||
        (header->flags & V2_FLAG_INITIATOR) == 0) {
        drop(context, COUNTER_DROP_SYNTAX, message, "not the first message of an initiator");
        return false;
    }
    struct ike_sa *known = sa_table_find_half_open(context->sas, &message->remote, header->spi_i);
    if (known != NULL && known->protocol == protocol) {
        repeat_reply(context, known, message);
        return false;
    }
    /* Whoever sends our own request back would have us authenticate to ourselves: the keys depend
     * on the SPI, so with another one it leads to nothing. */
    if (sa_table_find(context->sas, header->spi_i) != NULL) {
        drop(context, COUNTER_DROP_SYNTAX, message, "an SPI of our own: our request was sent back");
        return false;
    }
    if (choose_connection(context->config, protocol->version, &message->local, &message->remote,
                          NULL) != NULL)
        return true;
    count(context, COUNTER_DROP_NO_CONNECTION);
    (void)report_stranger(context, message, "dropped", "no connection is configured for this peer");
    return false;
}

static void take_init_request(struct context *context, const struct protocol *protocol,
                              struct ike_message *message)
{
    struct reason reason = {0};
    struct ike_sa *sa = NULL;
    uint16_t group = 0;

    if (!is_news(context, protocol, message) || context->closing ||
        !cookie_admits(context, message) || !parse_payloads(context, message))
        return;
    trace_taken(context, NULL, message);
    enum status status = init_request(context, protocol, message, &sa, &group, &reason);
    if (sa != NULL) {
        ikev2_of(sa)->request_digest = digest(context, message);
        ike_sa_timer(context, &sa->expire, context->now_ms + admission_life_ms(context));
        event_settled(context, sa, status, &reason);
    } else if (status == STATUS_REJECT) {
        if (reason.code == FINDING_INVALID_SYNTAX)
            drop(context, COUNTER_DROP_SYNTAX, message, reason.text);
        init_request_reject(context, message, group, &reason);
    } else {
        (void)report_stranger(context, message, "dropped", reason.text);
    }
}

/* The SA that a message claims to belong to: by our SPI, among those of all versions; version, the
 * peer's SPI, role and path must be right too. */
static struct ike_sa *find_sa(const struct context *context, const struct protocol *protocol,
                              const struct ike_message *message)
{
    const struct ike_header *header = &message->header;
    bool from_initiator = (header->flags & V2_FLAG_INITIATOR) != 0;
    struct ike_sa *sa = sa_table_find(context->sas, from_initiator ? header->spi_r : header->spi_i);

    if (sa == NULL || sa->protocol != protocol || sa->initiator == from_initiator)
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
static bool in_window(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    uint32_t id = message->header.message_id;

    if (ike_message_is_response(message)) {
        if (answers_request(sa, message))
            return true;
        drop(context, COUNTER_DROP_WINDOW, message, "a response to no outstanding request");
        return false;
    }
    if (id == ikev2_of(sa)->expected)
        return true;
    if (id + 1 == ikev2_of(sa)->expected)
        repeat_reply(context, sa, message);
    else
        drop(context, COUNTER_DROP_WINDOW, message, "a message ID outside the window");
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
static void refuse_opened(struct context *context, struct ike_sa *sa,
                          const struct ike_message *message, uint8_t critical_type,
                          struct reason *reason)
{
    bool critical = reason->code == FINDING_CRITICAL_PAYLOAD;

    count(context, critical ? COUNTER_DROP_CRITICAL : COUNTER_DROP_SYNTAX);
    if (ike_message_is_response(message)) {
        event_settled(context, sa, answer_unread(context, sa, message, reason), reason);
        return;
    }
    enum status status =
        message_respond_notify(context, sa, message->header.exchange, finding_notify(reason->code),
                               slice_of(&critical_type, critical ? 1 : 0));
    if (status == STATUS_OK && critical && sa->state == IKE_ESTABLISHED)
        return; /* section 2.5: only this request fails */
    if (status == STATUS_OK && sa->handshake != NULL)
        event_refused(context, sa);
    else
        event_settled(context, sa, status == STATUS_OK ? STATUS_CLOSE : status, reason);
}

/* Is it worth opening?  Asked before: window, state, and the fragments that are there. */
static bool is_awaited(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message, bool *sealed)
{
    bool busy = sa->handshake != NULL && sa->handshake->step.awaited > 0;
    struct reason reason = {0};

    if (!in_window(context, sa, message))
        return false;
    if (!ike_message_is_response(message) && ikev2_of(sa)->theirs != NULL) {
        drop(context, COUNTER_DROP_BUSY, message, "a request of the peer's is being worked on");
        return false;
    }
    if (!exchange_expected(sa, &message->header, sealed)) {
        drop(context, busy ? COUNTER_DROP_BUSY : COUNTER_DROP_STATE, message,
             ike_state_name(sa->state));
        return false;
    }
    if (*sealed && fragment_check(sa, message, &reason) != STATUS_OK) {
        drop(context, COUNTER_DROP_FRAGMENT, message, reason.text);
        return false;
    }
    return true;
}

/* The exchange's part. */
static void handle(struct context *context, struct ike_sa *sa, const struct exchange_row *row,
                   struct ike_message *message)
{
    struct reason reason = {0};

    if (!ike_message_is_response(message)) {
        ikev2_of(sa)->request_digest = message->digest;
        ikev2_of(sa)->serving = message->header.exchange;
    }
    enum status status = row->handle(context, sa, message, &reason);
    if (status == STATUS_DROP) {
        drop(context, COUNTER_DROP_SYNTAX, message, reason.text);
        if (sa->handshake != NULL && !sa->handshake->init_refused)
            sa->handshake->refusal = reason;
        if (sa->handshake != NULL)
            sa->handshake->unsent = false;
        return;
    }
    event_settled(context, sa, status, &reason);
}

static void take_sa_message(struct context *context, struct ike_sa *sa, struct ike_message *message)
{
    struct reason reason = {0};
    uint8_t critical_type = 0;
    bool sealed;

    if (!is_awaited(context, sa, message, &sealed))
        return;
    message->digest = digest(context, message); /* before it is decrypted in place */
    enum status status =
        sealed ? message_open(context, sa, message, &critical_type, &reason) : STATUS_OK;
    if (status == STATUS_DROP) {
        drop(context, COUNTER_DROP_AUTH, message, reason.text);
        return;
    }
    if (status == STATUS_WAIT)
        return; /* no sign of life: once forgotten, the same fragment is taken again */
    /* What was dropped, and waits for its repetition, says nothing new when anybody repeats it. */
    bool again =
        !ike_message_is_response(message) && message->digest == ikev2_of(sa)->request_digest;
    if (sealed && !again)
        event_heard(context, sa);
    if (sealed && !again && status != STATUS_FAIL)
        path_take(context, sa, message);
    const struct exchange_row *row = exchange_find(sa, message);
    if (status == STATUS_OK)
        trace_taken(context, sa, message);
    if (status == STATUS_OK)
        status =
            row == NULL ? STATUS_DROP : v2_payloads_check(&message->payloads, row->rules, &reason);
    if (status == STATUS_OK)
        handle(context, sa, row, message);
    else if (sealed && status == STATUS_REJECT)
        refuse_opened(context, sa, message, critical_type, &reason);
    else
        drop(context, COUNTER_DROP_SYNTAX, message, reason.text);
}

static bool version_known(struct context *context, const struct ike_message *message)
{
    uint8_t major = message->header.version >> 4;

    if (major == 2)
        return true;
    drop(context, COUNTER_DROP_VERSION, message, "another major version");
    /* RFC 7296 section 2.5: a higher one is told which one we speak; IKEv1 has other words. */
    if (major > 2 && (message->header.flags & V2_FLAG_RESPONSE) == 0)
        respond_error(context, message, ERROR_TO_STRAY, V2_N_INVALID_MAJOR_VERSION,
                      slice_of(NULL, 0));
    return false;
}

/* RFC 7296 sections 1.5 and 2.21.4: a peer that asks by an SPI of an earlier life of ours gets a
 * hint that it is over.  Not where the SPI is known and something else is wrong. */
static void take_stray(struct context *context, const struct ike_message *message)
{
    const struct ike_header *header = &message->header;
    bool from_initiator = (header->flags & V2_FLAG_INITIATOR) != 0;
    uint64_t ours = from_initiator ? header->spi_r : header->spi_i;

    drop(context, COUNTER_DROP_UNKNOWN_SPI, message, "no such IKE SA");
    if (!ike_message_is_response(message) && ours != 0 &&
        sa_table_find(context->sas, ours) == NULL &&
        v2_payloads_find(&message->payloads, V2_SK, NULL) != NULL)
        respond_error(context, message, ERROR_TO_STRAY, V2_N_INVALID_IKE_SPI, slice_of(NULL, 0));
}

/* --- Hints --- */

/* RFC 7296 section 1.5: an INFORMATIONAL outside of any SA tells the SPI of an ESP packet that the
 * peer has no SA for. */
static void hint_of_spi(struct context *context, const struct ike_message *message)
{
    struct v2_notify_body notify;

    if (message->header.exchange != V2_INFORMATIONAL || ike_message_is_response(message) ||
        !message_find_notify(message, V2_N_INVALID_SPI, &notify))
        return;
    struct reader reader = reader_of(notify.data);
    uint32_t spi = reader_u32(&reader);
    if (!reader_done(&reader))
        return;
    const struct child_sa *child =
        sa_table_find_outbound(context->sas, IPSEC_ESP, spi, &message->remote);
    if (child != NULL && child->out_kernel)
        event_hint(context, child->owner, true);
}

/* An unprotected message that may say that the peer has forgotten us; `sa`: to which it claims to
 * belong, or NULL.  RFC 7296 section 2.21.4: a request of ours came back with INVALID_IKE_SPI.
 * That request is a check already; it is given up sooner. */
static void look_for_hint(struct context *context, struct ike_sa *sa,
                          const struct ike_message *message)
{
    struct v2_notify_body notify;

    if (v2_payloads_find(&message->payloads, V2_SK, NULL) != NULL)
        return;
    if (sa == NULL)
        hint_of_spi(context, message);
    else if (ike_message_is_response(message) && ikev2_of(sa)->request != NULL &&
             message->header.message_id == ikev2_of(sa)->next_request &&
             message_find_notify(message, V2_N_INVALID_IKE_SPI, &notify))
        event_hint(context, sa, false);
}

/* --- The way in --- */

void ikev2_packet(struct context *context, const struct protocol *protocol,
                  const struct datagram *datagram)
{
    struct ike_message message = {
        .local = datagram->local,
        .remote = datagram->remote,
        .data = datagram->data,
        .size = datagram->size,
    };
    struct slice bytes = slice_of(datagram->data, datagram->size);
    struct reason reason = {0};

    if (ike_header_parse(&message.header, bytes, &reason) != STATUS_OK) {
        drop(context, COUNTER_DROP_HEADER, &message, reason.text);
        return;
    }
    if (!version_known(context, &message))
        return;
    if (is_init_request(&message.header)) {
        take_init_request(context, protocol, &message);
        return;
    }
    if (!parse_payloads(context, &message))
        return;
    struct ike_sa *sa = find_sa(context, protocol, &message);
    look_for_hint(context, sa, &message);
    if (sa == NULL)
        take_stray(context, &message);
    else
        take_sa_message(context, sa, &message);
    buffer_free(&message.whole);
}

struct ike_sa *ikev2_requester(const struct context *context, struct slice message)
{
    struct ike_header header;
    struct reason unused;

    if (ike_header_parse(&header, message, &unused) != STATUS_OK ||
        (header.flags & V2_FLAG_RESPONSE) != 0)
        return NULL;
    bool initiator = (header.flags & V2_FLAG_INITIATOR) != 0;
    return sa_table_find(context->sas, initiator ? header.spi_i : header.spi_r);
}
