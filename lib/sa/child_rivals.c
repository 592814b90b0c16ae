/*
 * Whose traffic a child would take: see child_rivals.h.
 */
#include "lib/sa/child_rivals.h"

#include <string.h>

#include "lib/policy/narrow.h"
#include "lib/policy/overlap.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"

#define CUTS_MAX 64 /* what needs more is refused */

/* Whose some traffic is. */
struct rival {
    const struct child_config *config;
    const struct child_sa *child; /* who has it in hand; NULL: it is configured for it */
    struct selector local;
    struct selector remote;
};

/* One whose connection is configured no more goes, and its policies with it.  What is deleted, but
 * still receives, stands only in another connection's way: its policies are not ours to replace. */
static bool is_others(const struct context *context, const struct ike_sa *sa,
                      const struct child_config *config, const struct child_sa *other)
{
    const struct connection *connection = other->config->connection;

    if (connection != config->connection)
        return config_find(context->config, connection->name) != NULL;
    return !child_is_gone(other) && other->owner != sa && !ike_sa_same_identity(other->owner, sa);
}

/* Is anything that this child protects taken? */
static bool takes_held(const struct asked *asked, const struct child_sa *child, struct rival *rival)
{
    for (size_t i = 0; i < child->local_count; i++)
        for (size_t j = 0; j < child->remote_count; j++) {
            const struct selector *local = &child->local_selectors[i];
            const struct selector *remote = &child->remote_selectors[j];
            struct traffic traffic = {child->config, local, remote};
            if (!asked_takes(asked, &traffic, true))
                continue;
            *rival = (struct rival){child->config, child, *local, *remote};
            return true;
        }
    return false;
}

/* What is just as configured needs no policy of its own, so it takes nothing. */
static bool needs_none(const struct asked *asked)
{
    return asked->as_configured && asked->traffic.child->connection->remote.family != FAMILY_NONE;
}

/* What this peer has in this child already it keeps, whatever was configured since: at a rekeying,
 * and when it comes anew before it has lost the old one. */
static void allow_in_hand(const struct context *context, const struct ike_sa *sa,
                          struct asked *asked)
{
    const struct selector *remote = asked->traffic.remote;
    const struct child_sa *child = NULL;

    while ((child = sa_table_next_claim(context->sas, remote, child)) != NULL) {
        if (child->config != asked->traffic.child || child_is_gone(child) ||
            (child->owner != sa && !ike_sa_same_identity(child->owner, sa)))
            continue;
        for (size_t i = 0; i < child->local_count; i++)
            for (size_t j = 0; j < child->remote_count; j++)
                asked_allow(asked, &child->local_selectors[i], &child->remote_selectors[j]);
    }
}

static bool find_rival(const struct context *context, const struct ike_sa *sa,
                       const struct traffic *traffic, struct rival *rival)
{
    struct asked asked;
    const struct child_sa *other = NULL;

    if (!asked_set(&asked, traffic) || needs_none(&asked))
        return false;
    allow_in_hand(context, sa, &asked);
    const struct configured_pair *pair = asked_configured(&asked, context->config);
    if (pair != NULL) {
        *rival = (struct rival){pair->child, NULL, pair->pair.local, pair->pair.remote};
        return true;
    }
    while ((other = sa_table_next_claim(context->sas, traffic->remote, other)) != NULL)
        if (is_others(context, sa, traffic->child, other) && takes_held(&asked, other, rival))
            return true;
    return false;
}

/* Two hosts in transport mode that have the NAT's address here (RFC 7296 section 2.23.1). */
static bool behind_one_nat(const struct ike_sa *sa, const struct child_sa *other)
{
    return sa->nat_there && other->mode == CHILD_TRANSPORT &&
           address_same_host(&other->owner->remote, &sa->remote);
}

static enum status refuse_nat_rival(const struct ike_sa *sa, const struct child_config *config,
                                    const char *id, struct reason *reason)
{
    char address[ADDRESS_TEXT_MAX];

    return reason_set(reason, STATUS_REJECT, 0,
                      "child %s: %.100s, behind the same NAT at %s, has this traffic already; "
                      "expected other ports, or tunnel mode",
                      config->name, id, address_text(&sa->remote, address));
}

static void name_rival(const struct ike_sa *sa, const struct child_config *config,
                       const struct rival *rival, struct reason *reason)
{
    const struct child_config *other = rival->config;
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];
    char id[IDENTITY_MAX] = "nobody";

    selector_text(&rival->local, local);
    selector_text(&rival->remote, remote);
    if (rival->child == NULL) {
        reason_set(
            reason, STATUS_REJECT, 0,
            "child %s: child %s of connection %s is configured for %.60s === %.60s; expected "
            "other selectors",
            config->name, other->name, other->connection->name, local, remote);
        return;
    }
    struct identity holder = ike_sa_remote_id(rival->child->owner);
    identity_text(&holder, id, sizeof(id));
    if (behind_one_nat(sa, rival->child))
        refuse_nat_rival(sa, config, id, reason);
    else
        reason_set(reason, STATUS_REJECT, 0,
                   "child %s: child %s of connection %s, with %.60s, has %.60s === %.60s already",
                   config->name, other->name, other->connection->name, id, local, remote);
}

/* Takes `what` out of one item; what does not fit any more is left out, too. */
static size_t take_out(struct selector *list, size_t count, size_t at, const struct selector *what)
{
    struct selector all[CONFIG_SELECTORS_MAX + 4];
    struct selector rest[4];
    size_t rest_count = selector_without(&list[at], what, rest);
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        if (i != at)
            all[total++] = list[i];
        for (size_t k = 0; i == at && k < rest_count; k++)
            all[total++] = rest[k];
    }
    if (total > CONFIG_SELECTORS_MAX)
        total = CONFIG_SELECTORS_MAX;
    /* cppcheck-suppress uninitvar */
    memcpy(list, all, total * sizeof(all[0]));
    return total;
}

/* On the peer's side, or where nothing would be left of that, on ours: true. */
static bool cut(struct narrowed *left, size_t i, size_t j, const struct rival *rival)
{
    struct selector rest[4];

    if (left->remote_count > 1 || selector_without(&left->remote[j], &rival->remote, rest) > 0) {
        left->remote_count = take_out(left->remote, left->remote_count, j, &rival->remote);
        return false;
    }
    left->local_count = take_out(left->local, left->local_count, i, &rival->local);
    return true;
}

/* The first pair with one of the peer's selectors that would take something of another's. */
static bool first_rival(const struct context *context, const struct ike_sa *sa,
                        const struct child_config *config, const struct narrowed *left, size_t *i,
                        size_t j, struct rival *rival)
{
    for (*i = 0; *i < left->local_count; (*i)++) {
        struct traffic traffic = {config, &left->local[*i], &left->remote[j]};
        if (find_rival(context, sa, &traffic, rival))
            return true;
    }
    return false;
}

/* One of the peer's selectors after the other: those before are not looked at again, since ours
 * stay as they are while the peer has more than one.  Whoever asks need not be authenticated
 * yet. */
bool child_cut(const struct context *context, const struct ike_sa *sa,
               const struct child_config *config, struct narrowed *left, struct reason *reason)
{
    struct rival rival;
    size_t cuts = 0;
    size_t i;
    size_t j = 0;

    while (j < left->remote_count) {
        if (!first_rival(context, sa, config, left, &i, j, &rival)) {
            j++;
            continue;
        }
        name_rival(sa, config, &rival, reason);
        if (cuts++ == CUTS_MAX)
            return false;
        if (cut(left, i, j, &rival))
            j = 0;
    }
    return left->local_count > 0 && left->remote_count > 0;
}

static bool overlap(const struct child_sa *a, const struct child_sa *b)
{
    const struct selector *a_remote = a->remote_selectors;
    const struct selector *b_remote = b->remote_selectors;
    struct selector unused;
    bool local = false;
    bool remote = false;

    for (size_t i = 0; i < a->local_count; i++)
        for (size_t j = 0; j < b->local_count; j++)
            local = local ||
                    selector_intersect(&a->local_selectors[i], &b->local_selectors[j], &unused);
    for (size_t i = 0; i < a->remote_count; i++)
        for (size_t j = 0; j < b->remote_count; j++)
            remote = remote || selector_intersect(&a_remote[i], &b_remote[j], &unused);
    return local && remote;
}

/* With another peer whose address here is the same? */
static bool is_nat_rival(const struct child_sa *other, const struct ike_sa *sa)
{
    const struct ike_sa *owner = other->owner;

    return other->mode == CHILD_TRANSPORT && !child_is_gone(other) &&
           address_same_host(&owner->remote, &sa->remote) && !ike_sa_same_identity(owner, sa);
}

/* Another peer behind the same NAT, with a transport mode child whose selectors overlap: here both
 * would be one host, and the later one would get the packets of the earlier. */
static enum status check_nat_rivals(const struct context *context, const struct ike_sa *sa,
                                    const struct child_sa *child, struct reason *reason)
{
    const struct child_sa *other = NULL;
    char id[128];

    if (child->mode != CHILD_TRANSPORT || !sa->nat_there)
        return STATUS_OK;
    while ((other = sa_table_next_claim(context->sas, child->remote_selectors, other)) != NULL) {
        if (!is_nat_rival(other, sa) || !overlap(other, child))
            continue;
        struct identity other_id = ike_sa_remote_id(other->owner);
        return refuse_nat_rival(sa, child->config, identity_text(&other_id, id, sizeof(id)),
                                reason);
    }
    return STATUS_OK;
}

enum status child_check_rivals(const struct context *context, const struct ike_sa *sa,
                               const struct child_sa *child, struct reason *reason)
{
    struct rival rival;
    enum status status = check_nat_rivals(context, sa, child, reason);

    for (size_t i = 0; status == STATUS_OK && i < child->local_count; i++)
        for (size_t j = 0; status == STATUS_OK && j < child->remote_count; j++) {
            struct traffic traffic = {child->config, &child->local_selectors[i],
                                      &child->remote_selectors[j]};
            if (!find_rival(context, sa, &traffic, &rival))
                continue;
            name_rival(sa, child->config, &rival, reason);
            status = STATUS_REJECT;
        }
    return status;
}
