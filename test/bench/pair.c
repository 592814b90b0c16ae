/*
 * Two engines on one wire of memory: see pair.h.
 */
#include "test/bench/pair.h"

#include <malloc.h>
#include <stdlib.h>

#include "test/bench/tools.h"

#define CONCURRENCY 20
#define PSK         "correct horse battery staple"

static const char responder_text[] =
    "connections: { all: {\n"
    " local = \"192.0.2.1\"; remote = { address = \"any\"; id = \"any\"; };\n"
    " proposals = [ \"aes128gcm16-prfsha256-x25519\" ];\n"
    " children: { net: { mode = \"tunnel\"; start = \"never\"; esp = [ \"aes128gcm16\" ];\n"
    "  local = [ \"10.1.0.0/16\" ]; remote = [ \"10.128.0.0/9\" ]; }; };\n"
    "}; };\n";

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
static bool deliver(struct wire *wire, struct world *to, uint64_t now_ms)
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
    engine_packet(to->engine, &datagram, now_ms);
    world_drain(to, now_ms);
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

bool pair_open(struct pair *pair, uint32_t count)
{
    STAILQ_INIT(&pair->to_responder);
    STAILQ_INIT(&pair->to_initiators);
    if (!responder_open(pair))
        return false;
    pair->heap_before = mallinfo2().uordblks;
    return initiators_prepare(pair, count);
}

/* What lies on the wire, until it is empty; false when it was. */
static bool exchange(struct pair *pair)
{
    bool busy = false;
    double start = clock_us(CLOCK_PROCESS_CPUTIME_ID);

    while (deliver(&pair->to_responder, &pair->responder, pair->now_ms))
        busy = true;
    pair->responder_us += clock_us(CLOCK_PROCESS_CPUTIME_ID) - start;
    while (deliver(&pair->to_initiators, &pair->initiators.world, pair->now_ms))
        busy = true;
    return busy;
}

void pair_run(struct pair *pair)
{
    bool busy = true;

    while (busy && !initiators_finished(&pair->initiators)) {
        initiators_start(&pair->initiators, pair->now_ms);
        busy = exchange(pair);
    }
}

static void expire(struct world *world, uint64_t now_ms)
{
    engine_expire(world->engine, now_ms);
    world_drain(world, now_ms);
}

void pair_advance(struct pair *pair, uint64_t until_ms)
{
    uint64_t due_ms;

    do {
        uint64_t ours_ms = engine_deadline(pair->responder.engine);
        uint64_t theirs_ms = engine_deadline(pair->initiators.world.engine);
        due_ms = ours_ms < theirs_ms ? ours_ms : theirs_ms;
        if (due_ms > until_ms)
            due_ms = until_ms;
        pair->now_ms = due_ms > pair->now_ms ? due_ms : pair->now_ms;
        double start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
        expire(&pair->responder, pair->now_ms);
        pair->responder_us += clock_us(CLOCK_PROCESS_CPUTIME_ID) - start;
        expire(&pair->initiators.world, pair->now_ms);
        while (exchange(pair))
            continue;
    } while (due_ms < until_ms);
}

size_t pair_sa_memory(const struct pair *pair)
{
    return mallinfo2().uordblks - pair->heap_before;
}
