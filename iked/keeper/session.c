/*
 * Negotiators and their configuration: see session.h.
 *
 *   begin    HELLO (sockets), configuration, ORPHAN events -> COMMIT -> requests, events
 *   reload   files -> what is new is installed -> configuration -> COMMIT, in time; the gate allows
 *            both until then
 *            no negotiator, or none that has taken the one before: the next one is given the newest
 *   death    SAs become orphans, policies stay, a new negotiator starts (with back-off)
 *   stop     SHUTDOWN -> BYE -> the end of the process
 */
#include "iked/keeper/session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iked/keeper/notify.h"
#include "iked/keeper/require.h"
#include "iked/keeper/saved.h"
#include "iked/keeper/upkeep.h"
#include "iked/process/clock.h"
#include "iked/process/log.h"
#include "iked/process/memory.h"
#include "iked/process/start.h"
#include "lib/policy/known.h"
#include "lib/policy/loss.h"

/* --- Configuration --- */

static void warn_of_config(const struct session *session)
{
    files_warn_unheld(&session->loaded);
    if (session->loaded.config->connection_count == 0)
        log_line(SEVERITY_WARNING, "there are no connections: nothing is protected");
}

/* Takes what was loaded; the one before stays good until the engine has the new one. */
static void use_config(struct session *session, struct loaded *loaded)
{
    session->before = session->loaded.config;
    if (session->before != NULL)
        config_inherit(loaded->config, session->before);
    session->loaded.config = NULL;
    loaded_free(&session->loaded);
    session->loaded = *loaded;
    vault_set(&session->service->vault, session->loaded.secrets);
    session->loaded.secrets = NULL;
    gate_time(&session->service->gate, clock_now_ms());
    gate_offer(&session->service->gate, session->loaded.config);
    session->generation++;
    warn_of_config(session);
}

static void give_config(struct session *session, const struct files *files,
                        struct ipc_config_end end)
{
    uint32_t ms =
        session->options->commit_ms != 0 ? session->options->commit_ms : SESSION_COMMIT_MS;
    struct timeval wait = clock_timeval(ms);

    end.generation = session->generation;
    notify_config(session->channel, files, &end);
    if (!end.dry_run)
        event_add(session->deadline, &wait);
}

static void refuse_reload(struct session *session, uint64_t number, const char *text)
{
    log_line(SEVERITY_ERROR, "not reloaded, the configuration stays as it was: %s", text);
    notify_refused(session->channel, number, text);
}

/* A file that was emptied, cut or mixed up is not to open the host. */
static bool refuse_loss(struct session *session, const struct config *config,
                        const struct ipc_reload *asked)
{
    char lost[CONFIG_ERROR_MAX];
    char text[CONFIG_ERROR_MAX + 64];

    if (asked->dry_run || asked->force || !config_loses_most(session->loaded.config, config, lost))
        return false;
    snprintf(text, sizeof(text), "%s; if that is meant, say \"ikectl reload --force\"", lost);
    refuse_reload(session, asked->number, text);
    return true;
}

static void forget_before(struct session *session)
{
    event_del(session->deadline);
    config_free(session->before);
    session->before = NULL;
}

/* Somebody has the newest configuration and is to say that he uses it. */
static bool is_under_way(const struct session *session)
{
    return session->pid > 0 &&
           (session->before != NULL || session->renewing || !session->service->committed);
}

/* Nobody is left who uses an older one: its policies go when the newest is in use. */
static void only_newest(struct session *session)
{
    gate_commit(&session->service->gate);
    forget_before(session);
}

/* Negotiators may die of what they are given: the next one is not to wait. */
static void begin_soon(struct session *session)
{
    struct timeval now = {0};

    only_newest(session);
    session->backoff_ms = SESSION_BACKOFF_MIN_MS;
    event_add(session->restart, &now);
    log_line(SEVERITY_WARNING, "no negotiator is there: the next one is given this configuration; "
                               "until it is in use, what was required before does not pass, "
                               "either, without an SA");
}

/* The texts are the same, so their meaning is: no file is sent, which says so.  All that a reload
 * does besides is done. */
static void renew(struct session *session, struct loaded *again, bool dry_run)
{
    if (dry_run)
        return;
    vault_set(&session->service->vault, again->secrets);
    again->secrets = NULL;
    session->generation++;
    session->renewing = session->pid > 0;
    warn_of_config(session);
    require_all(session->service, false);
}

static void reload(struct session *session, const struct ipc_reload *asked)
{
    struct ipc_config_end end = {
        .number = asked->number, .dry_run = asked->dry_run, .force = asked->force};
    char error[FILES_ERROR_MAX];
    struct loaded loaded;

    if (is_under_way(session)) {
        refuse_reload(session, asked->number,
                      "the last configuration is not in use yet: try again");
    } else if (!files_load_again(session->options->file, &session->loaded, &loaded, error)) {
        refuse_reload(session, asked->number, error);
    } else if (loaded.config == NULL) {
        end.secrets_changed = !secrets_equal(session->service->vault.secrets, loaded.secrets);
        renew(session, &loaded, asked->dry_run);
        if (session->pid > 0)
            give_config(session, &loaded.files, end);
        else
            begin_soon(session);
        loaded_free(&loaded);
    } else if (refuse_loss(session, loaded.config, asked)) {
        loaded_free(&loaded);
    } else {
        end.secrets_changed = !secrets_equal(session->service->vault.secrets, loaded.secrets);
        if (!asked->dry_run) {
            use_config(session, &loaded);
            require_all(session->service, false);
        }
        if (session->pid > 0)
            give_config(session, asked->dry_run ? &loaded.files : &session->loaded.files, end);
        else
            begin_soon(session);
        if (asked->dry_run)
            loaded_free(&loaded);
    }
}

void session_reload(struct session *session)
{
    session->reload_due = is_under_way(session);
    if (session->reload_due) {
        log_line(SEVERITY_INFO, "the last configuration is not in use yet: the files are read anew "
                                "as soon as it is, or its negotiator has ended");
        return;
    }
    log_line(SEVERITY_INFO, "reading the configuration anew");
    reload(session, &(struct ipc_reload){0});
    notify_flush(session->channel);
}

/* --- Addresses and names --- */

void session_addresses(struct session *session)
{
    session->addresses_due = !session->service->committed;
    if (session->addresses_due)
        return;
    notify_event(session->channel, &(struct kernel_event){.kind = KERNEL_ADDRESSES});
    notify_flush(session->channel);
}

/* Not one of the service's requests: it takes its time, and touches neither kernel nor vault. */
static void resolve(struct session *session, const struct effect *effect)
{
    struct answer answer = {.kind = EFFECT_RESOLVE,
                            .ticket = effect->ticket,
                            .connection = effect->resolve.connection,
                            .status = STATUS_FAIL};

    if (gate_check(&session->service->gate, effect, clock_now_ms(), &answer.reason) == STATUS_OK)
        names_ask(session->names, effect);
    else
        notify_answer(session->channel, &answer);
}

/* The gate lets SAs go there from now on, in both configurations. */
static void on_resolved(void *context, struct answer *answer)
{
    struct session *session = context;
    struct config *configs[] = {session->loaded.config, session->before};

    for (size_t i = 0; i < 2; i++)
        if (configs[i] != NULL)
            service_learn(session->service, configs[i], answer);
    require_of(session->service, &answer->connection);
    notify_answer(session->channel, answer);
    notify_flush(session->channel);
}

/* --- What the negotiator says --- */

static bool on_effect(struct session *session, struct ipc_message *message)
{
    if (message->effect.kind == EFFECT_RESOLVE)
        resolve(session, &message->effect);
    else
        service_take(session->service, &message->effect, clock_now_ms());
    return true;
}

/* All files are read and sent for a message of a few octets: only one of those that come together
 * is carried out. */
static bool on_reload(struct session *session, struct ipc_message *message)
{
    if (session->reloads++ == 0)
        reload(session, &message->reload);
    else
        refuse_reload(session, message->reload.number, "another one is under way: try again");
    return true;
}

/* For a start that fails (fallback.h). */
static void save(struct session *session)
{
    const struct options *options = session->options;
    char error[FILES_ERROR_MAX];

    if (options->state_dir == NULL || options->kernel == OPTIONS_KERNEL_NONE ||
        session->saved == session->generation)
        return;
    session->saved = session->generation;
    if (!saved_write(options->state_dir, options->file, &session->loaded.files, error))
        log_line(SEVERITY_WARNING, "the last good configuration is not kept: %s", error);
}

static bool on_commit(struct session *session, struct ipc_message *message)
{
    size_t count = session->loaded.config->connection_count;

    /* Once: what it costs here, the whole ledger is gone through. */
    if (message->commit != session->generation ||
        (session->service->committed && session->before == NULL && !session->renewing))
        return false;
    session->renewing = false;
    service_flush(session->service);
    upkeep_committed(session->service, clock_now_ms());
    if (session->addresses_due)
        session_addresses(session);
    forget_before(session);
    save(session);
    memory_give_back();
    log_line(SEVERITY_INFO, "%zu connection%s configured", count, count == 1 ? "" : "s");
    if (!session->was_ready)
        session->hooks.ready(session->hooks.context);
    session->was_ready = true;
    if (session->reload_due)
        session_reload(session);
    return true;
}

static bool on_bye(struct session *session, struct ipc_message *message)
{
    (void)message;
    return session->stopping;
}

static bool on_log(struct session *session, struct ipc_message *message)
{
    (void)session;
    log_line(message->log.severity, "%s", message->log.text);
    return true;
}

static bool (*const handlers[IPC_KIND_COUNT])(struct session *session,
                                              struct ipc_message *message) = {
    [IPC_EFFECT] = on_effect, [IPC_RELOAD] = on_reload, [IPC_COMMIT] = on_commit,
    [IPC_BYE] = on_bye,       [IPC_LOG] = on_log,
};

static bool on_datagram(void *context, struct slice datagram, const int *fds, size_t fd_count)
{
    struct session *session = context;
    struct reader reader = reader_of(datagram);
    struct ipc_message message;
    bool good = fd_count == 0;

    session->reloads = 0;
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    while (good && reader_left(&reader) > 0) {
        good = ipc_decode(&reader, IPC_NEGOTIATOR, &message) &&
               handlers[message.kind](session, &message);
        ipc_message_free(&message);
    }
    service_flush(session->service);
    channel_flush(session->channel);
    return good;
}

static void on_closed(void *context, const char *why)
{
    struct timeval patience = clock_timeval(SESSION_LEAVING_MS);
    struct session *session = context;

    if (why != NULL)
        log_line(SEVERITY_ERROR, "the negotiator is cut off: %s", why);
    /* An honest one that closes its end is about to leave; SIGCHLD tells, in any case. */
    if (session->pid > 0 && why != NULL)
        kill(session->pid, SIGKILL);
    else if (session->pid > 0 && !session->stopping)
        event_add(session->patience, &patience);
}

/* --- Life of negotiators --- */

bool session_begin(struct session *session)
{
    struct channel_hooks hooks = {.received = on_datagram, .closed = on_closed, .context = session};
    struct reason reason = {0};
    int fd;

    session->started_ms = clock_now_ms();
    session->pid = process_start(session->options, PROCESS_NEGOTIATOR, &fd, &reason);
    if (session->pid < 0) {
        session->pid = 0;
        log_line(SEVERITY_ERROR, "%s", reason.text);
        return false;
    }
    session->channel = channel_new(session->base, fd, &hooks);
    if (session->channel == NULL ||
        !notify_hello(session->channel, session->sockets,
                      session->options->kernel == OPTIONS_KERNEL_NONE)) {
        log_line(SEVERITY_ERROR, "the negotiator cannot be talked to");
        kill(session->pid, SIGKILL); /* session_reap sees its end */
        return true;
    }
    give_config(session, &session->loaded.files, (struct ipc_config_end){0});
    upkeep_tell_orphans(session->service);
    channel_flush(session->channel);
    return true;
}

/* What the operator has taken back is not to hold because a negotiator holds on to it; the next one
 * is given the newest alone. */
static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    struct session *session = context;

    (void)fd;
    (void)what;
    if (session->pid == 0 || session->stopping)
        return;
    log_line(SEVERITY_ERROR, "the negotiator does not take the configuration: it is replaced");
    only_newest(session);
    kill(session->pid, SIGKILL);
}

static void schedule_restart(struct session *session)
{
    bool steady = clock_now_ms() - session->started_ms >= SESSION_STEADY_MS;
    uint64_t wait_ms = steady ? 0 : session->backoff_ms;
    struct timeval wait = clock_timeval(wait_ms);

    session->backoff_ms = wait_ms == 0 ? SESSION_BACKOFF_MIN_MS : wait_ms * 2;
    if (session->backoff_ms > SESSION_BACKOFF_MAX_MS)
        session->backoff_ms = SESSION_BACKOFF_MAX_MS;
    event_add(session->restart, &wait);
}

/* What stands in its way may pass, and policies stay meanwhile. */
static void on_restart(evutil_socket_t fd, short what, void *context)
{
    struct session *session = context;

    (void)fd;
    (void)what;
    if (!session_begin(session))
        schedule_restart(session);
}

/* The negotiators after it are given the newest configuration alone. */
static void on_failure(struct session *session)
{
    bool in_use = session->service->committed && session->before == NULL;

    only_newest(session);
    upkeep_session_over(session->service, clock_now_ms());
    if (!in_use && session->was_ready)
        log_line(SEVERITY_WARNING, "the newest configuration is not in use: no negotiator has "
                                   "taken it yet; what it requires, and what was required before, "
                                   "does not pass without an SA");
    if (!session->was_ready)
        return session->hooks.over(session->hooks.context, EXIT_FAILURE);
    schedule_restart(session);
    if (session->reload_due)
        session_reload(session);
}

static void on_death(struct session *session, int status)
{
    char text[160];

    session->pid = 0;
    event_del(session->deadline);
    event_del(session->patience);
    names_forget(session->names);
    if (session->channel != NULL)
        channel_drain(session->channel);
    channel_free(session->channel);
    session->channel = NULL;
    if (session->stopping)
        return session->hooks.over(session->hooks.context, EXIT_SUCCESS);
    log_line(SEVERITY_ERROR, "the negotiator %s", process_end_text(status, text, sizeof(text)));
    on_failure(session);
}

void session_reap(struct session *session)
{
    int status;

    names_reap(session->names);
    if (session->pid > 0 && waitpid(session->pid, &status, WNOHANG) == session->pid)
        on_death(session, status);
}

void session_stop(struct session *session)
{
    struct timeval patience = clock_timeval(SESSION_SHUTDOWN_MS);
    bool again = session->stopping;

    session->stopping = true;
    if (again || session->pid == 0) {
        if (session->pid > 0)
            kill(session->pid, SIGKILL);
        return session->hooks.over(session->hooks.context, EXIT_SUCCESS);
    }
    log_line(SEVERITY_INFO, "stopping");
    event_add(session->patience, &patience);
    notify_shutdown(session->channel);
    notify_flush(session->channel);
}

static void on_patience(evutil_socket_t fd, short what, void *context)
{
    struct session *session = context;

    (void)fd;
    (void)what;
    log_line(SEVERITY_WARNING, "the negotiator does not come to an end");
    if (session->pid > 0)
        kill(session->pid, SIGKILL);
}

bool session_init(struct session *session, struct loaded *loaded)
{
    struct names_hooks hooks = {.answer = on_resolved, .context = session};

    use_config(session, loaded);
    session->names = names_new(session->base, session->options, &hooks);
    session->restart = event_new(session->base, -1, 0, on_restart, session);
    session->patience = event_new(session->base, -1, 0, on_patience, session);
    session->deadline = event_new(session->base, -1, 0, on_deadline, session);
    return session->names != NULL && session->restart != NULL && session->patience != NULL &&
           session->deadline != NULL;
}

void session_free(struct session *session)
{
    if (session->restart != NULL)
        event_free(session->restart);
    if (session->patience != NULL)
        event_free(session->patience);
    if (session->deadline != NULL)
        event_free(session->deadline);
    names_free(session->names);
    channel_free(session->channel);
    config_free(session->before);
    loaded_free(&session->loaded);
}
