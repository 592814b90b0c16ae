/*
 * Admission: which IKE_SA_INIT requests may make state here.  RFC 7296 section 2.6.
 *
 *   few half-open SAs          let in
 *   above the threshold        COOKIE, stateless: version | hash(secret, Ni | IPi | SPIi)
 *   at the cap                 silence
 *
 * Nothing is allocated for a stranger but the reply, which is smaller than what he sent.
 */
#include <string.h>

#include "lib/engine/private.h"

#define COOKIE_LIFE_MS 60000
#define ERRORS_PER_SECOND 100

static void rotate(struct engine *engine)
{
    struct admission *admission = &engine->admission;
    struct context *context = &engine->context;

    admission->version ^= 1;
    admission->rotated_ms = context->now_ms;
    context->random(context->random_context, admission->secrets[admission->version],
                    sizeof(admission->secrets[0]));
}

void admission_init(struct engine *engine)
{
    rotate(engine);
    rotate(engine);
}

static void make_cookie(const struct engine *engine, uint8_t version,
                        const struct ike_message *message, struct slice nonce,
                        uint8_t cookie[COOKIE_SIZE])
{
    const uint8_t *secret = engine->admission.secrets[version];
    uint8_t bytes[V2_NONCE_MAX + 32];
    struct writer input = writer_of(bytes, sizeof(bytes));
    struct writer output = writer_of(cookie, COOKIE_SIZE);

    writer_u64(&input, message->header.spi_i);
    writer_u16(&input, message->remote.port);
    writer_bytes(&input, address_bytes(&message->remote));
    writer_bytes(&input, nonce);
    writer_u8(&output, version);
    writer_u64(&output, hash_keyed(secret, writer_slice(&input)));
    writer_u64(&output, hash_keyed(secret + COOKIE_SECRET_SIZE, writer_slice(&input)));
}

static bool cookie_right(const struct engine *engine, const struct ike_message *message,
                         struct slice nonce, struct slice cookie)
{
    uint8_t right[COOKIE_SIZE];

    if (cookie.size != COOKIE_SIZE || cookie.data[0] > 1)
        return false;
    make_cookie(engine, cookie.data[0], message, nonce, right);
    return secret_equal(cookie, slice_of(right, sizeof(right)));
}

enum status admission_check(struct engine *engine, const struct ike_message *message)
{
    struct context *context = &engine->context;
    const struct daemon_settings *settings = &engine->config->daemon;
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, V2_NONCE, NULL);
    struct v2_notify_body notify;
    struct reason reason;
    struct slice nonce;
    uint8_t cookie[COOKIE_SIZE];

    if (context->now_ms - engine->admission.rotated_ms >= COOKIE_LIFE_MS)
        rotate(engine);
    if (engine->sas.half_open >= settings->cookie_threshold) {
        if (v2_payloads_check(&message->payloads, init_request_rules, &reason) != STATUS_OK ||
            v2_nonce_parse(&nonce, item->body, &reason) != STATUS_OK) {
            count(context, COUNTER_DROP_SYNTAX);
            return STATUS_DROP;
        }
        bool sent = message_find_notify(message, V2_N_COOKIE, &notify);
        if (!sent || !cookie_right(engine, message, nonce, notify.data)) {
            count(context, sent ? COUNTER_COOKIES_WRONG : COUNTER_COOKIES_SENT);
            make_cookie(engine, engine->admission.version, message, nonce, cookie);
            init_respond_notify(context, message, V2_N_COOKIE, slice_of(cookie, sizeof(cookie)));
            return STATUS_DROP;
        }
    }
    if (engine->sas.half_open >= settings->half_open_max) {
        count(context, COUNTER_DROP_HALF_OPEN);
        return STATUS_DROP;
    }
    return STATUS_OK;
}

bool admission_error(struct engine *engine)
{
    struct admission *admission = &engine->admission;
    uint64_t now_ms = engine->context.now_ms;

    if (now_ms - admission->error_window_ms >= 1000) {
        admission->error_window_ms = now_ms;
        admission->errors_sent = 0;
    }
    if (admission->errors_sent >= ERRORS_PER_SECOND)
        return false;
    admission->errors_sent++;
    return true;
}

bool admission_stranger(struct engine *engine)
{
    struct admission *admission = &engine->admission;
    uint64_t now_ms = engine->context.now_ms;

    if (admission->stranger_ms != 0 && now_ms - admission->stranger_ms < 1000)
        return false;
    admission->stranger_ms = now_ms;
    return true;
}
