/*
 * What is wrong with a text that libconfig has refused: see syntax_fault in setting.h.
 *
 * libconfig says where it gave up, which is behind the fault: at the next quote, at the end of the
 * file.  So its grammar is walked once more, with an eye on what people forget: a quote, a bracket,
 * a sign.  A group that is never closed is looked for by the indentation of what follows.
 * Not here: deciding whether a text is good, which libconfig does.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/policy/loss.h"
#include "lib/policy/setting.h"

#define DEPTH_MAX 32 /* deeper ones are told as libconfig does */
#define SHOWN_MAX 60 /* of a word, in a fault */
#define BLANKS    " \t\r\n\f\v"
#define SYMBOLS   ";,{}()[]=\"#"

enum token_kind {
    TOKEN_END,
    TOKEN_SYMBOL,
    TOKEN_STRING,
    TOKEN_UNENDED, /* a string up to the end of the file */
    TOKEN_WORD
};

struct token {
    enum token_kind kind;
    struct slice text; /* a string's with its quotes */
    unsigned line;
    bool first;    /* on its line ... */
    size_t indent; /* ... behind so many blanks */
};

/* An open bracket. */
struct bracket {
    char open;
    char close;
    unsigned line;
    size_t indent; /* of its line */
    struct slice name;
};

enum state { AT_NAME, AT_SIGN, AT_VALUE, AT_FIRST, AT_NEXT, BEHIND_VALUE, STOPPED };

struct walk {
    struct reading *reading;
    const char *at; /* NUL-terminated */
    unsigned line;
    const char *line_start;
    size_t indent; /* blanks at its beginning, once a token has begun on it */
    bool indented; /* one has */
    struct token token;
    struct slice name;   /* of the setting */
    bool joins;          /* the token follows a string: another one continues it */
    struct token string; /* the last one before the token; its text is empty without one */
    struct slice string_name;
    unsigned comment_line; /* of the one that reaches the end of the file; 0: none */
    struct bracket open[DEPTH_MAX];
    size_t depth;
    struct bracket unclosed; /* the first one that the indentation says is over; line 0: none */
    unsigned refused_line;   /* where libconfig gave up */
    bool told;
};

/* --- Faults --- */

/* With the setting's name before it, but not among secrets: what looks like a name may be part of
 * one. */
PRINTF_LIKE(4, 5)
static enum state fault(struct walk *walk, unsigned line, struct slice name, const char *format,
                        ...)
{
    char text[CONFIG_ERROR_MAX];
    va_list arguments;
    size_t size = walk->reading->secret ? 0 : name.size;

    if (line > walk->refused_line) /* not what libconfig means */
        return STOPPED;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    walk->told = true;
    reading_fault(walk->reading, line, "%.*s%s%s", (int)(size > SHOWN_MAX ? SHOWN_MAX : size),
                  size > 0 ? (const char *)name.data : "", size > 0 ? ": " : "", text);
    return STOPPED;
}

static const char *token_show(const struct walk *walk, char text[SHOWN_MAX + 8])
{
    const struct token *token = &walk->token;
    int size = (int)(token->text.size > SHOWN_MAX ? SHOWN_MAX : token->text.size);

    switch (token->kind) {
    case TOKEN_END: return "the end of the file";
    case TOKEN_STRING:
    case TOKEN_UNENDED: return "a string";
    case TOKEN_SYMBOL: snprintf(text, SHOWN_MAX + 8, "'%c'", token->text.data[0]); return text;
    case TOKEN_WORD: break;
    }
    if (walk->reading->secret)
        return "a word";
    snprintf(text, SHOWN_MAX + 8, "\"%.*s\"", size, (const char *)token->text.data);
    return text;
}

/* --- Tokens --- */

static bool begins(const char *at, const char *with)
{
    return strncmp(at, with, strlen(with)) == 0;
}

static void step(struct walk *walk)
{
    if (*walk->at++ == '\n') {
        walk->line++;
        walk->line_start = walk->at;
        walk->indented = false;
    }
}

static void skip_past(struct walk *walk, const char *end)
{
    while (*walk->at != '\0' && !begins(walk->at, end))
        step(walk);
    for (size_t i = 0; i < strlen(end) && *walk->at != '\0'; i++)
        step(walk);
}

static void skip_comment(struct walk *walk)
{
    unsigned line = walk->line;

    step(walk);
    step(walk);
    skip_past(walk, "*/");
    if (*walk->at == '\0')
        walk->comment_line = line;
}

static void skip_blanks(struct walk *walk)
{
    for (;;) {
        if (*walk->at == '#' || begins(walk->at, "//"))
            skip_past(walk, "\n");
        else if (begins(walk->at, "/*"))
            skip_comment(walk);
        else if (*walk->at != '\0' && strchr(BLANKS, *walk->at) != NULL)
            step(walk);
        else
            return;
    }
}

static void take_string(struct walk *walk)
{
    for (step(walk); *walk->at != '\0' && *walk->at != '"'; step(walk))
        if (walk->at[0] == '\\' && walk->at[1] != '\0')
            step(walk);
    walk->token.kind = *walk->at != '\0' ? TOKEN_STRING : TOKEN_UNENDED;
    if (*walk->at != '\0')
        step(walk);
}

/* A colon ends a name, but is part of an address without quotes. */
static void take_word(struct walk *walk, bool value)
{
    while (*walk->at != '\0' && strchr(BLANKS SYMBOLS, *walk->at) == NULL &&
           (value || *walk->at != ':') && !begins(walk->at, "//") && !begins(walk->at, "/*"))
        step(walk);
}

static void take(struct walk *walk, bool value)
{
    walk->joins = walk->token.kind == TOKEN_STRING;
    if (walk->joins) {
        walk->string = walk->token;
        walk->string_name = walk->name;
    }
    skip_blanks(walk);
    const char *start = walk->at;
    struct token *token = &walk->token;
    token->line = walk->line;
    token->first = !walk->indented;
    if (token->first)
        walk->indent = strspn(walk->line_start, " \t");
    walk->indented = true;
    token->indent = walk->indent;
    if (*start == '\0') {
        token->kind = TOKEN_END;
    } else if (*start == '"') {
        take_string(walk);
    } else if (strchr(SYMBOLS, *start) != NULL || (*start == ':' && !value)) {
        token->kind = TOKEN_SYMBOL;
        step(walk);
    } else {
        token->kind = TOKEN_WORD;
        take_word(walk, value);
    }
    token->text = slice_of(start, (size_t)(walk->at - start));
}

static bool is_symbol(const struct token *token, const char *symbols)
{
    return token->kind == TOKEN_SYMBOL && strchr(symbols, token->text.data[0]) != NULL;
}

/* A number, true or false; the text goes on behind the word. */
static bool is_scalar(struct slice word)
{
    const char *text = (const char *)word.data;
    char *end;

    if ((word.size == 4 && strncasecmp(text, "true", 4) == 0) ||
        (word.size == 5 && strncasecmp(text, "false", 5) == 0))
        return true;
    if (!isdigit((unsigned char)text[0]) && strchr("+-.", text[0]) == NULL)
        return false;
    strtod(text, &end);
    for (int i = 0; i < 2 && *end == 'L'; i++)
        end++;
    return end == text + word.size;
}

/* --- Quotes --- */

static const char quote_missing[] = "no second '\"' in this line; expected the value between two";

/* Did the string begin where no other quote of its line ends it? */
static bool is_unpaired(const struct token *string)
{
    const char *text = (const char *)string->text.data;
    size_t quotes = 0;

    if (string->kind == TOKEN_UNENDED || memchr(text, '\n', string->text.size) != NULL)
        return true;
    for (const char *at = text; *at != '\0' && *at != '\n'; at++) {
        if (quotes % 2 == 0 && (*at == '#' || begins(at, "//")))
            break;
        if (at[0] == '\\' && at[1] != '\0')
            at++;
        else
            quotes += *at == '"';
    }
    return quotes % 2 != 0;
}

/* Behind a missing quote inside and outside are swapped, so all else that is wrong follows, and at
 * once: a string that never ends, where a value should stand, has none to blame before it. */
static void quote_fault(struct walk *walk, bool value_stands)
{
    bool is_last = walk->token.kind == TOKEN_UNENDED && value_stands;

    if (!is_last && walk->string.text.size > 0 && is_unpaired(&walk->string))
        fault(walk, walk->string.line, walk->string_name, "%s", quote_missing);
    else if ((walk->token.kind == TOKEN_STRING || walk->token.kind == TOKEN_UNENDED) &&
             is_unpaired(&walk->token))
        fault(walk, walk->token.line, walk->name, "%s", quote_missing);
}

/* --- Brackets --- */

static void bracket_push(struct walk *walk)
{
    char open = (char)walk->token.text.data[0];

    walk->open[walk->depth++] = (struct bracket){
        .open = open,
        .close = open == '{'   ? '}'
                 : open == '[' ? ']'
                               : ')',
        .line = walk->token.line,
        .indent = walk->token.indent,
        .name = walk->name,
    };
}

/* What begins a line no further in than the line that opened the bracket is outside of it, by the
 * eye; only a closing one may stand as far. */
static void indent_check(struct walk *walk)
{
    const struct token *token = &walk->token;

    if (walk->depth == 0 || !token->first || walk->unclosed.line != 0)
        return;
    const struct bracket *open = &walk->open[walk->depth - 1];
    if (token->line > open->line &&
        (token->indent < open->indent ||
         (token->indent == open->indent && !is_symbol(token, "{}()[]"))))
        walk->unclosed = *open;
}

static enum state unclosed_fault(struct walk *walk)
{
    if (walk->comment_line != 0)
        return fault(walk, walk->comment_line, (struct slice){0},
                     "the comment that begins here is not ended; expected \"*/\"");
    const struct bracket *open =
        walk->unclosed.line != 0 ? &walk->unclosed : &walk->open[walk->depth - 1];

    return fault(walk, open->line, open->name, "the '%c' of this line is not closed; expected '%c'",
                 open->open, open->close);
}

static enum state bracket_close(struct walk *walk)
{
    char close = (char)walk->token.text.data[0];

    if (walk->depth == 0)
        return fault(walk, walk->token.line, (struct slice){0},
                     "a '%c' too many; expected one for each that opens", close);
    const struct bracket *open = &walk->open[walk->depth - 1];
    if (close != open->close)
        return fault(walk, walk->token.line, open->name,
                     "'%c'; expected '%c' for the '%c' of line %u", close, open->close, open->open,
                     open->line);
    walk->depth--;
    return BEHIND_VALUE;
}

/* --- States --- */

static enum state no_name(struct walk *walk, const char *expected)
{
    char shown[SHOWN_MAX + 8];

    return fault(walk, walk->token.line, (struct slice){0},
                 "%s where a name should stand; expected %s", token_show(walk, shown), expected);
}

static enum state at_name(struct walk *walk)
{
    const struct token *token = &walk->token;

    if (token->kind == TOKEN_END)
        return walk->depth == 0 ? STOPPED : unclosed_fault(walk);
    if (is_symbol(token, "})]"))
        return bracket_close(walk);
    if (token->kind != TOKEN_WORD)
        return no_name(walk, "\"name = value;\" or \"name: { ... };\"");
    walk->name = token->text;
    if (!isalpha(token->text.data[0]) && token->text.data[0] != '*')
        return no_name(walk, "a letter first");
    for (size_t i = 0; i < token->text.size; i++)
        if (!isalnum(token->text.data[i]) && strchr("-_*", token->text.data[i]) == NULL)
            return no_name(walk, "letters, digits, '-' and '_'");
    return AT_SIGN;
}

static enum state at_sign(struct walk *walk)
{
    char shown[SHOWN_MAX + 8];

    if (is_symbol(&walk->token, "=:"))
        return AT_VALUE;
    return fault(walk, walk->token.line, walk->name, "%s behind the name; expected '=' or ':'",
                 token_show(walk, shown));
}

static enum state word_fault(struct walk *walk)
{
    struct slice word = walk->token.text;

    if (walk->reading->secret)
        return fault(walk, walk->token.line, walk->name,
                     "a value without double quotes; expected it between two");
    if (slice_equal(word, slice_text("yes")) || slice_equal(word, slice_text("no")))
        return fault(walk, walk->token.line, walk->name, "%.*s; expected %s", (int)word.size,
                     (const char *)word.data, word.size == 3 ? "true" : "false");
    int size = (int)(word.size > SHOWN_MAX ? SHOWN_MAX : word.size);
    const char *text = (const char *)word.data;
    int quotes = size > 2 && text[0] == '\'' && text[size - 1] == '\'' ? 1 : 0;
    return fault(walk, walk->token.line, walk->name,
                 "%.*s without double quotes; expected \"%.*s\"", size, text, size - 2 * quotes,
                 text + quotes);
}

static enum state at_value(struct walk *walk)
{
    const struct token *token = &walk->token;
    char shown[SHOWN_MAX + 8];

    if (token->kind == TOKEN_STRING || (token->kind == TOKEN_WORD && is_scalar(token->text)))
        return BEHIND_VALUE;
    if (token->kind == TOKEN_WORD)
        return word_fault(walk);
    if (token->kind == TOKEN_UNENDED)
        return fault(walk, token->line, walk->name, "%s", quote_missing);
    if (is_symbol(token, "{[(") && walk->depth > 0 && walk->open[walk->depth - 1].open == '[')
        return fault(walk, token->line, walk->name, "%s within [ ]; expected ( ) around groups",
                     token_show(walk, shown));
    if (is_symbol(token, "{[(")) {
        if (walk->depth == DEPTH_MAX)
            return STOPPED;
        bracket_push(walk);
        return token->text.data[0] == '{' ? AT_NAME : AT_FIRST;
    }
    return fault(walk, token->line, walk->name, "%s where a value should stand; expected one",
                 token_show(walk, shown));
}

static enum state at_element(struct walk *walk, bool first)
{
    if (walk->token.kind == TOKEN_END)
        return unclosed_fault(walk);
    if (!is_symbol(&walk->token, "}])"))
        return at_value(walk);
    /* Newer versions of libconfig let it pass. */
    if (!first && walk->token.line >= walk->refused_line)
        return fault(walk, walk->token.line, walk->open[walk->depth - 1].name,
                     "a ',' before the '%c'; expected a value between them, or no ','",
                     walk->token.text.data[0]);
    return bracket_close(walk);
}

/* What ends a setting may be left out; where the token is not that, it is the next one's. */
static enum state behind_value(struct walk *walk, bool *taken)
{
    const struct token *token = &walk->token;
    const struct bracket *open = walk->depth > 0 ? &walk->open[walk->depth - 1] : NULL;
    char shown[SHOWN_MAX + 8];

    if (token->kind == TOKEN_STRING && walk->joins)
        return BEHIND_VALUE;
    if (open == NULL || open->open == '{') {
        *taken = is_symbol(token, ";,");
        return AT_NAME;
    }
    if (token->kind == TOKEN_END)
        return unclosed_fault(walk);
    if (is_symbol(token, ","))
        return AT_NEXT;
    if (is_symbol(token, "}])"))
        return bracket_close(walk);
    return fault(walk, token->line, open->name, "%s; expected ',' or '%c'", token_show(walk, shown),
                 open->close);
}

static enum state walk_state(struct walk *walk, enum state state, bool *taken)
{
    *taken = true;
    switch (state) {
    case AT_NAME: return at_name(walk);
    case AT_SIGN: return at_sign(walk);
    case AT_VALUE: return at_value(walk);
    case AT_FIRST: return at_element(walk, true);
    case AT_NEXT: return at_element(walk, false);
    case BEHIND_VALUE: return behind_value(walk, taken);
    case STOPPED: break;
    }
    return STOPPED;
}

bool syntax_fault(struct reading *reading, const char *text, unsigned refused_line)
{
    struct walk walk = {
        .reading = reading,
        .at = text,
        .line_start = text,
        .line = 1,
        .refused_line = refused_line,
    };
    enum state state = AT_NAME;
    bool value_stands = false;
    bool taken = true;

    while (state != STOPPED) {
        if (taken) {
            value_stands = state == AT_VALUE || state == AT_FIRST || state == AT_NEXT;
            take(&walk, value_stands);
            indent_check(&walk);
        }
        state = walk_state(&walk, state, &taken);
    }
    if (walk.told)
        quote_fault(&walk, value_stands);
    return walk.told;
}
