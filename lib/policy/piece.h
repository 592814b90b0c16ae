/*
 * A pair of selectors cut into what the kernel's policies can say.
 *
 * IKE's selectors are ranges; the kernel's have a prefix per address and a mask per port.  A piece
 * is one such; a pair of selectors becomes one or more.
 * Not here: netlink (keeper/xfrm/xfrm_encode.h), what is installed (keeper/gate/ledger.h).
 */
#ifndef LIB_POLICY_PIECE_H
#define LIB_POLICY_PIECE_H

#include "lib/policy/config.h"

/* For one pair.  A range of ports costs up to 30 per side, a range of addresses up to 62. */
#define PIECES_MAX 512

/* As seen from here: local and remote, whatever the direction.  For ICMP local_port is the type and
 * remote_port the code, in both directions, as the kernel has it. */
struct piece {
    uint8_t family;
    uint8_t protocol;
    uint8_t local_bits;
    uint8_t remote_bits;
    uint16_t local_port;
    uint16_t local_mask;
    uint16_t remote_port;
    uint16_t remote_mask;
    uint8_t local[16];
    uint8_t remote[16];
};

/* ICMP or ICMPv6: it has types and codes where others have ports. */
bool protocol_is_icmp(uint8_t protocol);

/* Writes the pieces of a pair, at most PIECES_MAX, and their number.  0 pieces: no packet can match
 * the pair (other families, other protocols).  STATUS_REJECT when the kernel cannot say it. */
MUST_USE enum status pieces_of(const struct selector *local, const struct selector *remote,
                               struct piece pieces[PIECES_MAX], size_t *count,
                               struct reason *reason);

/* The same without writing any: whether the kernel can say the pair. */
MUST_USE enum status pieces_check(const struct selector *local, const struct selector *remote,
                                  struct reason *reason);

/* The kernel's priority: the lower wins.  All that is required to be protected comes before all
 * that only prefers it; among equals one piece within another has the lower one, always. */
uint32_t piece_priority(const struct piece *piece, enum child_policy policy);

/* Lower than any piece's. */
#define PIECE_PRIORITY_BYPASS 100

/* What it selects, as a pair again. */
void piece_selectors(const struct piece *piece, struct selector *local, struct selector *remote);

bool piece_equal(const struct piece *a, const struct piece *b);

#endif
