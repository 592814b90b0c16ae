/*
 * NAT traversal: see nat.h.
 *
 *   HDR(SPIi, 0), SAi1, KEi, Ni, N(NAT_DETECTION_SOURCE_IP)+,
 *                 N(NAT_DETECTION_DESTINATION_IP)  -->
 *                     <--  HDR(SPIi, SPIr), SAr1, KEr, Nr, N(NAT_DETECTION_SOURCE_IP),
 *                                          N(NAT_DETECTION_DESTINATION_IP)
 *   from port 4500 to port 4500:
 *   HDR, SK {IDi, ...}  -->
 */
#include "lib/ikev2/nat.h"

#include <string.h>

#include "lib/crypto/crypto.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/mobike.h"
#include "lib/ikev2/mobike_state.h"
#include "lib/ikev2/trial.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/keepalive.h"
#include "lib/sa/movement.h"
#include "lib/sa/sa_table.h"
#include "lib/sa/timer.h"
#include "lib/wire/ikev2.h"

#define HASH_SIZE 20 /* SHA-1 */

/* Section 2.23: SHA-1 of the SPIs as they stand in the header, the address and the port. */
static bool hash_end(struct context *context, uint64_t spi_i, uint64_t spi_r,
                     const struct address *end, uint8_t hash[HASH_SIZE])
{
    uint8_t bytes[2 * 8 + 16 + 2];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    writer_u64(&writer, spi_i);
    writer_u64(&writer, spi_r);
    writer_bytes(&writer, address_bytes(end));
    writer_u16(&writer, end->port);
    struct slice all = writer_slice(&writer);
    return crypto_sha1(context->crypto, &all, 1, hash) == STATUS_OK;
}

void nat_write_detection(struct context *context, const struct ike_sa *sa, struct v2_writer *writer,
                         const struct address *local, const struct address *remote)
{
    uint8_t source[HASH_SIZE];
    uint8_t destination[HASH_SIZE];

    /* Without SHA-1 there is no NAT traversal, and the peer takes it for that. */
    if (!hash_end(context, sa->spi_i, sa->spi_r, local, source) ||
        !hash_end(context, sa->spi_i, sa->spi_r, remote, destination))
        return;
    if (sa->nat_pretended)
        context->random(context->random_context, source, sizeof(source));
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_NAT_DETECTION_SOURCE_IP,
                    slice_of(source, sizeof(source)));
    v2_write_notify(writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_NAT_DETECTION_DESTINATION_IP,
                    slice_of(destination, sizeof(destination)));
}

/* Looks through all notifies of a type: is one there, and does one say `hash`? */
static bool find_hash(const struct ike_message *message, uint16_t type,
                      const uint8_t hash[HASH_SIZE], bool *matches)
{
    const struct v2_payload_item *item = NULL;
    struct v2_notify_body notify;
    struct reason reason;
    bool found = false;

    *matches = false;
    while ((item = v2_payloads_find(&message->payloads, V2_NOTIFY, item)) != NULL) {
        if (v2_notify_parse(&notify, item->body, &reason) != STATUS_OK || notify.type != type)
            continue;
        found = true;
        *matches = *matches || slice_equal(notify.data, slice_of(hash, HASH_SIZE));
    }
    return found;
}

struct nat_finding nat_detect(struct context *context, const struct ike_message *message,
                              uint64_t spi_i, uint64_t spi_r)
{
    uint8_t theirs[HASH_SIZE];
    uint8_t ours[HASH_SIZE];
    bool source_right;
    bool destination_right;

    if (!hash_end(context, spi_i, spi_r, &message->remote, theirs) ||
        !hash_end(context, spi_i, spi_r, &message->local, ours) ||
        !find_hash(message, V2_N_NAT_DETECTION_SOURCE_IP, theirs, &source_right) ||
        !find_hash(message, V2_N_NAT_DETECTION_DESTINATION_IP, ours, &destination_right))
        return (struct nat_finding){0};
    return (struct nat_finding){
        .known = true,
        .here = !destination_right,
        .there = !source_right,
    };
}

void nat_take(struct context *context, struct ike_sa *sa, const struct ike_message *message)
{
    const struct ike_header *header = &message->header;
    struct nat_finding finding = nat_detect(context, message, header->spi_i, header->spi_r);

    ikev2_of(sa)->nat_known = finding.known;
    sa->nat_here = finding.here;
    sa->nat_there = finding.there;
    sa->encap = finding.known && (finding.here || finding.there || sa->nat_pretended);
    if (sa->initiator)
        nat_report(context, sa);
}

void nat_follow(struct context *context, struct ike_sa *sa, const struct nat_finding *finding,
                uint16_t local_port)
{
    if (!finding->known)
        return;
    sa->nat_here = finding->here;
    sa->nat_there = finding->there;
    sa->encap =
        (finding->here || finding->there || sa->nat_pretended) && local_port == NAT_PORT_BOTH;
    keepalive_arm(context, sa);
}

void nat_float(struct ike_sa *sa)
{
    if (!sa->encap && !mobike_wanted(sa))
        return;
    sa->local.port = NAT_PORT_BOTH;
    sa->remote.port = NAT_PORT_BOTH;
}

/* Only where it is one address, and all entries have the same one: nothing else is a selector of
 * transport mode. */
static void substitute(struct v2_selectors *selectors, const struct address *by)
{
    const struct selector *first = &selectors->items[0];

    for (size_t i = 0; i < selectors->count; i++) {
        const struct selector *selector = &selectors->items[i];
        if (selector->family != by->family ||
            memcmp(selector->start, selector->end, sizeof(selector->start)) != 0 ||
            memcmp(selector->start, first->start, sizeof(selector->start)) != 0)
            return;
    }
    for (size_t i = 0; i < selectors->count; i++) {
        memcpy(selectors->items[i].start, by->bytes, sizeof(by->bytes));
        memcpy(selectors->items[i].end, by->bytes, sizeof(by->bytes));
    }
}

void nat_substitute(const struct ike_sa *sa, struct v2_selectors *local,
                    struct v2_selectors *remote)
{
    if (sa->nat_here)
        substitute(local, &sa->local);
    if (sa->nat_there)
        substitute(remote, trial_is_on(sa) ? &ikev2_of(sa)->movement->tried_remote : &sa->remote);
}
