/*
 * Admission: see admission.h.  RFC 7296 sections 2.6 and 2.21.4, RFC 8019 sections 4.1-4.3.
 *
 *   few half-open SAs            let in
 *   above a threshold            whoever proves that he receives at his address (a cookie)
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
 * Nothing is allocated here.
 */
#include "lib/sa/admission.h"

#include <stdio.h>

#include "lib/sa/context.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define TOKEN_LIFE_MS     60000
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

/* --- Tokens --- */

static void rotate(struct context *context)
{
    struct admission *admission = context->admission;

    admission->version ^= 1;
    admission->rotated_ms = context->now_ms;
    context->random(context->random_context, admission->secrets[admission->version],
                    sizeof(admission->secrets[0]));
}

void admission_init(struct context *context)
{
    context->admission->calm.kind = TIMER_CALM;
    rotate(context);
    rotate(context);
}

static void make_token(const struct admission *admission, uint8_t version, struct slice about,
                       uint8_t token[ADMISSION_TOKEN_SIZE])
{
    const uint8_t *secret = admission->secrets[version];
    struct writer output = writer_of(token, ADMISSION_TOKEN_SIZE);

    writer_u8(&output, version);
    writer_u64(&output, hash_keyed(secret, about));
    writer_u64(&output, hash_keyed(secret + ADMISSION_SECRET_SIZE, about));
}

static bool token_right(const struct admission *admission, struct slice about, struct slice token)
{
    uint8_t right[ADMISSION_TOKEN_SIZE];

    if (token.size != ADMISSION_TOKEN_SIZE || token.data[0] > 1)
        return false;
    make_token(admission, token.data[0], about, right);
    return secret_equal(token, slice_of(right, sizeof(right)));
}

bool admission_proven(struct context *context, struct slice about, struct slice returned,
                      uint8_t token[ADMISSION_TOKEN_SIZE])
{
    struct admission *admission = context->admission;

    if (context->now_ms - admission->rotated_ms >= TOKEN_LIFE_MS)
        rotate(context);
    if (returned.size > 0 && token_right(admission, about, returned)) {
        count(context, COUNTER_COOKIES_RIGHT);
        admission->returned++;
        return true;
    }
    count(context, returned.size > 0 ? COUNTER_COOKIES_WRONG : COUNTER_COOKIES_SENT);
    admission->asked++;
    make_token(admission, admission->version, about, token);
    return false;
}

/* --- Floods --- */

static void flood_begins(struct context *context, const char *why)
{
    struct admission *admission = context->admission;

    if (admission->flooded)
        return;
    admission->flooded = true;
    admission->quiet_s = admission->asked = admission->returned = 0;
    count(context, COUNTER_COOKIE_ALARMS);
    ike_sa_timer(context, &admission->calm, context->now_ms + SECOND_MS);
    report(context, NULL, SEVERITY_WARNING, "flood",
           "%s: whoever starts must return a cookie first", why);
}

void admission_calm(struct context *context)
{
    struct admission *admission = context->admission;
    const struct daemon_settings *settings = &context->config->daemon;
    uint32_t few = settings->cookie_threshold / 2;
    uint64_t silent =
        admission->asked > admission->returned ? admission->asked - admission->returned : 0;
    bool quiet = context->sas->half_open <= few && silent * settings->half_open_s <= few;

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

uint64_t admission_life_ms(const struct context *context)
{
    uint64_t life_ms = context->config->daemon.half_open_s * 1000ull;

    return context->admission->flooded && life_ms > FLOOD_LIFE_MS ? FLOOD_LIFE_MS : life_ms;
}

/* --- The decision --- */

enum admission_verdict admission_check(struct context *context, const struct address *remote)
{
    const struct sa_table *sas = context->sas;
    const struct daemon_settings *settings = &context->config->daemon;
    uint32_t of_source = source_count(&sas->half_open_of, source_of(sas->hash_key, remote));
    char why[64];

    if (sas->half_open >= settings->half_open_max) {
        count(context, COUNTER_DROP_HALF_OPEN);
        return ADMISSION_NONE;
    }
    if (of_source >= settings->source_half_open_max) {
        count(context, COUNTER_DROP_SOURCE);
        return ADMISSION_NONE;
    }
    if (settings->cookie_threshold > 0 && sas->half_open >= settings->cookie_threshold &&
        !context->admission->flooded) {
        snprintf(why, sizeof(why), "%zu half-open IKE SAs", sas->half_open);
        flood_begins(context, why);
    }
    bool ask = settings->cookie_threshold == 0 || context->admission->flooded ||
               of_source >= settings->source_cookie_threshold;
    return ask ? ADMISSION_PROVEN : ADMISSION_ALL;
}

bool admission_error(struct context *context, const struct address *remote, enum error_kind kind)
{
    struct admission *admission = context->admission;
    uint64_t source = source_of(context->sas->hash_key, remote);
    struct second *to_source = &admission->errors_to[source & (ADMISSION_SOURCES - 1)];

    if (second_take(to_source, context->now_ms, ERRORS_SOURCE_MAX)) {
        if (second_take(&admission->errors[kind], context->now_ms, ERRORS_MAX))
            return true;
        if (kind == ERROR_TO_FIRST && context->config->daemon.cookie_threshold > 0)
            flood_begins(context, "too many first messages that can only be answered by errors");
    }
    count(context, COUNTER_ERRORS_HELD);
    return false;
}

bool admission_report(struct context *context)
{
    return second_take(&context->admission->reports, context->now_ms, 1);
}
