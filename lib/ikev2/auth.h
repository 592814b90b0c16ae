/*
 * What both roles of IKE_AUTH share.  RFC 7296 sections 2.15 and 3.5.
 */
#ifndef LIB_IKEV2_AUTH_H
#define LIB_IKEV2_AUTH_H

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/message.h"

/* A SIGN effect of the SA's step, to be given octets by the caller; NULL when memory is out. */
struct effect_psk_auth *auth_ask_vault(struct context *context, struct ike_sa *sa,
                                       const struct identity *remote_id);

/* The identity in IDi or IDr (`payload`), which the message has. */
MUST_USE enum status auth_parse_identity(const struct ike_message *message, uint8_t payload,
                                         struct identity *identity, struct reason *reason);

/* AUTH_LIFETIME (RFC 4478): the seconds after which the responder wants the initiator to
 * authenticate again.  False when it is not there. */
bool auth_find_lifetime(const struct ike_message *message, uint32_t *seconds);

/* The AUTH payload: STATUS_REJECT with AUTHENTICATION_FAILED unless it is there and made with a
 * pre-shared key by this prf. */
MUST_USE enum status auth_parse_method(const struct ike_message *message,
                                       const struct prf_info *prf, struct v2_auth *auth,
                                       struct reason *reason);

#endif
