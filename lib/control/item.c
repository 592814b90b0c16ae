/*
 * The items of answers, both ways: see item.h and iked-control(7).
 */
#include "lib/control/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/crypto/suite.h"
#include "lib/policy/print.h"

#define SUITE_TEXT_MAX 128

/* --- Writing --- */

/* Texts of identities and reports hold what a peer chose: anything but printable ASCII becomes
 * '?', so that JSON and terminals can take it. */
static json_t *printable(const char *text)
{
    char copy[IDENTITY_MAX * 4 + 1];
    size_t i;

    for (i = 0; i < sizeof(copy) - 1 && text[i] != '\0'; i++)
        copy[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    copy[i] = '\0';
    return json_string(copy);
}

static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static json_t *hex(uint64_t value, int digits)
{
    char text[17];

    snprintf(text, sizeof(text), "%0*" PRIx64, digits, value);
    return json_string(text);
}

static json_t *address(const struct address *value)
{
    char text[ADDRESS_TEXT_MAX];

    return json_string(address_text(value, text));
}

static json_t *identity(const struct identity *value)
{
    char text[IDENTITY_MAX * 4 + 1];

    return printable(identity_text(value, text, sizeof(text)));
}

static json_t *selectors(const struct selector *values, size_t count)
{
    json_t *array = json_array();
    char text[SELECTOR_TEXT_MAX];

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(selector_text(&values[i], text)));
    return array;
}

static json_t *suite(const struct suite *value)
{
    char text[SUITE_TEXT_MAX];

    return json_string(suite_text(value, text, sizeof(text)));
}

/* The weak ones among a suite's algorithms, by name. */
static json_t *weak_names(const struct suite *value)
{
    const struct encr_info *encr = encr_info(value->encr);
    const struct integ_info *integ = integ_info(value->integ);
    const struct prf_info *prf = prf_info(value->prf);
    const struct group_info *group = group_info(value->group);
    json_t *array = json_array();

    if (encr != NULL && encr->weak)
        json_array_append_new(array, json_string(encr->name));
    if (integ != NULL && integ->weak)
        json_array_append_new(array, json_string(integ->name));
    if (prf != NULL && prf->weak)
        json_array_append_new(array, json_string(prf->name));
    if (group != NULL && group->weak)
        json_array_append_new(array, json_string(group->name));
    return array;
}

static const char *mode_name(unsigned mode)
{
    return mode == CHILD_TUNNEL ? "tunnel" : "transport";
}

static json_t *child_names(const struct connection *connection)
{
    const struct child_config *child;
    json_t *array = json_array();

    TAILQ_FOREACH (child, &connection->children, entry) {
        json_array_append_new(array, json_string(child->name));
    }
    return array;
}

/* The one in use; before there is one, what stands first in the file. */
static json_t *remote_in_use(const struct connection *connection)
{
    if (connection->peer_count == 0 || address_is_host(&connection->remote))
        return address(&connection->remote);
    return json_string(connection->peers[0].name);
}

/* All places where the peer may be; NULL when there is the one address alone, or any. */
static json_t *peers(const struct connection *connection)
{
    json_t *array = connection->peer_count == 0 ? NULL : json_array();

    for (size_t i = 0; i < connection->peer_count; i++)
        json_array_append_new(array, connection->peers[i].name != NULL
                                         ? json_string(connection->peers[i].name)
                                         : address(&connection->peers[i].address));
    return array;
}

json_t *control_item_connection(const struct connection_view *view)
{
    const struct connection *connection = view->connection;
    bool failed = view->last_error[0] != '\0';

    return json_pack("{s:s, s:s, s:o, s:o, s:o*, s:o, s:o, s:o, s:o, s:b, s:o*, s:o*, s:o*, s:o*}",
                     "name", connection->name, "state", view->state, "local",
                     address(&connection->local), "remote", remote_in_use(connection), "peers",
                     peers(connection), "local_id", identity(connection->local_id), "remote_id",
                     identity(connection->remote_id), "children", child_names(connection), "sas",
                     number(view->sa_count), "weak_allowed", connection->weak, "silent_ms",
                     view->silent_ms != 0 ? number(view->silent_ms) : NULL, "uncovered",
                     view->uncovered != NULL ? printable(view->uncovered) : NULL, "error",
                     failed ? printable(view->last_error) : NULL, "error_age_ms",
                     failed ? number(view->last_error_age_ms) : NULL);
}

/* `of`: the IKE SA's connection, which may be another one than the child's. */
static json_t *child_item(const struct child_view *view, const char *of)
{
    const struct connection *connection = view->config->connection;
    bool guest = connection != NULL && strcmp(connection->name, of) != 0;
    const struct child_config *config = view->narrowed ? view->config : NULL;

    return json_pack(
        "{s:s, s:s*, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o*, s:o*, s:o}", "name",
        view->name, "connection", guest ? connection->name : NULL, "number", number(view->number),
        "protocol", ipsec_protocol_name(view->protocol), "mode", mode_name(view->mode), "reqid",
        number(view->reqid), "spi_in", hex(view->spi_in, 8), "spi_out", hex(view->spi_out, 8),
        "suite", suite(&view->suite), "weak", weak_names(&view->suite), "local",
        selectors(view->local, view->local_count), "remote",
        selectors(view->remote, view->remote_count), "configured_local",
        config != NULL ? selectors(config->local, config->local_count) : NULL, "configured_remote",
        config != NULL ? selectors(config->remote, config->remote_count) : NULL, "age_ms",
        number(view->age_ms));
}

json_t *control_item_sa(const struct sa_view *view)
{
    json_t *children = json_array();

    for (size_t i = 0; i < view->child_count; i++)
        json_array_append_new(children, child_item(&view->children[i], view->connection));
    return json_pack(
        "{s:o, s:s, s:s, s:b, s:o, s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o, s:o, s:o, s:o*, s:b, s:b, s:b, s:b, s:b, s:o}",
        "number", number(view->number), "connection", view->connection, "state", view->state,
        "initiator", view->initiator, "local", address(&view->local), "local_port",
        view->local.port, "remote", address(&view->remote), "remote_port", view->remote.port,
        "local_id", printable(view->local_id), "remote_id", printable(view->remote_id), "spi_i",
        hex(view->spi_i, 16), "spi_r", hex(view->spi_r, 16), "suite", suite(&view->suite), "weak",
        weak_names(&view->suite), "age_ms", number(view->age_ms), "established_ms",
        number(view->established_ms), "heard_ms", number(view->heard_ms), "silent_ms",
        view->silent_ms != 0 ? number(view->silent_ms) : NULL, "nat_local", view->nat_local,
        "nat_remote", view->nat_remote, "esp_in_udp", view->encap, "mobike", view->mobike,
        "fragmentation", view->fragmentation, "children", children);
}

static const char *start_name(enum child_start start)
{
    static const char *const names[] = {
        [START_TRAFFIC] = "traffic",
        [START_IMMEDIATE] = "immediate",
        [START_NEVER] = "never",
    };
    return names[start];
}

/* When there are policies for it; NULL: always. */
static json_t *stands(const struct connection *connection, const struct child_config *child)
{
    if (child->remote_count > 0)
        return NULL;
    if (connection->remote.family == FAMILY_NONE)
        return json_string("with-sas");
    return connection->known_count == 0 && connection->peer_count > 0 ? json_string("when-known")
                                                                      : NULL;
}

json_t *control_item_policy(const struct connection *connection, const struct child_config *child)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o*, s:s, s:o, s:o, s:s, s:s}", "connection", connection->name, "child",
        child->name, "reqid", number(child->reqid), "stands", stands(connection, child), "mode",
        mode_name(child->mode), "local", selectors(child->local, child->local_count), "remote",
        selectors(child->remote, child->remote_count), "policy",
        child->policy == POLICY_PREFER ? "prefer" : "require", "start", start_name(child->start));
}

/* Takes what was printed, which may be NULL. */
static json_t *lines_of(char *text)
{
    json_t *lines = text != NULL ? json_array() : NULL;

    for (char *at = text, *line; lines != NULL && (line = strsep(&at, "\n")) != NULL;)
        if (*line != '\0' && json_array_append_new(lines, json_string(line)) != 0) {
            json_decref(lines);
            lines = NULL;
        }
    free(text);
    return lines;
}

static void print_daemon(FILE *out, const void *settings)
{
    daemon_print(out, settings);
}

static void print_connection(FILE *out, const void *connection)
{
    connection_print(out, connection);
}

/* What `print` prints of `what`, a string for each line; NULL when memory is out. */
static json_t *printed(void (*print)(FILE *out, const void *what), const void *what)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return NULL;
    print(file, what);
    fclose(file);
    return lines_of(text);
}

json_t *control_item_daemon(const struct daemon_settings *settings)
{
    return json_pack("{s:o}", "lines", printed(print_daemon, settings));
}

json_t *control_item_config(const struct connection *connection)
{
    return json_pack("{s:s, s:o}", "connection", connection->name, "lines",
                     printed(print_connection, connection));
}

json_t *control_item_event(const struct effect_report *report, uint64_t time_ms)
{
    static const char *const severities[] = {
        [SEVERITY_DEBUG] = "debug",
        [SEVERITY_INFO] = "info",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
    };
    bool has_remote = report->remote.family != FAMILY_NONE;
    bool has_spis = report->ike_spi_i != 0;

    return json_pack("{s:o, s:s, s:s, s:s, s:o*, s:o*, s:o*, s:o}", "time_ms", number(time_ms),
                     "severity", severities[report->severity], "event", report->event, "connection",
                     report->connection.text, "remote",
                     has_remote ? address(&report->remote) : NULL, "spi_i",
                     has_spis ? hex(report->ike_spi_i, 16) : NULL, "spi_r",
                     has_spis ? hex(report->ike_spi_r, 16) : NULL, "text", printable(report->text));
}

json_t *control_item_progress(const struct effect_progress *progress)
{
    return json_pack("{s:o}", "text", printable(progress->text));
}

/* --- Reading --- */

static const char *text_or_empty(const json_t *value)
{
    return json_is_string(value) ? json_string_value(value) : "";
}

const char *item_text(const json_t *item, const char *member)
{
    return text_or_empty(json_object_get(item, member));
}

uint64_t item_number(const json_t *item, const char *member)
{
    json_int_t value = json_integer_value(json_object_get(item, member));

    return value > 0 ? (uint64_t)value : 0;
}

bool item_flag(const json_t *item, const char *member)
{
    return json_is_true(json_object_get(item, member));
}

size_t item_count(const json_t *item, const char *member)
{
    return json_array_size(json_object_get(item, member));
}

const char *item_text_at(const json_t *item, const char *member, size_t i)
{
    return text_or_empty(json_array_get(json_object_get(item, member), i));
}

const json_t *item_at(const json_t *item, const char *member, size_t i)
{
    return json_array_get(json_object_get(item, member), i);
}
