/*
 * What goes wrong, and when: see simulate.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/ikev2/ikev2_sa.h"
#include "lib/wire/ikev2.h"
#include "test/common/tap.h"
#include "test/simulate/simulate.h"

#define ACTIONS_MIN  10
#define ACTIONS_MAX  60
#define PAUSE_MAX_MS 2500
#define OFF_MAX_MS   6000
#define GARBAGE_MAX  600

/* What was flushed is missed within a second (iked/keeper/upkeep.h), and put back by work that
 * waits its turn. */
#define FLUSH_SEEN_MS 2000

/* --- The network --- */

static struct pair *pair_between(struct run *run, const struct address *a, const struct address *b)
{
    const struct host *host_a = world_host_at(&run->world, a);
    const struct host *host_b = world_host_at(&run->world, b);

    for (size_t i = 0; i < run->pair_count; i++) {
        struct pair *pair = &run->pairs[i];
        if ((pair->ends[0].host == host_a && pair->ends[1].host == host_b) ||
            (pair->ends[0].host == host_b && pair->ends[1].host == host_a))
            return pair;
    }
    return NULL;
}

static void record(struct run *run, const struct flight *flight)
{
    struct recorded *recorded = &run->recorded[run->recorded_count++ % RECORDED_MAX];

    recorded->source = flight->source;
    recorded->destination = flight->destination;
    if (!buffer_copy(&recorded->data, buffer_slice(&flight->data)))
        abort();
}

/* --- A peer that narrows while it rekeys --- */

#define TS_HEAD     4 /* of the payload's body (RFC 7296 section 3.13) */
#define TS_START_IP 8 /* in a selector */

static bool names_what_is_rekeyed(const struct tap *tap)
{
    for (size_t i = 0; i < tap->count; i++) {
        const struct buffer *body = &tap->payloads[i].body;
        if (tap->payloads[i].type == V2_NOTIFY && body->size >= 4 &&
            (body->data[2] << 8 | body->data[3]) == V2_N_REKEY_SA)
            return true;
    }
    return false;
}

/* Of the answer's first selector for its own side only the first address, or port, is left. */
static bool narrow_answer(struct tap *tap)
{
    size_t at = tap_find(tap, V2_TSR);

    if (at == tap->count || tap->payloads[at].body.size < TS_HEAD + TS_START_IP + 8)
        return false;
    struct buffer *body = &tap->payloads[at].body;
    size_t room = (size_t)body->data[TS_HEAD + 3] - TS_START_IP;
    uint8_t *start = body->data + TS_HEAD + TS_START_IP;
    if (TS_HEAD + TS_START_IP + room > body->size)
        return false;
    if (memcmp(start, start + room / 2, room / 2) != 0)
        memcpy(start + room / 2, start, room / 2);
    else
        memcpy(start - 2, start - 4, 2);
    return true;
}

static struct rekeying rekeying_of(const struct ike_header *header, bool from_initiator)
{
    return (struct rekeying){header->spi_i, header->spi_r, header->message_id, from_initiator};
}

/* Each end numbers its own requests (RFC 7296 section 2.2): the answer to another request, which
 * rekeys nothing, may have the same number, and whoever asked that may take less. */
static bool is_answer(const struct rekeying *rekeying, const struct ike_header *header,
                      bool asked_by_initiator)
{
    return header->spi_i == rekeying->spi_i && header->spi_r == rekeying->spi_r &&
           header->message_id == rekeying->message_id &&
           asked_by_initiator == rekeying->by_initiator;
}

/* An honest peer would not answer so: whoever asked has to refuse it, and to undo the rekeying (RFC
 * 7296 sections 1.3.1 and 2.9.2). */
static void edit(struct run *run, struct flight *flight)
{
    struct rekeying *rekeying = &run->rekeying;
    struct tap tap;

    if (!tap_open(&tap, &run->world, flight))
        return;
    bool response = (tap.header.flags & V2_FLAG_RESPONSE) != 0;
    bool from_initiator = (tap.header.flags & V2_FLAG_INITIATOR) != 0;
    if (tap.sealed && tap.total == 0 && tap.header.exchange == V2_CREATE_CHILD_SA) {
        if (!response && names_what_is_rekeyed(&tap))
            *rekeying = rekeying_of(&tap.header, from_initiator);
        else if (response && is_answer(rekeying, &tap.header, !from_initiator) &&
                 narrow_answer(&tap) && tap_close(&tap, &run->world, flight))
            run->edits = 0;
    }
    tap_free(&tap);
}

enum fate run_packet(void *context, struct flight *flight)
{
    struct run *run = context;
    const struct pair *pair = pair_between(run, &flight->source, &flight->destination);

    if (flight->kind == FLIGHT_IKE && run->edits > 0)
        edit(run, flight);
    if (flight->kind == FLIGHT_IKE && !run->quiet)
        record(run, flight);
    return pair != NULL && pair->severed ? FATE_LOST : FATE_PASS;
}

static void change_weather(struct run *run)
{
    static const struct weather skies[] = {
        {.delay_min_ms = 1, .delay_max_ms = 5},
        {.loss = 100, .delay_min_ms = 1, .delay_max_ms = 40, .work_max_ms = 3},
        {.loss = 300, .duplication = 100, .delay_min_ms = 1, .delay_max_ms = 200, .work_max_ms = 5},
        {.loss = 400,
         .duplication = 200,
         .delay_min_ms = 1,
         .delay_max_ms = 900,
         .work_max_ms = 20},
        {.duplication = 500, .delay_min_ms = 1, .delay_max_ms = 3000, .work_max_ms = 300},
        {.loss = 100,
         .delay_min_ms = 5,
         .delay_max_ms = 60,
         .work_max_ms = 2,
         .kernel_failure = 150},
    };

    run->world.weather = skies[chance_below(&run->chance, sizeof(skies) / sizeof(skies[0]))];
}

/* --- Strangers --- */

/* Something that looks like one of the packets seen, and is not. */
static void send_garbage(struct run *run)
{
    size_t known = run->recorded_count < RECORDED_MAX ? run->recorded_count : RECORDED_MAX;
    uint8_t octets[GARBAGE_MAX];

    if (known == 0)
        return;
    const struct recorded *recorded = &run->recorded[chance_below(&run->chance, known)];
    size_t size = recorded->data.size < GARBAGE_MAX ? recorded->data.size : GARBAGE_MAX;
    memcpy(octets, recorded->data.data, size);
    if (chance_hit(&run->chance, 200))
        size = chance_below(&run->chance, size + 1);
    size_t changes = 1 + chance_below(&run->chance, 4);
    for (size_t i = 0; size > 0 && i < changes; i++)
        octets[chance_below(&run->chance, size)] ^= (uint8_t)(1u << chance_below(&run->chance, 8));
    if (chance_hit(&run->chance, 50))
        chance_fill(&run->chance, octets, size);
    if (size == recorded->data.size && memcmp(octets, recorded->data.data, size) == 0)
        return;
    run_garbage(run, &recorded->source, &recorded->destination, slice_of(octets, size));
}

static struct ike_sa *any_sa(struct run *run, const struct host *host)
{
    uint64_t skip = chance_below(&run->chance, engine_sa_count(host->engine));
    struct ike_sa *sa = probe_first(host->engine);

    while (sa != NULL && skip-- > 0)
        sa = TAILQ_NEXT(sa, entry);
    return sa;
}

/* Just what an SA waits for, but for the key. */
static void forge(struct run *run)
{
    struct host *host = run->world.hosts[chance_below(&run->chance, run->world.host_count)];
    const struct ike_sa *sa = host->engine == NULL ? NULL : any_sa(run, host);
    bool response = chance_hit(&run->chance, 500);
    uint8_t octets[GARBAGE_MAX];
    uint8_t sealed[GARBAGE_MAX / 2];
    struct v2_writer writer;

    if (sa == NULL || sa->keys.size == 0)
        return;
    struct ike_header header = {
        .spi_i = sa->spi_i,
        .spi_r = sa->spi_r,
        .version = 0x20,
        .exchange = (uint8_t)(V2_IKE_AUTH + chance_below(&run->chance, 3)),
        .flags =
            (uint8_t)((sa->initiator ? 0 : V2_FLAG_INITIATOR) | (response ? V2_FLAG_RESPONSE : 0)),
        .message_id = response ? ikev2_of(sa)->next_request : ikev2_of(sa)->expected,
    };
    v2_message_begin(&writer, octets, sizeof(octets), &header);
    if (chance_hit(&run->chance, 500)) {
        uint16_t total = (uint16_t)(1 + chance_below(&run->chance, 5));
        v2_payload_begin(&writer, V2_SKF);
        writer_u16(&writer.bytes, (uint16_t)(1 + chance_below(&run->chance, total)));
        writer_u16(&writer.bytes, total);
    } else {
        v2_payload_begin(&writer, V2_SK);
    }
    chance_fill(&run->chance, sealed, sizeof(sealed));
    writer_bytes(&writer.bytes,
                 slice_of(sealed, 16 + 16 * chance_below(&run->chance, sizeof(sealed) / 16)));
    if (v2_message_end(&writer))
        run_garbage(run, &sa->remote, &sa->local, writer_slice(&writer.bytes));
}

static void replay(struct run *run)
{
    size_t known = run->recorded_count < RECORDED_MAX ? run->recorded_count : RECORDED_MAX;

    if (known == 0)
        return;
    const struct recorded *recorded = &run->recorded[chance_below(&run->chance, known)];
    world_inject(&run->world, &recorded->source, &recorded->destination,
                 buffer_slice(&recorded->data));
}

/* --- Operators and machines --- */

static struct pair *any_pair(struct run *run)
{
    return &run->pairs[chance_below(&run->chance, run->pair_count)];
}

static struct end *any_end(struct run *run)
{
    return &any_pair(run)->ends[chance_below(&run->chance, 2)];
}

static struct end *say_end(struct run *run)
{
    struct end *end = any_end(run);

    world_say(&run->world, end->host->name);
    world_say(&run->world, end->name);
    return end;
}

static void ping(struct run *run)
{
    struct pair *pair = any_pair(run);
    size_t from = chance_below(&run->chance, 2);
    size_t count = 1 + chance_below(&run->chance, 3);

    for (size_t i = 0; i < count; i++)
        (void)pair_ping(run, pair, from, chance_below(&run->chance, pair->child_count));
}

static void ping_both(struct run *run)
{
    struct pair *pair = any_pair(run);
    size_t child = chance_below(&run->chance, pair->child_count);

    (void)pair_ping(run, pair, 0, child);
    (void)pair_ping(run, pair, 1, child);
}

static void up(struct run *run)
{
    struct end *end = say_end(run);

    (void)host_up(end->host, end->name);
}

static void up_both(struct run *run)
{
    struct pair *pair = any_pair(run);

    (void)host_up(pair->ends[0].host, pair->ends[0].name);
    (void)host_up(pair->ends[1].host, pair->ends[1].name);
}

static void down(struct run *run)
{
    struct end *end = say_end(run);

    (void)host_down(end->host, end->name);
}

static void down_both(struct run *run)
{
    struct pair *pair = any_pair(run);

    (void)host_down(pair->ends[0].host, pair->ends[0].name);
    (void)host_down(pair->ends[1].host, pair->ends[1].name);
}

/* New keys for a child, for the IKE SA, or for all. */
static void rekey_end(struct run *run, const struct pair *pair, size_t side)
{
    static const char *const whats[] = {"c0", "c1", "ike", ""};
    size_t what = chance_below(&run->chance, 4);

    if (what == 1 && pair->child_count < 2)
        what = 0;
    (void)host_rekey(pair->ends[side].host, pair->ends[side].name, whats[what]);
}

void run_rekey(struct run *run)
{
    const struct pair *pair = any_pair(run);
    bool both = chance_hit(&run->chance, 400);
    size_t side = chance_below(&run->chance, 2);

    rekey_end(run, pair, side);
    if (both)
        rekey_end(run, pair, !side);
}

static void start_later(struct run *run, struct host *host)
{
    run->start_ms[host->index] = run->world.now_ms + chance_below(&run->chance, OFF_MAX_MS);
}

static void crash(struct run *run)
{
    struct host *host = say_end(run)->host;

    host_crash(host);
    start_later(run, host);
}

static void reboot(struct run *run)
{
    struct host *host = say_end(run)->host;

    host_reboot(host);
    start_later(run, host);
}

static void shut_down(struct run *run)
{
    struct host *host = say_end(run)->host;

    (void)host_shutdown(host);
    world_run(&run->world, chance_below(&run->chance, 3000));
    host_crash(host);
    start_later(run, host);
}

/* Keeper and negotiator die. */
static void kill_all(struct run *run)
{
    struct host *host = say_end(run)->host;

    host_kill(host);
    start_later(run, host);
}

static void stop(struct run *run)
{
    struct host *host = say_end(run)->host;

    (void)host_shutdown(host);
    world_run(&run->world, chance_below(&run->chance, 3000));
    host_stop(host);
    start_later(run, host);
}

/* Somebody else has emptied a table of the kernel's.  A host whose keeper does not run has nobody
 * to put policies back. */
static void flush_policies(struct run *run)
{
    struct host *host = say_end(run)->host;

    if (host->keeper.tick_ms == 0)
        return;
    run->flushed_until_ms[host->index] = run->world.now_ms + FLUSH_SEEN_MS;
    host_flush_policies(host, chance_hit(&run->chance, 700));
}

static void flush_sas(struct run *run)
{
    host_flush_sas(say_end(run)->host, chance_hit(&run->chance, 700));
}

/* One end of a tunnel allows less than before, or again all. */
static void narrow(struct run *run)
{
    struct pair *pair = any_pair(run);
    struct end *end = &pair->ends[pair->shaped ? 0 : chance_below(&run->chance, 2)];

    if (strcmp(end->mode, "tunnel") != 0 || end->any || pair->ends[1].any)
        return;
    end->narrow = end->narrow == NARROW_NOT ? NARROW_PREFIX : NARROW_NOT;
    run_configure(run, end->host);
}

/* A peer reaches for what is another one's. */
static void steal(struct run *run)
{
    struct pair *pair = any_pair(run);

    if (*pair->stolen == '\0')
        return;
    pair->ends[0].thief = !pair->ends[0].thief;
    run_configure(run, pair->ends[0].host);
}

static void edit_answer(struct run *run)
{
    run->edits++;
    run_rekey(run);
}

static void reload(struct run *run)
{
    run_configure(run, say_end(run)->host);
}

static void reload_changed(struct run *run)
{
    struct end *end = say_end(run);

    end->lifetime_h = 8 + (uint32_t)chance_below(&run->chance, 4);
    run_configure(run, end->host);
}

static void leave_out(struct run *run)
{
    struct end *end = say_end(run);

    end->left_out = !end->left_out;
    run_configure(run, end->host);
}

static void change_secret(struct run *run)
{
    struct pair *pair = any_pair(run);
    struct end *end = &pair->ends[chance_below(&run->chance, 2)];

    if (!pair->agrees)
        return; /* by chance they would come to agree */
    end->wrong_secret = !end->wrong_secret;
    run_configure(run, end->host);
}

static bool has_nat(const struct end *end)
{
    return end->host->nat != NULL;
}

static bool roams(const struct end *end)
{
    return end->roams;
}

/* One of the ends that are so; NULL where there is none. */
static struct end *any_such_end(struct run *run, bool (*is_such)(const struct end *end))
{
    size_t first = chance_below(&run->chance, run->pair_count);

    for (size_t i = 0; i < run->pair_count; i++) {
        struct end *end = &run->pairs[(first + i) % run->pair_count].ends[0];
        if (is_such(end))
            return end;
    }
    return NULL;
}

/* The NAT before one end forgets. */
static void rebind(struct run *run)
{
    const struct end *end = any_such_end(run, has_nat);

    if (end != NULL)
        nat_box_rebind(end->host->nat);
    else
        ping(run);
}

static void move(struct run *run)
{
    const struct end *end = any_such_end(run, roams);

    if (end == NULL) {
        ping(run);
        return;
    }
    struct address to = end->host->v4;
    to.bytes[3] = (uint8_t)(100 + run->moves++ % 100);
    host_move(end->host, &to);
}

static void sever(struct run *run)
{
    struct pair *pair = any_pair(run);

    pair->severed = !pair->severed;
}

static const struct action {
    void (*act)(struct run *run);
    const char *name;
    uint32_t weight;
    bool more; /* not where all is plain */
} actions[] = {
    {ping, "ping", 30, false},
    {ping_both, "ping both", 15, false},
    {up, "up", 8, false},
    {up_both, "up both", 6, false},
    {run_rekey, "rekey", 15, false},
    {down, "down", 5, false},
    {down_both, "down both", 2, false},
    {crash, "crash", 4, false},
    {reboot, "reboot", 3, false},
    {shut_down, "shut down", 2, false},
    {reload, "reload", 3, false},
    {reload_changed, "reload changed", 2, false},
    {leave_out, "leave out", 2, false},
    {change_secret, "change secret", 2, false},
    {sever, "sever", 4, false},
    {rebind, "rebind", 10, false},
    {move, "move", 10, false},
    {send_garbage, "send garbage", 12, false},
    {forge, "forge", 12, false},
    {replay, "replay", 10, false},
    {change_weather, "change weather", 6, false},
    {kill_all, "kill all", 3, true},
    {stop, "stop", 2, true},
    {flush_policies, "flush policies", 3, true},
    {flush_sas, "flush states", 3, true},
    {narrow, "narrow", 4, true},
    {steal, "steal", 6, true},
    {edit_answer, "edit an answer", 5, true},
};
#define ACTION_COUNT (sizeof(actions) / sizeof(actions[0]))

static void act(struct run *run)
{
    uint64_t total = 0;

    for (size_t i = 0; i < ACTION_COUNT; i++)
        total += run->plain && actions[i].more ? 0 : actions[i].weight;
    uint64_t drawn = chance_below(&run->chance, total);
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (run->plain && actions[i].more)
            continue;
        if (drawn < actions[i].weight) {
            world_say(&run->world, actions[i].name);
            actions[i].act(run);
            return;
        }
        drawn -= actions[i].weight;
    }
}

static void start_hosts(struct run *run, bool all)
{
    for (size_t i = 0; i < run->world.host_count; i++) {
        struct host *host = run->world.hosts[i];
        if (host->engine != NULL || (!all && run->start_ms[i] > run->world.now_ms))
            continue;
        world_say(&run->world, "start");
        world_say(&run->world, host->name);
        host_start(host);
    }
}

void run_faults(struct run *run)
{
    size_t count = ACTIONS_MIN + chance_below(&run->chance, ACTIONS_MAX - ACTIONS_MIN);
    bool at_once = chance_hit(&run->chance, 300);

    change_weather(run);
    for (size_t i = 0; i < run->world.host_count; i++)
        run->start_ms[i] = at_once ? 0 : chance_below(&run->chance, 1000);
    for (size_t i = 0; i < count && run->failure[0] == '\0'; i++) {
        start_hosts(run, false);
        act(run);
        run_watch_all(run);
        /* Often nothing comes in between: things that happen at once are the worst. */
        if (chance_hit(&run->chance, 600))
            world_run(&run->world, chance_below(&run->chance, PAUSE_MAX_MS));
        else
            world_settle(&run->world);
    }
}

void run_mend(struct run *run)
{
    world_say(&run->world, "mend");
    start_hosts(run, true);
    run->quiet = true;
    run->edits = 0;
    run->world.weather = (struct weather){.delay_min_ms = 1, .delay_max_ms = 20, .work_max_ms = 2};
    for (size_t i = 0; i < run->pair_count; i++) {
        struct pair *pair = &run->pairs[i];
        pair->severed = false;
        for (size_t j = 0; j < 2; j++) {
            pair->ends[j].left_out = pair->ends[j].thief = false;
            pair->ends[j].wrong_secret = pair->ends[j].wrong_secret_planned;
        }
    }
    for (size_t i = 0; i < run->world.host_count; i++)
        run_configure(run, run->world.hosts[i]);
    world_run(&run->world, 100);
}
