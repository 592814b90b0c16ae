/*
 * What XFRM and rtnetlink say, as any octets (iked/keeper/xfrm/xfrm_decode.h, routes.h).
 *
 * The kernel is no enemy, but its structs grow from version to version, and a decoder that reads
 * past a message would read the keeper's memory.  A policy that is decoded can be removed, so it
 * must encode.
 */
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "iked/keeper/routes.h"
#include "iked/keeper/xfrm/netlink.h"
#include "iked/keeper/xfrm/xfrm_decode.h"
#include "iked/keeper/xfrm/xfrm_move.h"
#include "test/fuzz/fuzz.h"

static void check_piece(const struct piece *piece)
{
    static uint8_t room[XFRM_JOB_ROOM] __attribute__((aligned(8)));
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};
    struct kernel_job job = {.verb = KERNEL_REMOVE_PIECE, .piece = *piece, .mode = CHILD_TUNNEL};

    CHECK(xfrm_encode_job(&batch, &job, NULL));
    CHECK(batch.count == 3);
}

/* Whatever an SA is said to be, it is told anew within the room that there is. */
static void check_move(const struct nlmsghdr *message, const struct kernel_sa *sa)
{
    static uint8_t room[2 * XFRM_JOB_ROOM] __attribute__((aligned(8)));
    struct xfrm_batch batch = {.data = room, .capacity = sizeof(room)};
    struct effect_move_sa move = {
        .inbound = (sa->spi & 1) != 0,
        .encap = (sa->spi & 2) != 0,
        .spi = sa->spi,
        .protocol = sa->protocol,
        .source = sa->source,
        .destination = sa->destination,
        .new_source = sa->source,
        .new_destination = sa->destination,
    };

    move.new_source.bytes[0] ^= (uint8_t)(sa->spi & 4);
    move.new_destination.bytes[0] ^= (uint8_t)(sa->spi & 8);
    if (!move_encode(&batch, message, &move, NULL))
        return;
    CHECK(batch.count >= 1 && batch.size <= batch.capacity);
}

static void check_message(const struct nlmsghdr *message)
{
    struct kernel_sa sa;
    struct kernel_piece piece;
    struct kernel_notice notice;
    struct route route;
    char text[96];
    int error;

    if (xfrm_decode_sa(message, &sa)) {
        CHECK(sa.destination.family != FAMILY_NONE);
        check_move(message, &sa);
    }
    if (xfrm_decode_policy(message, &piece))
        check_piece(&piece.piece);
    if (xfrm_decode_notice(message, &notice))
        CHECK(notice.kind != 0 && notice.kind != NOTICE_LOST);
    if (xfrm_decode_notice(message, &notice) && notice.kind == NOTICE_POLICY_GONE)
        check_piece(&notice.piece.piece);
    if (route_decode(message, &route))
        CHECK(route.source.family == FAMILY_NONE || address_size(route.source.family) > 0);
    if (route_is_change(message))
        CHECK(message->nlmsg_type >= RTM_BASE);
    if (netlink_error(message, &error, text, sizeof(text)))
        CHECK(strlen(text) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A block of its own size, so that a sanitizer sees each octet too far. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    int left = (int)size;

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)copy;
    for (; netlink_fits(message, left); message = mnl_nlmsg_next(message, &left))
        check_message(message);
    free(copy);
    return 0;
}
