/*
 * The commands of scenarios: see scenario.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/policy/loss.h"
#include "lib/policy/selector.h"
#include "test/scenario/scenario.h"

static const char config_ab[] =
    "connections: { ab: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; }; };";
static const char config_ba[] =
    "connections: { ba: { local = \"192.0.2.2\"; remote = \"192.0.2.1\"; }; };";

static bool configure(struct script *script, struct host *host, const char *text)
{
    char error[CONFIG_ERROR_MAX];

    if (!host_configure(host, text, error))
        return script_fail(script, "%s", error);
    return true;
}

static bool set_secret(struct script *script, struct host *host, const char *secret)
{
    char text[512];
    char error[CONFIG_ERROR_MAX];

    snprintf(text, sizeof(text), "secrets: ( { psk = \"%s\"; } );", secret);
    return host_set_secrets(host, text, error) || script_fail(script, "%s", error);
}

static struct host *add_host(struct script *script, const char *name)
{
    struct host *host = world_add_host(&script->world, name);

    return set_secret(script, host, script->secret) ? host : NULL;
}

static bool do_host(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = add_host(script, words[0]);
    return host != NULL && configure(script, host, script->block);
}

static bool do_start(struct script *script, char **words, size_t count)
{
    struct host *host = count > 0 ? script_host(script, words[0]) : NULL;

    for (size_t i = 0; i < script->world.host_count; i++)
        if (count == 0 || script->world.hosts[i] == host)
            host_start(script->world.hosts[i]);
    return count == 0 || host != NULL;
}

static bool do_two(struct script *script, char **words, size_t count)
{
    (void)words;
    (void)count;
    struct host *a = add_host(script, "a");
    struct host *b = add_host(script, "b");
    return a != NULL && b != NULL && configure(script, a, config_ab) &&
           configure(script, b, config_ba) && do_start(script, NULL, 0);
}

static bool do_secret(struct script *script, char **words, size_t count)
{
    if (count > 1) {
        struct host *host = script_host(script, words[0]);
        return host != NULL && set_secret(script, host, words[1]);
    }
    snprintf(script->secret, sizeof(script->secret), "%s", words[0]);
    for (size_t i = 0; i < script->world.host_count; i++)
        if (!set_secret(script, script->world.hosts[i], words[0]))
            return false;
    return true;
}

static bool do_crash(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host != NULL)
        host_crash(host);
    return host != NULL;
}

static bool do_kill(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host != NULL)
        host_kill(host);
    return host != NULL;
}

static bool do_stop(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host != NULL)
        host_stop(host);
    return host != NULL;
}

static bool do_flush(struct script *script, char **words, size_t count)
{
    bool heard = count < 3 || strcmp(words[2], "unheard") != 0;
    struct host *host = script_host(script, words[0]);
    bool policies = strcmp(words[1], "policies") == 0;

    if (host == NULL || (!policies && strcmp(words[1], "states") != 0))
        return false;
    if (policies)
        heard ? host_flush_policies(host, true) : fake_kernel_flush_policies(&host->kernel);
    else
        heard ? host_flush_sas(host, true) : fake_kernel_flush_sas(&host->kernel);
    return true;
}

static bool do_reboot(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host != NULL)
        host_reboot(host);
    return host != NULL;
}

static bool do_configure(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host == NULL || !configure(script, host, script->block))
        return false;
    script->asked = host;
    script->command = host->next_command;
    return true;
}

static bool ask(struct script *script, const char *name, const char *connection,
                uint64_t (*command)(struct host *host, const char *connection))
{
    struct host *host = script_host(script, name);

    if (host == NULL)
        return false;
    script->asked = host;
    script->command = command(host, connection);
    return true;
}

static bool do_up(struct script *script, char **words, size_t count)
{
    return count > 1 && ask(script, words[0], words[1], host_up);
}

static bool do_down(struct script *script, char **words, size_t count)
{
    return count > 1 && ask(script, words[0], words[1], host_down);
}

static bool do_rekey(struct script *script, char **words, size_t count)
{
    struct host *host = script_host(script, words[0]);

    if (host == NULL || count < 2)
        return false;
    script->asked = host;
    script->command = host_rekey(host, words[1], count > 2 ? words[2] : "");
    return true;
}

static bool do_shutdown(struct script *script, char **words, size_t count)
{
    (void)count;
    struct host *host = script_host(script, words[0]);
    if (host == NULL)
        return false;
    script->asked = host;
    script->command = host_shutdown(host);
    return true;
}

static bool duration_parse(struct script *script, const char *text, uint64_t *ms)
{
    char *unit;
    uint64_t number = strtoull(text, &unit, 10);

    if (strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0)
        return script_fail(script, "\"%s\": expected a time such as 4s or 500ms", text);
    *ms = strcmp(unit, "s") == 0 ? number * 1000 : number;
    return true;
}

static bool do_advance(struct script *script, char **words, size_t count)
{
    uint64_t ms;

    (void)count;
    if (!duration_parse(script, words[0], &ms))
        return false;
    world_run(&script->world, ms);
    return true;
}

static bool do_resolve(struct script *script, char **words, size_t count)
{
    struct address addresses[CONFIG_RESOLVED_MAX] = {0};

    for (size_t i = 1; i < count; i++)
        if (i > CONFIG_RESOLVED_MAX || !address_parse(&addresses[i - 1], words[i]))
            return script_fail(script, "\"%s\": no address, or too many", words[i]);
    world_resolve(&script->world, words[0], addresses, count - 1);
    return true;
}

static bool do_outside(struct script *script, char **words, size_t count)
{
    const struct host *host = script_host(script, words[0]);

    (void)count;
    return host != NULL && outside_open(script, host);
}

static bool do_listen(struct script *script, char **words, size_t count)
{
    uint64_t ms;

    return duration_parse(script, words[0], &ms) &&
           outside_listen(script, ms, words + 1, count - 1);
}

static bool do_ping(struct script *script, char **words, size_t count)
{
    struct host *from = script_host(script, words[0]);
    struct host *to = count > 1 ? script_host(script, words[1]) : NULL;
    struct selector source;
    struct selector destination;

    if (from == NULL || to == NULL ||
        !script_selector(script, from, count > 2 ? words[2] : NULL, &source) ||
        !script_selector(script, to, count > 3 ? words[3] : NULL, &destination))
        return false;
    (void)host_traffic(from, &source, &destination);
    return true;
}

static bool do_pings(struct script *script, char **words, size_t count)
{
    uint64_t ms;

    if (!duration_parse(script, words[0], &ms))
        return false;
    for (; ms > 0; ms = ms > 1000 ? ms - 1000 : 0) {
        if (!do_ping(script, words + 1, count - 1))
            return false;
        world_run(&script->world, ms < 1000 ? ms : 1000);
    }
    return true;
}

/* --- What happens to packets --- */

static bool do_cut(struct script *script, char **words, size_t count)
{
    struct wire *wire = &script->world.wire;

    *wire = (struct wire){.cut = true};
    return count == 0 || address_parse(&wire->at, words[0]) ||
           script_fail(script, "\"%s\": no address", words[0]);
}

static bool do_mend(struct script *script, char **words, size_t count)
{
    (void)words;
    (void)count;
    script->world.wire = (struct wire){0};
    return true;
}

static bool add_rule(struct script *script, enum rule_kind kind, size_t left, char **words,
                     size_t count)
{
    struct rule *rule = &script->rules[script->rule_count];
    size_t size = 0;

    if (script->rule_count == RULES_MAX)
        return script_fail(script, "too many rules");
    *rule = (struct rule){.kind = kind, .left = left};
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        bool colon = kind == RULE_EDIT && length > 1 && words[i][length - 1] == ':';
        size += (size_t)snprintf(rule->words + size, sizeof(rule->words) - size,
                                 colon ? "%.*s : " : "%.*s ", (int)(length - colon), words[i]);
    }
    script->rule_count++;
    return true;
}

static bool do_drop(struct script *script, char **words, size_t count)
{
    return add_rule(script, RULE_DROP, strtoul(words[0], NULL, 10), words + 1, count - 1);
}

static bool do_hold(struct script *script, char **words, size_t count)
{
    return add_rule(script, RULE_HOLD, strtoul(words[0], NULL, 10), words + 1, count - 1);
}

static bool do_double(struct script *script, char **words, size_t count)
{
    return add_rule(script, RULE_DOUBLE, strtoul(words[0], NULL, 10), words + 1, count - 1);
}

static bool do_edit(struct script *script, char **words, size_t count)
{
    return add_rule(script, RULE_EDIT, 1, words, count);
}

static bool do_release(struct script *script, char **words, size_t count)
{
    bool last = count > 0 && strcmp(words[0], "last") == 0;
    struct flight *flight;

    while ((flight = last ? TAILQ_LAST(&script->held, flight_list) : TAILQ_FIRST(&script->held)) !=
           NULL) {
        TAILQ_REMOVE(&script->held, flight, entry);
        world_forward(&script->world, flight, 0);
        world_settle(&script->world);
    }
    return true;
}

static const struct flight *last_packet(struct script *script, char **words, size_t count)
{
    for (size_t i = script->packets.count; i > 0; i--)
        if (line_matches(script->packets.lines[i - 1], words, count))
            return script->packets.packets[i - 1];
    script_fail(script, "no such packet was sent");
    return NULL;
}

static bool do_replay(struct script *script, char **words, size_t count)
{
    struct address from;
    bool spoofed = address_parse(&from, words[count - 1]);
    const struct flight *flight = last_packet(script, words, spoofed ? count - 1 : count);

    if (flight == NULL)
        return false;
    if (!spoofed)
        from = flight->source;
    from.port = flight->source.port;
    world_inject(&script->world, &from, &flight->destination, buffer_slice(&flight->data));
    return true;
}

static bool do_spoil(struct script *script, char **words, size_t count)
{
    const struct flight *flight = last_packet(script, words, count);
    struct buffer octets = {0};

    if (flight == NULL || !buffer_copy(&octets, buffer_slice(&flight->data)))
        return false;
    octets.data[octets.size - 1] ^= 1;
    world_inject(&script->world, &flight->source, &flight->destination, buffer_slice(&octets));
    buffer_free(&octets);
    return true;
}

static void address_step(struct address *address)
{
    size_t at = address_bytes(address).size;

    while (at > 0 && ++address->bytes[--at] == 0)
        continue;
}

static bool do_flood(struct script *script, char **words, size_t count)
{
    struct address from;
    bool spread = address_parse(&from, words[count - 1]);
    size_t behind = spread ? 2 : 1;
    const struct flight *flight =
        count > behind ? last_packet(script, words, count - behind) : NULL;
    uint32_t times = count > behind ? (uint32_t)strtoul(words[count - behind], NULL, 10) : 0;
    uint8_t octets[OCTETS_MAX];

    if (flight == NULL || flight->data.size > sizeof(octets))
        return false;
    if (!spread)
        from = flight->source;
    from.port = flight->source.port;
    memcpy(octets, flight->data.data, flight->data.size);
    for (uint32_t i = 0; i < times; i++) {
        chance_fill(&script->world.chance, octets, 8);
        world_inject(&script->world, &from, &flight->destination,
                     slice_of(octets, flight->data.size));
        world_settle(&script->world);
        if (spread)
            address_step(&from);
    }
    return true;
}

static bool do_send(struct script *script, char **words, size_t count)
{
    const struct host *from = world_host(&script->world, words[0]);
    const struct host *to = count > 2 ? script_host(script, words[1]) : NULL;
    struct address source;
    uint8_t octets[OCTETS_MAX];
    size_t size;

    if (to == NULL || !bytes_parse(script, words[2], octets, sizeof(octets), &size))
        return false;
    if (from != NULL)
        source = from->v4;
    else if (!address_parse(&source, words[0]))
        return script_fail(script, "\"%s\": no host, no address", words[0]);
    struct address destination = to->v4;
    source.port = destination.port = 500;
    world_inject(&script->world, &source, &destination, slice_of(octets, size));
    return true;
}

/* What a peer says of a packet that it has no SA for: RFC 7296 section 1.5. */
static bool do_forget(struct script *script, char **words, size_t count)
{
    (void)count;
    const struct host *host = script_host(script, words[0]);
    const struct ike_sa *sa = host == NULL ? NULL : probe_first(host->engine);
    const struct child_sa *child = sa == NULL ? NULL : TAILQ_FIRST(&sa->children);
    struct ike_header header = {
        .version = 0x20, .exchange = V2_INFORMATIONAL, .flags = V2_FLAG_INITIATOR};
    uint8_t octets[128];
    uint8_t spi[4];
    struct v2_writer writer;
    struct writer number = writer_of(spi, sizeof(spi));

    if (child == NULL)
        return script_fail(script, "expected a host with an SA and a child");
    writer_u32(&number, child_main(child)->spi_out);
    v2_message_begin(&writer, octets, sizeof(octets), &header);
    v2_write_notify(&writer, V2_PROTOCOL_NONE, slice_of(NULL, 0), V2_N_INVALID_SPI,
                    writer_slice(&number));
    bool whole = v2_message_end(&writer);
    world_inject(&script->world, &sa->remote, &sa->local, writer_slice(&writer.bytes));
    return whole;
}

static bool do_nat(struct script *script, char **words, size_t count)
{
    struct host *host = script_host(script, words[0]);
    struct address outside;

    if (host == NULL || !address_parse(&outside, words[1]))
        return script_fail(script, "expected a host and an address");
    world_add_nat(&script->world, host, &outside, count > 2 && strcmp(words[2], "static") == 0);
    return true;
}

static bool do_rebind(struct script *script, char **words, size_t count)
{
    const struct host *host = script_host(script, words[0]);

    (void)count;
    if (host == NULL || host->nat == NULL)
        return script_fail(script, "%s is behind no NAT", words[0]);
    nat_box_rebind(host->nat);
    return true;
}

static bool do_move(struct script *script, char **words, size_t count)
{
    struct host *host = script_host(script, words[0]);
    struct address to;

    (void)count;
    if (host == NULL || !address_parse(&to, words[1]))
        return script_fail(script, "expected a host and an address");
    host_move(host, &to);
    return true;
}

static bool do_also(struct script *script, char **words, size_t count)
{
    struct host *host = script_host(script, words[0]);

    (void)count;
    return host != NULL && (address_parse(&host->other, words[1]) ||
                            script_fail(script, "\"%s\": no address", words[1]));
}

static bool do_undated(struct script *script, char **words, size_t count)
{
    struct host *host = script_host(script, words[0]);

    (void)count;
    if (host == NULL)
        return false;
    host->kernel.undated = true;
    return true;
}

static bool do_expect(struct script *script, char **words, size_t count)
{
    return expect_run(script, words, count);
}

static bool do_mark(struct script *script, char **words, size_t count)
{
    (void)words;
    (void)count;
    script->packets.cursor = script->packets.count;
    script->reports.cursor = script->reports.count;
    return true;
}

static void follow_ladder(struct crossing *crossing, const char *ladder)
{
    struct ladder_reader reader = {.rest = ladder};
    struct event events[CROSSING_EVENTS_MAX];
    struct event event;

    while (crossing->failure[0] == '\0' && ladder_read(&reader, crossing, &event))
        crossing_do(crossing, event);
    while (crossing->failure[0] == '\0' && crossing_events(crossing, events) > 0)
        crossing_do(crossing, events[0]);
    if (crossing->failure[0] == '\0')
        crossing_judge(crossing);
}

static bool do_crossing(struct script *script, char **words, size_t count)
{
    static struct crossing crossing;
    enum operation ops[2] = {operation_from_name(words[0]), operation_from_name(words[1])};
    unsigned loser = strcmp(words[2], "b") == 0;

    (void)count;
    if (ops[0] == OP_COUNT || ops[1] == OP_COUNT)
        return script_fail(script, "no such operation");
    crossing_begin(&crossing, crossing_seed(script->crypto, ops, loser), script->crypto, ops,
                   false);
    follow_ladder(&crossing, script->block);
    bool done = true;
    if (crossing.failure[0] != '\0')
        done = script_fail(script, "%s", crossing.failure);
    else if (strcmp(crossing.ladder, script->block) != 0)
        done = script_fail(script, "the ladder is\n%s", crossing.ladder);
    crossing_end(&crossing);
    return done;
}

bool command_run(struct script *script, struct words *words)
{
    static const struct {
        const char *word;
        size_t least; /* words behind it */
        bool (*run)(struct script *script, char **words, size_t count);
    } commands[] = {
        {"host", 1, do_host},
        {"two", 0, do_two},
        {"secret", 1, do_secret},
        {"start", 0, do_start},
        {"crash", 1, do_crash},
        {"kill", 1, do_kill},
        {"stop", 1, do_stop},
        {"reboot", 1, do_reboot},
        {"flush", 2, do_flush},
        {"configure", 1, do_configure},
        {"up", 2, do_up},
        {"down", 2, do_down},
        {"rekey", 2, do_rekey},
        {"advance", 1, do_advance},
        {"ping", 2, do_ping},
        {"pings", 3, do_pings},
        {"cut", 0, do_cut},
        {"mend", 0, do_mend},
        {"also", 2, do_also},
        {"undated", 1, do_undated},
        {"drop", 1, do_drop},
        {"hold", 1, do_hold},
        {"double", 1, do_double},
        {"release", 0, do_release},
        {"edit", 2, do_edit},
        {"request", 2, message_request},
        {"replay", 1, do_replay},
        {"flood", 2, do_flood},
        {"send", 3, do_send},
        {"move", 2, do_move},
        {"nat", 2, do_nat},
        {"rebind", 1, do_rebind},
        {"expect", 1, do_expect},
        {"mark", 0, do_mark},
        {"forge", 3, message_forge},
        {"spoil", 1, do_spoil},
        {"shutdown", 1, do_shutdown},
        {"forget", 1, do_forget},
        {"resolve", 1, do_resolve},
        {"outside", 1, do_outside},
        {"listen", 2, do_listen},
        {"crossing", 3, do_crossing},
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(words->at[0], commands[i].word) != 0)
            continue;
        if (words->count - 1 < commands[i].least)
            return script_fail(script, "%s: too few words", words->at[0]);
        bool done = commands[i].run(script, words->at + 1, words->count - 1);
        world_settle(&script->world);
        return (done || script_fail(script, "%s: cannot be done", words->at[0])) &&
               script->error[0] == '\0';
    }
    return script_fail(script, "\"%s\": no such command", words->at[0]);
}
