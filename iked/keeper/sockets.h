/*
 * The sockets that the negotiator gets, and the run directory: control socket, pid file, lock.
 *
 * Not here: reading or writing any of them (iked/negotiator/udp.c, iked/negotiator/control.c).
 */
#ifndef IKED_KEEPER_SOCKETS_H
#define IKED_KEEPER_SOCKETS_H

#include "iked/process/ipc.h"

struct sockets {
    char run_dir[IPC_PATH_MAX];
    int lock_fd; /* the pid file, locked while we live */
    bool taken;  /* not locked, because another iked runs there */
    size_t count;
    struct ipc_socket descriptions[IPC_SOCKETS_MAX];
    int fds[IPC_SOCKETS_MAX];
};

/* Makes the run directory where it is missing and takes its lock.  False with one line: also when
 * another iked has it. */
MUST_USE bool sockets_lock(struct sockets *sockets, const char *run_dir, struct reason *reason);

/* Opens UDP on IKE's two ports for both families, two sockets each (the first sends), and the
 * control socket.  IPv6 may be absent. `protects`: with policies that let IKE's own packets pass by
 * all others, and with the kernel taking ESP out of what comes to the port for NAT. */
MUST_USE bool sockets_open(struct sockets *sockets, bool protects, struct reason *reason);

/* Closes all and removes what is in the run directory. */
void sockets_close(struct sockets *sockets);

#endif
