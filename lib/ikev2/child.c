/*
 * Making a child SA: see child.h.
 */
#include "lib/ikev2/child.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/nat.h"
#include "lib/policy/choose.h"
#include "lib/policy/match.h"
#include "lib/policy/narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

/* An outbound SA that waits for the peer: after IKE_AUTH until our answer surely came, after a
 * rekeying until the peer has deleted the old one, or would have. */
#define HELD_FIRST_MS   1000
#define HELD_REKEYED_MS 5000

const char *child_advice(uint16_t error)
{
    static const struct {
        uint16_t error;
        const char *advice;
    } rows[] = {
        {V2_N_NO_PROPOSAL_CHOSEN, ": compare `esp` and `mode` of both ends"},
        {V2_N_TS_UNACCEPTABLE, ": compare `local` and `remote` of the children at both ends"},
        {V2_N_TEMPORARY_FAILURE, ": its log says why"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].advice;
    return "";
}

enum status child_offer_parse(struct child_offer *offer, const struct ike_message *message,
                              struct reason *reason)
{
    const struct v2_payloads *payloads = &message->payloads;
    struct v2_notify_body notify;

    offer->tsi = offer->tsr = (struct v2_selectors){0}; /* a refused one may be looked at, too */
    enum status status =
        v2_sa_parse(&offer->sa, v2_payloads_find(payloads, V2_SA, NULL)->body, reason);
    if (status == STATUS_OK)
        status =
            v2_selectors_parse(&offer->tsi, v2_payloads_find(payloads, V2_TSI, NULL)->body, reason);
    if (status == STATUS_OK)
        status =
            v2_selectors_parse(&offer->tsr, v2_payloads_find(payloads, V2_TSR, NULL)->body, reason);
    offer->transport = message_find_notify(message, V2_N_USE_TRANSPORT_MODE, &notify);
    return status;
}

size_t child_allowed_remote(const struct ike_sa *sa, const struct child_config *config,
                            struct selector *own, const struct selector **selectors)
{
    if (config->remote_count > 0) {
        *selectors = config->remote;
        return config->remote_count;
    }
    *own = selector_host(&sa->proven); /* it may have moved, on nobody's word but its own */
    *selectors = own;
    return 1;
}

/* Configured policies serve a child whose selectors are just the configured ones and whose peer is
 * known beforehand; any other child needs policies, and so a reqid, of its own. */
static void set_reqid(struct context *context, const struct ike_sa *sa, struct child_sa *child)
{
    const struct child_config *config = child->config;
    const struct selector *remote = child->remote_selectors;
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);

    child->own_policies = config->connection->remote.family == FAMILY_NONE ||
                          !selectors_within(child->local_selectors, child->local_count,
                                            config->local, config->local_count) ||
                          !selectors_within(remote, child->remote_count, allowed, allowed_count);
    if (child->own_policies && child->reqid_held)
        return; /* once drawn it stays: the SPI was allocated under it */
    sa_table_release_reqid(context->sas, child);
    child->reqid = child->own_policies ? sa_table_draw_reqid(context->sas, context) : config->reqid;
}

struct child_sa *child_propose(struct context *context, const struct ike_sa *sa,
                               const struct child_config *config, const struct packet *packet)
{
    struct child_sa *child = child_new(context, config);
    bool pair = packet != NULL && packet->config == config && packet->pair;
    const struct selector *remote;
    struct selector own;

    if (child == NULL)
        return NULL;
    child->exact = pair;
    size_t remote_count = child_allowed_remote(sa, config, &own, &remote);
    if (!(pair ? child_set_selectors(child, &packet->pair_local, 1, &packet->pair_remote, 1)
               : child_set_selectors(child, config->local, config->local_count, remote,
                                     remote_count))) {
        child_free(child);
        return NULL;
    }
    set_reqid(context, sa, child);
    return child;
}

static void write_child(struct v2_writer *writer, const struct child_sa *child,
                        const struct v2_sa *sa, struct slice nonce)
{
    if (child->mode == CHILD_TRANSPORT)
        v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_USE_TRANSPORT_MODE,
                        slice_of(NULL, 0));
    v2_write_sa(writer, sa);
    if (nonce.size > 0)
        v2_write_nonce(writer, nonce);
}

/* RFC 7296 section 2.9: the packet's own selectors first, then what it is a part of; a peer that
 * has the whole in several children finds the right one so. */
static void write_selectors(struct v2_writer *writer, uint8_t payload,
                            const struct selector *packet, const struct selector *selectors,
                            size_t count)
{
    struct selector all[1 + V2_SELECTORS_MAX];

    all[0] = *packet;
    memcpy(&all[1], selectors, count * sizeof(*selectors));
    v2_write_selectors(writer, payload, all, count + 1);
}

static bool is_of_child(const struct packet *packet, const struct child_sa *child)
{
    return packet != NULL && packet->config == child->config && !packet->silent &&
           child->local_count < V2_SELECTORS_MAX && child->remote_count < V2_SELECTORS_MAX &&
           selectors_within(child->local_selectors, child->local_count, &packet->local, 1) &&
           selectors_within(child->remote_selectors, child->remote_count, &packet->remote, 1);
}

static struct slice spi_bytes(uint32_t spi, uint8_t bytes[4])
{
    struct writer writer = writer_of(bytes, 4);

    writer_u32(&writer, spi);
    return writer_slice(&writer);
}

/* The configured proposals; those without a group of their own get the one that is used anyway. */
static struct proposal_list with_group_of(const struct child_config *config,
                                          const struct algorithm_list *groups)
{
    struct proposal_list list = config->esp;

    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].group.count == 0)
            list.items[i].group = *groups;
    return list;
}

static struct proposal_list own_list(const struct child_config *config, enum group group)
{
    struct algorithm_list groups = {.count = group == GROUP_NONE ? 0 : 1, .ids = {(uint8_t)group}};

    return with_group_of(config, &groups);
}

void child_write_offer(struct v2_writer *writer, const struct child_sa *child, struct slice nonce,
                       enum group group, const struct packet *packet)
{
    struct proposal_list list = own_list(child->config, group);
    uint8_t spi[4];
    struct v2_sa offer;

    offer_from_proposals(&offer, &list, v2_protocol_of(child->protocol),
                         spi_bytes(child->spi_in, spi), NULL, group != GROUP_NONE);
    write_child(writer, child, &offer, nonce);
    if (is_of_child(packet, child)) {
        write_selectors(writer, V2_TSI, &packet->local, child->local_selectors, child->local_count);
        write_selectors(writer, V2_TSR, &packet->remote, child->remote_selectors,
                        child->remote_count);
        return;
    }
    v2_write_selectors(writer, V2_TSI, child->local_selectors, child->local_count);
    v2_write_selectors(writer, V2_TSR, child->remote_selectors, child->remote_count);
}

/* The peer's SPI is to name the child's outbound SA, and no other one. */
static enum status check_spi(const struct context *context, const struct ike_sa *sa,
                             const struct child_sa *child, struct reason *reason)
{
    if (!sa_table_outbound_taken(context->sas, child, &sa->remote))
        return STATUS_OK;
    return reason_set(reason, STATUS_REJECT, V2_N_TEMPORARY_FAILURE,
                      "the peer's SPI %08x names another SA to the same address", child->spi_out);
}

bool child_covers(const struct child_sa *child, const struct child_sa *old)
{
    return selectors_cover(child->local_selectors, child->local_count, old->local_selectors,
                           old->local_count) &&
           selectors_cover(child->remote_selectors, child->remote_count, old->remote_selectors,
                           old->remote_count);
}

static bool same_selectors(const struct child_sa *a, const struct child_sa *b)
{
    return selectors_equal(a->local_selectors, a->local_count, b->local_selectors,
                           b->local_count) &&
           selectors_equal(a->remote_selectors, a->remote_count, b->remote_selectors,
                           b->remote_count);
}

static enum status is_narrower(const struct child_sa *child, const struct child_sa *old,
                               enum status status, uint16_t notify, struct reason *reason)
{
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    return reason_set(reason, status, notify,
                      "the new one of child %s has %s === %s and would be narrower than the one "
                      "in use, which stays",
                      old->config->name, selector_text(&child->local_selectors[0], local),
                      selector_text(&child->remote_selectors[0], remote));
}

enum status child_accept(struct context *context, const struct ike_sa *sa, struct child_sa *child,
                         const struct child_sa *old, const struct child_offer *answer,
                         enum group group, struct reason *reason)
{
    struct proposal_list list = own_list(child->config, group);
    const struct selector *remote = child->remote_selectors;
    struct v2_selectors tsi = answer->tsi;
    struct v2_selectors tsr = answer->tsr;

    enum status status = check_answer(&list, &answer->sa, v2_protocol_of(child->protocol), NULL,
                                      group != GROUP_NONE, &child->suite, &child->spi_out, reason);
    if (status == STATUS_OK)
        status = check_spi(context, sa, child, reason);
    if (status != STATUS_OK)
        return STATUS_CLOSE;
    if (answer->transport != (child->mode == CHILD_TRANSPORT))
        return reason_set(reason, STATUS_CLOSE, 0, "the peer wants %s mode, configured is %s",
                          answer->transport ? "transport" : "tunnel",
                          answer->transport ? "tunnel" : "transport");
    if (answer->transport)
        nat_substitute(sa, &tsi, &tsr);
    if (!selectors_within(child->local_selectors, child->local_count, tsi.items, tsi.count) ||
        !selectors_within(remote, child->remote_count, tsr.items, tsr.count))
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer's traffic selectors are wider than ours");
    /* What lies within the rest, as a packet's own may, says nothing more. */
    tsi.count = selectors_reduce(tsi.items, tsi.count);
    tsr.count = selectors_reduce(tsr.items, tsr.count);
    if (!child_set_selectors(child, tsi.items, tsi.count, tsr.items, tsr.count))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    if (old != NULL && !child_covers(child, old)) /* RFC 7296 section 2.9.2 */
        return is_narrower(child, old, STATUS_CLOSE, 0, reason);
    if (old != NULL && same_selectors(child, old)) {
        sa_table_release_reqid(context->sas, child);
        child->reqid = old->reqid;
        child->own_policies = old->own_policies;
        sa_table_hold_reqid(context->sas, child);
        return STATUS_OK;
    }
    set_reqid(context, sa, child);
    sa_table_hold_reqid(context->sas, child);
    return STATUS_OK;
}

/* One of the configured children that a request may mean. */
struct candidate {
    const struct child_config *config;
    struct narrowed left;
    unsigned fitness; /* higher is better; 0: it does not suit at all */
};

/* RFC 7296 section 2.9: where the first selectors, which may be those of a packet, are allowed,
 * they must be in the answer. */
static bool has_first(const struct narrowed *left, const struct child_offer *offer)
{
    return selectors_within(left->local, left->local_count, offer->tsr.items, 1) &&
           selectors_within(left->remote, left->remote_count, offer->tsi.items, 1);
}

/* How well what is left suits: all of what is offered and all that is configured before one of
 * the two before a mere intersection; the initiator's first choice goes before that, and the mode
 * before all. */
static unsigned fitness(const struct ike_sa *sa, const struct child_config *config,
                        const struct child_offer *offer, const struct narrowed *left)
{
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);
    bool all_configured =
        selectors_within(left->local, left->local_count, config->local, config->local_count) &&
        selectors_within(left->remote, left->remote_count, allowed, allowed_count);
    bool all_offered =
        selectors_within(left->local, left->local_count, offer->tsr.items, offer->tsr.count) &&
        selectors_within(left->remote, left->remote_count, offer->tsi.items, offer->tsi.count);
    bool same_mode = (config->mode == CHILD_TRANSPORT) == offer->transport;

    return 1u + (all_configured ? 1u : 0u) + (all_offered ? 1u : 0u) +
           (has_first(left, offer) ? 4u : 0u) + (same_mode ? 8u : 0u);
}

/* *reason is set when traffic that suits belongs to somebody else. */
static void consider(const struct context *context, const struct ike_sa *sa,
                     const struct child_config *config, const struct child_offer *offer,
                     struct candidate *best, struct reason *reason)
{
    struct candidate candidate = {.config = config};
    struct narrowed *left = &candidate.left;
    const struct selector *allowed;
    struct selector own;
    size_t allowed_count = child_allowed_remote(sa, config, &own, &allowed);

    left->local_count = narrow_selectors(config->local, config->local_count, offer->tsr.items,
                                         offer->tsr.count, left->local);
    left->remote_count =
        narrow_selectors(allowed, allowed_count, offer->tsi.items, offer->tsi.count, left->remote);
    if (left->local_count == 0 || left->remote_count == 0 ||
        !child_cut(context, sa, config, left, reason))
        return;
    candidate.fitness = fitness(sa, config, offer, left);
    if (candidate.fitness > best->fitness)
        *best = candidate;
}

/* May a child of this connection be made in the IKE SA?  It is of the same pair of identities. */
static bool is_open_to(const struct connection *connection, const struct ike_sa *sa)
{
    return connection == sa->connection || (connection_fits(connection, &sa->local, &sa->remote) &&
                                            proposals_allow(&connection->proposals, &sa->suite));
}

/* Of all connections with this peer and between these two.  `only`: the one that is to be rekeyed,
 * or NULL. */
static struct candidate most_fitting(const struct context *context, const struct ike_sa *sa,
                                     const struct child_offer *offer,
                                     const struct child_config *only, struct reason *reason)
{
    struct candidate best = {0};
    const struct child_config *config;

    const struct connection *connection = sa->connection;

    if (only != NULL) {
        consider(context, sa, only, offer, &best, reason);
        return best;
    }
    do {
        if (is_open_to(connection, sa))
            TAILQ_FOREACH (config, &connection->children, entry)
                consider(context, sa, config, offer, &best, reason);
        connection = connection->next_of_pair;
    } while (connection != sa->connection);
    return best;
}

/* The new child with the narrowed selectors; NULL when memory is out. */
static struct child_sa *narrowed_child(struct context *context, const struct ike_sa *sa,
                                       const struct candidate *chosen)
{
    const struct narrowed *left = &chosen->left;
    struct child_sa *child = child_new(context, chosen->config);

    if (child == NULL)
        return NULL;
    if (!child_set_selectors(child, left->local, left->local_count, left->remote,
                             left->remote_count)) {
        child_free(child);
        return NULL;
    }
    set_reqid(context, sa, child);
    return child;
}

/* Where no group is configured for the child, the peer's wish for a key exchange of its own is
 * granted with the IKE SA's groups, rather than found impossible at the first rekeying. */
static enum status choose(const struct ike_sa *sa, const struct child_config *config,
                          const struct child_request *request, struct suite *suite, uint8_t *number,
                          uint32_t *spi, struct reason *reason)
{
    struct proposal_list list = config->esp;

    enum status status =
        choose_suite(&list, &request->offer->sa, V2_PROTOCOL_ESP, NULL, request->with_group,
                     request->group, suite, number, spi, reason);
    if (status != STATUS_REJECT || request->group == GROUP_NONE)
        return status;
    list = with_group_of(config, &sa->connection->proposals.items[0].group);
    return choose_suite(&list, &request->offer->sa, V2_PROTOCOL_ESP, NULL, true, request->group,
                        suite, number, spi, reason);
}

/* RFC 7296 section 2.23.1: addresses as they are seen here first; what then is not for transport
 * mode is taken as it was sent. */
static struct candidate find_config(const struct context *context, const struct ike_sa *sa,
                                    const struct child_request *request, struct reason *reason)
{
    const struct child_config *only = request->old == NULL ? NULL : request->old->config;
    struct child_offer seen;

    if (!request->offer->transport || (!sa->nat_here && !sa->nat_there))
        return most_fitting(context, sa, request->offer, only, reason);
    seen = *request->offer;
    nat_substitute(sa, &seen.tsr, &seen.tsi);
    struct candidate chosen = most_fitting(context, sa, &seen, only, reason);
    if (chosen.config == NULL || chosen.config->mode != CHILD_TRANSPORT)
        return most_fitting(context, sa, request->offer, only, reason);
    return chosen;
}

static enum status nothing_suits(const struct child_offer *offer, const struct reason *rival,
                                 struct reason *reason)
{
    char tsi[SELECTOR_TEXT_MAX];
    char tsr[SELECTOR_TEXT_MAX];

    if (rival->text[0] != '\0') {
        *reason = *rival;
        return STATUS_REJECT;
    }
    return reason_set(reason, STATUS_REJECT, V2_N_TS_UNACCEPTABLE,
                      "the peer asks for %s here and %s there; no child allows that",
                      selector_text(&offer->tsr.items[0], tsr),
                      selector_text(&offer->tsi.items[0], tsi));
}

enum status child_choose(struct context *context, const struct ike_sa *sa,
                         const struct child_request *request, struct child_sa **child,
                         uint8_t *number, struct reason *reason)
{
    const struct child_sa *old = request->old;
    struct reason rival = {0};
    struct candidate chosen = find_config(context, sa, request, &rival);
    const struct child_config *config = chosen.config;
    struct suite suite;
    uint32_t spi;

    if (config == NULL)
        return nothing_suits(request->offer, &rival, reason);
    if (config->mode == CHILD_TRANSPORT && !request->offer->transport)
        return reason_set(reason, STATUS_REJECT, V2_N_NO_PROPOSAL_CHOSEN,
                          "the peer asks for tunnel mode, child %s is for transport mode",
                          config->name);
    enum status status = choose(sa, config, request, &suite, number, &spi, reason);
    if (status != STATUS_OK)
        return status;
    *child = narrowed_child(context, sa, &chosen);
    if (*child == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    if (old != NULL && same_selectors(*child, old)) {
        (*child)->reqid = old->reqid;
        (*child)->own_policies = old->own_policies;
    }
    (*child)->suite = suite;
    (*child)->spi_out = spi;
    status = check_spi(context, sa, *child, reason);
    if (status == STATUS_OK && old != NULL && !child_covers(*child, old))
        status = is_narrower(*child, old, STATUS_REJECT, V2_N_TS_UNACCEPTABLE, reason);
    if (status != STATUS_OK) {
        child_free(*child);
        *child = NULL;
    } else if (old != NULL) {
        child_continue(*child, old);
    }
    return status;
}

void child_continue(struct child_sa *child, const struct child_sa *old)
{
    child->ours = old->ours;
    child->line = old->line;
    child->exact = old->exact;
}

void child_write_answer(struct v2_writer *writer, const struct child_sa *child, uint8_t number,
                        struct slice nonce, bool with_group)
{
    uint8_t spi[4];
    struct v2_sa answer;

    offer_from_suite(&answer, &child->suite, number, v2_protocol_of(child->protocol),
                     spi_bytes(child->spi_in, spi), with_group);
    write_child(writer, child, &answer, nonce);
    v2_write_selectors(writer, V2_TSI, child->remote_selectors, child->remote_count);
    v2_write_selectors(writer, V2_TSR, child->local_selectors, child->local_count);
}

static void name_child(const struct child_sa *child, struct name *connection, struct name *name)
{
    memcpy(connection->text, child->config->connection->name, sizeof(connection->text));
    memcpy(name->text, child->config->name, sizeof(name->text));
}

enum status child_ask_spi(struct context *context, struct ike_sa *sa, struct step *step,
                          struct child_sa *child, bool peer_answers)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_ALLOCATE_SPI);

    if (effect == NULL)
        return STATUS_FAIL;
    struct effect_allocate_spi *allocate = &effect->allocate_spi;
    name_child(child, &allocate->connection, &allocate->child);
    child->local = sa->local;
    child->remote = sa->remote;
    child->encap = sa->encap;
    allocate->source = child->remote;
    allocate->destination = child->local;
    allocate->protocol = child->protocol;
    allocate->mode = child->mode;
    allocate->encap = child->encap;
    allocate->early = peer_answers;
    allocate->reqid = child->reqid;
    sa_table_hold_reqid(context->sas, child);
    return STATUS_OK;
}

/* Some time is left between the soft limits and the hard ones, and a part of it is chance: both
 * ends count the same packets and should not start at once. */
static uint64_t soft(uint64_t hard, uint32_t chance)
{
    uint64_t tenth = hard / 10;

    return hard - tenth - (tenth == 0 ? 0 : chance % tenth);
}

static void set_limits(struct context *context, const struct child_config *config,
                       struct effect_install_sa *install)
{
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    install->hard_s = config->lifetime_s;
    install->soft_s = (uint32_t)soft(config->lifetime_s, chance);
    install->hard_bytes = config->lifetime_bytes;
    install->soft_bytes = soft(config->lifetime_bytes, chance);
    install->hard_packets = config->lifetime_packets;
    install->soft_packets = soft(config->lifetime_packets, chance);
}

static enum status fill_install(struct context *context, const struct child_sa *child, bool inbound,
                                struct slice encr_key, struct slice integ_key,
                                struct effect_install_sa *install)
{
    name_child(child, &install->connection, &install->child);
    install->inbound = inbound;
    install->encap = child->encap;
    install->source = inbound ? child->remote : child->local;
    install->destination = inbound ? child->local : child->remote;
    install->spi = inbound ? child->spi_in : child->spi_out;
    install->reqid = child->reqid;
    install->protocol = child->protocol;
    install->mode = child->mode;
    install->encr = child->suite.encr;
    install->integ = child->suite.integ;
    install->esn = child->suite.esn;
    install->replay_window = inbound ? child->config->replay_window : 0;
    set_limits(context, child->config, install);
    if (!secret_copy(&install->encr_key, encr_key) || !secret_copy(&install->integ_key, integ_key))
        return STATUS_FAIL;
    return STATUS_OK;
}

static enum status install_one(struct context *context, struct ike_sa *sa, struct step *step,
                               const struct child_sa *child, bool inbound, struct slice encr_key,
                               struct slice integ_key)
{
    struct effect *effect = step_effect(context, sa, step, EFFECT_INSTALL_SA);

    if (effect == NULL)
        return STATUS_FAIL;
    return fill_install(context, child, inbound, encr_key, integ_key, &effect->install_sa);
}

static void set_sending(struct context *context, struct child_sa *child)
{
    child->out_kernel = true;
    child->out_order = ++context->out_order;
}

static enum status hold(const struct context *context, const struct ike_sa *sa,
                        struct child_sa *child, const struct child_keys *keys)
{
    struct held_outbound *held = child->held = calloc(1, sizeof(*held));

    if (held == NULL || !secret_copy(&held->encr_key, keys->encr_out) ||
        !secret_copy(&held->integ_key, keys->integ_out))
        return STATUS_FAIL;
    held->until_ms = context->now_ms + (sa->handshake != NULL ? HELD_FIRST_MS : HELD_REKEYED_MS);
    return STATUS_OK;
}

enum status child_install(struct context *context, struct ike_sa *sa, struct step *step,
                          struct child_sa *child, const struct child_seed *seed, bool hold_outbound)
{
    struct child_keys keys;
    enum status status = keys_child(context, sa, &child->suite, seed, &keys);

    sa_table_claim(context->sas, sa, child);
    if (child->line == 0) {
        child->ours = seed->initiator;
        child->line = child->ours ? child->spi_in : child->spi_out;
    }
    if (status == STATUS_OK)
        status = install_one(context, sa, step, child, true, keys.encr_in, keys.integ_in);
    if (status == STATUS_OK) {
        child->in_kernel = true;
        if (hold_outbound)
            status = hold(context, sa, child, &keys);
        else
            status = install_one(context, sa, step, child, false, keys.encr_out, keys.integ_out);
    }
    if (status == STATUS_OK && !hold_outbound)
        set_sending(context, child);
    secret_free(&keys.keymat);
    return status;
}

void child_release_outbound(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    if (child->out_kernel || child->held == NULL)
        return;
    struct ticket ticket = {.sa = ike_sa_own_spi(sa), .sequence = ++sa->steps};
    struct effect *effect = effect_append(context->effects, EFFECT_INSTALL_SA, ticket);
    child->releasing = effect != NULL ? ticket.sequence : 0;
    if (effect == NULL ||
        fill_install(context, child, false, secret_slice(&child->held->encr_key),
                     secret_slice(&child->held->integ_key), &effect->install_sa) != STATUS_OK)
        count(context, COUNTER_FAILURES);
    else
        set_sending(context, child);
    child_drop_held(child);
}
