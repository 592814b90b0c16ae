/*
 * ikectl: what its verbs share.
 *
 * A verb is a function of its own file or family and a row of the table in verbs.c.
 * Not here: talking to iked (client.h), columns (table.h).
 */
#ifndef IKECTL_IKECTL_H
#define IKECTL_IKECTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/status.h"

#define OUTPUT_WIDTH 98 /* columns that a table or list tries to keep to */

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_MISUSE = 2,
    EXIT_NO_DAEMON = 3,
};

struct ikectl {
    FILE *out;
    FILE *err;
    int fd;             /* a connected socket to use instead of `socket`; -1: none */
    const char *socket; /* path of the control socket */
    bool socket_given;  /* on the command line */
    bool json;
    bool dry_run;
    bool force;
};

/* Runs a whole command line; returns the exit status.  `ctl` has out, err, fd and the default
 * socket set. */
enum exit_status ikectl_run(struct ikectl *ctl, int argc, char **argv);

/* Verbs: `arguments` are what stands behind the verb, as many as its row allows. */
enum exit_status verb_show(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_up(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_down(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_rekey(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_reload(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_check(struct ikectl *ctl, int count, char **arguments);
enum exit_status verb_monitor(struct ikectl *ctl, int count, char **arguments);

/* "ikectl: ..." on err; returns `status`. */
enum exit_status complain(const struct ikectl *ctl, enum exit_status status, const char *format,
                          ...) PRINTF_LIKE(3, 4);

/* How it went, as one JSON object: {"done":true,"text":...} or {"done":false,"error":...}.  Returns
 * EXIT_DONE or EXIT_FAILED. */
enum exit_status print_outcome_json(const struct ikectl *ctl, bool done, const char *text);

#endif
