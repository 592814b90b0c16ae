/*
 * From one configuration to the next: see change.h.
 */
#include "lib/engine/change.h"

#include <stdlib.h>
#include <string.h>

#include "lib/engine/call.h"
#include "lib/engine/close.h"
#include "lib/engine/coverage.h"
#include "lib/engine/link.h"
#include "lib/engine/pair.h"
#include "lib/engine/private.h"
#include "lib/engine/result.h"
#include "lib/engine/retry.h"
#include "lib/engine/sibling.h"
#include "lib/policy/diff.h"
#include "lib/policy/known.h"
#include "lib/sa/child_policy.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

/* In this order no packet finds a moment without a policy: what goes loses its SAs, what comes is
 * installed (the same pair of selectors is replaced in place), and only then policies that nobody
 * wants any more are removed. */
enum phase { PHASE_DROP, PHASE_ADD, PHASE_SWEEP };

struct changes {
    struct config *before; /* NULL: none; the same as `after`: nothing changes */
    struct config *after;
    uint64_t command;
    enum phase phase;
    const struct connection *at;  /* of the one before, whose turn it is */
    const struct connection *new; /* the same of the other, when all of those were met */
    bool guests_lost;             /* SAs went that carried children of other connections */
    bool at_once;
};

static bool is_full(const struct engine *engine)
{
    return !engine->changes->at_once && effect_queue_is_busy(engine->context.effects);
}

/* What another connection protects, too, is given to it: no packet finds a gap. */
static void give_up_policies(struct engine *engine, const struct connection *before)
{
    const struct child_config *config;
    const struct child_config *holder;
    struct child_selectors pair;
    struct child_selectors other;

    TAILQ_FOREACH (config, &before->children, entry)
        for (size_t i = 0; child_pair(config, i, &pair); i++) {
            holder = config_pair_holder(engine->config, &pair.local, &pair.remote, &other);
            if (holder == NULL)
                configured_policy(&engine->context, EFFECT_REMOVE_POLICY, config, &pair);
            else if (strcmp(holder->connection->name, before->name) != 0)
                configured_policy(&engine->context, EFFECT_INSTALL_POLICY, holder, &other);
        }
}

/* A changed or removed connection: its SAs are closed, and cannot outlive their configuration, so
 * the Delete is sent once and the SA ends here. */
static void drop_sa(struct engine *engine, struct ike_sa *sa)
{
    struct changes *changes = engine->changes;
    struct protocol_view view;
    struct reason unused;

    sa->protocol->view(sa, &view);
    if (sa->state == IKE_ESTABLISHED && !view.busy)
        (void)(sa->protocol->close(&engine->context, sa, FINDING_NONE, &unused) == STATUS_OK);
    changes->guests_lost = changes->guests_lost || sa_has_guests(sa);
    TAILQ_REMOVE(&sa->link->sas, sa, of_link);
    sa->link = NULL;
    sa_end(engine, sa);
}

/* False: it is to go on later. */
static bool drop_link(struct engine *engine, struct link *link)
{
    link_answer(engine, link, COMMAND_UP, false, "the configuration has changed");
    link_answer(engine, link, COMMAND_DOWN, true, "down");
    link_rekey_failed(engine, link, "the configuration has changed");
    link_remove_orphans(engine, link);
    link->retry_until_ms = 0;
    while (!TAILQ_EMPTY(&link->sas) && !is_full(engine))
        drop_sa(engine, TAILQ_FIRST(&link->sas));
    if (!TAILQ_EMPTY(&link->sas))
        return false;
    link_free(engine, link);
    return true;
}

/* The same connection in new memory.  False: it is to go on later. */
static bool rebind_link(struct engine *engine, struct link *link, const struct connection *after)
{
    struct ike_sa *sa;
    struct ike_sa *next;

    for (sa = TAILQ_FIRST(&link->sas); sa != NULL; sa = next) {
        next = TAILQ_NEXT(sa, of_link);
        if (sa->connection == after)
            continue; /* it was met before */
        if (is_full(engine))
            return false;
        if (!sa_rebind(engine, sa, after, engine->changes->after))
            drop_sa(engine, sa);
    }
    link_drop_packet(link);
    pairs_forget(link);
    link->connection = after;
    return true;
}

/* One connection of the configuration before, in this phase.  False: it is to go on later. */
static bool change_old(struct engine *engine, const struct connection *before)
{
    const struct changes *changes = engine->changes;
    const struct connection *after = config_find(changes->after, before->name);
    bool same = after != NULL && connection_equal(before, after);
    struct link *link = changes->phase == PHASE_DROP ? link_find(engine, before->name) : NULL;

    if (link != NULL)
        return same ? rebind_link(engine, link, after) : drop_link(engine, link);
    if (changes->phase == PHASE_ADD && !same && after != NULL)
        link_add(engine, after);
    else if (changes->phase == PHASE_SWEEP && !same)
        give_up_policies(engine, before);
    return true;
}

/* One of the new configuration. */
static void change_new(struct engine *engine, const struct connection *after)
{
    const struct changes *changes = engine->changes;
    bool known = changes->before != NULL && config_find(changes->before, after->name) != NULL;

    if (changes->phase == PHASE_ADD && !known)
        link_add(engine, after);
}

static void phase_begin(struct engine *engine, enum phase phase)
{
    struct changes *changes = engine->changes;

    changes->phase = phase;
    changes->at = changes->before != NULL ? TAILQ_FIRST(&changes->before->connections) : NULL;
    changes->new = TAILQ_FIRST(&changes->after->connections);
    if (phase == PHASE_DROP)
        return;
    engine->config = changes->after;
    engine->context.config = changes->after;
}

static void finish(struct engine *engine)
{
    struct changes *changes = engine->changes;
    struct link *link;

    engine->changes = NULL;
    TAILQ_FOREACH (link, &engine->links, entry)
        if (changes->guests_lost)
            link_lost(engine, link);
    if (changes->before != changes->after)
        config_free(changes->before);
    result(engine, changes->command, true, "%zu connections", engine->config->connection_count);
    free(changes);
}

/* The next connection, or the next phase.  False: it is to go on later. */
static bool step(struct engine *engine)
{
    struct changes *changes = engine->changes;

    if (changes->at != NULL) {
        if (!change_old(engine, changes->at))
            return false;
        changes->at = TAILQ_NEXT(changes->at, entry);
    } else if (changes->new != NULL) {
        change_new(engine, changes->new);
        changes->new = TAILQ_NEXT(changes->new, entry);
    } else if (changes->phase == PHASE_SWEEP) {
        finish(engine);
    } else {
        phase_begin(engine, changes->phase + 1);
    }
    return true;
}

void changes_go_on(struct engine *engine)
{
    while (engine->changes != NULL && !is_full(engine) && step(engine))
        continue;
}

void changes_end(struct engine *engine)
{
    if (engine->changes != NULL)
        engine->changes->at_once = true;
    changes_go_on(engine);
}

void changes_begin(struct engine *engine, struct config *config, uint64_t command)
{
    changes_end(engine);
    struct config *before = engine->config;
    if (config == NULL)
        config = before;
    engine->changes = calloc(1, sizeof(*engine->changes));
    if (engine->changes == NULL) {
        count(&engine->context, COUNTER_FAILURES);
        result(engine, command, false, "out of memory");
        if (config != before)
            config_free(config);
        return;
    }
    *engine->changes = (struct changes){.before = before, .after = config, .command = command};
    if (before != NULL && config != before)
        config_inherit(config, before);
    phase_begin(engine, PHASE_DROP);
    changes_go_on(engine);
}

void changes_free(struct engine *engine)
{
    struct changes *changes = engine->changes;

    if (changes == NULL)
        return;
    if (changes->before != changes->after)
        config_free(engine->config == changes->after ? changes->before : changes->after);
    free(changes);
    engine->changes = NULL;
}
