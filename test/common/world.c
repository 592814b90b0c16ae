/*
 * The network and the clock of a simulated world: see world.h.
 */
#include "test/common/world.h"

#include <stdlib.h>
#include <string.h>

#include "iked/process/log.h"
#include "lib/wire/ikev2.h"
#include "test/common/host.h"

#define STEPS_MAX       1000000 /* at one time: more is a loop */
#define FLIGHT_TEXT_MAX 160

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

/* What keepers log is theirs to report. */
static void on_log(void *context, enum severity severity, const char *text)
{
    const struct world *world = context;
    struct effect effect = {.kind = EFFECT_REPORT,
                            .report = {.severity = severity, .event = "keeper"}};

    snprintf(effect.report.text, sizeof(effect.report.text), "%.*s", REASON_TEXT_MAX - 1, text);
    if (world != NULL && world->at_work != NULL)
        host_report(world->at_work, &effect);
}

void world_init(struct world *world, uint64_t seed, struct crypto *crypto)
{
    *world = (struct world){.chance = chance_of(seed), .crypto = crypto};
    TAILQ_INIT(&world->flights);
    log_divert(on_log, world);
}

void world_free(struct world *world)
{
    struct flight *flight;

    log_divert(on_log, NULL);
    for (size_t i = 0; i < world->host_count; i++) {
        host_clear(world->hosts[i]);
        free(world->hosts[i]);
    }
    while ((flight = TAILQ_FIRST(&world->flights)) != NULL) {
        TAILQ_REMOVE(&world->flights, flight, entry);
        flight_free(flight);
    }
}

/* Mixes something into the trace. */
static void trace(struct world *world, struct slice bytes)
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

static struct nat_box *nat_at(const struct world *world, const struct address *address)
{
    for (size_t i = 0; i < world->nat_count; i++)
        if (address_same_host(&world->nats[i].outside, address))
            return (struct nat_box *)&world->nats[i];
    return NULL;
}

static struct host *host_with(const struct world *world, const struct address *address)
{
    for (size_t i = 0; i < world->host_count; i++)
        if (address_same_host(&world->hosts[i]->v4, address) ||
            address_same_host(&world->hosts[i]->v6, address) ||
            address_same_host(&world->hosts[i]->other, address))
            return world->hosts[i];
    return NULL;
}

struct host *world_host_at(const struct world *world, const struct address *address)
{
    const struct nat_box *box = nat_at(world, address);
    struct address inside = *address;

    if (box == NULL || nat_box_in(box, &inside, world->now_ms))
        return host_with(world, &inside);
    for (size_t i = 0; i < world->host_count; i++)
        if (world->hosts[i]->nat == box)
            return world->hosts[i];
    return NULL;
}

void world_add_nat(struct world *world, struct host *host, const struct address *outside,
                   bool is_static)
{
    struct nat_box *box = nat_at(world, outside);
    struct address inside = host->v4;

    if (box == NULL) {
        if (world->nat_count == WORLD_NATS_MAX)
            abort();
        box = &world->nats[world->nat_count++];
        nat_box_init(box, outside, is_static);
    }
    host->nat = box;
    for (inside.port = 500; is_static && inside.port <= 4500; inside.port += 4000) {
        struct address source = inside;
        nat_box_out(box, &source, world->now_ms);
    }
}

void world_resolve(struct world *world, const char *name, const struct address *addresses,
                   size_t count)
{
    size_t i = 0;

    while (i < world->name_count && strcmp(world->names[i].name, name) != 0)
        i++;
    if (i == WORLD_NAMES_MAX || count > CONFIG_RESOLVED_MAX)
        abort();
    if (i == world->name_count)
        world->name_count++;
    snprintf(world->names[i].name, sizeof(world->names[i].name), "%s", name);
    world->names[i].count = (uint8_t)count;
    memcpy(world->names[i].addresses, addresses, count * sizeof(*addresses));
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

struct flight *flight_copy(struct world *world, const struct flight *flight)
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

/* "IKE_SA_INIT request 0"; returns `text`. */
static char *flight_text(const struct flight *flight, char text[FLIGHT_TEXT_MAX])
{
    struct ike_header header;
    struct reason reason;

    if (flight->kind == FLIGHT_CLEAR)
        snprintf(text, FLIGHT_TEXT_MAX, "clear packet");
    else if (flight->kind == FLIGHT_KEEPALIVE)
        snprintf(text, FLIGHT_TEXT_MAX, "keepalive");
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

    trace(world, slice_of(parts, sizeof(parts)));
    trace(world, buffer_slice(&flight->data));
    if (world->ladder != NULL)
        fprintf(world->ladder, "%9.3f s  %-8s -> %-8s %s%s\n", (double)world->now_ms / 1000,
                host_name_at(world, &flight->source), host_name_at(world, &flight->destination),
                flight_text(flight, text), what);
}

/* Through the NAT of its sender, which lets only UDP pass. */
static bool pass_out(struct world *world, struct flight *flight)
{
    const struct host *sender = host_with(world, &flight->source);

    if (flight->outside || sender == NULL || sender->nat == NULL ||
        flight->source.family != FAMILY_IPV4)
        return true;
    flight->outside = true;
    if (flight->kind == FLIGHT_CLEAR || (flight->kind == FLIGHT_ESP && !flight->encap))
        return false;
    nat_box_out(sender->nat, &flight->source, world->now_ms);
    return true;
}

/* And through that of its receiver; NULL: it is lost there. */
static struct host *pass_in(const struct world *world, struct flight *flight)
{
    const struct nat_box *box = nat_at(world, &flight->destination);
    bool udp = flight->kind == FLIGHT_IKE || flight->kind == FLIGHT_KEEPALIVE || flight->encap;

    if (box != NULL && (!udp || !nat_box_in(box, &flight->destination, world->now_ms)))
        return NULL;
    struct host *host = host_with(world, &flight->destination);
    return host != NULL && host->nat != NULL && box == NULL && udp &&
                   flight->destination.family == FAMILY_IPV4
               ? NULL /* nobody outside can write to an inside address */
               : host;
}

void world_forward(struct world *world, struct flight *flight, uint64_t delay_ms)
{
    struct flight *before;

    if (world->flight_count >= FLIGHTS_MAX || !pass_out(world, flight)) {
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

static bool is_cut(const struct wire *wire, const struct flight *flight)
{
    return wire->cut &&
           (wire->at.family == FAMILY_NONE || address_same_host(&wire->at, &flight->source) ||
            address_same_host(&wire->at, &flight->destination));
}

static void launch(struct world *world, struct flight *flight)
{
    const struct weather *weather = &world->weather;
    enum fate fate = FATE_PASS;

    if (world->hooks.packet != NULL)
        fate = world->hooks.packet(world->hooks.context, flight);
    if (fate == FATE_HELD)
        return;
    if (fate == FATE_PASS &&
        (is_cut(&world->wire, flight) || chance_hit(&world->chance, weather->loss)))
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
    struct flight *flight = flight_new(world, send->keepalive ? FLIGHT_KEEPALIVE : FLIGHT_IKE);

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
        flight->encap = sa->encap;
        flight->transport = sa->mode == CHILD_TRANSPORT;
        flight->key_digest = key_digest(sa);
    }
    launch(world, flight);
}

static struct selector with_address(struct selector selector, const struct address *address)
{
    memcpy(selector.start, address->bytes, sizeof(selector.start));
    memcpy(selector.end, address->bytes, sizeof(selector.end));
    return selector;
}

static void receive_traffic(struct host *host, const struct flight *flight)
{
    struct selector source = flight->inner_source;
    struct selector destination = flight->inner_destination;
    struct fake_sa *sa = NULL;

    if (flight->kind == FLIGHT_ESP) {
        sa =
            fake_kernel_find_sa(&host->kernel, &flight->destination, flight->spi, flight->protocol);
        if (sa == NULL || key_digest(sa) != flight->key_digest || sa->encap != flight->encap) {
            host->unknown_spi++;
            world_say(host->world, "that ESP packet cannot be opened");
            return;
        }
        sa->packets++;
        sa->used_ms = host->world->now_ms + host->ahead_ms;
        if (sa->encap && !address_equal(&sa->source, &flight->source))
            host_mapping(host, sa, &flight->source);
    }
    if (flight->transport) {
        source = with_address(source, &flight->source);
        destination = with_address(destination, &flight->destination);
    }
    if (fake_kernel_input(&host->kernel, &destination, &source, sa)) {
        host->delivered++;
        return;
    }
    host->refused++;
    world_say(host->world, "that packet is refused");
}

static void land(struct world *world, struct flight *flight)
{
    struct host *host = pass_in(world, flight);

    if (host != NULL && flight->kind == FLIGHT_IKE)
        host_packet(host, flight);
    else if (host != NULL && flight->kind != FLIGHT_KEEPALIVE)
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
