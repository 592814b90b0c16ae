/*
 * IKEv2 messages of an SA: see message.h.
 */
#include "lib/ikev2/message.h"

#include <string.h>

/* A first wait this many times doubled is the longest (RFC 7296 section 2.4 leaves it to us). */
#define BACKOFF_DOUBLINGS_MAX 6

void message_begin(struct context *context, const struct ike_sa *sa, struct v2_writer *writer,
                   uint8_t exchange, bool response, uint32_t message_id)
{
    struct ike_header header = {
        .spi_i = sa->spi_i,
        .spi_r = sa->spi_r,
        .version = 0x20,
        .exchange = exchange,
        .flags = (uint8_t)((sa->initiator ? V2_FLAG_INITIATOR : 0) |
                           (response ? V2_FLAG_RESPONSE : 0)),
        .message_id = message_id,
    };

    v2_message_begin(writer, context->scratch, IKE_MESSAGE_MAX, &header);
}

/* RFC 5282 section 3.1 and RFC 3686: a counter never repeats under one key; RFC 7296 section 3.14:
 * a CBC IV must not be predictable. */
static void fill_iv(struct context *context, struct ike_sa *sa, const struct encr_info *encr,
                    uint8_t *iv)
{
    if (encr->block_size > 1) {
        context->random(context->random_context, iv, encr->iv_size);
        return;
    }
    struct writer writer = writer_of(iv, encr->iv_size);
    writer_u64(&writer, ++sa->iv_counter);
}

void message_begin_sealed(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                          uint8_t exchange, bool response, uint32_t message_id)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);

    message_begin(context, sa, writer, exchange, response, message_id);
    v2_sk_begin(writer, encr->iv_size);
    if (writer_ok(&writer->bytes))
        fill_iv(context, sa, encr, writer->bytes.data + writer->sk_text_at - encr->iv_size);
}

static struct seal_keys keys_of(const struct ike_sa *sa, bool from_initiator)
{
    return (struct seal_keys){
        .encr = sa->suite.encr,
        .integ = sa->suite.integ,
        .encr_key = ike_sa_key(sa, from_initiator ? KEY_EI : KEY_ER),
        .integ_key = ike_sa_key(sa, from_initiator ? KEY_AI : KEY_AR),
    };
}

enum status message_seal(struct context *context, struct ike_sa *sa, struct v2_writer *writer,
                         struct slice *bytes, struct reason *reason)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);
    struct seal_keys keys = keys_of(sa, sa->initiator);
    size_t icv_size = seal_icv_size(keys.encr, keys.integ);

    if (!v2_sk_end(writer, encr->block_size, icv_size))
        return reason_set(reason, STATUS_FAIL, 0, "a message of ours grew too large");
    size_t text_size = writer->bytes.size - icv_size - writer->sk_text_at;
    *bytes = writer_slice(&writer->bytes);
    return seal_encrypt(context->crypto, &keys, writer->bytes.data,
                        writer->sk_text_at - encr->iv_size, text_size);
}

/* RFC 7296 section 3.14: SK is the last payload; header through IV is associated data. */
static enum status decrypt(struct context *context, const struct ike_sa *sa,
                           struct ike_message *message, struct slice *text, struct reason *reason)
{
    const struct encr_info *encr = encr_info(sa->suite.encr);
    struct seal_keys keys = keys_of(sa, !sa->initiator);
    size_t icv_size = seal_icv_size(keys.encr, keys.integ);
    const struct v2_payload_item *sk = v2_payloads_find(&message->payloads, V2_SK, NULL);

    if (sk == NULL || sk->body.size < encr->iv_size + icv_size + 1u)
        return reason_set(reason, STATUS_DROP, 0, "no whole Encrypted payload");
    size_t text_size = sk->body.size - encr->iv_size - icv_size;
    if (text_size % encr->block_size != 0)
        return reason_set(reason, STATUS_DROP, 0, "ciphertext is not a number of blocks");
    size_t aad_size = message->size - sk->body.size;
    enum status status = seal_decrypt(context->crypto, &keys, message->data, aad_size, text_size);
    if (status != STATUS_OK)
        return reason_set(reason, STATUS_DROP, 0, "the Encrypted payload does not verify");
    struct reader reader = reader_of(sk->body);
    reader_skip(&reader, encr->iv_size);
    *text = reader_bytes(&reader, text_size);
    return STATUS_OK;
}

enum status message_open(struct context *context, const struct ike_sa *sa,
                         struct ike_message *message, uint8_t *critical_type,
                         struct reason *reason)
{
    struct slice text;
    struct slice inner;
    uint8_t first = message->payloads.sk_next;
    enum status status = decrypt(context, sa, message, &text, reason);

    if (status == STATUS_OK)
        status = v2_sk_unpad(text, &inner, reason);
    if (status == STATUS_OK)
        status = v2_payloads_parse(&message->payloads, first, inner, critical_type, reason);
    return status;
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

/* Half of the wait is fixed, half is chance, so that many SAs do not fall into step. */
static void arm_retransmit(struct context *context, struct ike_sa *sa)
{
    unsigned doublings = sa->tries < BACKOFF_DOUBLINGS_MAX ? sa->tries : BACKOFF_DOUBLINGS_MAX;
    uint64_t wait_ms = (uint64_t)context->config->daemon.retransmit_ms << doublings;
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    wait_ms = wait_ms - wait_ms / 8 + chance % (wait_ms / 4 + 1);
    ike_sa_timer(context, &sa->retransmit, context->now_ms + wait_ms);
}

enum status message_send_request(struct context *context, struct ike_sa *sa, struct slice bytes)
{
    if (!buffer_copy(&sa->request, bytes))
        return STATUS_FAIL;
    sa->tries = 0;
    message_send(context, &sa->local, &sa->remote, bytes);
    arm_retransmit(context, sa);
    return STATUS_OK;
}

void message_request_done(struct context *context, struct ike_sa *sa)
{
    buffer_free(&sa->request);
    ike_sa_timer_stop(context, &sa->retransmit);
    sa->next_request++;
}

enum status message_send_response(struct context *context, struct ike_sa *sa, struct slice bytes)
{
    sa->expected++;
    if (!buffer_copy(&sa->reply, bytes))
        return STATUS_FAIL;
    message_send(context, &sa->local, &sa->remote, bytes);
    return STATUS_OK;
}

enum status message_respond_notify(struct context *context, struct ike_sa *sa, uint8_t exchange,
                                   uint16_t type, struct slice data)
{
    struct v2_writer writer;
    struct slice bytes;
    struct reason reason;

    message_begin_sealed(context, sa, &writer, exchange, true, sa->expected);
    v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), type, data);
    enum status status = message_seal(context, sa, &writer, &bytes, &reason);
    if (status == STATUS_OK)
        status = message_send_response(context, sa, bytes);
    if (type < V2_N_FIRST_STATUS)
        count(context, COUNTER_ERRORS_SENT);
    return status;
}

bool message_retransmit(struct context *context, struct ike_sa *sa)
{
    if (sa->tries >= context->config->daemon.retransmit_tries)
        return false;
    sa->tries++;
    count(context, COUNTER_RETRANSMITS);
    message_send(context, &sa->local, &sa->remote, buffer_slice(&sa->request));
    arm_retransmit(context, sa);
    return true;
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
