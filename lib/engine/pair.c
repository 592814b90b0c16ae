/*
 * Several children of one configured, each for a part of its traffic, because the peer takes no
 * more in one: RFC 7296 section 2.9.
 *
 *   a child as configured         -->
 *                                 <--  narrowed: some pairs of networks are left out
 *   traffic of another pair: a child with just that
 *                                 -->
 *   or                            <--  SINGLE_PAIR_REQUIRED: a child with one pair, at once
 *
 * A pair that the peer refuses is not asked for again at once, and is told by `show`.
 */
#include "lib/engine/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/policy/choose.h"
#include "lib/policy/narrow.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/event.h"
#include "lib/sa/ike_sa.h"

#define REFUSED_MAX       16 /* pairs of one connection that are remembered */
#define REFUSED_FIRST_MS  10000
#define REFUSED_DOUBLINGS 6

/* The i-th pair of configured selectors; false past the last. */
static bool nth_pair(const struct ike_sa *sa, const struct child_config *config, size_t i,
                     struct selector *local, struct selector *remote)
{
    const struct selector *remotes;
    struct selector own;
    size_t remote_count = child_allowed_remote(sa, config, &own, &remotes);

    if (i >= config->local_count * remote_count)
        return false;
    *local = config->local[i / remote_count];
    *remote = remotes[i % remote_count];
    return local->family == remote->family || nth_pair(sa, config, i + 1, local, remote);
}

/* Is all of the pair covered by one child, or only some of it by any? */
static bool pair_is_covered(const struct ike_sa *sa, const struct child_config *config,
                            const struct selector *local, const struct selector *remote, bool all)
{
    const struct child_sa *child;
    struct selector unused;

    TAILQ_FOREACH (child, &sa->children, entry) {
        if (child->config != config || child->undone)
            continue;
        if (all && selectors_cover(child->local_selectors, child->local_count, local, 1) &&
            selectors_cover(child->remote_selectors, child->remote_count, remote, 1))
            return true;
        for (size_t i = 0; !all && i < child->local_count; i++)
            for (size_t j = 0; j < child->remote_count; j++)
                if (selector_intersect(&child->local_selectors[i], local, &unused) &&
                    selector_intersect(&child->remote_selectors[j], remote, &unused))
                    return true;
    }
    return false;
}

bool pairs_are_covered(const struct ike_sa *sa, const struct child_config *config)
{
    struct selector local;
    struct selector remote;

    for (size_t i = 0; nth_pair(sa, config, i, &local, &remote); i++)
        if (!pair_is_covered(sa, config, &local, &remote, true))
            return false;
    return true;
}

/* The pair that holds the packet; false: none does. */
static bool find_pair(const struct ike_sa *sa, struct packet *packet)
{
    for (size_t i = 0; nth_pair(sa, packet->config, i, &packet->pair_local, &packet->pair_remote);
         i++)
        if (selector_contains(&packet->pair_local, &packet->local) &&
            selector_contains(&packet->pair_remote, &packet->remote))
            return true;
    return false;
}

/* --- Pairs that were refused --- */

static struct selector host_of(const struct selector *packet)
{
    struct selector host = *packet;

    host.protocol = 0;
    host.port_start = 0;
    host.port_end = UINT16_MAX;
    return host;
}

/* What is refused with it: the pair, or where parts of that are taken, what goes between these two
 * hosts. */
static struct refused_pair refused_with(const struct packet *packet)
{
    return (struct refused_pair){
        .config = packet->config,
        .local = packet->silent ? packet->pair_local : host_of(&packet->local),
        .remote = packet->silent ? packet->pair_remote : host_of(&packet->remote),
    };
}

static struct refused_pair *find_refused(const struct link *link, const struct packet *packet)
{
    struct refused_pair wanted = refused_with(packet);
    struct refused_pair *refused;

    TAILQ_FOREACH (refused, &link->refused, entry)
        if (refused->config == wanted.config && selector_equal(&refused->local, &wanted.local) &&
            selector_equal(&refused->remote, &wanted.remote))
            return refused;
    return NULL;
}

static void forget(struct link *link, struct refused_pair *refused)
{
    TAILQ_REMOVE(&link->refused, refused, entry);
    free(refused);
}

void pairs_forget(struct link *link)
{
    struct refused_pair *refused;

    while ((refused = TAILQ_FIRST(&link->refused)) != NULL)
        forget(link, refused);
    link->single_pairs = 0;
}

static struct refused_pair *add_refused(struct link *link, const struct packet *packet)
{
    struct refused_pair *refused = calloc(1, sizeof(*refused));
    struct refused_pair *other;
    size_t count = 0;

    if (refused == NULL)
        return NULL;
    *refused = refused_with(packet);
    TAILQ_FOREACH (other, &link->refused, entry)
        count++;
    if (count == REFUSED_MAX)
        forget(link, TAILQ_FIRST(&link->refused));
    TAILQ_INSERT_TAIL(&link->refused, refused, entry);
    return refused;
}

void pair_refused(struct engine *engine, struct link *link, const struct packet *packet,
                  const char *why)
{
    struct refused_pair *refused = find_refused(link, packet);
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    if (refused == NULL)
        refused = add_refused(link, packet);
    if (refused == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        return;
    }
    uint32_t doublings =
        refused->failures < REFUSED_DOUBLINGS ? refused->failures : REFUSED_DOUBLINGS;
    refused->failures++;
    refused->until_ms = engine->context.now_ms + ((uint64_t)REFUSED_FIRST_MS << doublings);
    snprintf(refused->why, sizeof(refused->why), "%s", why);
    report(&engine->context, NULL, SEVERITY_WARNING, "pair-refused",
           "%s: child %s does not cover %s === %s: %s", link->connection->name,
           packet->config->name, selector_text(&refused->local, local),
           selector_text(&refused->remote, remote), why);
}

char *pair_text(const struct link *link, char *text, size_t size)
{
    const struct refused_pair *refused = TAILQ_FIRST(&link->refused);
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    if (refused == NULL)
        return NULL;
    snprintf(text, size, "child %s does not cover %s === %s%s: %s", refused->config->name,
             selector_text(&refused->local, local), selector_text(&refused->remote, remote),
             TAILQ_NEXT(refused, entry) != NULL ? " and others" : "", refused->why);
    return text;
}

bool pair_is_missing(const struct link *link, char *text, size_t size)
{
    const struct child_config *config;
    const struct ike_sa *sa;
    char texts[2][SELECTOR_TEXT_MAX];
    struct selector local;
    struct selector remote;

    TAILQ_FOREACH (config, &link->connection->children, entry) {
        if ((link->single_pairs & child_bit(config)) == 0)
            continue;
        TAILQ_FOREACH (sa, &link->sas, of_link)
            for (size_t i = 0; sa->state == IKE_ESTABLISHED && ike_sa_carries(sa, config) &&
                               nth_pair(sa, config, i, &local, &remote);
                 i++)
                if (!pair_is_covered(sa, config, &local, &remote, true)) {
                    snprintf(text, size,
                             "child %s: the peer takes one pair of networks for each child "
                             "(SINGLE_PAIR_REQUIRED): %s === %s is not up, and comes with its "
                             "traffic; better write one child for each pair",
                             config->name, selector_text(&local, texts[0]),
                             selector_text(&remote, texts[1]));
                    return true;
                }
    }
    return false;
}

/* --- Asking --- */

/* The established IKE SA that carries the child, and can take one more. */
static struct ike_sa *find_carrier(const struct link *link, const struct child_config *config)
{
    struct ike_sa *sa;

    for (const struct link *at = link; at != NULL; at = link_next_sibling(link->engine, link, at))
        TAILQ_FOREACH (sa, &at->sas, of_link)
            if (sa->state == IKE_ESTABLISHED && !sa->delete_asked && !sa->inherited &&
                !sa->superseded && ike_sa_carries(sa, config))
                return sa;
    return NULL;
}

/* The first configured pair that no child has as a whole; false: there is none. */
static bool find_uncovered(const struct link *link, const struct ike_sa *sa, struct packet *packet)
{
    for (size_t i = 0; nth_pair(sa, packet->config, i, &packet->pair_local, &packet->pair_remote);
         i++)
        if (!link_covers_packet(link, packet->config, &packet->pair_local, &packet->pair_remote))
            return true;
    return false;
}

/* One is enough: the others' packets ask again. */
static bool is_asking(const struct ike_sa *sa, const struct child_config *config)
{
    struct protocol_view view;

    sa->protocol->view(sa, &view);
    return sa->packet != NULL || view.making == config;
}

/* False: it was refused a while ago, or there are too many already. */
static bool ask_in(struct engine *engine, struct link *link, struct ike_sa *sa,
                   struct packet *packet)
{
    /* A peer that has taken a part of this very pair is to know which other one is meant. */
    packet->silent =
        !pair_is_covered(sa, packet->config, &packet->pair_local, &packet->pair_remote, false);
    const struct refused_pair *refused = find_refused(link, packet);
    if (refused != NULL && refused->until_ms > engine->context.now_ms) {
        count(&engine->context, COUNTER_ACQUIRES_IGNORED);
        return false;
    }
    if (ike_sa_child_count(sa) >= sa->connection->children_max) {
        pair_refused(engine, link, packet, "there are as many children as children_max allows");
        return false;
    }
    sa->packet = malloc(sizeof(*sa->packet));
    if (sa->packet == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        return false;
    }
    *sa->packet = *packet;
    return true;
}

void pair_ask_rest(struct engine *engine, struct link *link, const struct child_config *config)
{
    struct ike_sa *sa = find_carrier(link, config);
    struct packet packet = {.config = config, .pair = true};

    if (sa == NULL || is_asking(sa, config) || !find_uncovered(link, sa, &packet))
        return;
    packet.local = packet.pair_local;
    packet.remote = packet.pair_remote;
    if (ask_in(engine, link, sa, &packet))
        event_due(&engine->context, sa);
}

void pair_ask(struct engine *engine, struct link *link, const struct kernel_event *event,
              const struct child_config *config)
{
    struct ike_sa *sa = find_carrier(link, config);
    char texts[4][SELECTOR_TEXT_MAX];
    struct packet packet = {
        .config = config,
        .local = event->local_packet,
        .remote = event->remote_packet,
        .pair = true,
    };

    if (sa == NULL || is_asking(sa, config) || !find_pair(sa, &packet) ||
        !ask_in(engine, link, sa, &packet))
        return;
    report(&engine->context, NULL, SEVERITY_INFO, "acquire",
           "%s: traffic %s === %s is not covered by what the peer takes of %s: %s === %s is asked "
           "for",
           link->connection->name, selector_text(&packet.local, texts[0]),
           selector_text(&packet.remote, texts[1]), config->name,
           selector_text(&packet.pair_local, texts[2]),
           selector_text(&packet.pair_remote, texts[3]));
    event_due(&engine->context, sa);
}

const struct child_config *pair_task(struct engine *engine, struct ike_sa *sa)
{
    const struct packet *packet = sa->packet;

    if (packet == NULL || !packet->pair)
        return NULL;
    const struct link *link = link_of_child(engine, sa, packet->config);
    if (link == NULL || link_covers_packet(link, packet->config, &packet->local, &packet->remote)) {
        ike_sa_drop_packet(sa);
        return NULL;
    }
    return packet->config;
}

bool pair_single(struct ike_sa *sa, const struct child_config *config, const struct packet *packet)
{
    struct packet *single = calloc(1, sizeof(*single));

    if (single == NULL || config == NULL)
        return false;
    single->config = config;
    single->pair = single->silent = true;
    if (packet != NULL && packet->config == config) {
        single->local = packet->local;
        single->remote = packet->remote;
    }
    if (packet == NULL || packet->config != config || !find_pair(sa, single)) {
        if (!nth_pair(sa, config, 0, &single->pair_local, &single->pair_remote)) {
            free(single);
            return false;
        }
        single->local = single->pair_local;
        single->remote = single->pair_remote;
    }
    ike_sa_drop_packet(sa);
    sa->packet = single;
    if (sa->link != NULL && config->connection == sa->connection)
        sa->link->single_pairs |= child_bit(config);
    return true;
}

void pair_made(struct engine *engine, struct link *link, struct ike_sa *sa, struct child_sa *made,
               const struct packet *packet)
{
    struct refused_pair *refused;
    struct refused_pair *next;
    struct child_sa *other;

    for (refused = TAILQ_FIRST(&link->refused); refused != NULL; refused = next) {
        next = TAILQ_NEXT(refused, entry);
        if (refused->config == made->config &&
            pair_is_covered(sa, made->config, &refused->local, &refused->remote, true))
            forget(link, refused);
    }
    if (packet == NULL || !packet->pair || child_holds(made, &packet->local, &packet->remote) ||
        (packet->silent && selector_equal(&packet->local, &packet->pair_local)))
        return;
    pair_refused(engine, link, packet, "the peer answers with other networks");
    TAILQ_FOREACH (other, &sa->children, entry)
        if (other != made && other->config == made->config && child_covers(other, made))
            made->delete_due = true;
}
