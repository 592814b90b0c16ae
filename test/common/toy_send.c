/*
 * What the toy protocol sends, once or again: see toy_protocol.h.
 */
#include "lib/sa/event.h"
#include "test/common/toy_state.h"

void toy_send(struct context *context, struct ike_sa *sa, struct slice octets)
{
    struct effect *effect = effect_append(context->effects, EFFECT_SEND, (struct ticket){0});

    if (effect == NULL || !buffer_copy(&effect->send.data, octets)) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->send.local = sa->local;
    effect->send.remote = sa->remote;
    sa->sent_ms = context->now_ms;
    count(context, COUNTER_PACKETS_OUT);
}

void toy_drop_request(struct context *context, struct ike_sa *sa)
{
    ike_sa_timer_stop(context, &toy_of(sa)->again.timer);
    buffer_free(&toy_of(sa)->request);
    toy_of(sa)->tries = 0;
}

static void due_again(struct context *context, struct protocol_timer *timer)
{
    struct ike_sa *sa = timer->sa;
    struct toy *toy = toy_of(sa);
    const struct daemon_settings *daemon = &context->config->daemon;
    char remote[ADDRESS_TEXT_MAX];
    struct reason reason;

    address_text(&sa->remote, remote);
    if (toy->tries >= daemon->retransmit_tries) {
        reason_set(&reason, STATUS_CLOSE, 0, "%s does not answer the toy", remote);
        event_unanswered(context, sa, &reason);
        return;
    }
    toy->tries++;
    count(context, COUNTER_RETRANSMITS);
    toy_send(context, sa, buffer_slice(&toy->request));
    ike_sa_timer(context, &toy->again.timer,
                 context->now_ms + ((uint64_t)daemon->retransmit_ms << toy->tries));
    reason_set(&reason, STATUS_OK, 0, "%s has not answered the toy yet", remote);
    event_sent_again(context, sa, reason.text);
}

enum status toy_ask(struct context *context, struct ike_sa *sa, struct toy_message *message)
{
    struct toy *toy = toy_of(sa);
    uint8_t octets[TOY_MESSAGE_MAX];

    message->spi_i = sa->spi_i;
    message->spi_r = sa->spi_r;
    message->initiator = sa->initiator;
    message->id = toy->next;
    if (!buffer_copy(&toy->request, toy_message_write(message, octets)))
        return STATUS_FAIL;
    toy_send(context, sa, buffer_slice(&toy->request));
    toy->again = (struct protocol_timer){
        .timer = {.node = toy->again.timer.node, .kind = TIMER_PROTOCOL},
        .sa = sa,
        .due = due_again,
    };
    ike_sa_timer(context, &toy->again.timer,
                 context->now_ms + context->config->daemon.retransmit_ms);
    return STATUS_OK;
}

enum status toy_reply(struct context *context, struct ike_sa *sa, struct toy_message *message)
{
    struct toy *toy = toy_of(sa);
    uint8_t octets[TOY_MESSAGE_MAX];

    message->spi_i = sa->spi_i;
    message->spi_r = sa->spi_r;
    message->initiator = sa->initiator;
    message->response = true;
    message->id = toy->expected++;
    message->kind = toy->serving;
    if (!buffer_copy(&toy->reply, toy_message_write(message, octets)))
        return STATUS_FAIL;
    if (!toy->reply_waits)
        toy_send(context, sa, buffer_slice(&toy->reply));
    return STATUS_OK;
}

enum status toy_reply_error(struct context *context, struct ike_sa *sa, enum toy_error error)
{
    struct toy_message message = {.error = (uint8_t)error};

    return toy_reply(context, sa, &message);
}
