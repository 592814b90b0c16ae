/*
 * What is found in a message: see ike_message.h.
 */
#include "lib/ikev2/ike_message.h"

enum group message_find_group(const struct ike_message *message)
{
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, V2_KE, NULL);
    struct reason unused;
    struct v2_ke ke;

    return item != NULL && v2_ke_parse(&ke, item->body, &unused) == STATUS_OK
               ? group_from_wire(ke.group)
               : GROUP_NONE;
}

enum status message_check_ke(const struct v2_ke *ke, enum group group, struct reason *reason)
{
    const struct group_info *info = group_info(group);

    if (ke->group != info->wire)
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_KE,
                          "the peer's KE is for group %u, chosen is %s", ke->group, info->name);
    if (ke->data.size != info->public_size)
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                          "KE for %s has %zu octets, expected %u", info->name, ke->data.size,
                          info->public_size);
    return STATUS_OK;
}

bool message_find_notify(const struct ike_message *message, uint16_t type,
                         struct v2_notify_body *notify)
{
    const struct v2_payload_item *item = NULL;
    struct reason reason;

    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(notify, item->body, &reason) == STATUS_OK && notify->type == type)
            return true;
    return false;
}

uint16_t message_find_error(const struct ike_message *message)
{
    const struct v2_payload_item *item = NULL;
    struct v2_notify_body notify;
    struct reason reason;

    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL)
        if (v2_notify_parse(&notify, item->body, &reason) == STATUS_OK &&
            notify.type < V2_N_FIRST_STATUS)
            return notify.type;
    return 0;
}
