/*
 * The network and the clock of a simulated world: see world.h.
 */
#include "test/common/world.h"

#include <stdlib.h>
#include <string.h>

#include "lib/wire/ikev2.h"
#include "test/common/host.h"

#define STEPS_MAX 1000000 /* at one time: more is a loop */

/* Nobody attacks a trace: this costs a tenth of a keyed hash. */
static uint64_t mix(uint64_t digest, uint64_t value)
{
    digest = (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

static uint64_t mix_bytes(uint64_t digest, struct slice bytes)
{
    uint64_t word;
    size_t at = 0;

    for (; bytes.size - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, bytes.data + at, sizeof(word));
        digest = mix(digest, word);
    }
    for (word = bytes.size; at < bytes.size; at++)
        word = word << 8 | bytes.data[at];
    return mix(digest, word);
}

void world_init(struct world *world, uint64_t seed, struct crypto *crypto)
{
    *world = (struct world){.chance = chance_of(seed), .crypto = crypto};
    TAILQ_INIT(&world->flights);
}

void world_free(struct world *world)
{
    struct flight *flight;

    for (size_t i = 0; i < world->host_count; i++) {
        host_clear(world->hosts[i]);
        free(world->hosts[i]);
    }
    while ((flight = TAILQ_FIRST(&world->flights)) != NULL) {
        TAILQ_REMOVE(&world->flights, flight, entry);
        flight_free(flight);
    }
}

void world_trace(struct world *world, struct slice bytes)
{
    world->trace = mix_bytes(mix(world->trace, world->now_ms), bytes);
}

void world_say(const struct world *world, const char *text)
{
    if (world->ladder != NULL)
        fprintf(world->ladder, "%9.3f s  # %s\n", (double)world->now_ms / 1000, text);
}

/* --- Hosts --- */

struct host *world_add_host(struct world *world, const char *name)
{
    struct host *host = world->host_count < WORLD_HOSTS_MAX ? malloc(sizeof(*host)) : NULL;

    if (host == NULL)
        abort();
    host_init(host, world, name, world->host_count);
    world->hosts[world->host_count++] = host;
    return host;
}

struct host *world_host(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (strcmp(world->hosts[i]->name, name) == 0)
            return world->hosts[i];
    return NULL;
}

struct host *world_host_at(const struct world *world, const struct address *address)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (address_same_host(&world->hosts[i]->v4, address) ||
            address_same_host(&world->hosts[i]->v6, address))
            return world->hosts[i];
    return NULL;
}

/* --- Packets --- */

void flight_free(struct flight *flight)
{
    buffer_free(&flight->data);
    free(flight);
}

static struct flight *flight_new(struct world *world, enum flight_kind kind)
{
    struct flight *flight = calloc(1, sizeof(*flight));

    if (flight == NULL)
        abort();
    flight->kind = kind;
    flight->number = ++world->flights_made;
    return flight;
}

static struct flight *flight_copy(struct world *world, const struct flight *flight)
{
    struct flight *copy = flight_new(world, flight->kind);
    uint64_t number = copy->number;

    *copy = *flight;
    copy->number = number;
    copy->data = (struct buffer){0};
    if (!buffer_copy(&copy->data, buffer_slice(&flight->data)))
        abort();
    return copy;
}

static const char *host_name_at(const struct world *world, const struct address *address)
{
    const struct host *host = world_host_at(world, address);

    return host == NULL ? "?" : host->name;
}

/* Number and total of a fragment stand in the clear. */
static void add_fragment(const struct flight *flight, const struct ike_header *header, char *text)
{
    struct reader reader = reader_of(buffer_slice(&flight->data));
    size_t used = strlen(text);

    reader_skip(&reader, IKE_HEADER_SIZE + 4);
    unsigned number = reader_u16(&reader);
    unsigned total = reader_u16(&reader);
    if (header->next_payload == V2_SKF)
        snprintf(text + used, FLIGHT_TEXT_MAX - used, "  %u/%u", number, total);
}

char *flight_text(const struct flight *flight, char text[FLIGHT_TEXT_MAX])
{
    struct ike_header header;
    struct reason reason;

    if (flight->kind == FLIGHT_CLEAR)
        snprintf(text, FLIGHT_TEXT_MAX, "clear packet");
    else if (flight->kind == FLIGHT_ESP)
        snprintf(text, FLIGHT_TEXT_MAX, "ESP %08x", flight->spi);
    else if (ike_header_parse(&header, buffer_slice(&flight->data), &reason) != STATUS_OK)
        snprintf(text, FLIGHT_TEXT_MAX, "%zu octets", flight->data.size);
    else {
        snprintf(text, FLIGHT_TEXT_MAX, "%s %s %u  %04x:%04x  %zu octets",
                 v2_exchange_name(header.exchange),
                 (header.flags & V2_FLAG_RESPONSE) != 0 ? "response" : "request", header.message_id,
                 (unsigned)(header.spi_i >> 48), (unsigned)(header.spi_r >> 48), flight->data.size);
        add_fragment(flight, &header, text);
    }
    return text;
}

static void note(struct world *world, const struct flight *flight, const char *what)
{
    char text[FLIGHT_TEXT_MAX];
    uint64_t parts[] = {flight->kind, flight->spi, flight->data.size, (uint64_t)what[0]};

    world_trace(world, slice_of(parts, sizeof(parts)));
    world_trace(world, buffer_slice(&flight->data));
    if (world->ladder != NULL)
        fprintf(world->ladder, "%9.3f s  %-8s -> %-8s %s%s\n", (double)world->now_ms / 1000,
                host_name_at(world, &flight->source), host_name_at(world, &flight->destination),
                flight_text(flight, text), what);
}

void world_forward(struct world *world, struct flight *flight, uint64_t delay_ms)
{
    struct flight *before;

    if (world->flight_count >= FLIGHTS_MAX) {
        flight_free(flight);
        return;
    }
    flight->due_ms = world->now_ms + delay_ms;
    world->flight_count++;
    TAILQ_FOREACH_REVERSE (before, &world->flights, flight_list, entry) {
        if (before->due_ms <= flight->due_ms) {
            TAILQ_INSERT_AFTER(&world->flights, before, flight, entry);
            return;
        }
    }
    TAILQ_INSERT_HEAD(&world->flights, flight, entry);
}

static uint64_t delay_ms(struct world *world)
{
    const struct weather *weather = &world->weather;

    return weather->delay_min_ms +
           chance_below(&world->chance, weather->delay_max_ms - weather->delay_min_ms + 1u);
}

static void launch(struct world *world, struct flight *flight)
{
    const struct weather *weather = &world->weather;
    enum fate fate = FATE_PASS;

    if (world->hooks.packet != NULL)
        fate = world->hooks.packet(world->hooks.context, flight);
    if (fate == FATE_HELD)
        return;
    if (fate == FATE_PASS && chance_hit(&world->chance, weather->loss))
        fate = FATE_LOST;
    note(world, flight, fate == FATE_LOST ? "  lost" : "");
    if (fate == FATE_LOST) {
        flight_free(flight);
        return;
    }
    if (chance_hit(&world->chance, weather->duplication))
        world_forward(world, flight_copy(world, flight), delay_ms(world));
    world_forward(world, flight, delay_ms(world));
}

void world_send(struct world *world, const struct effect_send *send)
{
    struct flight *flight = flight_new(world, FLIGHT_IKE);

    flight->source = send->local;
    flight->destination = send->remote;
    if (!buffer_copy(&flight->data, buffer_slice(&send->data)))
        abort();
    launch(world, flight);
}

void world_inject(struct world *world, const struct address *source,
                  const struct address *destination, struct slice data)
{
    struct flight *flight = flight_new(world, FLIGHT_IKE);

    flight->source = *source;
    flight->destination = *destination;
    if (!buffer_copy(&flight->data, data))
        abort();
    note(world, flight, "  injected");
    world_forward(world, flight, 0);
}

static uint64_t key_digest(const struct fake_sa *sa)
{
    return mix_bytes(0, slice_of(sa->key, sa->key_size));
}

static struct address selector_address(const struct selector *selector)
{
    struct address address = {.family = selector->family};

    memcpy(address.bytes, selector->start, sizeof(address.bytes));
    return address;
}

void world_send_traffic(struct world *world, const struct fake_sa *sa,
                        const struct selector *source, const struct selector *destination)
{
    struct flight *flight = flight_new(world, sa == NULL ? FLIGHT_CLEAR : FLIGHT_ESP);

    flight->inner_source = *source;
    flight->inner_destination = *destination;
    flight->source = sa == NULL ? selector_address(source) : sa->source;
    flight->destination = sa == NULL ? selector_address(destination) : sa->destination;
    if (sa != NULL) {
        flight->spi = sa->spi;
        flight->protocol = sa->protocol;
        flight->key_digest = key_digest(sa);
    }
    launch(world, flight);
}

static void receive_traffic(struct host *host, const struct flight *flight)
{
    struct fake_sa *sa = NULL;

    if (flight->kind == FLIGHT_ESP) {
        sa =
            fake_kernel_find_sa(&host->kernel, &flight->destination, flight->spi, flight->protocol);
        if (sa == NULL || key_digest(sa) != flight->key_digest) {
            host->unknown_spi++;
            return;
        }
        sa->packets++;
    }
    if (fake_kernel_input(&host->kernel, &flight->inner_destination, &flight->inner_source, sa))
        host->delivered++;
    else
        host->refused++;
}

static void land(struct world *world, struct flight *flight)
{
    struct host *host = world_host_at(world, &flight->destination);

    if (host != NULL && flight->kind == FLIGHT_IKE)
        host_packet(host, flight);
    else if (host != NULL)
        receive_traffic(host, flight);
    flight_free(flight);
}

/* --- Time --- */

uint64_t world_next_ms(const struct world *world)
{
    const struct flight *flight = TAILQ_FIRST(&world->flights);
    uint64_t next_ms = flight == NULL ? UINT64_MAX : flight->due_ms;

    for (size_t i = 0; i < world->host_count; i++) {
        uint64_t host_ms = host_next_ms(world->hosts[i]);
        if (host_ms < next_ms)
            next_ms = host_ms;
    }
    return next_ms < world->now_ms ? world->now_ms : next_ms;
}

static bool step(struct world *world)
{
    struct flight *flight = TAILQ_FIRST(&world->flights);

    for (size_t i = 0; i < world->host_count; i++)
        if (host_step(world->hosts[i]))
            return true;
    if (flight == NULL || flight->due_ms > world->now_ms)
        return false;
    TAILQ_REMOVE(&world->flights, flight, entry);
    world->flight_count--;
    land(world, flight);
    return true;
}

void world_settle(struct world *world)
{
    size_t steps = 0;

    while (step(world)) {
        if (++steps > STEPS_MAX) {
            fprintf(stderr, "the world does not come to rest at %llu ms\n",
                    (unsigned long long)world->now_ms);
            abort();
        }
    }
}

void world_run(struct world *world, uint64_t duration_ms)
{
    uint64_t end_ms = world->now_ms + duration_ms;
    uint64_t next_ms;

    world_settle(world);
    while ((next_ms = world_next_ms(world)) <= end_ms) {
        world->now_ms = next_ms;
        world_settle(world);
    }
    world->now_ms = end_ms;
}
