/*
 * What both roles of CREATE_CHILD_SA share: see create_child.h.
 */
#include "lib/ikev2/create_child.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/creation.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/keys.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/step.h"
#include "lib/wire/ikev2.h"

#define NONCE_SIZE 32
#define HELD_MS    5000 /* until the peer has deleted the old child, or would have */

struct creation *creation_new(struct ike_sa *sa, enum creation_kind kind, bool ours)
{
    struct creation *creation = calloc(1, sizeof(*creation));

    if (creation == NULL)
        return NULL;
    creation->kind = (uint8_t)kind;
    creation->ours = ours;
    step_begin(sa, &creation->step);
    return creation;
}

bool creation_nonce(struct context *context, struct buffer *nonce)
{
    uint8_t bytes[NONCE_SIZE];

    context->random(context->random_context, bytes, sizeof(bytes));
    return buffer_copy(nonce, slice_of(bytes, sizeof(bytes)));
}

enum status creation_compute(struct context *context, struct ike_sa *sa, struct creation *creation,
                             struct slice peer_public)
{
    const struct group_info *group = group_info(creation->group);
    struct effect *effect = step_effect(context, sa, &creation->step, EFFECT_COMPUTE);

    if (effect == NULL)
        return STATUS_FAIL;
    effect->compute.want_public = creation->public.size == 0;
    effect->compute.group = creation->group;
    if (creation->private.size == 0) {
        if (!secret_new(&creation->private, group->private_size))
            return STATUS_FAIL;
        context->random(context->random_context, creation->private.data, creation->private.size);
    }
    if (!secret_copy(&effect->compute.private, secret_slice(&creation->private)) ||
        !buffer_copy(&effect->compute.peer_public, peer_public))
        return STATUS_FAIL;
    return STATUS_OK;
}

enum status creation_install(struct context *context, struct ike_sa *sa, struct creation *creation,
                             bool hold_outbound)
{
    struct child_seed seed = {
        .initiator = creation->ours,
        .shared = secret_slice(&creation->shared),
        .nonce_i = buffer_slice(&creation->nonce_i),
        .nonce_r = buffer_slice(&creation->nonce_r),
    };
    struct child_install how = {
        .initiator = creation->ours,
        .hold_ms = hold_outbound ? HELD_MS : 0,
    };
    struct child_keys keys;

    step_begin(sa, &creation->step);
    creation->state = CREATE_AWAIT_INSTALL;
    enum status status = keys_child(context, sa, creation->child, &seed, &keys);
    if (status == STATUS_OK)
        status = child_install(context, sa, &creation->step, creation->child, &keys, &how);
    secret_free(&keys.keymat);
    secret_free(&creation->shared);
    return status;
}

void heir_proposals(const struct ike_sa *sa, struct proposal_list *list)
{
    const struct proposal_list *all = sa->connection->proposals;

    *list = (struct proposal_list){0};
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < all->items[i].prf.count; j++)
            if (all->items[i].prf.ids[j] == sa->suite.prf) {
                struct proposal *proposal = &list->items[list->count++];
                *proposal = all->items[i];
                proposal->prf = (struct algorithm_list){.count = 1, .ids = {sa->suite.prf}};
                break;
            }
    if (list->count == 0)
        *list = *all;
}

enum status heir_establish(struct context *context, const struct ike_sa *old, struct ike_sa *heir,
                           struct reason *reason)
{
    enum status status = keys_rekey(context, old, heir, reason);

    if (status != STATUS_OK)
        return status;
    mobike_take_path(heir, old); /* it may have moved since the heir was begun */
    heir->remote_id_type = old->remote_id_type;
    ikev2_of(heir)->fragments =
        ikev2_of(old)->fragments; /* said in IKE_SA_INIT alone: RFC 7383 section 2.3 */
    ikev2_of(heir)->datagram_max = ikev2_of(old)->datagram_max;
    heir->lone = old->lone;
    heir->settled = old->settled;
    if (!buffer_copy(&heir->remote_id, buffer_slice(&old->remote_id)))
        return reason_set(reason, STATUS_FAIL, 0, "out of memory");
    ike_sa_end_handshake(heir);
    heir->state = IKE_ESTABLISHED;
    heir->established_ms = context->now_ms;
    sa_table_add_id(context->sas, heir);
    return STATUS_OK;
}

enum status creation_parse_ke(const struct ike_message *message, enum group group,
                              struct slice *public, struct reason *reason)
{
    const struct v2_payload_item *item = v2_payloads_find(&message->payloads, V2_KE, NULL);
    struct v2_ke ke;

    if (item == NULL)
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_KE, "KE for %s is missing",
                          group_info(group)->name);
    enum status status = v2_ke_parse(&ke, item->body, reason);
    if (status != STATUS_OK)
        return status;
    *public = ke.data;
    return message_check_ke(&ke, group, reason);
}
