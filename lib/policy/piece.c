/*
 * Selectors cut into pieces: see piece.h.
 *
 * RFC 4301 section 4.4.1.1 for what selectors are, RFC 7296 section 3.13.1 for ICMP's type and code
 * and for OPAQUE ports.
 */
#include "lib/policy/piece.h"

#include <netinet/in.h>
#include <string.h>

#define PREFIXES_MAX     64
#define PORTS_MAX        32
#define PRIORITY_BAND    100000 /* "require" is in the first, "prefer" in the second */
#define PORT_WEIGHT_BITS 6 /* 1 for the protocol and 32 for both ports stay below one address bit */

/* A power-of-two block of ports: `bits` of them are fixed. */
struct port_block {
    uint16_t port;
    uint8_t bits;
};

struct side {
    struct address prefixes[PREFIXES_MAX];
    uint8_t bits[PREFIXES_MAX];
    size_t prefix_count;
    struct port_block ports[PORTS_MAX];
    size_t port_count;
};

static uint16_t mask_of(unsigned bits, unsigned width)
{
    return (uint16_t)(((1u << bits) - 1) << (width - bits));
}

/* The fewest blocks that cover start..end: at most 30. */
static size_t port_blocks(uint32_t start, uint32_t end, struct port_block blocks[PORTS_MAX])
{
    size_t count = 0;

    while (start <= end && count < PORTS_MAX) {
        unsigned free_bits = 0;
        while (free_bits < 16 && (start & ((2u << free_bits) - 1)) == 0 &&
               start + (2u << free_bits) - 1 <= end)
            free_bits++;
        blocks[count++] =
            (struct port_block){.port = (uint16_t)start, .bits = (uint8_t)(16 - free_bits)};
        start += 1u << free_bits;
    }
    return count;
}

static enum status side_cut(const struct selector *selector, struct side *side,
                            struct reason *reason)
{
    char text[SELECTOR_TEXT_MAX];

    if (selector->port_start > selector->port_end)
        return reason_set(reason, STATUS_REJECT, 0, "%s: the kernel knows no OPAQUE ports",
                          selector_text(selector, text));
    side->prefix_count = selector_prefixes(selector, side->prefixes, side->bits, PREFIXES_MAX);
    if (side->prefix_count > PREFIXES_MAX)
        return reason_set(reason, STATUS_REJECT, 0,
                          "%s: the range needs %zu prefixes in the kernel; expected at most %d",
                          selector_text(selector, text), side->prefix_count, PREFIXES_MAX);
    side->port_count = port_blocks(selector->port_start, selector->port_end, side->ports);
    return STATUS_OK;
}

bool protocol_is_icmp(uint8_t protocol)
{
    return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* type << 8 | code lies in one block: the type in local_port, the code in remote_port. */
static void set_icmp(struct piece *piece, const struct port_block *block)
{
    unsigned type_bits = block->bits < 8 ? block->bits : 8;
    unsigned code_bits = block->bits - type_bits;

    piece->local_port = block->port >> 8;
    piece->local_mask = mask_of(type_bits, 8);
    piece->remote_port = block->port & 0xff;
    piece->remote_mask = mask_of(code_bits, 8);
    /* The kernel compares 16 bits of which ICMP uses the lower 8. */
    if (type_bits == 8)
        piece->local_mask = UINT16_MAX;
    if (code_bits == 8)
        piece->remote_mask = UINT16_MAX;
}

static void set_ports(struct piece *piece, const struct port_block *local,
                      const struct port_block *remote)
{
    piece->local_port = local->port;
    piece->local_mask = mask_of(local->bits, 16);
    piece->remote_port = remote->port;
    piece->remote_mask = mask_of(remote->bits, 16);
}

/* Both sides of a pair, and how many pieces they make. */
struct cutting {
    struct side local;
    struct side remote;
    uint8_t protocol;
    size_t needed;
};

/* All pieces between two prefixes. */
static size_t cut_ports(const struct cutting *cutting, size_t local_at, size_t remote_at,
                        struct piece *pieces)
{
    const struct side *local = &cutting->local;
    const struct side *remote = &cutting->remote;
    bool icmp = protocol_is_icmp(cutting->protocol);
    /* ICMP's type and code stand in both selectors; one of them says it all. */
    size_t remote_ports = icmp ? 1 : remote->port_count;
    size_t count = 0;

    for (size_t i = 0; i < local->port_count; i++) {
        for (size_t j = 0; j < remote_ports; j++) {
            struct piece *piece = &pieces[count++];
            *piece = (struct piece){
                .family = local->prefixes[local_at].family,
                .protocol = cutting->protocol,
                .local_bits = local->bits[local_at],
                .remote_bits = remote->bits[remote_at],
            };
            memcpy(piece->local, local->prefixes[local_at].bytes, 16);
            memcpy(piece->remote, remote->prefixes[remote_at].bytes, 16);
            if (icmp)
                set_icmp(piece, &local->ports[i]);
            else
                set_ports(piece, &local->ports[i], &remote->ports[j]);
        }
    }
    return count;
}

/* The ports of both selectors for ICMP: what they have in common. */
static bool join_icmp(struct selector *local, const struct selector *remote)
{
    if (remote->port_start > local->port_start)
        local->port_start = remote->port_start;
    if (remote->port_end < local->port_end)
        local->port_end = remote->port_end;
    return local->port_start <= local->port_end;
}

static enum status pair_cut(const struct selector *local_selector,
                            const struct selector *remote_selector, struct cutting *cutting,
                            struct reason *reason)
{
    struct selector local = *local_selector;
    struct selector remote = *remote_selector;
    char local_text[SELECTOR_TEXT_MAX];
    char remote_text[SELECTOR_TEXT_MAX];

    cutting->protocol = local.protocol != 0 ? local.protocol : remote.protocol;
    cutting->needed = 0;
    if (local.family != remote.family ||
        (remote.protocol != 0 && remote.protocol != cutting->protocol))
        return STATUS_OK;
    bool icmp = protocol_is_icmp(cutting->protocol);
    if (icmp && remote.port_start <= remote.port_end && !join_icmp(&local, &remote))
        return STATUS_OK;
    enum status status = side_cut(&local, &cutting->local, reason);
    if (status == STATUS_OK)
        status = side_cut(&remote, &cutting->remote, reason);
    if (status != STATUS_OK)
        return status;
    size_t needed = cutting->local.prefix_count * cutting->remote.prefix_count *
                    cutting->local.port_count * (icmp ? 1 : cutting->remote.port_count);
    if (needed > PIECES_MAX)
        return reason_set(reason, STATUS_REJECT, 0,
                          "%s with %s: the pair needs %zu policies in the kernel; expected at most "
                          "%d",
                          selector_text(&local, local_text), selector_text(&remote, remote_text),
                          needed, PIECES_MAX);
    cutting->needed = needed;
    return STATUS_OK;
}

enum status pieces_of(const struct selector *local, const struct selector *remote,
                      struct piece pieces[PIECES_MAX], size_t *count, struct reason *reason)
{
    struct cutting cutting;
    enum status status = pair_cut(local, remote, &cutting, reason);

    *count = 0;
    if (status != STATUS_OK || cutting.needed == 0)
        return status;
    for (size_t i = 0; i < cutting.local.prefix_count; i++)
        for (size_t j = 0; j < cutting.remote.prefix_count; j++)
            *count += cut_ports(&cutting, i, j, &pieces[*count]);
    return STATUS_OK;
}

enum status pieces_check(const struct selector *local, const struct selector *remote,
                         struct reason *reason)
{
    struct cutting cutting;

    return pair_cut(local, remote, &cutting, reason);
}

static unsigned bits_of(uint16_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

/* Every part that a piece within another narrows makes the sum larger, none makes it smaller; so
 * the order holds for any two of which one lies within the other.  A band is wider than any sum: a
 * "prefer" that is narrower would let out in the clear what another child requires protected. */
uint32_t piece_priority(const struct piece *piece, enum child_policy policy)
{
    uint32_t band = policy == POLICY_PREFER ? 2 * PRIORITY_BAND : PRIORITY_BAND;
    uint32_t address_bits = (uint32_t)piece->local_bits + piece->remote_bits;
    uint32_t port_bits =
        bits_of(piece->local_mask) + bits_of(piece->remote_mask) + (piece->protocol != 0 ? 1 : 0);

    return band - (address_bits << PORT_WEIGHT_BITS) - port_bits;
}

static struct selector prefix_selector(const struct piece *piece, const uint8_t address[16],
                                       unsigned bits)
{
    struct selector selector = {
        .family = piece->family, .protocol = piece->protocol, .port_end = UINT16_MAX};
    size_t size = address_size(piece->family);

    for (size_t i = 0; i<size; i++, bits = bits> 8 ? bits - 8 : 0) {
        uint8_t mask = bits >= 8 ? UINT8_MAX : (uint8_t) ~(UINT8_MAX >> bits);
        selector.start[i] = address[i] & mask;
        selector.end[i] = (uint8_t)(address[i] | (uint8_t)~mask);
    }
    return selector;
}

static void set_block(struct selector *selector, uint16_t port, uint16_t mask)
{
    selector->port_start = port & mask;
    selector->port_end = (uint16_t)(port | (uint16_t)~mask);
}

void piece_selectors(const struct piece *piece, struct selector *local, struct selector *remote)
{
    *local = prefix_selector(piece, piece->local, piece->local_bits);
    *remote = prefix_selector(piece, piece->remote, piece->remote_bits);
    if (protocol_is_icmp(piece->protocol)) {
        set_block(local, (uint16_t)(piece->local_port << 8 | (piece->remote_port & 0xff)),
                  (uint16_t)(piece->local_mask << 8 | (piece->remote_mask & 0xff)));
        set_block(remote, local->port_start, UINT16_MAX);
        remote->port_end = local->port_end;
    } else {
        set_block(local, piece->local_port, piece->local_mask);
        set_block(remote, piece->remote_port, piece->remote_mask);
    }
}

bool piece_equal(const struct piece *a, const struct piece *b)
{
    return a->family == b->family && a->protocol == b->protocol && a->local_bits == b->local_bits &&
           a->remote_bits == b->remote_bits && a->local_port == b->local_port &&
           a->local_mask == b->local_mask && a->remote_port == b->remote_port &&
           a->remote_mask == b->remote_mask && memcmp(a->local, b->local, 16) == 0 &&
           memcmp(a->remote, b->remote, 16) == 0;
}
