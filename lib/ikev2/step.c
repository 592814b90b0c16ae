/*
 * Going on once the world has answered: key exchange, vault, SPI, kernel.
 *
 *                 initiator                              responder
 *   AWAIT_KEY     IKE_SA_INIT request leaves
 *   AWAIT_SHARED  keys; ask for AUTH and SPI             keys; IKE_SA_INIT response leaves
 *   AWAIT_SIGN    IKE_AUTH request leaves
 *   AWAIT_VERIFY  child's SAs to the kernel              child's SAs to the kernel
 *   AWAIT_INSTALL established                            IKE_AUTH response leaves: established
 */
#include "lib/ikev2/child.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/keys.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/nat.h"
#include "lib/ikev2/path.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

#define HELD_MS 1000 /* an outbound SA, until our answer surely came */

static enum status key_ready(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    enum status status = sa->handshake->step.status;

    if (status != STATUS_OK) /* no route, or no key exchange */
        return status == STATUS_REJECT ? STATUS_CLOSE : status;
    return init_request_send(context, sa, reason);
}

static enum status shared_ready(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    enum status status = sa->handshake->step.status;

    /* A public value that fails RFC 6989's tests: the initiator gives up, the responder says so
     * in no message, since nothing is authenticated. */
    if (status != STATUS_OK)
        return status == STATUS_REJECT ? STATUS_CLOSE : status;
    secret_free(&sa->handshake->private);
    buffer_free(&sa->handshake->peer_public);
    status = keys_derive(context, sa, reason);
    if (status != STATUS_OK)
        return status;
    return sa->initiator ? auth_start(context, sa, reason) : init_respond(context, sa, reason);
}

static enum status sign_ready(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    if (sa->handshake->step.status != STATUS_OK)
        return STATUS_CLOSE;
    return auth_request_send(context, sa, reason);
}

static enum status established(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    if (!sa->initiator)
        return auth_respond(context, sa, reason);
    sa->state = IKE_ESTABLISHED;
    return STATUS_OK;
}

/* Is the peer's AUTH good and ours there, as responder, but no SPI?  Then there is no child, and
 * the reply says so: in silence the peer would wait until its last try is over. */
static bool lacks_only_spi(const struct ike_sa *sa)
{
    const struct handshake *handshake = sa->handshake;

    return !sa->initiator && handshake->auth.size > 0 && handshake->child != NULL &&
           !child_has_spis(handshake->child);
}

static enum status install(struct context *context, struct ike_sa *sa)
{
    struct handshake *handshake = sa->handshake;

    ike_sa_step(sa, IKE_AWAIT_INSTALL);
    struct child_seed seed = {
        .initiator = sa->initiator,
        .nonce_i = buffer_slice(&handshake->nonce_i),
        .nonce_r = buffer_slice(&handshake->nonce_r),
    };
    /* Beside an older pair the initiator's packets and ours go on there until it has our answer. */
    bool hold = !sa->initiator && !handshake->child->own_policies &&
                ike_sa_has_elder(context, sa, handshake->child->config);
    struct child_install how = {.initiator = sa->initiator, .hold_ms = hold ? HELD_MS : 0};
    struct child_keys keys;
    enum status status = keys_child(context, sa, handshake->child, &seed, &keys);
    if (status == STATUS_OK)
        status = child_install(context, sa, &handshake->step, handshake->child, &keys, &how);
    secret_free(&keys.keymat);
    return status;
}

static enum status verified(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;

    if (sa->handshake->step.status == STATUS_REJECT) {
        count(context, COUNTER_AUTH_FAILED);
        reason->code = FINDING_AUTHENTICATION_FAILED;
        return sa->initiator ? STATUS_CLOSE : STATUS_REJECT;
    }
    if (sa->handshake->step.status != STATUS_OK) {
        if (!lacks_only_spi(sa))
            return STATUS_FAIL;
        handshake->refusal = *reason;
        handshake->child_error = V2_N_TEMPORARY_FAILURE;
    }
    ike_sa_leave_half_open(context, sa);
    buffer_free(&handshake->init_request);
    buffer_free(&handshake->init_response);
    if (handshake->child_error == 0 && handshake->child != NULL &&
        child_check_others(context, sa, handshake->child, &handshake->refusal) != STATUS_OK)
        handshake->child_error = V2_N_TS_UNACCEPTABLE;
    if (handshake->child_error != 0 && handshake->child != NULL)
        child_remove(context, sa, handshake->child);
    if (handshake->child == NULL)
        return established(context, sa, reason);
    return install(context, sa);
}

static enum status installed(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;

    if (sa->handshake->step.status == STATUS_OK) {
        child_list(context, sa, handshake->child);
        count(context, COUNTER_CHILDREN);
        enum status status = established(context, sa, reason);
        handshake->child = NULL;
        return status;
    }
    handshake->refusal = *reason;
    handshake->child_error = V2_N_TEMPORARY_FAILURE;
    child_remove(context, sa, handshake->child);
    return established(context, sa, reason);
}

static enum status step_continue(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    switch ((enum ike_state)sa->state) {
    case IKE_AWAIT_KEY: return key_ready(context, sa, reason);
    case IKE_AWAIT_SHARED: return shared_ready(context, sa, reason);
    case IKE_AWAIT_SIGN: return sign_ready(context, sa, reason);
    case IKE_AWAIT_VERIFY: return verified(context, sa, reason);
    case IKE_AWAIT_INSTALL: return installed(context, sa, reason);
    case IKE_AWAIT_INIT_REPLY:
    case IKE_AWAIT_AUTH_REPLY:
    case IKE_AWAIT_AUTH_REQUEST:
    case IKE_ESTABLISHED:
    case IKE_AWAIT_DELETE_REPLY:
    case IKE_AWAIT_REKEY:
    case IKE_REFUSED:
    case IKE_STATE_COUNT: break;
    }
    return reason_set(reason, STATUS_FAIL, 0, "an answer came in state %s",
                      ike_state_name(sa->state));
}

/* --- Answers --- */

static void take_buffer(struct buffer *to, struct buffer *from)
{
    buffer_free(to);
    *to = *from;
    *from = (struct buffer){0};
}

/* Where the answers of a step put what they bring. */
struct results {
    struct step *step;
    struct buffer *public;
    struct secret *shared;
    struct buffer *auth; /* NULL: not asked for */
    struct child_sa *child;
    struct address *source; /* NULL: not asked for */
};

/* Which step of the SA's a ticket belongs to; step is NULL when nobody waits. */
static struct results find_step(struct ike_sa *sa, uint32_t number)
{
    struct handshake *handshake = sa->handshake;
    struct creation *creations[] = {ikev2_of(sa)->own, ikev2_of(sa)->theirs};

    if (handshake != NULL && handshake->step.number == number && handshake->step.awaited > 0)
        return (struct results){&handshake->step, &handshake->public, &handshake->shared,
                                &handshake->auth, handshake->child,   &sa->local};
    for (size_t i = 0; i < 2; i++) {
        struct creation *creation = creations[i];
        if (creation != NULL && creation->step.number == number && creation->step.awaited > 0)
            return (struct results){
                &creation->step, &creation->public, &creation->shared, NULL, creation->child, NULL};
    }
    if (ikev2_of(sa)->movement != NULL && ikev2_of(sa)->movement->step.number == number &&
        ikev2_of(sa)->movement->step.awaited > 0)
        return (struct results){.step = &ikev2_of(sa)->movement->step};
    return (struct results){0};
}

static void store_answer(const struct results *results, struct answer *answer)
{
    if (answer->kind == EFFECT_COMPUTE) {
        if (answer->public.size > 0)
            take_buffer(results->public, &answer->public);
        secret_take(results->shared, &answer->shared);
    } else if (answer->kind == EFFECT_PSK_AUTH && results->auth != NULL) {
        if (answer->status == STATUS_OK)
            take_buffer(results->auth, &answer->auth);
    } else if (answer->kind == EFFECT_ALLOCATE_SPI && results->child != NULL) {
        child_set_spi(results->child, answer->protocol, answer->spi);
    } else if (answer->kind == EFFECT_FIND_SOURCE && results->source != NULL &&
               answer->status == STATUS_OK) {
        uint16_t port = results->source->port;
        *results->source = answer->source;
        results->source->port = port;
    }
    if (answer->status > results->step->status) {
        results->step->status = (uint8_t)answer->status;
        results->step->reason = answer->reason;
    }
}

static enum status go_on(struct context *context, struct ike_sa *sa, const struct step *step,
                         struct reason *reason)
{
    if (ikev2_of(sa)->own != NULL && step == &ikev2_of(sa)->own->step)
        return create_own_continue(context, sa, reason);
    if (ikev2_of(sa)->theirs != NULL && step == &ikev2_of(sa)->theirs->step)
        return create_their_continue(context, sa, reason);
    return step_continue(context, sa, reason);
}

bool ikev2_answer(struct context *context, struct ike_sa *sa, struct answer *answer)
{
    struct results results = find_step(sa, answer->ticket.sequence);

    if (results.step == NULL)
        return false;
    store_answer(&results, answer);
    if (--results.step->awaited > 0)
        return true;
    const struct mobike_state *movement = ikev2_of(sa)->movement;
    if (answer->kind == EFFECT_FIND_SOURCE && movement != NULL && results.step == &movement->step) {
        path_source(context, sa, answer);
        return true;
    }
    struct reason reason = results.step->reason;
    enum status status = go_on(context, sa, results.step, &reason);
    event_settled(context, sa, status, &reason);
    return true;
}
