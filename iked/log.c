/*
 * Log lines: see log.h.
 */
#include "iked/log.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "iked/clock.h"

static const struct {
    const char *prefix;
    int priority;
} severities[] = {
    [SEVERITY_DEBUG] = {"debug: ", LOG_DEBUG},
    [SEVERITY_INFO] = {"", LOG_INFO},
    [SEVERITY_WARNING] = {"warning: ", LOG_WARNING},
    [SEVERITY_ERROR] = {"error: ", LOG_ERR},
};

static enum log_place place = LOG_TO_STDERR;
static enum severity level = SEVERITY_INFO;
static void (*divert_sink)(void *context, enum severity severity, const char *text);
static void *divert_context;

void log_open(enum log_place to)
{
    place = to;
    divert_sink = NULL;
    if (place == LOG_TO_SYSLOG)
        openlog("iked", LOG_NDELAY | LOG_PID, LOG_DAEMON);
}

void log_divert(void (*sink)(void *context, enum severity severity, const char *text),
                void *context)
{
    divert_sink = sink;
    divert_context = context;
}

void log_set_level(enum severity least)
{
    level = least;
}

enum severity log_level(void)
{
    return level;
}

/* One write per line, so that lines of two processes do not mix. */
static void write_stderr(const char *prefix, const char *text)
{
    char line[LOG_TEXT_MAX + 32];
    int size = snprintf(line, sizeof(line), "iked: %s%s\n", prefix, text);

    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
        return; /* nobody is left to be told */
}

static void write_line(enum severity severity, const char *text)
{
    if (divert_sink != NULL)
        divert_sink(divert_context, severity, text);
    else if (place == LOG_TO_SYSLOG)
        syslog(severities[severity].priority, "%s%s", severities[severity].prefix, text);
    else
        write_stderr(severities[severity].prefix, text);
}

/* Somebody who makes us say much must not fill the disk. */
static bool is_too_much(void)
{
    static uint64_t second;
    static unsigned lines;
    uint64_t now = clock_now_ms() / 1000;
    char text[64];

    if (now != second && lines > LOG_LINES_MAX) {
        snprintf(text, sizeof(text), "%u lines were left out", lines - LOG_LINES_MAX);
        write_line(SEVERITY_WARNING, text);
    }
    if (now != second)
        lines = 0;
    second = now;
    return ++lines > LOG_LINES_MAX;
}

void log_line(enum severity severity, const char *format, ...)
{
    char text[LOG_TEXT_MAX];
    va_list arguments;

    if (severity < level || is_too_much())
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    write_line(severity, text);
}

void log_connection(enum severity severity, const char *connection, const char *text)
{
    log_line(severity, "%s%s%s", connection, connection[0] != '\0' ? ": " : "", text);
}
