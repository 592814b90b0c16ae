/*
 * What a link has: see coverage.h.
 */
#include "lib/engine/coverage.h"

#include <string.h>

#include "lib/policy/narrow.h"

static uint64_t name_key(const struct engine *engine, const char *name)
{
    return hash_keyed(engine->sas.hash_key, slice_text(name));
}

uint64_t link_key(const void *engine, const struct hash_node *node)
{
    return name_key(engine, HASH_OWNER(node, const struct link, by_name)->connection->name);
}

struct link *link_find(const struct engine *engine, const char *name)
{
    struct hash_node *node = hash_first(&engine->links_by_name, name_key(engine, name));

    for (; node != NULL; node = hash_next(node)) {
        struct link *link = HASH_OWNER(node, struct link, by_name);
        if (strcmp(link->connection->name, name) == 0)
            return link;
    }
    return NULL;
}

struct link *link_next_sibling(const struct engine *engine, const struct link *link,
                               const struct link *at)
{
    const struct connection *connection = at->connection->next_of_pair;

    for (; connection != link->connection && connection != at->connection;
         connection = connection->next_of_pair) {
        struct link *next = link_find(engine, connection->name);
        if (next != NULL && next->connection == connection)
            return next;
    }
    return NULL;
}

struct link *link_of_child(const struct engine *engine, const struct ike_sa *sa,
                           const struct child_config *config)
{
    if (config->connection == sa->connection)
        return sa->link;
    return link_find(engine, config->connection->name);
}

void link_adopt(struct engine *engine, struct ike_sa *sa)
{
    struct link *link = link_find(engine, sa->connection->name);

    if (sa->link == link)
        return;
    if (sa->link != NULL)
        TAILQ_REMOVE(&sa->link->sas, sa, of_link);
    if (link != NULL)
        TAILQ_INSERT_TAIL(&link->sas, sa, of_link);
    sa->link = link;
}

/* --- What stands --- */

bool link_covers(const struct link *link, const struct child_config *config)
{
    const struct ike_sa *sa;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link)
            if (sa->state == IKE_ESTABLISHED && !sa->delete_asked && ike_sa_carries(sa, config))
                return true;
    return false;
}

size_t link_covered(const struct link *link)
{
    const struct child_config *config;
    size_t covered = 0;

    TAILQ_FOREACH (config, &link->connection->children, entry)
        covered += link_covers(link, config);
    return covered;
}

bool link_is_whole(const struct link *link)
{
    return link_covered(link) == link->connection->child_count;
}

bool child_holds(const struct child_sa *child, const struct selector *local,
                 const struct selector *remote)
{
    return !child->undone && !child->expired &&
           selectors_within(child->local_selectors, child->local_count, local, 1) &&
           selectors_within(child->remote_selectors, child->remote_count, remote, 1);
}

bool link_covers_packet(const struct link *link, const struct child_config *config,
                        const struct selector *local, const struct selector *remote)
{
    const struct ike_sa *sa;
    const struct child_sa *child;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link) {
            if (sa->state != IKE_ESTABLISHED || sa->delete_asked)
                continue;
            TAILQ_FOREACH (child, &sa->children, entry)
                if (child->config == config && child_holds(child, local, remote))
                    return true;
        }
    return false;
}

bool sa_has_guests(const struct ike_sa *sa)
{
    const struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child_is_guest(sa, child))
            return true;
    return false;
}

bool link_restarts(const struct link *link, const struct child_config *config)
{
    return (link->lost_children & child_bit(config)) != 0 && !link_covers(link, config);
}

/* --- What is under way --- */

bool dial_is_resolving(const struct link *link)
{
    return link->dial != NULL && link->dial->waits;
}

bool dial_has_unknown(const struct link *link)
{
    return link->dial != NULL && link->dial->unknown != 0;
}

static bool is_at_work(const struct ike_sa *sa)
{
    struct protocol_view view;

    if (sa->handshake != NULL || sa->inherited)
        return true;
    sa->protocol->view(sa, &view);
    return view.ours || view.theirs ||
           ((sa->wanted_children != 0 || sa->packet != NULL) && sa->state == IKE_ESTABLISHED);
}

bool link_is_at_work(const struct link *link)
{
    const struct ike_sa *sa;

    TAILQ_FOREACH (sa, &link->sas, of_link)
        if (is_at_work(sa))
            return true;
    return dial_is_resolving(link);
}

/* Is it yet to be seen whether what stands is there? */
bool link_is_looked_at(const struct link *link)
{
    const struct ike_sa *sa;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link)
            if (sa->state == IKE_ESTABLISHED && !sa->delete_asked &&
                (sa->look_kernel || sa->look_peer))
                return true;
    return false;
}

bool link_rekey_is_due(const struct engine *engine, const struct link *link)
{
    const struct ike_sa *sa;
    const struct child_sa *child;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link) {
            if (sa->rekey_due && at == link)
                return true;
            TAILQ_FOREACH (child, &sa->children, entry)
                if (child->rekey_due && !child->replaced &&
                    child->leaves_ms <= engine->context.now_ms &&
                    child->config->connection == link->connection)
                    return true;
        }
    return false;
}
