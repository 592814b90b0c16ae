/*
 * `ikectl show`: asks iked, then prints text for people (show_text.h) or JSON.
 *
 * JSON is one document: an array with an item a line, for counters an object, for the overview an
 * object of both arrays.
 */

#include "ikectl/client.h"
#include "ikectl/show_text.h"

static void (*const what_texts[])(FILE *out, const json_t *items, const char *name) = {
    [CONTROL_CONNECTIONS] = text_connections, [CONTROL_SAS] = text_sas,
    [CONTROL_POLICIES] = text_policies,       [CONTROL_COUNTERS] = text_counters,
    [CONTROL_CONFIG] = text_config,
};

static void collect(void *context, enum control_item item, json_t *body)
{
    (void)item;
    json_array_append(context, body);
}

/* All items of one kind into `items`, an array. */
static enum exit_status ask_items(struct client *client, enum control_what what, const char *name,
                                  json_t *items)
{
    struct control_request request = {.verb = CONTROL_SHOW, .what = what};

    if (name != NULL && !name_take(client->ctl, &request.name, "connection", name))
        return EXIT_FAILED;
    return client_ask(client, &request, SILENCE_SHOW_S, collect, items, NULL);
}

static void print_json_array(FILE *out, const json_t *items)
{
    const json_t *item;
    size_t i;

    fputc('[', out);
    json_array_foreach (items, i, item) {
        fputs(i == 0 ? "\n" : ",\n", out);
        json_dumpf(item, out, JSON_COMPACT);
    }
    fputs(json_array_size(items) > 0 ? "\n]" : "]", out);
}

static void print_items(const struct ikectl *ctl, enum control_what what, const char *name,
                        const json_t *items)
{
    if (!ctl->json) {
        what_texts[what](ctl->out, items, name);
        return;
    }
    if (what == CONTROL_COUNTERS)
        json_dumpf(json_array_get(items, 0), ctl->out, JSON_INDENT(2));
    else
        print_json_array(ctl->out, items);
    fputc('\n', ctl->out);
}

static enum exit_status show_what(struct client *client, enum control_what what, const char *name)
{
    json_t *items = json_array();
    enum exit_status status = ask_items(client, what, name, items);

    if (status == EXIT_DONE)
        print_items(client->ctl, what, name, items);
    json_decref(items);
    return status;
}

static void print_overview(const struct client *client, const json_t *connections,
                           const json_t *sas)
{
    FILE *out = client->ctl->out;

    if (!client->ctl->json) {
        text_overview(out, client->greeting.version, connections, sas);
        return;
    }
    fprintf(out, "{\"iked\":\"%s\",\n\"connections\":", client->greeting.version);
    print_json_array(out, connections);
    fputs(",\n\"sas\":", out);
    print_json_array(out, sas);
    fputs("}\n", out);
}

static enum exit_status show_overview(struct client *client)
{
    json_t *connections = json_array();
    json_t *sas = json_array();
    enum exit_status status = ask_items(client, CONTROL_CONNECTIONS, NULL, connections);

    if (status == EXIT_DONE)
        status = ask_items(client, CONTROL_SAS, NULL, sas);
    if (status == EXIT_DONE)
        print_overview(client, connections, sas);
    json_decref(connections);
    json_decref(sas);
    return status;
}

enum exit_status verb_show(struct ikectl *ctl, int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : NULL;
    enum control_what what = CONTROL_CONNECTIONS;
    const char *nearest;
    struct client client;

    if (count > 0 && !control_what_parse(arguments[0], &what, &nearest))
        return complain(ctl, EXIT_MISUSE, "show: unknown \"%s\"; the nearest is \"%s\"",
                        arguments[0], nearest);
    if (name != NULL && !control_what_has_names(what))
        return complain(ctl, EXIT_MISUSE, "show %s takes no name", arguments[0]);
    enum exit_status status = client_open(&client, ctl);
    if (status == EXIT_DONE)
        status = count == 0 ? show_overview(&client) : show_what(&client, what, name);
    client_close(&client);
    return status;
}
