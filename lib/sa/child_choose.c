/*
 * Which configured child a peer means: see child_choose.h.
 */
#include "lib/sa/child_choose.h"

#include "lib/policy/choose.h"
#include "lib/policy/match.h"
#include "lib/policy/narrow.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/child_rivals.h"
#include "lib/sa/ike_sa.h"

/* RFC 7296 section 2.9: where the first selectors, which may be those of a packet, are allowed,
 * they must be in the answer. */
static bool has_first(const struct narrowed *left, const struct selector_offer *offer)
{
    return selectors_within(left->local, left->local_count, offer->local, 1) &&
           selectors_within(left->remote, left->remote_count, offer->remote, 1);
}

/* How well what is left suits: all of what is offered and all that is configured before one of
 * the two before a mere intersection; the initiator's first choice goes before that, and the mode
 * before all. */
static unsigned fitness(const struct ike_sa *sa, const struct child_config *config,
                        const struct selector_offer *offer, const struct narrowed *left)
{
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);
    bool all_configured =
        selectors_within(left->local, left->local_count, config->local, config->local_count) &&
        selectors_within(left->remote, left->remote_count, allowed, allowed_count);
    bool all_offered =
        selectors_within(left->local, left->local_count, offer->local, offer->local_count) &&
        selectors_within(left->remote, left->remote_count, offer->remote, offer->remote_count);
    bool same_mode = (config->mode == CHILD_TRANSPORT) == offer->transport;

    return 1u + (all_configured ? 1u : 0u) + (all_offered ? 1u : 0u) +
           (has_first(left, offer) ? 4u : 0u) + (same_mode ? 8u : 0u);
}

/* *rival is set when traffic that suits belongs to somebody else. */
static void consider(const struct context *context, const struct ike_sa *sa,
                     const struct child_config *config, const struct selector_offer *offer,
                     struct candidate *best, struct reason *rival)
{
    struct candidate candidate = {.config = config};
    struct narrowed *left = &candidate.left;
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);

    left->local_count = narrow_selectors(config->local, config->local_count, offer->local,
                                         offer->local_count, left->local);
    left->remote_count =
        narrow_selectors(allowed, allowed_count, offer->remote, offer->remote_count, left->remote);
    if (left->local_count == 0 || left->remote_count == 0 ||
        !child_cut(context, sa, config, left, rival))
        return;
    candidate.fitness = fitness(sa, config, offer, left);
    if (candidate.fitness > best->fitness)
        *best = candidate;
}

/* May a child of this connection be made in the IKE SA?  It is of the same pair of identities, but
 * not always of the same version. */
static bool is_open_to(const struct connection *connection, const struct ike_sa *sa)
{
    return connection == sa->connection || (connection->version == sa->protocol->version &&
                                            connection_fits(connection, &sa->local, &sa->remote) &&
                                            proposals_allow(connection->proposals, &sa->suite));
}

struct candidate child_choose_config(const struct context *context, const struct ike_sa *sa,
                                     const struct selector_offer *offer,
                                     const struct child_config *only, struct reason *rival)
{
    struct candidate best = {0};
    const struct child_config *config;
    const struct connection *connection = sa->connection;

    if (only != NULL) {
        consider(context, sa, only, offer, &best, rival);
        return best;
    }
    do {
        if (is_open_to(connection, sa))
            TAILQ_FOREACH (config, &connection->children, entry)
                consider(context, sa, config, offer, &best, rival);
        connection = connection->next_of_pair;
    } while (connection != sa->connection);
    return best;
}

enum status child_choose_refuse(const struct selector_offer *offer, const struct reason *rival,
                                struct reason *reason)
{
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    if (rival->text[0] != '\0') {
        *reason = *rival;
        return STATUS_REJECT;
    }
    return reason_set(
        reason, STATUS_REJECT, 0, "the peer asks for %s here and %s there; no child allows that",
        selector_text(&offer->local[0], local), selector_text(&offer->remote[0], remote));
}
