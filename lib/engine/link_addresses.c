/*
 * Where to reach the peer of a connection that has a name or several addresses.
 *
 * A try goes through them in turn: a name is resolved anew for every try, and each of its addresses
 * is called before the next of the peer's addresses and names.  Only when all have failed has the
 * try failed, and the next one waits (link.c).
 * Not here: resolving (the keeper's resolver), which addresses are known (lib/policy/known.c).
 */
#include "lib/engine/link_addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/engine/call.h"
#include "lib/engine/coverage.h"
#include "lib/engine/private.h"
#include "lib/engine/retry.h"
#include "lib/policy/known.h"
#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

_Static_assert(CONFIG_PEERS_MAX <= 8, "dial.unknown has a bit for each");

/* --- Policies for a peer's own address --- */

/* Of children that protect traffic with the peer's own address, whichever it is. */
static void own_address_policies(struct engine *engine, const struct connection *connection,
                                 enum effect_kind kind, const struct address *remote)
{
    const struct child_config *config;
    struct child_selectors pair = {.remote = selector_host(remote), .peer = *remote};

    TAILQ_FOREACH (config, &connection->children, entry)
        for (size_t i = 0; config->remote_count == 0 && i < config->local_count; i++) {
            pair.local = config->local[i];
            configured_policy(&engine->context, kind, config, &pair);
        }
}

static bool list_has(const struct address *list, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++)
        if (address_same_host(&list[i], address))
            return true;
    return false;
}

static size_t known_copy(const struct connection *connection, struct address *to)
{
    for (size_t i = 0; i < connection->known_count; i++)
        to[i] = connection->known[i].address;
    return connection->known_count;
}

static struct places places_of(const struct link *link)
{
    struct places places = {0};
    const struct ike_sa *sa;
    const struct child_sa *child;

    TAILQ_FOREACH (sa, &link->sas, of_link) {
        places_add(&places, &sa->remote);
        TAILQ_FOREACH (child, &sa->children, entry)
            places_add(&places, &child->remote);
    }
    return places;
}

static void learn(struct engine *engine, const struct link *link, const struct answer *answer)
{
    const struct connection *connection = link->connection;
    struct places used = places_of(link);
    struct address before[CONFIG_KNOWN_MAX];
    struct address after[CONFIG_KNOWN_MAX];
    size_t before_count = known_copy(connection, before);

    config_learn(engine->config, connection, answer->addresses, answer->address_count, &used);
    size_t after_count = known_copy(connection, after);
    for (size_t i = 0; i < after_count; i++)
        if (!list_has(before, before_count, &after[i]))
            own_address_policies(engine, connection, EFFECT_INSTALL_POLICY, &after[i]);
    for (size_t i = 0; i < before_count; i++)
        if (!list_has(after, after_count, &before[i]))
            own_address_policies(engine, connection, EFFECT_REMOVE_POLICY, &before[i]);
}

/* --- Asking --- */

static void ask(struct engine *engine, struct link *link, size_t peer)
{
    struct dial *dial = link->dial;
    const struct connection *connection = link->connection;
    struct ticket ticket = {.sequence = ++engine->questions};
    struct effect *effect = effect_append(engine->context.effects, EFFECT_RESOLVE, ticket);

    if (effect == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        return;
    }
    name_of_config(&effect->resolve.connection, connection->name);
    effect->resolve.family = connection->remote.family;
    snprintf(effect->resolve.host, sizeof(effect->resolve.host), "%s",
             connection->peers[peer].name);
    dial->number = ticket.sequence;
    dial->asked = (uint8_t)peer;
    dial->waits = true;
    link_progress(engine, link, "looking up %s", connection->peers[peer].name);
}

/* So that a peer that calls is known, and traffic with its own address protected, before there is
 * anything to be called for. */
void dial_learn(struct engine *engine, struct link *link)
{
    struct dial *dial = link->dial;

    if (dial != NULL && !dial->waits && dial->unknown != 0)
        ask(engine, link, (size_t)__builtin_ctz(dial->unknown));
}

/* --- Calling --- */

static void dial_go(struct engine *engine, struct link *link);

static bool has_more(const struct link *link)
{
    const struct dial *dial = link->dial;

    return dial->target + 1 < dial->count || dial->turns + 1 < link->connection->peer_count;
}

/* The first of the children makes the IKE SA, the others come along. */
static void call(struct engine *engine, struct link *link)
{
    struct dial *dial = link->dial;
    const struct address *remote = &dial->addresses[dial->target];
    uint64_t left = dial->trying = dial->wanted;
    uint64_t replaces = dial->replaces;

    if (engine->context.closing)
        return;
    dial->wanted = 0;
    dial->replaces = 0;
    config_use(engine->config, link->connection, remote);
    for (bool first = true; left != 0; left &= left - 1, first = false) {
        const struct child_config *child = child_of_bits(link->connection, left);
        if (child != NULL && first)
            link_call(engine, link, child, remote, replaces, has_more(link));
        else if (child != NULL && !link_is_served(engine, link, child, false) &&
                 !link_join(engine, link, child) && dial->trying != 0)
            dial->wanted |= child_bit(child); /* the call of the first has failed at once */
    }
}

/* The next address that was resolved, or else the next peer; false when all have had their turn. */
static bool next(struct engine *engine, struct link *link)
{
    struct dial *dial = link->dial;

    if (dial->target + 1 < dial->count) {
        dial->target++;
        call(engine, link);
        return true;
    }
    dial->peer = (uint8_t)((dial->peer + 1) % link->connection->peer_count);
    dial->count = dial->target = 0;
    if (++dial->turns >= link->connection->peer_count) {
        dial->turns = 0;
        dial->wanted = 0;
        return false;
    }
    dial_go(engine, link);
    return true;
}

static void dial_go(struct engine *engine, struct link *link)
{
    struct dial *dial = link->dial;
    const struct peer_address *peer = &link->connection->peers[dial->peer];

    if (dial->waits)
        return; /* the answer goes on from here */
    if (peer->name != NULL) {
        ask(engine, link, dial->peer);
        return;
    }
    dial->addresses[0] = peer->address;
    dial->target = 0;
    dial->count = 1;
    call(engine, link);
}

void dial_start(struct engine *engine, struct link *link, const struct child_config *child,
                uint64_t replaces)
{
    struct dial *dial = link->dial;

    dial->wanted |= child_bit(child);
    if (replaces != 0)
        dial->replaces = replaces;
    dial_go(engine, link);
}

bool dial_failed(struct engine *engine, struct link *link, const char *why)
{
    struct dial *dial = link->dial;

    if (dial == NULL || engine->context.closing || dial->trying == 0)
        return false;
    dial->wanted |= dial->trying;
    dial->trying = 0;
    link_note(engine, link, why);
    link_progress(engine, link, "%s", why);
    return next(engine, link);
}

void dial_done(struct engine *engine, struct link *link, const struct address *remote)
{
    if (link->dial == NULL)
        return;
    config_use(engine->config, link->connection, remote);
    link->dial->trying = 0;
    link->dial->turns = 0;
}

/* --- Answers --- */

/* The address that is in use comes first, as long as the name still has it. */
static void take_targets(struct link *link, const struct answer *answer)
{
    struct dial *dial = link->dial;
    size_t start = 0;

    for (size_t i = 0; i < answer->address_count; i++)
        if (address_same_host(&answer->addresses[i], &link->connection->remote))
            start = i;
    dial->target = dial->count = 0;
    for (size_t i = 0; i < answer->address_count; i++) {
        const struct address *address = &answer->addresses[(start + i) % answer->address_count];
        if (connection_knows(link->connection, address)) /* else it was none that a peer can have */
            dial->addresses[dial->count++] = *address;
    }
}

static void unresolved(struct engine *engine, struct link *link, const char *why)
{
    struct dial *dial = link->dial;
    struct reason reason;

    reason_set(&reason, STATUS_FAIL, 0, "%s cannot be resolved: %.200s",
               link->connection->peers[dial->asked].name, why);
    report(&engine->context, NULL, SEVERITY_WARNING, "unresolved", "%s: %s", link->connection->name,
           reason.text);
    if (dial->wanted == 0 || dial->asked != dial->peer) {
        link_failed(engine, link, reason.text);
        return;
    }
    link_note(engine, link, reason.text);
    link_progress(engine, link, "%s", reason.text);
    if (!next(engine, link))
        link_failed(engine, link, reason.text);
}

void dial_answer(struct engine *engine, const struct answer *answer)
{
    struct link *link = link_find(engine, answer->connection.text);
    struct dial *dial = link == NULL ? NULL : link->dial;

    if (dial == NULL || !dial->waits || answer->ticket.sequence != dial->number) {
        count(&engine->context, COUNTER_DROP_ANSWER);
        return;
    }
    dial->waits = false;
    if (answer->status == STATUS_OK) {
        learn(engine, link, answer);
        take_targets(link, answer);
    }
    if (answer->status != STATUS_OK || dial->count == 0) {
        unresolved(engine, link,
                   answer->status == STATUS_OK ? "no address that a peer can have"
                                               : answer->reason.text);
        return;
    }
    dial->unknown &= (uint8_t) ~(1u << dial->asked);
    if (dial->wanted != 0 && dial->asked == dial->peer)
        call(engine, link);
    else if (dial->wanted != 0)
        dial_go(engine, link);
    else if (dial->unknown != 0)
        dial_learn(engine, link);
    else
        link->failures = 0;
}

/* --- Life --- */

bool dial_new(struct link *link)
{
    const struct connection *connection = link->connection;

    if (connection->peer_count == 0)
        return true;
    link->dial = calloc(1, sizeof(*link->dial));
    for (size_t i = 0; link->dial != NULL && i < connection->peer_count; i++)
        if (connection->peers[i].name != NULL)
            link->dial->unknown |= (uint8_t)(1u << i);
    return link->dial != NULL;
}

void dial_stop(struct link *link)
{
    if (link->dial != NULL)
        link->dial->wanted = link->dial->trying = 0;
}
