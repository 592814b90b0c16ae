/*
 * What the control server tells of the engine: see control_show.h.
 */
#include "iked/negotiator/control_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iked/negotiator/control.h"
#include "lib/base/nearest.h"
#include "lib/policy/diff.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- Showing --- */

struct show {
    const struct engine *engine;
    const struct control_counts *counts;
    uint64_t now_ms;
    const char *name; /* "": all */
    void (*each)(void *context, enum control_item item, json_t *body);
    void *context;
    size_t count;
};

static bool show_wants(const struct show *show, const char *connection)
{
    return show->name[0] == '\0' || strcmp(show->name, connection) == 0;
}

/* Takes `body`. */
static void show_item(struct show *show, enum control_item item, json_t *body)
{
    show->each(show->context, item, body);
    show->count++;
    json_decref(body);
}

static void visit_connection(void *context, const struct connection_view *view)
{
    struct show *show = context;

    if (show_wants(show, view->connection->name))
        show_item(show, CONTROL_ITEM_CONNECTION, control_item_connection(view));
}

static void show_connections(struct show *show)
{
    engine_visit_connections(show->engine, show->now_ms, visit_connection, show);
}

static void visit_sa(void *context, const struct sa_view *view)
{
    struct show *show = context;

    if (show_wants(show, view->connection))
        show_item(show, CONTROL_ITEM_SA, control_item_sa(view));
}

static void show_sas(struct show *show)
{
    engine_visit_sas(show->engine, show->now_ms, visit_sa, show);
}

static void show_policies(struct show *show)
{
    const struct config *config = engine_config(show->engine);
    const struct connection *connection;
    const struct child_config *child;

    if (config == NULL)
        return;
    TAILQ_FOREACH (connection, &config->connections, entry) {
        if (!show_wants(show, connection->name))
            continue;
        TAILQ_FOREACH (child, &connection->children, entry) {
            show_item(show, CONTROL_ITEM_POLICY, control_item_policy(connection, child));
        }
    }
}

static void show_config(struct show *show)
{
    const struct config *config = engine_config(show->engine);
    const struct connection *connection;

    if (config == NULL)
        return;
    if (show->name[0] == '\0')
        show_item(show, CONTROL_ITEM_CONFIG, control_item_daemon(&config->daemon));
    TAILQ_FOREACH (connection, &config->connections, entry)
        if (show_wants(show, connection->name))
            show_item(show, CONTROL_ITEM_CONFIG, control_item_config(connection));
}

static void set_count(json_t *counters, const char *name, uint64_t value)
{
    json_object_set_new(counters, name,
                        json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void show_counters(struct show *show)
{
    static const struct udp_counts no_udp;
    const struct udp_counts *udp = show->counts->udp != NULL ? show->counts->udp : &no_udp;
    const struct {
        const char *name;
        uint64_t value;
    } own[] = {
        {"ike_sas_now", engine_sa_count(show->engine)},
        {"half_open_now", engine_half_open_count(show->engine)},
        {"udp_lost", udp->lost},
        {"udp_unmarked", udp->unmarked},
        {"control_clients", show->counts->accepted},
        {"control_clients_refused", show->counts->refused},
        {"control_clients_dropped", show->counts->dropped},
        {"control_accept_errors", show->counts->accept_errors},
        {"control_requests", show->counts->requests},
        {"control_requests_bad", show->counts->bad_requests},
    };
    json_t *counters = json_object();
    const char *name;
    uint64_t value;

    for (size_t i = 0; (name = engine_counter(show->engine, i, &value)) != NULL; i++)
        set_count(counters, name, value);
    for (size_t i = 0; i < LENGTH(own); i++)
        set_count(counters, own[i].name, own[i].value);
    show_item(show, CONTROL_ITEM_COUNTERS, counters);
}

size_t control_show(const struct engine *engine, const struct control_counts *counts,
                    uint64_t now_ms, const struct control_request *request,
                    void (*each)(void *context, enum control_item item, json_t *body),
                    void *context)
{
    static void (*const shows[])(struct show *) = {
        [CONTROL_CONNECTIONS] = show_connections, [CONTROL_SAS] = show_sas,
        [CONTROL_POLICIES] = show_policies,       [CONTROL_COUNTERS] = show_counters,
        [CONTROL_CONFIG] = show_config,
    };
    struct show show = {
        .engine = engine,
        .counts = counts,
        .now_ms = now_ms,
        .name = request->name.text,
        .each = each,
        .context = context,
    };

    shows[request->what](&show);
    return show.count;
}

void control_unknown_name(const struct config *config, const char *name, struct reason *reason)
{
    struct nearest near = nearest_to(name);
    const struct connection *connection;

    if (config != NULL) {
        TAILQ_FOREACH (connection, &config->connections, entry) {
            nearest_try(&near, connection->name);
        }
    }
    if (near.best == NULL)
        (void)reason_set(reason, STATUS_FAIL, 0, "no connection \"%s\"; there is none at all",
                         name);
    else
        (void)reason_set(reason, STATUS_FAIL, 0, "no connection \"%s\"; the nearest is \"%s\"",
                         name, near.best);
}

/* --- What a reload changes --- */

#define CHANGES_LINES_MAX 500 /* what a person may want to read, and an answer's line can hold */

struct changes {
    FILE *text;
    const struct engine *engine;
    size_t lines;
    size_t same;
    bool secrets; /* have changed */
};

static void write_change(struct changes *changes, const char *change, const char *connection)
{
    size_t sas = engine_sa_count_of(changes->engine, connection);

    changes->lines++;
    if (changes->lines > CHANGES_LINES_MAX)
        return;
    fprintf(changes->text, "%-8s %s", change, connection);
    if (sas > 0)
        fprintf(changes->text, ", closing %zu IKE SA%s", sas, sas == 1 ? "" : "s");
    fputc('\n', changes->text);
}

static void visit_change(void *context, enum config_change change, const struct connection *before,
                         const struct connection *after)
{
    static const char *const names[] = {
        [CONFIG_ADDED] = "added",
        [CONFIG_CHANGED] = "changed",
        [CONFIG_REMOVED] = "removed",
    };
    struct changes *changes = context;

    if (change == CONFIG_SAME)
        changes->same++;
    else
        write_change(changes, names[change], before != NULL ? before->name : after->name);
}

static void write_changes(struct changes *changes, const struct config *before,
                          const struct config *after)
{
    bool settings = before != NULL && !daemon_equal(&before->daemon, &after->daemon);

    if (settings)
        fputs("changed  the settings of daemon\n", changes->text);
    if (changes->secrets)
        fputs("changed  the secrets, for negotiations from now on\n", changes->text);
    config_diff(before, after, visit_change, changes);
    if (changes->lines > CHANGES_LINES_MAX)
        fprintf(changes->text, "... and %zu more\n", changes->lines - CHANGES_LINES_MAX);
    fprintf(changes->text, "%s%zu connection%s unchanged",
            changes->lines == 0 && !settings && !changes->secrets ? "nothing changed, " : "",
            changes->same, changes->same == 1 ? "" : "s");
}

char *control_changes(const struct engine *engine, const struct config *after, bool secrets_changed)
{
    struct changes changes = {.engine = engine, .secrets = secrets_changed};
    char *text = NULL;
    size_t size;

    changes.text = open_memstream(&text, &size);
    if (changes.text == NULL)
        return NULL;
    write_changes(&changes, engine_config(engine), after);
    bool failed = ferror(changes.text) != 0;
    failed = fclose(changes.text) != 0 || failed;
    if (!failed)
        return text;
    free(text);
    return NULL;
}
