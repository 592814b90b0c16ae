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

#include "lib/base/hash.h"
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

/* A copy with a NUL behind it, once what libconfig would let pass is ruled out. */
static bool text_copy(struct reading *reading, struct slice text, struct secret *copy)
{
    if (text.size > TEXT_MAX)
        return reading_fault(reading, 1, "%zu octets; expected at most %u", text.size, TEXT_MAX);
    if (!secret_new(copy, text.size + 1))
        return reading_fault(reading, 1, "out of memory");
    if (text.size > 0)
        memcpy(copy->data, text.data, text.size);
    const char *string = (const char *)copy->data;
    if (strlen(string) < text.size) {
        unsigned line = 1;
        for (const char *at = string; *at != '\0'; at++)
            line += *at == '\n';
        return reading_fault(reading, line, "a NUL octet; expected text");
    }
    return include_check(reading, string) && numbers_check(reading, string);
}

static bool string_parse(struct reading *reading, const char *string, config_t *parsed)
{
    config_init(parsed);
    if (config_read_string(parsed, string))
        return true;
    parse_fault(reading, parsed, string);
    config_destroy(parsed);
    return false;
}

bool reading_parse(struct reading *reading, struct slice text, config_t *parsed)
{
    SECRET_AUTO copy = {0};

    return text_copy(reading, text, &copy) &&
           string_parse(reading, (const char *)copy.data, parsed);
}

/* --- Reading in parts --- */

#define PART_SIZE 2048         /* octets; so few members that libconfig finds one at once */
#define WHOLE_MAX (256u << 10) /* octets; so few members that it can still look through all */

static const char *file_text(const struct file_tree *file)
{
    return (const char *)file->copy.data;
}

/* The caller owns `parsed` in any case: after a fault it has what stands before. */
static bool part_parse(const struct file_tree *file, const struct part *part, config_t *parsed)
{
    char *end = (char *)file->copy.data + part->end;
    char behind = *end;

    *end = '\0';
    config_init(parsed);
    bool good = config_read_string(parsed, file_text(file) + part->start) != 0;
    *end = behind;
    return good;
}

/* A member that was met in a part. */
struct met {
    struct hash_node node;
    uint64_t key;
    struct part part;
    char name[];
};

static uint64_t key_of_met(const void *context, const struct hash_node *node)
{
    (void)context;
    return HASH_OWNER(node, const struct met, node)->key;
}

/* Notes the members of a part; returns the one that has the name of an earlier one, NULL: none. */
static const struct met *part_note(struct hash_table *names, const struct part *part,
                                   const config_setting_t *members)
{
    static const uint8_t no_key[16] = {0};

    for (int i = 0; i < config_setting_length(members); i++) {
        const char *name = config_setting_name(config_setting_get_elem(members, (unsigned)i));
        uint64_t key = hash_keyed(no_key, slice_text(name));
        for (struct hash_node *node = hash_first(names, key); node != NULL; node = hash_next(node))
            if (strcmp(HASH_OWNER(node, struct met, node)->name, name) == 0)
                return HASH_OWNER(node, struct met, node);
        struct met *met = malloc(sizeof(*met) + strlen(name) + 1);
        if (met == NULL)
            continue;
        met->key = key;
        met->part = *part;
        strcpy(met->name, name);
        hash_insert(names, &met->node);
    }
    return NULL;
}

static void names_free(struct hash_table *names)
{
    struct hash_walk walk;

    hash_walk_begin(&walk, names);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        hash_remove(names, node);
        free(HASH_OWNER(node, struct met, node));
    }
    hash_walk_end(&walk);
    hash_free(names);
}

/* Goes on to the first part that libconfig refuses, or would behind an earlier one, which is put
 * into `earlier`.  False when there is none. */
static bool refused_part(const struct file_tree *file, struct part *part, struct part *earlier)
{
    struct hash_table names;
    bool refused = false;
    config_t parsed;

    if (!hash_init(&names, key_of_met, NULL))
        return false;
    while (!refused && part_next(&file->cut, PART_SIZE, part)) {
        bool good = part_parse(file, part, &parsed);
        const struct met *met = part_note(&names, part, config_root_setting(&parsed));
        if (met != NULL)
            *earlier = met->part;
        refused = !good || met != NULL;
        config_destroy(&parsed);
    }
    names_free(&names);
    return refused;
}

static void blank(char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (text[i] != '\n')
            text[i] = ' ';
}

/* libconfig says it of a text in which the parts that it has nothing against are blank. */
static void refused_tell(struct reading *reading, const struct file_tree *file, size_t good_end,
                         const struct part *earlier)
{
    SECRET_AUTO rest = {0};
    config_t parsed;

    if (!secret_copy(&rest, secret_slice(&file->copy))) {
        reading_fault(reading, 1, "out of memory");
        return;
    }
    blank((char *)rest.data, file->cut.start, earlier->start);
    blank((char *)rest.data, earlier->end, good_end);
    config_init(&parsed);
    if (config_read_string(&parsed, (const char *)rest.data))
        reading_fault(reading, 1, "out of memory");
    else
        parse_fault(reading, &parsed, file_text(file));
    config_destroy(&parsed);
}

bool file_refused(struct reading *reading, const struct file_tree *file)
{
    struct part part = part_none(&file->cut);
    struct part earlier = part;

    if (!refused_part(file, &part, &earlier))
        return false;
    refused_tell(reading, file, part.start, &earlier);
    return true;
}

/* The text without the parts; its lines are where they were. */
static bool frame_parse(struct reading *reading, struct file_tree *file)
{
    const char *text = file_text(file);
    const struct cut *cut = &file->cut;
    struct part none = part_none(cut);
    SECRET_AUTO frame = {0};
    size_t size = cut->start;

    if (!secret_new(&frame, file->copy.size))
        return reading_fault(reading, 1, "out of memory");
    memcpy(frame.data, text, cut->start);
    for (size_t i = cut->start; i < cut->end; i++)
        if (text[i] == '\n')
            frame.data[size++] = '\n';
    memcpy(frame.data + size, text + cut->end, file->copy.size - cut->end);
    config_init(&file->tree);
    if (config_read_string(&file->tree, (const char *)frame.data))
        return true;
    config_destroy(&file->tree);
    if (!file_refused(reading, file))
        refused_tell(reading, file, cut->end, &none);
    return false;
}

/* Where brackets do not fit we cannot cut, and libconfig would look through all that is left. */
static bool whole_parse(struct reading *reading, struct file_tree *file)
{
    file->cut = (struct cut){0};
    if (file->copy.size > WHOLE_MAX && syntax_fault(reading, file_text(file), UINT_MAX))
        return false;
    return string_parse(reading, file_text(file), &file->tree);
}

bool file_open(struct reading *reading, struct slice text, const char *group,
               struct file_tree *file)
{
    *file = (struct file_tree){0};
    if (text_copy(reading, text, &file->copy)) {
        file->cut = cut_find(file_text(file), group);
        if (file->cut.balanced ? frame_parse(reading, file) : whole_parse(reading, file))
            return true;
    }
    secret_free(&file->copy);
    return false;
}

bool file_members(struct reading *reading, const struct file_tree *file, members_reader *each,
                  void *target)
{
    struct part part = part_none(&file->cut);
    config_t parsed;
    bool read = true;

    while (read && part_next(&file->cut, PART_SIZE, &part)) {
        read = part_parse(file, &part, &parsed) ||
               reading_fault(reading, part.line, "cannot be read"); /* file_refused says why */
        reading->line_before = part.line - 1;
        read = read && each(reading, config_root_setting(&parsed), target);
        reading->line_before = 0;
        config_destroy(&parsed);
    }
    return read;
}

void file_close(struct file_tree *file)
{
    config_destroy(&file->tree);
    secret_free(&file->copy);
}
