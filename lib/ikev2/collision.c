/*
 * Crossing exchanges: see collision.h.
 */
#include "lib/ikev2/collision.h"

#include <string.h>

#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/keepalive.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

#define OLD_IKE_LIFE_MS 10000 /* for the peer to delete what its rekeying has replaced */
#define REPLACED_MS     30000 /* for the peer to delete the child that it has rekeyed */

/* --- Which request of the peer's is put off, section 2.25 --- */

/* What we are about. */
enum ours {
    OURS_NOTHING,
    OURS_CHILD,   /* a child is made or rekeyed */
    OURS_DELETE,  /* a child is deleted */
    OURS_IKE,     /* the IKE SA is rekeyed ... */
    OURS_CROSSED, /* ... and the peer's rekeying has crossed it once: each makes an IKE SA */
    OURS_END,     /* the IKE SA ends, or is not ours to work on yet */
    OURS_COUNT,
};

/* What the peer asks for. */
enum theirs {
    THEIRS_CHILD,   /* a child, or another one for one that stays */
    THEIRS_LEAVING, /* another one for a child that is being deleted or was replaced */
    THEIRS_IKE,     /* another IKE SA */
    THEIRS_COUNT,
};

/* Both may go on (true), or the peer's is to be tried again (TEMPORARY_FAILURE).  Where both are
 * about the same thing both succeed, and the nonces decide (below). */
static const bool goes_on[OURS_COUNT][THEIRS_COUNT] = {
    [OURS_NOTHING] = {[THEIRS_CHILD] = true, [THEIRS_LEAVING] = false, [THEIRS_IKE] = true},
    [OURS_CHILD] = {[THEIRS_CHILD] = true, [THEIRS_LEAVING] = false, [THEIRS_IKE] = false},
    [OURS_DELETE] = {[THEIRS_CHILD] = true, [THEIRS_LEAVING] = false, [THEIRS_IKE] = false},
    [OURS_IKE] = {[THEIRS_CHILD] = false, [THEIRS_LEAVING] = false, [THEIRS_IKE] = true},
    [OURS_CROSSED] = {[THEIRS_CHILD] = false, [THEIRS_LEAVING] = false, [THEIRS_IKE] = false},
    [OURS_END] = {[THEIRS_CHILD] = false, [THEIRS_LEAVING] = false, [THEIRS_IKE] = false},
};

static enum ours what_is_ours(const struct ike_sa *sa)
{
    const struct creation *own = ikev2_of(sa)->own;

    if (sa->state != IKE_ESTABLISHED || sa->delete_asked || sa->inherited || sa->expecting)
        return OURS_END;
    if (own != NULL && own->kind == CREATE_REKEY_IKE)
        return own->rival_ike != 0 ? OURS_CROSSED : OURS_IKE;
    if (own != NULL)
        return OURS_CHILD;
    return ikev2_deleting(sa) != NULL ? OURS_DELETE : OURS_NOTHING;
}

bool collision_refuses(const struct ike_sa *sa, bool ike, const struct child_sa *old)
{
    bool leaving = old != NULL && (old == ikev2_deleting(sa) || old->delete_due || old->replaced);
    enum theirs theirs = ike ? THEIRS_IKE : leaving ? THEIRS_LEAVING : THEIRS_CHILD;

    return !goes_on[what_is_ours(sa)][theirs];
}

/* --- Who wins, section 2.8.1 --- */

bool nonce_below(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, common);

    return order < 0 || (order == 0 && a.size < b.size);
}

struct slice lower_nonce(const struct creation *creation)
{
    struct slice i = buffer_slice(&creation->nonce_i);
    struct slice r = buffer_slice(&creation->nonce_r);

    return nonce_below(i, r) ? i : r;
}

void collision_note(struct creation *creation, const struct creation *rival)
{
    if (creation == NULL || creation->kind != rival->kind || rival->kind == CREATE_CHILD ||
        creation->old_child != rival->old_child)
        return;
    bool noted = buffer_copy(&creation->rival_nonce, lower_nonce(rival));
    creation->rival_child = noted && rival->child != NULL ? rival->child->number : 0;
    creation->rival_ike = noted && rival->heir != NULL ? ike_sa_own_spi(rival->heir) : 0;
}

/* Of two crossing exchanges the one with the lowest of the four nonces loses (RFC 7296 section
 * 2.8.1): is that `creation`? */
static bool loses(const struct creation *creation)
{
    return nonce_below(lower_nonce(creation), buffer_slice(&creation->rival_nonce));
}

/* A child is rekeyed by us, by the peer, or by both at once.  Whoever asked for the loser deletes
 * it; the other one deletes the old child. */
void collision_child_made(struct context *context, struct ike_sa *sa,
                          const struct creation *creation, struct child_sa *made)
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
        collision_note(ikev2_of(sa)->theirs,
                       creation); /* still at work, it decides when it is done */
    if (old != NULL) {
        child_replace(old, made, context->now_ms + REPLACED_MS);
        old->delete_due = old->expired || (own != NULL && !own_loses);
    }
    if (own_loses) {
        count(context, COUNTER_REDUNDANT);
        own->delete_due = true; /* theirs is sent on once the peer deletes the old one */
    }
}

/* --- The same of IKE SAs, section 2.8.2 --- */

/* `from` has no children any more; the peer closes it, or time does. */
void collision_await_delete(struct context *context, struct ike_sa *sa)
{
    ike_sa_timer(context, &sa->expire, context->now_ms + OLD_IKE_LIFE_MS);
}

void collision_inherit(struct context *context, struct ike_sa *from, struct ike_sa *heir)
{
    char suite[128];

    from->rekey_due = false;
    ike_sa_inherit(context, from, heir);
    event_inherited(context, heir, from);
    report(context, heir, SEVERITY_INFO, "ike-rekeyed", "IKE SA rekeyed, %s",
           suite_text(&heir->suite, suite, sizeof(suite)));
}

/* The IKE SA is rekeyed by us, by the peer, or by both at once (section 2.8.2): the survivor
 * inherits the children; its initiator deletes the old SA, the loser's initiator the loser. */
void collision_ike_made(struct context *context, struct ike_sa *sa, struct creation *creation)
{
    struct ike_sa *made = creation->heir;
    struct ike_sa *rival =
        creation->rival_ike == 0 ? NULL : sa_table_find(context->sas, creation->rival_ike);
    struct ike_sa *own = creation->ours ? made : rival;
    struct ike_sa *theirs = creation->ours ? rival : made;
    bool closing = sa->delete_asked && !sa->inherited; /* `down` came in between */

    if (creation->ours)
        collision_note(ikev2_of(sa)->theirs,
                       creation); /* still at work, it decides when it is done */
    creation->heir = NULL;
    event_ike_made(context, made);
    keepalive_arm(context, made);
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
        collision_inherit(context, holder, heir);
    if (own != NULL && theirs != NULL) {
        if (own_loses) {
            count(context, COUNTER_REDUNDANT);
            own->delete_asked = true;
        } else {
            theirs->inherited = true; /* nothing is to be done in it any more */
            collision_await_delete(context, theirs);
        }
    }
    sa->inherited = true;
    sa->delete_asked = sa->delete_asked || heir == own;
    if (heir == theirs) {
        sa->delete_asked = false;
        collision_await_delete(context, sa);
    }
    heir->delete_asked = heir->delete_asked || closing;
    if (own_loses)
        event_due(context, own);
    event_due(context, heir);
}
