/*
 * Wishes: what an established IKE SA is to do next when its window is free, and what follows from
 * a CREATE_CHILD_SA exchange that is done.  RFC 7296 sections 1.3, 2.8 and 2.25.
 *
 * A wish is a flag on the SA or the child (delete_due, rekey_due, wanted_children), so it survives
 * a collision or a TEMPORARY_FAILURE and is simply tried again.
 */
#include <stdio.h>

#include "lib/engine/private.h"
#include "lib/ikev2/child.h"
#include "lib/ikev2/create_child.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike.h"
#include "lib/ikev2/nat.h"
#include "lib/policy/choose.h"
#include "lib/policy/narrow.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/keepalive.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define AGAIN_MS        500   /* after TEMPORARY_FAILURE: this and up to as much by chance */
#define OLD_IKE_LIFE_MS 10000 /* for the peer to delete what its rekeying has replaced */
#define REPLACED_MS     30000 /* for the peer to delete the child that it has rekeyed */
#define PROVEN_MS       5000  /* the peer has our last answer by then */

static void put_off(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    sa->wishes_ms = context->now_ms + AGAIN_MS + chance % AGAIN_MS;
}

void sa_want_child(struct ike_sa *sa, const struct child_config *wanted)
{
    if (wanted != NULL && wanted->connection == sa->connection) /* not a guest */
        sa->wanted_children |= child_bit(wanted);
}

void sa_take_wishes(struct ike_sa *sa, const struct ike_sa *from)
{
    sa->wanted_children |= from->wanted_children;
    if (ikev2_of(from)->own != NULL && ikev2_of(from)->own->kind == CREATE_CHILD)
        sa_want_child(sa, ikev2_of(from)->own->config);
}

/* The peer knows this child by now: before, it would not find what we want to rekey or delete. */
static bool is_proven(const struct engine *engine, const struct child_sa *child)
{
    return !child->unproven || child->created_ms + PROVEN_MS <= engine->context.now_ms;
}

static bool is_rekeyed_now(const struct engine *engine, const struct child_sa *child)
{
    return child->rekey_due && !child->replaced && is_proven(engine, child) &&
           child->leaves_ms <= engine->context.now_ms;
}

/* What could not be rekeyed, and is at its end, goes with its IKE SA: a whole new one is made (RFC
 * 7296 section 2.8). */
static bool gives_up(struct engine *engine, struct ike_sa *sa, struct child_sa *child)
{
    if (child->leaves_ms == 0 || !child_nears_end(&engine->context, child) ||
        sa->connection->remote.family == FAMILY_NONE)
        return false;
    child->rekey_due = false;
    sa_replace(engine, sa);
    return true;
}

/* The next wish as an exchange; false when there is none. */
static bool next_wish(struct engine *engine, struct ike_sa *sa, enum status *status,
                      struct reason *reason)
{
    struct context *context = &engine->context;
    struct child_sa *child;

    if (sa->probe_due) {
        sa->probe_due = false;
        *status = informational_probe(context, sa, reason);
        return true;
    }
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->delete_due && is_proven(engine, child)) {
            *status = informational_delete_child(context, sa, child, reason);
            return true;
        }
    if (sa->rekey_due) {
        *status = create_start(context, sa, CREATE_REKEY_IKE, NULL, NULL, reason);
        return true;
    }
    TAILQ_FOREACH (child, &sa->children, entry)
        if (is_rekeyed_now(engine, child) && !gives_up(engine, sa, child)) {
            *status = create_start(context, sa, CREATE_REKEY_CHILD, child->config, child, reason);
            return true;
        }
    while (sa->wanted_children != 0) {
        const struct child_config *config = child_of_bits(sa->connection, sa->wanted_children);
        sa->wanted_children &= sa->wanted_children - 1;
        /* What is replaced as a whole goes only when all of it is there again. */
        if (config == NULL ||
            (sa->replaces != 0 ? ike_sa_carries(sa, config) : link_covers(sa->link, config)))
            continue;
        *status = create_start(context, sa, CREATE_CHILD, config, NULL, reason);
        return true;
    }
    return pair_wish(engine, sa, status, reason);
}

static void earlier(uint64_t *due_ms, uint64_t other_ms)
{
    if (other_ms < *due_ms)
        *due_ms = other_ms;
}

/* It is the peer's part to delete what it has rekeyed; a peer that has lost its memory will not,
 * and is found out by our doing so. */
static bool is_forgotten(const struct engine *engine, const struct child_sa *child)
{
    return child->replaced && !child->delete_due && child->leaves_ms <= engine->context.now_ms;
}

/* For the first of all that is put off. */
static void arm_later(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;
    const struct child_sa *child;
    uint64_t due_ms = child_sweep_ms(sa);

    if (sa->follow_due)
        earlier(&due_ms, sa->followed_ms + FOLLOW_MS);
    if (sa->wishes_ms > context->now_ms)
        earlier(&due_ms, sa->wishes_ms);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->held != NULL)
            earlier(&due_ms, child->held->until_ms);
    TAILQ_FOREACH (child, &sa->children, entry)
        if ((child->delete_due || child->rekey_due) && !is_proven(engine, child))
            earlier(&due_ms, child->created_ms + PROVEN_MS);
    TAILQ_FOREACH (child, &sa->children, entry)
        if ((child->replaced && !child->delete_due) ||
            (child->rekey_due && child->leaves_ms > context->now_ms))
            earlier(&due_ms, child->leaves_ms);
    if (due_ms == UINT64_MAX)
        ike_sa_timer_stop(context, &sa->later);
    else
        ike_sa_timer(context, &sa->later, due_ms);
}

void sa_wishes(struct engine *engine, struct ike_sa *sa)
{
    enum status status = STATUS_OK;
    struct reason reason = {0};

    arm_later(engine, sa);
    if (sa->link == NULL || sa->state != IKE_ESTABLISHED || sa->handshake != NULL ||
        ikev2_of(sa)->request != NULL || ikev2_of(sa)->own != NULL || ikev2_of(sa)->theirs != NULL)
        return;
    if (sa->delete_asked) {
        sa_close(engine, sa);
        return;
    }
    bool due = mobike_is_due(sa) && !sa->inherited;
    bool early = sa->expecting && !sa->probe_due; /* its children are to come first */
    if (!due && (sa->inherited || early || engine->context.now_ms < sa->wishes_ms))
        return;
    if (due) {
        status = mobike_send(&engine->context, sa, &reason);
    } else if (!next_wish(engine, sa, &status, &reason)) {
        sa_replace_finish(engine, sa);
        sa_leave_lone(engine, sa);
        return;
    }
    if (status != STATUS_OK)
        sa_settle(engine, sa, status, &reason);
}

void sa_later(struct engine *engine, struct ike_sa *sa)
{
    struct child_sa *child;

    child_sweep(&engine->context, sa);
    if (sa->follow_due)
        ike_sa_follow(&engine->context, sa, &sa->local, &sa->remote);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->held != NULL && child->held->until_ms <= engine->context.now_ms)
            child_release_outbound(&engine->context, sa, child);
    TAILQ_FOREACH (child, &sa->children, entry)
        if (is_forgotten(engine, child))
            child->delete_due = true;
    sa_wishes(engine, sa);
}

/* The child whose held outbound SA's release has this number; any that has one: 0. */
static struct child_sa *find_releasing(const struct ike_sa *sa, uint32_t number)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->releasing != 0 && (number == 0 || child->releasing == number))
            return child;
    return NULL;
}

bool sa_released(struct engine *engine, struct ike_sa *sa, const struct answer *answer)
{
    struct child_sa *child = find_releasing(sa, answer->ticket.sequence);

    if (child != NULL)
        child->releasing = 0;
    if (find_releasing(sa, 0) == NULL)
        message_release_response(&engine->context, sa);
    if (child == NULL)
        return false;
    if (answer->status == STATUS_OK)
        return true;
    count(&engine->context, COUNTER_FAILURES);
    report(&engine->context, sa, SEVERITY_WARNING, "child-failed",
           "child %s cannot send, and is rekeyed: %s", child->config->name, answer->reason.text);
    child->out_kernel = false;
    child->rekey_due = true;
    sa_wishes(engine, sa);
    return true;
}

void report_child(struct engine *engine, const struct ike_sa *sa, const struct child_sa *child,
                  bool rekeyed)
{
    char suite[128];
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    report(&engine->context, sa, SEVERITY_INFO, rekeyed ? "child-rekeyed" : "child-established",
           "child %s %s, %s mode, ESP %08x in, %08x out, %s, %s === %s", child->config->name,
           rekeyed ? "rekeyed" : "established",
           child->mode == CHILD_TRANSPORT ? "transport" : "tunnel", child->spi_in, child->spi_out,
           suite_text(&child->suite, suite, sizeof(suite)),
           selector_text(&child->local_selectors[0], local),
           selector_text(&child->remote_selectors[0], remote));
}

/* A peer may also have several children for parts of what one is configured for. */
static bool same_traffic(const struct child_sa *a, const struct child_sa *b)
{
    const struct selector *a_remote = a->remote_selectors;
    const struct selector *b_remote = b->remote_selectors;

    return selectors_within(a->local_selectors, a->local_count, b->local_selectors,
                            b->local_count) &&
           selectors_within(b->local_selectors, b->local_count, a->local_selectors,
                            a->local_count) &&
           selectors_within(a_remote, a->remote_count, b_remote, b->remote_count) &&
           selectors_within(b_remote, b->remote_count, a_remote, a->remote_count);
}

/* Both ends made the same child at once: the line with the higher SPI of its initiator goes, and
 * that one deletes it.  One of the two may have been rekeyed before the other one came.  False when
 * there is none in this IKE SA. */
static bool resolve_twins_in(struct engine *engine, struct ike_sa *sa, struct child_sa *made)
{
    struct child_sa *twin;

    TAILQ_FOREACH (twin, &sa->children, entry) {
        if (twin->config != made->config || twin->ours == made->ours || twin->delete_due ||
            twin->replaced || !same_traffic(twin, made))
            continue;
        struct child_sa *loser = made->line > twin->line ? made : twin;
        if (!loser->ours)
            return true;
        count(&engine->context, COUNTER_REDUNDANT);
        loser->delete_due = true;
        if (twin->owner != made->owner)
            loser->owner->lone = false; /* without it, it serves nobody */
        if (loser->owner != made->owner)
            sa_wishes(engine, loser->owner);
        return true;
    }
    return false;
}

/* A new IKE SA is to have all that an older one has. */
static bool replaces(const struct ike_sa *sa)
{
    return sa->state != IKE_ESTABLISHED || sa->replaces != 0 || sa->superseded ||
           sa->delete_asked || sa->inherited;
}

void sa_resolve_twins(struct engine *engine, struct ike_sa *sa, struct child_sa *made)
{
    struct ike_sa *other;

    if (resolve_twins_in(engine, sa, made) || sa->link == NULL || replaces(sa) ||
        sa->connection->next_of_pair == sa->connection)
        return;
    if (sa->lone && !sa->settled) /* then of the IKE SAs themselves one goes (sa_settle_lone) */
        return;
    for (struct link *at = sa->link; at != NULL; at = link_next_sibling(engine, sa->link, at))
        TAILQ_FOREACH (other, &at->sas, of_link)
            if (other != sa && !replaces(other) && ike_sa_same_identity(other, sa) &&
                resolve_twins_in(engine, other, made))
                return;
}

/* Of two crossing exchanges the one with the lowest of the four nonces loses (RFC 7296 section
 * 2.8.1): is that `creation`? */
static bool loses(const struct creation *creation)
{
    return nonce_below(lower_nonce(creation), buffer_slice(&creation->rival_nonce));
}

/* A child is rekeyed by us, by the peer, or by both at once.  Whoever asked for the loser deletes
 * it; the other one deletes the old child. */
static void child_rekeyed(struct engine *engine, struct ike_sa *sa, const struct creation *creation,
                          struct child_sa *made)
{
    struct child_sa *old = child_find(sa, creation->old_child);
    struct child_sa *rival =
        creation->rival_child == 0 ? NULL : child_find(sa, creation->rival_child);
    struct child_sa *own = creation->ours ? made : rival;
    struct child_sa *theirs = creation->ours ? rival : made;
    /* While our answer was lost on its way, the peer may have rekeyed the one that beat ours. */
    bool crossed = own != NULL && (theirs != NULL || creation->rival_child != 0);
    bool own_loses = crossed && loses(creation) == creation->ours;

    if (creation->ours)
        creation_note_rival(ikev2_of(sa)->theirs,
                            creation); /* still at work, it decides when it is done */
    if (old != NULL) {
        child_replace(old, made, engine->context.now_ms + REPLACED_MS);
        old->delete_due = old->expired || (own != NULL && !own_loses);
    }
    if (own_loses) {
        count(&engine->context, COUNTER_REDUNDANT);
        own->delete_due = true; /* theirs is sent on once the peer deletes the old one */
    }
}

static void child_done(struct engine *engine, struct ike_sa *sa, const struct creation *creation)
{
    struct child_sa *made = child_find(sa, creation->child->number);

    report_child(engine, sa, made, creation->kind == CREATE_REKEY_CHILD);
    struct link *link = link_of_child(engine, sa, made->config);
    if (link != NULL)
        link_serves(engine, link);
    if (creation->kind == CREATE_REKEY_CHILD)
        child_rekeyed(engine, sa, creation, made);
    if (link != NULL)
        pair_made(engine, link, sa, made, creation->packet);
    sa_resolve_twins(engine, sa, made);
}

/* `from` has no children any more; the peer closes it, or time does. */
static void await_delete(struct engine *engine, struct ike_sa *sa)
{
    ike_sa_timer(&engine->context, &sa->expire, engine->context.now_ms + OLD_IKE_LIFE_MS);
}

static void inherit(struct engine *engine, struct ike_sa *from, struct ike_sa *heir)
{
    struct ike_sa *other;
    char suite[128];

    from->rekey_due = false;
    ike_sa_inherit(&engine->context, from, heir);
    sa_arm_lifetime(engine, heir);
    if (heir->link != NULL && heir->connection->remote.family != FAMILY_NONE)
        TAILQ_FOREACH (other, &heir->link->sas, of_link)
            if (other->replaces == ike_sa_own_spi(from))
                other->replaces = ike_sa_own_spi(heir);
    if (from->superseded)
        sa_supersede(engine, heir);
    report(&engine->context, heir, SEVERITY_INFO, "ike-rekeyed", "IKE SA rekeyed, %s",
           suite_text(&heir->suite, suite, sizeof(suite)));
}

/* The IKE SA is rekeyed by us, by the peer, or by both at once (section 2.8.2): the survivor
 * inherits the children; its initiator deletes the old SA, the loser's initiator the loser. */
static void ike_done(struct engine *engine, struct ike_sa *sa, struct creation *creation)
{
    struct ike_sa *made = creation->heir;
    struct ike_sa *rival =
        creation->rival_ike == 0 ? NULL : sa_table_find(&engine->sas, creation->rival_ike);
    struct ike_sa *own = creation->ours ? made : rival;
    struct ike_sa *theirs = creation->ours ? rival : made;
    bool closing = sa->delete_asked && !sa->inherited; /* `down` came in between */

    if (creation->ours)
        creation_note_rival(ikev2_of(sa)->theirs,
                            creation); /* still at work, it decides when it is done */
    creation->heir = NULL;
    link_adopt(engine, made);
    sa_arm_lifetime(engine, made);
    sa_watch(engine, made);
    keepalive_arm(&engine->context, made);
    if (!creation->ours && own == NULL && ikev2_of(sa)->own != NULL &&
        ikev2_of(sa)->own->kind == CREATE_REKEY_IKE) {
        made->delete_asked = closing;
        made->expecting = true;
        return; /* ours will decide: it has been told (create_responder.c) */
    }
    bool own_loses = own != NULL && theirs != NULL && loses(creation) == creation->ours;
    struct ike_sa *heir = own == NULL || own_loses ? theirs : own;
    if (theirs != NULL)
        theirs->expecting = false;
    struct ike_sa *holder = rival != NULL && !creation->ours ? rival : sa;
    if (heir != holder)
        inherit(engine, holder, heir);
    if (own != NULL && theirs != NULL) {
        if (own_loses) {
            count(&engine->context, COUNTER_REDUNDANT);
            own->delete_asked = true;
        } else {
            theirs->inherited = true; /* nothing is to be done in it any more */
            await_delete(engine, theirs);
        }
    }
    sa->inherited = true;
    sa->delete_asked = sa->delete_asked || heir == own;
    if (heir == theirs) {
        sa->delete_asked = false;
        await_delete(engine, sa);
    }
    heir->delete_asked = heir->delete_asked || closing;
    if (own_loses)
        sa_wishes(engine, own);
    sa_wishes(engine, heir);
}

/* An heir may be asked for its children before the peer has handed them over. */
static bool is_temporary(const struct engine *engine, const struct ike_sa *sa,
                         const struct creation *creation)
{
    bool fresh_heir = sa->line_ms != sa->established_ms &&
                      engine->context.now_ms - sa->established_ms < PROVEN_MS;

    /* A fault of our own kernel's may pass, and what there is serves until then. */
    return creation->error == V2_N_TEMPORARY_FAILURE ||
           (creation->error == 0 && creation->kind != CREATE_CHILD) ||
           (creation->error == V2_N_CHILD_SA_NOT_FOUND && fresh_heir);
}

static const char *creation_name(const struct creation *creation)
{
    return creation->kind == CREATE_REKEY_IKE     ? "rekeying the IKE SA"
           : creation->kind == CREATE_REKEY_CHILD ? "rekeying a child"
                                                  : "making a child";
}

/* The first time it is tried once more at once, and asked for no more than what is in use; after
 * that the old one serves for as long as it may. */
static void rekey_useless(struct engine *engine, struct ike_sa *sa, struct child_sa *old,
                          const struct creation *creation)
{
    if (!old->exact && !creation->deleted) {
        old->exact = true;
        old->rekey_due = true;
        old->leaves_ms = 0;
        return;
    }
    child_keep(&engine->context, old);
    link_rekey_failed(engine, sa->link, creation->why.text);
}

static bool asked_for_pair(const struct creation *creation)
{
    return creation->packet != NULL && creation->packet->pair;
}

/* No child came of it.  Beside others of the same one lacks what it was to cover; without any, the
 * connection has failed. */
static void child_failed(struct engine *engine, struct ike_sa *sa, const struct creation *creation,
                         const char *why, const char *text)
{
    struct link *link = link_of_child(engine, sa, creation->config);

    if (link != NULL && asked_for_pair(creation))
        pair_refused(engine, link, creation->packet, why);
    if (link == NULL || !asked_for_pair(creation) || !link_covers(link, creation->config))
        link_failed(engine, link, text);
}

/* The peer has answered, and what it has made is not followed. */
static void own_useless(struct engine *engine, struct ike_sa *sa, const struct creation *creation)
{
    struct child_sa *old = child_find(sa, creation->old_child);
    const char *why = creation->why.text;

    report(&engine->context, sa, SEVERITY_WARNING, "create-failed", "%s failed: %s%s",
           creation_name(creation), why,
           creation->closes    ? ": both ends start over, the IKE SA is closed"
           : creation->deleted ? ""
                               : ": the new one is deleted");
    if (creation->closes)
        sa->delete_asked = true;
    if (creation->kind == CREATE_CHILD)
        child_failed(engine, sa, creation, "the answer was of no use", why);
    else if (creation->closes)
        link_failed(engine, sa->link, why);
    if (creation->closes)
        link_rekey_failed(engine, sa->link, why);
    else if (old != NULL)
        rekey_useless(engine, sa, old, creation);
}

static void want_again(struct ike_sa *sa, struct creation *creation)
{
    if (asked_for_pair(creation) && sa->packet == NULL) {
        sa->packet = creation->packet;
        creation->packet = NULL;
    } else if (creation->kind == CREATE_CHILD) {
        sa_want_child(sa, creation->config);
    }
}

/* What the peer said to an exchange of ours. */
static void own_failed(struct engine *engine, struct ike_sa *sa, struct creation *creation)
{
    struct child_sa *old = child_find(sa, creation->old_child);
    struct ike_sa *rival =
        creation->rival_ike == 0 ? NULL : sa_table_find(&engine->sas, creation->rival_ike);

    if (rival != NULL) { /* the peer's crossing exchange did better */
        inherit(engine, sa, rival);
        await_delete(engine, sa);
        sa_wishes(engine, rival);
        return;
    }
    if (creation->useless) {
        own_useless(engine, sa, creation);
        return;
    }
    if (is_temporary(engine, sa, creation)) {
        want_again(sa, creation);
        put_off(engine, sa);
        return;
    }
    if (creation->kind == CREATE_REKEY_CHILD && creation->error == V2_N_CHILD_SA_NOT_FOUND) {
        if (old != NULL && creation->rival_child == 0)
            sa_want_child(sa, creation->config);
        if (old != NULL)
            child_remove(&engine->context, sa, old);
        return;
    }
    if (old != NULL && !old->exact &&
        (creation->error == V2_N_TS_UNACCEPTABLE || creation->error == V2_N_SINGLE_PAIR_REQUIRED)) {
        old->exact = true; /* all that is configured is too much: what is in use may do */
        return;
    }
    /* Some peers insist on PFS and say so only now. */
    if (creation->error == V2_N_NO_PROPOSAL_CHOSEN && creation->group == GROUP_NONE &&
        !ikev2_of(sa)->peer_wants_pfs) {
        ikev2_of(sa)->peer_wants_pfs = true;
        want_again(sa, creation);
        return;
    }
    if (creation->kind == CREATE_CHILD && creation->error == V2_N_SINGLE_PAIR_REQUIRED &&
        sa->link != NULL && !asked_for_pair(creation) &&
        pair_single(sa, creation->config, creation->packet))
        return;
    const char *why =
        creation->error == 0 ? "the kernel or the provider" : v2_notify_name(creation->error);
    const char *advice = creation->kind == CREATE_REKEY_IKE ? "" : child_advice(creation->error);
    report(&engine->context, sa, SEVERITY_WARNING, "create-failed", "%s failed: %s%s",
           creation_name(creation), why, advice);
    if (creation->kind == CREATE_CHILD) {
        char text[REASON_TEXT_MAX];
        snprintf(text, sizeof(text), "child %s: %s%s", creation->config->name, why, advice);
        child_failed(engine, sa, creation, why, text);
        return;
    }
    link_rekey_failed(engine, sa->link, why);
    /* The peer cannot rekey (NO_ADDITIONAL_SAS) or will not: a whole new IKE SA replaces this. */
    sa->rekey_due = false;
    if (old != NULL)
        old->rekey_due = false;
    sa_replace(engine, sa);
}

static void creation_settle(struct engine *engine, struct ike_sa *sa, struct creation **place)
{
    struct creation *creation = *place;

    if (creation == NULL || (creation->state != CREATE_DONE && creation->state != CREATE_FAILED))
        return;
    *place = NULL; /* a wish may start another one */
    if (creation->state == CREATE_FAILED) {
        if (creation->ours)
            own_failed(engine, sa, creation);
    } else if (creation->kind == CREATE_REKEY_IKE) {
        ike_done(engine, sa, creation);
    } else {
        child_done(engine, sa, creation);
        creation->child = NULL; /* its SA's list has it */
    }
    creation_end(&engine->context, sa, &creation);
}

void sa_settle_creations(struct engine *engine, struct ike_sa *sa)
{
    creation_settle(engine, sa, &ikev2_of(sa)->theirs);
    creation_settle(engine, sa, &ikev2_of(sa)->own);
}
