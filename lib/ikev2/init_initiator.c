/*
 * IKE_SA_INIT, initiator.  RFC 7296 sections 1.2, 2.6, 2.7 and 2.14.
 *
 *   HDR(SPIi, 0), [N(COOKIE)], SAi1, KEi, Ni  -->
 *                                             <--  HDR(SPIi, SPIr), SAr1, KEr, Nr
 *   or                                        <--  N(COOKIE)              the same again with it
 *   or                                        <--  N(INVALID_KE_PAYLOAD)  again with that group
 *   or                                        <--  N(error)
 *
 * Nothing here is authenticated yet, so an error does not end the attempt at once: a forged one
 * would.  It is remembered, and a better answer may still come for a short while.
 */
#include <string.h>

#include "lib/ikev2/exchange.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/keys.h"
#include "lib/ikev2/nat.h"
#include "lib/ikev2/sa_payload.h"
#include "lib/policy/choose.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/sa/timer.h"
#include "lib/wire/ikev2.h"

#define NONCE_SIZE      32 /* at least half the key of the prf: RFC 7296 section 2.10 */
#define COOKIES_MAX     4  /* how often we follow a request for a cookie */
#define COOKIE_SIZE_MAX 64 /* RFC 7296 section 2.6 */
#define GROUPS_MAX      4  /* how often we follow an INVALID_KE_PAYLOAD */
#define REFUSED_WAIT_MS 1000

static enum status ask_key(struct context *context, struct ike_sa *sa, enum group group,
                           struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    const struct group_info *info = group_info(group);

    ike_sa_step(sa, IKE_AWAIT_KEY);
    sa->suite.group = (uint8_t)group;
    if (!secret_new(&handshake->private, info->private_size))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    context->random(context->random_context, handshake->private.data, handshake->private.size);
    struct effect *effect = step_effect(context, sa, &sa->handshake->step, EFFECT_COMPUTE);
    if (effect == NULL)
        return step_fault(context, reason);
    effect->compute.want_public = true;
    effect->compute.group = (uint8_t)group;
    if (sa->local.family == FAMILY_NONE && !ike_sa_find_source(context, sa, &handshake->step))
        return step_fault(context, reason);
    if (!secret_copy(&effect->compute.private, secret_slice(&handshake->private)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    return STATUS_OK;
}

enum status init_start(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    uint8_t nonce[NONCE_SIZE];
    enum group group = proposals_first_group(sa->connection->proposals, context->crypto);

    if (group == GROUP_NONE)
        return reason_set(reason, STATUS_FAIL, 0, "none of the configured groups is available");
    context->random(context->random_context, nonce, sizeof(nonce));
    if (!buffer_copy(&sa->handshake->nonce_i, slice_of(nonce, sizeof(nonce))))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    return ask_key(context, sa, group, reason);
}

/* Sends the request, first or again with a cookie or another group: always message ID 0. */
static enum status send_request(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    struct v2_writer writer;
    struct offer offer;

    message_begin(context, sa, &writer, V2_IKE_SA_INIT, false);
    if (handshake->cookie.size > 0)
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_COOKIE,
                        buffer_slice(&handshake->cookie));
    offer_from_proposals(&offer, sa->connection->proposals, IPSEC_NONE, (struct offer_spi){0},
                         context->crypto, true);
    sa_payload_write(&writer, &offer);
    v2_write_ke(&writer, group_info(sa->suite.group)->wire, buffer_slice(&handshake->public));
    v2_write_nonce(&writer, buffer_slice(&handshake->nonce_i));
    nat_write_detection(context, sa, &writer, &sa->local, &sa->remote);
    if (sa->connection->fragmentation)
        fragment_offer(&writer);
    if (!v2_message_end(&writer))
        return reason_set(reason, STATUS_FAIL, 0, "IKE_SA_INIT does not fit a datagram");
    if (!buffer_copy(&handshake->init_request, writer_slice(&writer.bytes)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    sa->state = IKE_AWAIT_INIT_REPLY;
    handshake->init_refused = false;
    ike_sa_timer_stop(context, &sa->expire);
    return message_send_request(context, sa, buffer_slice(&handshake->init_request));
}

/* The answer to ask_key has come. */
enum status init_request_send(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    report(context, sa, SEVERITY_DEBUG, "init-sent", "IKE_SA_INIT request with %s",
           group_info(sa->suite.group)->name);
    return send_request(context, sa, reason);
}

enum status init_reply(struct context *context, struct ike_sa *sa,
                       const struct ike_message *message, struct reason *reason)
{
    struct handshake *handshake = sa->handshake;
    const struct v2_payloads *payloads = &message->payloads;
    struct suite_terms terms = {.with_group = true, .crypto = context->crypto};
    struct offer answer;
    struct v2_ke ke;
    struct slice nonce;
    struct suite suite;
    struct v2_notify_body unused;

    /* A reply that cannot be right may be forged: the true one is still awaited. */
    if (sa_payload_parse(&answer, v2_payloads_find(payloads, V2_SA, NULL)->body, reason) !=
            STATUS_OK ||
        v2_ke_parse(&ke, v2_payloads_find(payloads, V2_KE, NULL)->body, reason) != STATUS_OK ||
        v2_nonce_parse(&nonce, v2_payloads_find(payloads, V2_NONCE, NULL)->body, reason) !=
            STATUS_OK)
        return STATUS_DROP;
    if (message->header.spi_r == 0)
        return reason_set(reason, STATUS_DROP, 0, "IKE_SA_INIT response without SPIr");
    if (sa_table_find(context->sas, message->header.spi_r) != NULL ||
        slice_equal(nonce, buffer_slice(&handshake->nonce_i)) ||
        slice_equal(ke.data, buffer_slice(&handshake->public)))
        return reason_set(reason, STATUS_DROP, 0,
                          "IKE_SA_INIT response with an SPI, nonce or public value of our own");
    if (check_answer(sa->connection->proposals, &answer, &terms, &suite, reason) != STATUS_OK)
        return STATUS_DROP;
    const struct group_info *group = group_info(suite.group);
    if (suite.group != sa->suite.group || ke.group != group->wire ||
        ke.data.size != group->public_size)
        return reason_set(reason, STATUS_DROP, 0,
                          "IKE_SA_INIT response: KE is for group %u with %zu octets, sent was %s",
                          ke.group, ke.data.size, group_info(sa->suite.group)->name);

    if (!buffer_copy(&handshake->nonce_r, nonce) ||
        !buffer_copy(&handshake->peer_public, ke.data) ||
        !buffer_copy(&handshake->init_response, slice_of(message->data, message->size)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    sa->suite = suite;
    ikev2_of(sa)->fragments = fragment_agreed(sa, message);
    /* RFC 6023 section 3: not without the responder's word. */
    sa->lone = sa->connection->childless &&
               message_find_notify(message, V2_N_CHILDLESS_IKEV2_SUPPORTED, &unused);
    nat_take(context, sa, message);
    nat_float(sa);
    sa->spi_r = message->header.spi_r;
    ike_sa_timer_stop(context, &sa->expire);
    message_request_done(context, sa);
    ike_sa_step(sa, IKE_AWAIT_SHARED);
    struct effect *effect = step_effect(context, sa, &sa->handshake->step, EFFECT_COMPUTE);
    if (effect == NULL ||
        !secret_copy(&effect->compute.private, secret_slice(&handshake->private)) ||
        !buffer_copy(&effect->compute.peer_public, ke.data))
        return step_fault(context, reason);
    effect->compute.group = suite.group;
    return STATUS_OK;
}

/* RFC 7296 section 2.6: the cookie comes back as the first payload, all else unchanged. */
static enum status follow_cookie(struct context *context, struct ike_sa *sa, struct slice cookie,
                                 struct reason *reason)
{
    struct handshake *handshake = sa->handshake;

    if (cookie.size == 0 || cookie.size > COOKIE_SIZE_MAX)
        return reason_set(reason, STATUS_DROP, 0, "COOKIE of %zu octets", cookie.size);
    if (handshake->cookies >= COOKIES_MAX)
        return reason_set(reason, STATUS_DROP, 0, "COOKIE asked for too often");
    handshake->cookies++;
    if (!buffer_copy(&handshake->cookie, cookie))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    return send_request(context, sa, reason);
}

/* RFC 7296 sections 1.2 and 2.6.1: again with the group that the responder names, and with the
 * cookie that we may have. */
static enum status follow_group(struct context *context, struct ike_sa *sa, struct slice data,
                                struct reason *reason)
{
    struct reader reader = reader_of(data);
    uint16_t wire = reader_u16(&reader);
    enum group group = group_from_wire(wire);

    if (!reader_done(&reader))
        return reason_set(reason, STATUS_DROP, 0, "INVALID_KE_PAYLOAD with %zu octets", data.size);
    if (group == sa->suite.group ||
        !proposals_have_group(sa->connection->proposals, group, context->crypto))
        return reason_set(reason, STATUS_DROP, 0,
                          "INVALID_KE_PAYLOAD asks for group %u, which we did not offer", wire);
    if (sa->handshake->groups_tried >= GROUPS_MAX)
        return reason_set(reason, STATUS_DROP, 0, "INVALID_KE_PAYLOAD too often");
    sa->handshake->groups_tried++;
    ikev2_end_request(context, sa);
    return ask_key(context, sa, group, reason);
}

enum status init_reply_notify(struct context *context, struct ike_sa *sa,
                              const struct ike_message *message, struct reason *reason)
{
    struct v2_notify_body notify;
    uint16_t error = message_find_error(message);

    if (message_find_notify(message, V2_N_COOKIE, &notify))
        return follow_cookie(context, sa, notify.data, reason);
    if (message_find_notify(message, V2_N_INVALID_KE_PAYLOAD, &notify))
        return follow_group(context, sa, notify.data, reason);
    if (error == 0)
        return reason_set(reason, STATUS_DROP, 0, "IKE_SA_INIT response without SA and error");
    count(context, COUNTER_ERRORS_RECEIVED);
    if (sa->handshake->init_refused)
        return STATUS_OK;
    sa->handshake->init_refused = true;
    reason_set(&sa->handshake->refusal, STATUS_CLOSE, 0, "the peer answered IKE_SA_INIT with %s%s",
               v2_notify_name(error),
               error == V2_N_NO_PROPOSAL_CHOSEN ? ": compare the `proposals` of both ends" : "");
    ike_sa_timer_stop(context, &ikev2_of(sa)->request->retransmit.timer);
    ike_sa_timer(context, &sa->expire, context->now_ms + REFUSED_WAIT_MS);
    return STATUS_OK;
}
