/*
 * The keeper's loop and its host: see keeper.h.
 *
 *   start    files -> lock -> privileges -> kernel -> sockets -> adopt -> what is required -> the
 *            first negotiator
 *   loop     signals, the kernel's notices, changes of addresses, a tick; the rest is session.h's
 *   stop     the session's end -> SAs go, policies stay or go as configured
 *   failure  at any point: what is required stays blocked, or not, as configured (fallback.h)
 */
#include "iked/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "iked/keeper/esp.h"
#include "iked/keeper/fallback.h"
#include "iked/keeper/notify.h"
#include "iked/keeper/require.h"
#include "iked/keeper/routes.h"
#include "iked/keeper/session.h"
#include "iked/keeper/upkeep.h"
#include "iked/keeper/watch.h"
#include "iked/keeper/xfrm/early.h"
#include "iked/process/clock.h"
#include "iked/process/log.h"
#include "iked/process/privilege.h"
#include "iked/process/start.h"

#define LARVAL_DROP "/proc/sys/net/core/xfrm_larval_drop"

enum keeper_event { ON_TERM, ON_INT, ON_HUP, ON_CHILD, ON_NOTICE, ON_TICK, EVENT_COUNT };

struct keeper {
    struct options *options;
    void (*ready)(void);
    struct event_base *base;
    struct event *events[EVENT_COUNT];
    struct early *early; /* until the kernel has it */
    struct service service;
    struct routes *routes;
    struct watch *watch;
    struct sockets sockets;
    struct session session;
    int status;
    bool failed; /* and what is to be said of it, and done, comes when all else is closed */
};

/* --- Hooks of the service's --- */

static void on_answer(void *context, struct answer *answer)
{
    struct keeper *keeper = context;

    notify_answer(keeper->session.channel, answer);
}

static void on_event(void *context, const struct kernel_event *event)
{
    struct keeper *keeper = context;

    notify_event(keeper->session.channel, event);
}

static void on_trouble(void *context, const struct name *connection, const char *text)
{
    struct keeper *keeper = context;

    notify_trouble(keeper->session.channel, connection, text);
}

static enum status find_source(void *context, const struct address *remote, struct address *source,
                               struct reason *reason)
{
    struct keeper *keeper = context;

    return routes_find_source(keeper->routes, remote, source, reason);
}

static bool is_own_address(void *context, const struct address *address)
{
    struct keeper *keeper = context;

    return routes_is_own(keeper->routes, address);
}

/* --- Hooks of the session's --- */

static void on_ready(void *context)
{
    struct keeper *keeper = context;

    if (keeper->ready != NULL)
        keeper->ready();
}

static void on_over(void *context, int status)
{
    struct keeper *keeper = context;

    keeper->status = status;
    event_base_loopbreak(keeper->base);
}

/* --- Events --- */

static void on_stop_signal(evutil_socket_t number, short what, void *context)
{
    struct keeper *keeper = context;

    (void)number;
    (void)what;
    session_stop(&keeper->session);
}

static void on_hangup(evutil_socket_t number, short what, void *context)
{
    struct keeper *keeper = context;

    (void)number;
    (void)what;
    session_reload(&keeper->session);
    session_addresses(&keeper->session);
}

static void on_child(evutil_socket_t number, short what, void *context)
{
    struct keeper *keeper = context;

    (void)number;
    (void)what;
    session_reap(&keeper->session);
}

static void on_notice(evutil_socket_t fd, short what, void *context)
{
    struct keeper *keeper = context;

    (void)fd;
    (void)what;
    upkeep_notices(&keeper->service, clock_now_ms());
    notify_flush(keeper->session.channel);
}

static bool on_change(void *context)
{
    struct keeper *keeper = context;

    return routes_read_notices(keeper->routes);
}

static void on_rested(void *context)
{
    struct keeper *keeper = context;

    session_addresses(&keeper->session);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
    struct keeper *keeper = context;

    (void)fd;
    (void)what;
    upkeep_tick(&keeper->service, clock_now_ms());
}

static bool make_events(struct keeper *keeper)
{
    struct timeval period = {.tv_sec = UPKEEP_PERIOD_S};
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
        [ON_TICK] = {-1, EV_PERSIST, on_tick, &period},
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

static bool open_kernel(struct keeper *keeper, struct reason *reason)
{
    struct service_hooks hooks = {
        .answer = on_answer,
        .event = on_event,
        .trouble = on_trouble,
        .find_source = find_source,
        .is_own_address = is_own_address,
        .context = keeper,
    };
    bool none = keeper->options->kernel == OPTIONS_KERNEL_NONE;
    struct kernel *kernel = none ? kernel_none_new(reason) : kernel_xfrm_new(keeper->early, reason);

    keeper->early = NULL;
    if (kernel == NULL)
        return false;
    if (getrandom(hooks.hash_key, sizeof(hooks.hash_key), 0) != sizeof(hooks.hash_key))
        log_line(SEVERITY_WARNING, "there is no randomness: %s", strerror(errno));
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

static bool open_session(struct keeper *keeper, struct loaded *loaded)
{
    keeper->base = event_base_new();
    keeper->session = (struct session){
        .hooks = {.ready = on_ready, .over = on_over, .context = keeper},
        .options = keeper->options,
        .base = keeper->base,
        .service = &keeper->service,
        .sockets = &keeper->sockets,
    };
    if (keeper->base != NULL)
        return session_init(&keeper->session, loaded);
    loaded_free(loaded);
    return false;
}

static bool open_events(struct keeper *keeper)
{
    struct watch_hooks hooks = {.read = on_change, .rested = on_rested, .context = keeper};

    keeper->watch = watch_new(keeper->base, routes_notice_fd(keeper->routes), &hooks);
    return keeper->watch != NULL && make_events(keeper);
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
        !sockets_lock(&keeper->sockets, options->run_dir, reason))
        return false;
    if (options->kernel == OPTIONS_KERNEL_XFRM)
        keeper->early = early_new();
    if (privilege_drop(reason) != STATUS_OK)
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
    if (options->kernel == OPTIONS_KERNEL_XFRM)
        esp_look(keeper->service.kernel, loaded.config);
    if (!open_session(keeper, &loaded) || !open_events(keeper)) {
        reason_set(reason, STATUS_FAIL, 0, "out of memory");
        return false;
    }
    if (!sockets_open(&keeper->sockets, options->kernel == OPTIONS_KERNEL_XFRM, reason))
        return false;
    upkeep_adopt(&keeper->service, clock_now_ms());
    require_all(&keeper->service, false);
    return session_begin(&keeper->session);
}

static void clear(struct keeper *keeper)
{
    bool policies = keeper->session.loaded.config->daemon.clear_on_exit;

    upkeep_clear(&keeper->service, policies);
    if (keeper->options->kernel == OPTIONS_KERNEL_NONE)
        return;
    log_line(SEVERITY_INFO, policies
                                ? "SAs and policies are removed: traffic passes in the clear"
                                : "SAs are removed, policies stay: what they protect stops until "
                                  "iked is back (daemon.on_exit = \"clear\" changes that)");
}

/* What it has installed goes only where the operator wants the host open; what it has not, because
 * it came not so far, is installed then.  Not where another iked runs: that one protects. */
static void keeper_fail(struct keeper *keeper)
{
    const struct config *config = keeper->session.loaded.config;

    if (keeper->sockets.taken || keeper->options->kernel == OPTIONS_KERNEL_NONE || geteuid() != 0)
        return;
    if (config != NULL && config->daemon.open_on_failure && keeper->service.kernel != NULL)
        upkeep_yield(&keeper->service);
    keeper->failed = true;
}

static void finish(struct keeper *keeper)
{
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (keeper->events[i] != NULL)
            event_free(keeper->events[i]);
    watch_free(keeper->watch);
    session_free(&keeper->session);
    if (keeper->service.kernel != NULL)
        service_free(&keeper->service);
    early_free(keeper->early);
    routes_free(keeper->routes);
    sockets_close(&keeper->sockets);
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
    bool started = start(&keeper, &reason);
    if (started)
        event_base_dispatch(keeper.base);
    else if (reason.text[0] != '\0')
        log_line(SEVERITY_ERROR, "%s", reason.text);
    if (started && keeper.session.stopping)
        clear(&keeper);
    else
        keeper_fail(&keeper);
    finish(&keeper);
    if (keeper.failed)
        fallback_run(options);
    return keeper.status;
}
