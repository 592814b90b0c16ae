/*
 * The client's end of the control socket: see client.h.
 */
#include "ikectl/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- Connecting --- */

static enum exit_status socket_connect(struct client *client)
{
    const char *path = client->ctl->socket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path))
        return complain(client->ctl, EXIT_MISUSE, "%s: too long for the path of a socket", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd >= 0 &&
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return EXIT_DONE;
    if (errno == EACCES)
        return complain(client->ctl, EXIT_FAILED, "%s: %s; expected root", path, strerror(errno));
    return complain(client->ctl, EXIT_NO_DAEMON, "no iked at %s: %s", path, strerror(errno));
}

/* --- Lines --- */

static enum exit_status wait_readable(const struct client *client, int silence_s)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    int timeout_ms = silence_s == SILENCE_NEVER_S ? -1 : silence_s * 1000;
    int ready;

    do
        ready = poll(&poll_fd, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        return EXIT_DONE;
    return complain(client->ctl, EXIT_NO_DAEMON, "iked at %s does not answer", client->ctl->socket);
}

/* Reads once. */
static enum exit_status client_fill(struct client *client, int silence_s)
{
    uint8_t bytes[65536];
    size_t room = client->lines.max - control_lines_left(&client->lines);
    enum exit_status status = wait_readable(client, silence_s);

    if (status != EXIT_DONE)
        return status;
    ssize_t size = recv(client->fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 0);
    if (size > 0) {
        control_lines_feed(&client->lines, slice_of(bytes, (size_t)size));
        return EXIT_DONE;
    }
    return complain(client->ctl, EXIT_NO_DAEMON, "iked at %s has left%s%s", client->ctl->socket,
                    size < 0 ? ": " : "", size < 0 ? strerror(errno) : "");
}

static enum exit_status client_line(struct client *client, int silence_s, struct slice *line)
{
    enum exit_status status = EXIT_DONE;

    while (status == EXIT_DONE) {
        switch (control_lines_next(&client->lines, line)) {
        case CONTROL_LINE_WHOLE: return EXIT_DONE;
        case CONTROL_LINE_NONE: status = client_fill(client, silence_s); break;
        case CONTROL_LINE_TOO_LONG:
            return complain(client->ctl, EXIT_NO_DAEMON,
                            "iked at %s: a line of more than %d octets", client->ctl->socket,
                            CONTROL_ANSWER_MAX);
        }
    }
    return status;
}

static enum exit_status nonsense(const struct client *client, const char *text)
{
    return complain(client->ctl, EXIT_NO_DAEMON, "what answers at %s is not iked as we know it: %s",
                    client->ctl->socket, text);
}

/* --- The greeting --- */

static enum exit_status client_greet(struct client *client)
{
    struct control_answer answer;
    struct reason reason;
    struct slice line;
    enum exit_status status = client_line(client, SILENCE_SHOW_S, &line);

    if (status != EXIT_DONE)
        return status;
    if (!control_greeting_decode(line, &client->greeting, &reason)) {
        /* A server that takes no more clients says so at once. */
        struct reason ignored;
        if (control_answer_decode(line, &answer, &ignored) && answer.item == CONTROL_LAST)
            status = complain(client->ctl, EXIT_FAILED, "%s", answer.text);
        else
            status = nonsense(client, reason.text);
        control_answer_free(&answer);
    } else if (client->greeting.protocol != CONTROL_PROTOCOL) {
        status = complain(
            client->ctl, EXIT_FAILED, "iked %s speaks protocol %lld, this ikectl speaks %d",
            client->greeting.version, (long long)client->greeting.protocol, CONTROL_PROTOCOL);
    }
    return status;
}

enum exit_status client_open(struct client *client, const struct ikectl *ctl)
{
    enum exit_status status = EXIT_DONE;

    *client = (struct client){.ctl = ctl, .fd = ctl->fd};
    if (client->fd < 0)
        status = socket_connect(client);
    if (status != EXIT_DONE)
        return status;
    if (!control_lines_init(&client->lines, CONTROL_ANSWER_MAX))
        return complain(ctl, EXIT_FAILED, "out of memory");
    status = client_greet(client);
    if (status == EXIT_DONE && client->greeting.kernel_none)
        fprintf(ctl->err, "warning: iked runs with --kernel=none: NOTHING IS PROTECTED\n");
    return status;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    control_lines_free(&client->lines);
}

/* --- Asking --- */

bool name_take(const struct ikectl *ctl, struct name *name, const char *what, const char *text)
{
    if (text[0] == '\0' || strlen(text) >= sizeof(name->text)) {
        (void)complain(ctl, EXIT_FAILED, "no %s \"%s\": names have 1 to %d letters", what, text,
                       CONFIG_NAME_MAX);
        return false;
    }
    snprintf(name->text, sizeof(name->text), "%s", text);
    return true;
}

static enum exit_status client_send(struct client *client, const struct control_request *request)
{
    char *line = control_request_encode(request);
    size_t size = line != NULL ? strlen(line) : 0;
    size_t at = 0;

    while (at < size) {
        ssize_t sent = send(client->fd, line + at, size - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            break;
        at += sent > 0 ? (size_t)sent : 0;
    }
    free(line);
    if (size > 0 && at == size)
        return EXIT_DONE;
    return complain(client->ctl, EXIT_NO_DAEMON, "iked at %s has left: %s", client->ctl->socket,
                    size > 0 ? strerror(errno) : "out of memory");
}

/* The last line of an answer. */
static enum exit_status client_outcome(const struct client *client,
                                       const struct control_answer *answer, char **text)
{
    if (!answer->done && client->ctl->json)
        return print_outcome_json(client->ctl, false, answer->text);
    if (!answer->done)
        return complain(client->ctl, EXIT_FAILED, "%s", answer->text);
    if (text != NULL && (*text = strdup(answer->text)) == NULL)
        return complain(client->ctl, EXIT_FAILED, "out of memory");
    return EXIT_DONE;
}

enum exit_status client_ask(struct client *client, struct control_request *request, int silence_s,
                            void (*each)(void *context, enum control_item item, json_t *body),
                            void *context, char **text)
{
    struct control_answer answer;
    struct reason reason;
    struct slice line;
    bool last = false;

    request->has_id = true;
    request->id = ++client->last_id;
    enum exit_status status = client_send(client, request);
    while (status == EXIT_DONE && !last) {
        status = client_line(client, silence_s, &line);
        if (status != EXIT_DONE)
            break;
        bool sound = control_answer_decode(line, &answer, &reason);
        last = sound && answer.item == CONTROL_LAST;
        if (!sound)
            status = nonsense(client, reason.text);
        else if (answer.has_id && answer.id != request->id)
            status = nonsense(client, "an answer to what was not asked");
        else if (last)
            status = client_outcome(client, &answer, text);
        else if (each != NULL)
            each(context, answer.item, answer.body);
        control_answer_free(&answer);
    }
    return status;
}
