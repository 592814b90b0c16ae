/*
 * What the library alone takes as a responder: prints engine.handshake_cpu and engine.sa_memory.
 *
 * Two engines in one process, no socket and no kernel: only the responder's calls are timed.  What
 * stands between this and iked.handshake_cpu is the daemon's and the kernel's.
 *
 *   engine [COUNT]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "test/bench/initiators.h"

#define COUNT_DEFAULT 2000
#define COUNT_MAX     50000
#define CONCURRENCY   20
#define PSK           "correct horse battery staple"

static const char responder_text[] =
    "connections: { all: {\n"
    " local = \"192.0.2.1\"; remote = { address = \"any\"; id = \"any\"; };\n"
    " proposals = [ \"aes128gcm16-prfsha256-x25519\" ];\n"
    " children: { net: { mode = \"tunnel\"; start = \"never\"; esp = [ \"aes128gcm16\" ];\n"
    "  local = [ \"10.1.0.0/16\" ]; remote = [ \"10.128.0.0/9\" ]; }; };\n"
    "}; };\n";

struct packet {
    STAILQ_ENTRY(packet) entry;
    struct effect_send send;
};
STAILQ_HEAD(wire, packet);

struct pair {
    struct initiators initiators;
    struct world responder;
    struct wire to_responder;
    struct wire to_initiators;
    double responder_us;
    size_t heap_before; /* with nothing but the responder's empty engine */
};

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void put(void *context, struct effect_send *send)
{
    struct wire *wire = context;
    struct packet *packet = calloc(1, sizeof(*packet));

    if (packet == NULL)
        abort();
    packet->send = *send;
    send->data = (struct buffer){0};
    STAILQ_INSERT_TAIL(wire, packet, entry);
}

/* Gives the first packet on the wire to the world at its other end; false when there is none. */
static bool deliver(struct wire *wire, struct world *to)
{
    struct packet *packet = STAILQ_FIRST(wire);

    if (packet == NULL)
        return false;
    STAILQ_REMOVE_HEAD(wire, entry);
    struct datagram datagram = {
        .local = packet->send.remote,
        .remote = packet->send.local,
        .data = packet->send.data.data,
        .size = packet->send.data.size,
    };
    engine_packet(to->engine, &datagram, 0);
    world_drain(to, 0);
    buffer_free(&packet->send.data);
    free(packet);
    return true;
}

static void ignore_result(void *context, const struct effect_result *result)
{
    (void)context;
    (void)result;
}

static bool responder_open(struct pair *pair)
{
    pair->responder = (struct world){
        .psk = slice_text(PSK),
        .send = put,
        .result = ignore_result,
        .context = &pair->to_initiators,
    };
    return world_open(&pair->responder, 1, 0) &&
           world_configure(&pair->responder, responder_text, 0);
}

static bool initiators_prepare(struct pair *pair, uint32_t count)
{
    struct initiators_options options = {
        .network = "10.1.0.0/16",
        .ike = "aes128gcm16-prfsha256-x25519",
        .esp = "aes128gcm16",
        .psk = PSK,
        .count = count,
        .concurrency = CONCURRENCY,
        .hold = true,
    };

    return address_parse(&options.local, "10.64.0.1") &&
           address_parse(&options.inner, "10.128.0.1") &&
           address_parse(&options.remote, "192.0.2.1") &&
           initiators_open(&pair->initiators, &options, put, &pair->to_responder, 2, 0);
}

static void run(struct pair *pair)
{
    bool busy = true;

    while (busy && !initiators_finished(&pair->initiators)) {
        initiators_start(&pair->initiators, 0);
        double start = cpu_us();
        busy = false;
        while (deliver(&pair->to_responder, &pair->responder))
            busy = true;
        pair->responder_us += cpu_us() - start;
        while (deliver(&pair->to_initiators, &pair->initiators.world))
            busy = true;
    }
}

int main(int argc, char **argv)
{
    static struct pair pair;
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : COUNT_DEFAULT;

    if (argc > 2 || count == 0 || count > COUNT_MAX) {
        fprintf(stderr, "usage: engine [COUNT], at most %d\n", COUNT_MAX);
        return 2;
    }
    STAILQ_INIT(&pair.to_responder);
    STAILQ_INIT(&pair.to_initiators);
    if (!responder_open(&pair))
        return 1;
    pair.heap_before = mallinfo2().uordblks;
    if (!initiators_prepare(&pair, (uint32_t)count))
        return 1;
    run(&pair);
    bool whole = pair.initiators.done == count;
    if (!whole)
        fprintf(stderr, "engine: %u of %lu handshakes done\n", pair.initiators.done, count);
    initiators_close(&pair.initiators);
    printf("engine.handshake_cpu %.1f us\n", pair.responder_us / (double)count);
    printf("engine.sa_memory %.2f KB\n",
           (double)(mallinfo2().uordblks - pair.heap_before) / 1024 / (double)count);
    world_close(&pair.responder);
    return whole ? 0 : 1;
}
