/*
 * `ikectl up`, `down`, `rekey` and `reload`: asks iked and waits for the outcome.
 *
 * Whoever interrupts the waiting does not undo what was asked.
 */
#include <stdlib.h>

#include "ikectl/client.h"
#include "lib/control/item.h"

struct asking {
    const struct ikectl *ctl;
    const struct control_request *request;
};

/* Beside the outcome, not before it: whoever reads only that is not disturbed. */
static void print_progress(void *context, enum control_item item, json_t *body)
{
    const struct asking *asking = context;

    if (item == CONTROL_ITEM_PROGRESS && !asking->ctl->json)
        fprintf(asking->ctl->err, "%s: %s\n", asking->request->name.text, item_text(body, "text"));
}

static enum exit_status command(struct ikectl *ctl, struct control_request *request, int silence_s)
{
    struct asking asking = {ctl, request};
    struct client client;
    char *text = NULL;
    enum exit_status status = client_open(&client, ctl);

    if (status == EXIT_DONE)
        status = client_ask(&client, request, silence_s, print_progress, &asking, &text);
    if (status == EXIT_DONE && ctl->json)
        status = print_outcome_json(ctl, true, text);
    else if (status == EXIT_DONE)
        fprintf(ctl->out, "%s\n", text[0] != '\0' ? text : "done");
    free(text);
    client_close(&client);
    return status;
}

/* A connection, and perhaps one of its children. */
static enum exit_status command_name(struct ikectl *ctl, enum control_verb verb, int count,
                                     char **arguments)
{
    struct control_request request = {.verb = verb};

    if (!name_take(ctl, &request.name, "connection", arguments[0]) ||
        (count > 1 && !name_take(ctl, &request.child, "child", arguments[1])))
        return EXIT_FAILED;
    return command(ctl, &request, SILENCE_NEVER_S);
}

enum exit_status verb_up(struct ikectl *ctl, int count, char **arguments)
{
    return command_name(ctl, CONTROL_UP, count, arguments);
}

enum exit_status verb_down(struct ikectl *ctl, int count, char **arguments)
{
    return command_name(ctl, CONTROL_DOWN, count, arguments);
}

enum exit_status verb_rekey(struct ikectl *ctl, int count, char **arguments)
{
    return command_name(ctl, CONTROL_REKEY, count, arguments);
}

enum exit_status verb_reload(struct ikectl *ctl, int count, char **arguments)
{
    struct control_request request = {
        .verb = CONTROL_RELOAD, .dry_run = ctl->dry_run, .force = ctl->force};

    (void)count;
    (void)arguments;
    return command(ctl, &request, SILENCE_RELOAD_S);
}
