/*
 * The negotiators, one after the other: starting them, hearing them, outliving them; and which
 * configuration they are given.
 *
 * A session is one negotiator's life.  It begins with HELLO, the configuration and the orphans of
 * the session before, is under way from its first COMMIT on, and ends with the process: then the
 * next one starts, after a wait that grows when they die young.  Who does not commit to what it was
 * given in time is ended, and the configuration before is good no more.
 * Not here: signals, the host (keeper.h), what is carried out for it (service.h, upkeep.h,
 * names.h).
 */
#ifndef IKED_KEEPER_SESSION_H
#define IKED_KEEPER_SESSION_H

#include <event2/event.h>

#include "iked/keeper/files.h"
#include "iked/keeper/names.h"
#include "iked/keeper/service.h"
#include "iked/keeper/sockets.h"
#include "iked/process/channel.h"
#include "iked/process/options.h"

#define SESSION_SHUTDOWN_MS    3000 /* for the negotiator's goodbyes */
#define SESSION_LEAVING_MS     1000 /* for one that has closed its end to leave by itself */
#define SESSION_BACKOFF_MIN_MS 100
#define SESSION_BACKOFF_MAX_MS 10000
#define SESSION_COMMIT_MS      GATE_COMMIT_MS
#define SESSION_STEADY_MS      60000 /* who lived this long is started anew at once */

struct session_hooks {
    /* The first negotiator runs the configuration. */
    void (*ready)(void *context);
    /* There will be no other negotiator: the keeper leaves with this exit status. */
    void (*over)(void *context, int status);
    void *context;
};

struct session {
    struct session_hooks hooks;
    const struct options *options; /* borrowed, as the next three */
    struct event_base *base;
    struct service *service;
    const struct sockets *sockets;
    struct names *names;
    bool renewing;           /* the negotiator was told that the configuration is the same */
    struct event *restart;   /* the back-off is over */
    struct event *patience;  /* a shutdown, or its leaving, takes too long */
    struct event *deadline;  /* a configuration is not taken in time */
    struct loaded loaded;    /* the newest configuration; secrets are in the vault */
    struct config *before;   /* good until the newest is committed, or NULL */
    uint32_t generation;     /* of the newest */
    uint32_t saved;          /* the one that is on disk (saved.h) */
    struct channel *channel; /* NULL: no negotiator */
    pid_t pid;               /* 0: no negotiator */
    uint64_t started_ms;
    uint64_t backoff_ms;
    size_t reloads; /* asked for in the datagram that is read */
    bool was_ready;
    bool reload_due;    /* the operator asked when the newest was not in use yet */
    bool addresses_due; /* they changed while the engine had no configuration */
    bool stopping;
};

/* To be called with the hooks and what is borrowed set, all else zero.  Takes `loaded`, the first
 * configuration.  False when memory is out; session_free either way. */
MUST_USE bool session_init(struct session *session, struct loaded *loaded);
void session_free(struct session *session);

/* Starts the first negotiator.  False after a line in the log, when there is no process for it. */
MUST_USE bool session_begin(struct session *session);

/* Reads the files anew, because the operator said so. */
void session_reload(struct session *session);

/* This host's addresses or routes have changed. */
void session_addresses(struct session *session);

/* A child of the process has ended, perhaps one of the session's. */
void session_reap(struct session *session);

/* Tells the negotiator to say its goodbyes; `over` follows.  Asked a second time, or with nobody to
 * say goodbye, at once. */
void session_stop(struct session *session);

#endif
