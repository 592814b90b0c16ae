/*
 * Liveness: is the peer of an established SA still there?  RFC 7296 sections 1.4, 2.4 and 2.21.4.
 *
 *   now and then                      the kernel is asked what came in and went out by the children
 *   nothing came in for the interval  an empty INFORMATIONAL, whose retransmissions end the SA
 *   we send, and nothing comes in     the same, much sooner: the peer may have lost its SAs
 *
 * Not here: how long an answer is awaited (lib/ikev2/retransmit.c), what follows when it ends
 * (sa_life.c, link_dead.c).
 */
#include "lib/engine/liveness.h"

#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

/* Parts of the interval. */
#define LOOK_PART   5  /* so often the kernel is asked about an SA that is idle ... */
#define BUSY_PART   8  /* ... and one in use; so long we send, and nothing comes in */
#define JITTER_PART 8  /* SAs do not fall into step, and one end asks first */
#define GRID_PART   64 /* and yet many share a wakeup, the keeper's too */

#define LOOK_MIN_MS   1000
#define HINT_PAUSE_MS 60000 /* per SA: a forger brings about no more than one early check in that */

static uint64_t interval_ms(const struct ike_sa *sa)
{
    return sa->connection->liveness_s * 1000ull;
}

static uint64_t look_ms(const struct ike_sa *sa, unsigned part)
{
    uint64_t look = interval_ms(sa) / part;

    return look < LOOK_MIN_MS ? LOOK_MIN_MS : look;
}

/* When the peer is asked unless something comes from it. */
static uint64_t question_ms(const struct ike_sa *sa)
{
    uint64_t interval = interval_ms(sa);

    return sa->heard_ms + interval + ike_sa_own_spi(sa) % (interval / JITTER_PART);
}

static uint64_t next_look_ms(const struct ike_sa *sa)
{
    return look_ms(sa, sa->busy ? BUSY_PART : LOOK_PART);
}

/* For the next look, or for the question where that is about as near. */
static void arm(struct engine *engine, struct ike_sa *sa)
{
    uint64_t now_ms = engine->context.now_ms;
    uint64_t look = next_look_ms(sa);
    uint64_t question = question_ms(sa);
    uint64_t grid = interval_ms(sa) / GRID_PART;
    uint64_t due_ms = now_ms + look;

    if (question > now_ms && question < due_ms + look / 2)
        due_ms = question;
    ike_sa_timer(&engine->context, &sa->watch, due_ms + grid - due_ms % grid);
}

static void hear(struct ike_sa *sa, uint64_t when_ms)
{
    if (when_ms > sa->heard_ms)
        sa->heard_ms = when_ms;
    sa->hasty = sa->unheard = false;
}

void sa_heard(struct engine *engine, struct ike_sa *sa)
{
    sa->look_peer = false;
    hear(sa, engine->context.now_ms);
}

void sa_watch(struct engine *engine, struct ike_sa *sa)
{
    sa->heard_ms = engine->context.now_ms;
    if (interval_ms(sa) != 0)
        arm(engine, sa);
}

static void probe(struct engine *engine, struct ike_sa *sa)
{
    sa->probe_due = true;
    event_due(&engine->context, sa);
}

static void ask_about(struct engine *engine, struct ike_sa *sa,
                      const struct child_transform *transform, bool inbound)
{
    const struct child_sa *child = child_of_transform(transform);
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = sa->asked + !inbound};
    struct effect *effect = effect_append(engine->context.effects, EFFECT_QUERY_SA, ticket);

    if (effect == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        return;
    }
    effect->query_sa = (struct effect_query_sa){
        .source = inbound ? child->remote : child->local,
        .destination = inbound ? child->local : child->remote,
        .spi = inbound ? transform->spi_in : transform->spi_out,
        .protocol = transform->protocol,
    };
    sa->asked_count++;
}

/* About as many as can be counted. */
static void ask_about_child(struct engine *engine, struct ike_sa *sa, const struct child_sa *child,
                            bool inbound)
{
    for (size_t i = 0; i < child->transform_count && sa->asked_count < UINT8_MAX; i++)
        ask_about(engine, sa, &child->transforms[i], inbound);
}

/* Every child is asked about, because any of them may be the one in use.  False when there is
 * none. */
static bool ask_kernel(struct engine *engine, struct ike_sa *sa, bool inbound, bool outbound)
{
    const struct child_sa *child;

    sa->asked = sa->steps + 1; /* the inbound SAs', the next is the outbound ones' */
    sa->steps += 2;
    sa->asked_in = inbound;
    TAILQ_FOREACH (child, &sa->children, entry) {
        if (inbound && child->in_kernel)
            ask_about_child(engine, sa, child, true);
        if (outbound && child->out_kernel)
            ask_about_child(engine, sa, child, false);
    }
    return sa->asked_count > 0;
}

/* What is known by now decides.  May free the SA. */
static void judge(struct engine *engine, struct ike_sa *sa)
{
    struct protocol_view view;
    uint64_t now_ms = engine->context.now_ms;

    if (sa->went_out && !sa->asked_in && ask_kernel(engine, sa, true, false))
        return;
    if (interval_ms(sa) == 0)
        return;
    bool unheard = sa->went_out && !sa->came_in && now_ms - sa->heard_ms >= look_ms(sa, BUSY_PART);
    sa->unheard = sa->unheard || unheard;
    sa->busy = sa->went_out || sa->came_in;
    sa->protocol->view(sa, &view);
    bool ask = (unheard || now_ms >= question_ms(sa)) && !view.busy;
    arm(engine, sa);
    if (ask)
        probe(engine, sa);
}

/* While nothing goes out it is of no interest what comes in, until the peer would be asked. */
void sa_watch_due(struct engine *engine, struct ike_sa *sa)
{
    bool unanswered = sa->asked_count > 0; /* since the last look */

    sa->protocol->forget(&engine->context, sa);
    if (sa->state != IKE_ESTABLISHED || sa->inherited || interval_ms(sa) == 0)
        return;
    bool all = sa->busy || engine->context.now_ms >= question_ms(sa);
    sa->asked_count = 0;
    sa->came_in = sa->went_out = false;
    arm(engine, sa);
    if (unanswered || !ask_kernel(engine, sa, all, true))
        judge(engine, sa);
}

/* When the packets came that the kernel has counted since the last look: without a date of theirs
 * in the middle. */
static uint64_t came_ms(const struct engine *engine, const struct ike_sa *sa, uint32_t ago_s)
{
    uint64_t now_ms = engine->context.now_ms;
    uint64_t between_ms = sa->busy ? next_look_ms(sa) : now_ms - sa->heard_ms;

    if (ago_s == ANSWER_AGO_UNKNOWN || ago_s * 1000ull > between_ms)
        return now_ms - between_ms / 2;
    return now_ms - ago_s * 1000ull;
}

static void take_use(struct engine *engine, struct ike_sa *sa, struct child_sa *child,
                     const struct answer *answer)
{
    bool inbound = answer->ticket.sequence == sa->asked;
    uint32_t packets = (uint32_t)answer->packets;

    /* All packets go through each transform: one of them says how many. */
    if (child_find_transform(child, answer->protocol, answer->spi, inbound) != child_main(child))
        return;
    if (inbound && packets != child->packets_in) {
        child->packets_in = packets;
        sa->came_in = true;
        hear(sa, came_ms(engine, sa, answer->ago_s));
    } else if (!inbound && packets != child->packets_out) {
        child->packets_out = packets;
        sa->went_out = true;
    }
}

void sa_look(struct engine *engine, struct ike_sa *sa, bool peer)
{
    if (sa->state != IKE_ESTABLISHED || sa->inherited || sa->delete_asked)
        return;
    sa->asked_count = 0; /* what was asked before says nothing of now */
    sa->look_kernel = ask_kernel(engine, sa, true, true);
    if (!peer)
        return;
    sa->look_peer = sa->hasty = true;
    probe(engine, sa);
}

/* The kernel has forgotten it, on somebody's word who is not us: it goes, and one is made anew. */
static void child_missing(struct engine *engine, struct ike_sa *sa, struct child_sa *child,
                          uint32_t spi)
{
    if (child->delete_due || child->replaced)
        return;
    report(&engine->context, sa, SEVERITY_WARNING, "child-missing",
           "the kernel has no SA %08x any more: child %s is made anew", spi, child->config->name);
    child->delete_due = child->expired = true;
    if (!child_is_guest(sa, child))
        ike_sa_want_child(sa, child->config);
}

static void find_missing(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    bool inbound = answer->ticket.sequence == sa->asked;
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if ((inbound ? child->in_kernel : child->out_kernel) &&
            child_find_transform(child, answer->protocol, answer->spi, inbound) != NULL)
            child_missing(engine, sa, child, answer->spi);
}

void sa_queried(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    struct child_sa *child;

    if (sa->asked_count == 0 || answer->ticket.sequence - sa->asked > 1) {
        count(&engine->context, COUNTER_DROP_ANSWER);
        return;
    }
    if (answer->status == STATUS_OK)
        TAILQ_FOREACH (child, &sa->children, entry)
            take_use(engine, sa, child, answer);
    else if (answer->status == STATUS_REJECT)
        find_missing(engine, sa, answer);
    if (--sa->asked_count > 0)
        return;
    bool wanted = sa->look_kernel || answer->status == STATUS_REJECT;
    uint64_t number = ike_sa_own_spi(sa);
    judge(engine, sa);
    sa = wanted ? sa_table_find(&engine->sas, number) : NULL;
    if (sa != NULL && sa->asked_count == 0)
        event_looked(&engine->context, sa);
}

/* --- Hints --- */

static bool heed(struct engine *engine, struct ike_sa *sa)
{
    uint64_t now_ms = engine->context.now_ms;

    if (sa->state != IKE_ESTABLISHED || sa->inherited || sa->hasty ||
        (sa->hinted_ms != 0 && now_ms - sa->hinted_ms < HINT_PAUSE_MS))
        return false;
    sa->hinted_ms = now_ms;
    sa->hasty = true;
    count(&engine->context, COUNTER_HINTS);
    report(&engine->context, sa, SEVERITY_DEBUG, "liveness-hint",
           "the peer, or somebody in its name, says that it does not know this SA");
    return true;
}

void liveness_hint(struct engine *engine, struct ike_sa *sa, bool idle)
{
    if (heed(engine, sa) && idle)
        probe(engine, sa);
}
