/*
 * Log lines: see log.h.
 */
#include "iked/process/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "iked/process/clock.h"

#define LOG_TIME_MAX 32

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

/* The journal names itself as "DEVICE:INODE"; children of a service may have another stderr. */
static bool stderr_is_journal(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    struct stat stream;
    char name[64];

    if (journal == NULL || fstat(STDERR_FILENO, &stream) != 0)
        return false;
    snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)stream.st_dev, (uintmax_t)stream.st_ino);
    return strcmp(journal, name) == 0;
}

void log_open(enum log_place to)
{
    place = to == LOG_TO_STDERR_TIMED && stderr_is_journal() ? LOG_TO_STDERR : to;
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

/* "HH:MM:SS.mmm ", or nothing where lines are not timed. */
static void time_of_day(char text[LOG_TIME_MAX])
{
    struct timespec now;
    struct tm local;

    text[0] = '\0';
    if (place != LOG_TO_STDERR_TIMED || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        localtime_r(&now.tv_sec, &local) == NULL)
        return;
    size_t size = strftime(text, LOG_TIME_MAX, "%T", &local);
    snprintf(text + size, LOG_TIME_MAX - size, ".%03u ", (unsigned)(now.tv_nsec / 1000000));
}

/* One write per line, so that lines of two processes do not mix. */
static void write_stderr(const char *prefix, const char *text)
{
    char when[LOG_TIME_MAX];
    char line[LOG_TIME_MAX + LOG_TEXT_MAX + 32];

    time_of_day(when);
    int size = snprintf(line, sizeof(line), "%siked: %s%s\n", when, prefix, text);

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
