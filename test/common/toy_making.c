/*
 * A child on its way, by the toy protocol: see toy_protocol.h.
 *
 *   our own      its SPI, the question; the answer, the kernel
 *   the peer's   its SPI, the kernel; the answer
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/reader.h"
#include "lib/crypto/algorithm.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/event.h"
#include "test/common/toy_state.h"

#define HELD_MS     1000  /* a successor's outbound SA, until our answer surely came */
#define REPLACED_MS 30000 /* until we delete what the peer has replaced and not deleted */
#define AGAIN_MS    500   /* after TOY_BUSY: this and up to as much by chance */

void making_end(struct context *context, struct ike_sa *sa, struct making **place)
{
    struct making *making = *place;

    *place = NULL;
    if (making != NULL && making->child != NULL)
        child_remove(context, sa, making->child);
    free(making);
}

/* No more is negotiated than the child's name: both ends take what is configured first. */
static void take_suite(struct child_sa *child)
{
    const struct proposal *proposal = &child->config->esp->items[0];

    child->transforms[0].suite = (struct suite){
        .encr = proposal->encr.ids[0],
        .integ = encr_is_aead(proposal->encr.ids[0]) ? INTEG_NONE : proposal->integ.ids[0],
        .esn = proposal->esn,
    };
}

struct making *making_new(struct context *context, struct ike_sa *sa,
                          const struct child_config *config, const struct child_sa *old)
{
    struct making *making = calloc(1, sizeof(*making));

    if (making == NULL)
        return NULL;
    making->config = config;
    making->child = child_propose(context, sa, config, NULL);
    if (making->child == NULL) {
        free(making);
        return NULL;
    }
    take_suite(making->child);
    if (old != NULL) {
        making->old = old->number;
        child_continue(making->child, old);
    }
    step_begin(sa, &making->step);
    return making;
}

enum status making_start(struct context *context, struct ike_sa *sa,
                         const struct child_config *config, const struct child_sa *old,
                         struct reason *reason)
{
    struct making *making = toy_of(sa)->own = making_new(context, sa, config, old);

    if (making == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    making->ours = true;
    context->random(context->random_context, making->nonce_i, TOY_NONCE_SIZE);
    if (child_ask_spi(context, sa, &making->step, making->child, true) != STATUS_OK)
        return step_fault(context, reason);
    return STATUS_OK;
}

static enum status ask(struct context *context, struct ike_sa *sa, const struct making *making)
{
    struct child_sa *old = child_find(sa, making->old);
    struct toy_message message = {
        .kind = TOY_MAKE,
        .spi = making->child->transforms[0].spi_in,
        .old = old != NULL ? old->transforms[0].spi_in : 0,
    };

    memcpy(message.nonce, making->nonce_i, TOY_NONCE_SIZE);
    name_of_config(&message.child, making->config->name);
    return toy_ask(context, sa, &message);
}

/* From the one who asked to the other one, then back. */
static bool keys_make(const struct making *making, struct child_keys *keys)
{
    const struct encr_info *encr = encr_info(making->child->transforms[0].suite.encr);
    const struct integ_info *integ = integ_info(making->child->transforms[0].suite.integ);
    size_t encr_size = encr->key_size;
    size_t integ_size = integ == NULL ? 0 : integ->key_size;
    struct slice parts[4];

    *keys = (struct child_keys){0};
    if (!secret_new(&keys->keymat, 2 * (encr_size + integ_size)))
        return false;
    for (size_t i = 0; i < keys->keymat.size; i++)
        keys->keymat.data[i] = (uint8_t)(making->nonce_i[i % TOY_NONCE_SIZE] ^
                                         making->nonce_r[(i + 1) % TOY_NONCE_SIZE] ^ i);
    struct reader reader = reader_of(secret_slice(&keys->keymat));
    for (size_t i = 0; i < 4; i++)
        parts[i] = reader_bytes(&reader, i % 2 == 0 ? encr_size : integ_size);
    size_t out = making->ours ? 0 : 2;
    keys->of[0].encr_out = parts[out];
    keys->of[0].integ_out = parts[out + 1];
    keys->of[0].encr_in = parts[2 - out];
    keys->of[0].integ_in = parts[3 - out];
    return true;
}

enum status making_install(struct context *context, struct ike_sa *sa, struct making *making)
{
    struct child_install how = {
        .initiator = making->ours,
        .hold_ms = !making->ours && making->old != 0 ? HELD_MS : 0,
    };
    struct child_keys keys;

    making->stage = AWAIT_INSTALL;
    if (sa->handshake != NULL)
        sa->state = IKE_AWAIT_INSTALL;
    step_begin(sa, &making->step);
    if (!keys_make(making, &keys))
        return STATUS_FAIL;
    enum status status = child_install(context, sa, &making->step, making->child, &keys, &how);
    secret_free(&keys.keymat);
    return status;
}

/* The first child is told of by the engine, the others by toy_settle. */
static enum status installed(struct context *context, struct ike_sa *sa, struct making **place)
{
    struct making *making = *place;
    struct toy_message message = {.spi = making->child->transforms[0].spi_in};
    enum status status = STATUS_OK;

    memcpy(message.nonce, making->nonce_r, TOY_NONCE_SIZE);
    child_list(context, sa, making->child);
    count(context, COUNTER_CHILDREN);
    making->stage = DONE;
    making->child->unproven = !making->ours;
    if (!making->ours)
        status = toy_reply(context, sa, &message);
    if (sa->handshake == NULL)
        return status;
    making->child = NULL;
    making_end(context, sa, place);
    ike_sa_leave_half_open(context, sa);
    sa->state = IKE_ESTABLISHED;
    return status;
}

/* Kernel or memory: the first child takes the IKE SA with it. */
static enum status failed(struct context *context, struct ike_sa *sa, struct making *making,
                          struct reason *reason)
{
    making->stage = FAILED;
    if (sa->handshake != NULL) {
        reason->code = FINDING_TEMPORARY_FAILURE; /* the peer may hold it for established */
        return making->ours ? STATUS_CLOSE : STATUS_REJECT;
    }
    making->busy = true;
    return making->ours ? STATUS_OK : toy_reply_error(context, sa, TOY_BUSY);
}

static enum status go_on(struct context *context, struct ike_sa *sa, struct making **place,
                         struct reason *reason)
{
    struct making *making = *place;

    if (making->step.status != STATUS_OK)
        return failed(context, sa, making, reason);
    if (making->stage == AWAIT_INSTALL)
        return installed(context, sa, place);
    if (!making->ours)
        return making_install(context, sa, making);
    making->stage = AWAIT_ANSWER;
    if (sa->handshake != NULL)
        sa->state = IKE_AWAIT_AUTH_REPLY;
    return ask(context, sa, making);
}

bool toy_answer(struct context *context, struct ike_sa *sa, struct answer *answer)
{
    struct making **places[] = {&toy_of(sa)->own, &toy_of(sa)->theirs};

    for (size_t i = 0; i < 2; i++) {
        struct making *making = *places[i];
        if (making == NULL || making->step.number != answer->ticket.sequence ||
            making->step.awaited == 0)
            continue;
        if (answer->kind == EFFECT_ALLOCATE_SPI)
            making->child->transforms[0].spi_in = answer->spi;
        if (answer->status > making->step.status) {
            making->step.status = (uint8_t)answer->status;
            making->step.reason = answer->reason;
        }
        if (--making->step.awaited > 0)
            return true;
        struct reason reason = making->step.reason;
        enum status status = go_on(context, sa, places[i], &reason);
        event_settled(context, sa, status, &reason);
        return true;
    }
    return false;
}

/* --- Done --- */

static void making_failed(struct context *context, struct ike_sa *sa, const struct making *making)
{
    struct child_sa *old = child_find(sa, making->old);
    struct reason why;
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    if (making->busy) {
        sa->wishes_ms = context->now_ms + AGAIN_MS + chance % AGAIN_MS;
        if (making->old == 0)
            ike_sa_want_child(sa, making->config);
    } else if (making->old == 0) {
        reason_set(&why, STATUS_OK, 0, "child %s: the peer has refused it", making->config->name);
        event_child_failed(context, sa, making->config, NULL, "refused", why.text);
    } else if (old != NULL) {
        old->rekey_due = false;
        child_keep(context, old);
        event_rekey_failed(context, sa, "the peer has refused");
    }
}

static void settle(struct context *context, struct ike_sa *sa, struct making **place)
{
    struct making *making = *place;

    if (making == NULL || (making->stage != DONE && making->stage != FAILED))
        return;
    *place = NULL;
    if (making->stage == DONE) {
        struct child_sa *old = child_find(sa, making->old);
        struct child_sa *child = making->child;
        making->child = NULL;
        if (old != NULL) {
            child_replace(old, child, context->now_ms + REPLACED_MS);
            old->delete_due = making->ours;
        }
        child_report(context, sa, child, making->old != 0);
        event_child_made(context, sa, child, NULL);
    } else if (making->ours) {
        making_failed(context, sa, making);
    }
    making_end(context, sa, &making);
}

void toy_settle(struct context *context, struct ike_sa *sa)
{
    settle(context, sa, &toy_of(sa)->theirs);
    settle(context, sa, &toy_of(sa)->own);
}
