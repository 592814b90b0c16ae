/*
 * What the kernel says by itself: an event for the engine, from the process that hears the kernel.
 *
 * Not here: what the kernel is asked for, and its answers (effect.h); what follows from an event
 * (lib/engine).
 */
#ifndef LIB_SA_KERNEL_EVENT_H
#define LIB_SA_KERNEL_EVENT_H

#include "lib/sa/effect.h"

enum kernel_event_kind {
    KERNEL_ACQUIRE = 1, /* a packet met a policy without an SA */
    KERNEL_EXPIRE,      /* an SA reached a limit */
    KERNEL_ORPHAN,      /* at start: SAs of this child are there from an earlier life */
    KERNEL_MAPPING,     /* an inbound SA in UDP gets its packets from another address or port */
    KERNEL_ADDRESSES,   /* this host's addresses or routes have changed; nothing more is said */
};

struct kernel_event {
    enum kernel_event_kind kind;
    struct name connection;       /* ACQUIRE, ORPHAN */
    struct name child;            /* ACQUIRE, ORPHAN */
    struct selector local_packet; /* ACQUIRE: the packet itself, as far as the kernel says */
    struct selector remote_packet;
    struct address destination; /* EXPIRE, MAPPING */
    struct address source;      /* MAPPING: the new one, with its port */
    uint32_t spi;               /* EXPIRE, MAPPING */
    uint8_t protocol;           /* EXPIRE, MAPPING: enum ipsec_protocol */
    bool hard;                  /* EXPIRE: the SA is gone; else it will be soon */
    bool removed;               /* EXPIRE: by somebody else, whatever its limits are */
};

#endif
