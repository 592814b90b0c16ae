/*
 * IKE SAs: see ike_sa.h.
 */
#include "lib/sa/ike_sa.h"

#include <stdlib.h>
#include <string.h>

#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/handshake.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"

#define TOLD_MIN_S 60

/* What grows here grows a hundred thousand times. */
_Static_assert(sizeof(struct ike_sa) <= 376, "an IKE SA is small");
_Static_assert(sizeof(struct child_sa) + sizeof(struct child_transform) <= 232, "a child is small");

static const char *const state_names[IKE_STATE_COUNT] = {
    [IKE_AWAIT_KEY] = "await-key",
    [IKE_AWAIT_INIT_REPLY] = "await-init-reply",
    [IKE_AWAIT_SHARED] = "await-shared",
    [IKE_AWAIT_SIGN] = "await-sign",
    [IKE_AWAIT_AUTH_REPLY] = "await-auth-reply",
    [IKE_AWAIT_AUTH_REQUEST] = "await-auth-request",
    [IKE_AWAIT_VERIFY] = "await-verify",
    [IKE_AWAIT_INSTALL] = "await-install",
    [IKE_ESTABLISHED] = "established",
    [IKE_AWAIT_DELETE_REPLY] = "await-delete-reply",
    [IKE_AWAIT_REKEY] = "await-rekey",
    [IKE_REFUSED] = "refused",
};

const char *ike_state_name(enum ike_state state)
{
    return state < IKE_STATE_COUNT ? state_names[state] : "?";
}

static uint64_t fresh_spi(struct context *context)
{
    uint64_t spi;

    do {
        context->random(context->random_context, &spi, sizeof(spi));
    } while (spi == 0 || sa_table_find(context->sas, spi) != NULL);
    return spi;
}

struct ike_sa *ike_sa_new(struct context *context, const struct protocol *protocol,
                          const struct connection *connection, const struct address *local,
                          const struct address *remote, uint64_t spi_i)
{
    struct sa_table *table = context->sas;
    struct ike_sa *sa = calloc(1, sizeof(*sa) + protocol->state_size);
    struct handshake *handshake = handshake_new(sa);

    if (sa == NULL || handshake == NULL) {
        free(sa);
        free(handshake);
        return NULL;
    }
    TAILQ_INIT(&sa->children);
    TAILQ_INIT(&sa->gone);
    sa->later.kind = TIMER_LATER;
    sa->watch.kind = TIMER_WATCH;
    sa->keepalive.kind = TIMER_KEEPALIVE;
    sa->handshake = handshake;
    sa->expire.kind = TIMER_EXPIRE;
    sa->number = table->next_number++;
    sa->protocol = protocol;
    sa->connection = connection;
    sa->local = *local;
    sa->remote = sa->proven = *remote;
    sa->nat_pretended = connection->encapsulate;
    sa->created_ms = sa->heard_ms = context->now_ms;
    sa->initiator = sa->leads = spi_i == 0;
    if (sa->initiator) {
        sa->spi_i = fresh_spi(context);
    } else {
        sa->spi_i = spi_i;
        sa->spi_r = fresh_spi(context);
        sa->half_open = true;
        handshake->came_from = *remote;
    }
    sa_table_add(table, sa);
    return sa;
}

void ike_sa_drop_packet(struct ike_sa *sa)
{
    free(sa->packet);
    sa->packet = NULL;
}

void ike_sa_free(struct context *context, struct ike_sa *sa)
{
    struct child_sa *child;

    sa->protocol->end(context, sa);
    TAILQ_CONCAT(&sa->children, &sa->gone, entry);
    while ((child = TAILQ_FIRST(&sa->children)) != NULL) {
        TAILQ_REMOVE(&sa->children, child, entry);
        sa_table_remove_child(context->sas, child);
        child_free(child);
    }
    if (sa->handshake != NULL && sa->handshake->child != NULL)
        sa_table_remove_child(context->sas, sa->handshake->child);
    ike_sa_leave_half_open(context, sa);
    heap_remove(context->timers, &sa->expire.node);
    heap_remove(context->timers, &sa->later.node);
    heap_remove(context->timers, &sa->watch.node);
    heap_remove(context->timers, &sa->keepalive.node);
    sa_table_remove(context->sas, sa);
    handshake_free(sa->handshake);
    buffer_free(&sa->remote_id);
    secret_free(&sa->keys);
    free(sa->packet);
    free(sa);
}

size_t ike_sa_child_count(const struct ike_sa *sa)
{
    const struct child_sa *child;
    size_t children = 0;

    TAILQ_FOREACH (child, &sa->children, entry)
        children++;
    return children;
}

bool ike_sa_carries(const struct ike_sa *sa, const struct child_config *config)
{
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->config == config && !child->undone && !child->expired)
            return true;
    return false;
}

uint64_t child_bit(const struct child_config *config)
{
    const struct child_config *other;
    unsigned place = 0;

    TAILQ_FOREACH (other, &config->connection->children, entry) {
        if (other == config)
            break;
        place++;
    }
    return UINT64_C(1) << place;
}

const struct child_config *child_of_bits(const struct connection *connection, uint64_t bits)
{
    const struct child_config *config = TAILQ_FIRST(&connection->children);

    for (int place = __builtin_ctzll(bits); config != NULL && place > 0; place--)
        config = TAILQ_NEXT(config, entry);
    return config;
}

void ike_sa_want_child(struct ike_sa *sa, const struct child_config *wanted)
{
    if (wanted != NULL && wanted->connection == sa->connection) /* not a guest */
        sa->wanted_children |= child_bit(wanted);
}

void ike_sa_take_tasks(struct ike_sa *sa, const struct ike_sa *from)
{
    struct protocol_view view;

    sa->wanted_children |= from->wanted_children;
    from->protocol->view(from, &view);
    ike_sa_want_child(sa, view.making);
}

bool ike_sa_has_elder(const struct context *context, const struct ike_sa *sa,
                      const struct child_config *config)
{
    const struct ike_sa *other = NULL;

    while ((other = sa_table_same_peer(context->sas, sa, other)) != NULL)
        if (other->state == IKE_ESTABLISHED && address_same_host(&other->remote, &sa->remote) &&
            ike_sa_carries(other, config))
            return true;
    return false;
}

void ike_sa_inherit(struct context *context, struct ike_sa *from, struct ike_sa *to)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &from->children, entry) {
        child->owner = to;
        child->releasing = 0;    /* the kernel's word is for `from`, and its answer alone waits */
        child->deleting = false; /* still due: `to` asks again */
    }
    children_follow(context, from, to);
    TAILQ_CONCAT(&to->children, &from->children, entry);
    children_linger_in(to, from);
    to->wanted_children |= from->wanted_children;
    from->wanted_children = 0;
    from->inherited = true;
    to->line_ms = from->line_ms;
    to->reauth_ms = from->reauth_ms;
    to->replaces = from->replaces;
    from->replaces = 0;
    to->expecting = false;
    ike_sa_timer(context, &to->later, context->now_ms); /* for what lingers, and what is wished */
}

bool ike_sa_limit_authentication(struct ike_sa *sa, uint64_t from_ms, uint32_t *told_s)
{
    *told_s = *told_s < TOLD_MIN_S ? TOLD_MIN_S : *told_s;
    uint64_t until_ms = from_ms + *told_s * 1000ull;

    if (sa->reauth_ms != 0 && sa->reauth_ms <= until_ms)
        return false;
    sa->reauth_ms = until_ms;
    return true;
}

struct identity ike_sa_remote_id(const struct ike_sa *sa)
{
    return identity_of(sa->remote_id_type, buffer_slice(&sa->remote_id));
}

void ike_sa_step(struct ike_sa *sa, enum ike_state state)
{
    sa->state = (uint8_t)state;
    step_begin(sa, &sa->handshake->step);
}
