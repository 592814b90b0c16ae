/*
 * From a file's text to libconfig's tree, and what libconfig would let pass on the way.
 *
 * libconfig 1.5 opens files by itself for @include and cuts integers to 32 bits without a word;
 * newer versions differ.  So both are refused before it sees the text, with our own small look at
 * strings, comments, names and numbers.  All else is libconfig's to read.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/secret.h"
#include "lib/policy/setting.h"

#define TEXT_MAX  (64u << 20)
#define QUOTE_MAX 60 /* of a line, in a fault */

/* --- Ruling out --- */

struct scan {
    const char *at; /* NUL-terminated */
    unsigned line;
};

/* Moves past the first `stop`, minding escapes in strings.  False at the end: there is none. */
static bool scan_past(struct scan *scan, const char *stop, bool escapes)
{
    size_t length = strlen(stop);

    while (*scan->at != '\0' && strncmp(scan->at, stop, length) != 0) {
        if (escapes && scan->at[0] == '\\' && scan->at[1] != '\0')
            scan->at++;
        if (*scan->at == '\n')
            scan->line++;
        scan->at++;
    }
    if (*scan->at == '\0')
        return false;
    if (stop[0] == '\n')
        scan->line++;
    scan->at += length;
    return true;
}

/* Names hold digits and hyphens that are no numbers. */
static void scan_name(struct scan *scan)
{
    while (isalnum((unsigned char)*scan->at) || (*scan->at != '\0' && strchr("-_*", *scan->at)))
        scan->at++;
}

static bool scan_number(struct reading *reading, struct scan *scan)
{
    const char *start = scan->at;
    bool hex = start[0] == '0' && (start[1] == 'x' || start[1] == 'X');
    char *end;
    unsigned long long value = strtoull(start, &end, hex ? 16 : 10);

    scan->at = end;
    if (*end == 'L' || (!hex && *end != '\0' && strchr(".eE", *end) != NULL)) {
        scan_name(scan);
        return true;
    }
    if (value <= INT_MAX)
        return true;
    if (reading->secret)
        return reading_fault(reading, scan->line, "a number beyond 32 bits; expected none");
    return reading_fault(reading, scan->line,
                         "%.*s: does not fit 32 bits; expected an L behind it: %.*sL",
                         (int)(end - start), start, (int)(end - start), start);
}

/* libconfig includes when such a line begins outside of strings; we refuse it everywhere. */
static bool include_check(struct reading *reading, const char *text)
{
    unsigned line = 1;

    for (const char *at = text; at != NULL; at = strchr(at, '\n'), line++) {
        if (line > 1)
            at++;
        if (strncmp(at + strspn(at, " \t"), "@include", 8) == 0)
            return reading_fault(reading, line,
                                 "@include: not supported; expected files in conf.d instead");
    }
    return true;
}

/* libconfig forgets to free what it has read of such a string, which may be a secret. */
static bool unended_fault(struct reading *reading, const char *text, unsigned line)
{
    if (syntax_fault(reading, text, UINT_MAX))
        return false;
    return reading_fault(reading, line, "a string that is not ended; expected a second '\"'");
}

static bool numbers_check(struct reading *reading, const char *text)
{
    struct scan scan = {.at = text, .line = 1};

    while (*scan.at != '\0') {
        unsigned char c = (unsigned char)*scan.at;
        if (c == '"') {
            unsigned line = scan.line;
            scan.at++;
            if (!scan_past(&scan, "\"", true))
                return unended_fault(reading, text, line);
        } else if (c == '#' || (c == '/' && scan.at[1] == '/')) {
            (void)scan_past(&scan, "\n", false);
        } else if (c == '/' && scan.at[1] == '*') {
            (void)scan_past(&scan, "*/", false);
        } else if (isalpha(c) || c == '*') {
            scan_name(&scan);
        } else if (isdigit(c)) {
            if (!scan_number(reading, &scan))
                return false;
        } else {
            scan.line += c == '\n';
            scan.at++;
        }
    }
    return true;
}

/* --- Reading --- */

/* The n-th line without its blanks, for "what stood there". */
static struct slice line_of(const char *text, unsigned line)
{
    for (; line > 1 && strchr(text, '\n') != NULL; line--)
        text = strchr(text, '\n') + 1;
    text += strspn(text, " \t");
    return slice_of(text, strcspn(text, "\r\n"));
}

/* By the first word of what libconfig says. */
static const char *fault_expected(const char *what)
{
    static const struct {
        const char *what;
        const char *expected;
    } known[] = {
        {"duplicate ", "each name once in its group"},
        {"mismatched ", "values of one kind within [ ]"},
    };

    for (size_t i = 0; i < SETTING_LENGTH(known); i++)
        if (strncmp(what, known[i].what, strlen(known[i].what)) == 0)
            return known[i].expected;
    return "\"name = value;\" or \"name: { ... };\"";
}

static bool parse_fault(struct reading *reading, const config_t *parsed, const char *text)
{
    unsigned line = (unsigned)config_error_line(parsed);

    if (syntax_fault(reading, text, line))
        return false;
    struct slice stood = line_of(text, line);
    char quote[QUOTE_MAX + 16] = "";

    if (!reading->secret && stood.size > 0)
        snprintf(quote, sizeof(quote), " at \"%.*s%s\"",
                 (int)(stood.size > QUOTE_MAX ? QUOTE_MAX : stood.size), (const char *)stood.data,
                 stood.size > QUOTE_MAX ? "..." : "");
    /* Newer versions go on behind a comma. */
    const char *what = config_error_text(parsed);
    return reading_fault(reading, line, "%.*s%s; expected %s", (int)strcspn(what, ","), what, quote,
                         fault_expected(what));
}

bool reading_parse(struct reading *reading, struct slice text, config_t *parsed)
{
    SECRET_AUTO copy = {0};

    if (text.size > TEXT_MAX)
        return reading_fault(reading, 1, "%zu octets; expected at most %u", text.size, TEXT_MAX);
    if (!secret_new(&copy, text.size + 1))
        return reading_fault(reading, 1, "out of memory");
    if (text.size > 0)
        memcpy(copy.data, text.data, text.size);
    const char *string = (const char *)copy.data;
    if (strlen(string) < text.size) {
        unsigned line = 1;
        for (const char *at = string; *at != '\0'; at++)
            line += *at == '\n';
        return reading_fault(reading, line, "a NUL octet; expected text");
    }
    if (!include_check(reading, string) || !numbers_check(reading, string))
        return false;
    config_init(parsed);
    if (config_read_string(parsed, string))
        return true;
    parse_fault(reading, parsed, string);
    config_destroy(parsed);
    return false;
}
