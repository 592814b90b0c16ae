/*
 * Who talks to whom, and how they are configured: see simulate.h.
 */
#include <stdarg.h>
#include <string.h>

#include "lib/policy/loss.h"
#include "test/simulate/simulate.h"

#define SHORT_IKE_S 70 /* a short life of IKE SAs, so that rekeyings of both kinds meet */
#define CROWD_SIZE  20
#define CROWD_EVERY 500 /* they take their time */
#define TEXT_MAX    65536

static const char *const names[] = {"ann", "ben", "cat", "dan", "eve"};

/* Any two of these agree; the favourite groups differ, so that INVALID_KE_PAYLOAD is said. */
static const char *const proposals[] = {
    "aes128gcm16-prfsha256-x25519-ecp256-x448",
    "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp256-x25519",
};
static const char cbc_proposal[] = "aes128-sha256-prfsha256-x25519";      /* agrees with itself */
static const char large_proposal[] = "aes128gcm16-prfsha256-modp6144";    /* and this, too */
static const char foreign_proposal[] = "chacha20poly1305-prfsha512-x448"; /* ... with none */

/* The first is what is chosen; the others make messages large, and with the group rekeyings, too.
 * */
#define AEADS \
    "aes256gcm16-aes256gcm12-aes256gcm8-aes192gcm16-aes256ccm16-aes256ccm12-chacha20poly1305"
static const char small_esp[] = "\"aes128gcm16\"";
static const char large_esp[] = "\"aes128gcm16-modp6144\", \"" AEADS "-modp6144\", \"" AEADS
                                "-modp4096\", \"" AEADS "-x25519\", \"" AEADS "\"";

static const char *const starts[] = {"traffic", "traffic", "traffic", "immediate", "never"};

static const char *any_of(struct run *run, const char *const *texts, size_t count)
{
    return texts[chance_below(&run->chance, count)];
}

#define ANY_OF(run, texts) any_of(run, texts, sizeof(texts) / sizeof((texts)[0]))

static void plan_end(struct run *run, struct end *end, struct host *host, size_t pair, char side)
{
    end->host = host;
    snprintf(end->name, sizeof(end->name), "p%zu%c", pair, side);
    end->proposal = ANY_OF(run, proposals);
    end->start = ANY_OF(run, starts);
    end->mode = "transport";
    end->lifetime_h = 8;
    end->liveness_s = 5 + (uint32_t)chance_below(&run->chance, 60);
    end->restarts = chance_hit(&run->chance, 300);
    end->fragment_size = 1280;
    end->childless = chance_hit(&run->chance, 250);
}

/* Messages that take several datagrams, where both ends can do so. */
static void plan_size(struct run *run, struct pair *pair)
{
    pair->large = true;
    for (size_t side = 0; side < 2; side++) {
        struct end *end = &pair->ends[side];
        end->proposal = large_proposal;
        if (chance_hit(&run->chance, 700))
            end->fragment_size = 576;
        else if (chance_hit(&run->chance, 200))
            end->fragment_size = 0;
    }
}

/* Most pairs agree; some never can, and must fail in peace. */
static void plan_disagreement(struct run *run, struct pair *pair)
{
    struct end *end = &pair->ends[chance_below(&run->chance, 2)];

    pair->agrees = true;
    if (!chance_hit(&run->chance, 120))
        return;
    pair->agrees = false;
    switch (chance_below(&run->chance, 3)) {
    case 0: end->proposal = foreign_proposal; break;
    case 1: end->wrong_secret = end->wrong_secret_planned = true; break;
    default: end->mode = strcmp(end->mode, "tunnel") == 0 ? "transport" : "tunnel"; break;
    }
}

struct pair *plan_pair(struct run *run, struct host *a, struct host *b)
{
    struct pair *pair = &run->pairs[run->pair_count];

    *pair = (struct pair){.family = chance_hit(&run->chance, 300) ? FAMILY_IPV6 : FAMILY_IPV4};
    plan_end(run, &pair->ends[0], a, run->pair_count, 'a');
    plan_end(run, &pair->ends[1], b, run->pair_count, 'b');
    pair->child_count = chance_hit(&run->chance, 200) ? 2 : 1;
    if (chance_hit(&run->chance, 150))
        pair->ends[0].proposal = pair->ends[1].proposal = cbc_proposal;
    else if (chance_hit(&run->chance, 300))
        plan_size(run, pair);
    if (chance_hit(&run->chance, 400)) {
        pair->ends[0].mode = pair->ends[1].mode = "tunnel";
        pair->ends[chance_below(&run->chance, 2)].narrow =
            chance_hit(&run->chance, 400) ? (enum narrowing)chance_below(&run->chance, 3) : 0;
        pair->subsets = chance_hit(&run->chance, 500);
    }
    plan_disagreement(run, pair);
    run->pair_count++;
    return pair;
}

void plan_agreement(struct run *run, struct pair *pair)
{
    pair->child_count = 1;
    pair->large = pair->subsets = false;
    pair->agrees = true;
    for (size_t side = 0; side < 2; side++) {
        struct end *end = &pair->ends[side];
        end->narrow = NARROW_NOT;
        end->proposal = ANY_OF(run, proposals);
        end->wrong_secret = end->wrong_secret_planned = false;
    }
}

/* One host that takes whoever has the secret, as a VPN gateway does. */
static void plan_gateway(struct run *run, size_t spokes)
{
    struct host *hub = world_add_host(&run->world, "hub");
    char name[HOST_NAME_MAX_ + 1];

    for (size_t i = 0; i < spokes; i++) {
        snprintf(name, sizeof(name), "spoke%u", (unsigned)i);
        struct pair *pair = plan_pair(run, world_add_host(&run->world, name), hub);
        pair->family = FAMILY_IPV4;
        pair->child_count = 1;
        pair->large = false;
        pair->ends[0].narrow = pair->ends[1].narrow = NARROW_NOT;
        pair->ends[0].mode = pair->ends[1].mode = "transport";
        pair->ends[1].any = true;
        pair->ends[1].proposal = proposals[0];
        if (pair->ends[0].proposal == cbc_proposal || pair->ends[0].proposal == large_proposal)
            pair->ends[0].proposal = ANY_OF(run, proposals);
        pair->agrees = pair->ends[0].proposal != foreign_proposal && !pair->ends[0].wrong_secret &&
                       !pair->ends[1].wrong_secret;
    }
}

static void plan_mesh(struct run *run, size_t host_count)
{
    for (size_t i = 0; i < host_count; i++)
        world_add_host(&run->world, names[i]);
    for (size_t i = 0; i < host_count; i++)
        for (size_t j = i + 1; j < host_count; j++)
            if (host_count == 2 || chance_hit(&run->chance, 700))
                (void)plan_pair(run, run->world.hosts[i], run->world.hosts[j]);
    if (run->pair_count == 0)
        (void)plan_pair(run, run->world.hosts[0], run->world.hosts[1]);
}

/* Twenty hosts, each towards all, at the same moment. */
static void plan_crowd(struct run *run)
{
    char name[HOST_NAME_MAX_ + 1];

    run->crowd = true;
    for (unsigned i = 0; i < CROWD_SIZE; i++) {
        snprintf(name, sizeof(name), "h%u", i);
        world_add_host(&run->world, name);
    }
    for (size_t i = 0; i < CROWD_SIZE; i++) {
        for (size_t j = i + 1; j < CROWD_SIZE; j++) {
            struct pair *pair = plan_pair(run, run->world.hosts[i], run->world.hosts[j]);
            plan_agreement(run, pair);
            for (size_t side = 0; side < 2; side++) {
                pair->ends[side].start = "immediate";
                pair->ends[side].mode = "transport";
                pair->ends[side].proposal = proposals[side];
            }
        }
    }
}

/* A gateway for whoever has the secret, and clients on the road: behind one of two NATs or behind
 * none, some with an address that changes. */
static void plan_road(struct run *run, size_t clients)
{
    static const struct address outside[] = {
        {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 1}},
        {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 2}},
    };

    plan_gateway(run, clients);
    for (size_t i = 0; i < run->pair_count; i++) {
        struct pair *pair = &run->pairs[i];
        uint64_t place = chance_below(&run->chance, 4);
        pair->ends[0].mode = pair->ends[1].mode = "tunnel";
        pair->ends[0].roams = chance_hit(&run->chance, 500);
        pair->ends[0].mobike = chance_hit(&run->chance, 600);
        pair->ends[1].mobike = true;
        pair->subsets = false;
        if (place < 2)
            world_add_nat(&run->world, pair->ends[0].host, &outside[place], false);
    }
}

/* Who takes any peer has one connection for each mode. */
static void name_any(struct run *run)
{
    for (size_t i = 0; i < 2 * run->pair_count; i++) {
        struct end *end = &run->pairs[i / 2].ends[i % 2];
        if (end->any)
            snprintf(end->name, sizeof(end->name), "any-%s", end->mode);
    }
}

void run_plan(struct run *run)
{
    uint64_t shape = chance_below(&run->chance, 100);
    uint64_t shared = run->plain ? 100 : chance_below(&run->chance, 100);

    if (run->seed % CROWD_EVERY == 0)
        plan_crowd(run);
    else if (shared < 25)
        plan_siblings(run);
    else if (shared < 45)
        plan_overlaps(run);
    else if (shared < 60)
        plan_contest(run);
    else if (shape < 60)
        plan_mesh(run, 2);
    else if (shape < 72)
        plan_road(run, 1 + chance_below(&run->chance, 5));
    else if (shape < 92)
        plan_mesh(run, 3 + chance_below(&run->chance, 3));
    else
        plan_gateway(run, 2 + chance_below(&run->chance, shape == 99 ? 24 : 6));
    run->cookie_threshold = chance_hit(&run->chance, 250) ? (uint32_t)shape % 3 : 100;
    run->short_life_s = chance_hit(&run->chance, 150) ? 90 : 0;
    run->short_ike = run->short_life_s != 0 && chance_hit(&run->chance, 500);
    name_any(run);
    for (size_t i = 0; i < run->world.host_count; i++)
        run_configure(run, run->world.hosts[i]);
}

/* --- The texts --- */

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t *size, const char *format,
                                                      ...)
{
    va_list arguments;

    va_start(arguments, format);
    int added = vsnprintf(text + *size, TEXT_MAX - *size, format, arguments);
    va_end(arguments);
    *size += (size_t)added;
}

static const struct address *address_of(const struct pair *pair, const struct host *host)
{
    return pair->family == FAMILY_IPV6 ? &host->v6 : &host->v4;
}

/* The network behind a host: of the pair's family, and another one for each pair and child. */
static void subnet_text(const struct run *run, const struct pair *pair, const struct end *end,
                        size_t child, enum narrowing narrow, char text[SUBNET_MAX])
{
    unsigned number = (unsigned)(pair - run->pairs) * CHILDREN_MAX + (unsigned)child;
    unsigned side = end == &pair->ends[0] ? 0 : 1;
    int size;

    if (pair->family == FAMILY_IPV6)
        size = snprintf(text, SUBNET_MAX, "\"[fd00:%x:%x::]/%u\"", number, side,
                        narrow == NARROW_PREFIX ? 64u : 48u);
    else
        size = snprintf(text, SUBNET_MAX, "\"10.%u.%u.0/%u\"", number, side * 128,
                        narrow == NARROW_PREFIX ? 24u : 17u);
    if (pair->subsets && narrow != NARROW_SUBSET)
        snprintf(text + size, SUBNET_MAX - (size_t)size,
                 pair->family == FAMILY_IPV6 ? ", \"[fd01:%x:%x::]/48\"" : ", \"11.%u.%u.0/24\"",
                 number, side);
}

/* As shape.c has it; a thief has another one's network. */
static void shaped_texts(const struct pair *pair, size_t side, char local[SUBNET_MAX],
                         char remote[SUBNET_MAX])
{
    const struct end *end = &pair->ends[side];

    snprintf(local, SUBNET_MAX, "%s",
             end->thief                                             ? pair->stolen
             : end->narrow != NARROW_NOT && *pair->narrowed != '\0' ? pair->narrowed
                                                                    : pair->nets[side]);
    snprintf(remote, SUBNET_MAX, "%s", pair->nets[!side]);
    if (end->any) /* of all that may come */
        snprintf(remote, SUBNET_MAX, "%s",
                 strcmp(end->mode, "tunnel") == 0 ? "\"10.0.0.0/8\"" : "");
    if (end->any && remote[0] == '\0')
        local[0] = '\0';
}

static void add_child(const struct run *run, const struct pair *pair, size_t side, size_t child,
                      char *text, size_t *size)
{
    const struct end *end = &pair->ends[side];
    char local[SUBNET_MAX];
    char remote[SUBNET_MAX];

    add(text, size, "      c%zu: { mode = \"%s\"; start = \"%s\"; esp = [ %s ];\n", child,
        end->mode, end->any ? "never" : end->start, pair->large ? large_esp : small_esp);
    if (run->short_life_s != 0)
        add(text, size, "        lifetime = \"%us\";\n", run->short_life_s);
    if (end->prefers)
        add(text, size, "        policy = \"prefer\";\n");
    if (pair->shaped) {
        shaped_texts(pair, side, local, remote);
        if (local[0] != '\0')
            add(text, size, "        local = [ %s ]; remote = [ %s ];\n", local, remote);
    } else if (strcmp(end->mode, "tunnel") == 0) {
        subnet_text(run, pair, end, child, end->narrow, local);
        subnet_text(run, pair, &pair->ends[!side], child, end->narrow, remote);
        if (end->any) /* of all that may come */
            snprintf(local, sizeof(local), "%s", "\"10.0.0.0/8\"");
        if (end->any)
            snprintf(remote, sizeof(remote), "%s", "\"10.0.0.0/8\"");
        add(text, size, "        local = [ %s ]; remote = [ %s ];\n", local, remote);
    } else if (pair->child_count > 1) {
        const char *protocol = child == 0 ? "udp" : "tcp";
        add(text, size, "        local = [ \"%s\" ]; remote = [ \"%s\" ];\n", protocol, protocol);
    }
    add(text, size, "      };\n");
}

/* By its address, unless that may change. */
static const char *id_text(const struct pair *pair, size_t side, char text[ADDRESS_TEXT_MAX])
{
    const struct end *end = &pair->ends[side];

    if (!end->roams)
        return address_text(address_of(pair, end->host), text);
    snprintf(text, ADDRESS_TEXT_MAX, "%s.example", end->host->name);
    return text;
}

static const char *peer_text(const struct pair *pair, size_t side, char text[3 * ADDRESS_TEXT_MAX])
{
    const struct end *end = &pair->ends[side];
    const struct host *peer = pair->ends[!side].host;
    char address[ADDRESS_TEXT_MAX];

    (void)address_text(address_of(pair, peer), address);
    if (end->any)
        return "\"any\"";
    if (end->by_name)
        snprintf(text, 3 * ADDRESS_TEXT_MAX, "{ address = \"%s.name.example\"; id = \"%s\"; }",
                 peer->name, address);
    else
        snprintf(text, 3 * ADDRESS_TEXT_MAX, "\"%s\"", address);
    return text;
}

static void add_connection(const struct run *run, const struct pair *pair, size_t side, char *text,
                           size_t *size)
{
    const struct end *end = &pair->ends[side];
    char local[ADDRESS_TEXT_MAX];
    char remote[3 * ADDRESS_TEXT_MAX];
    char id[ADDRESS_TEXT_MAX];

    add(text, size,
        "  %s: { local = { address = \"%s\"; id = \"%s\"; }; remote = %s; "
        "proposals = [ \"%s\" ]; lifetime = \"%u%s\";\n",
        end->name, end->roams ? "any" : address_text(address_of(pair, end->host), local),
        id_text(pair, side, id), peer_text(pair, side, remote), end->proposal,
        run->short_ike ? SHORT_IKE_S + end->lifetime_h : end->lifetime_h,
        run->short_ike ? "s" : "h");
    if (end->fragment_size == 0)
        add(text, size, "    fragmentation = false;\n");
    else
        add(text, size, "    fragment_size = %u;\n", end->fragment_size);
    add(text, size, "    liveness = \"%us\"; on_dead = \"%s\";\n", end->liveness_s,
        end->restarts && !end->any ? "restart" : "trap");
    if (strcmp(end->mode, "tunnel") == 0)
        add(text, size, "    mobike = %s;\n", end->mobike ? "true" : "false");
    if (end->childless)
        add(text, size, "    childless = true;\n");
    add(text, size, "    children: {\n");
    for (size_t i = 0; i < pair->child_count; i++)
        add_child(run, pair, side, i, text, size);
    add(text, size, "    };\n  };\n");
}

static void add_secret(const struct run *run, const struct pair *pair, size_t side, char *text,
                       size_t *size)
{
    char a[ADDRESS_TEXT_MAX];
    char b[ADDRESS_TEXT_MAX];

    add(text, size, "%s  { ids = [ \"%s\", \"%s\" ]; psk = \"%s %zu\"; }", *size > 15 ? ",\n" : "",
        id_text(pair, 0, a), id_text(pair, 1, b),
        pair->ends[side].wrong_secret ? "wrong horse" : "correct horse",
        (size_t)(pair - run->pairs));
}

/* Does an earlier end of the host's say the same connection? */
static bool is_told(const struct run *run, const struct host *host, const struct end *end)
{
    for (size_t i = 0; i < 2 * run->pair_count; i++) {
        const struct end *earlier = &run->pairs[i / 2].ends[i % 2];
        if (earlier == end)
            break;
        if (earlier->host == host && !earlier->left_out && strcmp(earlier->name, end->name) == 0)
            return true;
    }
    return false;
}

/* Pairs between the same two hosts have one secret. */
static const struct pair *first_between(const struct run *run, const struct pair *pair)
{
    const struct pair *first = run->pairs;

    while (first->ends[0].host != pair->ends[0].host || first->ends[1].host != pair->ends[1].host ||
           first->family != pair->family)
        first++;
    return first;
}

/* Has an earlier end's connection brought it? */
static bool has_secret(const struct run *run, size_t end)
{
    const struct pair *first = first_between(run, &run->pairs[end / 2]);

    for (size_t i = 0; i < end / 2; i++)
        if (first_between(run, &run->pairs[i]) == first && !run->pairs[i].ends[end % 2].left_out)
            return true;
    return false;
}

void run_configure(struct run *run, struct host *host)
{
    static char text[TEXT_MAX];
    static char secrets[TEXT_MAX];
    char error[CONFIG_ERROR_MAX];
    size_t size = 0;
    size_t secrets_size = 0;

    add(text, &size,
        "daemon: { retransmit = \"500ms\"; retransmit_tries = 5; half_open_lifetime = \"10s\"; "
        "cookie_threshold = %u; };\nconnections: {\n",
        run->cookie_threshold);
    add(secrets, &secrets_size, "secrets: (\n   ");
    for (size_t i = 0; i < 2 * run->pair_count; i++) {
        const struct pair *pair = &run->pairs[i / 2];
        const struct end *end = &pair->ends[i % 2];
        if (end->host != host || end->left_out)
            continue;
        if (!has_secret(run, i))
            add_secret(run, first_between(run, pair), i % 2, secrets, &secrets_size);
        if (!is_told(run, host, end))
            add_connection(run, pair, i % 2, text, &size);
    }
    add(text, &size, "};\n");
    add(secrets, &secrets_size, " );\n");
    if (!host_set_secrets(host, secrets, error) || !host_configure(host, text, error))
        run_fail(run, "%s: %s", host->name, error);
}

/* --- Traffic --- */

/* A single address out of one side of a child. */
static struct selector packet_end(const struct run *run, const struct pair *pair, size_t side,
                                  size_t child, bool tunnel)
{
    unsigned number = (unsigned)(pair - run->pairs) * CHILDREN_MAX + (unsigned)child;
    struct address address = *address_of(pair, pair->ends[side].host);

    if (tunnel && pair->family == FAMILY_IPV6)
        address = (struct address){.family = FAMILY_IPV6,
                                   .bytes = {0xfd, 0, (uint8_t)(number >> 8), (uint8_t)number, 0,
                                             (uint8_t)side, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    else if (tunnel)
        address = (struct address){.family = FAMILY_IPV4,
                                   .bytes = {10, (uint8_t)number, (uint8_t)(side * 128), 1}};
    return selector_host(&address);
}

static void packet_between(const struct run *run, const struct pair *pair, size_t from,
                           size_t child, struct selector *source, struct selector *destination)
{
    bool tunnel = strcmp(pair->ends[from].mode, "tunnel") == 0;

    *source = pair->packets[from];
    *destination = pair->packets[!from];
    if (pair->shaped)
        return;
    *source = packet_end(run, pair, from, child, tunnel);
    *destination = packet_end(run, pair, !from, child, tunnel);
    source->protocol = destination->protocol = child == 0 ? 17 : 6;
    source->port_start = source->port_end = from == 0 ? 40000 : 7;
    destination->port_start = destination->port_end = from == 0 ? 7 : 40000;
}

enum fake_verdict pair_ping(struct run *run, struct pair *pair, size_t from, size_t child)
{
    struct selector source;
    struct selector destination;

    packet_between(run, pair, from, child, &source, &destination);
    return host_traffic(pair->ends[from].host, &source, &destination);
}

enum fake_verdict pair_would(const struct run *run, const struct pair *pair, size_t from,
                             size_t child)
{
    struct selector source;
    struct selector destination;

    packet_between(run, pair, from, child, &source, &destination);
    return fake_kernel_would(&pair->ends[from].host->kernel, &source, &destination, NULL, NULL);
}
