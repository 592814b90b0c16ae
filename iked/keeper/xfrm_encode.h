/*
 * Netlink messages to XFRM, written into a batch: <linux/xfrm.h>, xfrm_user.c of the kernel.
 *
 * Not here: the socket (xfrm_io.c), what comes back (xfrm_decode.h).
 */
#ifndef IKED_KEEPER_XFRM_ENCODE_H
#define IKED_KEEPER_XFRM_ENCODE_H

#include <linux/xfrm.h>

#include "iked/keeper/kernel.h"

/* Messages behind one another, as one send takes them. */
struct xfrm_batch {
    uint8_t *data; /* aligned to 4 */
    size_t capacity;
    size_t size;
    uint32_t sequence; /* of the last message; each gets the next */
    size_t count;      /* of messages */
};

/* More than any job needs; the bypasses, ten messages, are the largest. */
#define XFRM_JOB_ROOM 4096

/* Appends all messages of a job (one per direction for policies).  False with the reason when the
 * job cannot be said in netlink; nothing is appended then.  There must be XFRM_JOB_ROOM left. */
MUST_USE bool xfrm_encode_job(struct xfrm_batch *batch, const struct kernel_job *job,
                              struct reason *reason);

enum xfrm_table { XFRM_TABLE_SAS, XFRM_TABLE_POLICIES };
void xfrm_encode_dump(struct xfrm_batch *batch, enum xfrm_table table);

#endif
