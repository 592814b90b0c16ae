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
 *                     <--  HDR, SK {N(COOKIE2)}                      return routability
 *   HDR, SK {N(COOKIE2)}  -->
 *   the responder's address has changed:
 *                     <--  HDR, SK {N(NO_ADDITIONAL_ADDRESSES)}      from the new one
 *   HDR, SK {}  -->,  and then UPDATE_SA_ADDRESSES
 */
#include "lib/ikev2/mobike.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/nat.h"

#define COOKIE2_MIN 8 /* section 4.2.5 */
#define COOKIE2_MAX 64

static void write_empty(struct v2_writer *writer, uint16_t type)
{
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), type, slice_of(NULL, 0));
}

bool mobike_wanted(const struct ike_sa *sa)
{
    return sa->connection->mobike && sa->nat_known;
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
    struct movement *movement = ike_sa_movement(sa);
    struct v2_notify_body notify;
    struct address address;
    struct reason reason;
    bool said = message_find_notify(message, V2_N_NO_ADDITIONAL_ADDRESSES, &notify);
    size_t found = 0;

    if (movement == NULL)
        return said;
    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(&notify, item->body, &reason) == STATUS_OK &&
            take_address(&notify, &address) && found < MOVEMENT_PEERS_MAX)
            movement->peers[found++] = address;
    if (!said && found == 0)
        return false;
    movement->peer_count = (uint8_t)found;
    return true;
}

void mobike_agree(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    struct v2_notify_body unused;

    sa->mobike = mobike_wanted(sa) && message_find_notify(message, V2_N_MOBIKE_SUPPORTED, &unused);
    if (!sa->mobike)
        return;
    report(context, sa, SEVERITY_DEBUG, "mobike", "both ends can move");
    if (message_find_notify(message, V2_N_ADDITIONAL_IP4_ADDRESS, &unused) ||
        message_find_notify(message, V2_N_ADDITIONAL_IP6_ADDRESS, &unused))
        (void)take_addresses(sa, message);
}

/* --- Ours --- */

bool mobike_is_due(const struct ike_sa *sa)
{
    return sa->mobike && (sa->update_due || sa->announce_due || sa->check_due);
}

enum status mobike_send(struct context *context, struct ike_sa *sa, struct reason *reason)
{
    struct movement *movement = ike_sa_movement(sa);
    struct v2_writer writer;

    if (movement == NULL)
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    if (sa->update_due) {
        write_empty(&writer, V2_N_UPDATE_SA_ADDRESSES);
        nat_write_detection(context, sa, &writer, &sa->local, &sa->remote);
    }
    if (sa->announce_due)
        write_empty(&writer, V2_N_NO_ADDITIONAL_ADDRESSES);
    if (sa->check_due) {
        context->random(context->random_context, movement->cookie, sizeof(movement->cookie));
        v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_COOKIE2,
                        slice_of(movement->cookie, sizeof(movement->cookie)));
    }
    sa->updating = sa->update_due;
    sa->checking = sa->check_due;
    sa->update_due = sa->announce_due = sa->check_due = false;
    return message_finish_request(context, sa, &writer, reason);
}

void mobike_ask_mapping(struct context *context, const struct ike_sa *sa, struct v2_writer *writer)
{
    if (sa->mobike && sa->leads && sa->nat_here)
        nat_write_detection(context, sa, writer, &sa->local, &sa->remote);
}

/* What the peer says of the path; the SA follows it into UDP, or out of it. */
static void take_finding(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message)
{
    struct nat_finding finding =
        nat_detect(context, message, message->header.spi_i, message->header.spi_r);

    if (!finding.known)
        return;
    sa->nat_here = finding.here;
    sa->nat_there = finding.there;
    sa->encap =
        (finding.here || finding.there || sa->nat_pretended) && sa->local.port == NAT_PORT_BOTH;
    nat_keepalive(context, sa);
}

/* Section 3.8: by another address or port than before.  When nothing is known of before, one update
 * too many does no harm. */
static void compare_mapping(struct ike_sa *sa, const struct ike_message *message)
{
    struct movement *movement = ike_sa_movement(sa);
    struct v2_notify_body notify;

    if (movement == NULL || !sa->leads || !sa->nat_here ||
        !message_find_notify(message, V2_N_NAT_DETECTION_DESTINATION_IP, &notify) ||
        notify.data.size != sizeof(movement->seen))
        return;
    bool same = slice_equal(notify.data, slice_of(movement->seen, sizeof(movement->seen)));
    memcpy(movement->seen, notify.data.data, notify.data.size);
    sa->update_due = sa->update_due || (!sa->updating && !same);
}

enum status mobike_reply(struct context *context, struct ike_sa *sa,
                         const struct ike_message *message, struct reason *reason)
{
    bool checking = sa->checking;
    struct v2_notify_body notify;

    sa->checking = false;
    if (checking &&
        (!message_find_notify(message, V2_N_COOKIE2, &notify) ||
         !slice_equal(notify.data, slice_of(sa->movement->cookie, sizeof(sa->movement->cookie)))))
        return reason_set(reason, STATUS_CLOSE, 0,
                          "the peer answered from its new address without our COOKIE2");
    if (!sa->mobike)
        return STATUS_OK;
    if (sa->updating && sa->update_due) { /* section 3.5: another change came in between */
        sa->updating = false;
        return STATUS_OK;
    }
    if (sa->updating && (message_find_notify(message, V2_N_UNACCEPTABLE_ADDRESSES, &notify) ||
                         message_find_notify(message, V2_N_UNEXPECTED_NAT_DETECTED, &notify))) {
        report(context, sa, SEVERITY_WARNING, "mobike-refused",
               "the peer does not take our new address: %s", v2_notify_name(notify.type));
        sa->updating = false;
        sa->delete_asked = true;
        return STATUS_OK;
    }
    if (sa->updating)
        take_finding(context, sa, message);
    compare_mapping(sa, message);
    if (sa->updating && ike_sa_rests(context, sa))
        sa->follow_due = true;
    else if (sa->updating)
        children_follow(context, sa, sa);
    sa->updating = false;
    return STATUS_OK;
}

bool mobike_try_next(struct context *context, struct ike_sa *sa)
{
    struct movement *movement = sa->movement;
    struct address remote;

    if (!sa->mobike || !sa->leads || sa->state != IKE_ESTABLISHED || movement == NULL ||
        movement->switches >= movement->peer_count)
        return false;
    movement->switches++;
    remote = movement->peers[movement->next_peer++ % movement->peer_count];
    if (remote.family != sa->local.family || address_same_host(&remote, &sa->remote) ||
        !ike_sa_can_move(context->sas, sa, &remote))
        return false;
    /* The one that does not answer takes its place, and gets its turn again. */
    movement->peers[(movement->next_peer - 1) % movement->peer_count] = sa->remote;
    remote.port = sa->remote.port;
    ike_sa_move(context, sa, &sa->local, &remote);
    sa->update_due = sa->check_due = true; /* section 3.7: the peer may have named somebody else */
    return true;
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
    return ike_sa_can_move(context->sas, sa, &message->remote) &&
           (sa->connection->local.family == FAMILY_NONE ||
            address_same_host(&sa->connection->local, &message->local));
}

static uint16_t take_update(struct context *context, struct ike_sa *sa,
                            const struct ike_message *message)
{
    bool same_host = address_same_host(&sa->remote, &message->remote);

    if (!is_acceptable(context, sa, message))
        return V2_N_UNACCEPTABLE_ADDRESSES;
    sa->local = message->local;
    sa->remote = message->remote;
    take_finding(context, sa, message);
    ike_sa_follow(context, sa, &message->local, &message->remote);
    /* Section 3.7 lets the check come after the move: the peer is authenticated, and traffic goes
     * on at once; when nobody answers there the SA ends as that of a dead peer. */
    sa->check_due = sa->check_due || !same_host;
    return 0;
}

uint16_t mobike_request(struct context *context, struct ike_sa *sa,
                        const struct ike_message *message)
{
    struct v2_notify_body unused;
    bool update = message_find_notify(message, V2_N_UPDATE_SA_ADDRESSES, &unused);

    if (!sa->mobike || sa->state != IKE_ESTABLISHED)
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
        ike_sa_can_move(context->sas, sa, &message->remote)) {
        ike_sa_follow(context, sa, &message->local, &message->remote);
        sa->update_due = sa->check_due = true;
    }
    return 0;
}

void mobike_answer(struct context *context, const struct ike_sa *sa,
                   const struct ike_message *message, struct v2_writer *writer)
{
    struct v2_notify_body notify;

    if (message_find_notify(message, V2_N_COOKIE2, &notify) && notify.data.size >= COOKIE2_MIN &&
        notify.data.size <= COOKIE2_MAX)
        v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_COOKIE2, notify.data);
    if (sa->mobike && message_find_notify(message, V2_N_NAT_DETECTION_SOURCE_IP, &notify))
        nat_write_detection(context, sa, writer, &message->local, &message->remote);
}
