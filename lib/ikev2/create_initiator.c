/*
 * CREATE_CHILD_SA, asked for by us.  RFC 7296 sections 1.3, 2.8 and 2.25.
 *
 *                                      COMPUTE our public value, ALLOCATE_SPI
 *   HDR, SK {[N(REKEY_SA)], [N(USE_TRANSPORT_MODE)],
 *            SA, Ni, [KEi], TSi, TSr}  -->           a child, new or rekeyed
 *   HDR, SK {SA, Ni, KEi}              -->           the IKE SA rekeyed
 *                                      <--  HDR, SK {SA, Nr, [KEr], [TSi, TSr]}
 *                                      COMPUTE g^ir; INSTALL_SA in and out
 *   or                                 <--  HDR, SK {N(error)}
 *
 * Done, the creation stays for the engine to look at: what follows (which of two crossing SAs goes,
 * another try) is decided there.
 */
#include <string.h>

#include "lib/ikev2/create_child.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/policy/choose.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

#define GROUPS_MAX 3 /* how often we follow an INVALID_KE_PAYLOAD */

/* A rekeyed child keeps its selectors, or gets all configured ones again (RFC 7296 section 2.9.2),
 * unless the peer has shown that it does not want that. */
static struct child_sa *propose(struct context *context, const struct ike_sa *sa,
                                const struct child_config *config, const struct child_sa *old)
{
    struct child_sa *child =
        child_propose(context, sa, config, old == NULL ? ikev2_of(sa)->own->packet : NULL);

    if (child == NULL || old == NULL)
        return child;
    if ((old->exact || !child_covers(child, old)) &&
        !child_set_selectors(child, old->local_selectors, old->local_count, old->remote_selectors,
                             old->remote_count)) {
        child_free(child);
        return NULL;
    }
    child->reqid = old->reqid; /* until it is seen what it gets: child_accept */
    child->own_policies = old->own_policies;
    child->mode = old->mode;
    child_continue(child, old);
    return child;
}

static enum status prepare(struct context *context, struct ike_sa *sa, struct creation *creation,
                           const struct child_sa *old)
{
    if (!creation_nonce(context, &creation->nonce_i))
        return STATUS_FAIL;
    if (creation->kind == CREATE_REKEY_IKE) {
        creation->heir =
            ike_sa_new(context, sa->protocol, sa->connection, &sa->local, &sa->remote, 0);
        if (creation->heir == NULL)
            return STATUS_FAIL;
        creation->heir->state = IKE_AWAIT_REKEY;
        creation->group = sa->suite.group;
    } else {
        creation->group = (uint8_t)proposals_first_group(creation->config->esp, context->crypto);
        if (creation->group == GROUP_NONE && ikev2_of(sa)->peer_wants_pfs)
            creation->group = sa->suite.group;
        creation->child = propose(context, sa, creation->config, old);
        if (creation->child == NULL ||
            child_ask_spi(context, sa, &creation->step, creation->child, true) != STATUS_OK)
            return STATUS_FAIL;
    }
    if (creation->group == GROUP_NONE)
        return STATUS_OK;
    return creation_compute(context, sa, creation, slice_of(NULL, 0));
}

enum status create_start(struct context *context, struct ike_sa *sa, enum creation_kind kind,
                         const struct child_config *config, const struct child_sa *old,
                         struct reason *reason)
{
    ikev2_of(sa)->own = creation_new(sa, kind, true);
    if (ikev2_of(sa)->own == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    ikev2_of(sa)->own->config = config;
    if (kind == CREATE_CHILD && sa->packet != NULL && sa->packet->config == config) {
        ikev2_of(sa)->own->packet = sa->packet; /* what is tried again is asked for without */
        sa->packet = NULL;
    }
    ikev2_of(sa)->own->old_child = old == NULL ? 0 : old->number;
    ikev2_of(sa)->own->state = CREATE_AWAIT_KEY;
    if (prepare(context, sa, ikev2_of(sa)->own, old) == STATUS_OK)
        return STATUS_OK;
    creation_end(context, sa, &ikev2_of(sa)->own);
    return step_fault(context, reason);
}

static void write_ike(const struct context *context, const struct ike_sa *sa,
                      const struct creation *creation, struct v2_writer *writer)
{
    struct offer_spi spi = {.size = 8, .value = creation->heir->spi_i};
    struct proposal_list proposals;
    struct offer offer;

    heir_proposals(sa, &proposals);
    offer_from_proposals(&offer, &proposals, IPSEC_NONE, spi, context->crypto, true);
    sa_payload_write(writer, &offer);
    v2_write_nonce(writer, buffer_slice(&creation->nonce_i));
}

static void write_child(const struct ike_sa *sa, const struct creation *creation,
                        struct v2_writer *writer)
{
    const struct child_sa *old = child_find(sa, creation->old_child);
    uint8_t spi[4];
    struct writer spi_writer = writer_of(spi, sizeof(spi));

    if (old != NULL) {
        writer_u32(&spi_writer, child_main(old)->spi_in);
        v2_write_notify(writer, v2_protocol_of(child_main(old)->protocol),
                        writer_slice(&spi_writer), V2_N_REKEY_SA, slice_of(NULL, 0));
    }
    child_write_offer(writer, creation->child, buffer_slice(&creation->nonce_i), creation->group,
                      creation->packet);
}

static enum status send_request(struct context *context, struct ike_sa *sa,
                                struct creation *creation, struct reason *reason)
{
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_CREATE_CHILD_SA, false);
    if (creation->kind == CREATE_REKEY_IKE)
        write_ike(context, sa, creation, &writer);
    else
        write_child(sa, creation, &writer);
    if (creation->group != GROUP_NONE)
        v2_write_ke(&writer, group_info(creation->group)->wire, buffer_slice(&creation->public));
    creation->state = CREATE_AWAIT_REPLY;
    return message_finish_request(context, sa, &writer, reason);
}

static enum status accept_ike(struct context *context, const struct ike_sa *sa,
                              struct creation *creation, const struct offer *answer,
                              struct reason *reason)
{
    struct suite_terms terms = {.with_group = true, .crypto = context->crypto};
    struct ike_sa *heir = creation->heir;
    struct proposal_list proposals;

    heir_proposals(sa, &proposals);
    enum status status = check_answer(&proposals, answer, &terms, &heir->suite, reason);

    if (status != STATUS_OK)
        return status;
    heir->spi_r = answer->proposals[0].spi.value;
    if (heir->spi_r == 0 || heir->suite.group != creation->group)
        return reason_set(reason, STATUS_CLOSE, 0, "the peer's IKE SA has no SPI or another group");
    if (!buffer_copy(&heir->handshake->nonce_i, buffer_slice(&creation->nonce_i)) ||
        !buffer_copy(&heir->handshake->nonce_r, buffer_slice(&creation->nonce_r)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    return STATUS_OK;
}

static enum status accept(struct context *context, struct ike_sa *sa, struct creation *creation,
                          const struct ike_message *message, struct reason *reason)
{
    const struct v2_payloads *payloads = &message->payloads;
    struct child_offer offer;
    struct slice nonce;
    enum status status =
        v2_nonce_parse(&nonce, v2_payloads_find(payloads, V2_NONCE, NULL)->body, reason);

    if (status == STATUS_OK && !buffer_copy(&creation->nonce_r, nonce))
        return STATUS_FAIL;
    if (status == STATUS_OK && creation->kind == CREATE_REKEY_IKE) {
        status = sa_payload_parse(&offer.sa, v2_payloads_find(payloads, V2_SA, NULL)->body, reason);
        return status == STATUS_OK ? accept_ike(context, sa, creation, &offer.sa, reason) : status;
    }
    if (status == STATUS_OK && (v2_payloads_find(payloads, V2_TSI, NULL) == NULL ||
                                v2_payloads_find(payloads, V2_TSR, NULL) == NULL))
        status = reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                            "the answer has no traffic selectors");
    if (status == STATUS_OK)
        status = child_offer_parse(&offer, message, reason);
    if (status == STATUS_OK)
        status = child_accept(context, sa, creation->child, child_find(sa, creation->old_child),
                              &offer, creation->group, reason);
    if (status == STATUS_OK && child_main(creation->child)->suite.group != creation->group)
        status = reason_set(reason, STATUS_CLOSE, 0, "the peer chose another group");
    if (status == STATUS_OK)
        status = child_check_others(context, sa, creation->child, reason);
    if (status == STATUS_OK)
        sa_table_claim(context->sas, sa, creation->child);
    return status;
}

/* The peer holds for made what we cannot or will not use.  What it made is deleted; where it was an
 * IKE SA, or the answer could not even be read, the two ends do not know the same any more, and the
 * whole is closed (section 2.21.3).  Either way with a Delete. */
static void give_up(struct context *context, struct ike_sa *sa, struct creation *creation,
                    const struct reason *reason)
{
    creation->state = CREATE_FAILED;
    creation->error = 0;
    creation->useless = true;
    creation->why = *reason;
    creation->closes = creation->kind == CREATE_REKEY_IKE ||
                       reason->code == FINDING_INVALID_SYNTAX ||
                       reason->code == FINDING_CRITICAL_PAYLOAD;
    if (creation->closes)
        return;
    child_undo(context, sa, creation->child);
    creation->child = NULL;
}

enum status create_reply_unread(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    message_request_done(context, sa);
    give_up(context, sa, ikev2_of(sa)->own, reason);
    return STATUS_OK;
}

/* The peer may have deleted the new child before we had it (section 1.3.1), and before its answer
 * is here. */
static bool is_deleted(struct creation *creation)
{
    for (size_t i = 0; i < CREATION_GONE_MAX && creation->child != NULL; i++)
        creation->deleted =
            creation->deleted || (creation->gone_spis[i] != 0 &&
                                  creation->gone_spis[i] == child_main(creation->child)->spi_out);
    if (!creation->deleted)
        return false;
    creation->state = CREATE_FAILED;
    creation->error = 0;
    creation->useless = true;
    (void)reason_set(&creation->why, STATUS_OK, 0, "the peer has deleted child %s at once",
                     creation->config->name);
    return true;
}

enum status create_reply(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason)
{
    struct creation *creation = ikev2_of(sa)->own;
    struct slice public = slice_of(NULL, 0);

    if (message_find_error(message) != 0)
        return create_reply_error(context, sa, message, reason);
    message_request_done(context, sa);
    enum status status = accept(context, sa, creation, message, reason);
    if (status == STATUS_OK && creation->group != GROUP_NONE)
        status = creation_parse_ke(message, creation->group, &public, reason);
    if (status == STATUS_FAIL)
        return status;
    if (status != STATUS_OK) {
        give_up(context, sa, creation, reason);
        return STATUS_OK;
    }
    if (is_deleted(creation))
        return STATUS_OK;
    if (creation->group == GROUP_NONE)
        return creation_install(context, sa, creation, false);
    step_begin(sa, &creation->step);
    creation->state = CREATE_AWAIT_SHARED;
    return creation_compute(context, sa, creation, public);
}

/* RFC 7296 section 1.3: again with the group that the responder names. */
static enum status follow_group(struct context *context, struct ike_sa *sa,
                                struct creation *creation, struct slice data)
{
    const struct proposal_list *list =
        creation->kind == CREATE_REKEY_IKE ? sa->connection->proposals : creation->config->esp;
    struct reader reader = reader_of(data);
    enum group group = group_from_wire(reader_u16(&reader));

    if (!reader_done(&reader) || group == creation->group ||
        !proposals_have_group(list, group, context->crypto) ||
        ++creation->groups_tried > GROUPS_MAX)
        return STATUS_DROP;
    creation->group = (uint8_t)group;
    secret_free(&creation->private);
    buffer_free(&creation->public);
    step_begin(sa, &creation->step);
    creation->state = CREATE_AWAIT_KEY;
    return creation_compute(context, sa, creation, slice_of(NULL, 0));
}

enum status create_reply_error(struct context *context, struct ike_sa *sa,
                               const struct ike_message *message, struct reason *reason)
{
    struct creation *creation = ikev2_of(sa)->own;
    struct v2_notify_body notify;
    uint16_t error = message_find_error(message);

    message_request_done(context, sa);
    count(context, COUNTER_ERRORS_RECEIVED);
    if (error == V2_N_INVALID_SYNTAX)
        return reason_set(reason, STATUS_CLOSE, 0, "the peer could not read our request");
    if (message_find_notify(message, V2_N_INVALID_KE_PAYLOAD, &notify) &&
        follow_group(context, sa, creation, notify.data) == STATUS_OK)
        return STATUS_OK;
    creation->state = CREATE_FAILED;
    creation->error = error == 0 ? V2_N_NO_PROPOSAL_CHOSEN : error;
    /* Beside an error, known or not, nothing counts (section 3.10.1); who sends more may hold it
     * for made all the same. */
    if (creation->child != NULL && v2_payloads_find(&message->payloads, V2_NONCE, NULL) != NULL) {
        child_undo(context, sa, creation->child);
        creation->child = NULL;
    }
    return STATUS_OK;
}

static enum status shared_ready(struct context *context, struct ike_sa *sa,
                                struct creation *creation, struct reason *reason)
{
    if (is_deleted(creation))
        return STATUS_OK;
    if (creation->kind != CREATE_REKEY_IKE)
        return creation_install(context, sa, creation, false);
    secret_take(&creation->heir->handshake->shared, &creation->shared);
    enum status status = heir_establish(context, sa, creation->heir, reason);
    creation->state = CREATE_DONE;
    return status;
}

static enum status installed(struct context *context, struct ike_sa *sa, struct creation *creation)
{
    if (is_deleted(creation))
        return STATUS_OK;
    child_list(context, sa, creation->child);
    count(context, COUNTER_CHILDREN);
    creation->state = CREATE_DONE;
    return STATUS_OK;
}

/* The peer has deleted what we were about to rekey: without it, we would ask for one child more. */
static bool is_pointless(const struct ike_sa *sa, const struct creation *creation)
{
    return creation->kind == CREATE_REKEY_CHILD && child_find(sa, creation->old_child) == NULL;
}

enum status create_own_continue(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct creation *creation = ikev2_of(sa)->own;
    enum creation_state state = creation->state;

    if (creation->step.status != STATUS_OK) {
        /* Before the request left, nobody knows of it; afterwards the peer holds it for made. */
        creation->state = CREATE_FAILED;
        creation->error = 0;
        if (state != CREATE_AWAIT_KEY && !is_deleted(creation))
            give_up(context, sa, creation, reason);
        return STATUS_OK;
    }
    if (state == CREATE_AWAIT_KEY && is_pointless(sa, creation)) {
        creation->state = CREATE_FAILED;
        creation->error = V2_N_CHILD_SA_NOT_FOUND;
        return STATUS_OK;
    }
    if (state == CREATE_AWAIT_KEY)
        return send_request(context, sa, creation, reason);
    if (state == CREATE_AWAIT_SHARED)
        return shared_ready(context, sa, creation, reason);
    return installed(context, sa, creation);
}
