/*
 * The control socket's server: clients, their lines, and who waits for what.  See control.h.
 *
 * A client is only marked when it must go (client_doom) and freed from the event loop, so that
 * nothing on the way up finds it gone.  A client that does not read is not read from either.
 * Not here: what `show` tells (control_show.c), the messages (lib/control).
 */
#include "iked/negotiator/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "config.h"
#include "iked/negotiator/control_show.h"
#include "lib/control/line.h"

#define NUMBER_MASK    (UINT64_MAX >> 1)
#define ACCEPT_PAUSE_S 1 /* after accept(2) failed */

struct client {
    TAILQ_ENTRY(client) entry;
    struct control *control;
    struct bufferevent *io;
    struct control_lines lines;
    unsigned waiting;    /* how many waiters are its */
    bool monitor;        /* reports go to it, as answers to ... */
    uint64_t monitor_id; /* ... this request */
    bool ended;          /* it sends nothing more */
    bool doomed;         /* about to be freed */
};
TAILQ_HEAD(client_list, client);

/* A request that is answered when a command or reload has come to its end. */
struct waiter {
    TAILQ_ENTRY(waiter) entry;
    struct client *client;
    uint64_t id;     /* of the request */
    uint64_t number; /* of the command */
};
TAILQ_HEAD(waiter_list, waiter);

struct control {
    struct event_base *base;
    struct control_hooks hooks;
    struct evconnlistener *listener;
    struct event *reaper;       /* frees the doomed */
    struct event *accept_again; /* after ACCEPT_PAUSE_S */
    struct client_list clients;
    size_t client_count;
    struct waiter_list waiters;
    uint64_t last_number;
    struct control_counts counts;
};

/* --- The end of a client --- */

static void client_doom(struct client *client)
{
    if (client->doomed)
        return;
    client->doomed = true;
    bufferevent_disable(client->io, EV_READ | EV_WRITE);
    event_active(client->control->reaper, EV_TIMEOUT, 0);
}

static void waiter_free(struct control *control, struct waiter *waiter)
{
    waiter->client->waiting--;
    TAILQ_REMOVE(&control->waiters, waiter, entry);
    free(waiter);
}

static void client_free(struct client *client)
{
    struct control *control = client->control;
    struct waiter *waiter = TAILQ_FIRST(&control->waiters);

    while (waiter != NULL) {
        struct waiter *next = TAILQ_NEXT(waiter, entry);
        if (waiter->client == client)
            waiter_free(control, waiter);
        waiter = next;
    }
    TAILQ_REMOVE(&control->clients, client, entry);
    control->client_count--;
    bufferevent_free(client->io);
    control_lines_free(&client->lines);
    free(client);
}

static void on_reap(evutil_socket_t fd, short what, void *context)
{
    struct control *control = context;
    struct client *client = TAILQ_FIRST(&control->clients);

    (void)fd;
    (void)what;
    while (client != NULL) {
        struct client *next = TAILQ_NEXT(client, entry);
        if (client->doomed)
            client_free(client);
        client = next;
    }
}

/* --- Sending --- */

static size_t client_pending(const struct client *client)
{
    return evbuffer_get_length(bufferevent_get_output(client->io));
}

static void client_drop(struct client *client)
{
    if (!client->doomed)
        client->control->counts.dropped++;
    client_doom(client);
}

/* Takes `line`; NULL when there was no memory for it. */
static void client_send(struct client *client, char *line)
{
    bool sent =
        line != NULL && !client->doomed && bufferevent_write(client->io, line, strlen(line)) == 0;

    free(line);
    if (!sent || client_pending(client) > CONTROL_PENDING_MAX)
        client_drop(client);
}

static void client_item(struct client *client, uint64_t id, enum control_item item, json_t *body)
{
    struct control_answer answer = {.has_id = true, .id = id, .item = item, .body = body};

    client_send(client, control_answer_encode(&answer));
}

static void client_done(struct client *client, uint64_t id, const char *text)
{
    struct control_answer answer = {.has_id = true, .id = id, .done = true, .text = text};

    client_send(client, control_answer_encode(&answer));
}

static void client_fault(struct client *client, const struct control_request *request,
                         enum control_code code, const char *text)
{
    struct control_answer answer = {
        .has_id = request->has_id, .id = request->id, .code = code, .text = text};

    client_send(client, control_answer_encode(&answer));
}

/* --- Requests --- */

struct showing {
    struct client *client;
    uint64_t id;
};

static void send_shown(void *context, enum control_item item, json_t *body)
{
    const struct showing *showing = context;

    if (!showing->client->doomed)
        client_item(showing->client, showing->id, item, body);
}

static void request_show(struct client *client, const struct control_request *request)
{
    struct control *control = client->control;
    const struct control_hooks *hooks = &control->hooks;
    const struct config *config = engine_config(hooks->engine);
    struct showing showing = {client, request->id};
    struct reason reason;

    size_t count = control_show(hooks->engine, &control->counts, hooks->now_ms(hooks->context),
                                request, send_shown, &showing);
    if (count == 0 && request->name.text[0] != '\0' &&
        (config == NULL || config_find(config, request->name.text) == NULL)) {
        control_unknown_name(config, request->name.text, &reason);
        client_fault(client, request, CONTROL_UNKNOWN_NAME, reason.text);
    } else if (!client->doomed) {
        client_done(client, request->id, "");
    }
}

/* NULL after a fault. */
static struct waiter *waiter_new(struct client *client, const struct control_request *request)
{
    struct control *control = client->control;

    if (client->waiting >= CONTROL_WAITING_MAX) {
        client_fault(client, request, CONTROL_BUSY, "too many requests of yours are waiting");
        return NULL;
    }
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (waiter == NULL) {
        client_fault(client, request, CONTROL_BUSY, "out of memory");
        return NULL;
    }
    control->last_number = (control->last_number + 1) & NUMBER_MASK;
    *waiter = (struct waiter){.client = client, .id = request->id, .number = control->last_number};
    TAILQ_INSERT_TAIL(&control->waiters, waiter, entry);
    client->waiting++;
    return waiter;
}

/* `up`, `down` and `rekey`. */
static void request_run(struct client *client, const struct control_request *request)
{
    const struct control_hooks *hooks = &client->control->hooks;
    const struct config *config = engine_config(hooks->engine);
    struct reason reason;

    if (config == NULL || config_find(config, request->name.text) == NULL) {
        control_unknown_name(config, request->name.text, &reason);
        client_fault(client, request, CONTROL_UNKNOWN_NAME, reason.text);
        return;
    }
    struct waiter *waiter = waiter_new(client, request);
    if (waiter == NULL)
        return;
    struct command command = {
        .kind = request->verb == CONTROL_UP     ? COMMAND_UP
                : request->verb == CONTROL_DOWN ? COMMAND_DOWN
                                                : COMMAND_REKEY,
        .number = waiter->number,
        .name = request->name,
        .child = request->child,
    };
    hooks->run(hooks->context, &command);
}

static void request_reload(struct client *client, const struct control_request *request)
{
    const struct control_hooks *hooks = &client->control->hooks;
    struct waiter *waiter = waiter_new(client, request);

    if (waiter != NULL)
        hooks->reload(hooks->context, waiter->number, request->dry_run, request->force);
}

static void request_monitor(struct client *client, const struct control_request *request)
{
    if (client->monitor) {
        client_fault(client, request, CONTROL_BUSY, "this connection monitors already");
        return;
    }
    client->monitor = true;
    client->monitor_id = request->id;
}

static void client_request(struct client *client, struct slice line)
{
    static void (*const requests[])(struct client *, const struct control_request *) = {
        [CONTROL_SHOW] = request_show,     [CONTROL_UP] = request_run,
        [CONTROL_DOWN] = request_run,      [CONTROL_REKEY] = request_run,
        [CONTROL_RELOAD] = request_reload, [CONTROL_MONITOR] = request_monitor,
    };
    struct control_request request;
    struct reason reason;

    if (!control_request_decode(line, &request, &reason)) {
        client->control->counts.bad_requests++;
        client_fault(client, &request, CONTROL_BAD_REQUEST, reason.text);
        return;
    }
    client->control->counts.requests++;
    requests[request.verb](client, &request);
}

static void client_long_line(struct client *client)
{
    const struct control_request unknown = {.has_id = false};
    char text[REASON_TEXT_MAX];

    client->control->counts.bad_requests++;
    snprintf(text, sizeof(text), "a line of more than %d octets", CONTROL_REQUEST_MAX);
    client_fault(client, &unknown, CONTROL_BAD_REQUEST, text);
}

/* --- Reading --- */

/* Moves octets from the socket's buffer to the lines; false when there are none.  The last line
 * of a client that ends needs no newline. */
static bool client_feed(struct client *client)
{
    struct evbuffer *input = bufferevent_get_input(client->io);
    struct evbuffer_iovec chunk;

    if (evbuffer_peek(input, -1, NULL, &chunk, 1) > 0 && chunk.iov_len > 0) {
        size_t taken = control_lines_feed(&client->lines, slice_of(chunk.iov_base, chunk.iov_len));
        evbuffer_drain(input, taken);
        return true;
    }
    if (client->ended && control_lines_left(&client->lines) > 0)
        return control_lines_feed(&client->lines, slice_text("\n")) > 0;
    return false;
}

/* Nothing can come of this client any more, or of its going on. */
static bool client_finished(const struct client *client)
{
    return client->ended && client->waiting == 0 &&
           (client->monitor || client_pending(client) == 0);
}

/* Pauses by not reading at all: libevent would call again and again for a buffer that is left
 * full. */
static void client_serve(struct client *client)
{
    struct slice line;
    bool more = true;

    while (more && !client->doomed && client_pending(client) <= CONTROL_PENDING_PAUSE) {
        switch (control_lines_next(&client->lines, &line)) {
        case CONTROL_LINE_WHOLE: client_request(client, line); break;
        case CONTROL_LINE_TOO_LONG: client_long_line(client); break;
        case CONTROL_LINE_NONE: more = client_feed(client); break;
        }
    }
    if (client->doomed)
        return;
    if (more)
        bufferevent_disable(client->io, EV_READ);
    else if (!client->ended)
        bufferevent_enable(client->io, EV_READ);
    else if (client_finished(client))
        client_doom(client);
}

static void on_read(struct bufferevent *io, void *context)
{
    (void)io;
    client_serve(context);
}

static void on_event(struct bufferevent *io, short what, void *context)
{
    struct client *client = context;

    (void)io;
    if ((what & BEV_EVENT_EOF) != 0) {
        client->ended = true;
        client_serve(client);
    } else if ((what & BEV_EVENT_TIMEOUT) != 0) {
        client_drop(client);
    } else {
        client_doom(client);
    }
}

/* --- Accepting --- */

static bool client_open(struct client *client, int fd)
{
    const struct timeval stall = {.tv_sec = CONTROL_STALL_S};

    if (!control_lines_init(&client->lines, CONTROL_REQUEST_MAX))
        return false;
    client->io = bufferevent_socket_new(client->control->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (client->io == NULL)
        return false;
    bufferevent_setcb(client->io, on_read, on_read, on_event, client);
    bufferevent_setwatermark(client->io, EV_READ, 0, CONTROL_REQUEST_MAX);
    bufferevent_setwatermark(client->io, EV_WRITE, CONTROL_PENDING_PAUSE, 0);
    bufferevent_set_timeouts(client->io, NULL, &stall);
    return true;
}

static void client_new(struct control *control, int fd)
{
    const struct control_greeting greeting = {IKED_VERSION, CONTROL_PROTOCOL,
                                              control->hooks.kernel_none};
    struct client *client = calloc(1, sizeof(*client));

    if (client == NULL || (client->control = control, !client_open(client, fd))) {
        if (client != NULL)
            control_lines_free(&client->lines);
        free(client);
        close(fd);
        control->counts.dropped++;
        return;
    }
    TAILQ_INSERT_TAIL(&control->clients, client, entry);
    control->client_count++;
    control->counts.accepted++;
    client_send(client, control_greeting_encode(&greeting));
    bufferevent_enable(client->io, EV_READ | EV_WRITE);
}

/* A fresh socket has room for one line; should it not, the client sees only the end. */
static void client_refuse(struct control *control, int fd)
{
    const struct control_answer answer = {.code = CONTROL_BUSY, .text = "too many clients"};
    char *line = control_answer_encode(&answer);

    control->counts.refused++;
    if (line != NULL && write(fd, line, strlen(line)) < 0)
        control->counts.dropped++;
    free(line);
    close(fd);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int from_size, void *context)
{
    struct control *control = context;

    (void)listener;
    (void)from;
    (void)from_size;
    if (control->client_count < CONTROL_CLIENTS_MAX)
        client_new(control, fd);
    else
        client_refuse(control, fd);
}

/* Mostly out of descriptors: the client would be announced again at once, for ever. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
    const struct timeval pause = {.tv_sec = ACCEPT_PAUSE_S};
    struct control *control = context;

    control->counts.accept_errors++;
    evconnlistener_disable(listener);
    evtimer_add(control->accept_again, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *context)
{
    struct control *control = context;

    (void)fd;
    (void)what;
    evconnlistener_enable(control->listener);
}

/* jansson would open a file for its seed, which the sandbox has none of. */
static void seed_json(void)
{
    size_t seed;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (size_t)time(NULL);
    json_object_seed(seed | 1);
}

struct control *control_new(struct event_base *base, int listen_fd,
                            const struct control_hooks *hooks)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL) {
        close(listen_fd);
        return NULL;
    }
    control->base = base;
    control->hooks = *hooks;
    control->counts.udp = hooks->udp;
    TAILQ_INIT(&control->clients);
    TAILQ_INIT(&control->waiters);
    seed_json();
    control->reaper = event_new(base, -1, 0, on_reap, control);
    control->accept_again = evtimer_new(base, on_accept_again, control);
    control->listener = evconnlistener_new(
        base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    if (control->listener == NULL)
        close(listen_fd);
    if (control->reaper != NULL && control->accept_again != NULL && control->listener != NULL) {
        evconnlistener_set_error_cb(control->listener, on_accept_error);
        return control;
    }
    control_free(control);
    return NULL;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    while (!TAILQ_EMPTY(&control->clients))
        client_free(TAILQ_FIRST(&control->clients));
    if (control->reaper != NULL)
        event_free(control->reaper);
    if (control->accept_again != NULL)
        event_free(control->accept_again);
    if (control->listener != NULL)
        evconnlistener_free(control->listener);
    free(control);
}

/* --- From the event loop --- */

void control_report(struct control *control, const struct effect_report *report)
{
    struct timespec now;
    struct client *client;
    json_t *body = NULL;

    TAILQ_FOREACH (client, &control->clients, entry) {
        if (!client->monitor || client->doomed)
            continue;
        if (body == NULL) {
            clock_gettime(CLOCK_REALTIME, &now);
            body = control_item_event(report, (uint64_t)now.tv_sec * 1000 +
                                                  (uint64_t)now.tv_nsec / 1000000);
        }
        client_item(client, client->monitor_id, CONTROL_ITEM_EVENT, body);
    }
    json_decref(body);
}

static struct waiter *waiter_find(const struct control *control, uint64_t number)
{
    struct waiter *waiter;

    TAILQ_FOREACH (waiter, &control->waiters, entry) {
        if (waiter->number == number)
            return waiter;
    }
    return NULL;
}

void control_progress(struct control *control, const struct effect_progress *progress)
{
    struct waiter *waiter = waiter_find(control, progress->command);

    if (waiter == NULL || waiter->client->doomed)
        return;
    json_t *body = control_item_progress(progress);
    client_item(waiter->client, waiter->id, CONTROL_ITEM_PROGRESS, body);
    json_decref(body);
}

static void control_outcome(struct control *control, uint64_t number, bool done, const char *text)
{
    struct waiter *waiter = waiter_find(control, number);

    if (waiter == NULL)
        return;
    struct client *client = waiter->client;
    struct control_answer answer = {
        .has_id = true, .id = waiter->id, .done = done, .code = CONTROL_FAILED, .text = text};
    waiter_free(control, waiter);
    client_send(client, control_answer_encode(&answer));
}

void control_result(struct control *control, const struct effect_result *result)
{
    control_outcome(control, result->command, result->done, result->text);
}

void control_reload_result(struct control *control, uint64_t number, bool done, const char *text)
{
    control_outcome(control, number, done, text);
}
