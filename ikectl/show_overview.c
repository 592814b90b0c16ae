/*
 * `ikectl show` alone: one screen that says whether all is well, and what is not.
 *
 * Connections in trouble come first; what does not fit is counted, not printed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ikectl/show_part.h"
#include "ikectl/show_text.h"
#include "lib/control/item.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- Counting --- */

struct census {
    size_t up;
    size_t childless;
    size_t connecting;
    size_t down;
    size_t sas;         /* established */
    size_t negotiating; /* not established yet ... */
    size_t half_open;   /* ... and of strangers still */
    size_t children;
};

static struct census census_take(const json_t *connections, const json_t *sas)
{
    struct census census = {0};
    const json_t *item;
    size_t i;

    json_array_foreach (connections, i, item) {
        const char *state = item_text(item, "state");
        if (strcmp(state, "up") == 0)
            census.up++;
        else if (strcmp(state, "childless") == 0)
            census.childless++;
        else if (strcmp(state, "down") != 0)
            census.connecting++;
        else
            census.down++;
    }
    json_array_foreach (sas, i, item) {
        if (item_number(item, "established_ms") > 0)
            census.sas++;
        else if (item_text(item, "connection")[0] != '\0')
            census.negotiating++;
        else
            census.half_open++;
        census.children += item_count(item, "children");
    }
    return census;
}

static void print_count(FILE *out, const char *before, size_t count, const char *one,
                        const char *many)
{
    if (count > 0)
        fprintf(out, "%s%zu %s", before, count, count == 1 ? one : many);
}

static void print_census(FILE *out, const char *version, size_t connections,
                         const struct census *census)
{
    fprintf(out, "iked %s: ", version);
    if (connections == 0)
        fputs("no connections", out);
    print_count(out, "", connections, "connection", "connections");
    print_count(out, ", ", census->up, "up", "up");
    print_count(out, ", ", census->childless, "childless", "childless");
    print_count(out, ", ", census->connecting, "connecting", "connecting");
    print_count(out, ", ", census->down, "down", "down");
    print_count(out, "; ", census->sas, "IKE SA", "IKE SAs");
    print_count(out, census->sas > 0 ? ", " : "; ", census->children, "child", "children");
    print_count(out, census->sas > 0 ? ", " : "; ", census->negotiating, "negotiating",
                "negotiating");
    print_count(out, census->sas + census->negotiating > 0 ? ", " : "; ", census->half_open,
                "half-open", "half-open");
    fputc('\n', out);
}

/* --- Rows --- */

/* By connection: an established SA where there is one, and how many children all of them have. */
static json_t *index_sas(const json_t *sas)
{
    json_t *index = json_object();
    json_t *item;
    size_t i;

    json_array_foreach (sas, i, item) {
        const char *name = item_text(item, "connection");
        json_t *entry = json_object_get(index, name);
        if (item_number(item, "established_ms") == 0)
            continue;
        if (entry == NULL) {
            entry = json_pack("{s:O, s:[]}", "sa", item, "children");
            json_object_set_new(index, name, entry);
        }
        json_array_extend(json_object_get(entry, "children"), json_object_get(item, "children"));
    }
    return index;
}

static void append_weak(json_t *names, const json_t *item)
{
    const json_t *name;
    size_t i;

    json_array_foreach (json_object_get(item, "weak"), i, name) {
        json_object_set_new(names, json_string_value(name), json_true());
    }
}

/* Weak algorithms in use, by an SA or a child, each named once. */
static void note_weak(struct table *table, const json_t *entry)
{
    json_t *names = json_object();
    char *text = text_of("weak algorithms in use:");
    const json_t *child;
    const char *name;
    json_t *ignored;
    size_t i;

    append_weak(names, json_object_get(entry, "sa"));
    json_array_foreach (json_object_get(entry, "children"), i, child) {
        append_weak(names, child);
    }
    json_object_foreach (names, name, ignored) {
        char *longer = text_of("%s %s", text, name);
        free(text);
        text = longer;
    }
    if (json_object_size(names) > 0)
        table_note(table, "%s", text);
    free(text);
    json_decref(names);
}

/* Traffic that is configured and has no SA is found here, not by who looks for a fault. */
static void note_narrowed(struct table *table, const json_t *connection, const json_t *entry)
{
    const json_t *child;
    size_t i;

    json_array_foreach (json_object_get(entry, "children"), i, child) {
        if (child_is_narrowed(child))
            table_note(table, "child %s is narrowed by the peer: ikectl show sas %s",
                       item_text(child, "name"), item_text(connection, "name"));
    }
}

static void add_row(struct table *table, const json_t *connection, const json_t *index)
{
    const json_t *entry = json_object_get(index, item_text(connection, "name"));
    const json_t *sa = json_object_get(entry, "sa");
    char age[DURATION_TEXT_MAX];

    table_row(table, item_text(connection, "name"));
    table_cell(table, "%s", item_text(connection, "state"));
    table_cell(table, "%s", item_text(connection, "remote"));
    table_cell(table, "%zu/%zu", item_count(entry, "children"), item_count(connection, "children"));
    if (sa != NULL) {
        table_cell(table, "%s", duration_text(item_number(sa, "established_ms"), age));
        table_cell(table, "%s", item_text(sa, "suite"));
        note_weak(table, entry);
        note_narrowed(table, connection, entry);
    }
    note_error(table, connection);
}

static bool in_trouble(const json_t *connection)
{
    const char *state = item_text(connection, "state");

    return item_text(connection, "error")[0] != '\0' || strcmp(state, "connecting") == 0 ||
           strcmp(state, "resolving") == 0;
}

static size_t add_rows(struct table *table, const json_t *connections, const json_t *index,
                       bool trouble, size_t room)
{
    const json_t *item;
    size_t added = 0;
    size_t i;

    json_array_foreach (connections, i, item) {
        if (in_trouble(item) != trouble || added >= room)
            continue;
        add_row(table, item, index);
        added++;
    }
    return added;
}

void text_overview(FILE *out, const char *version, const json_t *connections, const json_t *sas)
{
    static const char *const headers[] = {"NAME", "STATE", "REMOTE", "CHILDREN", "FOR", "SUITE"};
    size_t count = json_array_size(connections);
    struct census census = census_take(connections, sas);

    print_census(out, version, count, &census);
    if (count == 0)
        return;
    struct table *table = table_new(headers, LENGTH(headers));
    json_t *index = index_sas(sas);
    size_t rows = add_rows(table, connections, index, true, OVERVIEW_ROWS_MAX);
    rows += add_rows(table, connections, index, false, OVERVIEW_ROWS_MAX - rows);
    fputc('\n', out);
    table_print(table, out);
    if (rows < count)
        fprintf(out, "... and %zu more: ikectl show connections\n", count - rows);
    json_decref(index);
    table_free(table);
}
