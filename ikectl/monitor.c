/*
 * `ikectl monitor`: prints events as they happen, until it is interrupted or iked leaves.
 *
 * As text each is a line, TIME CONNECTION EVENT TEXT; debug events are for --json.
 */
#include <string.h>
#include <time.h>

#include "ikectl/client.h"
#include "lib/control/item.h"

/* Local time of day; milliseconds tell what came first. */
static void print_time(FILE *out, uint64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm local;
    char text[32] = "?";

    if (localtime_r(&seconds, &local) != NULL)
        strftime(text, sizeof(text), "%F %T", &local);
    fprintf(out, "%s.%03u", text, (unsigned)(time_ms % 1000));
}

static void print_event(FILE *out, const json_t *event)
{
    const char *connection = item_text(event, "connection");
    const char *severity = item_text(event, "severity");
    bool alarming = strcmp(severity, "warning") == 0 || strcmp(severity, "error") == 0;

    if (strcmp(severity, "debug") == 0)
        return;
    if (connection[0] == '\0')
        connection = item_text(event, "remote");
    print_time(out, item_number(event, "time_ms"));
    fprintf(out, "  %-12s  %-18s  %s%s%s\n", connection[0] != '\0' ? connection : "-",
            item_text(event, "event"), alarming ? severity : "", alarming ? ": " : "",
            item_text(event, "text"));
}

static void each_event(void *context, enum control_item item, json_t *body)
{
    const struct ikectl *ctl = context;

    if (item != CONTROL_ITEM_EVENT)
        return;
    if (ctl->json) {
        json_dumpf(body, ctl->out, JSON_COMPACT);
        fputc('\n', ctl->out);
    } else {
        print_event(ctl->out, body);
    }
    fflush(ctl->out);
}

enum exit_status verb_monitor(struct ikectl *ctl, int count, char **arguments)
{
    struct control_request request = {.verb = CONTROL_MONITOR};
    struct client client;
    enum exit_status status = client_open(&client, ctl);

    (void)count;
    (void)arguments;
    if (status == EXIT_DONE)
        status = client_ask(&client, &request, SILENCE_NEVER_S, each_event, ctl, NULL);
    client_close(&client);
    return status;
}
