/*
 * IKE's UDP sockets (negotiator/udp.h) on the loopback: the marker of port 4500 in both directions,
 * keepalives, and datagrams that have no marker (RFC 3948 section 2).
 */
#include "iked/negotiator/udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "iked/process/log.h"
#include "test/unit/policy.h"

static struct event_base *base;
static struct udp *udp;
static int peer_fd;
static struct address
    here[2]; /* the two sockets as sent to, with the ports that they really have */
static struct address peer;

static struct {
    size_t packets;
    size_t drains;
    struct datagram last;
    uint8_t data[64];
} heard;

static void on_packet(void *context, const struct datagram *datagram)
{
    (void)context;
    heard.packets++;
    heard.last = *datagram;
    assert_true(datagram->size <= sizeof(heard.data));
    memcpy(heard.data, datagram->data, datagram->size);
}

static void on_drained(void *context)
{
    (void)context;
    heard.drains++;
}

static void no_log(void *context, enum severity severity, const char *line)
{
    (void)context;
    (void)severity;
    (void)line;
}

/* A socket on a port that is free. */
static int open_socket(struct address *address)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    int yes = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    *address = policy_address("127.0.0.1");
    address->port = ntohs(name.sin_port);
    return fd;
}

static int set_up(void **state)
{
    static const uint16_t ports[] = {IPC_PORT_IKE, IPC_PORT_NAT};
    struct udp_hooks hooks = {on_packet, on_drained, NULL};

    (void)state;
    memset(&heard, 0, sizeof(heard));
    log_divert(no_log, NULL);
    base = event_base_new();
    udp = udp_new(base, &hooks);
    assert_non_null(udp);
    for (size_t i = 0; i < 2; i++) {
        struct ipc_socket description = {IPC_ROLE_UDP, FAMILY_IPV4, ports[i]};
        assert_true(udp_add(udp, open_socket(&here[i]), &description));
    }
    peer_fd = open_socket(&peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    udp_free(udp);
    event_base_free(base);
    close(peer_fd);
    return 0;
}

static void goes(size_t socket, const char *data, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(here[socket].port)};

    assert_int_equal(sendto(peer_fd, data, size, 0, (struct sockaddr *)&to, sizeof(to)), size);
}

/* The peer sends; what is heard of it, if anything, is in `heard`. */
static void comes(size_t socket, const char *data, size_t size)
{
    goes(socket, data, size);
    for (size_t drains = heard.drains; heard.drains == drains;)
        event_base_loop(base, EVLOOP_ONCE);
}

static void assert_heard(size_t packets, uint16_t port, const char *data, size_t size)
{
    assert_int_equal(heard.packets, packets);
    assert_int_equal(heard.last.local.port, port);
    assert_int_equal(heard.last.remote.port, peer.port);
    assert_int_equal(heard.last.size, size);
    assert_memory_equal(heard.data, data, size);
}

static void markers_are_taken_away(void **state)
{
    (void)state;

    comes(0, "ike", 3);
    assert_heard(1, IPC_PORT_IKE, "ike", 3);
    comes(0, "\0\0\0\0ike", 7); /* here it is no marker */
    assert_heard(2, IPC_PORT_IKE, "\0\0\0\0ike", 7);
    comes(1, "\0\0\0\0ike", 7);
    assert_heard(3, IPC_PORT_NAT, "ike", 3);
    comes(1, "\0\0\0\0", 4); /* an empty message: the engine's to drop */
    assert_heard(4, IPC_PORT_NAT, "", 0);
    assert_int_equal(udp_counts(udp)->unmarked, 0);
}

/* More than one system call brings, and more than one wakeup takes: each is heard once, in order,
 * with its own size. */
static void a_burst_is_heard_whole(void **state)
{
    const char text[] = "abcdefghijklmnopqrstuvwxyz";
    (void)state;

    for (size_t i = 0; i < UDP_DRAIN_MAX + 3; i++)
        goes(0, text, 1 + i % 20);
    for (size_t i = 0; heard.packets < UDP_DRAIN_MAX + 3 && i < 1000; i++)
        event_base_loop(base, EVLOOP_ONCE);
    assert_heard(UDP_DRAIN_MAX + 3, IPC_PORT_IKE, text, 1 + (UDP_DRAIN_MAX + 2) % 20);
    assert_int_equal(heard.drains, 2);
}

static void without_a_marker_it_is_not_ike(void **state)
{
    static const struct {
        const char *data;
        size_t size;
    } rows[] = {{"\xff", 1}, {"", 0}, {"\0\0\0", 3}, {"\0\0\0\1esp", 7}, {"\1\0\0\0esp", 7}};
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        comes(1, rows[i].data, rows[i].size);
        assert_int_equal(heard.packets, 0);
        assert_int_equal(udp_counts(udp)->unmarked, i + 1);
    }
}

static void assert_sent(uint16_t local_port, bool keepalive, const char *data, size_t size)
{
    struct effect_send send = {
        .local = policy_address("127.0.0.1"), .remote = peer, .keepalive = keepalive};
    uint8_t got[64];

    send.local.port = local_port;
    if (!keepalive)
        assert_true(buffer_copy(&send.data, slice_text("ike")));
    udp_send(udp, &send);
    assert_int_equal(recv(peer_fd, got, sizeof(got), 0), size);
    assert_memory_equal(got, data, size);
    buffer_free(&send.data);
}

static void markers_are_put_in_front(void **state)
{
    (void)state;

    assert_sent(IPC_PORT_IKE, false, "ike", 3);
    assert_sent(IPC_PORT_NAT, false, "\0\0\0\0ike", 7);
    assert_sent(IPC_PORT_NAT, true, "\xff", 1);
    assert_int_equal(udp_counts(udp)->lost, 0);
    struct effect_send nowhere = {.local = here[0], .remote = peer, .keepalive = true};
    udp_send(udp, &nowhere);
    assert_int_equal(udp_counts(udp)->lost, 1);
}

static void an_address_that_the_host_lacks_is_told(void **state)
{
    struct effect_send send = {
        .local = policy_address("192.0.2.77"), .remote = peer, .keepalive = true};
    (void)state;

    send.local.port = IPC_PORT_IKE;
    assert_string_equal(
        udp_send(udp, &send),
        "cannot send from 192.0.2.77 to 127.0.0.1: no interface has the local address");
    assert_int_equal(udp_counts(udp)->lost, 1);
    send.local = policy_address("127.0.0.1");
    send.local.port = IPC_PORT_IKE;
    assert_null(udp_send(udp, &send));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(markers_are_taken_away),
        TEST(a_burst_is_heard_whole),
        TEST(without_a_marker_it_is_not_ike),
        TEST(markers_are_put_in_front),
        TEST(an_address_that_the_host_lacks_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
