/*
 * Sockets of IKE and of ikectl: see sockets.h.
 */
#include "iked/keeper/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/in6.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "iked/keeper/xfrm/socket_policy.h"
#include "iked/process/log.h"
#include "iked/process/sockaddr.h"

#define UDP_RCVBUF      (4 << 20) /* a burst of some thousand first packets */
#define CONTROL_BACKLOG 16

#define IKE_FLAG_RESPONSE 0x20 /* of the header: RFC 7296 section 3.1 */

/* What is listened on. */
static const struct {
    uint8_t family;
    uint16_t port;
    bool required; /* IPv6 may be off on this host */
} listeners[] = {
    {FAMILY_IPV4, IPC_PORT_IKE, true},
    {FAMILY_IPV6, IPC_PORT_IKE, false},
    {FAMILY_IPV4, IPC_PORT_NAT, true},
    {FAMILY_IPV6, IPC_PORT_NAT, false},
};

/* --- The run directory --- */

/* Who could write here could put another socket in ours' place (R23). */
static bool directory_is_ours(const char *path, struct reason *reason)
{
    struct stat status;

    if (lstat(path, &status) != 0)
        reason_set(reason, STATUS_FAIL, 0, "%s: %s", path, strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        reason_set(reason, STATUS_FAIL, 0, "%s: not a directory", path);
    else if ((status.st_uid != 0 && status.st_uid != geteuid()) ||
             (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        reason_set(reason, STATUS_FAIL, 0,
                   "%s: others can write here; expected a directory of root's own", path);
    else
        return true;
    return false;
}

static bool lock_take(struct sockets *sockets, struct reason *reason)
{
    char path[IPC_PATH_MAX + 16];
    char pid[16] = "";

    snprintf(path, sizeof(path), "%s/iked.pid", sockets->run_dir);
    sockets->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (sockets->lock_fd < 0) {
        reason_set(reason, STATUS_FAIL, 0, "%s: %s", path, strerror(errno));
        return false;
    }
    if (flock(sockets->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t size = pread(sockets->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[size > 0 ? strcspn(pid, "\n") : 0] = '\0';
        sockets->taken = true;
        reason_set(reason, STATUS_FAIL, 0, "already running in %s (process %s)", sockets->run_dir,
                   pid);
        return false;
    }
    int size = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(sockets->lock_fd, 0) == 0 &&
        pwrite(sockets->lock_fd, pid, (size_t)size, 0) == size)
        return true;
    reason_set(reason, STATUS_FAIL, 0, "%s: %s", path, strerror(errno));
    return false;
}

bool sockets_lock(struct sockets *sockets, const char *run_dir, struct reason *reason)
{
    *sockets = (struct sockets){.lock_fd = -1};
    if (strlen(run_dir) >= sizeof(sockets->run_dir)) {
        reason_set(reason, STATUS_FAIL, 0, "the run directory's path is too long");
        return false;
    }
    snprintf(sockets->run_dir, sizeof(sockets->run_dir), "%s", run_dir);
    if (mkdir(run_dir, 0755) != 0 && errno != EEXIST) {
        reason_set(reason, STATUS_FAIL, 0, "%s: %s", run_dir, strerror(errno));
        return false;
    }
    if (directory_is_ours(run_dir, reason) && lock_take(sockets, reason))
        return true;
    if (sockets->lock_fd >= 0)
        close(sockets->lock_fd);
    sockets->lock_fd = -1;
    return false;
}

static bool control_path(const struct sockets *sockets, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(address->sun_path, sizeof(address->sun_path), "%s/control.sock",
                    sockets->run_dir) < (int)sizeof(address->sun_path);
}

/* --- Opening --- */

static void add(struct sockets *sockets, int fd, enum ipc_role role, uint8_t family, uint16_t port)
{
    sockets->descriptions[sockets->count] =
        (struct ipc_socket){.role = (uint8_t)role, .family = family, .port = port};
    sockets->fds[sockets->count++] = fd;
}

/* The lock is ours, so a socket that is there is of an iked that was killed. */
static bool open_control(struct sockets *sockets, struct reason *reason)
{
    struct sockaddr_un address;

    if (!control_path(sockets, &address)) {
        reason_set(reason, STATUS_FAIL, 0, "%s: the path is too long for a socket",
                   sockets->run_dir);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(address.sun_path);
    mode_t mask = umask(S_IXUSR | S_IRWXG | S_IRWXO);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    umask(mask);
    if (bound && listen(fd, CONTROL_BACKLOG) == 0) {
        add(sockets, fd, IPC_ROLE_CONTROL, FAMILY_NONE, 0);
        return true;
    }
    reason_set(reason, STATUS_FAIL, 0, "%s: %s", address.sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

static bool set_options(int fd, uint8_t family)
{
    int yes = 1;
    int room = UDP_RCVBUF;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (family == FAMILY_IPV4)
        return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes)) == 0;
    return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) == 0 &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) == 0;
}

static bool share_port(int fd)
{
    int yes = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) == 0;
}

static bool bind_any(int fd, uint8_t family, uint16_t port)
{
    const struct address any = {.family = family, .port = port};
    union sockaddr_any address;
    socklen_t size = sockaddr_write(&any, &address);

    return bind(fd, &address.any, size) == 0;
}

/* From here on the kernel takes the ESP out of what comes in (RFC 3948 sections 3.3 and 3.5), and
 * keepalives with it.  A kernel that cannot (IPv6 before 5.8, or without ESP) still brings IKE
 * here. */
static void take_out_esp(int fd, uint8_t family)
{
    int kind = UDP_ENCAP_ESPINUDP;

    if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &kind, sizeof(kind)) != 0)
        log_line(SEVERITY_WARNING,
                 "no ESP in UDP over IPv%u: %s: peers behind NAT are reached by "
                 "IKE alone",
                 family, strerror(errno));
}

/* -1 with errno.  The first of a port shares it only once it is bound: whoever else has the port,
 * another iked too, is an error. */
static int open_udp(uint8_t family, uint16_t port, bool protects, bool second)
{
    int fd = socket(family == FAMILY_IPV6 ? AF_INET6 : AF_INET,
                    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);

    if (fd < 0)
        return -1;
    if (set_options(fd, family) && (!protects || socket_policy_pass(fd, family)) &&
        (!second || share_port(fd)) && bind_any(fd, family, port)) {
        if (protects && port == IPC_PORT_NAT)
            take_out_esp(fd, family);
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A port has two sockets: the kernel brings requests without a responder's SPI, such as begin an
 * IKE SA, to the second, everything else to the first.  So a flood of them fills a queue of its
 * own, and those whom we know get through even when we cannot keep up with it. */
static bool split(int fd, uint16_t port)
{
    const uint32_t at = port == IPC_PORT_NAT ? IPC_MARKER_SIZE : 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | (at > 0 ? BPF_ABS : BPF_IMM), 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7), /* ESP stands without the marker */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at + 19),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IKE_FLAG_RESPONSE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 1),
        BPF_STMT(BPF_RET | BPF_K, 0), /* so does the kernel with what is too short */
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
}

/* Without the second, all share one queue. */
static void open_second(struct sockets *sockets, int first, const struct ipc_socket *like,
                        bool protects)
{
    int fd = share_port(first) ? open_udp(like->family, like->port, protects, true) : -1;

    if (fd >= 0 && split(first, like->port)) {
        add(sockets, fd, IPC_ROLE_UDP, like->family, like->port);
        return;
    }
    log_line(SEVERITY_WARNING, "UDP port %u has one queue for all: %s", like->port,
             strerror(errno));
    if (fd >= 0)
        close(fd);
}

bool sockets_open(struct sockets *sockets, bool protects, struct reason *reason)
{
    for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
        int fd = open_udp(listeners[i].family, listeners[i].port, protects, false);
        if (fd >= 0) {
            struct ipc_socket like = {IPC_ROLE_UDP, listeners[i].family, listeners[i].port};
            add(sockets, fd, like.role, like.family, like.port);
            open_second(sockets, fd, &like, protects);
            continue;
        }
        if (!listeners[i].required && errno != EADDRINUSE) {
            log_line(SEVERITY_WARNING, "no IPv6: %s", strerror(errno));
            continue;
        }
        reason_set(reason, STATUS_FAIL, 0, "UDP port %u for IPv%u: %s%s", listeners[i].port,
                   listeners[i].family, strerror(errno),
                   errno == EADDRINUSE ? "; expected no other IKE daemon on this host" : "");
        return false;
    }
    return open_control(sockets, reason);
}

void sockets_close(struct sockets *sockets)
{
    struct sockaddr_un address;
    char path[IPC_PATH_MAX + 16];

    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->descriptions[i].role == IPC_ROLE_CONTROL && control_path(sockets, &address))
            (void)unlink(address.sun_path);
        close(sockets->fds[i]);
    }
    sockets->count = 0;
    if (sockets->lock_fd < 0)
        return;
    snprintf(path, sizeof(path), "%s/iked.pid", sockets->run_dir);
    (void)unlink(path);
    close(sockets->lock_fd);
    sockets->lock_fd = -1;
}
