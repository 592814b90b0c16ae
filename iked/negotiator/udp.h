/*
 * IKE's UDP sockets: datagrams in with the address they were sent to, out from the address that the
 * peer knows.
 *
 * On port 4500 a marker that is not ESP stands in front of each IKE message (RFC 3948 section 2.2):
 * it is put there and taken away here.
 * Not here: opening them (the keeper), what is in a datagram (the engine).
 */
#ifndef IKED_NEGOTIATOR_UDP_H
#define IKED_NEGOTIATOR_UDP_H

#include "iked/process/ipc.h"
#include "lib/engine/engine.h"

struct event_base;
struct udp;

#define UDP_DRAIN_MAX \
    64 /* datagrams per socket and wakeup: then timers and the keeper get a turn */

struct udp_hooks {
    /* Borrowed; the octets may be scribbled over. */
    void (*packet)(void *context, const struct datagram *datagram);
    /* After the last packet of a wakeup. */
    void (*drained)(void *context);
    void *context;
};

struct udp_counts {
    uint64_t lost;     /* datagrams that could not be sent */
    uint64_t unmarked; /* came to port 4500 without the marker: ESP or a keepalive */
};

/* NULL when memory is out. */
struct udp *udp_new(struct event_base *base, const struct udp_hooks *hooks);
void udp_free(struct udp *udp);

/* Takes `fd`, also when it fails. */
MUST_USE bool udp_add(struct udp *udp, int fd, const struct ipc_socket *description);

/* Stops or goes on reading: what is not read is lost when the kernel's buffer is full, and peers
 * send it again. */
void udp_pause(struct udp *udp, bool pause);

/* Borrowed; they go on counting. */
const struct udp_counts *udp_counts(const struct udp *udp);

/* From send->local's address and port.  What the network does not take is lost, as on any network;
 * a reason that lasts is logged, at most once a second.  NULL, or why it is lost: one line, good
 * until the next call. */
const char *udp_send(struct udp *udp, const struct effect_send *send);

#endif
