/*
 * Moving an SA in the kernel: see xfrm_move.h; xfrm_user.c and xfrm_state.c of the kernel.
 */
#include "iked/keeper/xfrm/xfrm_move.h"

#include <string.h>

#include "iked/keeper/xfrm/netlink.h"
#include "iked/keeper/xfrm/xfrm_decode.h"
#include "lib/base/reader.h"

/* What is told again as it was; ALG_AUTH_TRUNC is ALG_AUTH with more said. */
static const uint16_t kept[] = {
    XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_COMP, XFRMA_TFCPAD,
};

#define FOUND_MAX  4096 /* far more than what iked makes */
#define KEPT_COUNT (sizeof(kept) / sizeof(kept[0]))

/* --- Keys --- */

/* The key behind an algorithm's head; `head` is the size of its kernel struct. */
static struct slice key_behind(const struct nlattr *attribute, size_t head)
{
    struct reader reader;

    if (attribute == NULL)
        return slice_of(NULL, 0);
    reader =
        reader_of(slice_of(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute)));
    reader_skip(&reader, head);
    return reader_rest(&reader);
}

/* A kernel in lockdown (LOCKDOWN_XFRM_SECRET) puts zeros in the keys' place. */
static bool is_blank(struct slice key)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < key.size; i++)
        sum |= key.data[i];
    return key.size > 0 && sum == 0;
}

static bool keys_are_told(const struct nlmsghdr *found)
{
    static const struct {
        uint16_t type;
        size_t head;
    } rows[] = {
        {XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead)},
        {XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo)},
        {XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct nlattr *attribute =
            netlink_attribute(found, sizeof(struct xfrm_usersa_info), rows[i].type);
        if (is_blank(key_behind(attribute, rows[i].head)))
            return false;
    }
    return true;
}

/* --- Telling it anew --- */

static void copy_attribute(struct nlmsghdr *message, const struct nlmsghdr *found, uint16_t type)
{
    const struct nlattr *attribute =
        netlink_attribute(found, sizeof(struct xfrm_usersa_info), type);

    if (attribute != NULL)
        mnl_attr_put(message, type, mnl_attr_get_payload_len(attribute),
                     mnl_attr_get_payload(attribute));
}

/* Adds to a sequence number, and stays at its end: there the kernel stops sending, as it must. */
static void skip_ahead(uint32_t *low, uint32_t *high)
{
    uint64_t most = high != NULL ? UINT64_MAX : UINT32_MAX;
    uint64_t number = (high != NULL ? (uint64_t)*high << 32 : 0) | *low;

    number = number > most - MOVE_SEQUENCE_GAP ? most : number + MOVE_SEQUENCE_GAP;
    *low = (uint32_t)number;
    if (high != NULL)
        *high = (uint32_t)(number >> 32);
}

/* Either of two forms; the long one has the window's bits behind it. */
static void put_replay(struct nlmsghdr *message, const struct nlmsghdr *found, bool esn,
                       bool inbound)
{
    union {
        uint8_t room[sizeof(struct xfrm_replay_state_esn) + XFRMA_REPLAY_ESN_MAX / 8];
        struct xfrm_replay_state_esn extended;
        struct xfrm_replay_state plain;
    } replay = {0};
    const struct nlattr *attribute =
        netlink_attribute(found, sizeof(struct xfrm_usersa_info), XFRMA_REPLAY_ESN_VAL);
    bool extended = attribute != NULL;

    if (!extended)
        attribute = netlink_attribute(found, sizeof(struct xfrm_usersa_info), XFRMA_REPLAY_VAL);
    if (attribute == NULL || mnl_attr_get_payload_len(attribute) > sizeof(replay))
        return;
    memcpy(replay.room, mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
    if (!inbound && extended)
        skip_ahead(&replay.extended.oseq, esn ? &replay.extended.oseq_hi : NULL);
    else if (!inbound)
        skip_ahead(&replay.plain.oseq, NULL);
    mnl_attr_put(message, mnl_attr_get_type(attribute), mnl_attr_get_payload_len(attribute),
                 &replay);
}

static void put_sa(struct xfrm_batch *batch, const struct nlmsghdr *found, uint16_t type,
                   const struct effect_move_sa *move)
{
    struct nlmsghdr *message = xfrm_begin(batch, type, NLM_F_ACK);
    struct xfrm_usersa_info info;
    bool updates = type == XFRM_MSG_UPDSA;

    memcpy(&info, mnl_nlmsg_get_payload(found), sizeof(info));
    xfrm_put_ends(&info, &move->new_source, &move->new_destination);
    info.seq = 0; /* of an acquire that is long answered */
    xfrm_put_body(message, &info, sizeof(info));
    for (size_t i = 0; i < KEPT_COUNT; i++)
        copy_attribute(message, found, kept[i]);
    put_replay(message, found, (info.flags & XFRM_STATE_ESN) != 0, move->inbound || updates);
    mnl_attr_put(message, XFRMA_LTIME_VAL, sizeof(info.curlft), &info.curlft);
    if (move->encap)
        xfrm_put_encap(message, &move->new_source, &move->new_destination, move->inbound);
    xfrm_end(batch, message);
}

/* --- The cases --- */

static struct effect_remove_sa removal_of(const struct effect_move_sa *move, bool new)
{
    return (struct effect_remove_sa){
        .source = new ? move->new_source : move->source,
        .destination = new ? move->new_destination : move->destination,
        .spi = move->spi,
        .protocol = move->protocol,
    };
}

static void put_removal(struct xfrm_batch *batch, const struct effect_move_sa *move, bool new)
{
    struct effect_remove_sa removal = removal_of(move, new);

    xfrm_encode_sa_id(batch, XFRM_MSG_DELSA, NLM_F_ACK, &removal);
}

void move_encode_get(struct xfrm_batch *batch, const struct effect_move_sa *move)
{
    struct effect_remove_sa id = removal_of(move, false);

    xfrm_encode_sa_id(batch, XFRM_MSG_GETSA, 0, &id);
}

bool move_encode(struct xfrm_batch *batch, const struct nlmsghdr *found,
                 const struct effect_move_sa *move, struct reason *reason)
{
    struct kernel_sa sa;

    if (!xfrm_decode_sa(found, &sa) || sa.spi != move->spi || sa.protocol != move->protocol ||
        !address_same_host(&sa.destination, &move->destination) || found->nlmsg_len > FOUND_MAX) {
        reason_set(reason, STATUS_FAIL, 0, "the kernel shows another SA");
        return false;
    }
    if (!keys_are_told(found)) {
        reason_set(reason, STATUS_FAIL, 0, "the kernel, locked down, does not show the SA's keys");
        return false;
    }
    bool same_source = address_same_host(&sa.source, &move->new_source);
    bool same_destination = address_same_host(&sa.destination, &move->new_destination);
    if (same_source && same_destination && sa.encap == move->encap) {
        put_sa(batch, found, XFRM_MSG_UPDSA, move);
        return true;
    }
    if (same_destination)
        put_removal(batch, move, false);
    put_sa(batch, found, XFRM_MSG_NEWSA, move);
    return true;
}

void move_encode_end(struct xfrm_batch *batch, const struct effect_move_sa *move)
{
    put_removal(batch, move, false);
    put_removal(batch, move, true);
}
