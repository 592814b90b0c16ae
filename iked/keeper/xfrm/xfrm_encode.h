/*
 * Netlink messages to XFRM, written into a batch: <linux/xfrm.h>, xfrm_user.c of the kernel.
 *
 * Not here: the socket (xfrm_io.c), what comes back (xfrm_decode.h).
 */
#ifndef IKED_KEEPER_XFRM_XFRM_ENCODE_H
#define IKED_KEEPER_XFRM_XFRM_ENCODE_H

#include <linux/xfrm.h>

#include <libmnl/libmnl.h>

#include "iked/keeper/xfrm/kernel.h"

/* Messages behind one another, as one send takes them. */
struct xfrm_batch {
    uint8_t *data; /* aligned to 4 */
    size_t capacity;
    size_t size;
    uint32_t sequence; /* of the last message; each gets the next */
    uint32_t port;     /* of the socket: the kernel's notices of what is done bear it */
    size_t count;      /* of messages */
};

/* More than any job needs; the bypasses, ten messages, are the largest. */
#define XFRM_JOB_ROOM 4096

/* Appends all messages of a job (one per direction for policies; MOVE_SA is in xfrm_move.h).  False
 * with the reason when the job cannot be said in netlink; nothing is appended then.  There must be
 * XFRM_JOB_ROOM left. */
MUST_USE bool xfrm_encode_job(struct xfrm_batch *batch, const struct kernel_job *job,
                              struct reason *reason);

/* --- Parts of messages --- */

struct nlmsghdr *xfrm_begin(struct xfrm_batch *batch, uint16_t type, uint16_t flags);
void xfrm_end(struct xfrm_batch *batch, const struct nlmsghdr *message);

/* The fixed part of a message, filled elsewhere and copied in: netlink aligns to 4, structs of XFRM
 * want 8. */
void xfrm_put_body(struct nlmsghdr *message, const void *body, size_t size);

void xfrm_put_ends(struct xfrm_usersa_info *info, const struct address *source,
                   const struct address *destination);

/* RFC 3948: in either direction the ports stand as the packet bears them. */
void xfrm_put_encap(struct nlmsghdr *message, const struct address *source,
                    const struct address *destination, bool inbound);

/* XFRM_MSG_DELSA or XFRM_MSG_GETSA. */
void xfrm_encode_sa_id(struct xfrm_batch *batch, uint16_t type, uint16_t flags,
                       const struct effect_remove_sa *sa);

/* --- Dumps --- */

void xfrm_encode_dump(struct xfrm_batch *batch, enum kernel_table table);

#endif
