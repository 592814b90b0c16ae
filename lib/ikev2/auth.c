/*
 * What both roles of IKE_AUTH share: see auth.h.
 */
#include "lib/ikev2/auth.h"

#include <string.h>

#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

struct effect_psk_auth *auth_ask_vault(struct context *context, struct ike_sa *sa,
                                       const struct identity *remote_id)
{
    struct effect *effect = step_effect(context, sa, &sa->handshake->step, EFFECT_PSK_AUTH);

    if (effect == NULL)
        return NULL;
    struct effect_psk_auth *sign = &effect->psk_auth;
    name_of_config(&sign->connection, sa->connection->name);
    sign->prf = sa->suite.prf;
    sign->local_id = identity_copy(sa->connection->local_id);
    sign->remote_id = identity_copy(remote_id);
    return sign;
}

/* The identity in a message's IDi or IDr. */
enum status auth_parse_identity(const struct ike_message *message, uint8_t payload,
                                struct identity *identity, struct reason *reason)
{
    struct v2_id id;
    enum status status =
        v2_id_parse(&id, v2_payloads_find(&message->payloads, payload, NULL)->body, reason);

    if (status != STATUS_OK)
        return status;
    *identity = identity_of(id.type, id.data);
    if (identity->type == IDENTITY_ANY)
        return reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                          "the peer's identity of type %u has %zu octets", id.type, id.data.size);
    return STATUS_OK;
}

bool auth_find_lifetime(const struct ike_message *message, uint32_t *seconds)
{
    struct v2_notify_body notify;

    if (!message_find_notify(message, V2_N_AUTH_LIFETIME, &notify))
        return false;
    struct reader reader = reader_of(notify.data);
    *seconds = reader_u32(&reader);
    return reader_done(&reader);
}

enum status auth_parse_method(const struct ike_message *message, const struct prf_info *prf,
                              struct v2_auth *auth, struct reason *reason)
{
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, V2_AUTH, NULL);

    if (item == NULL)
        return reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                          "the peer wants EAP, which is not offered");
    enum status status = v2_auth_parse(auth, item->body, reason);
    if (status != STATUS_OK)
        return status;
    if (auth->method != V2_AUTH_PSK || auth->data.size != prf->size)
        return reason_set(reason, STATUS_REJECT, FINDING_AUTHENTICATION_FAILED,
                          "the peer authenticates by method %u with %zu octets, expected a "
                          "pre-shared key (method 2) with %u",
                          auth->method, auth->data.size, prf->size);
    return STATUS_OK;
}
