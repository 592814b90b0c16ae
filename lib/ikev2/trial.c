/*
 * Trials: see trial.h.
 *
 *   to the place that is tried, and nowhere else:
 *   HDR, SK {N(COOKIE2)}  -->
 *                             <--  HDR, SK {N(COOKIE2)}   from there: the SA moves
 *
 * A request that was sent to several places proves none of them (RFC 4555 section 3.7); answered
 * from the one that is tried it is followed by a check of its own.  A peer without MOBIKE need not
 * know COOKIE2: its answer from there is taken without.
 */
#include "lib/ikev2/trial.h"

#include <string.h>

#include "lib/ikev2/datagram.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/wire/ikev2.h"

#define TRIES       2    /* of a check, then the SA's own path is asked, too */
#define OTHER_TRIES 3    /* of any request, then the other addresses of the peer are */
#define PAUSE_MS    1000 /* what is outstanding is sent to one new place at once in this time */

/* Has the outstanding request gone to the place that is tried, and to no other? */
static bool is_check(const struct ike_sa *sa)
{
    return trial_is_on(sa) && ikev2_of(sa)->checking && !ikev2_of(sa)->movement->spoiled;
}

bool trial_begin(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote, const struct nat_finding *finding)
{
    struct mobike_state *movement = mobike_state(sa);
    bool same = trial_is_on(sa) && address_equal(&movement->tried_local, local) &&
                address_equal(&movement->tried_remote, remote);

    if (movement == NULL) {
        count(context, COUNTER_FAILURES);
        return false;
    }
    movement->tried_nat = finding != NULL && finding->known;
    movement->tried_here = movement->tried_nat && finding->here;
    movement->tried_there = movement->tried_nat && finding->there;
    if (same)
        return false;
    movement->tried_local = *local;
    movement->tried_remote = *remote;
    movement->spoiled = true; /* if a question is on its way, it is another one */
    ikev2_of(sa)->check_due = true;
    return true;
}

void trial_ask(struct context *context, struct ike_sa *sa)
{
    struct mobike_state *movement = ikev2_of(sa)->movement;

    if (ikev2_of(sa)->request == NULL ||
        (movement->asked_ms != 0 && context->now_ms - movement->asked_ms < PAUSE_MS))
        return;
    movement->asked_ms = context->now_ms;
    sa->sent_ms = context->now_ms;
    trial_send(context, sa);
}

void trial_end(struct ike_sa *sa)
{
    if (trial_is_on(sa))
        ikev2_of(sa)->movement->tried_remote = (struct address){0};
    ikev2_of(sa)->check_due = false;
}

void trial_change_local(struct ike_sa *sa, const struct address *local)
{
    if (trial_is_on(sa))
        ikev2_of(sa)->movement->tried_local = *local;
}

void trial_write(struct context *context, struct ike_sa *sa, struct v2_writer *writer)
{
    struct mobike_state *movement = ikev2_of(sa)->movement;

    context->random(context->random_context, movement->cookie, sizeof(movement->cookie));
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_COOKIE2,
                    slice_of(movement->cookie, sizeof(movement->cookie)));
    movement->spoiled = false;
    ikev2_of(sa)->checking = true;
    ikev2_of(sa)->check_due = false;
}

/* --- The other addresses of a silent peer --- */

/* What a tunnel carries is not reached beside it.  One that carries all says nothing of that. */
static bool is_carried(const struct ike_sa *sa, const struct address *remote)
{
    struct selector there = selector_host(remote);
    struct selector here = selector_host(&sa->remote);
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        for (size_t i = 0; i < child->remote_count; i++) {
            struct selector carried = child->remote_selectors[i];
            carried.protocol = there.protocol; /* whatever part of its traffic it is */
            carried.port_start = there.port_start;
            carried.port_end = there.port_end;
            if (selector_contains(&carried, &there) && !selector_contains(&carried, &here))
                return true;
        }
    return false;
}

static bool is_candidate(const struct context *context, const struct ike_sa *sa,
                         const struct address *remote)
{
    return remote->family == sa->local.family && !address_same_host(remote, &sa->remote) &&
           !address_same_host(remote, &sa->local) && !is_carried(sa, remote) &&
           mobike_can_move(context->sas, sa, remote);
}

/* One after the other; NULL: there is none. */
static const struct address *next_candidate(const struct context *context, const struct ike_sa *sa)
{
    struct mobike_state *movement = ikev2_of(sa)->movement;

    for (size_t i = 0; movement != NULL && i < movement->peer_count; i++) {
        const struct address *peer = &movement->peers[movement->next_peer++ % movement->peer_count];
        if (is_candidate(context, sa, peer))
            return peer;
    }
    return NULL;
}

static void ask_candidate(struct context *context, struct ike_sa *sa)
{
    const struct address *next = next_candidate(context, sa);
    char text[ADDRESS_TEXT_MAX];

    if (next == NULL)
        return;
    struct address remote = *next;
    remote.port = sa->remote.port;
    report(context, sa, SEVERITY_DEBUG, "path-asked", "%s is asked, too: the peer is silent",
           address_text(&remote, text));
    message_send_datagrams(context, &sa->local, &remote,
                           buffer_slice(&ikev2_of(sa)->request->octets));
}

/* --- Requests --- */

void trial_send(struct context *context, struct ike_sa *sa)
{
    struct slice octets = buffer_slice(&ikev2_of(sa)->request->octets);
    const struct mobike_state *movement = ikev2_of(sa)->movement;

    if (!is_check(sa))
        message_send_datagrams(context, &sa->local, &sa->remote, octets);
    if (trial_is_on(sa))
        message_send_datagrams(context, &movement->tried_local, &movement->tried_remote, octets);
}

void trial_send_again(struct context *context, struct ike_sa *sa)
{
    char tried[ADDRESS_TEXT_MAX];
    char remote[ADDRESS_TEXT_MAX];

    if (is_check(sa) && ikev2_of(sa)->request->tries > TRIES) {
        ikev2_of(sa)->movement->spoiled = true;
        report(context, sa, SEVERITY_INFO, "not-moved",
               "no answer from %s, where the peer seems to be: it stays at %s until there is one",
               address_text(&ikev2_of(sa)->movement->tried_remote, tried),
               address_text(&sa->remote, remote));
    }
    trial_send(context, sa);
    if (ikev2_of(sa)->mobike && sa->leads && sa->state == IKE_ESTABLISHED && !trial_is_on(sa) &&
        ikev2_of(sa)->request->tries >= OTHER_TRIES)
        ask_candidate(context, sa);
}

/* --- Answers --- */

/* The address that is left takes its place among the others, and gets its turn again. */
static void keep_candidate(struct ike_sa *sa)
{
    struct mobike_state *movement = ikev2_of(sa)->movement;

    for (size_t i = 0; i < movement->peer_count; i++)
        if (address_same_host(&movement->peers[i], &movement->tried_remote))
            movement->peers[i] = sa->remote;
}

static void commit(struct context *context, struct ike_sa *sa)
{
    struct mobike_state *movement = ikev2_of(sa)->movement;
    struct address local = movement->tried_local;
    struct address remote = movement->tried_remote;
    struct nat_finding finding = {
        .known = movement->tried_nat,
        .here = movement->tried_here,
        .there = movement->tried_there,
    };

    if (mobike_can_move(context->sas, sa, &remote)) {
        keep_candidate(sa);
        nat_follow(context, sa, &finding, local.port);
        ike_sa_follow(context, sa, &local, &remote);
        ikev2_of(sa)->update_due = ikev2_of(sa)->update_due || (ikev2_of(sa)->mobike && sa->leads);
    }
    trial_end(sa);
}

static bool came_from_tried(const struct ike_sa *sa, const struct ike_message *message)
{
    return address_equal(&ikev2_of(sa)->movement->tried_remote, &message->remote) &&
           address_equal(&ikev2_of(sa)->movement->tried_local, &message->local);
}

enum status trial_reply(struct context *context, struct ike_sa *sa,
                        const struct ike_message *message, struct reason *reason)
{
    bool alone = is_check(sa);
    bool checking = ikev2_of(sa)->checking;
    struct v2_notify_body notify;

    ikev2_of(sa)->checking = false;
    if (!trial_is_on(sa) || !checking)
        return STATUS_OK;
    if (!alone) {
        ikev2_of(sa)->check_due = ikev2_of(sa)->check_due || came_from_tried(sa, message);
        if (!ikev2_of(sa)->check_due)
            trial_end(sa);
        return STATUS_OK;
    }
    bool returned = message_find_notify(message, V2_N_COOKIE2, &notify);
    struct slice cookie =
        slice_of(ikev2_of(sa)->movement->cookie, sizeof(ikev2_of(sa)->movement->cookie));
    if (returned ? !slice_equal(notify.data, cookie) : ikev2_of(sa)->mobike)
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer answered from its new address without our COOKIE2");
    if (came_from_tried(sa, message))
        commit(context, sa);
    else
        trial_end(sa);
    return STATUS_OK;
}
