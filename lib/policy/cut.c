/*
 * Where a file's text may be cut: see cut.h.
 */
#include "lib/policy/cut.h"

#include <ctype.h>
#include <string.h>

#define MARKS  "{}[]();,"
#define BLANKS " \t\r\n\f\v"

struct scan {
    const char *text;
    size_t at;
    unsigned line;
};

/* --- Strings and comments --- */

static void skip(struct scan *scan, size_t count)
{
    for (; count > 0; count--)
        scan->line += scan->text[scan->at++] == '\n';
}

/* To the end of the text where `end` is missing. */
static void skip_past(struct scan *scan, const char *end)
{
    const char *at = scan->text + scan->at;
    const char *found = strstr(at, end);

    skip(scan, found != NULL ? (size_t)(found - at) + strlen(end) : strlen(at));
}

static void skip_string(struct scan *scan)
{
    const char *at = scan->text + scan->at + 1;

    while (*at != '\0' && *at != '"')
        at += at[0] == '\\' && at[1] != '\0' ? 2 : 1;
    skip(scan, (size_t)(at - scan->text) + (*at != '\0') - scan->at);
}

static bool skip_comment(struct scan *scan)
{
    const char *at = scan->text + scan->at;

    if (at[0] == '#' || (at[0] == '/' && at[1] == '/')) {
        skip_past(scan, "\n");
        return true;
    }
    if (at[0] != '/' || at[1] != '*')
        return false;
    skip(scan, 2);
    skip_past(scan, "*/");
    return true;
}

static void skip_blanks(struct scan *scan)
{
    do
        skip(scan, strspn(scan->text + scan->at, BLANKS));
    while (skip_comment(scan));
}

/* Moves past the next mark and returns it; '\0' at the end. */
static char next_mark(struct scan *scan)
{
    for (;;) {
        skip(scan, strcspn(scan->text + scan->at, MARKS "\"#/"));
        char c = scan->text[scan->at];
        if (c == '\0')
            return c;
        if (c == '"')
            skip_string(scan);
        else if (!skip_comment(scan)) {
            scan->at++;
            if (c != '/')
                return c;
        }
    }
}

/* --- Brackets --- */

#define DEPTH_MAX 64

/* The brackets that are open. */
struct nest {
    size_t depth;
    char closing[DEPTH_MAX];
    bool wrong; /* one was closed by another kind, or never opened, or too many are open */
};

static void nest_mark(struct nest *nest, char mark)
{
    static const char opening[] = "{[(";
    static const char closing[] = "}])";
    const char *opens = strchr(opening, mark);

    if (opens != NULL && nest->depth < DEPTH_MAX)
        nest->closing[nest->depth++] = closing[opens - opening];
    else if (opens != NULL || (strchr(closing, mark) != NULL &&
                               (nest->depth == 0 || nest->closing[--nest->depth] != mark)))
        nest->wrong = true;
}

/* --- The group --- */

/* Moves past `name: {` or `name = {` when it stands here. */
static bool group_begins(struct scan *scan, const char *name)
{
    struct scan ahead = *scan;
    size_t size = strlen(name);

    if (strncmp(scan->text + scan->at, name, size) != 0)
        return false;
    skip(&ahead, size);
    skip_blanks(&ahead);
    if (scan->text[ahead.at] != ':' && scan->text[ahead.at] != '=')
        return false;
    skip(&ahead, 1);
    skip_blanks(&ahead);
    if (scan->text[ahead.at] != '{')
        return false;
    skip(&ahead, 1);
    *scan = ahead;
    return true;
}

/* Moves to where a setting at the top begins: behind the end of another one. */
static bool next_setting(struct scan *scan, struct nest *nest)
{
    char mark;

    do {
        mark = next_mark(scan);
        if (mark == '\0')
            return false;
        nest_mark(nest, mark);
    } while (nest->depth > 0 && !nest->wrong);
    return !nest->wrong;
}

struct cut cut_find(const char *text, const char *name)
{
    struct scan scan = {.text = text, .line = 1};
    struct cut cut = {.text = text};
    struct nest nest = {0};

    skip_blanks(&scan);
    while (!group_begins(&scan, name)) {
        if (!next_setting(&scan, &nest)) {
            cut.balanced = nest.depth == 0 && !nest.wrong;
            return cut;
        }
        skip_blanks(&scan);
    }
    cut.start = scan.at;
    cut.line = scan.line;
    nest_mark(&nest, '{');
    bool closed = next_setting(&scan, &nest);
    cut.end = closed ? scan.at - 1 : scan.at;
    while (closed && next_setting(&scan, &nest))
        ;
    cut.balanced = nest.depth == 0 && !nest.wrong;
    return cut;
}

/* --- Parts --- */

struct part part_none(const struct cut *cut)
{
    return (struct part){
        .start = cut->start, .end = cut->start, .line = cut->line, .next_line = cut->line};
}

/* What ends a setting may be left out behind a bracket. */
static void skip_end(struct scan *scan)
{
    struct scan ahead = *scan;

    skip_blanks(&ahead);
    if (scan->text[ahead.at] != ';' && scan->text[ahead.at] != ',')
        return;
    skip(&ahead, 1);
    *scan = ahead;
}

bool part_next(const struct cut *cut, size_t size, struct part *part)
{
    struct scan scan = {.text = cut->text, .at = part->end, .line = part->next_line};
    struct nest nest = {0};

    if (part->end >= cut->end)
        return false;
    part->start = part->end;
    part->line = part->next_line;
    do {
        char mark = next_mark(&scan);
        if (mark == '\0' || scan.at > cut->end) {
            scan.at = cut->end;
            break;
        }
        nest_mark(&nest, mark);
        if (nest.depth == 0 && strchr(";,", mark) == NULL)
            skip_end(&scan);
    } while (nest.depth > 0 || scan.at - part->start < size);
    part->end = scan.at;
    part->next_line = scan.line;
    return true;
}
