/*
 * The engine's frame: making and freeing it, timers, answers.  See engine.h.
 */
#include "lib/engine/engine.h"

#include <stdlib.h>

#include "lib/engine/change.h"
#include "lib/engine/link.h"
#include "lib/engine/private.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/reassembly.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"

struct engine *engine_new(const struct engine_options *options, uint64_t now_ms)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return NULL;
    engine->context = (struct context){
        .crypto = options->crypto,
        .effects = effect_queue_new(),
        .timers = &engine->timers,
        .sas = &engine->sas,
        .random = options->random,
        .random_context = options->context,
        .scratch = malloc(IKE_MESSAGE_MAX),
        .cuttings = malloc(FRAGMENTS_OCTETS_MAX),
        .now_ms = now_ms,
        .debug = options->debug,
    };
    TAILQ_INIT(&engine->links);
    if (engine->context.effects == NULL || engine->context.scratch == NULL ||
        engine->context.cuttings == NULL || !sa_table_init(&engine->sas, &engine->context) ||
        !hash_init(&engine->links_by_name, link_key, engine)) {
        engine_free(engine);
        return NULL;
    }
    admission_init(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->sas.by_spi.buckets != NULL)
        sa_table_free(&engine->sas, &engine->context);
    links_free(engine);
    hash_free(&engine->links_by_name);
    heap_free(&engine->timers);
    changes_free(engine);
    effect_queue_free(engine->context.effects);
    config_free(engine->config);
    free(engine->context.scratch);
    free(engine->context.cuttings);
    secret_wipe(&engine->admission, sizeof(engine->admission));
    free(engine);
}

void engine_set_debug(struct engine *engine, bool debug)
{
    engine->context.debug = debug;
}

/* Kernel and peers may go on with what was to end, or wait for what was to come. */
static void tell_lost(struct engine *engine)
{
    uint64_t lost = effect_queue_lost(engine->context.effects);

    if (lost == engine->lost_told)
        return;
    report(&engine->context, NULL, SEVERITY_ERROR, "effects-lost",
           "%llu things that were to be done are left undone: out of memory, or more at once than "
           "there is room for; restarting iked puts that right",
           (unsigned long long)(lost - engine->lost_told));
    engine->lost_told = effect_queue_lost(engine->context.effects);
}

bool engine_next_effect(struct engine *engine, struct effect *effect)
{
    if (effect_queue_pop(engine->context.effects, effect))
        return true;
    tell_lost(engine);
    changes_go_on(engine);
    return effect_queue_pop(engine->context.effects, effect);
}

uint64_t engine_deadline(const struct engine *engine)
{
    const struct heap_node *first = heap_first(&engine->timers);

    return first == NULL ? UINT64_MAX : heap_due_ms(&engine->timers, first);
}

static void timer_due(struct engine *engine, struct timer *timer)
{
    switch ((enum timer_kind)timer->kind) {
    case TIMER_RETRANSMIT:
        sa_timer_due(engine, HASH_OWNER(timer, struct request, retransmit)->sa, TIMER_RETRANSMIT);
        return;
    case TIMER_EXPIRE:
        sa_timer_due(engine, HASH_OWNER(timer, struct ike_sa, expire), TIMER_EXPIRE);
        return;
    case TIMER_LATER: sa_later(engine, HASH_OWNER(timer, struct ike_sa, later)); return;
    case TIMER_CALM: admission_calm(engine); return;
    case TIMER_REASSEMBLY:
        reassembly_expire(&engine->context, HASH_OWNER(timer, struct reassembly, timer));
        return;
    case TIMER_WATCH: sa_watch_due(engine, HASH_OWNER(timer, struct ike_sa, watch)); return;
    case TIMER_KEEPALIVE:
        path_keepalive_due(engine, HASH_OWNER(timer, struct ike_sa, keepalive));
        return;
    case TIMER_RETRY: link_retry(engine, HASH_OWNER(timer, struct link, retry)); return;
    }
}

void engine_expire(struct engine *engine, uint64_t now_ms)
{
    struct heap_node *first;

    engine->context.now_ms = now_ms;
    changes_end(engine);
    while (!effect_queue_is_busy(engine->context.effects) &&
           (first = heap_first(&engine->timers)) != NULL &&
           heap_due_ms(&engine->timers, first) <= now_ms) {
        heap_remove(&engine->timers, first);
        timer_due(engine, HASH_OWNER(first, struct timer, node));
    }
}

static void take_buffer(struct buffer *to, struct buffer *from)
{
    buffer_free(to);
    *to = *from;
    *from = (struct buffer){0};
}

/* Where the answers of a step put what they bring. */
struct results {
    struct step *step;
    struct buffer *public;
    struct secret *shared;
    struct buffer *auth; /* NULL: not asked for */
    struct child_sa *child;
    struct address *source; /* NULL: not asked for */
};

/* Which step of the SA's a ticket belongs to; step is NULL when nobody waits. */
static struct results find_step(struct ike_sa *sa, uint32_t number)
{
    struct handshake *handshake = sa->handshake;
    struct creation *creations[] = {ikev2_of(sa)->own, ikev2_of(sa)->theirs};

    if (handshake != NULL && handshake->step.number == number && handshake->step.awaited > 0)
        return (struct results){&handshake->step, &handshake->public, &handshake->shared,
                                &handshake->auth, handshake->child,   &sa->local};
    for (size_t i = 0; i < 2; i++) {
        struct creation *creation = creations[i];
        if (creation != NULL && creation->step.number == number && creation->step.awaited > 0)
            return (struct results){
                &creation->step, &creation->public, &creation->shared, NULL, creation->child, NULL};
    }
    if (ikev2_of(sa)->movement != NULL && ikev2_of(sa)->movement->step.number == number &&
        ikev2_of(sa)->movement->step.awaited > 0)
        return (struct results){.step = &ikev2_of(sa)->movement->step};
    return (struct results){0};
}

static void store_answer(const struct results *results, struct answer *answer)
{
    if (answer->kind == EFFECT_COMPUTE) {
        if (answer->public.size > 0)
            take_buffer(results->public, &answer->public);
        secret_take(results->shared, &answer->shared);
    } else if (answer->kind == EFFECT_PSK_AUTH && results->auth != NULL) {
        if (answer->status == STATUS_OK)
            take_buffer(results->auth, &answer->auth);
    } else if (answer->kind == EFFECT_ALLOCATE_SPI && results->child != NULL) {
        results->child->spi_in = answer->spi;
    } else if (answer->kind == EFFECT_FIND_SOURCE && results->source != NULL &&
               answer->status == STATUS_OK) {
        uint16_t port = results->source->port;
        *results->source = answer->source;
        results->source->port = port;
    }
    if (answer->status > results->step->status) {
        results->step->status = (uint8_t)answer->status;
        results->step->reason = answer->reason;
    }
}

static enum status go_on(struct engine *engine, struct ike_sa *sa, const struct step *step,
                         struct reason *reason)
{
    struct context *context = &engine->context;

    if (ikev2_of(sa)->own != NULL && step == &ikev2_of(sa)->own->step)
        return create_own_continue(context, sa, reason);
    if (ikev2_of(sa)->theirs != NULL && step == &ikev2_of(sa)->theirs->step)
        return create_their_continue(context, sa, reason);
    if (sa->state == IKE_AWAIT_SIGN)
        sa->handshake->initial_contact = link_first_contact(engine, sa);
    return step_continue(context, sa, reason);
}

void engine_answer(struct engine *engine, struct answer *answer, uint64_t now_ms)
{
    struct context *context = &engine->context;
    struct ike_sa *sa = sa_table_find(&engine->sas, answer->ticket.sa);
    struct results results = {0};

    context->now_ms = now_ms;
    if (answer->kind == EFFECT_RESOLVE) {
        dial_answer(engine, answer);
        return;
    }
    if (sa != NULL && answer->kind == EFFECT_QUERY_SA) {
        sa_queried(engine, sa, answer);
        return;
    }
    if (sa != NULL)
        results = find_step(sa, answer->ticket.sequence);
    if (results.step == NULL) {
        if (sa == NULL || !sa_released(engine, sa, answer))
            count(context, COUNTER_DROP_ANSWER);
        return;
    }
    store_answer(&results, answer);
    if (--results.step->awaited > 0)
        return;
    if (answer->kind == EFFECT_FIND_SOURCE && ikev2_of(sa)->movement != NULL &&
        results.step == &ikev2_of(sa)->movement->step) {
        path_source(engine, sa, answer);
        return;
    }
    struct reason reason = results.step->reason;
    enum status status = go_on(engine, sa, results.step, &reason);
    sa_settle(engine, sa, status, &reason);
}
