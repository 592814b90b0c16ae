/*
 * Child SAs as state, and the kernel effects of making and ending one: see ike_sa.h.
 */
#include "lib/sa/child_sa.h"

#include <stdlib.h>
#include <string.h>

#include "lib/policy/overlap.h"
#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"

struct child_sa *child_new(struct context *context, const struct child_config *config)
{
    struct child_sa *child = calloc(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    child->config = config;
    child->number = ++context->next_child;
    child->reqid = config->reqid;
    child->protocol = IPSEC_ESP;
    child->mode = (uint8_t)config->mode;
    child->created_ms = context->now_ms;
    return child;
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

void child_replace(struct child_sa *old, struct child_sa *made, uint64_t leaves_ms)
{
    made->replaces = old->number;
    old->replaced = true;
    old->leaves_ms = leaves_ms;
}

#define KEPT_MS     60000 /* until the next rekeying of what lives on packets or octets alone */
#define MUTE_MS     5000  /* the same of what cannot send */
#define KEPT_PART   8     /* of the time until then is chance: the other end does not join in */
#define LAST_PART   32    /* of a lifetime: when this much is left, it is nearly over ... */
#define LAST_MIN_MS 2000  /* ... or this much */

static uint64_t left_ms(const struct context *context, const struct child_sa *child)
{
    uint64_t end_ms = child->created_ms + child->config->lifetime_s * 1000ull;

    return end_ms > context->now_ms ? end_ms - context->now_ms : 0;
}

bool child_nears_end(const struct context *context, const struct child_sa *child)
{
    uint64_t last_ms = child->config->lifetime_s * 1000ull / LAST_PART;

    return child->config->lifetime_s != 0 &&
           left_ms(context, child) <= (last_ms < LAST_MIN_MS ? LAST_MIN_MS : last_ms);
}

void child_keep(struct context *context, struct child_sa *child)
{
    uint64_t wait_ms = child->config->lifetime_s == 0 ? KEPT_MS : left_ms(context, child) / 2;
    uint32_t chance;

    child->replaced = false;
    if (child->deleting)
        return; /* too late: the peer has been told */
    if (!child->out_kernel && child->held == NULL)
        wait_ms = MUTE_MS;
    context->random(context->random_context, &chance, sizeof(chance));
    child->delete_due = child->expired;
    child->leaves_ms = context->now_ms + wait_ms - chance % (wait_ms / KEPT_PART + 1);
}

/* It leaves: what replaced it stands for what it replaced; where nothing does, that stays.  A peer
 * may undo its rekeying so, or ours (RFC 7296 section 1.3.1 bids it when the new one does not
 * suit). */
static void pass_on(struct context *context, struct ike_sa *sa, const struct child_sa *child)
{
    struct child_sa *old = child->replaces == 0 ? NULL : child_find(sa, child->replaces);
    bool replaced = false;
    struct child_sa *other;

    TAILQ_FOREACH (other, &sa->children, entry) {
        if (other->replaces == child->number)
            other->replaces = child->replaces;
        replaced = replaced || (old != NULL && other->replaces == old->number);
    }
    if (old != NULL && old->replaced && !replaced)
        child_keep(context, old);
}

void child_undo(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    child_remove_outbound(context, child);
    child->undone = child->delete_due = true;
    child->in_kernel = child->own_policies = false;
    child->replaces = 0;
    if (sa_table_outbound_taken(context->sas, child, &sa->remote))
        child->spi_out = 0;
    child->owner = sa;
    sa_table_list_child(context->sas, child);
    child->listed = true;
    TAILQ_INSERT_TAIL(&sa->children, child, entry);
}

static void unlist(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    sa_table_unlist_child(context->sas, child);
    TAILQ_REMOVE(&sa->children, child, entry);
    child->listed = false;
    pass_on(context, sa, child);
}

struct child_sa *child_find(const struct ike_sa *sa, uint32_t number)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->number == number)
            return child;
    return NULL;
}

struct child_sa *child_find_outbound(const struct ike_sa *sa, uint8_t protocol, uint32_t spi_out)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->spi_out == spi_out && child->protocol == protocol)
            return child;
    return NULL;
}

void child_prove_all(struct ike_sa *sa)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        child->unproven = false;
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

void child_drop_held(struct child_sa *child)
{
    if (child->held == NULL)
        return;
    secret_free(&child->held->encr_key);
    secret_free(&child->held->integ_key);
    free(child->held);
    child->held = NULL;
}

/* Many children have just what is configured: that is there once. */
static const struct selector *share_or_copy(const struct selector *configured,
                                            size_t configured_count, const struct selector *wanted,
                                            size_t count)
{
    if (selectors_equal(configured, configured_count, wanted, count))
        return configured;
    struct selector *copy = reallocarray(NULL, count, sizeof(*copy));
    if (copy != NULL)
        memcpy(copy, wanted, count * sizeof(*copy));
    return copy;
}

static void drop_selectors(const struct selector *configured, const struct selector *selectors)
{
    if (selectors != configured)
        free((struct selector *)(uintptr_t)selectors);
}

static void child_drop_selectors(struct child_sa *child)
{
    drop_selectors(child->config->local, child->local_selectors);
    drop_selectors(child->config->remote, child->remote_selectors);
}

void child_free(struct child_sa *child)
{
    if (child == NULL)
        return;
    child_drop_selectors(child);
    child_drop_held(child);
    free(child);
}

bool child_set_selectors(struct child_sa *child, const struct selector *local, size_t local_count,
                         const struct selector *remote, size_t remote_count)
{
    const struct child_config *config = child->config;
    const struct selector *locals =
        share_or_copy(config->local, config->local_count, local, local_count);
    const struct selector *remotes =
        share_or_copy(config->remote, config->remote_count, remote, remote_count);

    if (locals == NULL || remotes == NULL) {
        drop_selectors(config->local, locals);
        drop_selectors(config->remote, remotes);
        return false;
    }
    child_drop_selectors(child);
    child->local_selectors = locals;
    child->remote_selectors = remotes;
    child->local_count = (uint8_t)local_count;
    child->remote_count = (uint8_t)remote_count;
    return true;
}

void child_rebind(struct child_sa *child, const struct child_config *config)
{
    if (child->local_selectors == child->config->local)
        child->local_selectors = config->local;
    if (child->remote_selectors == child->config->remote)
        child->remote_selectors = config->remote;
    child->config = config;
}

static void remove_sa(struct context *context, const struct address *source,
                      const struct address *destination, uint32_t spi, uint8_t protocol)
{
    struct effect *effect = effect_append(context->effects, EFFECT_REMOVE_SA, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->remove_sa = (struct effect_remove_sa){
        .source = *source,
        .destination = *destination,
        .spi = spi,
        .protocol = protocol,
    };
}

static void move_sa(struct context *context, const struct ike_sa *sa, const struct child_sa *child,
                    bool inbound)
{
    struct effect *effect = effect_append(context->effects, EFFECT_MOVE_SA, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    struct effect_move_sa *move = &effect->move_sa;
    name_of_config(&move->connection, child->config->connection->name);
    name_of_config(&move->child, child->config->name);
    move->inbound = inbound;
    move->encap = sa->encap;
    move->spi = inbound ? child->spi_in : child->spi_out;
    move->protocol = child->protocol;
    move->source = inbound ? child->remote : child->local;
    move->destination = inbound ? child->local : child->remote;
    move->new_source = inbound ? sa->remote : sa->local;
    move->new_destination = inbound ? sa->local : sa->remote;
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
    move_sa(context, sa, child, true);
    if (child->out_kernel)
        move_sa(context, sa, child, false);
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

void child_remove_outbound(struct context *context, struct child_sa *child)
{
    if (child->out_kernel)
        remove_sa(context, &child->local, &child->remote, child->spi_out, child->protocol);
    child->out_kernel = false;
    child_drop_held(child);
}

void child_remove(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    child_remove_outbound(context, child);
    if (child->spi_in != 0)
        remove_sa(context, &child->remote, &child->local, child->spi_in, child->protocol);
    if ((child->own_policies || child_is_away(child)) && child->standing)
        child_return_policies(context, child);
    if (child->listed)
        unlist(context, sa, child);
    sa_table_remove_child(context->sas, child);
    if (sa->handshake != NULL && sa->handshake->child == child)
        sa->handshake->child = NULL;
    child_free(child);
}
