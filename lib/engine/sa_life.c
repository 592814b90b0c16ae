/*
 * The life of an IKE SA between its messages: established, refused, failed, replaced, ended.
 * RFC 7296 sections 1.4.1, 2.4, 2.8.3 and 2.21.
 */
#include "lib/engine/sa_life.h"

#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/duplicate.h"
#include "lib/engine/lifetime.h"
#include "lib/engine/link.h"
#include "lib/engine/link_addresses.h"
#include "lib/engine/link_dead.h"
#include "lib/engine/liveness.h"
#include "lib/engine/pair.h"
#include "lib/engine/private.h"
#include "lib/engine/result.h"
#include "lib/engine/retry.h"
#include "lib/engine/task.h"
#include "lib/engine/twin.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/keepalive.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define REFUSED_LIFE_MS 10000 /* how long a refusal is repeated to a repeated request */

static void report_established(struct engine *engine, const struct ike_sa *sa)
{
    char suite[128];
    char address[ADDRESS_TEXT_MAX];
    char id[IDENTITY_MAX];
    struct identity remote_id = ike_sa_remote_id(sa);

    report(&engine->context, sa, SEVERITY_INFO, "ike-established",
           "IKE SA established with %s (%s), as %s, %s", address_text(&sa->remote, address),
           identity_text(&remote_id, id, sizeof(id)), sa->initiator ? "initiator" : "responder",
           suite_text(&sa->suite, suite, sizeof(suite)));
    if (!TAILQ_EMPTY(&sa->children))
        child_report(&engine->context, sa, TAILQ_FIRST(&sa->children), false);
}

static void sa_established(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    struct link *link = sa->link;
    bool initial_contact = sa->handshake->initial_contact && !sa->initiator;
    struct reason refusal = sa->handshake->refusal;
    uint16_t child_error = sa->handshake->child_error;
    bool single_pair = sa->handshake->single_pair;
    const struct child_config *wanted = sa->handshake->wanted;

    sa->established_ms = sa->line_ms = context->now_ms;
    if (sa->connection->reauth_s != 0)
        sa->reauth_ms = context->now_ms + sa->connection->reauth_s * 1000ull;
    if (sa->handshake->auth_life_s != 0)
        (void)ike_sa_limit_authentication(sa, context->now_ms, &sa->handshake->auth_life_s);
    ike_sa_end_handshake(sa);
    sa_table_add_id(&engine->sas, sa);
    count(context, COUNTER_ESTABLISHED);
    sa_arm_lifetime(engine, sa);
    sa_watch(engine, sa);
    keepalive_arm(context, sa);
    sa_arm_childless(engine, sa);
    report_established(engine, sa);
    if (!sa->initiator)
        nat_report(context, sa);
    if (initial_contact)
        sa_forget_older(engine, sa);
    sa_close_surplus(engine, sa);
    if (single_pair && sa->initiator && link != NULL && pair_single(sa, wanted, sa->packet)) {
        report(context, sa, SEVERITY_INFO, "single-pair",
               "the peer takes one pair of networks for each child: it is asked for one");
    } else if (child_error != 0) {
        report(context, sa, SEVERITY_WARNING, "child-failed", "%s", refusal.text);
        if (sa->initiator) {
            link_failed(engine, link, refusal.text);
            sa_close(engine, sa);
        } else {
            link_note(engine, link, refusal.text);
        }
        return;
    }
    if (link == NULL) { /* memory was out when the connection came */
        sa_close(engine, sa);
        return;
    }
    dial_done(engine, link, &sa->remote);
    if (!TAILQ_EMPTY(&sa->children))
        link_serves(engine, link);
    sa_replace_begin(engine, sa);
    if (sa->lone && sa->replaces == 0) /* else it is to have what the old one had */
        ike_sa_want_child(sa, wanted);
    if (sa->delete_asked) {
        sa_close(engine, sa);
    } else {
        if (sa->connection->remote.family != FAMILY_NONE)
            link_abandon(engine, link, sa);
        if (!TAILQ_EMPTY(&sa->children))
            sa_resolve_twins(engine, sa, TAILQ_FIRST(&sa->children));
        if (sa->replaces != 0 || sa_resolve_duplicates(engine, sa))
            sa_wishes(engine, sa);
    }
    link_up(engine, link);
    link_leave_lone(engine, link);
}

void sa_refused(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    if (sa->handshake->child != NULL)
        child_remove(context, sa, sa->handshake->child);
    sa->handshake->step.awaited = 0;
    sa->state = IKE_REFUSED;
    ike_sa_timer(context, &sa->expire, context->now_ms + REFUSED_LIFE_MS);
}

/* A request of the peer's that is answered by an error and ends the attempt, or the SA. */
static void refuse(struct engine *engine, struct ike_sa *sa, const struct reason *reason)
{
    struct context *context = &engine->context;
    bool attempt = sa->handshake != NULL;

    enum status status = sa->protocol->refuse(context, sa, reason);
    link_note(engine, sa->link, reason->text);
    if (status == STATUS_OK && attempt)
        sa_refused(engine, sa);
    else
        sa_end(engine, sa);
}

/* The IKE SA that `sa` is the heir of, while the peer has not deleted it; NULL: none. */
static struct ike_sa *find_elder(const struct ike_sa *sa)
{
    struct ike_sa *elder = NULL;
    struct ike_sa *other;

    /* Where our own rekeying decides, nothing was left to it yet. */
    if (sa->link == NULL || sa->inherited || sa->expecting)
        return NULL;
    TAILQ_FOREACH (other, &sa->link->sas, of_link)
        if (other->inherited && !other->delete_asked && other->state == IKE_ESTABLISHED &&
            other->line_ms == sa->line_ms && other->number < sa->number &&
            ike_sa_same_identity(other, sa) && (elder == NULL || other->number > elder->number))
            elder = other;
    return elder;
}

/* A peer may undo its rekeying of the IKE SA: it closes the new one and goes on with the old.
 * Whether it has left the children there, rekeying them shows: CHILD_SA_NOT_FOUND is followed by
 * new ones. */
static void return_to_elder(struct engine *engine, struct ike_sa *sa)
{
    struct ike_sa *elder = find_elder(sa);
    struct context *context = &engine->context;
    struct child_sa *child;

    if (elder == NULL)
        return;
    report(context, elder, SEVERITY_WARNING, "ike-rekey-undone",
           "the peer has closed the new IKE SA at once: the old one goes on");
    elder->protocol->follow(elder, sa);
    ike_sa_inherit(context, sa, elder);
    elder->inherited = false;
    elder->hasty = true; /* or it is closed, too, and that Delete was lost */
    TAILQ_FOREACH (child, &elder->children, entry) {
        child->rekey_due = !child->replaced;
        child->leaves_ms = child->replaced ? child->leaves_ms : 0;
    }
    sa_arm_lifetime(engine, elder);
    sa_arm_childless(engine, elder);
    sa_watch(engine, elder);
    keepalive_arm(context, elder);
}

/* It cannot live on.  An initiator that has found the peer's IKE_AUTH reply wrong tells so, because
 * the peer holds the SA for established (RFC 7296 section 2.21.2). */
static void fail(struct engine *engine, struct ike_sa *sa, enum status status,
                 struct reason *reason)
{
    struct context *context = &engine->context;
    bool attempt = sa->handshake != NULL;
    struct reason unused;

    if (status == STATUS_FAIL)
        count(context, COUNTER_FAILURES);
    report(context, sa, attempt || status == STATUS_FAIL ? SEVERITY_WARNING : SEVERITY_INFO,
           attempt ? "ike-failed" : "ike-closed", "%s", reason->text);
    struct link *link = sa->link;
    bool failed = sa->initiator && attempt;
    if (attempt && sa->initiator && reason->code != FINDING_NONE) {
        sa->handshake->step.awaited = 0;
        if (sa->handshake->child != NULL)
            child_remove(context, sa, sa->handshake->child);
        ike_sa_end_handshake(sa);
        if (sa->protocol->close(context, sa, reason->code, &unused) != STATUS_OK)
            sa_end(engine, sa);
    } else {
        if (!attempt && status == STATUS_CLOSE && sa->state == IKE_ESTABLISHED && !sa->delete_asked)
            return_to_elder(engine, sa);
        sa_end(engine, sa);
    }
    if (failed)
        link_try_failed(engine, link, reason->text);
    else if (link != NULL)
        link_stalled(engine, link, reason->text);
}

void sa_settle(struct engine *engine, struct ike_sa *sa, enum status status, struct reason *reason)
{
    link_adopt(engine, sa);
    switch (status) {
    case STATUS_REJECT: refuse(engine, sa, reason); return;
    case STATUS_CLOSE:
    case STATUS_FAIL: fail(engine, sa, status, reason); return;
    case STATUS_OK:
    case STATUS_WAIT:
    case STATUS_DROP: break;
    }
    if (sa->state == IKE_ESTABLISHED && sa->handshake != NULL) {
        sa_established(engine, sa);
        return;
    }
    sa->protocol->settle(&engine->context, sa);
    if (!sa_settle_lone(engine, sa))
        return;
    sa_arm_childless(engine, sa);
    sa_arm_told(engine, sa);
    if (sa->link != NULL && sa->child_lost)
        link_lacks(engine, sa->link);
    sa->child_lost = false;
    struct link *link = sa->link;
    uint64_t number = ike_sa_own_spi(sa);
    if (link != NULL) {
        link_up(engine, link); /* it may find more to do for the SA, and fail at it */
        link_rekeyed(engine, link);
        link_tell_siblings(engine, link);
        sa = sa_table_find(&engine->sas, number);
    }
    if (sa != NULL)
        sa_wishes(engine, sa);
}

/* What the operator may expect now. */
static const char *what_follows(const struct connection *connection)
{
    const struct child_config *child;

    if (connection->on_dead == DEAD_RESTART)
        return "trying again";
    if (connection->on_dead == DEAD_CLEAR)
        return "traffic passes in the clear until it is back";
    if (connection->remote.family == FAMILY_NONE)
        return "and may come back";
    TAILQ_FOREACH (child, &connection->children, entry)
        if (child->start != START_NEVER)
            return "the next packet asks for a new SA";
    return "and may come back; nothing here starts a new SA but ikectl up";
}

static void peer_dead(struct engine *engine, struct ike_sa *sa, const struct reason *reason)
{
    count(&engine->context, COUNTER_PEERS_DEAD);
    report(&engine->context, sa, SEVERITY_WARNING, "peer-dead", "%s: the peer is dead, %s",
           reason->text, what_follows(sa->connection));
    link_dead(engine, sa, reason->text);
}

void sa_unanswered(struct engine *engine, struct ike_sa *sa, struct reason *reason)
{
    count(&engine->context, COUNTER_TIMEOUTS);
    if (sa->state == IKE_ESTABLISHED && sa->handshake == NULL)
        peer_dead(engine, sa, reason);
    else
        fail(engine, sa, STATUS_CLOSE, reason);
}

void sa_expire(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    switch ((enum ike_state)sa->state) {
    case IKE_AWAIT_INIT_REPLY: {
        struct reason reason = sa->handshake->refusal;
        fail(engine, sa, STATUS_CLOSE, &reason);
        return;
    }
    case IKE_ESTABLISHED: sa_lifetime_over(engine, sa); return;
    case IKE_AWAIT_DELETE_REPLY: return; /* its retransmissions end it */
    case IKE_AWAIT_AUTH_REQUEST:
        count(context, COUNTER_HALF_OPEN_EXPIRED);
        report(context, sa, SEVERITY_DEBUG, "half-open-expired", "no IKE_AUTH came");
        sa_end(engine, sa);
        return;
    case IKE_AWAIT_KEY:
    case IKE_AWAIT_SHARED:
    case IKE_AWAIT_SIGN:
    case IKE_AWAIT_AUTH_REPLY:
    case IKE_AWAIT_VERIFY:
    case IKE_AWAIT_INSTALL:
    case IKE_AWAIT_REKEY:
    case IKE_REFUSED:
    case IKE_STATE_COUNT: sa_end(engine, sa); return;
    }
}
