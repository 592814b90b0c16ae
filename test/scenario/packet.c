/*
 * Packets on their way through a scenario: logged, and dropped, held, doubled or altered.
 * See scenario.h.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "test/scenario/scenario.h"

static const char *sender_name(const struct world *world, const struct flight *flight)
{
    const struct host *host = world_host_at(world, &flight->source);

    return host == NULL ? "?" : host->name;
}

static void add_notify(char *line, size_t size, struct slice body)
{
    struct v2_notify_body notify;
    struct reason reason;
    size_t used = strlen(line);

    if (v2_notify_parse(&notify, body, &reason) == STATUS_OK)
        snprintf(line + used, size - used, " %s(%u)", v2_notify_name(notify.type), notify.type);
}

/* The line of a packet: "a IKE_AUTH response 1 IDr AUTH SA TSi TSr". */
static void packet_line(const struct world *world, const struct flight *flight, char *line,
                        size_t size)
{
    struct ike_header header;
    struct reason reason;
    struct tap tap;

    if (ike_header_parse(&header, buffer_slice(&flight->data), &reason) != STATUS_OK) {
        snprintf(line, size, "%s ? %zu octets", sender_name(world, flight), flight->data.size);
        return;
    }
    snprintf(line, size, "%s %s %s %u", sender_name(world, flight),
             v2_exchange_name(header.exchange),
             (header.flags & V2_FLAG_RESPONSE) != 0 ? "response" : "request", header.message_id);
    if (!tap_open(&tap, world, flight))
        return;
    size_t end = strlen(line);
    snprintf(line + end, size - end, " %u>%u", flight->source.port, flight->destination.port);
    for (size_t i = 0; i < tap.count; i++) {
        size_t used = strlen(line);
        snprintf(line + used, size - used, " %s", v2_payload_name(tap.payloads[i].type));
        used = strlen(line);
        if (tap.total > 0)
            snprintf(line + used, size - used, " %u/%u", tap.number, tap.total);
        if (tap.payloads[i].type == V2_NOTIFY)
            add_notify(line, size, buffer_slice(&tap.payloads[i].body));
    }
    tap_free(&tap);
}

static void log_add(struct log *log, const char *line, struct flight *packet)
{
    if (log->count == LINES_MAX)
        abort();
    log->packets[log->count] = packet;
    log->lines[log->count++] = strdup(line);
}

void log_clear(struct log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->lines[i]);
        if (log->packets[i] != NULL)
            flight_free(log->packets[i]);
    }
    *log = (struct log){0};
}

static bool are_joined(char a, char b)
{
    return (isalnum((unsigned char)a) || a == '_') && (isalnum((unsigned char)b) || b == '_');
}

/* "1" is not in "a IKE_AUTH request 11", but "1/" is in "SKF 1/14". */
static bool holds(const char *line, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = line; size > 0 && (at = strstr(at, word)) != NULL; at++)
        if ((at == line || !are_joined(at[-1], at[0])) && !are_joined(at[size - 1], at[size]))
            return true;
    return false;
}

bool line_matches(const char *line, char *const *words, size_t count)
{
    size_t first = count == 0 ? 0 : strlen(words[0]);

    if (count > 0 && (strncmp(line, words[0], first) != 0 || line[first] != ' '))
        return false;
    for (size_t i = 1; i < count; i++)
        if (!holds(line + first, words[i]))
            return false;
    return true;
}

void script_effect(void *context, struct host *host, const struct effect *effect)
{
    struct script *script = context;
    char line[LINE_MAX_];

    if (effect->kind == EFFECT_REPORT)
        snprintf(line, sizeof(line), "%s %s %s", host->name, effect->report.event,
                 effect->report.text);
    else if (effect->kind == EFFECT_PROGRESS)
        snprintf(line, sizeof(line), "%s progress %s", host->name, effect->progress.text);
    else
        return;
    log_add(&script->reports, line, NULL);
}

/* Splits a rule's words at the colon of an edit. */
static size_t match_count(const struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->at[i], ":") == 0)
            return i;
    return words->count;
}

/* True when the packet has become the last of several fragments: the others were sent already. */
static bool apply_edits(struct script *script, struct flight *flight, const char *line)
{
    struct words words;
    struct tap tap;
    bool opened = false;

    for (size_t i = 0; i < script->rule_count; i++) {
        struct rule *rule = &script->rules[i];
        if (rule->kind != RULE_EDIT || rule->left == 0 || !words_split(&words, rule->words))
            continue;
        size_t count = match_count(&words);
        if (!line_matches(line, words.at, count))
            continue;
        rule->left = 0;
        rule->met = true;
        if (!opened && !tap_open(&tap, &script->world, flight)) {
            script_fail(script, "cannot open \"%s\" to edit it", line);
            return false;
        }
        opened = true;
        edit_apply(script, &tap, words.at + count + 1, words.count - count - 1);
    }
    if (!opened)
        return false;
    if (!tap_close(&tap, &script->world, flight))
        script_fail(script, "cannot seal \"%s\" again", line);
    bool cut = tap.total == 0 && flight->data.size > 16 && flight->data.data[16] == V2_SKF;
    tap_free(&tap);
    return cut;
}

enum fate script_packet(void *context, struct flight *flight)
{
    struct script *script = context;
    struct words words;
    char line[LINE_MAX_];

    if (flight->kind == FLIGHT_KEEPALIVE) {
        snprintf(line, sizeof(line), "%s keepalive", sender_name(&script->world, flight));
        log_add(&script->packets, line, NULL);
    }
    if (flight->kind != FLIGHT_IKE)
        return FATE_PASS;
    packet_line(&script->world, flight, line, sizeof(line));
    if (apply_edits(script, flight, line))
        packet_line(&script->world, flight, line, sizeof(line));
    log_add(&script->packets, line, flight_copy(&script->world, flight));
    for (size_t i = 0; i < script->rule_count; i++) {
        struct rule *rule = &script->rules[i];
        if (rule->kind == RULE_EDIT || rule->left == 0 || !words_split(&words, rule->words) ||
            !line_matches(line, words.at, words.count))
            continue;
        rule->left--;
        rule->met = true;
        if (rule->kind == RULE_DROP)
            return FATE_LOST;
        if (rule->kind == RULE_HOLD) {
            TAILQ_INSERT_TAIL(&script->held, flight, entry);
            return FATE_HELD;
        }
        world_forward(&script->world, flight_copy(&script->world, flight), 0);
    }
    return outside_send(script, flight) ? FATE_LOST : FATE_PASS;
}
