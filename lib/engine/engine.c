/*
 * The engine's frame: making and freeing it, timers, answers.  See engine.h.
 */
#include "lib/engine/engine.h"

#include <stdlib.h>

#include "lib/engine/call.h"
#include "lib/engine/change.h"
#include "lib/engine/coverage.h"
#include "lib/engine/lifetime.h"
#include "lib/engine/link.h"
#include "lib/engine/link_addresses.h"
#include "lib/engine/link_dead.h"
#include "lib/engine/liveness.h"
#include "lib/engine/pair.h"
#include "lib/engine/path.h"
#include "lib/engine/private.h"
#include "lib/engine/retry.h"
#include "lib/engine/sa_life.h"
#include "lib/engine/sibling.h"
#include "lib/engine/task.h"
#include "lib/engine/twin.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2.h"
#include "lib/sa/admission.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"

static const struct protocol *const all_protocols[] = {&ikev2, NULL};

static void child_made(struct engine *engine, const struct event *event)
{
    struct link *link = link_of_child(engine, event->sa, event->child->config);

    if (link != NULL) {
        link_serves(engine, link);
        pair_made(engine, link, event->sa, event->child, event->packet);
    }
    sa_resolve_twins(engine, event->sa, event->child);
}

/* No child came of it.  Beside others of the same one lacks what it was to cover; without any, the
 * connection has failed. */
static void child_failed(struct engine *engine, const struct event *event)
{
    struct link *link = link_of_child(engine, event->sa, event->config);
    bool paired = event->packet != NULL && event->packet->pair;

    if (link != NULL && paired)
        pair_refused(engine, link, event->packet, event->why);
    if (link == NULL || !paired || !link_covers(link, event->config))
        link_failed(engine, link, event->text);
}

/* All is known that somebody wanted to know of the kernel.  May free the SA. */
static void looked(struct engine *engine, struct ike_sa *sa)
{
    struct link *link = sa->link;

    sa->look_kernel = false;
    sa_wishes(engine, sa);
    if (link == NULL)
        return;
    link_up(engine, link);
    link_tell_siblings(engine, link);
}

static void ike_made(struct engine *engine, struct ike_sa *sa)
{
    link_adopt(engine, sa);
    sa_arm_lifetime(engine, sa);
    sa_watch(engine, sa);
}

static void take_event(struct context *context, struct event *event)
{
    struct engine *engine = (struct engine *)((char *)context - offsetof(struct engine, context));

    switch (event->kind) {
    case EVENT_SETTLED: sa_settle(engine, event->sa, event->status, event->reason); return;
    case EVENT_HEARD: sa_heard(engine, event->sa); return;
    case EVENT_HINT: liveness_hint(engine, event->sa, event->idle); return;
    case EVENT_LOOKED: looked(engine, event->sa); return;
    case EVENT_REFUSED: sa_refused(engine, event->sa); return;
    case EVENT_DUE: sa_wishes(engine, event->sa); return;
    case EVENT_REPLACE: sa_replace(engine, event->sa); return;
    case EVENT_SENT_AGAIN: link_progress(engine, event->sa->link, "%s", event->why); return;
    case EVENT_UNANSWERED: sa_unanswered(engine, event->sa, event->reason); return;
    case EVENT_CHILD_MADE: child_made(engine, event); return;
    case EVENT_CHILD_FAILED: child_failed(engine, event); return;
    case EVENT_SINGLE_PAIR:
        event->taken =
            event->sa->link != NULL && pair_single(event->sa, event->config, event->packet);
        return;
    case EVENT_IKE_MADE: ike_made(engine, event->sa); return;
    case EVENT_INHERITED: sa_inherited(engine, event->sa, event->from); return;
    case EVENT_REKEY_FAILED: link_rekey_failed(engine, event->sa->link, event->why); return;
    case EVENT_FAILED: link_failed(engine, event->sa->link, event->why); return;
    case EVENT_STRANGER: link_refused_stranger(engine, event); return;
    }
}

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
        .admission = &engine->admission,
        .event = take_event,
        .random = options->random,
        .random_context = options->context,
        .scratch = malloc(CONTEXT_SCRATCH_SIZE),
        .cuttings = malloc(CONTEXT_CUTTINGS_SIZE),
        .now_ms = now_ms,
        .debug = options->debug,
    };
    engine->protocols = options->protocols != NULL ? options->protocols : all_protocols;
    TAILQ_INIT(&engine->links);
    if (engine->context.effects == NULL || engine->context.scratch == NULL ||
        engine->context.cuttings == NULL || !sa_table_init(&engine->sas, &engine->context) ||
        !hash_init(&engine->links_by_name, link_key, engine)) {
        engine_free(engine);
        return NULL;
    }
    admission_init(&engine->context);
    return engine;
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->sas.by_spi.buckets != NULL) {
        struct ike_sa *sa;
        while ((sa = TAILQ_FIRST(&engine->sas.all)) != NULL)
            ike_sa_free(&engine->context, sa);
        sa_table_free(&engine->sas);
    }
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
    case TIMER_PROTOCOL: {
        struct protocol_timer *own = HASH_OWNER(timer, struct protocol_timer, timer);
        own->due(&engine->context, own);
        return;
    }
    case TIMER_EXPIRE: sa_expire(engine, HASH_OWNER(timer, struct ike_sa, expire)); return;
    case TIMER_LATER: sa_later(engine, HASH_OWNER(timer, struct ike_sa, later)); return;
    case TIMER_CALM: admission_calm(&engine->context); return;
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

void engine_answer(struct engine *engine, struct answer *answer, uint64_t now_ms)
{
    struct context *context = &engine->context;
    struct ike_sa *sa = sa_table_find(&engine->sas, answer->ticket.sa);

    context->now_ms = now_ms;
    if (answer->kind == EFFECT_RESOLVE) {
        dial_answer(engine, answer);
        return;
    }
    if (sa != NULL && answer->kind == EFFECT_QUERY_SA) {
        sa_queried(engine, sa, answer);
        return;
    }
    if (sa != NULL && sa->state == IKE_AWAIT_SIGN)
        sa->handshake->initial_contact = link_first_contact(engine, sa);
    if (sa == NULL ||
        (!sa->protocol->answer(context, sa, answer) && !sa_released(engine, sa, answer)))
        count(context, COUNTER_DROP_ANSWER);
}

/* --- Packets --- */

#define VERSION_OFFSET 17 /* in the header of both versions: RFC 7296 section 3.1 */

/* By the major version; the highest that there is takes what nobody knows. */
static const struct protocol *protocol_for(const struct engine *engine, struct slice message)
{
    struct reader reader = reader_of(message);

    reader_skip(&reader, VERSION_OFFSET);
    return engine_protocol(engine, reader_u8(&reader) >> 4);
}

void engine_packet(struct engine *engine, const struct datagram *datagram, uint64_t now_ms)
{
    struct context *context = &engine->context;

    context->now_ms = now_ms;
    changes_end(engine);
    count(context, COUNTER_PACKETS_IN);
    if (engine->config != NULL) {
        const struct protocol *protocol =
            protocol_for(engine, slice_of(datagram->data, datagram->size));
        protocol->packet(context, protocol, datagram);
    }
}

void engine_unsent(struct engine *engine, const struct effect_send *send, const char *why,
                   uint64_t now_ms)
{
    struct slice message = buffer_slice(&send->data);

    engine->context.now_ms = now_ms;
    if (send->keepalive)
        return;
    struct ike_sa *sa = protocol_for(engine, message)->requester(&engine->context, message);
    if (sa == NULL)
        return;
    link_progress(engine, sa->link, "%s", why);
    if (sa->handshake == NULL || sa->handshake->init_refused)
        return;
    link_note(engine, sa->link, why);
    sa->handshake->unsent = true;
    reason_set(&sa->handshake->refusal, STATUS_CLOSE, 0, "%s", why);
}
