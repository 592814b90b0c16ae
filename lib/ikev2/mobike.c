/*
 * MOBIKE: see mobike.h.
 *
 *   HDR, SK {..., N(MOBIKE_SUPPORTED)}  -->                                        IKE_AUTH
 *                     <--  HDR, SK {..., N(MOBIKE_SUPPORTED), [N(ADDITIONAL_*_ADDRESS)+]}
 *   from the new address:
 *   HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_SOURCE_IP),
 *            N(NAT_DETECTION_DESTINATION_IP)}  -->                            INFORMATIONAL
 *                     <--  HDR, SK {N(NAT_DETECTION_SOURCE_IP), N(NAT_DETECTION_DESTINATION_IP)}
 *   or                <--  HDR, SK {N(UNACCEPTABLE_ADDRESSES)}
 *                     <--  HDR, SK {N(COOKIE2)}               return routability (trial.h),
 *   HDR, SK {N(COOKIE2)}  -->                                 and then the responder's SA moves
 *   the responder's address has changed:
 *                     <--  HDR, SK {N(NO_ADDITIONAL_ADDRESSES)}      from the new one
 *   HDR, SK {}  -->,  HDR, SK {N(COOKIE2)}  -->,  and then UPDATE_SA_ADDRESSES
 */
#include "lib/ikev2/mobike.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/wire/ikev2.h"

#define COOKIE2_MIN 8 /* section 4.2.5 */
#define COOKIE2_MAX 64

static void write_empty(struct v2_writer *writer, uint16_t type)
{
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), type, slice_of(NULL, 0));
}

void mobike_offer(struct v2_writer *writer)
{
    write_empty(writer, V2_N_MOBIKE_SUPPORTED);
}

/* --- The peer's other addresses, sections 3.4 and 3.6 --- */

static bool take_address(const struct v2_notify_body *notify, struct address *address)
{
    bool v4 = notify->type == V2_N_ADDITIONAL_IP4_ADDRESS;

    if (!v4 && notify->type != V2_N_ADDITIONAL_IP6_ADDRESS)
        return false;
    *address = (struct address){.family = v4 ? FAMILY_IPV4 : FAMILY_IPV6};
    if (notify->data.size != address_size(address->family))
        return false;
    memcpy(address->bytes, notify->data.data, notify->data.size);
    return address_is_host(address);
}

/* The list replaces the one before.  Those past the maximum are passed over.  True when the message
 * says anything about addresses. */
static bool take_addresses(struct ike_sa *sa, const struct ike_message *message)
{
    const struct v2_payload_item *item = NULL;
    struct mobike_state *movement = mobike_state(sa);
    struct v2_notify_body notify;
    struct address address;
    struct reason reason;
    bool said = message_find_notify(message, V2_N_NO_ADDITIONAL_ADDRESSES, &notify);
    size_t found = 0;

    if (movement == NULL)
        return said;
    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(&notify, item->body, &reason) == STATUS_OK &&
            take_address(&notify, &address) && found < MOBIKE_PEERS_MAX)
            movement->peers[found++] = address;
    if (!said && found == 0)
        return false;
    movement->peer_count = (uint8_t)found;
    return true;
}

void mobike_agree(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    struct v2_notify_body unused;

    ikev2_of(sa)->mobike =
        mobike_wanted(sa) && message_find_notify(message, V2_N_MOBIKE_SUPPORTED, &unused);
    if (!ikev2_of(sa)->mobike)
        return;
    report(context, sa, SEVERITY_DEBUG, "mobike", "both ends can move");
    if (message_find_notify(message, V2_N_ADDITIONAL_IP4_ADDRESS, &unused) ||
        message_find_notify(message, V2_N_ADDITIONAL_IP6_ADDRESS, &unused))
        (void)take_addresses(sa, message);
}

/* --- Ours --- */

bool mobike_is_due(const struct ike_sa *sa)
{
    return ikev2_of(sa)->check_due ||
           (ikev2_of(sa)->mobike && (ikev2_of(sa)->update_due || ikev2_of(sa)->announce_due));
}

static void write_changes(struct context *context, struct ike_sa *sa, struct v2_writer *writer)
{
    if (ikev2_of(sa)->update_due) {
        write_empty(writer, V2_N_UPDATE_SA_ADDRESSES);
        nat_write_detection(context, sa, writer, &sa->local, &sa->remote);
    }
    if (ikev2_of(sa)->announce_due)
        write_empty(writer, V2_N_NO_ADDITIONAL_ADDRESSES);
    ikev2_of(sa)->updating = ikev2_of(sa)->update_due;
    ikev2_of(sa)->update_due = ikev2_of(sa)->announce_due = false;
}

enum status mobike_send(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct v2_writer writer;

    if (mobike_state(sa) == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    if (ikev2_of(sa)->check_due)
        trial_write(context, sa, &writer);
    else
        write_changes(context, sa, &writer);
    return message_finish_request(context, sa, &writer, reason);
}

void mobike_ask_mapping(struct context *context, const struct ike_sa *sa, struct v2_writer *writer)
{
    if (ikev2_of(sa)->mobike && sa->leads && sa->nat_here)
        nat_write_detection(context, sa, writer, &sa->local, &sa->remote);
}

/* What the peer says of the path; the SA follows it into UDP, or out of it. */
static void take_finding(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message)
{
    struct nat_finding finding =
        nat_detect(context, message, message->header.spi_i, message->header.spi_r);

    nat_follow(context, sa, &finding, sa->local.port);
}

/* Section 3.8: by another address or port than before.  When nothing is known of before, one update
 * too many does no harm. */
static void compare_mapping(struct ike_sa *sa, const struct ike_message *message)
{
    struct mobike_state *movement = mobike_state(sa);
    struct v2_notify_body notify;

    if (movement == NULL || !sa->leads || !sa->nat_here ||
        !message_find_notify(message, V2_N_NAT_DETECTION_DESTINATION_IP, &notify) ||
        notify.data.size != sizeof(movement->seen))
        return;
    bool same = slice_equal(notify.data, slice_of(movement->seen, sizeof(movement->seen)));
    memcpy(movement->seen, notify.data.data, notify.data.size);
    ikev2_of(sa)->update_due = ikev2_of(sa)->update_due || (!ikev2_of(sa)->updating && !same);
}

enum status mobike_reply(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason)
{
    enum status status = trial_reply(context, sa, message, reason);
    struct v2_notify_body notify;

    if (status != STATUS_OK || !ikev2_of(sa)->mobike)
        return status;
    if (ikev2_of(sa)->updating &&
        ikev2_of(sa)->update_due) { /* section 3.5: another change came in between */
        ikev2_of(sa)->updating = false;
        return STATUS_OK;
    }
    if (ikev2_of(sa)->updating &&
        (message_find_notify(message, V2_N_UNACCEPTABLE_ADDRESSES, &notify) ||
         message_find_notify(message, V2_N_UNEXPECTED_NAT_DETECTED, &notify))) {
        report(context, sa, SEVERITY_WARNING, "mobike-refused",
               "the peer does not take our new address: %s", v2_notify_name(notify.type));
        ikev2_of(sa)->updating = false;
        sa->delete_asked = true;
        return STATUS_OK;
    }
    if (ikev2_of(sa)->updating)
        take_finding(context, sa, message);
    compare_mapping(sa, message);
    if (ikev2_of(sa)->updating && ike_sa_rests(context, sa))
        sa->follow_due = true;
    else if (ikev2_of(sa)->updating)
        children_follow(context, sa, sa);
    ikev2_of(sa)->updating = false;
    return STATUS_OK;
}

/* --- The peer's --- */

/* Section 3.9: the addresses and ports as the peer sent the message. */
static bool nat_is_unexpected(const struct ike_message *message)
{
    struct v2_notify_body notify;
    uint8_t bytes[2 * 16 + 4];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    if (!message_find_notify(message, V2_N_NO_NATS_ALLOWED, &notify))
        return false;
    writer_bytes(&writer, address_bytes(&message->remote));
    writer_bytes(&writer, address_bytes(&message->local));
    writer_u16(&writer, message->remote.port);
    writer_u16(&writer, message->local.port);
    return !slice_equal(notify.data, writer_slice(&writer));
}

/* The initiator decides; it may come to any address of ours that the connection allows. */
static bool is_acceptable(const struct context *context, const struct ike_sa *sa,
                          const struct ike_message *message)
{
    return mobike_can_move(context->sas, sa, &message->remote) &&
           (sa->connection->local.family == FAMILY_NONE ||
            address_same_host(&sa->connection->local, &message->local));
}

/* Section 3.7: the SA goes to another place when the peer has answered from there.  It is at this
 * one that we may be reached by another address of ours, or through another NAT. */
static uint16_t take_update(struct context *context, struct ike_sa *sa,
                            const struct ike_message *message)
{
    struct nat_finding finding =
        nat_detect(context, message, message->header.spi_i, message->header.spi_r);

    if (!is_acceptable(context, sa, message))
        return V2_N_UNACCEPTABLE_ADDRESSES;
    if (!address_equal(&sa->remote, &message->remote)) {
        if (trial_begin(context, sa, &message->local, &message->remote, &finding))
            trial_ask(context, sa);
        return 0;
    }
    trial_end(sa);
    nat_follow(context, sa, &finding, message->local.port);
    ike_sa_follow(context, sa, &message->local, &message->remote);
    return 0;
}

uint16_t mobike_request(struct context *context, struct ike_sa *sa,
                        const struct ike_message *message)
{
    struct v2_notify_body unused;
    bool update = message_find_notify(message, V2_N_UPDATE_SA_ADDRESSES, &unused);

    if (!ikev2_of(sa)->mobike || sa->state != IKE_ESTABLISHED)
        return 0;
    if (nat_is_unexpected(message))
        return V2_N_UNEXPECTED_NAT_DETECTED;
    if (update && !sa->leads) {
        uint16_t error = take_update(context, sa, message);
        if (error != 0)
            return error;
    }
    /* Section 3.5: the responder's addresses have changed; it cannot move the SA, we can. */
    if (take_addresses(sa, message) && sa->leads &&
        !address_same_host(&sa->remote, &message->remote) &&
        mobike_can_move(context->sas, sa, &message->remote) &&
        trial_begin(context, sa, &message->local, &message->remote, NULL))
        trial_ask(context, sa);
    return 0;
}

void mobike_answer(struct context *context, const struct ike_sa *sa,
                   const struct ike_message *message, struct v2_writer *writer)
{
    struct v2_notify_body notify;

    if (message_find_notify(message, V2_N_COOKIE2, &notify) && notify.data.size >= COOKIE2_MIN &&
        notify.data.size <= COOKIE2_MAX)
        v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_COOKIE2, notify.data);
    if (ikev2_of(sa)->mobike && message_find_notify(message, V2_N_NAT_DETECTION_SOURCE_IP, &notify))
        nat_write_detection(context, sa, writer, &message->local, &message->remote);
}
