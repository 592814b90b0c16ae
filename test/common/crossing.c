/*
 * Two hosts whose exchanges cross, event by event: see crossing.h.
 */
#include "test/common/crossing.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/loss.h"
#include "test/common/host.h"
#include "test/common/probe.h"

#define PATIENCE_MS \
    25000 /* more than a lost message takes; an IKE SA without a child lives longer */
#define SEEDS_MAX   16
#define SETTLING_MS 31000 /* until nobody remembers the packet that asked for the child */

static const char *const operation_names[OP_COUNT] = {
    [OP_REKEY_CHILD] = "rekey-child",   [OP_REKEY_IKE] = "rekey-ike",
    [OP_DELETE_CHILD] = "delete-child", [OP_DELETE_IKE] = "delete-ike",
    [OP_CREATE_CHILD] = "create-child",
};

const char *operation_name(enum operation op)
{
    return op < OP_COUNT ? operation_names[op] : "?";
}

enum operation operation_from_name(const char *name)
{
    for (enum operation op = 0; op < OP_COUNT; op++)
        if (strcmp(operation_names[op], name) == 0)
            return op;
    return OP_COUNT;
}

void crossing_fail(struct crossing *crossing, const char *format, ...)
{
    va_list arguments;

    if (crossing->failure[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(crossing->failure, sizeof(crossing->failure), format, arguments);
    va_end(arguments);
}

/* --- What is on its way --- */

static enum fate take_packet(void *context, struct flight *flight)
{
    struct crossing *crossing = context;

    if (flight->kind != FLIGHT_IKE || !crossing->capturing)
        return FATE_PASS;
    if (crossing->held_count == CROSSING_HELD_MAX) {
        crossing_fail(crossing, "more than %d messages are on their way", CROSSING_HELD_MAX);
        return FATE_LOST;
    }
    if (crossing->time_passes)
        ladder_event(crossing, (struct event){EVENT_TIME, 0});
    crossing->time_passes = false;
    struct crossing_message *message = &crossing->held[crossing->held_count++];
    *message = (struct crossing_message){
        .number = ++crossing->sent,
        .from = world_host_at(&crossing->world, &flight->source) == crossing->hosts[1],
        .flight = flight,
    };
    ladder_sent(crossing, message);
    return FATE_HELD;
}

static void settle(struct crossing *crossing)
{
    for (size_t i = 0; crossing->by_hand && !crossing->capturing && i < 64; i++) {
        world_settle(&crossing->world);
        host_work(crossing->hosts[0]);
        host_work(crossing->hosts[1]);
    }
    world_settle(&crossing->world);
}

/* --- Set-up --- */

/* Traffic would bring up what was deleted: only an operator does here. */
static const char config[] =
    "daemon: { retransmit = \"500ms\"; retransmit_tries = 6; };"
    "connections: { net: { local = \"192.0.2.%u\"; remote = \"192.0.2.%u\"; children: {"
    "  x: { mode = \"transport\"; start = \"traffic\";"
    "    local = [ \"udp\" ]; remote = [ \"udp\" ]; };"
    "  y: { mode = \"transport\"; start = \"traffic\";"
    "    local = [ \"tcp\" ]; remote = [ \"tcp\" ]; };"
    "}; }; };";

/* No packet without an SA asks for one. */
static void mute(struct host *host)
{
    struct fake_policy *policy;

    TAILQ_FOREACH (policy, &host->kernel.policies, entry)
        policy->asked_until_ms = UINT64_MAX;
}

static void note_beginning(struct crossing *crossing)
{
    const struct ike_sa *sa = probe_first(crossing->hosts[0]->engine);

    if (sa == NULL || TAILQ_EMPTY(&sa->children)) {
        crossing_fail(crossing, "there is no SA to begin with");
        return;
    }
    crossing->ike_spi = sa->spi_i;
    crossing->spis[crossing->spi_count++] = sa->spi_i;
    crossing->child_spis[0] = child_main(TAILQ_FIRST(&sa->children))->spi_in;
    crossing->child_spis[1] = child_main(TAILQ_FIRST(&sa->children))->spi_out;
}

void crossing_begin(struct crossing *crossing, uint64_t seed, struct crypto *crypto,
                    const enum operation ops[2], bool by_hand)
{
    char error[CONFIG_ERROR_MAX];
    char text[sizeof(config) + 16];

    memset(crossing, 0, sizeof(*crossing));
    crossing->ops[0] = ops[0];
    crossing->ops[1] = ops[1];
    crossing->by_hand = by_hand;
    world_init(&crossing->world, seed, crypto);
    crossing->world.toy_exchange = true;
    crossing->world.no_upkeep = true;
    crossing->world.work_by_hand = by_hand;
    crossing->world.hooks = (struct hooks){.packet = take_packet, .context = crossing};
    for (unsigned i = 0; i < 2; i++) {
        struct host *host = world_add_host(&crossing->world, i == 0 ? "a" : "b");
        snprintf(text, sizeof(text), config, i + 1, 2 - i);
        if (!host_set_secrets(host, "secrets: ( { psk = \"correct horse\"; } );", error) ||
            !host_configure(host, text, error))
            abort();
        host_start(host);
        crossing->hosts[i] = host;
    }
    settle(crossing);
    (void)host_ping(crossing->hosts[0], crossing->hosts[1], FAMILY_IPV4);
    settle(crossing);
    world_run(&crossing->world, SETTLING_MS);
    note_beginning(crossing);
    crossing->capturing = true;
    crossing->end_ms = crossing->world.now_ms + PATIENCE_MS;
}

/* Both start before anything arrives: who finds his own exchange redundant?  2: nobody, or both. */
static unsigned loser_of(struct crypto *crypto, const enum operation ops[2], uint64_t seed)
{
    static struct crossing crossing;
    struct event events[CROSSING_EVENTS_MAX];
    unsigned loser = 2;

    crossing_begin(&crossing, seed, crypto, ops, false);
    crossing_do(&crossing, (struct event){EVENT_START, 0});
    crossing_do(&crossing, (struct event){EVENT_START, 1});
    while (crossing.failure[0] == '\0' && crossing_events(&crossing, events) > 0)
        crossing_do(&crossing, events[0]);
    for (unsigned i = 0; i < 2; i++)
        if (crossing_redundant(&crossing, i) > 0 && crossing_redundant(&crossing, !i) == 0)
            loser = i;
    crossing_end(&crossing);
    return loser;
}

uint64_t crossing_seed(struct crypto *crypto, const enum operation ops[2], unsigned loser)
{
    for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++)
        if (loser_of(crypto, ops, seed) == loser)
            return seed;
    return 1 + loser;
}

void crossing_end(struct crossing *crossing)
{
    while (crossing->held_count > 0)
        flight_free(crossing->held[--crossing->held_count].flight);
    world_free(&crossing->world);
}

/* --- Operations --- */

static struct child_sa *find_child(const struct host *host, const char *name, struct ike_sa **owner)
{
    struct ike_sa *sa;
    struct child_sa *child;

    for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry))
        TAILQ_FOREACH (child, &sa->children, entry)
            if (strcmp(child->config->name, name) == 0 && !child->replaced && !child->delete_due) {
                *owner = sa;
                return child;
            }
    return NULL;
}

static void expire_child(struct host *host, bool hard)
{
    struct ike_sa *sa;
    const struct child_sa *child = find_child(host, "x", &sa);

    if (child != NULL)
        host_expire(host, child, hard);
}

static void start(struct crossing *crossing, unsigned which)
{
    struct host *host = crossing->hosts[which];

    crossing->started[which] = true;
    if (engine_sa_count(host->engine) == 0)
        return; /* there is nothing to do it with */
    switch (crossing->ops[which]) {
    case OP_REKEY_CHILD: expire_child(host, false); return;
    case OP_DELETE_CHILD: expire_child(host, true); return;
    case OP_REKEY_IKE:
        probe_rekey_ike(host->engine, host->world->now_ms + host->ahead_ms);
        host_drain(host);
        return;
    case OP_DELETE_IKE: (void)host_down(host, "net"); return;
    case OP_CREATE_CHILD: crossing->up_commands[which] = host_up(host, "net"); return;
    case OP_COUNT: return;
    }
}

/* --- Traffic --- */

static bool has_op(const struct crossing *crossing, enum operation op)
{
    return crossing->ops[0] == op || crossing->ops[1] == op;
}

/* The keys of a new child hang on the responder's nonce: what that end sends before its answer has
 * arrived nobody could open. */
static bool is_awaited(const struct host *to, uint32_t spi)
{
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &to->kernel.sas, entry)
        if (sa->spi == spi && sa->larval)
            return true;
    return false;
}

/* Who has late work may still seal what nobody wants any more. */
static bool is_torn_down(const struct crossing *crossing)
{
    return crossing->by_hand && has_op(crossing, OP_DELETE_IKE) &&
           (engine_sa_count(crossing->hosts[0]->engine) == 0 ||
            engine_sa_count(crossing->hosts[1]->engine) == 0);
}

static void ping_one(struct crossing *crossing, unsigned from, uint8_t protocol)
{
    struct host *sender = crossing->hosts[from];
    struct host *receiver = crossing->hosts[!from];
    struct selector source = selector_host(&sender->v4);
    struct selector destination = selector_host(&receiver->v4);
    uint64_t delivered = receiver->delivered;
    struct fake_policy *policy;
    struct fake_sa *sa;
    bool child_y = protocol == 6;
    bool deletes = has_op(crossing, OP_DELETE_CHILD) || has_op(crossing, OP_DELETE_IKE);

    source.protocol = destination.protocol = protocol;
    source.port_start = source.port_end = destination.port_start = destination.port_end = 7;
    mute(sender);
    if (fake_kernel_output(&sender->kernel, &source, &destination,
                           crossing->world.now_ms + sender->ahead_ms, &policy,
                           &sa) != FAKE_SEALED) {
        if (!child_y && !deletes)
            crossing_fail(crossing, "a packet of %s has no SA", sender->name);
        return;
    }
    uint32_t spi = sa->spi;
    world_send_traffic(&crossing->world, sa, &source, &destination);
    world_settle(&crossing->world);
    if (receiver->delivered == delivered && !((child_y || deletes) && is_awaited(receiver, spi)) &&
        !is_torn_down(crossing))
        crossing_fail(crossing, "%s cannot open what %s seals by ESP %08x (%s)", receiver->name,
                      sender->name, spi, child_y ? "y" : "x");
}

/* One packet each way on each child: none is lost that was sealed. */
static void ping(struct crossing *crossing)
{
    for (unsigned from = 0; from < 2; from++) {
        ping_one(crossing, from, 17);
        if (has_op(crossing, OP_CREATE_CHILD))
            ping_one(crossing, from, 6);
    }
}

/* --- Events --- */

size_t crossing_events(struct crossing *crossing, struct event events[CROSSING_EVENTS_MAX])
{
    size_t count = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (!crossing->started[i])
            events[count++] = (struct event){EVENT_START, i};
        if (crossing->by_hand && !TAILQ_EMPTY(&crossing->hosts[i]->work))
            events[count++] = (struct event){EVENT_WORK, i};
    }
    for (size_t i = 0; i < crossing->held_count; i++)
        events[count++] = (struct event){EVENT_ARRIVE, crossing->held[i].number};
    if (count == 0 && world_next_ms(&crossing->world) <= crossing->end_ms)
        events[count++] = (struct event){EVENT_TIME, 0};
    return count;
}

static void move_message(struct crossing *crossing, struct event event)
{
    size_t i = 0;

    while (i < crossing->held_count && crossing->held[i].number != event.which)
        i++;
    if (i == crossing->held_count) {
        crossing_fail(crossing, "message %u is not on its way", event.which);
        return;
    }
    struct flight *flight = crossing->held[i].flight;
    if (event.kind == EVENT_REPEAT) {
        world_forward(&crossing->world, flight_copy(&crossing->world, flight), 0);
        return;
    }
    crossing->held_count--;
    memmove(&crossing->held[i], &crossing->held[i + 1],
            (crossing->held_count - i) * sizeof(crossing->held[0]));
    if (event.kind == EVENT_LOSE)
        flight_free(flight);
    else
        world_forward(&crossing->world, flight, 0);
}

static void pass_time(struct crossing *crossing)
{
    struct world *world = &crossing->world;
    uint64_t next_ms;

    while (crossing->held_count == 0 && (next_ms = world_next_ms(world)) <= crossing->end_ms) {
        world->now_ms = next_ms;
        world_settle(world);
        ping(crossing);
        if (crossing->by_hand &&
            (!TAILQ_EMPTY(&crossing->hosts[0]->work) || !TAILQ_EMPTY(&crossing->hosts[1]->work)))
            return;
    }
}

void crossing_do(struct crossing *crossing, struct event event)
{
    if (event.kind != EVENT_TIME) /* drawn when something comes of it */
        ladder_event(crossing, event);
    crossing->time_passes = event.kind == EVENT_TIME;
    crossing->first_new = crossing->sent + 1;
    switch (event.kind) {
    case EVENT_START: start(crossing, event.which); break;
    case EVENT_WORK: host_work(crossing->hosts[event.which]); break;
    case EVENT_TIME: pass_time(crossing); break;
    case EVENT_ARRIVE:
    case EVENT_REPEAT:
    case EVENT_LOSE: move_message(crossing, event); break;
    }
    settle(crossing);
    crossing->time_passes = false;
    ping(crossing);
}

/* --- Once it is quiet --- */

uint64_t crossing_redundant(const struct crossing *crossing, unsigned host)
{
    return host_counter(crossing->hosts[host], "redundant_closed");
}

static size_t count_child(const struct host *host, const char *name, bool inbound)
{
    const struct fake_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        count += sa->inbound == inbound && strcmp(sa->child.text, name) == 0;
    return count;
}

/* What one end sends by the other receives by. */
static void judge_agreement(struct crossing *crossing, unsigned from)
{
    const struct host *sender = crossing->hosts[from];
    const struct host *receiver = crossing->hosts[!from];
    const struct fake_sa *out;

    TAILQ_FOREACH (out, &sender->kernel.sas, entry) {
        const struct fake_sa *in = out->inbound
                                       ? NULL
                                       : fake_kernel_find_sa(&receiver->kernel, &out->destination,
                                                             out->spi, out->protocol);
        if (out->larval && crossing->by_hand)
            continue; /* it came when nobody wanted it any more: the kernel forgets it by itself */
        if (out->larval)
            crossing_fail(crossing, "%s keeps the SPI %08x for nothing", sender->name, out->spi);
        else if (!out->inbound && (in == NULL || in->key_size != out->key_size ||
                                   memcmp(in->key, out->key, in->key_size) != 0))
            crossing_fail(crossing, "%s sends by ESP %08x, which %s does not have", sender->name,
                          out->spi, receiver->name);
    }
}

static void judge_child(struct crossing *crossing, const char *name, size_t least, size_t most)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct host *host = crossing->hosts[i];
        size_t in = count_child(host, name, true);
        size_t out = count_child(host, name, false);
        if (in != out || in < least || in > most ||
            in != count_child(crossing->hosts[0], name, true))
            crossing_fail(crossing, "%s has %zu SAs in and %zu out for %s, expected %zu to %zu",
                          host->name, in, out, name, least, most);
    }
}

static void judge_ike(struct crossing *crossing, size_t least, size_t most)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct host *host = crossing->hosts[i];
        const struct ike_sa *sa;
        size_t count = engine_sa_count(host->engine);
        if (count < least || count > most || count != engine_sa_count(crossing->hosts[0]->engine))
            crossing_fail(crossing, "%s has %zu IKE SAs, expected %zu to %zu", host->name, count,
                          least, most);
        for (sa = probe_first(host->engine); sa != NULL; sa = TAILQ_NEXT(sa, entry))
            if (sa->rekey_due || sa->delete_asked || sa->wanted_children != 0 || sa->superseded)
                crossing_fail(crossing, "%s is left with a wish", host->name);
        if (probe_restless(host->engine) > 0 || !TAILQ_EMPTY(&host->work))
            crossing_fail(crossing, "%s does not come to rest", host->name);
        if (crossing->up_commands[i] != 0 && host_result(host, crossing->up_commands[i]) == NULL)
            crossing_fail(crossing, "%s: whoever asked for the child still waits", host->name);
    }
}

/* What was rekeyed is another one now. */
static void judge_rekeyed(struct crossing *crossing)
{
    struct ike_sa *sa;
    const struct child_sa *child = find_child(crossing->hosts[0], "x", &sa);

    if (child == NULL)
        return; /* judge_child has said so */
    if (has_op(crossing, OP_REKEY_CHILD) && (child_main(child)->spi_in == crossing->child_spis[0] ||
                                             child_main(child)->spi_out == crossing->child_spis[1]))
        crossing_fail(crossing, "the child was not rekeyed");
    if (has_op(crossing, OP_REKEY_IKE) && sa->spi_i == crossing->ike_spi)
        crossing_fail(crossing, "the IKE SA was not rekeyed");
}

void crossing_judge(struct crossing *crossing)
{
    bool ends = has_op(crossing, OP_DELETE_IKE);
    bool deletes = has_op(crossing, OP_DELETE_CHILD);
    bool creates = has_op(crossing, OP_CREATE_CHILD);
    bool rekeys = has_op(crossing, OP_REKEY_CHILD);

    judge_agreement(crossing, 0);
    judge_agreement(crossing, 1);
    judge_ike(crossing, !ends, !ends || creates);
    /* A deletion and a rekeying that cross are both lawful: which one comes first decides.  An `up`
     * brings back what was deleted before it. */
    judge_child(crossing, "x", !ends && !deletes,
                (!ends && !deletes) || (deletes && rekeys) || creates);
    judge_child(crossing, "y", creates && !ends, creates);
    if (!ends && !deletes)
        judge_rekeyed(crossing);
}
