/*
 * Admission: which IKE_SA_INIT requests may make state here, and which unprotected errors may
 * leave.  RFC 7296 sections 2.6 and 2.21.4, RFC 8019 sections 4.1-4.3.
 *
 *   few half-open SAs            let in
 *   above a threshold            COOKIE, stateless: version | hash(secret, Ni | IPi | SPIi)
 *   at a cap                     silence
 *
 * There is a threshold and a cap for all, and one of each for a source (an address, or a /64).
 *
 * Sources.  What comes from one address may be one sender, many honest peers behind one NAT, or
 * nobody who ever was there.  So above its threshold a source is not refused: it must return a
 * cookie.  Whoever forges the address cannot, and takes no more than the threshold's few; whoever
 * is behind the NAT can.  Only the cap is absolute.  It is twenty times as high by default, because
 * those of one NAT who come at the same moment are half-open for a round trip each, and still a
 * part of the cap for all, so that it takes several real addresses to lock others out.
 *
 * Floods.  Above the threshold for all, everybody is asked.  Then the half-open SAs of those who
 * never return expire, and nothing that the number of them says tells a flood that is over from one
 * that the cookies hold off.  So the mode ends only when for CALM_S seconds there were few
 * half-open SAs and few requests whose senders did not come back: so few that all of them, let in,
 * would not reach the threshold again.  A flood of requests that only make errors ends in the same
 * mode when the errors' allowance is used up: what is left of it is then for those who return
 * cookies.
 *
 * The order is from cheap to dear: caps, a walk over the generic headers for nonce and cookie, two
 * keyed hashes; the chain is parsed only for whom is let in.  Nothing is allocated for a stranger
 * but the reply, which is never larger than what he sent (init_respond_notify).
 */
#include <stdio.h>

#include "lib/engine/private.h"
#include "lib/sa/context.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define COOKIE_LIFE_MS    60000
#define FLOOD_LIFE_MS     10000 /* RFC 8019 section 4.1: half-open SAs live shorter in a flood */
#define CALM_S            10
#define SECOND_MS         1000
#define ERRORS_MAX        100 /* of a kind, in a second */
#define ERRORS_SOURCE_MAX 10  /* to one source, in a second */

static bool second_take(struct second *second, uint64_t now_ms, uint32_t max)
{
    if (second->count == 0 || now_ms - second->start_ms >= SECOND_MS)
        *second = (struct second){.start_ms = now_ms};
    if (second->count >= max)
        return false;
    second->count++;
    return true;
}

/* --- Cookies --- */

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
    engine->admission.calm.kind = TIMER_CALM;
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

/* Nonce and cookie out of a chain that nobody has checked yet; what is not there stays empty.
 * Stops at the nonce, before which the cookie stands (it is the first payload, section 2.6). */
static void glance(const struct ike_message *message, struct slice *nonce, struct slice *cookie)
{
    struct reader reader = reader_of(slice_of(message->data, message->size));
    struct v2_payload_item item;
    struct v2_notify_body notify;
    struct reason unused;

    *nonce = *cookie = slice_of(NULL, 0);
    reader_skip(&reader, IKE_HEADER_SIZE);
    struct v2_walk walk = v2_walk_begin(message->header.next_payload, reader_rest(&reader));
    while (nonce->size == 0 && v2_walk_next(&walk, &item)) {
        if (item.type == V2_NONCE && item.body.size >= V2_NONCE_MIN &&
            item.body.size <= V2_NONCE_MAX)
            *nonce = item.body;
        else if (item.type == V2_NOTIFY && cookie->size == 0 &&
                 v2_notify_parse(&notify, item.body, &unused) == STATUS_OK &&
                 notify.type == V2_N_COOKIE)
            *cookie = notify.data;
    }
}

/* Has the sender been asked for a cookie, and returned it?  Else he is asked. */
static bool is_proven(struct engine *engine, const struct ike_message *message)
{
    struct context *context = &engine->context;
    struct admission *admission = &engine->admission;
    uint8_t cookie[COOKIE_SIZE];
    struct slice nonce;
    struct slice returned;

    if (context->now_ms - admission->rotated_ms >= COOKIE_LIFE_MS)
        rotate(engine);
    glance(message, &nonce, &returned);
    if (nonce.size == 0) {
        count(context, COUNTER_DROP_SYNTAX);
        return false;
    }
    if (returned.size > 0 && cookie_right(engine, message, nonce, returned)) {
        count(context, COUNTER_COOKIES_RIGHT);
        admission->returned++;
        return true;
    }
    count(context, returned.size > 0 ? COUNTER_COOKIES_WRONG : COUNTER_COOKIES_SENT);
    admission->asked++;
    make_cookie(engine, admission->version, message, nonce, cookie);
    init_respond_notify(context, message, V2_N_COOKIE, slice_of(cookie, sizeof(cookie)));
    return false;
}

/* --- Floods --- */

static void flood_begins(struct engine *engine, const char *why)
{
    struct admission *admission = &engine->admission;
    struct context *context = &engine->context;

    if (admission->flooded)
        return;
    admission->flooded = true;
    admission->quiet_s = admission->asked = admission->returned = 0;
    count(context, COUNTER_COOKIE_ALARMS);
    ike_sa_timer(context, &admission->calm, context->now_ms + SECOND_MS);
    report(context, NULL, SEVERITY_WARNING, "flood",
           "%s: whoever starts must return a cookie first", why);
}

void admission_calm(struct engine *engine)
{
    struct admission *admission = &engine->admission;
    struct context *context = &engine->context;
    const struct daemon_settings *settings = &engine->config->daemon;
    uint32_t few = settings->cookie_threshold / 2;
    uint64_t silent =
        admission->asked > admission->returned ? admission->asked - admission->returned : 0;
    bool quiet = engine->sas.half_open <= few && silent * settings->half_open_s <= few;

    admission->asked = admission->returned = 0;
    admission->quiet_s = quiet ? admission->quiet_s + 1 : 0;
    if (admission->quiet_s < CALM_S) {
        ike_sa_timer(context, &admission->calm, context->now_ms + SECOND_MS);
        return;
    }
    admission->flooded = false;
    report(context, NULL, SEVERITY_INFO, "flood-over",
           "the flood is over: %llu cookies were asked for so far, %llu came back",
           (unsigned long long)context->counters[COUNTER_COOKIES_SENT],
           (unsigned long long)context->counters[COUNTER_COOKIES_RIGHT]);
}

uint64_t admission_life_ms(const struct engine *engine)
{
    uint64_t life_ms = engine->config->daemon.half_open_s * 1000ull;

    return engine->admission.flooded && life_ms > FLOOD_LIFE_MS ? FLOOD_LIFE_MS : life_ms;
}

/* --- The decision --- */

enum status admission_check(struct engine *engine, const struct ike_message *message)
{
    struct context *context = &engine->context;
    const struct sa_table *sas = &engine->sas;
    const struct daemon_settings *settings = &engine->config->daemon;
    uint32_t of_source =
        source_count(&sas->half_open_of, source_of(sas->hash_key, &message->remote));
    char why[64];

    if (sas->half_open >= settings->half_open_max) {
        count(context, COUNTER_DROP_HALF_OPEN);
        return STATUS_DROP;
    }
    if (of_source >= settings->source_half_open_max) {
        count(context, COUNTER_DROP_SOURCE);
        return STATUS_DROP;
    }
    if (settings->cookie_threshold > 0 && sas->half_open >= settings->cookie_threshold &&
        !engine->admission.flooded) {
        snprintf(why, sizeof(why), "%zu half-open IKE SAs", sas->half_open);
        flood_begins(engine, why);
    }
    bool ask = settings->cookie_threshold == 0 || engine->admission.flooded ||
               of_source >= settings->source_cookie_threshold;
    return !ask || is_proven(engine, message) ? STATUS_OK : STATUS_DROP;
}

bool admission_error(struct engine *engine, const struct ike_message *message, enum error_kind kind)
{
    struct admission *admission = &engine->admission;
    struct context *context = &engine->context;
    uint64_t source = source_of(engine->sas.hash_key, &message->remote);
    struct second *to_source = &admission->errors_to[source & (ADMISSION_SOURCES - 1)];

    if (second_take(to_source, context->now_ms, ERRORS_SOURCE_MAX)) {
        if (second_take(&admission->errors[kind], context->now_ms, ERRORS_MAX))
            return true;
        if (kind == ERROR_TO_FIRST && engine->config->daemon.cookie_threshold > 0)
            flood_begins(engine, "too many first messages that can only be answered by errors");
    }
    count(context, COUNTER_ERRORS_HELD);
    return false;
}

bool admission_report(struct engine *engine)
{
    return second_take(&engine->admission.reports, engine->context.now_ms, 1);
}
