/*
 * One end of the socket between keeper and negotiator: batches out, datagrams in, descriptors once.
 *
 * Messages are packed into a datagram until it is full or flushed.  Nothing here ever blocks: what
 * the socket does not take waits in a queue of at most CHANNEL_QUEUE_MAX octets.  Datagrams may
 * hold keys, so their memory is wiped after use.
 * Not here: what the messages mean.
 */
#ifndef IKED_PROCESS_CHANNEL_H
#define IKED_PROCESS_CHANNEL_H

#include <event2/event.h>

#include "iked/process/ipc.h"

#define CHANNEL_QUEUE_MAX (128u << 20) /* two generations of the largest configuration */
#define CHANNEL_BACKLOG   (1u << 20)   /* from here on the owner should take less work in */
#define CHANNEL_DRAIN_MAX 32           /* datagrams per wakeup */
#define CHANNEL_SNDBUF    (4 << 20)

struct channel;

struct channel_hooks {
    /* A datagram came, borrowed; the descriptors are the hook's from now on.  False: it is bad, and
     * the channel closes. */
    bool (*received)(void *context, struct slice datagram, const int *fds, size_t fd_count);
    /* The other end is gone (`why` is NULL) or unusable; said once, nothing comes afterwards. */
    void (*closed)(void *context, const char *why);
    void *context;
};

/* Both ends of a new socket, false with errno set.  To be made by the end with CAP_NET_ADMIN, for
 * the sake of their buffers' size. */
MUST_USE bool channel_pair(int fds[2]);

/* Takes `fd`, also when it returns NULL (memory is out). */
struct channel *channel_new(struct event_base *base, int fd, const struct channel_hooks *hooks);

/* Not from within a hook. */
void channel_free(struct channel *channel);

/* Packs a message; it leaves with the next flush, or when the datagram is full.  False when it does
 * not fit any datagram. */
MUST_USE bool channel_put(struct channel *channel, struct ipc_message *message);

void channel_flush(struct channel *channel);

/* Flushes with descriptors (which stay the caller's): only as the first datagram of all. */
MUST_USE bool channel_flush_with(struct channel *channel, const int *fds, size_t fd_count);

/* Reads all that is there, to the end: for the last words of an end that died. */
void channel_drain(struct channel *channel);

/* Octets that wait in the queue. */
size_t channel_backlog(const struct channel *channel);

/* Waits up to `timeout_ms` in all for the queue to leave: for last words. */
void channel_linger(struct channel *channel, int timeout_ms);

#endif
