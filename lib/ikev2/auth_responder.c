/*
 * IKE_AUTH, responder.  RFC 7296 sections 1.2, 2.9, 2.15 and 2.21.2; RFC 6023 section 5.
 *
 *   HDR, SK {IDi, [IDr], AUTH, SAi2, TSi, TSr}  -->
 *                                      SIGN: the peer's AUTH is checked, then ours is made
 *                                      ALLOCATE_SPI
 *                                      INSTALL_SA in and out, before the reply leaves
 *                               <--    HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
 *   or, without a fitting child <--    HDR, SK {IDr, AUTH, N(error)}
 *   or                          <--    HDR, SK {N(AUTHENTICATION_FAILED)}
 *
 *   HDR, SK {IDi, [IDr], AUTH}  -->
 *                               <--    HDR, SK {IDr, AUTH}
 */
#include <string.h>

#include "lib/ikev2/auth.h"
#include "lib/ikev2/child.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/finding.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/keys.h"
#include "lib/ikev2/mobike.h"
#include "lib/policy/choose.h"
#include "lib/policy/match.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

static const struct connection *choose_by_identity(const struct context *context,
                                                   const struct ike_sa *sa,
                                                   const struct identity *local,
                                                   const struct identity *remote,
                                                   struct reason *reason)
{
    const struct connection *connection = NULL;
    char id[IDENTITY_MAX];

    reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
               "no connection with this host is for the identity %s",
               identity_text(remote, id, sizeof(id)));
    while ((connection = choose_connection(context->config, sa->protocol->version, &sa->local,
                                           &sa->remote, connection)) != NULL) {
        if (!connection_accepts(connection, NULL, remote))
            continue;
        if (connection_is_self(connection, remote)) {
            reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                       "the peer says that it is %s, which is our own id in connection %s",
                       identity_text(remote, id, sizeof(id)), connection->name);
            continue;
        }
        if (!connection_accepts(connection, local, remote)) {
            reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                       "the peer expects us to be %s, which is not the local id of connection %s",
                       identity_text(local, id, sizeof(id)), connection->name);
            continue;
        }
        /* IKE_SA_INIT was answered for whichever came first. */
        if (proposals_allow(connection->proposals, &sa->suite))
            return connection;
        reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                   "connection %s does not allow the algorithms agreed in IKE_SA_INIT",
                   connection->name);
    }
    return NULL;
}

/* Asks for all that the reply needs, in one step. */
static enum status ask(struct context *context, struct ike_sa *sa, const struct identity *remote_id,
                       const struct v2_auth *auth)
{
    ike_sa_step(sa, IKE_AWAIT_VERIFY);
    struct effect_psk_auth *sign = auth_ask_vault(context, sa, remote_id);
    if (sign == NULL || !buffer_copy(&sign->peer_auth, auth->data) ||
        keys_auth_octets(context, sa, true, remote_id, &sign->peer_octets) != STATUS_OK ||
        keys_auth_octets(context, sa, false, sa->connection->local_id, &sign->own_octets) !=
            STATUS_OK)
        return STATUS_FAIL;
    if (sa->handshake->child == NULL)
        return STATUS_OK;
    return child_ask_spi(context, sa, &sa->handshake->step, sa->handshake->child, false);
}

/* A child that cannot be is no end of the IKE SA: the reply says why. */
static enum status choose_child(struct context *context, struct ike_sa *sa,
                                const struct child_offer *offer)
{
    struct handshake *handshake = sa->handshake;
    struct child_request request = {.offer = offer};
    enum status status = child_choose(context, sa, &request, &handshake->child,
                                      &handshake->child_proposal, &handshake->refusal);

    if (status == STATUS_OK) /* several may be for these two: the one that the child is of */
        sa->connection = handshake->child->config->connection;
    if (status != STATUS_REJECT)
        return status;
    handshake->child_error = finding_notify(handshake->refusal.code);
    return STATUS_OK;
}

enum status auth_request(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    struct identity remote_id;
    struct identity local_id;
    struct v2_auth auth;
    struct child_offer offer;
    struct v2_notify_body notify;
    bool names_us = v2_payloads_find(&message->payloads, V2_IDR, NULL) != NULL;
    bool lone = v2_payloads_find(&message->payloads, V2_SA, NULL) == NULL;
    enum status status = auth_parse_identity(message, V2_IDI, &remote_id, reason);

    if (status == STATUS_OK && names_us)
        status = auth_parse_identity(message, V2_IDR, &local_id, reason);
    if (status == STATUS_OK)
        status = auth_parse_method(message, prf_info(sa->suite.prf), &auth, reason);
    if (status == STATUS_OK && !lone)
        status = child_offer_parse(&offer, message, reason);
    if (status == STATUS_REJECT && reason->code == FINDING_TS_UNACCEPTABLE)
        status = STATUS_OK; /* the child's matter: child_choose finds no selector then */
    if (status != STATUS_OK)
        return status;
    const struct connection *connection =
        choose_by_identity(context, sa, names_us ? &local_id : NULL, &remote_id, reason);
    if (connection == NULL)
        return STATUS_REJECT;

    sa->connection = connection;
    sa->lone = lone;
    sa->remote_id_type = remote_id.type;
    handshake->initial_contact = message_find_notify(message, V2_N_INITIAL_CONTACT, &notify);
    if (!buffer_copy(&sa->remote_id, slice_of(remote_id.data, remote_id.size)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    if (!lone && choose_child(context, sa, &offer) != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "%s", handshake->refusal.text);
    mobike_agree(context, sa, message);
    if (ask(context, sa, &remote_id, &auth) != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "the provider failed, or memory is out");
    return STATUS_OK;
}

/* RFC 4478: the initiator is to authenticate again in time. */
static void write_lifetime(struct v2_writer *writer, uint32_t seconds)
{
    uint8_t bytes[4];
    struct writer data = writer_of(bytes, sizeof(bytes));

    if (seconds == 0)
        return;
    writer_u32(&data, seconds);
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_AUTH_LIFETIME,
                    writer_slice(&data));
}

enum status auth_respond(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    const struct identity *local_id = sa->connection->local_id;
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_IKE_AUTH, true);
    v2_write_id(&writer, V2_IDR, local_id->type, slice_of(local_id->data, local_id->size));
    v2_write_auth(&writer, V2_AUTH_PSK, buffer_slice(&handshake->auth));
    write_lifetime(&writer, sa->connection->reauth_s);
    if (handshake->child != NULL)
        child_write_answer(&writer, handshake->child, handshake->child_proposal, slice_of(NULL, 0),
                           false);
    else if (handshake->child_error != 0)
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), handshake->child_error,
                        slice_of(NULL, 0));
    if (ikev2_of(sa)->mobike)
        mobike_offer(&writer);
    sa->state = IKE_ESTABLISHED;
    return message_finish_response(context, sa, &writer, reason);
}
