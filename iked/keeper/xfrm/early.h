/*
 * Packets that come before the keys of their SA.
 *
 * Whoever answers an exchange has the keys first and may send on the new SA at once (RFC 7296
 * section 2.8); the kernel drops what finds but a larval SA.  So while an SPI of ours waits for an
 * answer, what comes for it is kept, as it is, still encrypted, and brought to the kernel again
 * when the SA has its keys.  It is an addition: where it does not work, such packets are lost.
 * Not here: which SPIs wait (kernel.h).
 */
#ifndef IKED_KEEPER_XFRM_EARLY_H
#define IKED_KEEPER_XFRM_EARLY_H

#include "lib/base/address.h"

struct early;

/* Takes CAP_NET_RAW, which nothing else here does, CAP_NET_ADMIN and /dev/net/tun.  NULL where it
 * cannot be, after a line in the log; the functions below then do nothing. */
struct early *early_new(void);
void early_free(struct early *early);

/* The ESP that is waited for. */
struct early_flow {
    struct address destination; /* ours; in UDP with its port */
    uint32_t spi;
    bool encap; /* in UDP */
};

/* From now on what comes is kept.  When more SPIs wait than there is room for, the one that waits
 * longest loses its. */
void early_watch(struct early *early, const struct early_flow *flow);

/* The SA is there: it gets what came, in order. */
void early_give(struct early *early, const struct address *destination, uint32_t spi);

/* Nothing more is waited for. */
void early_forget(struct early *early, const struct address *destination, uint32_t spi);

#endif
