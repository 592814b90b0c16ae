/*
 * A child SA's life in the kernel: see child_kernel.h.
 */
#include "lib/sa/child_kernel.h"

#include <stdlib.h>

#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"

static void name_child(const struct child_sa *child, struct name *connection, struct name *name)
{
    name_of_config(connection, child->config->connection->name);
    name_of_config(name, child->config->name);
}

/* Of several transforms the first has the tunnel; the others add no further IP header. */
static uint8_t mode_of(const struct child_sa *child, const struct child_transform *transform)
{
    return transform->place == 0 ? child->mode : CHILD_TRANSPORT;
}

static enum status ask_spi(struct context *context, struct ike_sa *sa, struct step *step,
                           const struct child_sa *child, const struct child_transform *transform,
                           bool peer_answers)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_ALLOCATE_SPI);

    if (effect == NULL)
        return STATUS_FAIL;
    struct effect_allocate_spi *allocate = &effect->allocate_spi;
    name_child(child, &allocate->connection, &allocate->child);
    allocate->source = child->remote;
    allocate->destination = child->local;
    allocate->protocol = transform->protocol;
    allocate->mode = mode_of(child, transform);
    allocate->encap = child->encap;
    allocate->early = peer_answers;
    allocate->reqid = child->reqid;
    return STATUS_OK;
}

enum status child_ask_spi(struct context *context, struct ike_sa *sa, struct step *step,
                          struct child_sa *child, bool peer_answers)
{
    enum status status = STATUS_OK;

    child->local = sa->local;
    child->remote = sa->remote;
    child->encap = sa->encap;
    for (size_t i = 0; status == STATUS_OK && i < child->transform_count; i++)
        status = ask_spi(context, sa, step, child, &child->transforms[i], peer_answers);
    if (status == STATUS_OK)
        sa_table_hold_reqid(context->sas, child);
    return status;
}

enum status child_check_spi(const struct context *context, const struct ike_sa *sa,
                            const struct child_sa *child, struct reason *reason)
{
    if (!sa_table_outbound_taken(context->sas, child, &sa->remote))
        return STATUS_OK;
    return reason_set(reason, STATUS_REJECT, 0,
                      "the peer's SPI %08x names another SA to the same address",
                      child_main(child)->spi_out);
}

/* Some time is left between the soft limits and the hard ones, and a part of it is chance: both
 * ends count the same packets and should not start at once. */
static uint64_t soft(uint64_t hard, uint32_t chance)
{
    uint64_t tenth = hard / 10;

    return hard - tenth - (tenth == 0 ? 0 : chance % tenth);
}

static void set_limits(struct context *context, const struct child_config *config,
                       struct effect_install_sa *install)
{
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    install->hard_s = config->lifetime_s;
    install->soft_s = (uint32_t)soft(config->lifetime_s, chance);
    install->hard_bytes = config->lifetime_bytes;
    install->soft_bytes = soft(config->lifetime_bytes, chance);
    install->hard_packets = config->lifetime_packets;
    install->soft_packets = soft(config->lifetime_packets, chance);
}

static enum status fill_install(struct context *context, const struct child_sa *child, size_t place,
                                bool inbound, struct slice encr_key, struct slice integ_key,
                                struct effect_install_sa *install)
{
    const struct child_transform *transform = &child->transforms[place];

    name_child(child, &install->connection, &install->child);
    install->inbound = inbound;
    install->encap = child->encap;
    install->source = inbound ? child->remote : child->local;
    install->destination = inbound ? child->local : child->remote;
    install->spi = inbound ? transform->spi_in : transform->spi_out;
    install->reqid = child->reqid;
    install->protocol = transform->protocol;
    install->mode = mode_of(child, transform);
    install->encr = transform->suite.encr;
    install->integ = transform->suite.integ;
    install->esn = transform->suite.esn;
    install->replay_window = inbound ? child->config->replay_window : 0;
    set_limits(context, child->config, install);
    if (!secret_copy(&install->encr_key, encr_key) || !secret_copy(&install->integ_key, integ_key))
        return STATUS_FAIL;
    return STATUS_OK;
}

static enum status install_inbound(struct context *context, struct ike_sa *sa, struct step *step,
                                   const struct child_sa *child, const struct child_keys *keys)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < child->transform_count; i++) {
        const struct transform_keys *of = &keys->of[i];
        struct effect *effect = step_effect(context, sa, step, EFFECT_INSTALL_SA);
        status = effect == NULL ? STATUS_FAIL
                                : fill_install(context, child, i, true, of->encr_in, of->integ_in,
                                               &effect->install_sa);
    }
    return status;
}

static void set_sending(struct context *context, struct child_sa *child)
{
    child->out_kernel = true;
    child->out_order = ++context->out_order;
}

static enum status install_outbound(struct context *context, struct ike_sa *sa, struct step *step,
                                    struct child_sa *child, const struct child_keys *keys)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < child->transform_count; i++) {
        const struct transform_keys *of = &keys->of[i];
        struct effect *effect = step_effect(context, sa, step, EFFECT_INSTALL_SA);
        status = effect == NULL ? STATUS_FAIL
                                : fill_install(context, child, i, false, of->encr_out,
                                               of->integ_out, &effect->install_sa);
    }
    if (status == STATUS_OK)
        set_sending(context, child);
    return status;
}

static enum status hold_outbound(const struct context *context, struct child_sa *child,
                                 const struct child_keys *keys, uint64_t hold_ms)
{
    struct held_outbound *held = child->held =
        calloc(1, sizeof(*held) + child->transform_count * sizeof(held->keys[0]));

    if (held == NULL)
        return STATUS_FAIL;
    for (size_t i = 0; i < child->transform_count; i++)
        if (!secret_copy(&held->keys[i].encr, keys->of[i].encr_out) ||
            !secret_copy(&held->keys[i].integ, keys->of[i].integ_out))
            return STATUS_FAIL;
    held->until_ms = context->now_ms + hold_ms;
    return STATUS_OK;
}

enum status child_install(struct context *context, struct ike_sa *sa, struct step *step,
                          struct child_sa *child, const struct child_keys *keys,
                          const struct child_install *how)
{
    sa_table_claim(context->sas, sa, child);
    if (child->line == 0) {
        child->ours = how->initiator;
        child->line = child->ours ? child_main(child)->spi_in : child_main(child)->spi_out;
    }
    enum status status = install_inbound(context, sa, step, child, keys);
    if (status != STATUS_OK)
        return status;
    child->in_kernel = true;
    return how->hold_ms > 0 ? hold_outbound(context, child, keys, how->hold_ms)
                            : install_outbound(context, sa, step, child, keys);
}

static bool release_one(struct context *context, const struct child_sa *child, size_t place,
                        struct ticket ticket)
{
    const struct held_keys *keys = &child->held->keys[place];
    struct effect *effect = effect_append(context->effects, EFFECT_INSTALL_SA, ticket);

    return effect != NULL &&
           fill_install(context, child, place, false, secret_slice(&keys->encr),
                        secret_slice(&keys->integ), &effect->install_sa) == STATUS_OK;
}

void child_release_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    if (child->out_kernel || child->held == NULL)
        return;
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = ++sa->steps};
    child->releases = 0;
    while (child->releases < child->transform_count &&
           release_one(context, child, child->releases, ticket))
        child->releases++;
    child->releasing = child->releases > 0 ? ticket.sequence : 0;
    if (child->releases < child->transform_count)
        count(context, COUNTER_FAILURES);
    else
        set_sending(context, child);
    child_drop_held(child);
}

static void remove_one(struct context *context, const struct child_sa *child,
                       const struct child_transform *transform, bool inbound)
{
    struct effect *effect = effect_append(context->effects, EFFECT_REMOVE_SA, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->remove_sa = (struct effect_remove_sa){
        .source = inbound ? child->remote : child->local,
        .destination = inbound ? child->local : child->remote,
        .spi = inbound ? transform->spi_in : transform->spi_out,
        .protocol = transform->protocol,
    };
}

void child_remove_outbound(struct context *context, struct child_sa *child)
{
    if (child->out_kernel && child->own_policies && child->standing)
        child_hand_policies(context, child);
    for (size_t i = 0; child->out_kernel && i < child->transform_count; i++)
        remove_one(context, child, &child->transforms[i], false);
    child->out_kernel = false;
    child_drop_held(child);
}

static void move_one(struct context *context, const struct ike_sa *sa, const struct child_sa *child,
                     const struct child_transform *transform, bool inbound)
{
    struct effect *effect = effect_append(context->effects, EFFECT_MOVE_SA, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    struct effect_move_sa *move = &effect->move_sa;
    name_child(child, &move->connection, &move->child);
    move->inbound = inbound;
    move->encap = sa->encap;
    move->spi = inbound ? transform->spi_in : transform->spi_out;
    move->protocol = transform->protocol;
    move->source = inbound ? child->remote : child->local;
    move->destination = inbound ? child->local : child->remote;
    move->new_source = inbound ? sa->remote : sa->local;
    move->new_destination = inbound ? sa->local : sa->remote;
}

static void move_sas(struct context *context, const struct ike_sa *sa, const struct child_sa *child,
                     bool inbound)
{
    for (size_t i = 0; i < child->transform_count; i++)
        move_one(context, sa, child, &child->transforms[i], inbound);
}

void child_follow(struct context *context, const struct ike_sa *sa, struct child_sa *child)
{
    bool same_hosts = address_same_host(&child->local, &sa->local) &&
                      address_same_host(&child->remote, &sa->remote);

    if (!child->in_kernel || /* its SPI is still reserved where it was asked for */
        (same_hosts && child->encap == sa->encap &&
         (!child->encap ||
          (child->local.port == sa->local.port && child->remote.port == sa->remote.port))))
        return;
    move_sas(context, sa, child, true);
    if (child->out_kernel)
        move_sas(context, sa, child, false);
    child->local = sa->local;
    child->remote = sa->remote;
    child->encap = sa->encap;
    if (!same_hosts && child->listed)
        child_install_policies(context, child);
}

static struct child_sa *next_sending(const struct child_sa_list *list, uint32_t after,
                                     struct child_sa *best)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, list, entry)
        if (child->out_order > after && (best == NULL || child->out_order < best->out_order))
            best = child;
    return best;
}

void children_follow(struct context *context, const struct ike_sa *holder, const struct ike_sa *sa)
{
    struct child_sa *child;
    uint32_t order = 0;

    while ((child = next_sending(&holder->children, order,
                                 next_sending(&holder->gone, order, NULL))) != NULL) {
        child_follow(context, sa, child);
        order = child->out_order;
    }
    TAILQ_FOREACH (child, &holder->gone, entry)
        child_follow(context, sa, child);
    TAILQ_FOREACH (child, &holder->children, entry)
        child_follow(context, sa, child);
}

void child_list(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    child_follow(context, sa, child);
    child->owner = sa;
    sa_table_list_child(context->sas, child);
    child->listed = true;
    child->standing = true;
    if (child->own_policies || child_is_away(child) || child->config->connection->peer_count > 0)
        child_install_policies(context, child);
    TAILQ_INSERT_TAIL(&sa->children, child, entry);
}

static void unlist(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    sa_table_unlist_child(context->sas, child);
    TAILQ_REMOVE(&sa->children, child, entry);
    child->listed = false;
    child_pass_on(context, sa, child);
}

void child_undo(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    bool taken = sa_table_outbound_taken(context->sas, child, &sa->remote);

    child_remove_outbound(context, child);
    child->undone = child->delete_due = true;
    child->in_kernel = child->own_policies = false;
    child->replaces = 0;
    for (size_t i = 0; i < child->transform_count && taken; i++)
        child->transforms[i].spi_out = 0;
    child->owner = sa;
    sa_table_list_child(context->sas, child);
    child->listed = true;
    TAILQ_INSERT_TAIL(&sa->children, child, entry);
}

/* Packets that the peer sent before it switched are still on their way. */
#define LINGER_MS 1000
/* Packets that the kernel is encrypting with an outbound SA when its successor comes.  No longer:
 * of SAs that are made within one second the kernel does not always take the latest. */
#define SILENCE_MS 100
#define GONE_MAX   64 /* lingering children of one IKE SA */

static void make_room(struct context *context, struct ike_sa *sa)
{
    struct child_sa *child;
    size_t gone = 0;

    TAILQ_FOREACH (child, &sa->gone, entry)
        gone++;
    child = TAILQ_FIRST(&sa->gone);
    if (gone < GONE_MAX)
        return;
    TAILQ_REMOVE(&sa->gone, child, entry);
    child_remove(context, sa, child);
}

/* Does the kernel hold a later outbound SA for the same packets?  It takes the latest. */
static bool has_successor(const struct ike_sa *sa, const struct child_sa *child)
{
    const struct child_sa *other;

    TAILQ_FOREACH (other, &sa->children, entry)
        if (other->config == child->config && other->out_kernel &&
            other->out_order > child->out_order)
            return true;
    return false;
}

void child_retire_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    struct child_sa *gone;
    bool replaced = has_successor(sa, child);

    TAILQ_FOREACH (gone, &sa->gone, entry)
        if (gone->config == child->config)
            child_remove_outbound(context, gone);
    if (!replaced)
        child_remove_outbound(context, child);
}

static uint64_t sweep_due_ms(const struct child_sa *child)
{
    return child->out_kernel ? child->leaves_ms - LINGER_MS + SILENCE_MS : child->leaves_ms;
}

uint64_t child_sweep_ms(const struct ike_sa *sa)
{
    const struct child_sa *child;
    uint64_t due_ms = UINT64_MAX;

    TAILQ_FOREACH (child, &sa->gone, entry)
        if (sweep_due_ms(child) < due_ms)
            due_ms = sweep_due_ms(child);
    return due_ms;
}

void child_linger(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    make_room(context, sa);
    child_retire_outbound(context, sa, child);
    unlist(context, sa, child);
    child->leaves_ms = context->now_ms + LINGER_MS;
    TAILQ_INSERT_TAIL(&sa->gone, child, entry);
    ike_sa_timer(context, &sa->later, child_sweep_ms(sa));
}

void children_linger_in(struct ike_sa *to, struct ike_sa *from)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &from->gone, entry)
        child->owner = to; /* it still stands in others' way, and is named with its peer */
    TAILQ_CONCAT(&to->gone, &from->gone, entry);
}

void child_sweep(struct context *context, struct ike_sa *sa)
{
    struct child_sa *child;
    struct child_sa *next;

    /* In no order: those of an IKE SA that this one follows came behind its own. */
    for (child = TAILQ_FIRST(&sa->gone); child != NULL; child = next) {
        next = TAILQ_NEXT(child, entry);
        if (child->leaves_ms <= context->now_ms) {
            TAILQ_REMOVE(&sa->gone, child, entry);
            child_remove(context, sa, child);
        } else if (sweep_due_ms(child) <= context->now_ms) {
            child_remove_outbound(context, child);
        }
    }
    if (!TAILQ_EMPTY(&sa->gone))
        ike_sa_timer(context, &sa->later, child_sweep_ms(sa));
}

void child_remove(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    child_remove_outbound(context, child);
    for (size_t i = 0; i < child->transform_count; i++)
        if (child->transforms[i].spi_in != 0)
            remove_one(context, child, &child->transforms[i], true);
    if ((child->own_policies || child_is_away(child)) && child->standing)
        child_return_policies(context, child);
    if (child->listed)
        unlist(context, sa, child);
    sa_table_remove_child(context->sas, child);
    if (sa->handshake != NULL && sa->handshake->child == child)
        sa->handshake->child = NULL;
    child_free(child);
}
