/*
 * The keeper's loop: see keeper.h.
 *
 *   start    files -> lock -> privileges -> kernel -> sockets -> adopt -> negotiator
 *   session  HELLO (sockets), configuration, ORPHAN events -> COMMIT -> requests, events
 *   reload   files -> configuration -> COMMIT; the gate allows both until then
 *   death    SAs become orphans, policies stay, a new negotiator starts (with back-off)
 *   stop     SHUTDOWN -> BYE -> SAs go, policies stay or go as configured
 */
#include "iked/keeper/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "iked/channel.h"
#include "iked/clock.h"
#include "iked/keeper/files.h"
#include "iked/keeper/names.h"
#include "iked/keeper/privilege.h"
#include "iked/keeper/process.h"
#include "iked/keeper/routes.h"
#include "iked/keeper/sockets.h"
#include "iked/keeper/upkeep.h"
#include "iked/keeper/watch.h"
#include "iked/log.h"

#define LARVAL_DROP "/proc/sys/net/core/xfrm_larval_drop"

enum keeper_event {
    ON_TERM,
    ON_INT,
    ON_HUP,
    ON_CHILD,
    ON_NOTICE,
    ON_TICK,
    ON_RESTART,  /* the back-off is over */
    ON_PATIENCE, /* a shutdown takes too long */
    EVENT_COUNT
};

struct keeper {
    struct options *options;
    void (*ready)(void);
    struct event_base *base;
    struct event *events[EVENT_COUNT];
    struct service service;
    struct routes *routes;
    struct watch *watch;
    struct sockets sockets;
    struct names *names;
    struct loaded loaded;    /* the newest configuration; secrets are in the vault */
    struct config *before;   /* good until the newest is committed, or NULL */
    uint32_t generation;     /* of the newest */
    struct channel *channel; /* NULL: no negotiator */
    pid_t pid;               /* 0: no negotiator */
    uint64_t started_ms;
    uint64_t backoff_ms;
    bool was_ready;
    bool addresses_due; /* they changed while the engine had no configuration */
    bool stopping;
    int status;
};

static void stop_loop(struct keeper *keeper, int status)
{
    keeper->status = status;
    event_base_loopbreak(keeper->base);
}

/* --- Telling the negotiator --- */

static void tell(struct keeper *keeper, struct ipc_message *message)
{
    if (keeper->channel != NULL && !channel_put(keeper->channel, message))
        log_line(SEVERITY_ERROR, "a message of kind %s cannot be told to the negotiator",
                 ipc_kind_name(message->kind));
}

static void tell_answer(void *context, struct answer *answer)
{
    struct ipc_message message = {.kind = IPC_ANSWER, .answer = *answer};

    tell(context, &message);
}

static void tell_event(void *context, const struct kernel_event *event)
{
    struct ipc_message message = {.kind = IPC_EVENT, .event = *event};

    tell(context, &message);
}

static void tell_trouble(void *context, const struct name *connection, const char *text)
{
    struct ipc_message message = {.kind = IPC_TROUBLE, .trouble.connection = *connection};

    ipc_text(message.trouble.text, sizeof(message.trouble.text), text);
    tell(context, &message);
}

static void tell_addresses(struct keeper *keeper)
{
    keeper->addresses_due = !keeper->service.committed;
    if (!keeper->addresses_due)
        tell_event(keeper, &(struct kernel_event){.kind = KERNEL_ADDRESSES});
}

static void tell_refused(struct keeper *keeper, uint64_t number, const char *text)
{
    struct ipc_message message = {.kind = IPC_REFUSED, .refused.number = number};

    log_line(SEVERITY_ERROR, "not reloaded, the configuration stays as it was: %s", text);
    ipc_text(message.refused.text, sizeof(message.refused.text), text);
    tell(keeper, &message);
}

static bool tell_hello(struct keeper *keeper)
{
    struct ipc_message message = {
        .kind = IPC_HELLO,
        .hello.kernel = (uint8_t)keeper->options->kernel,
        .hello.log_level = (uint8_t)log_level(),
        .hello.socket_count = (uint8_t)keeper->sockets.count,
    };

    memcpy(message.hello.sockets, keeper->sockets.descriptions, sizeof(message.hello.sockets));
    tell(keeper, &message);
    return channel_flush_with(keeper->channel, keeper->sockets.fds, keeper->sockets.count);
}

static void tell_file(struct keeper *keeper, const struct config_text *file)
{
    struct ipc_message message = {.kind = IPC_CONFIG_PART};
    size_t at = 0;

    ipc_text(message.config_part.path, sizeof(message.config_part.path), file->path);
    do {
        size_t size = file->text.size - at;
        size = size < IPC_CHUNK_MAX ? size : IPC_CHUNK_MAX;
        message.config_part.text = slice_of(file->text.data + at, size);
        at += size;
        message.config_part.last = at == file->text.size;
        tell(keeper, &message);
    } while (!message.config_part.last);
}

static void tell_config(struct keeper *keeper, const struct files *files, uint64_t number,
                        bool dry_run)
{
    struct ipc_message message = {
        .kind = IPC_CONFIG_END,
        .config_end = {.generation = keeper->generation, .number = number, .dry_run = dry_run},
    };

    for (size_t i = 0; i < files->count; i++)
        tell_file(keeper, &files->texts[i]);
    tell(keeper, &message);
}

/* --- Configuration --- */

/* Takes what was loaded; the one before stays good until the engine has the new one. */
static void use_config(struct keeper *keeper, struct loaded *loaded)
{
    keeper->before = keeper->loaded.config;
    if (keeper->before != NULL)
        config_inherit(loaded->config, keeper->before);
    keeper->loaded.config = NULL;
    loaded_free(&keeper->loaded);
    keeper->loaded = *loaded;
    vault_set(&keeper->service.vault, keeper->loaded.secrets);
    keeper->loaded.secrets = NULL;
    gate_offer(&keeper->service.gate, keeper->loaded.config);
    keeper->generation++;
}

static void reload(struct keeper *keeper, uint64_t number, bool dry_run)
{
    char error[FILES_ERROR_MAX];
    struct loaded loaded;

    if (keeper->before != NULL || !keeper->service.committed) {
        tell_refused(keeper, number, "the last configuration is not in use yet: try again");
    } else if (!files_load(keeper->options->file, &loaded, error)) {
        tell_refused(keeper, number, error);
    } else if (dry_run) {
        tell_config(keeper, &loaded.files, number, true);
        loaded_free(&loaded);
    } else {
        use_config(keeper, &loaded);
        tell_config(keeper, &keeper->loaded.files, number, false);
    }
}

/* --- What the negotiator says --- */

/* Not one of the service's requests: it takes its time, and touches neither kernel nor vault. */
static void resolve(struct keeper *keeper, const struct effect *effect)
{
    struct answer answer = {.kind = EFFECT_RESOLVE,
                            .ticket = effect->ticket,
                            .connection = effect->resolve.connection,
                            .status = STATUS_FAIL};

    if (gate_check(&keeper->service.gate, effect, clock_now_ms(), &answer.reason) == STATUS_OK)
        names_ask(keeper->names, effect);
    else
        tell_answer(keeper, &answer);
}

/* The gate lets SAs go there from now on, in both configurations. */
static void on_resolved(void *context, struct answer *answer)
{
    struct keeper *keeper = context;
    struct config *configs[] = {keeper->loaded.config, keeper->before};

    for (size_t i = 0; i < 2; i++)
        if (configs[i] != NULL)
            service_learn(&keeper->service, configs[i], answer);
    tell_answer(keeper, answer);
    if (keeper->channel != NULL)
        channel_flush(keeper->channel);
}

static bool on_effect(struct keeper *keeper, struct ipc_message *message)
{
    if (message->effect.kind == EFFECT_RESOLVE) {
        resolve(keeper, &message->effect);
        return true;
    }
    service_take(&keeper->service, &message->effect, clock_now_ms());
    return true;
}

static bool on_reload(struct keeper *keeper, struct ipc_message *message)
{
    reload(keeper, message->reload.number, message->reload.dry_run);
    return true;
}

static bool on_commit(struct keeper *keeper, struct ipc_message *message)
{
    if (message->commit != keeper->generation)
        return false;
    service_flush(&keeper->service);
    upkeep_committed(&keeper->service, clock_now_ms());
    if (keeper->addresses_due)
        tell_addresses(keeper);
    config_free(keeper->before);
    keeper->before = NULL;
    log_line(SEVERITY_INFO, "%zu connection%s configured", keeper->loaded.config->connection_count,
             keeper->loaded.config->connection_count == 1 ? "" : "s");
    if (!keeper->was_ready && keeper->ready != NULL)
        keeper->ready();
    keeper->was_ready = true;
    return true;
}

static bool on_bye(struct keeper *keeper, struct ipc_message *message)
{
    (void)message;
    return keeper->stopping;
}

static bool on_log(struct keeper *keeper, struct ipc_message *message)
{
    (void)keeper;
    log_line(message->log.severity, "%s", message->log.text);
    return true;
}

static bool (*const handlers[IPC_KIND_COUNT])(struct keeper *keeper,
                                              struct ipc_message *message) = {
    [IPC_EFFECT] = on_effect, [IPC_RELOAD] = on_reload, [IPC_COMMIT] = on_commit,
    [IPC_BYE] = on_bye,       [IPC_LOG] = on_log,
};

static bool on_datagram(void *context, struct slice datagram, const int *fds, size_t fd_count)
{
    struct keeper *keeper = context;
    struct reader reader = reader_of(datagram);
    struct ipc_message message;
    bool good = fd_count == 0;

    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    while (good && reader_left(&reader) > 0) {
        good = ipc_decode(&reader, IPC_NEGOTIATOR, &message) &&
               handlers[message.kind](keeper, &message);
        ipc_message_free(&message);
    }
    service_flush(&keeper->service);
    channel_flush(keeper->channel);
    return good;
}

static void on_closed(void *context, const char *why)
{
    struct keeper *keeper = context;

    if (why != NULL)
        log_line(SEVERITY_ERROR, "the negotiator is cut off: %s", why);
    /* An honest one that closes its end is about to leave; SIGCHLD tells, in any case. */
    if (keeper->pid > 0 && !(keeper->stopping && why == NULL))
        kill(keeper->pid, SIGKILL);
}

/* --- Life of negotiators --- */

static void start_negotiator(struct keeper *keeper)
{
    struct channel_hooks hooks = {.received = on_datagram, .closed = on_closed, .context = keeper};
    struct reason reason = {0};
    int fd;

    keeper->started_ms = clock_now_ms();
    keeper->pid = process_start(keeper->options, PROCESS_NEGOTIATOR, &fd, &reason);
    if (keeper->pid < 0) {
        keeper->pid = 0;
        log_line(SEVERITY_ERROR, "%s", reason.text);
        return stop_loop(keeper, EXIT_FAILURE);
    }
    keeper->channel = channel_new(keeper->base, fd, &hooks);
    if (keeper->channel == NULL || !tell_hello(keeper)) {
        log_line(SEVERITY_ERROR, "the negotiator cannot be talked to");
        kill(keeper->pid, SIGKILL);
        return;
    }
    tell_config(keeper, &keeper->loaded.files, 0, false);
    upkeep_tell_orphans(&keeper->service);
    channel_flush(keeper->channel);
}

static void schedule_restart(struct keeper *keeper)
{
    bool steady = clock_now_ms() - keeper->started_ms >= KEEPER_STEADY_MS;
    uint64_t wait_ms = steady ? 0 : keeper->backoff_ms;
    struct timeval wait = {
        .tv_sec = (time_t)(wait_ms / 1000),
        .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000),
    };

    keeper->backoff_ms = wait_ms == 0 ? KEEPER_BACKOFF_MIN_MS : wait_ms * 2;
    if (keeper->backoff_ms > KEEPER_BACKOFF_MAX_MS)
        keeper->backoff_ms = KEEPER_BACKOFF_MAX_MS;
    event_add(keeper->events[ON_RESTART], &wait);
}

static void on_death(struct keeper *keeper, int status)
{
    char text[160];

    keeper->pid = 0;
    names_forget(keeper->names);
    if (keeper->channel != NULL)
        channel_drain(keeper->channel);
    channel_free(keeper->channel);
    keeper->channel = NULL;
    if (keeper->stopping)
        return stop_loop(keeper, EXIT_SUCCESS);
    log_line(SEVERITY_ERROR, "the negotiator %s", process_end_text(status, text, sizeof(text)));
    upkeep_session_over(&keeper->service, clock_now_ms());
    if (keeper->was_ready)
        schedule_restart(keeper);
    else
        stop_loop(keeper, EXIT_FAILURE);
}

/* Asked to stop a second time, or with nobody to say goodbye, it stops at once. */
static void begin_stop(struct keeper *keeper)
{
    struct timeval patience = {.tv_sec = KEEPER_SHUTDOWN_MS / 1000,
                               .tv_usec = KEEPER_SHUTDOWN_MS % 1000 * 1000};
    struct ipc_message message = {.kind = IPC_SHUTDOWN};

    if (keeper->stopping || keeper->pid == 0) {
        keeper->stopping = true;
        if (keeper->pid > 0)
            kill(keeper->pid, SIGKILL);
        return stop_loop(keeper, EXIT_SUCCESS);
    }
    keeper->stopping = true;
    log_line(SEVERITY_INFO, "stopping");
    event_add(keeper->events[ON_PATIENCE], &patience);
    tell(keeper, &message);
    channel_flush(keeper->channel);
}

/* --- Events --- */

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    begin_stop(context);
}

static void on_hangup(evutil_socket_t number, short what, void *context)
{
    struct keeper *keeper = context;

    (void)number;
    (void)what;
    log_line(SEVERITY_INFO, "reading the configuration anew");
    reload(keeper, 0, false);
    tell_addresses(keeper);
    if (keeper->channel != NULL)
        channel_flush(keeper->channel);
}

static void on_child(evutil_socket_t number, short what, void *context)
{
    struct keeper *keeper = context;
    int status;

    (void)number;
    (void)what;
    (void)names_reap(keeper->names);
    if (keeper->pid > 0 && waitpid(keeper->pid, &status, WNOHANG) == keeper->pid)
        on_death(keeper, status);
}

static void on_notice(evutil_socket_t fd, short what, void *context)
{
    struct keeper *keeper = context;

    (void)fd;
    (void)what;
    upkeep_notices(&keeper->service, clock_now_ms());
    if (keeper->channel != NULL)
        channel_flush(keeper->channel);
}

static bool on_change(void *context)
{
    struct keeper *keeper = context;

    return routes_read_notices(keeper->routes);
}

static void on_rested(void *context)
{
    struct keeper *keeper = context;

    tell_addresses(keeper);
    if (keeper->channel != NULL)
        channel_flush(keeper->channel);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct keeper *keeper = context;

    (void)fd;
    (void)what;
    upkeep_tick(&keeper->service, clock_now_ms());
}

static void on_restart(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    start_negotiator(context);
}

static void on_patience(evutil_socket_t fd, short what, void *context)
{
    struct keeper *keeper = context;

    (void)fd;
    (void)what;
    log_line(SEVERITY_WARNING, "the negotiator does not come to an end");
    if (keeper->pid > 0)
        kill(keeper->pid, SIGKILL);
}

static bool make_events(struct keeper *keeper)
{
    const struct {
        int fd;
        short what;
        event_callback_fn callback;
        struct timeval *period;
    } rows[EVENT_COUNT] = {
        [ON_TERM] = {SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop_signal, NULL},
        [ON_INT] = {SIGINT, EV_SIGNAL | EV_PERSIST, on_stop_signal, NULL},
        [ON_HUP] = {SIGHUP, EV_SIGNAL | EV_PERSIST, on_hangup, NULL},
        [ON_CHILD] = {SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, NULL},
        [ON_NOTICE] = {keeper->service.kernel->ops->notice_fd(keeper->service.kernel),
                       EV_READ | EV_PERSIST, on_notice, NULL},
        [ON_TICK] = {-1, EV_PERSIST, on_tick, &(struct timeval){.tv_sec = 1}},
        [ON_RESTART] = {-1, 0, on_restart, NULL},
        [ON_PATIENCE] = {-1, 0, on_patience, NULL},
    };

    for (size_t i = 0; i < EVENT_COUNT; i++) {
        bool waits = rows[i].period != NULL || rows[i].fd >= 0;
        keeper->events[i] =
            event_new(keeper->base, rows[i].fd, rows[i].what, rows[i].callback, keeper);
        if (keeper->events[i] == NULL ||
            (waits && event_add(keeper->events[i], rows[i].period) != 0))
            return false;
    }
    return true;
}

/* --- Start and stop --- */

/* 1, the default: a packet that meets a policy without an SA is dropped and only raises an acquire.
 * 0: the kernel holds up to 100 packets per policy until the SA is there (net/xfrm/xfrm_policy.c,
 * xfrm_create_dummy_bundle), so that no traffic is lost.  Of this network namespace only. */
static void hold_packets(void)
{
    int fd = open(LARVAL_DROP, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "0\n", 2) != 2)
        log_line(SEVERITY_WARNING,
                 "%s: %s: packets that raise an SA are lost, not delayed until it is there",
                 LARVAL_DROP, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static enum status find_source(void *context, const struct address *remote,
                               struct address *source, struct reason *reason)
{
    struct keeper *keeper = context;

    return routes_find_source(keeper->routes, remote, source, reason);
}

static bool is_own_address(void *context, const struct address *address)
{
    struct keeper *keeper = context;

    return routes_is_own(keeper->routes, address);
}

static bool open_kernel(struct keeper *keeper, struct reason *reason)
{
    struct service_hooks hooks = {
        .answer = tell_answer,
        .event = tell_event,
        .trouble = tell_trouble,
        .find_source = find_source,
        .is_own_address = is_own_address,
        .context = keeper,
    };
    bool none = keeper->options->kernel == IPC_KERNEL_NONE;
    struct kernel *kernel = none ? kernel_none_new(reason) : kernel_xfrm_new(reason);

    if (kernel == NULL)
        return false;
    keeper->routes = routes_new(reason);
    if (keeper->routes == NULL) {
        kernel->ops->free(kernel);
        return false;
    }
    if (none)
        log_line(SEVERITY_WARNING, "--kernel=none: NOTHING IS PROTECTED, no SA and no policy will "
                                   "be installed");
    else
        hold_packets();
    if (service_init(&keeper->service, kernel, &hooks))
        return true;
    reason_set(reason, STATUS_FAIL, 0, "OpenSSL is unusable, or out of memory");
    return false;
}

static bool start(struct keeper *keeper, struct reason *reason)
{
    struct options *options = keeper->options;
    char error[FILES_ERROR_MAX];
    struct loaded loaded;

    if (geteuid() != 0) {
        reason_set(reason, STATUS_FAIL, 0, "iked must be started as root");
        return false;
    }
    if (!process_find_user(options, reason) ||
        !sockets_lock(&keeper->sockets, options->run_dir, reason) ||
        privilege_drop(reason) != STATUS_OK)
        return false;
    privilege_hide();
    if (!files_load(options->file, &loaded, error)) {
        /* As long as it is: the reason's text would cut it. */
        log_line(SEVERITY_ERROR, "%s", error);
        return false;
    }
    if (!open_kernel(keeper, reason)) {
        loaded_free(&loaded);
        return false;
    }
    use_config(keeper, &loaded);
    struct watch_hooks watch = {.read = on_change, .rested = on_rested, .context = keeper};
    keeper->base = event_base_new();
    if (keeper->base != NULL)
        keeper->watch = watch_new(keeper->base, routes_notice_fd(keeper->routes), &watch);
    if (keeper->watch != NULL)
        keeper->names = names_new(
            keeper->base, options,
            &(struct names_hooks){.answer = on_resolved, .context = keeper});
    if (keeper->names == NULL || !make_events(keeper)) {
        reason_set(reason, STATUS_FAIL, 0, "out of memory");
        return false;
    }
    if (!sockets_open(&keeper->sockets, options->kernel == IPC_KERNEL_XFRM, reason))
        return false;
    upkeep_adopt(&keeper->service, clock_now_ms());
    start_negotiator(keeper);
    return true;
}

static void clear(struct keeper *keeper)
{
    bool policies = keeper->loaded.config->daemon.clear_on_exit;

    upkeep_clear(&keeper->service, policies);
    if (keeper->options->kernel == IPC_KERNEL_NONE)
        return;
    log_line(SEVERITY_INFO, policies
                                ? "SAs and policies are removed: traffic passes in the clear"
                                : "SAs are removed, policies stay: what they protect stops until "
                                  "iked is back (daemon.on_exit = \"clear\" changes that)");
}

static void finish(struct keeper *keeper)
{
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (keeper->events[i] != NULL)
            event_free(keeper->events[i]);
    watch_free(keeper->watch);
    names_free(keeper->names);
    channel_free(keeper->channel);
    if (keeper->service.kernel != NULL)
        service_free(&keeper->service);
    routes_free(keeper->routes);
    sockets_close(&keeper->sockets);
    config_free(keeper->before);
    loaded_free(&keeper->loaded);
    if (keeper->base != NULL)
        event_base_free(keeper->base);
}

int keeper_run(struct options *options, void (*ready)(void))
{
    struct keeper keeper = {
        .options = options, .ready = ready, .status = EXIT_FAILURE, .sockets.lock_fd = -1};
    struct reason reason = {0};

    log_set_level(options->verbose ? SEVERITY_DEBUG : SEVERITY_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (start(&keeper, &reason)) {
        event_base_dispatch(keeper.base);
        if (keeper.stopping)
            clear(&keeper);
    } else if (reason.text[0] != '\0') {
        log_line(SEVERITY_ERROR, "%s", reason.text);
    }
    finish(&keeper);
    return keeper.status;
}
