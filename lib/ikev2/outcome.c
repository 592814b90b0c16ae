/*
 * What becomes of a CREATE_CHILD_SA exchange: see outcome.h.
 */
#include "lib/ikev2/outcome.h"

#include <stdio.h>

#include "lib/ikev2/child.h"
#include "lib/ikev2/collision.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/rebinding.h"
#include "lib/sa/sa_table.h"
#include "lib/wire/ikev2.h"

#define AGAIN_MS 500 /* after TEMPORARY_FAILURE: this and up to as much by chance */
static void put_off(struct context *context, struct ike_sa *sa)
{
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    sa->wishes_ms = context->now_ms + AGAIN_MS + chance % AGAIN_MS;
}

/* An heir may be asked for its children before the peer has handed them over. */
static bool is_temporary(const struct context *context, const struct ike_sa *sa,
                         const struct creation *creation)
{
    bool fresh_heir =
        sa->line_ms != sa->established_ms && context->now_ms - sa->established_ms < PROVEN_MS;

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
static void rekey_useless(struct context *context, struct ike_sa *sa, struct child_sa *old,
                          const struct creation *creation)
{
    if (!old->exact && !creation->deleted) {
        old->exact = true;
        old->rekey_due = true;
        old->leaves_ms = 0;
        return;
    }
    child_keep(context, old);
    event_rekey_failed(context, sa, creation->why.text);
}

static bool asked_for_pair(const struct creation *creation)
{
    return creation->packet != NULL && creation->packet->pair;
}

/* The peer has answered, and what it has made is not followed. */
static void own_useless(struct context *context, struct ike_sa *sa, const struct creation *creation)
{
    struct child_sa *old = child_find(sa, creation->old_child);
    const char *why = creation->why.text;

    report(context, sa, SEVERITY_WARNING, "create-failed", "%s failed: %s%s",
           creation_name(creation), why,
           creation->closes    ? ": both ends start over, the IKE SA is closed"
           : creation->deleted ? ""
                               : ": the new one is deleted");
    if (creation->closes)
        sa->delete_asked = true;
    if (creation->kind == CREATE_CHILD)
        event_child_failed(context, sa, creation->config, creation->packet,
                           "the answer was of no use", why);
    else if (creation->closes)
        event_failed(context, sa, why);
    if (creation->closes)
        event_rekey_failed(context, sa, why);
    else if (old != NULL)
        rekey_useless(context, sa, old, creation);
}

static void want_again(struct ike_sa *sa, struct creation *creation)
{
    if (asked_for_pair(creation) && sa->packet == NULL) {
        sa->packet = creation->packet;
        creation->packet = NULL;
    } else if (creation->kind == CREATE_CHILD) {
        ike_sa_want_child(sa, creation->config);
    }
}

/* What the peer said to an exchange of ours. */
static void own_failed(struct context *context, struct ike_sa *sa, struct creation *creation)
{
    struct child_sa *old = child_find(sa, creation->old_child);
    struct ike_sa *rival =
        creation->rival_ike == 0 ? NULL : sa_table_find(context->sas, creation->rival_ike);

    if (rival != NULL) { /* the peer's crossing exchange did better */
        collision_inherit(context, sa, rival);
        collision_await_delete(context, sa);
        event_due(context, rival);
        return;
    }
    if (creation->useless) {
        own_useless(context, sa, creation);
        return;
    }
    if (is_temporary(context, sa, creation)) {
        want_again(sa, creation);
        put_off(context, sa);
        return;
    }
    if (creation->kind == CREATE_REKEY_CHILD && creation->error == V2_N_CHILD_SA_NOT_FOUND) {
        if (old != NULL && creation->rival_child == 0)
            ike_sa_want_child(sa, creation->config);
        if (old != NULL)
            child_remove(context, sa, old);
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
        !asked_for_pair(creation) &&
        event_single_pair(context, sa, creation->config, creation->packet))
        return;
    const char *why =
        creation->error == 0 ? "the kernel or the provider" : v2_notify_name(creation->error);
    const char *advice = creation->kind == CREATE_REKEY_IKE ? "" : child_advice(creation->error);
    report(context, sa, SEVERITY_WARNING, "create-failed", "%s failed: %s%s",
           creation_name(creation), why, advice);
    if (creation->kind == CREATE_CHILD) {
        char text[REASON_TEXT_MAX];
        snprintf(text, sizeof(text), "child %s: %s%s", creation->config->name, why, advice);
        event_child_failed(context, sa, creation->config, creation->packet, why, text);
        return;
    }
    event_rekey_failed(context, sa, why);
    /* The peer cannot rekey (NO_ADDITIONAL_SAS) or will not: a whole new IKE SA replaces this. */
    sa->rekey_due = false;
    if (old != NULL)
        old->rekey_due = false;
    event_replace(context, sa);
}

static void child_done(struct context *context, struct ike_sa *sa, const struct creation *creation)
{
    struct child_sa *made = child_find(sa, creation->child->number);

    child_report(context, sa, made, creation->kind == CREATE_REKEY_CHILD);
    if (creation->kind == CREATE_REKEY_CHILD)
        collision_child_made(context, sa, creation, made);
    event_child_made(context, sa, made, creation->packet);
}

static void creation_settle(struct context *context, struct ike_sa *sa, struct creation **place)
{
    struct creation *creation = *place;

    if (creation == NULL || (creation->state != CREATE_DONE && creation->state != CREATE_FAILED))
        return;
    *place = NULL; /* a task may start another one */
    if (creation->state == CREATE_FAILED) {
        if (creation->ours)
            own_failed(context, sa, creation);
    } else if (creation->kind == CREATE_REKEY_IKE) {
        collision_ike_made(context, sa, creation);
    } else {
        child_done(context, sa, creation);
        creation->child = NULL; /* its SA's list has it */
    }
    creation_end(context, sa, &creation);
}

void ikev2_settle(struct context *context, struct ike_sa *sa)
{
    creation_settle(context, sa, &ikev2_of(sa)->theirs);
    creation_settle(context, sa, &ikev2_of(sa)->own);
}

void ikev2_abandon(struct context *context, struct ike_sa *sa)
{
    struct ikev2_sa *own = ikev2_of(sa);

    /* Our rekeying crossed the peer's, which is done: its SA has the children, though ours never
     * was answered. */
    struct ike_sa *rival = own->own == NULL || own->own->rival_ike == 0
                               ? NULL
                               : sa_table_find(context->sas, own->own->rival_ike);
    if (rival != NULL)
        ike_sa_inherit(context, sa, rival);
    creation_end(context, sa, &own->own);
    creation_end(context, sa, &own->theirs);
}

static bool rebind_creation(struct creation *creation, const struct rebinding *rebinding)
{
    if (creation == NULL)
        return true;
    bool whole = rebinding_child(rebinding, creation->child);
    if (creation->config != NULL) {
        creation->config = rebinding_config(rebinding, creation->config);
        whole = whole && creation->config != NULL;
    }
    if (creation->packet != NULL)
        creation->packet->config = creation->config;
    if (creation->heir != NULL)
        creation->heir->connection = rebinding->after;
    return whole;
}

bool ikev2_rebind(struct ike_sa *sa, const struct rebinding *rebinding)
{
    bool whole = rebind_creation(ikev2_of(sa)->own, rebinding);

    return rebind_creation(ikev2_of(sa)->theirs, rebinding) && whole;
}
