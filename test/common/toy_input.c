/*
 * What comes in by the toy protocol: see toy_protocol.h.
 */
#include <string.h>

#include "lib/policy/match.h"
#include "lib/sa/admission.h"
#include "lib/sa/child_rivals.h"
#include "lib/sa/event.h"
#include "lib/sa/sa_table.h"
#include "test/common/toy_state.h"

/* --- What the peer asks --- */

static enum status take_make(struct context *context, struct ike_sa *sa,
                             const struct toy_message *message, struct reason *reason)
{
    const struct child_config *config = connection_find_child(sa->connection, message->child.text);
    struct child_sa *old = child_find_outbound(sa, IPSEC_ESP, message->old);
    struct toy *toy = toy_of(sa);
    enum status status = STATUS_REJECT;

    if (toy->own != NULL || toy->deleting != 0)
        return toy_reply_error(context, sa, TOY_BUSY);
    if (config != NULL && (message->old == 0 || old != NULL)) {
        toy->theirs = making_new(context, sa, config, old);
        if (toy->theirs == NULL)
            return reason_set(reason, STATUS_FAIL, 0, "out of memory");
        toy->theirs->child->transforms[0].spi_out = message->spi;
        memcpy(toy->theirs->nonce_i, message->nonce, TOY_NONCE_SIZE);
        context->random(context->random_context, toy->theirs->nonce_r, TOY_NONCE_SIZE);
        status = child_check_spi(context, sa, toy->theirs->child, reason);
        if (status == STATUS_OK)
            status = child_check_rivals(context, sa, toy->theirs->child, reason);
    }
    if (status == STATUS_OK)
        return child_ask_spi(context, sa, &toy->theirs->step, toy->theirs->child, false);
    making_end(context, sa, &toy->theirs);
    if (sa->handshake == NULL)
        return toy_reply_error(context, sa, TOY_REFUSED);
    return reason_set(reason, STATUS_REJECT, FINDING_TS_UNACCEPTABLE, "the peer asks for child %s",
                      message->child.text);
}

static enum status take_delete(struct context *context, struct ike_sa *sa,
                               const struct toy_message *message, struct reason *reason)
{
    struct child_sa *child = child_find_outbound(sa, IPSEC_ESP, message->spi);
    struct toy *toy = toy_of(sa);
    struct child_sa *other;

    if (message->spi == 0) {
        enum status status = toy_reply_error(context, sa, TOY_FINE);
        count(context, COUNTER_DELETED_BY_PEER);
        return reason_set(reason, status == STATUS_OK ? STATUS_CLOSE : status, 0,
                          "closed by the peer");
    }
    if (child != NULL) {
        TAILQ_FOREACH (other, &sa->children, entry)
            if (other->replaces == child->number) {
                child_release_outbound(context, sa, other);
                toy->reply_waits = toy->reply_waits || other->releasing != 0;
            }
        count(context, COUNTER_DELETED_BY_PEER);
        sa->child_lost = true;
        if (toy->deleting == child->number)
            toy->deleting = 0;
        child_linger(context, sa, child);
    }
    return toy_reply_error(context, sa, TOY_FINE);
}

static enum status take_request(struct context *context, struct ike_sa *sa,
                                const struct toy_message *message, struct reason *reason)
{
    toy_of(sa)->serving = message->kind;
    child_prove_all(sa);
    switch ((enum toy_kind)message->kind) {
    case TOY_MAKE: return take_make(context, sa, message, reason);
    case TOY_DELETE: return take_delete(context, sa, message, reason);
    case TOY_PROBE: return toy_reply_error(context, sa, TOY_FINE);
    }
    return STATUS_OK;
}

/* --- What the peer answers --- */

static enum status made(struct context *context, struct ike_sa *sa,
                        const struct toy_message *message, struct reason *reason)
{
    struct making *making = toy_of(sa)->own;

    if (making == NULL)
        return STATUS_OK;
    if (message->error == TOY_FINE) {
        making->child->transforms[0].spi_out = message->spi;
        memcpy(making->nonce_r, message->nonce, TOY_NONCE_SIZE);
        if (child_check_spi(context, sa, making->child, reason) == STATUS_OK)
            return making_install(context, sa, making);
    }
    making->stage = FAILED;
    making->busy = message->error == TOY_BUSY;
    if (sa->handshake == NULL)
        return STATUS_OK;
    return reason_set(reason, STATUS_CLOSE, 0, "the peer has refused child %s",
                      making->config->name);
}

static enum status take_reply(struct context *context, struct ike_sa *sa,
                              const struct toy_message *message, struct reason *reason)
{
    struct toy *toy = toy_of(sa);
    struct child_sa *gone = child_find(sa, toy->deleting);

    toy_drop_request(context, sa);
    toy->next++;
    toy->deleting = 0;
    if (sa->spi_r == 0)
        sa->spi_r = message->spi_r;
    if (sa->state == IKE_AWAIT_DELETE_REPLY)
        return reason_set(reason, STATUS_CLOSE, 0, "closed by us, and the peer has confirmed it");
    if (message->kind == TOY_MAKE)
        return made(context, sa, message, reason);
    if (gone != NULL) {
        child_remove_outbound(context, gone);
        child_linger(context, sa, gone);
    }
    return STATUS_OK;
}

/* --- The way in --- */

/* Nobody knows who it is: a toy's initiator gets the name that it is expected to have. */
static void take_first(struct context *context, const struct protocol *protocol,
                       const struct toy_message *message, const struct datagram *datagram)
{
    struct reason reason = {0};

    if (context->closing || sa_table_find(context->sas, message->spi_i) != NULL ||
        admission_check(context, &datagram->remote) != ADMISSION_ALL)
        return;
    const struct connection *connection =
        choose_connection(context->config, TOY_VERSION, &datagram->local, &datagram->remote, NULL);
    struct ike_sa *sa = connection == NULL
                            ? NULL
                            : ike_sa_new(context, protocol, connection, &datagram->local,
                                         &datagram->remote, message->spi_i);
    if (sa == NULL) {
        count(context, COUNTER_DROP_NO_CONNECTION);
        event_stranger(context, TOY_VERSION, &datagram->local, &datagram->remote,
                       "not for the toy");
        return;
    }
    const struct identity *id = connection->remote_id;
    sa->remote_id_type = id->type;
    sa->state = IKE_AWAIT_VERIFY;
    ike_sa_timer(context, &sa->expire, context->now_ms + admission_life_ms(context));
    enum status status = buffer_copy(&sa->remote_id, slice_of(id->data, id->size))
                             ? take_request(context, sa, message, &reason)
                             : STATUS_FAIL;
    event_settled(context, sa, status, &reason);
}

/* By our own SPI; a repeated first request has none yet. */
static struct ike_sa *find_sa(const struct context *context, const struct protocol *protocol,
                              const struct toy_message *message, const struct address *remote)
{
    bool first = message->spi_r == 0;
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &context->sas->all, entry)
        if (sa->protocol == protocol && sa->initiator != message->initiator &&
            sa->spi_i == message->spi_i && address_same_host(&sa->remote, remote) &&
            (first || sa->spi_r == 0 || sa->spi_r == message->spi_r))
            return sa;
    return NULL;
}

static void take(struct context *context, struct ike_sa *sa, const struct toy_message *message)
{
    struct toy *toy = toy_of(sa);
    struct reason reason = {0};
    enum status status;

    if (!message->response && message->id + 1 == toy->expected) {
        if (!toy->reply_waits)
            toy_send(context, sa, buffer_slice(&toy->reply));
        return;
    }
    if (message->response ? toy->request.size == 0 || message->id != toy->next
                          : message->id != toy->expected) {
        count(context, COUNTER_DROP_WINDOW);
        return;
    }
    if (!message->response && toy->theirs != NULL) {
        count(context, COUNTER_DROP_BUSY);
        return;
    }
    event_heard(context, sa);
    status = message->response ? take_reply(context, sa, message, &reason)
                               : take_request(context, sa, message, &reason);
    event_settled(context, sa, status, &reason);
}

void toy_packet(struct context *context, const struct protocol *protocol,
                const struct datagram *datagram)
{
    struct toy_message message;

    if (!toy_message_parse(&message, slice_of(datagram->data, datagram->size))) {
        count(context, COUNTER_DROP_HEADER);
        return;
    }
    struct ike_sa *sa = find_sa(context, protocol, &message, &datagram->remote);
    if (sa != NULL)
        take(context, sa, &message);
    else if (message.spi_r == 0 && !message.response)
        take_first(context, protocol, &message, datagram);
    else
        count(context, COUNTER_DROP_UNKNOWN_SPI);
}

struct ike_sa *toy_requester(const struct context *context, struct slice octets)
{
    struct toy_message message;

    if (!toy_message_parse(&message, octets) || message.response)
        return NULL;
    return sa_table_find(context->sas, message.initiator ? message.spi_i : message.spi_r);
}
