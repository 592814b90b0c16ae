/*
 * Questions about names: see names.h.
 */
#include "iked/keeper/names.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iked/process/log.h"
#include "iked/process/resolver_ipc.h"
#include "iked/process/start.h"

struct question {
    STAILQ_ENTRY(question) entry;
    struct effect_resolve resolve;
    struct ticket ticket;
};

struct names {
    struct event_base *base;
    const struct options *options;
    struct names_hooks hooks;
    struct event *readable; /* NULL: no resolver */
    struct event *patience;
    int fd;
    pid_t pid;       /* 0: none */
    uint32_t number; /* of the question that the resolver has */
    bool busy;       /* it has the first of them */
    size_t count;
    STAILQ_HEAD(, question) waiting;
};

static void go_on(struct names *names);

static void give(struct names *names, const struct question *question,
                 const struct resolver_reply *reply, const char *why)
{
    struct answer answer = {
        .kind = EFFECT_RESOLVE,
        .ticket = question->ticket,
        .connection = question->resolve.connection,
    };

    for (size_t i = 0; reply != NULL && i < reply->count; i++)
        if (question->resolve.family == FAMILY_NONE ||
            reply->addresses[i].family == question->resolve.family)
            answer.addresses[answer.address_count++] = reply->addresses[i];
    if (answer.address_count == 0)
        answer.status = reason_set(&answer.reason, STATUS_FAIL, 0, "%s", why);
    names->hooks.answer(names->hooks.context, &answer);
}

/* The first question is done with. */
static void finish(struct names *names, const struct resolver_reply *reply, const char *why)
{
    struct question *question = STAILQ_FIRST(&names->waiting);

    STAILQ_REMOVE_HEAD(&names->waiting, entry);
    names->count--;
    names->busy = false;
    event_del(names->patience);
    give(names, question, reply, why);
    free(question);
}

/* --- The process --- */

static void stop(struct names *names)
{
    if (names->readable != NULL) {
        event_free(names->readable);
        names->readable = NULL;
        close(names->fd);
    }
    if (names->pid > 0)
        kill(names->pid, SIGKILL); /* names_reap sees its end */
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    struct names *names = context;
    uint8_t bytes[RESOLVER_DATAGRAM_MAX];
    struct resolver_reply reply;

    (void)what;
    ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0 || !names->busy || !resolver_reply_read(slice_of(bytes, (size_t)size), &reply) ||
        reply.number != names->number) {
        log_line(SEVERITY_ERROR, "the resolver is cut off: %s",
                 size <= 0 ? "it is gone" : "its answer is not one");
        stop(names);
        if (names->busy)
            finish(names, NULL, "the resolver has failed");
    } else {
        finish(names, &reply, reply.why[0] != '\0' ? reply.why : "no address of the family");
    }
    go_on(names);
}

static void on_patience(evutil_socket_t fd, short what, void *context)
{
    struct names *names = context;

    (void)fd;
    (void)what;
    stop(names);
    finish(names, NULL, "no answer in time");
    go_on(names);
}

static bool start(struct names *names)
{
    struct reason reason = {0};

    if (names->pid > 0)
        return false; /* the one before has not ended yet */
    names->pid = process_start(names->options, PROCESS_RESOLVER, &names->fd, &reason);
    if (names->pid < 0) {
        names->pid = 0;
        log_line(SEVERITY_ERROR, "%s", reason.text);
        return false;
    }
    names->readable = event_new(names->base, names->fd, EV_READ | EV_PERSIST, on_readable, names);
    if (names->readable != NULL && event_add(names->readable, NULL) == 0)
        return true;
    stop(names);
    return false;
}

/* --- Questions --- */

static bool send_question(struct names *names, const struct question *question)
{
    struct timeval patience = {.tv_sec = NAMES_PATIENCE_S};
    struct resolver_question asked = {.number = ++names->number,
                                      .family = question->resolve.family};
    uint8_t bytes[RESOLVER_DATAGRAM_MAX];
    struct writer writer = writer_of(bytes, sizeof(bytes));

    snprintf(asked.host, sizeof(asked.host), "%s", question->resolve.host);
    return resolver_question_write(&writer, &asked) &&
           send(names->fd, bytes, writer.size, MSG_DONTWAIT | MSG_NOSIGNAL) ==
               (ssize_t)writer.size &&
           event_add(names->patience, &patience) == 0;
}

static void go_on(struct names *names)
{
    while (!names->busy && !STAILQ_EMPTY(&names->waiting)) {
        if (names->readable == NULL && names->pid > 0)
            return; /* its end is awaited: names_reap goes on */
        names->busy = true;
        if ((names->readable == NULL && !start(names)) ||
            !send_question(names, STAILQ_FIRST(&names->waiting))) {
            stop(names);
            finish(names, NULL, "there is no resolver");
        }
    }
}

void names_ask(struct names *names, const struct effect *effect)
{
    struct question *question =
        names->count < NAMES_WAITING_MAX ? calloc(1, sizeof(*question)) : NULL;

    if (question == NULL) {
        struct question refused = {.resolve = effect->resolve, .ticket = effect->ticket};
        give(names, &refused, NULL, "too many names wait");
        return;
    }
    question->resolve = effect->resolve;
    question->ticket = effect->ticket;
    STAILQ_INSERT_TAIL(&names->waiting, question, entry);
    names->count++;
    go_on(names);
}

void names_forget(struct names *names)
{
    struct question *question;

    if (names->busy)
        stop(names); /* its answer would be taken for another one's */
    names->busy = false;
    event_del(names->patience);
    while ((question = STAILQ_FIRST(&names->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&names->waiting, entry);
        free(question);
    }
    names->count = 0;
}

void names_reap(struct names *names)
{
    char text[160];
    int status;

    if (names->pid <= 0 || waitpid(names->pid, &status, WNOHANG) != names->pid)
        return;
    names->pid = 0;
    if (names->readable != NULL) { /* by itself */
        log_line(SEVERITY_ERROR, "the resolver %s", process_end_text(status, text, sizeof(text)));
        stop(names);
        if (names->busy)
            finish(names, NULL, "the resolver has failed");
    }
    go_on(names);
}

/* --- Life --- */

struct names *names_new(struct event_base *base, const struct options *options,
                        const struct names_hooks *hooks)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return NULL;
    *names = (struct names){.base = base, .options = options, .hooks = *hooks};
    STAILQ_INIT(&names->waiting);
    names->patience = event_new(base, -1, 0, on_patience, names);
    if (names->patience != NULL)
        return names;
    free(names);
    return NULL;
}

void names_free(struct names *names)
{
    if (names == NULL)
        return;
    names_forget(names);
    stop(names);
    event_free(names->patience);
    free(names);
}
