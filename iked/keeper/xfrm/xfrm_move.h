/*
 * Moving an SA in the kernel: it gets other ends and keeps its keys, limits, counters and replay
 * state.
 *
 * The kernel names an SA by destination, SPI and protocol, and changes of one that is there only
 * the ports of its encapsulation.  So:
 *   other ports                   UPDSA
 *   another destination           NEWSA; the one before goes when the policies lead to the new one
 *   else (source, or encap)       DELSA and NEWSA in one send
 * XFRM_MSG_MIGRATE would find SAs by their addresses, and of the several that a child has while it
 * is rekeyed only one.  So the SA is read (GETSA) and told anew; the keeper sees its keys for that
 * moment.
 * Not here: the socket (xfrm_io.c), the order among other requests (service.c).
 */
#ifndef IKED_KEEPER_XFRM_XFRM_MOVE_H
#define IKED_KEEPER_XFRM_XFRM_MOVE_H

#include <libmnl/libmnl.h>

#include "iked/keeper/xfrm/xfrm_encode.h"

/* What an outbound SA leaves out of its sequence: so many packets may still leave with the numbers
 * of the old state after it was read; twice the same number must not be used (RFC 4303 section
 * 3.3.3). */
#define MOVE_SEQUENCE_GAP 4096

/* "What is this SA?" */
void move_encode_get(struct xfrm_batch *batch, const struct effect_move_sa *move);

/* Appends what makes of `found`, the answer (with keys: to be wiped afterwards), the SA as it is to
 * be.  False with the reason when it cannot be: nothing is appended then.  There must be
 * 2 * XFRM_JOB_ROOM left. */
MUST_USE bool move_encode(struct xfrm_batch *batch, const struct nlmsghdr *found,
                          const struct effect_move_sa *move, struct reason *reason);

/* Appends the removal of both, after a failure. */
void move_encode_end(struct xfrm_batch *batch, const struct effect_move_sa *move);

#endif
