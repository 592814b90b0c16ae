/*
 * Looking into an engine: see probe.h.
 */
#include "test/common/probe.h"

#include <stdlib.h>

#include "lib/engine/private.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/reassembly.h"
#include "lib/policy/narrow.h"

static const uint8_t probe_key[16] = "probe";

static uint64_t bytes_digest(const struct buffer *buffer)
{
    return hash_keyed(probe_key, buffer_slice(buffer));
}

/* What is there of a message, and what it costs. */
static uint64_t parts_digest(const struct heap *timers, const struct reassembly *parts)
{
    if (parts == NULL)
        return 0;
    uint64_t of[] = {parts->message_id, parts->total, parts->here, parts->charged,
                     heap_due_ms(timers, &parts->timer.timer.node)};
    return hash_keyed(probe_key, slice_of(of, sizeof(of)));
}

static uint64_t request_digest(const struct heap *timers, const struct request *request)
{
    if (request == NULL)
        return 0;
    uint64_t of[] = {request->tries, heap_due_ms(timers, &request->retransmit.timer.node),
                     bytes_digest(&request->octets)};
    return hash_keyed(probe_key, slice_of(of, sizeof(of)));
}

static uint64_t sa_digest(const struct heap *timers, const struct ike_sa *sa)
{
    const struct child_sa *child;
    uint64_t parts[] = {
        sa->number,
        sa->spi_i,
        sa->spi_r,
        sa->half_open,
        sa->delete_asked,
        sa->state,
        ikev2_of(sa)->own != NULL,
        ikev2_of(sa)->theirs != NULL,
        sa->steps,
        ikev2_of(sa)->next_request,
        ikev2_of(sa)->expected,
        ikev2_of(sa)->request_digest,
        sa->remote.port,
        sa->established_ms,
        heap_due_ms(timers, &sa->expire.node),
        request_digest(timers, ikev2_of(sa)->request),
        bytes_digest(&ikev2_of(sa)->reply),
        ikev2_of(sa)->datagram_max,
        parts_digest(timers, ikev2_of(sa)->parts[0]),
        parts_digest(timers, ikev2_of(sa)->parts[1]),
        bytes_digest(&sa->remote_id),
        hash_keyed(probe_key, secret_slice(&sa->keys)),
        hash_keyed(probe_key, address_bytes(&sa->remote)),
    };
    uint64_t digest = hash_keyed(probe_key, slice_of(parts, sizeof(parts)));

    TAILQ_FOREACH (child, &sa->children, entry) {
        uint64_t child_parts[] = {digest, child->number, child_main(child)->spi_in,
                                  child_main(child)->spi_out, child->reqid};
        digest = hash_keyed(probe_key, slice_of(child_parts, sizeof(child_parts)));
    }
    return digest;
}

struct probe probe_take(const struct engine *engine)
{
    struct probe probe = {.items = calloc(engine->sas.count + 1, sizeof(*probe.items))};
    const struct ike_sa *sa;

    if (probe.items == NULL)
        abort();
    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        if (sa->keys.size > 0)
            probe.items[probe.count++] =
                (struct probe_item){.number = sa->number, .digest = sa_digest(&engine->timers, sa)};
    return probe;
}

void probe_free(struct probe *probe)
{
    free(probe->items);
}

/* Both stand in the order of their numbers. */
bool probe_kept(const struct probe *probe, const struct engine *engine)
{
    const struct ike_sa *sa = TAILQ_FIRST(&engine->sas.all);

    for (size_t i = 0; i < probe->count; i++) {
        while (sa != NULL && sa->number < probe->items[i].number)
            sa = TAILQ_NEXT(sa, entry);
        if (sa == NULL || sa->number != probe->items[i].number ||
            sa_digest(&engine->timers, sa) != probe->items[i].digest)
            return false;
    }
    return true;
}

struct ike_sa *probe_find(const struct engine *engine, uint64_t spi_i, uint64_t spi_r)
{
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        if (sa->spi_i == spi_i && (sa->spi_r == spi_r || ike_sa_own_spi(sa) == spi_i))
            return sa;
    return NULL;
}

struct ike_sa *probe_first(const struct engine *engine)
{
    return TAILQ_FIRST(&engine->sas.all);
}

struct ike_sa *probe_newest(const struct engine *engine)
{
    return TAILQ_LAST(&engine->sas.all, ike_sa_list);
}

void probe_rekey_ike(struct engine *engine, uint64_t now_ms)
{
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &engine->sas.all, entry) {
        if (sa->state != IKE_ESTABLISHED || sa->inherited)
            continue;
        sa->rekey_due = true;
        ike_sa_timer(&engine->context, &sa->later, now_ms);
        engine_expire(engine, now_ms);
        return;
    }
}

size_t probe_established(const struct engine *engine)
{
    const struct ike_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        count += sa->state == IKE_ESTABLISHED && !sa->delete_asked;
    return count;
}

static bool is_restless(const struct ike_sa *sa)
{
    const struct child_sa *child;

    if (sa->state != IKE_ESTABLISHED || ikev2_of(sa)->own != NULL || ikev2_of(sa)->theirs != NULL ||
        sa->inherited || ikev2_of(sa)->request != NULL || !TAILQ_EMPTY(&sa->gone))
        return true;
    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->held != NULL || child->delete_due || child->replaced)
            return true;
    return false;
}

size_t probe_restless(const struct engine *engine)
{
    const struct ike_sa *sa;
    size_t restless = 0;

    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        restless += is_restless(sa);
    return restless;
}

static bool claims(const struct child_sa *child, const struct selector *local,
                   const struct selector *remote)
{
    return !child_is_gone(child) &&
           selectors_within(child->local_selectors, child->local_count, local, 1) &&
           selectors_within(child->remote_selectors, child->remote_count, remote, 1);
}

const struct child_sa *probe_claim(const struct engine *engine, const struct selector *local,
                                   const struct selector *remote, const struct child_sa *after)
{
    const struct child_sa *child = after;

    while ((child = sa_table_next_claim(&engine->sas, remote, child)) != NULL)
        if (claims(child, local, remote))
            return child;
    return NULL;
}
