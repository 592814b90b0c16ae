/*
 * A flood of IKE_SA_INIT requests from addresses that are nobody's: IPv4, raw sockets.
 *
 *   flood --remote ADDR [--rate N] [--seconds S] [--from ADDR] [--sources N]
 *         [--ike PROPOSAL]
 *
 * Each request is a good one, as an honest initiator would send it, with an SPI and a nonce of its
 * own, from the address FROM, the one after it, ... and after N of them from FROM again.  Whoever
 * answers should have a route for these addresses to where they are dropped.
 * Prints flood.sent and flood.rate: what was sent, which may be less than what was asked for.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/wire/ikev2.h"
#include "test/bench/initiators.h"
#include "test/bench/tools.h"

#define IKE_PORT    500
#define BATCH       32
#define PACKET_MAX  1500
#define NONCE_NEW   8 /* so many octets of the nonce are new each time */
#define RATE_MAX    1000000
#define SECONDS_MAX 3600

struct options {
    struct address remote;
    struct address from;
    uint32_t sources;
    uint32_t rate;
    uint32_t seconds;
    const char *ike;
};

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    uint8_t message[PACKET_MAX];
};

struct flood {
    struct options options;
    struct buffer message;
    size_t nonce_at; /* in it */
    struct sockaddr_in to;
    struct packet packets[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr headers[BATCH];
    uint64_t random;
    uint64_t sent;
    int socket;
};

/* --- The message --- */

static void keep_message(void *context, struct effect_send *send)
{
    struct buffer *message = context;

    if (message->size == 0 && !buffer_copy(message, buffer_slice(&send->data)))
        abort();
}

/* The first message of an initiator that wants `ike`. */
static bool make_message(const struct options *options, struct buffer *message)
{
    static struct initiators initiators;
    struct initiators_options of_one = {
        .local = options->from,
        .inner = options->from,
        .remote = options->remote,
        .network = "10.1.0.0/16",
        .ike = options->ike,
        .esp = "aes128gcm16",
        .psk = "none",
        .count = 1,
        .concurrency = 1,
    };

    if (!initiators_open(&initiators, &of_one, keep_message, message, 1, 1))
        return false;
    initiators_start(&initiators, 1);
    initiators_close(&initiators);
    return message->size > IKE_HEADER_SIZE && message->size <= PACKET_MAX;
}

/* Where its nonce begins; 0 when there is none. */
static size_t find_nonce(const struct buffer *message)
{
    struct reader reader = reader_of(buffer_slice(message));
    struct ike_header header;
    struct v2_payload_item item;
    struct reason reason;

    if (ike_header_parse(&header, buffer_slice(message), &reason) != STATUS_OK)
        return 0;
    reader_skip(&reader, IKE_HEADER_SIZE);
    struct v2_walk walk = v2_walk_begin(header.next_payload, reader_rest(&reader));
    while (v2_walk_next(&walk, &item))
        if (item.type == V2_NONCE && item.body.size >= NONCE_NEW)
            return (size_t)(item.body.data - message->data);
    return 0;
}

/* --- Packets --- */

static uint64_t next_random(struct flood *flood)
{
    flood->random = flood->random * 6364136223846793005u + 1442695040888963407u;
    return flood->random ^ flood->random >> 29;
}

static uint32_t ipv4_of(const struct address *address)
{
    struct reader reader = reader_of(slice_of(address->bytes, 4));

    return reader_u32(&reader);
}

static void prepare(struct flood *flood)
{
    size_t size = flood->message.size;

    flood->to = (struct sockaddr_in){.sin_family = AF_INET};
    flood->to.sin_addr.s_addr = htonl(ipv4_of(&flood->options.remote));
    for (size_t i = 0; i < BATCH; i++) {
        struct packet *packet = &flood->packets[i];
        packet->ip = (struct iphdr){
            .version = 4,
            .ihl = 5,
            .ttl = 64,
            .protocol = IPPROTO_UDP,
            .daddr = flood->to.sin_addr.s_addr,
        };
        packet->udp = (struct udphdr){
            .source = htons(IKE_PORT),
            .dest = htons(IKE_PORT),
            .len = htons((uint16_t)(sizeof(packet->udp) + size)),
        };
        memcpy(packet->message, flood->message.data, size);
        flood->parts[i] = (struct iovec){
            .iov_base = packet,
            .iov_len = sizeof(packet->ip) + sizeof(packet->udp) + size,
        };
        flood->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &flood->to,
            .msg_namelen = sizeof(flood->to),
            .msg_iov = &flood->parts[i],
            .msg_iovlen = 1,
        };
    }
}

/* Sends up to BATCH of them; how many the kernel took. */
static size_t send_batch(struct flood *flood, size_t count)
{
    uint32_t base = ipv4_of(&flood->options.from);

    for (size_t i = 0; i < count; i++) {
        struct packet *packet = &flood->packets[i];
        uint64_t spi = next_random(flood) | 1;
        uint64_t nonce = next_random(flood);
        packet->ip.saddr = htonl(base + (uint32_t)((flood->sent + i) % flood->options.sources));
        memcpy(packet->message, &spi, sizeof(spi));
        memcpy(packet->message + flood->nonce_at, &nonce, NONCE_NEW);
    }
    int taken = sendmmsg(flood->socket, flood->headers, (unsigned)count, 0);
    if (taken < 0 && errno != ENOBUFS && errno != EAGAIN) {
        fprintf(stderr, "flood: sending: %s\n", strerror(errno));
        exit(1);
    }
    return taken < 0 ? 0 : (size_t)taken;
}

static void run(struct flood *flood)
{
    const struct options *options = &flood->options;
    const struct timespec pause = {.tv_nsec = 1000000};
    double begun = clock_us(CLOCK_MONOTONIC);
    double past = 0;

    while (past < options->seconds) {
        uint64_t due = (uint64_t)(past * options->rate);
        size_t missing = due > flood->sent ? (size_t)(due - flood->sent) : 0;
        if (missing > 0)
            flood->sent += send_batch(flood, missing < BATCH ? missing : BATCH);
        else
            nanosleep(&pause, NULL);
        past = (clock_us(CLOCK_MONOTONIC) - begun) / 1e6;
    }
    printf("flood.sent %llu packets\n", (unsigned long long)flood->sent);
    printf("flood.rate %.0f /s\n", (double)flood->sent / past);
}

/* --- Arguments --- */

enum long_option { REMOTE = 256, RATE, SECONDS, FROM, SOURCES, IKE };

static const struct option long_options[] = {
    {"remote", required_argument, NULL, REMOTE},
    {"rate", required_argument, NULL, RATE},
    {"seconds", required_argument, NULL, SECONDS},
    {"from", required_argument, NULL, FROM},
    {"sources", required_argument, NULL, SOURCES},
    {"ike", required_argument, NULL, IKE},
    {0},
};

static bool take_option(int option, struct options *options)
{
    switch (option) {
    case REMOTE: return ipv4_parse(optarg, &options->remote);
    case RATE: return number_parse(optarg, 1, RATE_MAX, &options->rate);
    case SECONDS: return number_parse(optarg, 1, SECONDS_MAX, &options->seconds);
    case FROM: return ipv4_parse(optarg, &options->from);
    case SOURCES: return number_parse(optarg, 1, UINT32_MAX, &options->sources);
    case IKE: options->ike = optarg; return true;
    default: return false;
    }
}

static bool parse_arguments(int argc, char **argv, struct options *options)
{
    int option;

    *options = (struct options){
        .sources = 100000,
        .rate = 10000,
        .seconds = 5,
        .ike = "aes128gcm16-prfsha256-x25519",
    };
    if (!ipv4_parse("198.18.0.1", &options->from))
        return false;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (!take_option(option, options))
            return false;
    return optind == argc && options->remote.family != FAMILY_NONE;
}

int main(int argc, char **argv)
{
    static struct flood flood = {.random = 1};

    if (!parse_arguments(argc, argv, &flood.options)) {
        fputs("usage: flood --remote ADDR [--rate N] [--seconds S] [--from ADDR] [--sources N]\n"
              "             [--ike PROPOSAL]\n",
              stderr);
        return 2;
    }
    flood.socket = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (flood.socket < 0) {
        fprintf(stderr, "flood: raw socket: %s\n", strerror(errno));
        return 1;
    }
    if (make_message(&flood.options, &flood.message))
        flood.nonce_at = find_nonce(&flood.message);
    if (flood.nonce_at == 0) {
        fputs("flood: no message could be made\n", stderr);
        return 1;
    }
    prepare(&flood);
    run(&flood);
    buffer_free(&flood.message);
    close(flood.socket);
    return 0;
}
