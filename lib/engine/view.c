/*
 * Looking in: what `show` says of connections, SAs and counters.  Changes nothing.
 */
#include "lib/engine/coverage.h"
#include "lib/engine/pair.h"
#include "lib/engine/private.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

#define CHILDREN_SHOWN_MAX CONFIG_CHILDREN_MAX

const struct config *engine_config(const struct engine *engine)
{
    return engine->config;
}

size_t engine_sa_count(const struct engine *engine)
{
    return engine->sas.count;
}

size_t engine_half_open_count(const struct engine *engine)
{
    return engine->sas.half_open;
}

/* Is anything of what is configured not in what was agreed on?  A side that is empty in the
 * configuration is the peer's own address, whatever that is. */
static bool side_is_narrowed(const struct selector *configured, size_t configured_count,
                             const struct selector *agreed, size_t agreed_count)
{
    for (size_t i = 0; i < configured_count; i++) {
        bool covered = false;
        for (size_t j = 0; j < agreed_count && !covered; j++)
            covered = selector_contains(&agreed[j], &configured[i]);
        if (!covered)
            return true;
    }
    return false;
}

static void view_child(struct child_view *view, const struct child_sa *child, uint64_t now_ms)
{
    const struct child_transform *transform = child_main(child);

    *view = (struct child_view){
        .name = child->config->name,
        .number = child->number,
        .spi_in = transform->spi_in,
        .spi_out = transform->spi_out,
        .reqid = child->reqid,
        .protocol = transform->protocol,
        .mode = child->mode,
        .suite = transform->suite,
        .local = child->local_selectors,
        .local_count = child->local_count,
        .remote = child->remote_selectors,
        .remote_count = child->remote_count,
        .config = child->config,
        .age_ms = now_ms - child->created_ms,
    };
    view->narrowed = !pairs_are_covered(child->owner, child->config) &&
                     (side_is_narrowed(child->config->local, child->config->local_count,
                                       view->local, view->local_count) ||
                      side_is_narrowed(child->config->remote, child->config->remote_count,
                                       view->remote, view->remote_count));
}

/* It is asked, and has not answered at once. */
static uint64_t silent_ms(const struct ike_sa *sa, uint64_t now_ms)
{
    struct protocol_view view;

    sa->protocol->view(sa, &view);
    return sa->state == IKE_ESTABLISHED && view.tries > 0 ? now_ms - sa->heard_ms : 0;
}

void engine_visit_sas(const struct engine *engine, uint64_t now_ms,
                      void (*visit)(void *context, const struct sa_view *view), void *context)
{
    const struct ike_sa *sa;
    const struct child_sa *child;

    TAILQ_FOREACH (sa, &engine->sas.all, entry) {
        struct child_view children[CHILDREN_SHOWN_MAX];
        char local_id[2 * IDENTITY_MAX] = "";
        char remote_id[2 * IDENTITY_MAX] = "";
        struct protocol_view exchanges;
        sa->protocol->view(sa, &exchanges);
        struct sa_view view = {
            .number = sa->number,
            .spi_i = sa->spi_i,
            .spi_r = sa->spi_r,
            .initiator = sa->initiator,
            .connection = sa->half_open ? "" : sa->connection->name,
            .state = ike_state_name(sa->state),
            .local = sa->local,
            .remote = sa->remote,
            .local_id = local_id,
            .remote_id = remote_id,
            .suite = sa->suite,
            .age_ms = now_ms - sa->created_ms,
            .established_ms = sa->established_ms == 0 ? 0 : now_ms - sa->established_ms,
            .heard_ms = now_ms - sa->heard_ms,
            .silent_ms = silent_ms(sa, now_ms),
            .nat_local = sa->nat_here,
            .nat_remote = sa->nat_there,
            .encap = sa->encap,
            .mobike = exchanges.mobike,
            .fragmentation = exchanges.fragmentation,
            .children = children,
        };
        if (sa->remote_id.size > 0) {
            struct identity remote = ike_sa_remote_id(sa);
            identity_text(sa->connection->local_id, local_id, sizeof(local_id));
            identity_text(&remote, remote_id, sizeof(remote_id));
        }
        TAILQ_FOREACH (child, &sa->children, entry)
            if (view.child_count < CHILDREN_SHOWN_MAX && !child->undone)
                view_child(&children[view.child_count++], child, now_ms);
        visit(context, &view);
    }
}

static const char *link_state(const struct link *link, size_t sa_count)
{
    const struct ike_sa *sa;
    bool lone = false;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        lone = lone || (sa->lone && sa->state == IKE_ESTABLISHED && !sa->delete_asked);
    if (link_is_whole(link))
        return "up";
    if (lone && link_covered(link) == 0 && !link_is_at_work(link))
        return "childless";
    return sa_count > 0 ? "connecting" : dial_is_resolving(link) ? "resolving" : "down";
}

static size_t link_sa_count(const struct link *link)
{
    const struct ike_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        count += sa->state != IKE_REFUSED;
    return count;
}

static uint64_t link_silent_ms(const struct link *link, uint64_t now_ms)
{
    const struct ike_sa *sa;
    uint64_t longest = 0;

    TAILQ_FOREACH (sa, &link->sas, of_link) {
        uint64_t silent = silent_ms(sa, now_ms);
        longest = silent > longest ? silent : longest;
    }
    return longest;
}

size_t engine_sa_count_of(const struct engine *engine, const char *connection)
{
    const struct link *link = link_find(engine, connection);

    return link != NULL ? link_sa_count(link) : 0;
}

void engine_visit_connections(const struct engine *engine, uint64_t now_ms,
                              void (*visit)(void *context, const struct connection_view *view),
                              void *context)
{
    const struct link *link;

    TAILQ_FOREACH (link, &engine->links, entry) {
        char uncovered[REASON_TEXT_MAX];
        struct connection_view view = {
            .connection = link->connection,
            .uncovered = pair_text(link, uncovered, sizeof(uncovered)),
            .last_error = link->last_error == NULL ? "" : link->last_error,
            .last_error_age_ms = link->last_error == NULL ? 0 : now_ms - link->last_error_ms,
            .silent_ms = link_silent_ms(link, now_ms),
            .sa_count = link_sa_count(link),
        };
        view.state = link_state(link, view.sa_count);
        visit(context, &view);
    }
}

const char *engine_counter(const struct engine *engine, size_t i, uint64_t *value)
{
    static const char *const names[COUNTER_COUNT] = {
#define COUNTER_NAME(name, text) text,
        COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };

    if (i >= COUNTER_COUNT)
        return NULL;
    *value = engine->context.counters[i];
    return names[i];
}
