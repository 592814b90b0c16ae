/*
 * Waiting for the rest of a message: see reassembly.h.
 */
#include "lib/ikev2/reassembly.h"

#include <stdlib.h>

#include "lib/ikev2/ikev2_sa.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"
#include "lib/wire/ikev2.h"

static bool is_response(const struct ike_header *header)
{
    return (header->flags & V2_FLAG_RESPONSE) != 0;
}

/* Those of an earlier message are no obstacle. */
static struct reassembly *current(const struct ike_sa *sa, const struct ike_header *header)
{
    struct reassembly *reassembly = ikev2_of(sa)->parts[is_response(header)];

    return reassembly != NULL && reassembly->message_id == header->message_id ? reassembly : NULL;
}

enum status reassembly_wants(const struct ike_sa *sa, const struct ike_header *header,
                             const struct v2_fragment *fragment, struct reason *reason)
{
    const struct reassembly *reassembly = current(sa, header);

    if (fragment->total > FRAGMENTS_MAX)
        return reason_set(reason, STATUS_DROP, 0, "fragment %u of %u, at most %d are taken",
                          fragment->number, fragment->total, FRAGMENTS_MAX);
    if (reassembly == NULL)
        return STATUS_OK;
    if (reassembly->exchange != header->exchange)
        return reason_set(reason, STATUS_DROP, 0, "fragment of %s among those of %s",
                          v2_exchange_name(header->exchange),
                          v2_exchange_name(reassembly->exchange));
    if (fragment->total < reassembly->total)
        return reason_set(reason, STATUS_DROP, 0, "fragment %u of %u, which are %u by now",
                          fragment->number, fragment->total, reassembly->total);
    if (fragment->total == reassembly->total && reassembly->parts[fragment->number - 1].here)
        return reason_set(reason, STATUS_DROP, 0, "fragment %u of %u once more", fragment->number,
                          fragment->total);
    return STATUS_OK;
}

/* Takes `size` octets of the common room. */
static bool charge(struct context *context, struct reassembly *reassembly, size_t size)
{
    struct sa_table *sas = context->sas;

    if (size > REASSEMBLY_TOTAL_MAX - sas->parts_octets ||
        (reassembly->strange && size > REASSEMBLY_STRANGE_MAX - sas->parts_stranger_octets))
        return false;
    reassembly->charged += size;
    sas->parts_octets += size;
    if (reassembly->strange)
        sas->parts_stranger_octets += size;
    return true;
}

void reassembly_end(struct context *context, struct ike_sa *sa, bool response)
{
    struct reassembly *reassembly = ikev2_of(sa)->parts[response];

    if (reassembly == NULL)
        return;
    ikev2_of(sa)->parts[response] = NULL;
    ike_sa_timer_stop(context, &reassembly->timer.timer);
    context->sas->parts_octets -= reassembly->charged;
    if (reassembly->strange)
        context->sas->parts_stranger_octets -= reassembly->charged;
    for (size_t i = 0; i < reassembly->total; i++)
        buffer_free(&reassembly->parts[i].text);
    free(reassembly);
}

/* Its timer is due. */
static void expire(struct context *context, struct protocol_timer *timer)
{
    struct reassembly *reassembly = HASH_OWNER(timer, struct reassembly, timer);
    struct ike_sa *sa = timer->sa;

    count(context, COUNTER_REASSEMBLY_EXPIRED);
    report(context, sa, SEVERITY_DEBUG, "reassembly-expired", "%u of %u fragments of %s came",
           reassembly->here, reassembly->total, v2_exchange_name(reassembly->exchange));
    reassembly_end(context, sa, reassembly->response);
}

/* In place of those that were there.  NULL when there is no room. */
static struct reassembly *begin(struct context *context, struct ike_sa *sa,
                                const struct reassembly_piece *piece)
{
    bool response = is_response(piece->header);
    size_t size = sizeof(struct reassembly) + piece->total * sizeof(struct reassembly_part);
    struct reassembly *reassembly = calloc(1, size);

    reassembly_end(context, sa, response);
    if (reassembly == NULL)
        return NULL;
    reassembly->timer =
        (struct protocol_timer){.timer.kind = TIMER_PROTOCOL, .sa = sa, .due = expire};
    reassembly->response = response;
    reassembly->strange = sa->half_open;
    reassembly->exchange = piece->header->exchange;
    reassembly->message_id = piece->header->message_id;
    reassembly->total = piece->total;
    ikev2_of(sa)->parts[response] = reassembly;
    ike_sa_timer(context, &reassembly->timer.timer, context->now_ms + REASSEMBLY_MS);
    if (heap_has(&reassembly->timer.timer.node) && charge(context, reassembly, size))
        return reassembly;
    reassembly_end(context, sa, response);
    return NULL;
}

static enum status no_room(struct context *context, const struct ike_sa *sa,
                           const struct reassembly_piece *piece)
{
    count(context, COUNTER_DROP_FRAGMENT_ROOM);
    report(context, sa, SEVERITY_DEBUG, "dropped", "no room for fragment %u of %u", piece->number,
           piece->total);
    return STATUS_WAIT;
}

enum status reassembly_add(struct context *context, struct ike_sa *sa,
                           const struct reassembly_piece *piece, struct reason *reason)
{
    struct reassembly *reassembly = current(sa, piece->header);

    if (reassembly == NULL || piece->total > reassembly->total)
        reassembly = begin(context, sa, piece);
    if (reassembly == NULL)
        return no_room(context, sa, piece);
    size_t most = reassembly->strange ? REASSEMBLY_STRANGER_MAX : REASSEMBLY_OCTETS_MAX;
    if (piece->text.size > most - reassembly->text_size) {
        reassembly_end(context, sa, reassembly->response);
        return reason_set(reason, STATUS_REJECT, FINDING_INVALID_SYNTAX,
                          "fragments of a message larger than %zu octets", most);
    }
    struct reassembly_part *part = &reassembly->parts[piece->number - 1];
    if (!charge(context, reassembly, piece->text.size) || !buffer_copy(&part->text, piece->text))
        return no_room(context, sa, piece);
    part->here = true;
    reassembly->here++;
    reassembly->text_size += piece->text.size;
    if (piece->header->length > reassembly->widest)
        reassembly->widest = piece->header->length;
    if (piece->number == 1) {
        reassembly->first = piece->first;
        reassembly->digest = piece->digest;
    }
    return reassembly->here == reassembly->total ? STATUS_OK : STATUS_WAIT;
}

bool reassembly_text(const struct reassembly *reassembly, struct buffer *text)
{
    uint8_t *data = malloc(reassembly->text_size + 1);
    struct writer writer = writer_of(data, reassembly->text_size);

    if (data == NULL)
        return false;
    for (size_t i = 0; i < reassembly->total; i++)
        writer_bytes(&writer, buffer_slice(&reassembly->parts[i].text));
    buffer_free(text);
    *text = (struct buffer){.data = data, .size = writer.size};
    return true;
}
