/*
 * The table of messages: which may come in which state, with which payloads.  See exchange.h.
 * Payload counts are from RFC 7296 appendix C; what iked has no use for yet (CERT, CERTREQ, CP,
 * EAP) is let in where the RFC allows it and then not looked at.
 */
#include "lib/ikev2/exchange.h"

#include "lib/ikev2/ike_message.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

#define NOTIFIES_MAX 24
#define VENDORS_MAX  24
#define CERTS_MAX    16

#define STATE(name) (1u << IKE_##name)

#define ALWAYS_ALLOWED                                         \
    {V2_NOTIFY, 0, NOTIFIES_MAX}, {V2_VENDOR, 0, VENDORS_MAX}, \
    {                                                          \
        0, 0, 0                                                \
    }

const struct v2_payload_rule init_request_rules[] = {
    {V2_SA, 1, 1}, {V2_KE, 1, 1}, {V2_NONCE, 1, 1}, ALWAYS_ALLOWED};

static const struct v2_payload_rule init_reply_rules[] = {
    {V2_SA, 1, 1}, {V2_KE, 1, 1}, {V2_NONCE, 1, 1}, {V2_CERTREQ, 0, CERTS_MAX}, ALWAYS_ALLOWED};

static const struct v2_payload_rule init_reply_notify_rules[] = {ALWAYS_ALLOWED};

/* Without AUTH the initiator asks for EAP; that is for auth_request to refuse.  A child is asked
 * for by all three of SA, TSi and TSr, or none is asked for (RFC 6023 section 5). */
static const struct v2_payload_rule auth_request_rules[] = {
    {V2_IDI, 1, 1}, {V2_IDR, 0, 1},          {V2_AUTH, 0, 1},
    {V2_SA, 1, 1},  {V2_TSI, 1, 1},          {V2_TSR, 1, 1},
    {V2_CP, 0, 1},  {V2_CERT, 0, CERTS_MAX}, {V2_CERTREQ, 0, CERTS_MAX},
    ALWAYS_ALLOWED};

static const struct v2_payload_rule childless_request_rules[] = {
    {V2_IDI, 1, 1}, {V2_IDR, 0, 1},          {V2_AUTH, 0, 1},
    {V2_CP, 0, 1},  {V2_CERT, 0, CERTS_MAX}, {V2_CERTREQ, 0, CERTS_MAX},
    ALWAYS_ALLOWED};

static const struct v2_payload_rule auth_reply_rules[] = {
    {V2_IDR, 1, 1}, {V2_AUTH, 1, 1}, {V2_SA, 0, 1},           {V2_TSI, 0, 1},
    {V2_TSR, 0, 1}, {V2_CP, 0, 1},   {V2_CERT, 0, CERTS_MAX}, ALWAYS_ALLOWED};

/* Some responders name themselves beside the error. */
static const struct v2_payload_rule auth_reply_error_rules[] = {
    {V2_IDR, 0, 1}, {V2_EAP, 0, 1}, {V2_CERT, 0, CERTS_MAX}, ALWAYS_ALLOWED};

static const struct v2_payload_rule create_child_request_rules[] = {
    {V2_SA, 1, 1},  {V2_NONCE, 1, 1}, {V2_KE, 0, 1}, {V2_TSI, 0, 1},
    {V2_TSR, 0, 1}, {V2_CP, 0, 1},    ALWAYS_ALLOWED};

static const struct v2_payload_rule create_reply_rules[] = {
    {V2_SA, 1, 1},  {V2_NONCE, 1, 1}, {V2_KE, 0, 1}, {V2_TSI, 0, 1},
    {V2_TSR, 0, 1}, {V2_CP, 0, 1},    ALWAYS_ALLOWED};

/* Some responders send more beside an error. */
static const struct v2_payload_rule create_reply_error_rules[] = {
    {V2_NONCE, 0, 1}, {V2_KE, 0, 1}, {V2_TSI, 0, 1}, {V2_TSR, 0, 1}, ALWAYS_ALLOWED};

static const struct v2_payload_rule informational_rules[] = {
    {V2_DELETE, 0, 8}, {V2_CP, 0, 1}, ALWAYS_ALLOWED};

static const struct exchange_row rows[] = {
    {V2_IKE_SA_INIT, true, false, ROLE_INITIATOR, V2_SA, STATE(AWAIT_INIT_REPLY), init_reply_rules,
     init_reply},
    {V2_IKE_SA_INIT, true, false, ROLE_INITIATOR, 0, STATE(AWAIT_INIT_REPLY),
     init_reply_notify_rules, init_reply_notify},
    {V2_IKE_AUTH, false, true, ROLE_RESPONDER, V2_SA, STATE(AWAIT_AUTH_REQUEST), auth_request_rules,
     auth_request},
    {V2_IKE_AUTH, false, true, ROLE_RESPONDER, 0, STATE(AWAIT_AUTH_REQUEST),
     childless_request_rules, auth_request},
    {V2_IKE_AUTH, true, true, ROLE_INITIATOR, V2_AUTH, STATE(AWAIT_AUTH_REPLY), auth_reply_rules,
     auth_reply},
    {V2_IKE_AUTH, true, true, ROLE_INITIATOR, 0, STATE(AWAIT_AUTH_REPLY), auth_reply_error_rules,
     auth_reply_error},
    {V2_CREATE_CHILD_SA, false, true, ROLE_EITHER, 0,
     STATE(ESTABLISHED) | STATE(AWAIT_DELETE_REPLY), create_child_request_rules,
     create_child_request},
    {V2_CREATE_CHILD_SA, true, true, ROLE_EITHER, V2_SA, STATE(ESTABLISHED), create_reply_rules,
     create_reply},
    {V2_CREATE_CHILD_SA, true, true, ROLE_EITHER, 0, STATE(ESTABLISHED), create_reply_error_rules,
     create_reply_error},
    {V2_INFORMATIONAL, false, true, ROLE_EITHER, 0, STATE(ESTABLISHED) | STATE(AWAIT_DELETE_REPLY),
     informational_rules, informational_request},
    {V2_INFORMATIONAL, true, true, ROLE_EITHER, 0, STATE(ESTABLISHED) | STATE(AWAIT_DELETE_REPLY),
     informational_rules, informational_reply},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool row_fits(const struct exchange_row *row, const struct ike_sa *sa,
                     const struct ike_header *header)
{
    uint8_t role = sa->initiator ? ROLE_INITIATOR : ROLE_RESPONDER;

    return row->exchange == header->exchange &&
           row->response == ((header->flags & V2_FLAG_RESPONSE) != 0) && (row->role & role) != 0 &&
           (row->states & (1u << sa->state)) != 0;
}

bool exchange_expected(const struct ike_sa *sa, const struct ike_header *header, bool *sealed)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (row_fits(&rows[i], sa, header)) {
            *sealed = rows[i].sealed;
            return true;
        }
    }
    return false;
}

const struct exchange_row *exchange_find(const struct ike_sa *sa, const struct ike_message *message)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (row_fits(&rows[i], sa, &message->header) &&
            (rows[i].marker == 0 ||
             v2_payloads_find(&message->payloads, rows[i].marker, NULL) != NULL))
            return &rows[i];
    return NULL;
}
