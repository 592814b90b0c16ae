/*
 * The control socket's server, in the negotiator: what ikectl and programs like it talk to.
 *
 * It accepts clients on a socket that the keeper opened, answers `show` by looking into the
 * engine, hands `up`, `down`, `rekey` and `reload` to the event loop, and streams reports to
 * monitors.  Everything runs in the caller's event_base; nothing here blocks, opens a file or needs
 * a right.
 * Not here: the messages themselves (lib/control), reading the configuration (the keeper).
 */
#ifndef IKED_NEGOTIATOR_CONTROL_H
#define IKED_NEGOTIATOR_CONTROL_H

#include "lib/engine/engine.h"

struct event_base;
struct control;
struct udp_counts;

#define CONTROL_CLIENTS_MAX   32       /* more are told so and let go */
#define CONTROL_WAITING_MAX   64       /* up, down, rekey, reload of one client at a time */
#define CONTROL_PENDING_PAUSE 262144   /* octets unread by a client: no more requests are taken */
#define CONTROL_PENDING_MAX   67108864 /* octets unread by a client: it is dropped */
#define CONTROL_STALL_S       60       /* a client with unread octets that reads none: dropped */

struct control_hooks {
    struct engine *engine;        /* outlives the server */
    const struct udp_counts *udp; /* the same; NULL: there are none */
    bool kernel_none;             /* what iked --kernel=none says to all */
    /* The time that the engine is called with. */
    uint64_t (*now_ms)(void *context);
    /* engine_command, then draining of the effects.  The result may come before it returns. */
    void (*run)(void *context, const struct command *command);
    /* Starts to read the configuration anew and to compare it with the running one; ends, now or
     * later, in control_reload_result with the same number.  dry_run: nothing is changed; force:
     * most connections may go. */
    void (*reload)(void *context, uint64_t number, bool dry_run, bool force);
    void *context;
};

/* Takes `listen_fd` (a listening, non-blocking Unix stream socket), also when it fails; copies
 * `hooks`.  NULL when memory is out.  The process ignores SIGPIPE. */
struct control *control_new(struct event_base *base, int listen_fd,
                            const struct control_hooks *hooks);
void control_free(struct control *control);

/* Passes a report on to every monitor. */
void control_report(struct control *control, const struct effect_report *report);

/* The outcome of a command.  The numbers that the server gives to commands and reloads have the
 * top bit clear; results of other numbers, and of clients that left, are ignored. */
void control_result(struct control *control, const struct effect_result *result);

/* What a command has come to, for who waits for its outcome. */
void control_progress(struct control *control, const struct effect_progress *progress);

/* The outcome of a reload.  `text`: on success what control_changes wrote, else the error line. */
void control_reload_result(struct control *control, uint64_t number, bool done, const char *text);

/* What a reload says: a line for each connection that `after` adds to, changes in or removes from
 * the engine's configuration, with the SAs that this closes, and how many stay as they are.
 * Call it before COMMAND_CONFIGURE.  The caller frees it; NULL when memory is out. */
char *control_changes(const struct engine *engine, const struct config *after,
                      bool secrets_changed);

#endif
