/*
 * What `ikectl show` prints of connections, SAs, policies, counters and the configuration: see
 * show_text.h.
 */
#include "ikectl/show_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ikectl/show_part.h"
#include "ikectl/table.h"
#include "lib/control/item.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define IKE_PORT      500

/* --- Parts --- */

/* The texts of an array of an item in one; the caller frees it. */
static char *texts_join(const json_t *item, const char *member, const char *between)
{
    char *joined = text_of("%s", item_text_at(item, member, 0));

    for (size_t i = 1; i < item_count(item, member); i++) {
        char *longer = text_of("%s%s%s", joined, between, item_text_at(item, member, i));
        free(joined);
        joined = longer;
    }
    return joined;
}

void note_error(struct table *table, const json_t *connection)
{
    char age[DURATION_TEXT_MAX];
    const char *error = item_text(connection, "error");
    const char *uncovered = item_text(connection, "uncovered");

    if (uncovered[0] != '\0')
        table_note(table, "%s", uncovered);
    if (error[0] != '\0')
        table_note(table, "%s ago: %s", duration_text(item_number(connection, "error_age_ms"), age),
                   error);
}

static void note_silence(struct table *table, const json_t *connection)
{
    uint64_t silent_ms = item_number(connection, "silent_ms");
    char age[DURATION_TEXT_MAX];

    if (silent_ms != 0)
        table_note(table, "the peer is silent for %s, and is asked whether it is there",
                   duration_text(silent_ms, age));
}

bool child_is_narrowed(const json_t *child)
{
    return json_object_get(child, "configured_local") != NULL;
}

static void print_nothing(FILE *out, const char *what, const char *name)
{
    if (name == NULL)
        fprintf(out, "no %s\n", what);
    else
        fprintf(out, "%s has no %s\n", name, what);
}

/* --- Connections --- */

static void note_ids(struct table *table, const json_t *connection)
{
    const char *local = item_text(connection, "local_id");
    const char *remote = item_text(connection, "remote_id");

    if (strcmp(local, item_text(connection, "local")) != 0 ||
        strcmp(remote, item_text(connection, "remote")) != 0)
        table_note(table, "ids %s - %s", local, remote);
}

static void note_peers(struct table *table, const json_t *connection)
{
    if (item_count(connection, "peers") == 0)
        return;
    char *names = texts_join(connection, "peers", ", ");
    table_note(table, "peer at %s", names);
    free(names);
}

static void note_children(struct table *table, const json_t *connection)
{
    bool plain =
        item_count(connection, "children") == 1 &&
        strcmp(item_text_at(connection, "children", 0), item_text(connection, "name")) == 0;

    if (plain)
        return;
    char *names = texts_join(connection, "children", ", ");
    table_note(table, "children %s", names);
    free(names);
}

void text_connections(FILE *out, const json_t *connections, const char *name)
{
    static const char *const headers[] = {"NAME", "STATE", "LOCAL", "REMOTE", "SAS"};
    const json_t *item;
    size_t i;

    if (json_array_size(connections) == 0) {
        print_nothing(out, "connections", name);
        return;
    }
    struct table *table = table_new(headers, LENGTH(headers));
    json_array_foreach (connections, i, item) {
        table_row(table, item_text(item, "name"));
        table_cell(table, "%s", item_text(item, "state"));
        table_cell(table, "%s", item_text(item, "local"));
        table_cell(table, "%s", item_text(item, "remote"));
        table_cell(table, "%" PRIu64, item_number(item, "sas"));
        note_ids(table, item);
        note_peers(table, item);
        note_children(table, item);
        if (item_flag(item, "weak_allowed"))
            table_note(table, "weak algorithms are allowed");
        note_silence(table, item);
        note_error(table, item);
    }
    table_print(table, out);
    table_free(table);
}

/* --- SAs --- */

static void print_end(FILE *out, const json_t *sa, const char *label, const char *side)
{
    char *port_member = text_of("%s_port", side);
    char *id_member = text_of("%s_id", side);
    uint64_t port = item_number(sa, port_member);
    const char *id = item_text(sa, id_member);

    fprintf(out, "  %-6s  %s", label, item_text(sa, side));
    if (port != IKE_PORT)
        fprintf(out, " port %" PRIu64, port);
    if (id[0] != '\0' && strcmp(id, item_text(sa, side)) != 0)
        fprintf(out, ", id %s", id);
    fputc('\n', out);
    free(port_member);
    free(id_member);
}

/* Of an IKE SA or a child. */
static void print_suite(FILE *out, const json_t *item, const char *first)
{
    if (item_text(item, "suite")[0] == '\0')
        return;
    char *weak = texts_join(item, "weak", ", ");
    char *text = text_of("%s%s%s%s", item_text(item, "suite"), weak[0] != '\0' ? " (WEAK: " : "",
                         weak, weak[0] != '\0' ? ")" : "");
    print_wrapped(out, first, text);
    free(text);
    free(weak);
}

/* What lies between the ends; usually nothing, and no line. */
static void print_nat(FILE *out, const json_t *sa)
{
    bool here = item_flag(sa, "nat_local");
    bool there = item_flag(sa, "nat_remote");
    bool in_udp = item_flag(sa, "esp_in_udp");

    if (here || there || in_udp)
        fprintf(out, "  nat     %s%s\n",
                here && there ? "both ends are behind one"
                : here        ? "we are behind one"
                : there       ? "the peer is behind one"
                              : "none seen",
                in_udp ? ", ESP goes in UDP" : "");
}

/* What both ends have agreed on besides. */
static void print_uses(FILE *out, const json_t *sa)
{
    bool mobike = item_flag(sa, "mobike");
    bool fragmentation = item_flag(sa, "fragmentation");

    if (mobike || fragmentation)
        fprintf(out, "  uses    %s%s%s\n", fragmentation ? "fragmentation" : "",
                fragmentation && mobike ? ", " : "", mobike ? "MOBIKE" : "");
}

/* One a line, the first behind `first`. */
static void print_selectors(FILE *out, const json_t *child, const char *first, const char *side)
{
    for (size_t i = 0; i < item_count(child, side); i++)
        fprintf(out, "%*s%s\n", (int)strlen(first), i == 0 ? first : "",
                item_text_at(child, side, i));
}

static const char *protocol_text(const json_t *child)
{
    return strcmp(item_text(child, "protocol"), "ah") == 0 ? "AH" : "ESP";
}

static void print_child(FILE *out, const json_t *child)
{
    const char *guest_of = item_text(child, "connection");
    char age[DURATION_TEXT_MAX];

    fprintf(out, "  child %s%s%s: %s %s, reqid %" PRIu64 ", %s old\n", item_text(child, "name"),
            guest_of[0] != '\0' ? " of connection " : "", guest_of, protocol_text(child),
            item_text(child, "mode"), item_number(child, "reqid"),
            duration_text(item_number(child, "age_ms"), age));
    print_suite(out, child, "    suite   ");
    fprintf(out, "    spis    in %s, out %s\n", item_text(child, "spi_in"),
            item_text(child, "spi_out"));
    print_selectors(out, child, "    local   ", "local");
    print_selectors(out, child, "    remote  ", "remote");
    if (!child_is_narrowed(child))
        return;
    fputs("    narrowed by the peer from\n", out);
    print_selectors(out, child, "    local   ", "configured_local");
    print_selectors(out, child, "    remote  ", "configured_remote");
}

static void print_sa(FILE *out, const json_t *sa)
{
    const char *connection = item_text(sa, "connection");
    bool established = item_number(sa, "established_ms") > 0;
    char age[DURATION_TEXT_MAX];

    duration_text(item_number(sa, established ? "established_ms" : "age_ms"), age);
    fprintf(out, "%s: IKE SA %" PRIu64 ", %s%s%s %s, started by %s\n",
            connection[0] != '\0' ? connection : "(not known yet)", item_number(sa, "number"),
            item_text(sa, "state"), established ? " " : ", ", age, established ? "ago" : "old",
            item_flag(sa, "initiator") ? "us" : "the peer");
    print_end(out, sa, "local", "local");
    print_end(out, sa, "remote", "remote");
    print_nat(out, sa);
    print_suite(out, sa, "  suite   ");
    print_uses(out, sa);
    fprintf(out, "  spis    initiator %s, responder %s\n", item_text(sa, "spi_i"),
            item_text(sa, "spi_r"));
    if (established)
        fprintf(out, "  heard   %s ago%s\n", duration_text(item_number(sa, "heard_ms"), age),
                item_number(sa, "silent_ms") != 0 ? ", silent though it is asked" : "");
    for (size_t i = 0; i < item_count(sa, "children"); i++)
        print_child(out, item_at(sa, "children", i));
    if (established && item_count(sa, "children") == 0)
        fputs("  child   none\n", out);
}

void text_sas(FILE *out, const json_t *sas, const char *name)
{
    const json_t *item;
    size_t i;

    if (json_array_size(sas) == 0)
        print_nothing(out, "IKE SAs", name);
    json_array_foreach (sas, i, item) {
        if (i > 0)
            fputc('\n', out);
        print_sa(out, item);
    }
}

/* --- Policies --- */

/* A side without selectors takes its address from the peer that comes. */
static void cell_selectors(struct table *table, const json_t *policy, const char *side)
{
    char *lines = texts_join(policy, side, "\n");

    table_cell(table, "%s", lines[0] != '\0' ? lines : "the peer");
    free(lines);
}

/* Traffic that passes in the clear for now. */
static void print_gap(FILE *out, const json_t *policy)
{
    const char *stands = item_text(policy, "stands");
    const char *why = strcmp(stands, "with-sas") == 0
                          ? "only what its peers' SAs cover is protected, while they stand"
                      : strcmp(stands, "when-known") == 0
                          ? "nothing is protected until an address of the peer's is known"
                          : NULL;

    if (why != NULL)
        fprintf(out, "%s: child %s: %s\n", item_text(policy, "connection"),
                item_text(policy, "child"), why);
}

void text_policies(FILE *out, const json_t *policies, const char *name)
{
    static const char *const headers[] = {"CONNECTION", "CHILD",  "REQID",  "MODE",
                                          "LOCAL",      "REMOTE", "POLICY", "START"};
    const json_t *item;
    size_t i;

    if (json_array_size(policies) == 0) {
        print_nothing(out, "policies", name);
        return;
    }
    struct table *table = table_new(headers, LENGTH(headers));
    json_array_foreach (policies, i, item) {
        table_row(table, item_text(item, "connection"));
        table_cell(table, "%s", item_text(item, "child"));
        table_cell(table, "%" PRIu64, item_number(item, "reqid"));
        table_cell(table, "%s", item_text(item, "mode"));
        cell_selectors(table, item, "local");
        cell_selectors(table, item, "remote");
        table_cell(table, "%s", item_text(item, "policy"));
        table_cell(table, "%s", item_text(item, "start"));
    }
    table_print(table, out);
    table_free(table);
    json_array_foreach (policies, i, item)
        print_gap(out, item);
}

/* --- Counters --- */

void text_counters(FILE *out, const json_t *counters, const char *name)
{
    json_t *all = json_array_get(counters, 0);
    const char *key;
    json_t *value;
    int width = 0;

    (void)name;
    json_object_foreach (all, key, value) {
        int length = (int)strnlen(key, OUTPUT_WIDTH);
        if (json_integer_value(value) != 0 && length > width)
            width = length;
    }
    json_object_foreach (all, key, value) {
        if (json_integer_value(value) != 0)
            fprintf(out, "%-*s  %10" JSON_INTEGER_FORMAT "\n", width, key,
                    json_integer_value(value));
    }
}

/* --- Configuration --- */

static void print_lines(FILE *out, const json_t *item)
{
    for (size_t i = 0; i < item_count(item, "lines"); i++)
        fprintf(out, "%s\n", item_text_at(item, "lines", i));
}

void text_config(FILE *out, const json_t *items, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach (items, i, item)
        if (name == NULL && item_text(item, "connection")[0] == '\0')
            print_lines(out, item);
    fputs("connections: {\n", out);
    json_array_foreach (items, i, item)
        if (item_text(item, "connection")[0] != '\0')
            print_lines(out, item);
    fputs("};\n", out);
}
