/*
 * IKE_SA_INIT, responder.  RFC 7296 sections 1.2, 2.6, 2.7, 2.14 and 2.21.1; RFC 6023
 * sections 3 and 4.
 *
 *   HDR(SPIi, 0), SAi1, KEi, Ni  -->
 *                                      COMPUTE: our public value and g^ir
 *                                <--   HDR(SPIi, SPIr), SAr1, KEr, Nr
 *
 * What cannot be answered well is answered without leaving state: INVALID_KE_PAYLOAD,
 * NO_PROPOSAL_CHOSEN, INVALID_SYNTAX.  COOKIE is the engine's admission.
 */
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/nat.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/ikev2/trace.h"
#include "lib/policy/choose.h"
#include "lib/policy/match.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

#define NONCE_SIZE 32

/* The first of the connections between the two hosts that can agree; the reason of the first that
 * cannot is kept, because it is the most fitting one. */
static const struct connection *choose(const struct context *context,
                                       const struct ike_message *message, const struct offer *offer,
                                       enum group group, struct suite *suite, uint8_t *number,
                                       struct reason *reason)
{
    struct suite_terms terms = {
        .with_group = true,
        .prefer_group = group,
        .crypto = context->crypto,
    };
    const struct connection *connection = NULL;
    const struct offer_proposal *chosen;
    struct reason later;
    bool first = true;

    reason_set(reason, STATUS_DROP, 0, "no connection is configured for this peer");
    while ((connection = choose_connection(context->config, message->header.version >> 4,
                                           &message->local, &message->remote, connection)) !=
           NULL) {
        if (choose_suite(connection->proposals, offer, &terms, suite, &chosen,
                         first ? reason : &later) == STATUS_OK) {
            *number = chosen->number;
            return connection;
        }
        first = false;
    }
    return NULL;
}

static enum status open_sa(struct context *context, struct ike_sa *sa, const struct v2_ke *ke,
                           struct slice nonce_i, const struct ike_message *message,
                           struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    const struct group_info *group = group_info(sa->suite.group);
    uint8_t nonce_r[NONCE_SIZE];

    context->random(context->random_context, nonce_r, sizeof(nonce_r));
    ike_sa_step(sa, IKE_AWAIT_SHARED);
    if (!buffer_copy(&handshake->nonce_i, nonce_i) ||
        !buffer_copy(&handshake->nonce_r, slice_of(nonce_r, sizeof(nonce_r))) ||
        !buffer_copy(&handshake->init_request, slice_of(message->data, message->size)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    struct effect *effect = step_effect(context, sa, &sa->handshake->step, EFFECT_COMPUTE);
    if (effect == NULL || !secret_new(&effect->compute.private, group->private_size) ||
        !buffer_copy(&effect->compute.peer_public, ke->data))
        return step_fault(context, reason);
    context->random(context->random_context, effect->compute.private.data,
                    effect->compute.private.size);
    effect->compute.want_public = true;
    effect->compute.group = sa->suite.group;
    return STATUS_OK;
}

enum status init_request(struct context *context, const struct protocol *protocol,
                         const struct ike_message *message, struct ike_sa **sa, uint16_t *group,
                         struct reason *reason)
{
    const struct v2_payloads *payloads = &message->payloads;
    struct offer offer;
    struct v2_ke ke;
    struct slice nonce;
    struct suite suite;
    uint8_t number;
    enum status status = v2_payloads_check(payloads, init_request_rules, reason);

    if (status == STATUS_OK)
        status = sa_payload_parse(&offer, v2_payloads_find(payloads, V2_SA, NULL)->body, reason);
    if (status == STATUS_OK)
        status = v2_ke_parse(&ke, v2_payloads_find(payloads, V2_KE, NULL)->body, reason);
    if (status == STATUS_OK)
        status = v2_nonce_parse(&nonce, v2_payloads_find(payloads, V2_NONCE, NULL)->body, reason);
    if (status != STATUS_OK)
        return status;

    const struct connection *connection =
        choose(context, message, &offer, group_from_wire(ke.group), &suite, &number, reason);
    if (connection == NULL) {
        if (reason->code == FINDING_NONE)
            count(context, COUNTER_DROP_NO_CONNECTION);
        return reason->code == FINDING_NONE ? STATUS_DROP : STATUS_REJECT;
    }
    *group = group_info(suite.group)->wire;
    status = message_check_ke(&ke, suite.group, reason);
    if (status != STATUS_OK)
        return status;
    *sa = ike_sa_new(context, protocol, connection, &message->local, &message->remote,
                     message->header.spi_i);
    if (*sa == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    (*sa)->suite = suite;
    ikev2_of(*sa)->fragments = fragment_agreed(*sa, message);
    nat_take(context, *sa, message);
    (*sa)->handshake->init_proposal = number;
    return open_sa(context, *sa, &ke, nonce, message, reason);
}

enum status init_respond(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    struct v2_writer writer;
    struct offer answer;

    message_begin(context, sa, &writer, V2_IKE_SA_INIT, true);
    offer_from_suite(&answer, &sa->suite, handshake->init_proposal, IPSEC_NONE,
                     (struct offer_spi){0}, true);
    sa_payload_write(&writer, &answer);
    v2_write_ke(&writer, group_info(sa->suite.group)->wire, buffer_slice(&handshake->public));
    v2_write_nonce(&writer, buffer_slice(&handshake->nonce_r));
    if (ikev2_of(sa)->nat_known)
        nat_write_detection(context, sa, &writer, &sa->local, &sa->remote);
    if (ikev2_of(sa)->fragments)
        fragment_offer(&writer);
    v2_write_notify(&writer, V2_PROTOCOL_IKE, slice_of(NULL, 0), V2_N_CHILDLESS_IKEV2_SUPPORTED,
                    slice_of(NULL, 0));
    if (!v2_message_end(&writer))
        return reason_set(reason, STATUS_FAIL, 0, "IKE_SA_INIT does not fit a datagram");
    if (!buffer_copy(&handshake->init_response, writer_slice(&writer.bytes)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    buffer_free(&handshake->public);
    sa->state = IKE_AWAIT_AUTH_REQUEST;
    return message_send_response(context, sa, buffer_slice(&handshake->init_response));
}
