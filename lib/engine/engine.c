/*
 * The engine's frame: making and freeing it, timers, answers.  See engine.h.
 */
#include "lib/engine/engine.h"

#include <stdlib.h>

#include "lib/engine/private.h"

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
        .now_ms = now_ms,
        .debug = options->debug,
    };
    TAILQ_INIT(&engine->links);
    if (engine->context.effects == NULL || engine->context.scratch == NULL ||
        !sa_table_init(&engine->sas, &engine->context) || !hash_init(&engine->links_by_name)) {
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
    effect_queue_free(engine->context.effects);
    config_free(engine->config);
    free(engine->context.scratch);
    secret_wipe(&engine->admission, sizeof(engine->admission));
    free(engine);
}

bool engine_next_effect(struct engine *engine, struct effect *effect)
{
    return effect_queue_pop(engine->context.effects, effect);
}

uint64_t engine_deadline(const struct engine *engine)
{
    const struct heap_node *first = heap_first(&engine->timers);

    return first == NULL ? UINT64_MAX : first->due_ms;
}

static void timer_due(struct engine *engine, struct timer *timer)
{
    switch ((enum timer_kind)timer->kind) {
    case TIMER_RETRANSMIT:
        sa_timer_due(engine, HASH_OWNER(timer, struct ike_sa, retransmit), TIMER_RETRANSMIT);
        return;
    case TIMER_EXPIRE:
        sa_timer_due(engine, HASH_OWNER(timer, struct ike_sa, expire), TIMER_EXPIRE);
        return;
    case TIMER_RETRY:
        link_retry(engine, HASH_OWNER(timer, struct link, retry));
        return;
    }
}

void engine_expire(struct engine *engine, uint64_t now_ms)
{
    struct heap_node *first;

    engine->context.now_ms = now_ms;
    while ((first = heap_first(&engine->timers)) != NULL && first->due_ms <= now_ms) {
        heap_remove(&engine->timers, first);
        timer_due(engine, HASH_OWNER(first, struct timer, node));
    }
}

/* Takes what an answer brought into the SA. */
static void store_answer(struct ike_sa *sa, struct answer *answer)
{
    struct handshake *handshake = sa->handshake;

    switch (answer->kind) {
    case EFFECT_COMPUTE:
        buffer_free(&handshake->public);
        handshake->public = answer->public;
        answer->public = (struct buffer){0};
        secret_take(&handshake->shared, &answer->shared);
        break;
    case EFFECT_SIGN:
        buffer_free(&handshake->auth);
        handshake->auth = answer->auth;
        answer->auth = (struct buffer){0};
        break;
    case EFFECT_ALLOCATE_SPI:
        if (handshake->child != NULL)
            handshake->child->spi_in = answer->spi;
        break;
    default:
        break;
    }
}

void engine_answer(struct engine *engine, struct answer *answer, uint64_t now_ms)
{
    struct context *context = &engine->context;
    struct ike_sa *sa = sa_table_find(&engine->sas, answer->ticket.sa);
    struct step *step = sa == NULL || sa->handshake == NULL ? NULL : &sa->handshake->step;

    context->now_ms = now_ms;
    if (step == NULL || step->awaited == 0 || step->number != answer->ticket.sequence) {
        count(context, COUNTER_DROP_ANSWER);
        return;
    }
    store_answer(sa, answer);
    if (answer->status > step->status) {
        step->status = (uint8_t)answer->status;
        step->reason = answer->reason;
    }
    if (--step->awaited > 0)
        return;
    if (sa->state == IKE_AWAIT_SIGN)
        sa->handshake->initial_contact = link_first_contact(sa);
    struct reason reason = step->reason;
    enum status status = step_continue(context, sa, &reason);
    sa_settle(engine, sa, status, &reason);
}
