/*
 * CREATE_CHILD_SA, asked for by the peer.  RFC 7296 sections 1.3, 2.8 and 2.25.
 *
 *   HDR, SK {[N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr}  -->
 *                                 COMPUTE, ALLOCATE_SPI; INSTALL_SA in (and out)
 *                                 <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}
 *   HDR, SK {SA, Ni, KEi}         -->  COMPUTE: an heir to the IKE SA
 *                                 <--  HDR, SK {SA, Nr, KEr}
 *   or                            <--  HDR, SK {N(error)}
 *
 * After a rekeying the outbound SA is held until the peer deletes the old one: only then it surely
 * receives on the new one.
 *
 * What crosses an exchange of ours: collision.h.
 */
#include <string.h>

#include "lib/ikev2/collision.h"
#include "lib/ikev2/create_child.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/finding.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/nat.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/policy/choose.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

#define REFUSALS_MS 1000 /* a line about one refusal in this time */

static enum status decline(struct context *context, struct ike_sa *sa, uint16_t type,
                           struct slice data)
{
    return message_respond_notify(context, sa, V2_CREATE_CHILD_SA, type, data);
}

static enum status decline_group(struct context *context, struct ike_sa *sa, enum group group)
{
    uint8_t bytes[2];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    writer_u16(&writer, group_info(group)->wire);
    count(context, COUNTER_INVALID_KE_SENT);
    return decline(context, sa, V2_N_INVALID_KE_PAYLOAD, writer_slice(&writer));
}

static enum status fail(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    creation_end(context, sa, &ikev2_of(sa)->theirs);
    return step_fault(context, reason);
}

static enum status rekey_ike(struct context *context, struct ike_sa *sa,
                             const struct ike_message *message, struct slice nonce,
                             const struct offer *offer, struct reason *reason)
{
    struct suite_terms terms = {
        .with_group = true,
        .prefer_group = message_find_group(message),
        .crypto = context->crypto,
    };
    const struct offer_proposal *chosen;
    struct slice public;
    struct proposal_list proposals;
    struct suite suite;

    heir_proposals(sa, &proposals);
    enum status status = choose_suite(&proposals, offer, &terms, &suite, &chosen, reason);
    if (status == STATUS_REJECT) /* the peer wants another PRF */
        status = choose_suite(sa->connection->proposals, offer, &terms, &suite, &chosen, reason);
    if (status == STATUS_OK)
        status = creation_parse_ke(message, suite.group, &public, reason);
    if (status == STATUS_REJECT && reason->code == FINDING_INVALID_KE)
        return decline_group(context, sa, suite.group);
    uint64_t spi = status == STATUS_OK ? chosen->spi.value : 0;
    if (status != STATUS_OK || spi == 0)
        return status == STATUS_REJECT
                   ? decline(context, sa, finding_notify(reason->code), slice_of(NULL, 0))
                   : reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                                "a rekeyed IKE SA without an SPI");
    ikev2_of(sa)->theirs = creation_new(sa, CREATE_REKEY_IKE, false);
    if (ikev2_of(sa)->theirs == NULL)
        return fail(context, sa, reason);
    struct creation *creation = ikev2_of(sa)->theirs;
    creation->state = CREATE_AWAIT_SHARED;
    creation->group = suite.group;
    creation->proposal = chosen->number;
    creation->heir =
        ike_sa_new(context, sa->protocol, sa->connection, &sa->local, &sa->remote, spi);
    if (creation->heir == NULL)
        return fail(context, sa, reason);
    ike_sa_leave_half_open(context, creation->heir);
    creation->heir->state = IKE_AWAIT_REKEY;
    creation->heir->suite = suite;
    if (!buffer_copy(&creation->nonce_i, nonce) || !creation_nonce(context, &creation->nonce_r) ||
        !buffer_copy(&creation->heir->handshake->nonce_i, nonce) ||
        !buffer_copy(&creation->heir->handshake->nonce_r, buffer_slice(&creation->nonce_r)) ||
        creation_compute(context, sa, creation, public) != STATUS_OK)
        return fail(context, sa, reason);
    return STATUS_OK;
}

/* A peer that asks again and again fills no log. */
static void report_refused(struct context *context, struct ike_sa *sa, const struct reason *reason)
{
    uint32_t now_ms = (uint32_t)context->now_ms;

    if (ikev2_of(sa)->refused_ms != 0 && now_ms - ikev2_of(sa)->refused_ms < REFUSALS_MS)
        return;
    ikev2_of(sa)->refused_ms = now_ms;
    report(context, sa, SEVERITY_WARNING, "child-refused", "%s: answered %s", reason->text,
           v2_notify_name(finding_notify(reason->code)));
}

static enum status create_child(struct context *context, struct ike_sa *sa,
                                const struct ike_message *message, struct slice nonce,
                                struct child_sa *old, struct reason *reason)
{
    struct child_offer offer;
    struct child_sa *child;
    struct slice public = slice_of(NULL, 0);
    uint8_t number;
    enum status status = child_offer_parse(&offer, message, reason);
    struct child_request request = {
        .offer = &offer,
        .old = old,
        .with_group = true,
        .group = message_find_group(message),
    };
    if (status == STATUS_OK)
        status = child_choose(context, sa, &request, &child, &number, reason);
    if (status == STATUS_OK &&
        (status = child_check_others(context, sa, child, reason)) != STATUS_OK)
        child_free(child);
    if (status == STATUS_REJECT) {
        report_refused(context, sa, reason);
        return decline(context, sa, finding_notify(reason->code), slice_of(NULL, 0));
    }
    if (status != STATUS_OK)
        return status;
    enum group group = child_main(child)->suite.group;
    if (group != GROUP_NONE)
        status = creation_parse_ke(message, group, &public, reason);
    if (status != STATUS_OK) {
        child_free(child);
        return reason->code == FINDING_INVALID_KE
                   ? decline_group(context, sa, group)
                   : decline(context, sa, finding_notify(reason->code), slice_of(NULL, 0));
    }
    ikev2_of(sa)->theirs = creation_new(sa, old == NULL ? CREATE_CHILD : CREATE_REKEY_CHILD, false);
    if (ikev2_of(sa)->theirs == NULL) {
        child_free(child);
        return fail(context, sa, reason);
    }
    struct creation *creation = ikev2_of(sa)->theirs;
    creation->state = CREATE_AWAIT_SHARED;
    creation->group = (uint8_t)group;
    creation->proposal = number;
    creation->child = child;
    creation->config = child->config;
    creation->old_child = old == NULL ? 0 : old->number;
    if (!buffer_copy(&creation->nonce_i, nonce) || !creation_nonce(context, &creation->nonce_r) ||
        child_ask_spi(context, sa, &creation->step, child, false) != STATUS_OK ||
        (group != GROUP_NONE && creation_compute(context, sa, creation, public) != STATUS_OK))
        return fail(context, sa, reason);
    sa_table_claim(context->sas, sa, child); /* before it is installed another may ask */
    return STATUS_OK;
}

enum status create_child_request(struct context *context, struct ike_sa *sa,
                                 const struct ike_message *message, struct reason *reason)
{
    const struct v2_payloads *payloads = &message->payloads;
    struct v2_notify_body notify;
    struct offer offer;
    struct slice nonce;
    enum status status =
        sa_payload_parse(&offer, v2_payloads_find(payloads, V2_SA, NULL)->body, reason);

    child_prove_all(sa);
    if (status == STATUS_OK)
        status = v2_nonce_parse(&nonce, v2_payloads_find(payloads, V2_NONCE, NULL)->body, reason);
    if (status != STATUS_OK)
        return status;
    bool ike = offer.proposals[0].protocol == IPSEC_NONE;
    bool rekey = message_find_notify(message, V2_N_REKEY_SA, &notify);
    if (!ike && (v2_payloads_find(payloads, V2_TSI, NULL) == NULL ||
                 v2_payloads_find(payloads, V2_TSR, NULL) == NULL))
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                          "CREATE_CHILD_SA for a child without traffic selectors");
    struct child_sa *old = NULL;
    if (!ike && rekey) {
        struct reader reader = reader_of(notify.spi);
        old = child_find_outbound(sa, ipsec_protocol_of(notify.protocol), reader_u32(&reader));
    }
    uint16_t error = collision_refuses(sa, ike, old) ? V2_N_TEMPORARY_FAILURE : 0;
    /* It may be the one that our own exchange is making, when the answer is still on its way. */
    if (error == 0 && !ike && rekey && old == NULL)
        error = ikev2_of(sa)->own != NULL ? V2_N_TEMPORARY_FAILURE : V2_N_CHILD_SA_NOT_FOUND;
    /* While they are rekeyed, there may be two of each. */
    size_t children_max = (rekey ? 2 : 1) * sa->connection->children_max;
    if (error == 0 && !ike && ike_sa_child_count(sa) >= children_max)
        error = V2_N_NO_ADDITIONAL_SAS;
    if (error != 0)
        return decline(context, sa, error, slice_of(NULL, 0));
    if (ike)
        return rekey_ike(context, sa, message, nonce, &offer, reason);
    return create_child(context, sa, message, nonce, old, reason);
}

static void write_ike(const struct creation *creation, struct v2_writer *writer)
{
    struct offer_spi spi = {.size = 8, .value = creation->heir->spi_r};
    struct offer answer;

    offer_from_suite(&answer, &creation->heir->suite, creation->proposal, IPSEC_NONE, spi, true);
    sa_payload_write(writer, &answer);
    v2_write_nonce(writer, buffer_slice(&creation->nonce_r));
}

static enum status respond(struct context *context, struct ike_sa *sa, struct creation *creation,
                           struct reason *reason)
{
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_CREATE_CHILD_SA, true);
    if (creation->kind == CREATE_REKEY_IKE)
        write_ike(creation, &writer);
    else
        child_write_answer(&writer, creation->child, creation->proposal,
                           buffer_slice(&creation->nonce_r), creation->group != GROUP_NONE);
    if (creation->group != GROUP_NONE)
        v2_write_ke(&writer, group_info(creation->group)->wire, buffer_slice(&creation->public));
    creation->state = CREATE_DONE;
    return message_finish_response(context, sa, &writer, reason);
}

enum status create_their_continue(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct creation *creation = ikev2_of(sa)->theirs;
    enum status status = creation->step.status;

    if (status != STATUS_OK) {
        creation->state = CREATE_FAILED;
        return decline(context, sa,
                       status == STATUS_REJECT ? V2_N_INVALID_SYNTAX : V2_N_TEMPORARY_FAILURE,
                       slice_of(NULL, 0));
    }
    if (creation->state == CREATE_AWAIT_SHARED && creation->kind != CREATE_REKEY_IKE)
        return creation_install(context, sa, creation, creation->kind == CREATE_REKEY_CHILD);
    collision_note(ikev2_of(sa)->own, creation); /* ours decides when it is done */
    if (creation->kind == CREATE_REKEY_IKE) {
        secret_take(&creation->heir->handshake->shared, &creation->shared);
        status = heir_establish(context, sa, creation->heir, reason);
        return status == STATUS_OK ? respond(context, sa, creation, reason) : status;
    }
    status = respond(context, sa, creation, reason);
    child_list(context, sa, creation->child);
    creation->child->unproven = true;
    count(context, COUNTER_CHILDREN);
    return status;
}
