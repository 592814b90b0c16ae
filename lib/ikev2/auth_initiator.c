/*
 * IKE_AUTH, initiator.  RFC 7296 sections 1.2, 2.15, 2.21.2; RFC 6023 section 5.
 *
 *                                              SIGN our AUTH, ALLOCATE_SPI
 *   HDR, SK {IDi, [N(INITIAL_CONTACT)], [IDr],
 *            AUTH, [N(USE_TRANSPORT_MODE)],
 *            SAi2, TSi, TSr}            -->
 *                                       <--    HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
 *                                              SIGN: the peer's AUTH is checked
 *                                              INSTALL_SA in and out
 *   or                                  <--    HDR, SK {IDr, AUTH, N(error)}     no child
 *   or                                  <--    HDR, SK {N(AUTHENTICATION_FAILED)}
 *
 *   HDR, SK {IDi, [N], [IDr], AUTH}     -->    when we want it so and the responder can
 *                                       <--    HDR, SK {IDr, AUTH}
 */
#include <string.h>

#include "lib/ikev2/auth.h"
#include "lib/ikev2/child.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/keys.h"
#include "lib/ikev2/mobike.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/policy/choose.h"
#include "lib/policy/match.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/child_narrow.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

/* ID types are IANA's numbers on either side (RFC 7296 section 3.5), so nothing is translated. */
#define ID_TYPE_IS(name) ((int)V2_ID_##name == (int)IDENTITY_##name)
_Static_assert(ID_TYPE_IS(IPV4_ADDR) && ID_TYPE_IS(IPV6_ADDR) && ID_TYPE_IS(FQDN) &&
                   ID_TYPE_IS(RFC822_ADDR) && ID_TYPE_IS(DER_ASN1_DN) && ID_TYPE_IS(KEY_ID),
               "struct identity has the wire's numbers");

enum status auth_start(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    const struct connection *connection = sa->connection;

    ike_sa_step(sa, IKE_AWAIT_SIGN);
    if (!sa->lone) {
        sa->handshake->child = child_propose(context, sa, sa->handshake->wanted, sa->packet);
        if (sa->handshake->child == NULL || child_ask_spi(context, sa, &sa->handshake->step,
                                                          sa->handshake->child, true) != STATUS_OK)
            return step_fault(context, reason);
    }
    struct effect_psk_auth *sign = auth_ask_vault(context, sa, connection->remote_id);
    if (sign == NULL ||
        keys_auth_octets(context, sa, true, connection->local_id, &sign->own_octets) != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "the provider failed, or memory is out");
    return STATUS_OK;
}

enum status auth_request_send(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    const struct connection *connection = sa->connection;
    struct handshake *handshake = sa->handshake;
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_IKE_AUTH, false);
    v2_write_id(&writer, V2_IDI, connection->local_id->type,
                slice_of(connection->local_id->data, connection->local_id->size));
    if (handshake->initial_contact)
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_INITIAL_CONTACT,
                        slice_of(NULL, 0));
    if (connection->remote_id->type != IDENTITY_ANY)
        v2_write_id(&writer, V2_IDR, connection->remote_id->type,
                    slice_of(connection->remote_id->data, connection->remote_id->size));
    v2_write_auth(&writer, V2_AUTH_PSK, buffer_slice(&handshake->auth));
    if (handshake->child != NULL)
        child_write_offer(&writer, handshake->child, slice_of(NULL, 0), GROUP_NONE, sa->packet);
    if (mobike_wanted(sa))
        mobike_offer(&writer);
    sa->state = IKE_AWAIT_AUTH_REPLY;
    return message_finish_request(context, sa, &writer, reason);
}

/* RFC 6023 section 5: no child was asked for, and none may come. */
static enum status take_no_child(const struct ike_message *message, struct reason *reason)
{
    uint16_t error = message_find_error(message);

    if (error != 0)
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer answered IKE_AUTH without a child by %s",
                          v2_notify_name(error));
    if (v2_payloads_find(&message->payloads, V2_SA, NULL) != NULL ||
        v2_payloads_find(&message->payloads, V2_TSI, NULL) != NULL ||
        v2_payloads_find(&message->payloads, V2_TSR, NULL) != NULL)
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer answered IKE_AUTH without a child by one");
    return STATUS_OK;
}

/* Takes the child's part of the reply; without one the IKE SA stands alone. */
static enum status take_child(struct context *context, struct ike_sa *sa,
                              const struct ike_message *message, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    struct child_offer answer;
    uint16_t error = message_find_error(message);
    bool whole = v2_payloads_find(&message->payloads, V2_SA, NULL) != NULL &&
                 v2_payloads_find(&message->payloads, V2_TSI, NULL) != NULL &&
                 v2_payloads_find(&message->payloads, V2_TSR, NULL) != NULL;

    if (error != 0 || !whole) {
        count(context, COUNTER_ERRORS_RECEIVED);
        return reason_set(reason, STATUS_CLOSE, 0, "the peer refused child %s with %s%s",
                          handshake->child->config->name,
                          error != 0 ? v2_notify_name(error) : "no word", child_advice(error));
    }
    enum status status = child_offer_parse(&answer, message, reason);
    if (status == STATUS_OK)
        status = child_accept(context, sa, handshake->child, NULL, &answer, GROUP_NONE, reason);
    return status == STATUS_OK ? STATUS_OK : STATUS_CLOSE;
}

enum status auth_reply(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message, struct reason *reason)
{
    const struct connection *connection = sa->connection;
    struct identity remote_id;
    struct v2_auth auth;
    char expected[IDENTITY_MAX];
    char got[IDENTITY_MAX];

    message_request_done(context, sa);
    enum status status = auth_parse_identity(message, V2_IDR, &remote_id, reason);
    if (status == STATUS_OK)
        status = auth_parse_method(message, prf_info(sa->suite.prf), &auth, reason);
    if (status != STATUS_OK)
        return STATUS_CLOSE;
    if (!connection_accepts(connection, connection->local_id, &remote_id))
        return reason_set(reason, STATUS_CLOSE, FINDING_AUTHENTICATION_FAILED,
                          "the peer is %s, expected %s",
                          identity_text(&remote_id, got, sizeof(got)),
                          identity_text(connection->remote_id, expected, sizeof(expected)));
    if (connection_is_self(connection, &remote_id))
        return reason_set(reason, STATUS_CLOSE, FINDING_AUTHENTICATION_FAILED,
                          "the peer says that it is %s, which is our own id",
                          identity_text(&remote_id, got, sizeof(got)));
    if (!auth_find_lifetime(message, &sa->handshake->auth_life_s))
        sa->handshake->auth_life_s = 0;
    status = sa->lone ? take_no_child(message, &sa->handshake->refusal)
                      : take_child(context, sa, message, &sa->handshake->refusal);
    if (status != STATUS_OK)
        sa->handshake->child_error = V2_N_NO_PROPOSAL_CHOSEN;
    /* RFC 7296 section 2.9: what it was asked for is to be asked for once more, with one pair. */
    bool single = status != STATUS_OK && !sa->lone && !(sa->packet != NULL && sa->packet->pair) &&
                  message_find_error(message) == V2_N_SINGLE_PAIR_REQUIRED;
    sa->handshake->single_pair = single;
    if (single)
        sa->handshake->child_error = V2_N_SINGLE_PAIR_REQUIRED;
    else if (!sa->lone)
        ike_sa_drop_packet(sa);
    sa->remote_id_type = remote_id.type;
    mobike_agree(context, sa, message);
    ike_sa_step(sa, IKE_AWAIT_VERIFY);
    struct effect_psk_auth *sign = auth_ask_vault(context, sa, &remote_id);
    if (sign == NULL || !buffer_copy(&sa->remote_id, slice_of(remote_id.data, remote_id.size)) ||
        !buffer_copy(&sign->peer_auth, auth.data) ||
        keys_auth_octets(context, sa, false, &remote_id, &sign->peer_octets) != STATUS_OK)
        return reason_set(reason, STATUS_FAIL, 0, "the provider failed, or memory is out");
    return STATUS_OK;
}

enum status auth_reply_error(struct context *context, struct ike_sa *sa,
                             const struct ike_message *message, struct reason *reason)
{
    uint16_t error = message_find_error(message);

    message_request_done(context, sa);
    count(context, COUNTER_ERRORS_RECEIVED);
    return reason_set(reason, STATUS_CLOSE, 0, "the peer answered IKE_AUTH with %s%s",
                      error == 0 ? "neither AUTH nor an error" : v2_notify_name(error),
                      error == V2_N_AUTHENTICATION_FAILED
                          ? ": compare the secret and the identities of both ends"
                          : "");
}
