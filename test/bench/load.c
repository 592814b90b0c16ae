/*
 * A load generator for IKEv2 responders: N initiators, C of them at work at once, IPv4.
 *
 *   load --remote ADDR [--count N] [--concurrency C] [--interval MS] [--first N] [--hold]
 *        [--stay SECONDS] [--psk TEXT] [--local ADDR] [--inner ADDR] [--network PREFIX]
 *        [--ike PROPOSAL] [--esp PROPOSAL] [-v]
 *
 * Initiator number n speaks from address LOCAL + n (so a responder sees N hosts, as in life), port
 * 500, as iN.bench.example, and asks for the tunnel INNER + n/32 === NETWORK.  All go through one
 * socket; the addresses need no interface, only a route that calls them local and one back:
 *   ip route add local 10.64.0.0/10 dev lo          here
 *   ip route add 10.64.0.0/10 via THIS-HOST         on the responder
 * All goes over port 500: the initiators do not offer MOBIKE, which would leave it (RFC 4555
 * section 3.3).  The generator installs nothing in a kernel.  Without --hold each SA is deleted
 * once it stands; with it the responder still has all of them when this program has gone.  With
 * --stay it answers for them so long after the last handshake, before it prints.
 * Prints load.done, load.failed, load.wall, load.rate, load.cpu; failures by reason on stderr.
 * Status 0: all done; 1: some failed; 2: not understood.  The protocol is initiators.c's.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test/bench/initiators.h"
#include "test/bench/tools.h"

#define IKE_PORT        500
#define COUNT_MAX       65536 /* a configuration has no more connections */
#define DATAGRAM_MAX    65536
#define SOCKET_BUFFER   (8 << 20)
#define WAIT_MAX_MS     1000
#define INTERVAL_MAX_MS 60000
#define STAY_MAX_S      3600

struct load {
    struct initiators initiators;
    uint32_t stay_s;
    int socket;
    uint8_t datagram[DATAGRAM_MAX];
};

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- The socket --- */

static struct in_addr to_in_addr(const struct address *address)
{
    struct in_addr in;

    memcpy(&in, address->bytes, sizeof(in));
    return in;
}

static struct address from_in_addr(struct in_addr in, uint16_t port)
{
    struct address address = {.family = FAMILY_IPV4, .port = port};

    memcpy(address.bytes, &in, sizeof(in));
    return address;
}

static int open_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(IKE_PORT)};
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, size = SOCKET_BUFFER;

    if (udp < 0 || setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) != 0 ||
        bind(udp, (struct sockaddr *)&any, sizeof(any)) != 0) {
        fprintf(stderr, "load: UDP port %d: %s\n", IKE_PORT, strerror(errno));
        return -1;
    }
    /* Less will do, too: then replies may be lost and asked for again. */
    (void)setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    return udp;
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static void send_datagram(void *context, struct effect_send *send)
{
    const struct load *load = context;
    union control control = {.bytes = {0}};
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(send->remote.port),
        .sin_addr = to_in_addr(&send->remote),
    };
    struct in_pktinfo from = {.ipi_spec_dst = to_in_addr(&send->local)};
    struct iovec data = {.iov_base = send->data.data, .iov_len = send->data.size};
    struct msghdr message = {
        .msg_name = &to,
        .msg_namelen = sizeof(to),
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(from));
    memcpy(CMSG_DATA(header), &from, sizeof(from));
    if (sendmsg(load->socket, &message, 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED) {
        fprintf(stderr, "load: sending: %s\n", strerror(errno));
        exit(1);
    }
}

/* One datagram to the engine; false when none waits. */
static bool receive_datagram(struct load *load, uint64_t now_ms)
{
    union control control;
    struct sockaddr_in from;
    struct in_pktinfo to = {0};
    struct iovec data = {.iov_base = load->datagram, .iov_len = sizeof(load->datagram)};
    struct msghdr message = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t size = recvmsg(load->socket, &message, 0);

    if (size < 0)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO)
        memcpy(&to, CMSG_DATA(header), sizeof(to));
    struct datagram datagram = {
        .local = from_in_addr(to.ipi_addr, IKE_PORT),
        .remote = from_in_addr(from.sin_addr, ntohs(from.sin_port)),
        .data = load->datagram,
        .size = (size_t)size,
    };
    engine_packet(load->initiators.world.engine, &datagram, now_ms);
    world_drain(&load->initiators.world, now_ms);
    return true;
}

/* --- The loop --- */

static int wait_ms(const struct load *load, uint64_t now_ms)
{
    const struct initiators *initiators = &load->initiators;
    uint64_t due_ms = engine_deadline(initiators->world.engine);

    if (initiators->started < initiators->options.count && initiators->next_ms > now_ms &&
        initiators->next_ms < due_ms)
        due_ms = initiators->next_ms;
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < WAIT_MAX_MS ? (int)(due_ms - now_ms) : WAIT_MAX_MS;
}

static void turn(struct load *load)
{
    struct initiators *initiators = &load->initiators;
    struct pollfd readable = {.fd = load->socket, .events = POLLIN};

    initiators_start(initiators, clock_ms());
    (void)poll(&readable, 1, wait_ms(load, clock_ms()));
    while (receive_datagram(load, clock_ms()))
        initiators_start(initiators, clock_ms());
    engine_expire(initiators->world.engine, clock_ms());
    world_drain(&initiators->world, clock_ms());
}

static void run(struct load *load)
{
    while (!initiators_finished(&load->initiators))
        turn(load);
}

static void stay(struct load *load)
{
    uint64_t end_ms = clock_ms() + load->stay_s * 1000ull;

    while (clock_ms() < end_ms)
        turn(load);
}

static void print_outcome(const struct load *load, double wall_s, double cpu_s)
{
    const struct initiators *initiators = &load->initiators;

    for (size_t i = 0; i < initiators->reason_count; i++)
        fprintf(stderr, "load: %u times: %s\n", initiators->reasons[i].count,
                initiators->reasons[i].text);
    printf("load.done %u handshakes\n", initiators->done);
    printf("load.failed %u handshakes\n", initiators->failed);
    printf("load.wall %.3f s\n", wall_s);
    printf("load.rate %.1f /s\n", initiators->done / wall_s);
    printf("load.cpu %.1f us\n", cpu_s * 1e6 / initiators->options.count);
}

/* --- Arguments --- */

static void show_report(void *context, const struct effect_report *report)
{
    (void)context;
    fprintf(stderr, "load: %s: %s\n", report->connection.text, report->text);
}

enum long_option { FIRST = 256, HOLD, INTERVAL, STAY, INNER, LOCAL, NETWORK, IKE, ESP, PSK };

static const struct option long_options[] = {
    {"remote", required_argument, NULL, 'r'},
    {"count", required_argument, NULL, 'n'},
    {"concurrency", required_argument, NULL, 'c'},
    {"verbose", no_argument, NULL, 'v'},
    {"first", required_argument, NULL, FIRST},
    {"hold", no_argument, NULL, HOLD},
    {"stay", required_argument, NULL, STAY},
    {"interval", required_argument, NULL, INTERVAL},
    {"inner", required_argument, NULL, INNER},
    {"local", required_argument, NULL, LOCAL},
    {"network", required_argument, NULL, NETWORK},
    {"ike", required_argument, NULL, IKE},
    {"esp", required_argument, NULL, ESP},
    {"psk", required_argument, NULL, PSK},
    {0},
};

static bool take_option(int option, const char *value, struct initiators_options *options,
                        uint32_t *stay_s, bool *verbose)
{
    switch (option) {
    case 'r': return ipv4_parse(value, &options->remote);
    case 'n': return number_parse(value, 1, COUNT_MAX, &options->count);
    case 'c': return number_parse(value, 1, COUNT_MAX, &options->concurrency);
    case FIRST: return number_parse(value, 0, UINT32_MAX / 2, &options->first);
    case STAY: return number_parse(value, 0, STAY_MAX_S, stay_s);
    case INTERVAL: return number_parse(value, 0, INTERVAL_MAX_MS, &options->interval_ms);
    case INNER: return ipv4_parse(value, &options->inner);
    case LOCAL: return ipv4_parse(value, &options->local);
    case 'v': *verbose = true; return true;
    case HOLD: options->hold = true; return true;
    case NETWORK: options->network = value; return true;
    case IKE: options->ike = value; return true;
    case ESP: options->esp = value; return true;
    case PSK: options->psk = value; return true;
    default: return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct initiators_options *options,
                            uint32_t *stay_s, bool *verbose)
{
    int option;

    *options = (struct initiators_options){
        .network = "10.1.0.0/16",
        .ike = "aes128gcm16-prfsha256-x25519",
        .esp = "aes128gcm16",
        .psk = "correct horse battery staple",
        .count = 1000,
        .concurrency = 20,
    };
    if (!ipv4_parse("10.64.0.1", &options->local) || !ipv4_parse("10.128.0.1", &options->inner))
        return false;
    while ((option = getopt_long(argc, argv, "r:n:c:v", long_options, NULL)) != -1)
        if (!take_option(option, optarg, options, stay_s, verbose))
            return false;
    return optind == argc && options->remote.family != FAMILY_NONE;
}

int main(int argc, char **argv)
{
    static struct load load;
    struct initiators_options options;
    bool verbose = false;
    uint64_t seed;

    if (!parse_arguments(argc, argv, &options, &load.stay_s, &verbose)) {
        fputs(
            "usage: load --remote ADDR [--count N] [--concurrency C] [--interval MS] [--first N]\n"
            "            [--hold] [--stay SECONDS] [-v] [--psk TEXT] [--local ADDR]\n"
            "            [--inner ADDR] [--network PREFIX] [--ike PROPOSAL] [--esp PROPOSAL]\n",
            stderr);
        return 2;
    }
    load.socket = open_socket();
    if (load.socket < 0 || getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
        !initiators_open(&load.initiators, &options, send_datagram, &load, seed, clock_ms()))
        return 1;
    if (verbose)
        load.initiators.world.report = show_report;
    double wall_us = clock_us(CLOCK_MONOTONIC), cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    run(&load);
    wall_us = clock_us(CLOCK_MONOTONIC) - wall_us;
    cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us;
    stay(&load);
    print_outcome(&load, wall_us / 1e6, cpu_us / 1e6);
    int status = load.initiators.failed > 0;
    initiators_close(&load.initiators);
    close(load.socket);
    return status;
}
