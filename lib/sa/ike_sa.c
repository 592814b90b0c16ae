/*
 * IKE SAs: see ike_sa.h.
 */
#include "lib/sa/reassembly.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MIN_S 60

/* What grows here grows a hundred thousand times. */
_Static_assert(sizeof(struct ike_sa) <= 488, "an IKE SA is small");
_Static_assert(sizeof(struct child_sa) <= 232, "a child is small");

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

struct ike_sa *ike_sa_new(struct context *context, const struct connection *connection,
                          const struct address *local, const struct address *remote, uint64_t spi_i)
{
    struct sa_table *table = context->sas;
    struct ike_sa *sa = calloc(1, sizeof(*sa));
    struct handshake *handshake = calloc(1, sizeof(*handshake));

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
    handshake->sa = sa;
    sa->expire.kind = TIMER_EXPIRE;
    sa->number = table->next_number++;
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

static void handshake_free(struct handshake *handshake)
{
    if (handshake == NULL)
        return;
    secret_free(&handshake->private);
    secret_free(&handshake->shared);
    buffer_free(&handshake->public);
    buffer_free(&handshake->peer_public);
    buffer_free(&handshake->nonce_i);
    buffer_free(&handshake->nonce_r);
    buffer_free(&handshake->cookie);
    buffer_free(&handshake->init_request);
    buffer_free(&handshake->init_response);
    buffer_free(&handshake->auth);
    child_free(handshake->child);
    free(handshake);
}

void ike_sa_end_handshake(struct ike_sa *sa)
{
    struct reader reader = reader_of(secret_slice(&sa->keys));
    struct secret kept = {0};

    if (secret_copy(&kept, reader_bytes(&reader, ike_keys_size(&sa->suite, KEY_PI))))
        secret_take(&sa->keys, &kept);
    handshake_free(sa->handshake);
    sa->handshake = NULL;
}

void ike_sa_drop_packet(struct ike_sa *sa)
{
    free(sa->packet);
    sa->packet = NULL;
}

void ike_sa_free(struct context *context, struct ike_sa *sa)
{
    struct child_sa *child;

    creation_end(context, sa, &sa->own);
    creation_end(context, sa, &sa->theirs);
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
    ike_sa_end_request(context, sa);
    free(sa->asker);
    buffer_free(&sa->reply);
    reassembly_end(context, sa, false);
    reassembly_end(context, sa, true);
    secret_free(&sa->keys);
    free(sa->movement);
    free(sa->packet);
    free(sa);
}

void ike_sa_end_request(struct context *context, struct ike_sa *sa)
{
    if (sa->request == NULL)
        return;
    ike_sa_timer_stop(context, &sa->request->retransmit);
    buffer_free(&sa->request->octets);
    free(sa->request);
    sa->request = NULL;
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
        child->releasing = 0; /* the kernel's word is for `from`, and its answer alone waits */
    }
    children_follow(context, from, to);
    TAILQ_CONCAT(&to->children, &from->children, entry);
    children_linger_in(to, from);
    to->wanted_children |= from->wanted_children;
    from->wanted_children = 0;
    if (from->request != NULL)
        from->request->deleting = NULL; /* still due: `to` asks again */
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

bool ike_sa_find_source(struct context *context, struct ike_sa *sa, struct step *step)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_FIND_SOURCE);

    if (effect == NULL)
        return false;
    memcpy(effect->find_source.connection.text, sa->connection->name,
           sizeof(effect->find_source.connection.text));
    effect->find_source.remote = sa->remote;
    return true;
}

struct movement *ike_sa_movement(struct ike_sa *sa)
{
    if (sa->movement == NULL)
        sa->movement = calloc(1, sizeof(*sa->movement));
    return sa->movement;
}

/* A transport mode child has addresses as selectors, and cannot go to another host; no child can
 * take the place of another peer's. */
static bool can_follow(const struct sa_table *table, const struct ike_sa *sa,
                       const struct child_sa *child, const struct address *remote)
{
    return address_same_host(&sa->remote, remote) ||
           (child->mode != CHILD_TRANSPORT && !sa_table_outbound_taken(table, child, remote));
}

bool ike_sa_can_move(const struct sa_table *table, const struct ike_sa *sa,
                     const struct address *remote)
{
    const struct creation *creations[] = {sa->own, sa->theirs};
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (!can_follow(table, sa, child, remote))
            return false;
    TAILQ_FOREACH (child, &sa->gone, entry)
        if (!can_follow(table, sa, child, remote))
            return false;
    for (size_t i = 0; i < 2; i++)
        if (creations[i] != NULL && creations[i]->child != NULL &&
            !can_follow(table, sa, creations[i]->child, remote))
            return false;
    return true;
}

void ike_sa_move(struct context *context, struct ike_sa *sa, const struct address *local,
                 const struct address *remote)
{
    char from[ADDRESS_TEXT_MAX];
    char to[ADDRESS_TEXT_MAX];

    sa->local = *local;
    sa->remote = *remote;
    sa->follow_due = false;
    count(context, COUNTER_MOVES);
    report(context, sa, SEVERITY_INFO, "moved", "now between %s, port %u, and %s, port %u%s",
           address_text(local, from), local->port, address_text(remote, to), remote->port,
           sa->encap ? ", ESP in UDP" : "");
    children_follow(context, sa, sa);
}

bool ike_sa_rests(const struct context *context, const struct ike_sa *sa)
{
    return sa->followed_ms != 0 && context->now_ms - sa->followed_ms < FOLLOW_MS;
}

void ike_sa_follow(struct context *context, struct ike_sa *sa, const struct address *local,
                   const struct address *remote)
{
    if (ike_sa_rests(context, sa)) {
        sa->local = *local;
        sa->remote = *remote;
        sa->follow_due = true;
        return;
    }
    sa->followed_ms = context->now_ms;
    ike_sa_move(context, sa, local, remote);
}

void ike_sa_take_path(struct ike_sa *heir, const struct ike_sa *old)
{
    heir->local = old->local;
    heir->remote = old->remote;
    heir->proven = old->proven;
    heir->nat_known = old->nat_known;
    heir->nat_here = old->nat_here;
    heir->nat_there = old->nat_there;
    heir->nat_pretended = old->nat_pretended;
    heir->encap = old->encap;
    heir->sent_ms = old->sent_ms;
    heir->mobike = old->mobike;
    heir->leads = old->leads;
    heir->update_due = old->update_due || old->updating;
    heir->announce_due = old->announce_due;
    heir->check_due = old->check_due || old->checking;
    heir->followed_ms = old->followed_ms;
    heir->follow_due = old->follow_due;
    const struct movement *from = old->movement;
    if (from == NULL || (from->peer_count == 0 && from->tried_remote.family == FAMILY_NONE) ||
        ike_sa_movement(heir) == NULL)
        return;
    *heir->movement = *from;
    heir->movement->step = (struct step){0};
    heir->movement->again = false;
    heir->movement->spoiled = true; /* by then the cookie is the old SA's */
}

void creation_end(struct context *context, struct ike_sa *sa, struct creation **place)
{
    struct creation *creation = *place;

    if (creation == NULL)
        return;
    if (creation->child != NULL)
        child_remove(context, sa, creation->child);
    if (creation->heir != NULL)
        ike_sa_free(context, creation->heir);
    secret_free(&creation->private);
    secret_free(&creation->shared);
    buffer_free(&creation->public);
    buffer_free(&creation->nonce_i);
    buffer_free(&creation->nonce_r);
    buffer_free(&creation->rival_nonce);
    free(creation->packet);
    free(creation);
    *place = NULL;
}

static size_t key_size(const struct suite *suite, enum ike_key key)
{
    const struct prf_info *prf = prf_info(suite->prf);
    const struct encr_info *encr = encr_info(suite->encr);
    const struct integ_info *integ = integ_info(suite->integ);

    switch (key) {
    case KEY_D:
    case KEY_PI:
    case KEY_PR: return prf == NULL ? 0 : prf->key_size;
    case KEY_AI:
    case KEY_AR: return integ == NULL ? 0 : integ->key_size;
    case KEY_EI:
    case KEY_ER: return encr == NULL ? 0 : encr->key_size;
    case KEY_COUNT: break;
    }
    return 0;
}

size_t ike_keys_size(const struct suite *suite, enum ike_key end)
{
    size_t size = 0;

    for (enum ike_key key = 0; key < end; key++)
        size += key_size(suite, key);
    return size;
}

struct slice ike_sa_key(const struct ike_sa *sa, enum ike_key wanted)
{
    struct reader reader = reader_of(secret_slice(&sa->keys));

    reader_skip(&reader, ike_keys_size(&sa->suite, wanted));
    return reader_bytes(&reader, key_size(&sa->suite, wanted));
}

bool ike_sa_same_identity(const struct ike_sa *a, const struct ike_sa *b)
{
    return a->remote_id_type == b->remote_id_type &&
           slice_equal(buffer_slice(&a->remote_id), buffer_slice(&b->remote_id));
}

struct identity ike_sa_remote_id(const struct ike_sa *sa)
{
    return identity_of(sa->remote_id_type, buffer_slice(&sa->remote_id));
}

void ike_sa_timer(struct context *context, struct timer *timer, uint64_t due_ms)
{
    if (!heap_set(context->timers, &timer->node, due_ms))
        count(context, COUNTER_FAILURES);
}

void ike_sa_timer_stop(struct context *context, struct timer *timer)
{
    heap_remove(context->timers, &timer->node);
}

void step_begin(struct ike_sa *sa, struct step *step)
{
    *step = (struct step){.number = ++sa->steps, .status = STATUS_OK};
}

struct effect *step_effect(struct context *context, struct ike_sa *sa, struct step *step,
                           enum effect_kind kind)
{
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = step->number};
    struct effect *effect = effect_append(context->effects, kind, ticket);

    if (effect == NULL) {
        step->status = STATUS_FAIL;
        count(context, COUNTER_FAILURES);
        return NULL;
    }
    step->awaited++;
    return effect;
}

enum status step_fault(const struct context *context, struct reason *reason)
{
    return reason_set(reason, STATUS_FAIL, 0, "%s", effect_fault(context->effects));
}

void ike_sa_step(struct ike_sa *sa, enum ike_state state)
{
    sa->state = (uint8_t)state;
    step_begin(sa, &sa->handshake->step);
}

void report(struct context *context, const struct ike_sa *sa, enum severity severity,
            const char *event, const char *format, ...)
{
    if (severity == SEVERITY_DEBUG && !context->debug)
        return;
    struct effect *effect = effect_append(context->effects, EFFECT_REPORT, (struct ticket){0});
    if (effect == NULL)
        return;
    effect->report.severity = severity;
    effect->report.event = event;
    if (sa != NULL) {
        if (sa->connection != NULL)
            memcpy(effect->report.connection.text, sa->connection->name,
                   sizeof(effect->report.connection.text));
        effect->report.remote = sa->remote;
        effect->report.ike_spi_i = sa->spi_i;
        effect->report.ike_spi_r = sa->spi_r;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(effect->report.text, sizeof(effect->report.text), format, arguments);
    va_end(arguments);
}
