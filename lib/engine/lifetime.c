/*
 * How long an IKE SA lives: rekeying before its lifetime is over, a whole new one before its
 * authentication is, and an end when it serves nobody.  RFC 7296 sections 2.8, 2.8.3 and 1.4.1,
 * RFC 4478.  One that was made without a child (RFC 6023) may serve later and lives on.
 *
 *   new IKE SA beside the old one  -->  its children, one by one  -->  Delete of the old one
 *
 * Not here: the rekeying itself (lib/ikev2/outcome.c), the SA's life otherwise (sa_life.c).
 */
#include "lib/engine/lifetime.h"

#include "lib/engine/close.h"
#include "lib/engine/duplicate.h"
#include "lib/engine/private.h"
#include "lib/engine/twin.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define SOFT_INITIATOR    18 /* twentieths of the lifetime: the initiator rekeys from here on ... */
#define SOFT_RESPONDER    19 /* ... the responder a little later */
#define SOFT_REAUTH       17 /* and authenticates again, which takes longer, still earlier */
#define REAUTH_TRIES      8  /* in what is left */
#define CHILDLESS_LIFE_MS 30000 /* an IKE SA without a child serves nobody */

static uint64_t twentieths(uint64_t from_ms, uint64_t to_ms, unsigned parts)
{
    return from_ms + (to_ms - from_ms) / 20 * parts;
}

/* Only the first initiator makes a new one, whoever has rekeyed since (RFC 4478 section 2): who has
 * answered may not be able to call.  It ends what is not authenticated again. */
static uint64_t reauth_due_ms(const struct ike_sa *sa)
{
    if (sa->reauth_ms == 0)
        return UINT64_MAX;
    return sa->leads ? twentieths(sa->line_ms, sa->reauth_ms, SOFT_REAUTH) : sa->reauth_ms;
}

void sa_arm_lifetime(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    uint64_t life_ms = sa->connection->lifetime_s * 1000ull;
    uint64_t due_ms = reauth_due_ms(sa);
    uint32_t chance;

    sa->childless = false; /* the timer is the lifetime's again: sa_arm_childless looks anew */
    if (life_ms != 0) {
        context->random(context->random_context, &chance, sizeof(chance));
        uint64_t wait_ms = life_ms / 20 * (sa->initiator ? SOFT_INITIATOR : SOFT_RESPONDER) -
                           chance % (life_ms / 20);
        if (sa->established_ms + wait_ms < due_ms)
            due_ms = sa->established_ms + wait_ms;
    }
    if (due_ms == UINT64_MAX)
        ike_sa_timer_stop(context, &sa->expire);
    else
        ike_sa_timer(context, &sa->expire, due_ms);
}

void sa_arm_told(struct engine *engine, struct ike_sa *sa)
{
    uint64_t due_ms = reauth_due_ms(sa);

    if (!sa->reauth_told || sa->superseded)
        return;
    sa->reauth_told = false;
    if (heap_due_ms(&engine->timers, &sa->expire.node) > due_ms)
        ike_sa_timer(&engine->context, &sa->expire, due_ms);
}

void sa_arm_childless(struct engine *engine, struct ike_sa *sa)
{
    bool childless = TAILQ_EMPTY(&sa->children);
    uint64_t due_ms = engine->context.now_ms + CHILDLESS_LIFE_MS;

    /* Of one that is superseded the timer is the peer's time to close it. */
    if (sa->state != IKE_ESTABLISHED || sa->inherited || sa->lone || sa->superseded ||
        sa->childless == childless)
        return;
    sa->childless = childless;
    if (!childless)
        sa_arm_lifetime(engine, sa);
    else if (heap_due_ms(&engine->timers, &sa->expire.node) > due_ms)
        ike_sa_timer(&engine->context, &sa->expire, due_ms);
}

/* --- A whole new IKE SA --- */

void sa_replace_begin(struct engine *engine, struct ike_sa *sa)
{
    struct ike_sa *old = sa->replaces == 0 ? NULL : sa_table_find(&engine->sas, sa->replaces);
    const struct child_sa *child;

    if (old == NULL || old->connection != sa->connection) {
        sa->replaces = 0;
        return;
    }
    ike_sa_take_tasks(sa, old);
    old->wanted_children = 0;
    TAILQ_FOREACH (child, &old->children, entry)
        if (!child->delete_due)
            ike_sa_want_child(sa, child->config);
}

/* Only now no packet misses what goes. */
void sa_replace_finish(struct engine *engine, struct ike_sa *sa)
{
    struct protocol_view view;

    if (sa->replaces == 0 || sa->state != IKE_ESTABLISHED || sa->wanted_children != 0)
        return;
    sa->protocol->view(sa, &view);
    if (view.ours)
        return;
    struct ike_sa *old = sa_table_find(&engine->sas, sa->replaces);
    sa->replaces = 0;
    if (old == NULL || old == sa || old->connection != sa->connection)
        return;
    report(&engine->context, sa, SEVERITY_INFO, "ike-replaced",
           "the whole of an older IKE SA is replaced: that is closed");
    sa_close(engine, old);
}

void sa_inherited(struct engine *engine, struct ike_sa *sa, const struct ike_sa *from)
{
    struct ike_sa *other;

    sa_arm_lifetime(engine, sa);
    if (sa->link != NULL && sa->connection->remote.family != FAMILY_NONE)
        TAILQ_FOREACH (other, &sa->link->sas, of_link)
            if (other->replaces == ike_sa_own_spi(from))
                other->replaces = ike_sa_own_spi(sa);
    if (from->superseded)
        sa_supersede(engine, sa);
}

/* --- The end --- */

static void reauthenticate(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    uint64_t pause_ms = (sa->reauth_ms - sa->line_ms) / 20 * (20 - SOFT_REAUTH) / REAUTH_TRIES;
    uint64_t again_ms = context->now_ms + pause_ms + 1;

    ike_sa_timer(context, &sa->expire, again_ms < sa->reauth_ms ? again_ms : sa->reauth_ms);
    event_replace(&engine->context, sa);
}

/* Superseded: has the peer had its time to close it? */
static void superseded_over(struct engine *engine, struct ike_sa *sa)
{
    struct child_sa *child;

    sa->superseded = false;
    if (!sa_is_superseded(engine, sa)) {
        sa_arm_lifetime(engine, sa);
        sa_arm_childless(engine, sa);
        TAILQ_FOREACH (child, &sa->children, entry) /* what was made meanwhile was to go with it */
            sa_resolve_twins(engine, sa, child);
        event_due(&engine->context, sa);
        return;
    }
    report(&engine->context, sa, SEVERITY_INFO, "ike-superseded",
           "a newer IKE SA has taken over: closed");
    sa_close(engine, sa);
}

void sa_lifetime_over(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    uint64_t now_ms = context->now_ms;
    uint64_t life_ms = sa->connection->lifetime_s * 1000ull;
    bool aged = life_ms != 0 && now_ms >= sa->established_ms + life_ms;
    bool unproven = sa->reauth_ms != 0 && now_ms >= sa->reauth_ms;

    if (sa->superseded && !sa->inherited) {
        superseded_over(engine, sa);
        return;
    }
    if ((TAILQ_EMPTY(&sa->children) && !sa->lone) || sa->inherited || aged || unproven) {
        report(context, sa, SEVERITY_INFO, "ike-lifetime", "%s",
               unproven ? "the peers were to authenticate again by now: closed"
                        : "the lifetime is over: closed");
        sa_close(engine, sa);
        return;
    }
    if (now_ms >= reauth_due_ms(sa)) {
        reauthenticate(engine, sa);
        return;
    }
    uint64_t end_ms = life_ms == 0 ? UINT64_MAX : sa->established_ms + life_ms;
    uint64_t due_ms = reauth_due_ms(sa) > now_ms ? reauth_due_ms(sa) : sa->reauth_ms;
    ike_sa_timer(context, &sa->expire, due_ms < end_ms ? due_ms : end_ms);
    sa->rekey_due = true;
    event_due(&engine->context, sa);
}
