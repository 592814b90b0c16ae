/*
 * Log lines: to stderr in the foreground, to syslog as a daemon, to the keeper from the negotiator.
 *
 * One line per thing that happened; every byte printable, because parts may come from peers.
 * Not here: what the engine reports (lib/sa/effect.h), the control socket's monitor.
 */
#ifndef IKED_PROCESS_LOG_H
#define IKED_PROCESS_LOG_H

#include <stdarg.h>

#include "lib/sa/effect.h"

#define LOG_TEXT_MAX  1024
#define LOG_LINES_MAX 10000 /* per second; the rest is only counted */

enum log_place { LOG_TO_STDERR, LOG_TO_STDERR_TIMED, LOG_TO_SYSLOG };

/* From now on lines go there; before it is called they go to stderr. Timed lines begin with the
 * local time of day, unless stderr is systemd's journal, which notes the time itself. */
void log_open(enum log_place place);

/* From now on lines go to `sink`, which gets one NUL-terminated line without a newline. */
void log_divert(void (*sink)(void *context, enum severity severity, const char *text),
                void *context);

/* Less severe lines are dropped; at first SEVERITY_INFO. */
void log_set_level(enum severity level);
enum severity log_level(void);

void log_line(enum severity severity, const char *format, ...) PRINTF_LIKE(2, 3);

/* "iked: <connection>: <text>", or without the connection when it is "". */
void log_connection(enum severity severity, const char *connection, const char *text);

#endif
