/*
 * `ikectl up`, `down` and `reload`: asks iked and waits for the outcome.
 *
 * Whoever interrupts the waiting does not undo what was asked.
 */
#include <stdlib.h>
#include <string.h>

#include "ikectl/client.h"

static enum exit_status command(struct ikectl *ctl, struct control_request *request, int silence_s)
{
    struct client client;
    char *text = NULL;
    enum exit_status status = client_open(&client, ctl);

    if (status == EXIT_DONE)
        status = client_ask(&client, request, silence_s, NULL, NULL, &text);
    if (status == EXIT_DONE && ctl->json)
        status = print_outcome_json(ctl, true, text);
    else if (status == EXIT_DONE)
        fprintf(ctl->out, "%s\n", text[0] != '\0' ? text : "done");
    free(text);
    client_close(&client);
    return status;
}

static enum exit_status command_name(struct ikectl *ctl, enum control_verb verb, const char *name)
{
    struct control_request request = {.verb = verb};

    if (name[0] == '\0' || strlen(name) >= sizeof(request.name.text))
        return complain(ctl, EXIT_FAILED, "no connection \"%s\": names have 1 to %d letters", name,
                        CONFIG_NAME_MAX);
    snprintf(request.name.text, sizeof(request.name.text), "%s", name);
    return command(ctl, &request, SILENCE_NEVER_S);
}

enum exit_status verb_up(struct ikectl *ctl, int count, char **arguments)
{
    (void)count;
    return command_name(ctl, CONTROL_UP, arguments[0]);
}

enum exit_status verb_down(struct ikectl *ctl, int count, char **arguments)
{
    (void)count;
    return command_name(ctl, CONTROL_DOWN, arguments[0]);
}

enum exit_status verb_reload(struct ikectl *ctl, int count, char **arguments)
{
    struct control_request request = {.verb = CONTROL_RELOAD, .dry_run = ctl->dry_run};

    (void)count;
    (void)arguments;
    return command(ctl, &request, SILENCE_RELOAD_S);
}
