/*
 * Making a child SA: see child.h.
 */
#include "lib/ikev2/child.h"

#include <string.h>

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/nat.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/policy/choose.h"
#include "lib/policy/narrow.h"
#include "lib/sa/child_choose.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/child_rivals.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

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
        sa_payload_parse(&offer->sa, v2_payloads_find(payloads, V2_SA, NULL)->body, reason);
    if (status == STATUS_OK)
        status =
            v2_selectors_parse(&offer->tsi, v2_payloads_find(payloads, V2_TSI, NULL)->body, reason);
    if (status == STATUS_OK)
        status =
            v2_selectors_parse(&offer->tsr, v2_payloads_find(payloads, V2_TSR, NULL)->body, reason);
    offer->transport = message_find_notify(message, V2_N_USE_TRANSPORT_MODE, &notify);
    return status;
}

static void write_child(struct v2_writer *writer, const struct child_sa *child,
                        const struct offer *sa, struct slice nonce)
{
    if (child->mode == CHILD_TRANSPORT)
        v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_USE_TRANSPORT_MODE,
                        slice_of(NULL, 0));
    sa_payload_write(writer, sa);
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

/* As the SPI of what is offered: RFC 7296 section 3.3.1. */
static struct offer_spi spi_in(const struct child_sa *child)
{
    return (struct offer_spi){.size = 4, .value = child_main(child)->spi_in};
}

/* The configured proposals; those without a group of their own get the one that is used anyway. */
static struct proposal_list with_group_of(const struct child_config *config,
                                          const struct algorithm_list *groups)
{
    struct proposal_list list = *config->esp;

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
    struct offer offer;

    offer_from_proposals(&offer, &list, child_main(child)->protocol, spi_in(child), NULL,
                         group != GROUP_NONE);
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

/* An offer's selectors without its algorithms.  `initiator`: we made the request that it is of. */
static struct selector_offer selectors_of(const struct child_offer *offer, bool initiator)
{
    const struct v2_selectors *local = initiator ? &offer->tsi : &offer->tsr;
    const struct v2_selectors *remote = initiator ? &offer->tsr : &offer->tsi;

    return (struct selector_offer){
        .local = local->items,
        .local_count = local->count,
        .remote = remote->items,
        .remote_count = remote->count,
        .transport = offer->transport,
    };
}

enum status child_accept(struct context *context, const struct ike_sa *sa, struct child_sa *child,
                         const struct child_sa *old, const struct child_offer *answer,
                         enum group group, struct reason *reason)
{
    struct suite_terms terms = {.protocol = child_main(child)->protocol,
                                .with_group = group != GROUP_NONE};
    struct proposal_list list = own_list(child->config, group);
    struct child_offer seen = *answer;
    struct suite suite;

    enum status status = check_answer(&list, &answer->sa, &terms, &suite, reason);
    if (status != STATUS_OK)
        return STATUS_CLOSE;
    child_agree(child, &suite, (uint32_t)answer->sa.proposals[0].spi.value);
    if (child_check_spi(context, sa, child, reason) != STATUS_OK)
        return STATUS_CLOSE;
    if (answer->transport != (child->mode == CHILD_TRANSPORT))
        return reason_set(reason, STATUS_CLOSE, 0, "the peer wants %s mode, configured is %s",
                          answer->transport ? "transport" : "tunnel",
                          answer->transport ? "tunnel" : "transport");
    if (answer->transport)
        nat_substitute(sa, &seen.tsi, &seen.tsr);
    /* What lies within the rest, as a packet's own may, says nothing more. */
    seen.tsi.count = selectors_reduce(seen.tsi.items, seen.tsi.count);
    seen.tsr.count = selectors_reduce(seen.tsr.items, seen.tsr.count);
    struct selector_offer chosen = selectors_of(&seen, true);
    return child_narrow(context, sa, child, old, &chosen, reason);
}

/* Where no group is configured for the child, the peer's wish for a key exchange of its own is
 * granted with the IKE SA's groups, rather than found impossible at the first rekeying. */
static enum status choose(const struct ike_sa *sa, const struct child_config *config,
                          const struct child_request *request, struct suite *suite,
                          const struct offer_proposal **chosen, struct reason *reason)
{
    struct suite_terms terms = {
        .protocol = IPSEC_ESP,
        .with_group = request->with_group,
        .prefer_group = request->group,
    };
    struct proposal_list list = *config->esp;

    enum status status = choose_suite(&list, &request->offer->sa, &terms, suite, chosen, reason);
    if (status != STATUS_REJECT || request->group == GROUP_NONE)
        return status;
    list = with_group_of(config, &sa->connection->proposals->items[0].group);
    terms.with_group = true;
    return choose_suite(&list, &request->offer->sa, &terms, suite, chosen, reason);
}

/* RFC 7296 section 2.23.1: addresses as they are seen here first; what then is not for transport
 * mode is taken as it was sent. */
static struct candidate find_config(const struct context *context, const struct ike_sa *sa,
                                    const struct child_request *request, struct reason *rival)
{
    const struct child_config *only = request->old == NULL ? NULL : request->old->config;
    struct selector_offer sent = selectors_of(request->offer, false);
    struct child_offer seen;

    if (!request->offer->transport || (!sa->nat_here && !sa->nat_there))
        return child_choose_config(context, sa, &sent, only, rival);
    seen = *request->offer;
    nat_substitute(sa, &seen.tsr, &seen.tsi);
    struct selector_offer substituted = selectors_of(&seen, false);
    struct candidate chosen = child_choose_config(context, sa, &substituted, only, rival);
    if (chosen.config == NULL || chosen.config->mode != CHILD_TRANSPORT)
        return child_choose_config(context, sa, &sent, only, rival);
    return chosen;
}

/* What lib/sa says no to, as the peer is told. */
static enum status with_code(enum status status, enum finding_code code, struct reason *reason)
{
    if (status == STATUS_REJECT)
        reason->code = code;
    return status;
}

static enum status check_chosen(const struct context *context, const struct ike_sa *sa,
                                const struct child_sa *child, const struct child_sa *old,
                                struct reason *reason)
{
    enum status status =
        with_code(child_check_spi(context, sa, child, reason), FINDING_TEMPORARY_FAILURE, reason);

    return status != STATUS_OK
               ? status
               : with_code(child_check_covers(child, old, reason), FINDING_TS_UNACCEPTABLE, reason);
}

enum status child_choose(struct context *context, const struct ike_sa *sa,
                         const struct child_request *request, struct child_sa **child,
                         uint8_t *number, struct reason *reason)
{
    struct reason rival = {0};
    struct candidate chosen = find_config(context, sa, request, &rival);
    const struct child_config *config = chosen.config;
    struct selector_offer offer = selectors_of(request->offer, false);
    const struct offer_proposal *proposal;
    struct suite suite;

    if (config == NULL)
        return with_code(child_choose_refuse(&offer, &rival, reason), FINDING_TS_UNACCEPTABLE,
                         reason);
    if (config->mode == CHILD_TRANSPORT && !request->offer->transport)
        return reason_set(reason, STATUS_REJECT, FINDING_NO_PROPOSAL,
                          "the peer asks for tunnel mode, child %s is for transport mode",
                          config->name);
    enum status status = choose(sa, config, request, &suite, &proposal, reason);
    if (status != STATUS_OK)
        return status;
    *child = child_new_narrowed(context, sa, config, &chosen.left, request->old);
    if (*child == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    child_agree(*child, &suite, (uint32_t)proposal->spi.value);
    *number = proposal->number;
    status = check_chosen(context, sa, *child, request->old, reason);
    if (status != STATUS_OK) {
        child_free(*child);
        *child = NULL;
    } else if (request->old != NULL) {
        child_continue(*child, request->old);
    }
    return status;
}

enum status child_check_others(const struct context *context, const struct ike_sa *sa,
                               const struct child_sa *child, struct reason *reason)
{
    return with_code(child_check_rivals(context, sa, child, reason), FINDING_TS_UNACCEPTABLE,
                     reason);
}

void child_write_answer(struct v2_writer *writer, const struct child_sa *child, uint8_t number,
                        struct slice nonce, bool with_group)
{
    const struct child_transform *transform = child_main(child);
    struct offer answer;

    offer_from_suite(&answer, &transform->suite, number, transform->protocol, spi_in(child),
                     with_group);
    write_child(writer, child, &answer, nonce);
    v2_write_selectors(writer, V2_TSI, child->remote_selectors, child->remote_count);
    v2_write_selectors(writer, V2_TSR, child->local_selectors, child->local_count);
}
