/*
 * INFORMATIONAL: Delete of the IKE SA or of a child, and the empty probe.
 * RFC 7296 sections 1.4, 1.4.1, 2.21.2 and 2.25.
 *
 *   HDR, SK {[N,] [D,] ...}  -->
 *                            <--  HDR, SK {[D,] ...}
 *
 * A Delete names the inbound SPIs of its sender; the answer names the other half of the pairs.
 */
#include "lib/ikev2/auth.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/exchange.h"
#include "lib/ikev2/finding.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/wire/ikev2.h"

#define DELETES_MAX 64 /* SPIs answered in one response */

static void child_gone(struct context *context, struct ike_sa *sa, struct child_sa *child)
{
    report(context, sa, SEVERITY_INFO, "child-deleted", "child %s deleted by the peer",
           child->config->name);
    count(context, COUNTER_DELETED_BY_PEER);
}

/* The peer deletes what a rekeying has replaced: it has the new SA by now, so that we may send on
 * ours (RFC 7296 section 2.8).  Our answer says that nothing comes by the old one any more, and
 * the peer may forget it at once (section 1.4.1): it leaves when the kernel has the new one. */
static void child_release_held(struct context *context, struct ike_sa *sa,
                               const struct child_sa *old)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry) {
        if (child->replaces != old->number)
            continue;
        child_release_outbound(context, sa, child);
        ikev2_of(sa)->reply_waits = ikev2_of(sa)->reply_waits || child->releasing != 0;
    }
}

/* The child that we are just making by the peer's answer, and that it deletes already. */
static struct creation *find_unfinished(const struct ike_sa *sa, uint8_t protocol, uint32_t spi)
{
    struct creation *own = ikev2_of(sa)->own;

    return own != NULL && own->child != NULL && spi != 0 &&
                   child_find_transform(own->child, protocol, spi, false) != NULL &&
                   (own->state == CREATE_AWAIT_SHARED || own->state == CREATE_AWAIT_INSTALL)
               ? own
               : NULL;
}

/* It may be of the child that we have asked for: the answer that names its SPI was lost, or comes
 * behind this. */
static void note_unknown(struct creation *own, uint32_t spi)
{
    if (own != NULL && own->state == CREATE_AWAIT_REPLY && own->kind != CREATE_REKEY_IKE &&
        spi != 0)
        own->gone_spis[own->gone++ % CREATION_GONE_MAX] = spi;
}

/* Removes the children that a Delete names; collects our own SPIs of the pairs.  RFC 7296 section
 * 1.4.1: when both ends delete the same pair at once, the answer leaves out what the other request
 * is about. */
static size_t delete_children(struct context *context, struct ike_sa *sa,
                              const struct v2_delete *delete, uint32_t *spis, size_t count_so_far)
{
    struct reader reader = reader_of(delete->spis);
    uint8_t protocol = ipsec_protocol_of(delete->protocol);
    size_t found = count_so_far;

    for (size_t i = 0; i < delete->count; i++) {
        uint32_t spi = reader_u32(&reader);
        struct child_sa *child = child_find_outbound(sa, protocol, spi);
        struct creation *unfinished = find_unfinished(sa, protocol, spi);
        if (child == NULL && unfinished != NULL && found < DELETES_MAX) {
            unfinished->deleted = true; /* its step is to end first */
            spis[found++] = child_main(unfinished->child)->spi_in;
        }
        if (child == NULL && unfinished == NULL)
            note_unknown(ikev2_of(sa)->own, spi);
        if (child == NULL || found == DELETES_MAX)
            continue;
        if (child != ikev2_deleting(sa))
            spis[found++] = child_main(child)->spi_in;
        child_gone(context, sa, child);
        sa->child_lost = true;
        child_release_held(context, sa, child);
        if (child == ikev2_deleting(sa))
            ikev2_of(sa)->request->deleting = 0;
        child_linger(context, sa, child); /* the peer's last packets may come behind its Delete */
    }
    return found;
}

/* Reads every Delete before anything is done, so that a malformed one changes nothing. */
static enum status check_deletes(const struct ike_message *message, bool *whole_sa,
                                 struct reason *reason)
{
    const struct v2_payload_item *item = NULL;
    struct v2_delete delete;

    *whole_sa = false;
    while ((item = v2_payloads_find(&message->payloads, V2_DELETE, item)) != NULL) {
        enum status status = v2_delete_parse(&delete, item->body, reason);
        if (status != STATUS_OK)
            return status;
        if (delete.protocol == V2_PROTOCOL_IKE)
            *whole_sa = true;
    }
    return STATUS_OK;
}

static enum status respond(struct context *context, struct ike_sa *sa,
                           const struct ike_message *message, uint16_t error, const uint32_t *spis,
                           size_t spi_count, struct reason *reason)
{
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, true);
    if (spi_count > 0)
        v2_write_delete(&writer, V2_PROTOCOL_ESP, spis, spi_count);
    if (error != 0)
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), error, slice_of(NULL, 0));
    mobike_answer(context, sa, message, &writer);
    return message_finish_response(context, sa, &writer, reason);
}

/* RFC 4478 section 2: at any time, and then 0 as well: now. */
static void take_lifetime(struct context *context, struct ike_sa *sa,
                          const struct ike_message *message)
{
    uint32_t told_s;

    if (!sa->leads || sa->inherited || !auth_find_lifetime(message, &told_s) ||
        !ike_sa_limit_authentication(sa, context->now_ms, &told_s))
        return;
    sa->reauth_told = true;
    report(context, sa, SEVERITY_DEBUG, "reauth-told",
           "the peer wants us to authenticate again within %u s", told_s);
}

enum status informational_request(struct context *context, struct ike_sa *sa,
                                  const struct ike_message *message, struct reason *reason)
{
    const struct v2_payload_item *item = NULL;
    struct reason unused;
    struct v2_delete delete;
    uint32_t spis[DELETES_MAX];
    size_t spi_count = 0;
    bool whole_sa;
    uint16_t error = message_find_error(message);
    enum status status = check_deletes(message, &whole_sa, reason);

    if (status != STATUS_OK)
        return status;
    if (sa->expecting && !whole_sa && v2_payloads_find(&message->payloads, V2_DELETE, NULL) != NULL)
        return reason_set(reason, STATUS_DROP, 0, "the child is still in the IKE SA before");
    child_prove_all(sa);
    take_lifetime(context, sa, message);
    /* RFC 7296 section 2.21.2: the initiator tells in a request that it refused our reply; these
     * end the SA without a Delete. */
    if (error == V2_N_AUTHENTICATION_FAILED || error == V2_N_INVALID_SYNTAX ||
        error == V2_N_UNSUPPORTED_CRITICAL_PAYLOAD)
        whole_sa = true;
    while (!whole_sa && (item = v2_payloads_find(&message->payloads, V2_DELETE, item)) != NULL)
        if (v2_delete_parse(&delete, item->body, &unused) == STATUS_OK)
            spi_count = delete_children(context, sa, &delete, spis, spi_count);
    uint16_t refusal = whole_sa ? 0 : mobike_request(context, sa, message);
    status = respond(context, sa, message, refusal, spis, spi_count, reason);
    if (status != STATUS_OK || !whole_sa)
        return status;
    count(context, COUNTER_DELETED_BY_PEER);
    return reason_set(reason, STATUS_CLOSE, 0, "closed by the peer%s%s", error == 0 ? "" : ": ",
                      error == 0 ? "" : v2_notify_name(error));
}

enum status informational_reply(struct context *context, struct ike_sa *sa,
                                const struct ike_message *message, struct reason *reason)
{
    struct child_sa *deleting = ikev2_deleting(sa);

    message_request_done(context, sa);
    /* RFC 7296 section 2.21.3: fatal at both ends. */
    if (message_find_error(message) == V2_N_INVALID_SYNTAX)
        return reason_set(reason, STATUS_CLOSE, 0, "the peer could not read our request");
    if (sa->state == IKE_AWAIT_DELETE_REPLY)
        return reason_set(reason, STATUS_CLOSE, 0, "%s",
                          sa->inherited ? "the old IKE SA is closed: it was rekeyed"
                                        : "closed by us, and the peer has confirmed it");
    if (deleting != NULL) {
        child_remove_outbound(context, deleting); /* its successor is older than a round trip */
        child_linger(context, sa, deleting);
    }
    return mobike_reply(context, sa, message, reason);
}

enum status informational_reply_unread(struct context *context, struct ike_sa *sa,
                                       struct reason *reason)
{
    const struct ike_message nothing = {0};

    report(context, sa, SEVERITY_WARNING, "answer-unusable",
           "the answer to an INFORMATIONAL request cannot be read: %s", reason->text);
    if (ikev2_of(sa)->checking ||
        ikev2_of(sa)->updating) { /* where the two ends are now is not known */
        message_request_done(context, sa);
        ikev2_of(sa)->checking = ikev2_of(sa)->updating = false;
        sa->delete_asked = true;
        return STATUS_OK;
    }
    return informational_reply(context, sa, &nothing, reason);
}

enum status informational_close(struct context *context, struct ike_sa *sa, enum finding_code code,
                                struct reason *reason)
{
    struct v2_writer writer;
    struct child_sa *child;

    creation_end(context, sa, &ikev2_of(sa)->own);
    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    if (code != FINDING_NONE)
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), finding_notify(code),
                        slice_of(NULL, 0));
    else
        v2_write_delete(&writer, V2_PROTOCOL_IKE, NULL, 0);
    TAILQ_FOREACH (child, &sa->children, entry)
        child_remove_outbound(context, child);
    TAILQ_FOREACH (child, &sa->gone, entry)
        child_remove_outbound(context, child);
    sa->state = IKE_AWAIT_DELETE_REPLY;
    return message_finish_request(context, sa, &writer, reason);
}

enum status informational_probe(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    mobike_ask_mapping(context, sa, &writer);
    count(context, COUNTER_PROBES);
    return message_finish_request(context, sa, &writer, reason);
}

enum status informational_delete_child(struct context *context, struct ike_sa *sa,
                                       struct child_sa *child, struct reason *reason)
{
    const struct child_transform *named = child_main(child);
    struct v2_writer writer;

    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    v2_write_delete(&writer, v2_protocol_of(named->protocol), &named->spi_in, 1);
    child_retire_outbound(context, sa, child);
    enum status status = message_finish_request(context, sa, &writer, reason);
    if (status == STATUS_OK) {
        ikev2_of(sa)->request->deleting = child->number;
        child->deleting = true;
    }
    return status;
}
