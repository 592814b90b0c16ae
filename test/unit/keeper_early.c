/*
 * Packets that come before their SA's keys (keeper/xfrm/early.h), in a network of the test's own:
 * an ear of the test's hears a packet when it comes, and again when it is given.
 * Needs root, namespaces and /dev/net/tun; skipped otherwise.
 */
#include "iked/keeper/xfrm/early.h"

#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iked/keeper/xfrm/kernel.h"
#include "iked/process/sockaddr.h"
#include "lib/wire/ikev2.h"
#include "test/unit/policy.h"

#define SPI       0xc1020304u
#define WAIT_MS   2000
#define QUIET_MS  50
#define MANY      40
#define NAT_PORT  4500
#define PEER_PORT 10005
#define US_V4     "192.0.2.1"
#define PEER_V4   "192.0.2.2"
#define US_V6     "2001:db8::1"
#define PEER_V6   "2001:db8::2"

static bool has_namespace;

static bool has_addresses(void)
{
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    static struct ifreq v4 = {.ifr_name = "lo:1"};
    static struct in6_ifreq v6 = {.ifr6_prefixlen = 128, .ifr6_ifindex = 1};
    const struct address us_v4 = policy_address(US_V4);
    const struct address us_v6 = policy_address(US_V6);
    union sockaddr_any any;

    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd_v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)sockaddr_write(&us_v4, &any);
    memcpy(&v4.ifr_addr, &any.v4, sizeof(any.v4));
    memcpy(&v6.ifr6_addr, us_v6.bytes, sizeof(v6.ifr6_addr));
    bool has = ioctl(fd, SIOCSIFFLAGS, &up) == 0 && ioctl(fd, SIOCSIFADDR, &v4) == 0 &&
               ioctl(fd_v6, SIOCSIFADDR, &v6) == 0;
    close(fd);
    close(fd_v6);
    return has;
}

static int enter_namespace(void **state)
{
    (void)state;
    has_namespace = geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 &&
                    unshare(CLONE_NEWNET) == 0 && has_addresses();
    return 0;
}

/* --- A host's two ends --- */

struct wire {
    struct early *early;
    struct early_flow flow;
    struct address peer;
    uint8_t protocol;
    int ear;
};

static int raw_socket(uint8_t family, int protocol)
{
    int fd = socket(family == FAMILY_IPV6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol);

    assert_true(fd >= 0);
    return fd;
}

static struct wire wire_up(const char *source, const char *destination, bool encap)
{
    struct wire wire = {.protocol = encap ? IPPROTO_UDP : IPPROTO_ESP};

    if (!has_namespace)
        skip();
    wire.early = early_new();
    assert_non_null(wire.early);
    wire.flow = (struct early_flow){
        .destination = policy_address(destination),
        .spi = SPI,
        .encap = encap,
    };
    wire.peer = policy_address(source);
    wire.flow.destination.port = encap ? NAT_PORT : 0;
    wire.ear = raw_socket(wire.peer.family, wire.protocol);
    return wire;
}

static void wire_down(struct wire *wire)
{
    early_free(wire->early);
    close(wire->ear);
}

/* ESP's first octets (RFC 4303 section 2), behind a UDP header where they are in UDP. */
static size_t write_packet(uint8_t to[20], const struct wire *wire, uint16_t port, uint32_t spi,
                           uint8_t number)
{
    uint8_t *at = to;

    if (wire->flow.encap) {
        const uint8_t udp[] = {
            PEER_PORT >> 8, PEER_PORT & 0xff, (uint8_t)(port >> 8), (uint8_t)port, 0, 20, 0, 0};
        memcpy(at, udp, sizeof(udp));
        at += sizeof(udp);
    }
    const uint8_t esp[] = {(uint8_t)(spi >> 24),
                           (uint8_t)(spi >> 16),
                           (uint8_t)(spi >> 8),
                           (uint8_t)spi,
                           0,
                           0,
                           0,
                           number,
                           0xaa,
                           0xbb,
                           0xcc,
                           number};
    memcpy(at, esp, sizeof(esp));
    return (size_t)(at + sizeof(esp) - to);
}

static void arrive_at(const struct wire *wire, uint16_t port, uint32_t spi, uint8_t number)
{
    union sockaddr_any from;
    union sockaddr_any to;
    struct address ends[] = {wire->peer, wire->flow.destination};
    uint8_t packet[20];
    bool v6 = wire->peer.family == FAMILY_IPV6;
    int yes = 1;

    ends[0].port = ends[1].port = 0;
    socklen_t size = sockaddr_write(&ends[0], &from);
    (void)sockaddr_write(&ends[1], &to);
    size_t length = write_packet(packet, wire, port, spi, number);
    int fd = raw_socket(wire->peer.family, wire->protocol);
    assert_int_equal(setsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
                                &yes, sizeof(yes)),
                     0);
    assert_int_equal(bind(fd, &from.any, size), 0);
    assert_int_equal(sendto(fd, packet, length, 0, &to.any, size), length);
    close(fd);
}

static void arrive(const struct wire *wire, uint32_t spi, uint8_t number)
{
    arrive_at(wire, NAT_PORT, spi, number);
}

/* The last octet of the next packet, which tells them apart; -1 when none comes. */
static int hear(const struct wire *wire, int wait_ms)
{
    struct pollfd ready = {.fd = wire->ear, .events = POLLIN};
    union sockaddr_any from;
    socklen_t size = sizeof(from);
    struct address source;
    uint8_t packet[128];

    if (poll(&ready, 1, wait_ms) != 1)
        return -1;
    ssize_t length = recvfrom(wire->ear, packet, sizeof(packet), 0, &from.any, &size);
    assert_true(length >= 12);
    assert_true(sockaddr_read(&from.any, &source));
    assert_int_equal(source.family, wire->peer.family);
    return packet[length - 1];
}

static void assert_heard(const struct wire *wire, int number)
{
    assert_int_equal(hear(wire, WAIT_MS), number);
}

static void assert_silence(const struct wire *wire)
{
    assert_int_equal(hear(wire, QUIET_MS), -1);
}

/* --- Tests --- */

static void gives_in_order(const char *source, const char *destination, bool encap)
{
    struct wire wire = wire_up(source, destination, encap);

    early_watch(wire.early, &wire.flow);
    for (uint8_t i = 1; i <= 3; i++) {
        arrive(&wire, SPI, i);
        assert_heard(&wire, i);
    }
    early_give(wire.early, &wire.flow.destination, SPI);
    for (uint8_t i = 1; i <= 3; i++)
        assert_heard(&wire, i);
    early_give(wire.early, &wire.flow.destination, SPI);
    assert_silence(&wire);
    arrive(&wire, SPI, 4); /* it has its SA now */
    assert_heard(&wire, 4);
    early_give(wire.early, &wire.flow.destination, SPI);
    assert_silence(&wire);
    wire_down(&wire);
}

static void what_came_early_is_given_once(void **state)
{
    (void)state;
    gives_in_order(PEER_V4, US_V4, false);
    gives_in_order(PEER_V4, US_V4, true);
    gives_in_order(PEER_V6, US_V6, false);
    gives_in_order(PEER_V6, US_V6, true);
}

static void other_packets_are_left_alone(void **state)
{
    struct address elsewhere = policy_address("192.0.2.3");
    (void)state;

    struct wire wire = wire_up(PEER_V4, US_V4, true);
    early_watch(wire.early, &wire.flow);
    arrive(&wire, SPI + 1, 1);
    arrive_at(&wire, NAT_PORT + 1, SPI, 2);
    for (int i = 1; i <= 2; i++)
        assert_heard(&wire, i);
    early_give(wire.early, &elsewhere, SPI);
    early_give(wire.early, &wire.flow.destination, SPI);
    assert_silence(&wire);
    wire_down(&wire);
}

static void what_is_forgotten_is_not_given(void **state)
{
    (void)state;
    struct wire wire = wire_up(PEER_V4, US_V4, false);
    early_watch(wire.early, &wire.flow);
    arrive(&wire, SPI, 1);
    assert_heard(&wire, 1);
    early_forget(wire.early, &wire.flow.destination, SPI);
    early_give(wire.early, &wire.flow.destination, SPI);
    assert_silence(&wire);
    /* Nor to who waits next in the same place. */
    for (uint32_t i = 1; i <= MANY; i++) {
        wire.flow.spi = SPI + i;
        early_watch(wire.early, &wire.flow);
        early_give(wire.early, &wire.flow.destination, SPI + i);
    }
    assert_silence(&wire);
    wire_down(&wire);
}

static void the_latest_wait(void **state)
{
    (void)state;
    struct wire wire = wire_up(PEER_V4, US_V4, false);
    for (uint32_t i = 1; i <= MANY; i++) {
        wire.flow.spi = SPI + i;
        early_watch(wire.early, &wire.flow);
    }
    arrive(&wire, SPI + 1, 1);
    arrive(&wire, SPI + MANY, 2);
    assert_heard(&wire, 1);
    assert_heard(&wire, 2);
    for (uint32_t i = 1; i <= MANY; i++)
        early_give(wire.early, &wire.flow.destination, SPI + i);
    assert_heard(&wire, 2);
    assert_silence(&wire);
    wire_down(&wire);
}

static void protect(struct kernel *kernel, const struct wire *wire)
{
    const struct policy_template policy = {
        .local = wire->flow.destination,
        .remote = wire->peer,
        .reqid = 0x69000003,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .policy = POLICY_REQUIRE,
    };
    uint8_t bits = wire->peer.family == FAMILY_IPV6 ? 128 : 32;
    struct kernel_job job = {
        .verb = KERNEL_SET_PIECE,
        .template = policy,
        .piece = {.family = wire->peer.family, .local_bits = bits, .remote_bits = bits},
        .mode = CHILD_TRANSPORT,
    };

    memcpy(job.piece.local, policy.local.bytes, sizeof(job.piece.local));
    memcpy(job.piece.remote, policy.remote.bytes, sizeof(job.piece.remote));
    kernel->ops->run(kernel, &job, 1);
    assert_int_equal(job.error, 0);
}

/* The ear hears only what may pass, and by the loopback device all may. */
static void policies_are_asked(const char *source, const char *destination)
{
    struct wire wire = wire_up(source, destination, true);
    struct reason reason;
    struct kernel *kernel = kernel_xfrm_new(NULL, &reason);

    assert_non_null(kernel);
    early_watch(wire.early, &wire.flow);
    arrive(&wire, SPI, 1);
    assert_heard(&wire, 1);
    protect(kernel, &wire);
    early_give(wire.early, &wire.flow.destination, SPI);
    assert_silence(&wire);
    kernel->ops->free(kernel);
    wire_down(&wire);
}

static void what_is_given_passes_no_policy_by(void **state)
{
    (void)state;
    policies_are_asked(PEER_V4, US_V4);
    policies_are_asked(PEER_V6, US_V6);
}

static void the_device_has_no_address(void **state)
{
    char line[128];
    unsigned lines = 0;
    (void)state;

    if (!has_namespace)
        skip();
    struct early *early = early_new();
    assert_non_null(early);
    FILE *addresses = fopen("/proc/thread-self/net/if_inet6", "re");
    assert_non_null(addresses);
    for (; fgets(line, sizeof(line), addresses) != NULL; lines++)
        assert_null(strstr(line, "iked"));
    fclose(addresses);
    assert_true(lines > 0); /* ::1, for one */
    early_free(early);
}

static void absence_is_harmless(void **state)
{
    struct early_flow flow = {.spi = SPI};
    (void)state;

    early_watch(NULL, &flow);
    early_give(NULL, &flow.destination, SPI);
    early_forget(NULL, &flow.destination, SPI);
    early_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_early_is_given_once),
        cmocka_unit_test(other_packets_are_left_alone),
        cmocka_unit_test(what_is_forgotten_is_not_given),
        cmocka_unit_test(the_latest_wait),
        cmocka_unit_test(what_is_given_passes_no_policy_by),
        cmocka_unit_test(the_device_has_no_address),
        cmocka_unit_test(absence_is_harmless),
    };

    return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
