/*
 * Liveness: is the peer of an established SA still there?  RFC 7296 sections 1.4, 2.4 and 2.21.4.
 *
 *   heard from within the interval    nothing
 *   else                              the kernel is asked whether packets came in by the children
 *   neither                           an empty INFORMATIONAL, whose retransmissions end the SA
 *
 * Not here: what follows when it ends (sa_life.c, link_dead.c).
 */
#include "lib/engine/private.h"

#define JITTER_PART   4     /* of the interval: SAs do not fall into step, and one end asks first */
#define GRID_PART     64    /* of the interval: and yet many share a wakeup, the keeper's too */
#define HINT_PAUSE_MS 60000 /* per SA: a forger brings about no more than one early check in that */

static uint64_t interval_ms(const struct ike_sa *sa)
{
    return sa->connection->liveness_s * 1000ull;
}

static void arm(struct engine *engine, struct ike_sa *sa, uint64_t from_ms)
{
    struct context *context = &engine->context;
    uint64_t interval = interval_ms(sa);
    uint32_t chance;

    if (interval == 0)
        return;
    context->random(context->random_context, &chance, sizeof(chance));
    uint64_t grid = interval / GRID_PART;
    uint64_t due_ms = from_ms + interval + chance % (interval / JITTER_PART);
    ike_sa_timer(context, &sa->watch, due_ms + grid - due_ms % grid);
}

void sa_heard(struct engine *engine, struct ike_sa *sa)
{
    sa->heard_ms = engine->context.now_ms;
    sa->hasty = false;
}

void sa_watch(struct engine *engine, struct ike_sa *sa)
{
    sa->heard_ms = engine->context.now_ms;
    arm(engine, sa, sa->heard_ms);
}

static void probe(struct engine *engine, struct ike_sa *sa)
{
    sa->probe_due = true;
    sa_wishes(engine, sa);
}

/* Every child is asked about, because any of them may be the one in use.  False when there is
 * none. */
static bool ask_kernel(struct engine *engine, struct ike_sa *sa)
{
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = ++sa->steps};
    const struct child_sa *child;

    sa->asked = ticket.sequence;
    TAILQ_FOREACH (child, &sa->children, entry) {
        if (!child->in_kernel || sa->asked_count == UINT8_MAX)
            continue;
        struct effect *effect = effect_append(engine->context.effects, EFFECT_QUERY_SA, ticket);
        if (effect == NULL) {
            count(&engine->context, COUNTER_FAILURES);
            continue;
        }
        effect->query_sa = (struct effect_query_sa){
            .source = child->remote,
            .destination = child->local,
            .spi = child->spi_in,
            .protocol = child->protocol,
        };
        sa->asked_count++;
    }
    return sa->asked_count > 0;
}

void sa_watch_due(struct engine *engine, struct ike_sa *sa)
{
    uint64_t now_ms = engine->context.now_ms;
    bool unanswered = sa->asked_count > 0; /* since a whole interval */

    message_forget_reply(&engine->context, sa);
    if (sa->state != IKE_ESTABLISHED || sa->inherited || interval_ms(sa) == 0)
        return;
    sa->asked_count = 0;
    if (now_ms - sa->heard_ms < interval_ms(sa)) {
        arm(engine, sa, sa->heard_ms);
        return;
    }
    arm(engine, sa, now_ms);
    if (sa->request != NULL)
        return; /* a check already */
    if (unanswered || !ask_kernel(engine, sa))
        probe(engine, sa);
}

void sa_queried(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    uint64_t now_ms = engine->context.now_ms;
    struct child_sa *child;

    if (sa->asked_count == 0 || answer->ticket.sequence != sa->asked) {
        count(&engine->context, COUNTER_DROP_ANSWER);
        return;
    }
    TAILQ_FOREACH (child, &sa->children, entry) {
        if (child->spi_in != answer->spi || answer->status != STATUS_OK ||
            child->packets_in == answer->packets)
            continue;
        child->packets_in = answer->packets;
        sa->heard_ms = now_ms;
    }
    if (--sa->asked_count > 0)
        return;
    if (now_ms - sa->heard_ms >= interval_ms(sa))
        probe(engine, sa);
    else
        arm(engine, sa, sa->heard_ms);
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

/* RFC 7296 section 1.5: an INFORMATIONAL outside of any SA tells the SPI of an ESP packet that the
 * peer has no SA for. */
static void hint_of_spi(struct engine *engine, const struct ike_message *message)
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
        sa_table_find_outbound(&engine->sas, V2_PROTOCOL_ESP, spi, &message->remote);
    if (child != NULL && child->out_kernel && heed(engine, child->owner))
        probe(engine, child->owner);
}

/* RFC 7296 section 2.21.4: a request of ours came back with INVALID_IKE_SPI, unprotected.  That
 * request is a check already; it is given up sooner. */
void liveness_hint(struct engine *engine, struct ike_sa *sa, const struct ike_message *message)
{
    struct v2_notify_body notify;

    if (v2_payloads_find(&message->payloads, V2_SK, NULL) != NULL)
        return;
    if (sa == NULL)
        hint_of_spi(engine, message);
    else if (ike_message_is_response(message) && sa->request != NULL &&
             message->header.message_id == sa->next_request &&
             message_find_notify(message, V2_N_INVALID_IKE_SPI, &notify))
        (void)heed(engine, sa);
}
