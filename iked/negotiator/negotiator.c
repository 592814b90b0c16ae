/*
 * The negotiator's start and its dealings with the keeper: see negotiator.h.
 *
 *   keeper -> HELLO (sockets), CONFIG_PART ..., CONFIG_END, ORPHAN events
 *   COMMIT -> keeper, when the engine has taken the configuration
 *   then effects -> keeper, answers and events -> engine, until SHUTDOWN and BYE
 */
#include "iked/negotiator/negotiator.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "iked/negotiator/runner.h"
#include "iked/process/clock.h"
#include "iked/process/log.h"
#include "iked/process/memory.h"
#include "iked/process/privilege.h"
#include "iked/process/sandbox.h"
#include "iked/process/start.h"
#include "lib/policy/loss.h"

#define LINGER_MS 1000
#define QUIET_MS  2000

/* A configuration as it comes in. */
struct arriving {
    struct config_text *texts; /* paths and octets owned */
    size_t count;
    bool open; /* the last text is not complete */
};

struct negotiator {
    struct event_base *base;
    struct runner runner;
    struct arriving arriving;
    uint64_t commands; /* of our own, so far */
    /* The configuration that the engine is taking in. */
    uint64_t configure_number; /* of the command; 0: none */
    uint32_t generation;
    uint64_t reload_number; /* of the control socket's request; 0: none */
    char *changes;          /* what it changes, for people */
    uint64_t shutdown_number;
    int status;
};

static void leave(struct negotiator *negotiator, int status)
{
    negotiator->status = status;
    event_base_loopbreak(negotiator->base);
}

static uint64_t next_number(struct negotiator *negotiator)
{
    return RUNNER_OWN | ++negotiator->commands;
}

/* --- Configuration --- */

static void arriving_free(struct arriving *arriving)
{
    for (size_t i = 0; i < arriving->count; i++) {
        free((void *)(uintptr_t)arriving->texts[i].path);
        free((void *)(uintptr_t)arriving->texts[i].text.data);
    }
    free(arriving->texts);
    *arriving = (struct arriving){0};
}

static bool arriving_begin(struct arriving *arriving, const char *path)
{
    struct config_text *texts =
        reallocarray(arriving->texts, arriving->count + 1, sizeof(*arriving->texts));

    if (texts == NULL)
        return false;
    arriving->texts = texts;
    char *copy = strdup(path);
    if (copy == NULL || arriving->count == IPC_FILES_MAX) {
        free(copy);
        return false;
    }
    texts[arriving->count++] = (struct config_text){.path = copy};
    return true;
}

static bool arriving_add(struct arriving *arriving, struct slice part)
{
    struct slice *text = &arriving->texts[arriving->count - 1].text;
    uint8_t *grown = realloc((void *)(uintptr_t)text->data, text->size + part.size + 1);

    if (grown == NULL)
        return false;
    if (part.size > 0)
        memcpy(grown + text->size, part.data, part.size);
    *text = slice_of(grown, text->size + part.size);
    return true;
}

static bool on_config_part(struct negotiator *negotiator, struct ipc_message *message)
{
    struct arriving *arriving = &negotiator->arriving;

    if (!arriving->open && !arriving_begin(arriving, message->config_part.path))
        return false;
    arriving->open = !message->config_part.last;
    return arriving_add(arriving, message->config_part.text);
}

/* NULL: the one that is in use. */
static const struct config *meant(const struct negotiator *negotiator, const struct config *config)
{
    return config != NULL ? config : engine_config(negotiator->runner.engine);
}

static void configure(struct negotiator *negotiator, struct config *config,
                      const struct ipc_config_end *end)
{
    struct command command = {
        .kind = COMMAND_CONFIGURE,
        .number = next_number(negotiator),
        .config = config,
    };

    negotiator->configure_number = command.number;
    negotiator->generation = end->generation;
    negotiator->reload_number = end->number;
    free(negotiator->changes);
    negotiator->changes = NULL;
    if (engine_config(negotiator->runner.engine) != NULL)
        negotiator->changes = control_changes(negotiator->runner.engine, meant(negotiator, config),
                                              end->secrets_changed);
    runner_command(&negotiator->runner, &command);
}

/* What would be changed, and that it would be refused as it stands; NULL: out of memory. */
static char *tried_changes(struct negotiator *negotiator, const struct config *config,
                           const struct ipc_config_end *end)
{
    char *changes = control_changes(negotiator->runner.engine, config, end->secrets_changed);
    char lost[CONFIG_ERROR_MAX];
    char *both = NULL;

    if (changes == NULL || end->force ||
        !config_loses_most(engine_config(negotiator->runner.engine), config, lost))
        return changes;
    if (asprintf(&both, "%s\n%s: this needs reload --force", changes, lost) < 0)
        both = NULL;
    free(changes);
    return both;
}

static void try_config(struct negotiator *negotiator, struct config *config,
                       const struct ipc_config_end *end)
{
    char *changes = tried_changes(negotiator, meant(negotiator, config), end);

    if (negotiator->runner.control != NULL)
        control_reload_result(negotiator->runner.control, end->number, changes != NULL,
                              changes != NULL ? changes : "out of memory");
    free(changes);
    config_free(config);
}

static bool on_config_end(struct negotiator *negotiator, struct ipc_message *message)
{
    struct arriving *arriving = &negotiator->arriving;
    char error[CONFIG_ERROR_MAX];
    struct config *config = NULL;
    bool same = arriving->count == 0 && engine_config(negotiator->runner.engine) != NULL;

    if (!arriving->open && !same)
        config = config_parse(arriving->texts, arriving->count, error);
    arriving_free(arriving);
    /* The keeper parsed the same text before: only memory can be lacking. */
    if (config == NULL && !same)
        return false;
    if (message->config_end.dry_run)
        try_config(negotiator, config, &message->config_end);
    else
        configure(negotiator, config, &message->config_end);
    return true;
}

/* Line by line, because a log has one thing per line. */
static void log_changes(const char *changes)
{
    while (changes != NULL && *changes != '\0') {
        size_t size = strcspn(changes, "\n");
        log_line(SEVERITY_INFO, "configuration: %.*s", (int)size, changes);
        changes += size + (changes[size] == '\n' ? 1 : 0);
    }
}

static void on_quiet(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
    memory_give_back();
}

static void configured(struct negotiator *negotiator, const struct effect_result *result)
{
    struct ipc_message commit = {.kind = IPC_COMMIT, .commit = negotiator->generation};
    const char *text = negotiator->changes != NULL ? negotiator->changes : result->text;
    struct timeval quiet = clock_timeval(QUIET_MS);

    negotiator->configure_number = 0;
    if (!result->done || !channel_put(negotiator->runner.channel, &commit)) {
        log_line(SEVERITY_ERROR, "the configuration is not taken: %s", result->text);
        leave(negotiator, EXIT_FAILURE);
        return;
    }
    log_changes(negotiator->changes);
    if (negotiator->reload_number != 0 && negotiator->runner.control != NULL)
        control_reload_result(negotiator->runner.control, negotiator->reload_number, true, text);
    free(negotiator->changes);
    negotiator->changes = NULL;
    /* Once what follows from it is with the keeper, and the keeper's answers are here. */
    (void)event_base_once(negotiator->base, -1, EV_TIMEOUT, on_quiet, NULL, &quiet);
}

static void on_own_result(void *context, const struct effect_result *result)
{
    struct negotiator *negotiator = context;
    struct ipc_message bye = {.kind = IPC_BYE};

    if (result->command == negotiator->configure_number)
        configured(negotiator, result);
    if (result->command == negotiator->shutdown_number)
        leave(negotiator,
              channel_put(negotiator->runner.channel, &bye) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* --- The keeper's other messages --- */

static bool on_answer(struct negotiator *negotiator, struct ipc_message *message)
{
    engine_answer(negotiator->runner.engine, &message->answer, clock_now_ms());
    return true;
}

static bool on_event(struct negotiator *negotiator, struct ipc_message *message)
{
    engine_kernel(negotiator->runner.engine, &message->event, clock_now_ms());
    return true;
}

static bool on_trouble(struct negotiator *negotiator, struct ipc_message *message)
{
    struct effect_report report = {
        .severity = SEVERITY_ERROR,
        .event = "kernel-failed",
        .connection = message->trouble.connection,
    };

    ipc_text(report.text, sizeof(report.text), message->trouble.text);
    runner_report(&negotiator->runner, &report);
    return true;
}

static bool on_refused(struct negotiator *negotiator, struct ipc_message *message)
{
    if (negotiator->runner.control != NULL && message->refused.number != 0)
        control_reload_result(negotiator->runner.control, message->refused.number, false,
                              message->refused.text);
    return true;
}

static bool on_shutdown(struct negotiator *negotiator, struct ipc_message *message)
{
    struct command command = {.kind = COMMAND_SHUTDOWN, .number = next_number(negotiator)};

    (void)message;
    negotiator->shutdown_number = command.number;
    runner_command(&negotiator->runner, &command);
    return true;
}

static bool (*const handlers[IPC_KIND_COUNT])(struct negotiator *negotiator,
                                              struct ipc_message *message) = {
    [IPC_CONFIG_PART] = on_config_part, [IPC_CONFIG_END] = on_config_end,
    [IPC_ANSWER] = on_answer,           [IPC_EVENT] = on_event,
    [IPC_TROUBLE] = on_trouble,         [IPC_REFUSED] = on_refused,
    [IPC_SHUTDOWN] = on_shutdown,
};

/* --- What the control socket asks of us --- */

static uint64_t on_control_now(void *context)
{
    (void)context;
    return clock_now_ms();
}

static void on_control_command(void *context, const struct command *command)
{
    struct negotiator *negotiator = context;

    runner_command(&negotiator->runner, command);
}

static void on_control_reload(void *context, uint64_t number, bool dry_run, bool force)
{
    struct negotiator *negotiator = context;
    struct ipc_message message = {.kind = IPC_RELOAD,
                                  .reload = {.number = number, .dry_run = dry_run, .force = force}};

    if (channel_put(negotiator->runner.channel, &message))
        channel_flush(negotiator->runner.channel);
}

static bool open_control(struct negotiator *negotiator, int fd, bool kernel_none)
{
    struct control_hooks hooks = {
        .engine = negotiator->runner.engine,
        .udp = udp_counts(negotiator->runner.udp),
        .kernel_none = kernel_none,
        .now_ms = on_control_now,
        .run = on_control_command,
        .reload = on_control_reload,
        .context = negotiator,
    };

    negotiator->runner.control = control_new(negotiator->base, fd, &hooks);
    return negotiator->runner.control != NULL;
}

/* --- The channel --- */

static bool take_socket(struct negotiator *negotiator, int fd, const struct ipc_socket *description,
                        bool kernel_none)
{
    if (description->role == IPC_ROLE_UDP)
        return udp_add(negotiator->runner.udp, fd, description);
    return open_control(negotiator, fd, kernel_none);
}

static bool on_hello(struct negotiator *negotiator, const struct ipc_hello *hello, const int *fds,
                     size_t fd_count)
{
    if (hello->socket_count != fd_count || negotiator->runner.control != NULL)
        return false;
    log_set_level(hello->log_level);
    engine_set_debug(negotiator->runner.engine, hello->log_level == SEVERITY_DEBUG);
    for (size_t i = 0; i < fd_count; i++)
        if (!take_socket(negotiator, fds[i], &hello->sockets[i], hello->kernel_none))
            return false;
    return true;
}

static bool on_datagram(void *context, struct slice datagram, const int *fds, size_t fd_count)
{
    struct negotiator *negotiator = context;
    struct reader reader = reader_of(datagram);
    struct ipc_message message;
    bool good = true;

    while (good && reader_left(&reader) > 0) {
        good = ipc_decode(&reader, IPC_KEEPER, &message);
        if (good && message.kind == IPC_HELLO)
            good = on_hello(negotiator, &message.hello, fds, fd_count);
        else if (good)
            good = handlers[message.kind](negotiator, &message);
        ipc_message_free(&message);
    }
    runner_drain(&negotiator->runner);
    return good;
}

static void on_closed(void *context, const char *why)
{
    (void)why;
    leave(context, EXIT_FAILURE);
}

/* --- Packets --- */

static void on_packet(void *context, const struct datagram *datagram)
{
    struct negotiator *negotiator = context;

    engine_packet(negotiator->runner.engine, datagram, clock_now_ms());
}

static void on_drained(void *context)
{
    struct negotiator *negotiator = context;

    runner_drain(&negotiator->runner);
}

/* --- Life --- */

static void kernel_random(uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(to, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            _exit(EXIT_FAILURE); /* never go on with octets that are not random */
        to += got;
        size -= (size_t)got;
    }
}

/* SPIs and what spreads times: many for one call, since each costs as much as all.  What is to be
 * kept secret is longer, and never lies here. */
#define SPARE_OCTETS 256
#define SPARE_MAX    8 /* for one */

struct spare {
    uint8_t octets[SPARE_OCTETS];
    size_t left;
};

static void random_octets(void *context, void *to, size_t size)
{
    static struct spare spare;

    (void)context;
    if (size > SPARE_MAX)
        return kernel_random(to, size);
    if (spare.left < size) {
        kernel_random(spare.octets, sizeof(spare.octets));
        spare.left = sizeof(spare.octets);
    }
    spare.left -= size;
    memcpy(to, spare.octets + spare.left, size);
    memset(spare.octets + spare.left, 0, size);
}

/* Lines wait for the next flush, or leave at once when nothing else would flush them. */
static void log_to_keeper(void *context, enum severity severity, const char *text)
{
    struct negotiator *negotiator = context;
    struct ipc_message message = {.kind = IPC_LOG, .log.severity = (uint8_t)severity};

    ipc_text(message.log.text, sizeof(message.log.text), text);
    if (channel_put(negotiator->runner.channel, &message) && !negotiator->runner.draining)
        channel_flush(negotiator->runner.channel);
}

static bool make_parts(struct negotiator *negotiator)
{
    struct runner *runner = &negotiator->runner;
    struct channel_hooks channel_hooks = {
        .received = on_datagram, .closed = on_closed, .context = negotiator};
    struct udp_hooks udp_hooks = {
        .packet = on_packet, .drained = on_drained, .context = negotiator};
    struct engine_options engine_options = {.random = random_octets};

    runner->own_result = on_own_result;
    runner->context = negotiator;
    negotiator->base = event_base_new();
    runner->crypto = engine_options.crypto = crypto_new();
    if (negotiator->base == NULL || runner->crypto == NULL)
        return false;
    runner->channel = channel_new(negotiator->base, PROCESS_CHANNEL_FD, &channel_hooks);
    runner->udp = udp_new(negotiator->base, &udp_hooks);
    runner->engine = engine_new(&engine_options, clock_now_ms());
    return runner->channel != NULL && runner->udp != NULL && runner->engine != NULL &&
           runner_init(runner, negotiator->base);
}

static void free_parts(struct negotiator *negotiator)
{
    struct runner *runner = &negotiator->runner;

    log_open(LOG_TO_STDERR);
    control_free(runner->control);
    engine_free(runner->engine);
    udp_free(runner->udp);
    channel_free(runner->channel);
    runner_free(runner);
    crypto_free(runner->crypto);
    arriving_free(&negotiator->arriving);
    free(negotiator->changes);
    if (negotiator->base != NULL)
        event_base_free(negotiator->base);
}

/* Terminals send these to all processes of a job, but it is the keeper who decides.  Past a limit
 * of its sandbox a call fails, which is no reason to die. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_IGN);
}

static bool enter_cage(const struct options *options)
{
    struct sandbox sandbox = {
        .run_dir = options->run_dir, .uid = options->uid, .gid = options->gid};
    struct reason reason = {0};

    /* From here on words go through the channel: stderr could be a file. */
    if (dup2(STDIN_FILENO, STDERR_FILENO) >= 0 && sandbox_enter(&sandbox, &reason) == STATUS_OK)
        return true;
    log_line(SEVERITY_ERROR, "%s", reason.text);
    return false;
}

int negotiator_run(const struct options *options)
{
    struct negotiator negotiator = {.status = EXIT_FAILURE};

    ignore_signals();
    privilege_hide();
    sandbox_close_from(PROCESS_CHANNEL_FD + 1);
    if (make_parts(&negotiator)) {
        log_divert(log_to_keeper, &negotiator);
        if (enter_cage(options))
            event_base_dispatch(negotiator.base);
        channel_linger(negotiator.runner.channel, LINGER_MS);
    } else {
        log_line(SEVERITY_ERROR, "the negotiator has no memory, or OpenSSL is unusable");
    }
    free_parts(&negotiator);
    return negotiator.status;
}
