/*
 * Who talks to whom, where connections have their hosts or their traffic in common: see simulate.h.
 *
 *   siblings   several connections between two hosts, with the same identities: by port, by
 *              direction, by mode, one that prefers beside one that requires
 *   overlaps   a hub whose connections' networks lie one within the other; a peer that reaches for
 *              what is another one's
 *   contest    peers with identities of their own, known by one connection for any peer, who want
 *              the same inner addresses
 */
#include <stdlib.h>

#include "lib/policy/selector.h"
#include "test/simulate/simulate.h"

/* --- What a pair is for --- */

static struct selector packet_end(const char *address, uint8_t protocol, uint16_t port)
{
    struct address parsed = {0};

    if (!address_parse(&parsed, address))
        abort();
    struct selector selector = selector_host(&parsed);
    selector.protocol = protocol;
    selector.port_start = selector.port_end = port;
    return selector;
}

/* Drawn as any other, and then made to have one child for this. */
static struct pair *plan_shaped(struct run *run, struct host *a, struct host *b, const char *mode)
{
    struct pair *pair = plan_pair(run, a, b);

    plan_agreement(run, pair);
    pair->family = FAMILY_IPV4;
    pair->shaped = true;
    pair->ends[0].mode = pair->ends[1].mode = mode;
    return pair;
}

static void set_nets(struct pair *pair, const char *a, const char *b)
{
    snprintf(pair->nets[0], SUBNET_MAX, "%s", a);
    snprintf(pair->nets[1], SUBNET_MAX, "%s", b);
}

static void set_packets(struct pair *pair, const struct selector *a, const struct selector *b)
{
    pair->packets[0] = *a;
    pair->packets[1] = *b;
}

/* --- Siblings --- */

/* In transport mode: ports of either side, 0: any. */
struct ports {
    const char *nets[2];
    uint8_t protocol;
    uint16_t ports[2]; /* of the packets */
    bool prefers;
};

static void plan_ports(struct run *run, const struct ports *ports)
{
    struct host *const *hosts = run->world.hosts;
    struct pair *pair = plan_shaped(run, hosts[0], hosts[1], "transport");
    char text[2][ADDRESS_TEXT_MAX];
    struct selector ends[2];

    for (size_t i = 0; i < 2; i++) {
        ends[i] =
            packet_end(address_text(&hosts[i]->v4, text[i]), ports->protocol, ports->ports[i]);
        pair->ends[i].prefers = ports->prefers;
    }
    set_nets(pair, ports->nets[0], ports->nets[1]);
    set_packets(pair, &ends[0], &ends[1]);
    pair->sibling = run->pair_count > 1;
}

static void plan_inner(struct run *run)
{
    struct host *const *hosts = run->world.hosts;
    struct pair *pair = plan_shaped(run, hosts[0], hosts[1], "tunnel");
    struct selector a = packet_end("10.50.0.1", 17, 40000);
    struct selector b = packet_end("10.60.0.1", 17, 7);

    set_nets(pair, "\"10.50.0.0/16\"", "\"10.60.0.0/16\"");
    set_packets(pair, &a, &b);
    pair->sibling = run->pair_count > 1;
}

void plan_siblings(struct run *run)
{
    static const struct ports database[] = {
        {{"\"tcp/5432\"", "\"tcp\""}, 6, {5432, 40000}, false},
        {{"\"udp\"", "\"udp/514\""}, 17, {40000, 514}, false},
        {{"\"tcp\"", "\"tcp/22\""}, 6, {40000, 22}, true},
    };
    static const struct ports directions[] = {
        {{"\"udp/6081\"", "\"udp\""}, 17, {6081, 40000}, false},
        {{"\"udp\"", "\"udp/6081\""}, 17, {40000, 6081}, false},
    };
    static const struct ports within[] = {
        {{"\"udp\"", "\"udp\""}, 17, {40000, 7}, false},
        {{"\"udp/1000-1999\"", "\"udp\""}, 17, {1500, 40000}, false},
        {{"\"udp/1100\"", "\"udp\""}, 17, {1100, 40000}, false},
    };
    static const struct {
        const struct ports *ports;
        size_t count;
    } sets[] = {{database, 3}, {database, 2}, {directions, 2}, {within, 3}, {within, 2}};
    uint64_t which = chance_below(&run->chance, sizeof(sets) / sizeof(sets[0]));

    world_add_host(&run->world, "ann");
    world_add_host(&run->world, "ben");
    for (size_t i = 0; i < sets[which].count; i++)
        plan_ports(run, &sets[which].ports[i]);
    if (chance_hit(&run->chance, 300))
        plan_inner(run);
    /* One set of IKE settings: which connection is meant does not hang on them.  And IKE_AUTH with
     * a child: of two IKE SAs that both ends begin at once without one, for different connections,
     * neither is redundant when they come to carry the same child. */
    for (size_t i = 1; i < run->pair_count; i++)
        for (size_t side = 0; side < 2; side++) {
            struct end *end = &run->pairs[i].ends[side];
            run->pairs[0].ends[side].childless = end->childless = false;
            end->proposal = run->pairs[0].ends[side].proposal;
        }
}

/* --- Overlaps --- */

#define OVERLAPS_MAX 4

void plan_overlaps(struct run *run)
{
    static const struct {
        const char *net;
        const char *inside; /* nobody else's */
        const char *stolen; /* within it, and another one's */
    } spokes[OVERLAPS_MAX] = {
        {"\"10.0.0.0/8\"", "10.200.0.1", "\"10.1.7.0/24\""},
        {"\"10.1.0.0/16\"", "10.1.200.1", "\"10.1.2.15\""},
        {"\"10.1.2.10-10.1.2.20\"", "10.1.2.11", "\"10.1.2.16/31\""},
        {"\"10.1.2.16/31\"", "10.1.2.17", "\"10.1.2.16/31\""},
    };
    size_t count = 2 + chance_below(&run->chance, OVERLAPS_MAX - 1);
    struct host *hub = world_add_host(&run->world, "hub");
    struct selector at_hub = packet_end("172.16.0.1", 17, 7);
    char name[HOST_NAME_MAX_ + 16];

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "spoke%zu", i);
        struct host *spoke = world_add_host(&run->world, name);
        struct pair *pair = plan_shaped(run, spoke, hub, "tunnel");
        struct selector at_spoke = packet_end(spokes[i].inside, 17, 40000);
        set_nets(pair, spokes[i].net, "\"172.16.0.0/16\"");
        set_packets(pair, &at_spoke, &at_hub);
        snprintf(pair->narrowed, SUBNET_MAX, "\"%s\"", spokes[i].inside);
        snprintf(pair->stolen, SUBNET_MAX, "%s", i + 1 < count ? spokes[i].stolen : spokes[i].net);
        snprintf(name, sizeof(name), "%s.name.example", spoke->name);
        world_resolve(&run->world, name, &spoke->v4, 1);
        pair->ends[1].by_name = chance_hit(&run->chance, 300);
    }
}

/* --- Contest --- */

void plan_contest(struct run *run)
{
    size_t count = 2 + chance_below(&run->chance, 3);
    size_t contested = 0;
    struct host *hub = world_add_host(&run->world, "hub");
    struct selector at_hub = packet_end("10.99.0.1", 17, 7);
    char text[SUBNET_MAX];

    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "spoke%zu", i);
        struct host *spoke = world_add_host(&run->world, text);
        struct pair *pair = plan_shaped(run, spoke, hub, "tunnel");
        bool apart = chance_hit(&run->chance, 400);
        snprintf(text, sizeof(text), "10.%u.0.1", apart ? 10 + (unsigned)i : 7);
        struct selector at_spoke = packet_end(text, 17, 40000);
        set_packets(pair, &at_spoke, &at_hub);
        snprintf(text, sizeof(text), "\"10.%u.0.%s\"", apart ? 10 + (unsigned)i : 7,
                 chance_hit(&run->chance, 500) ? "1" : "0/24");
        set_nets(pair, text, "\"10.99.0.0/16\"");
        pair->contested = !apart;
        contested += !apart;
        pair->ends[1].any = true;
        pair->ends[1].proposal = run->pairs[0].ends[1].proposal;
    }
    for (size_t i = 0; i < count && contested == 1; i++)
        run->pairs[i].contested = false;
}
