/*
 * scenario: runs scripts of scenarios.  See scenario.h for their grammar.
 *
 *   scenario [--verbose] FILE...
 *
 * A failed expectation is shown with its place, and ends its scenario; the last line is
 * "N passed, N failed".
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/selector.h"
#include "test/scenario/scenario.h"

#define TEXT_MAX 262144

bool script_fail(struct script *script, const char *format, ...)
{
    va_list arguments;

    if (script->error[0] != '\0')
        return false;
    va_start(arguments, format);
    vsnprintf(script->error, sizeof(script->error), format, arguments);
    va_end(arguments);
    return false;
}

bool words_split(struct words *words, const char *line)
{
    char *at = words->text;

    words->count = 0;
    snprintf(words->text, sizeof(words->text), "%s", line);
    while (*(at += strspn(at, " \t")) != '\0' && *at != '#' && words->count < WORDS_MAX) {
        bool quoted = *at == '"';
        at += quoted;
        words->at[words->count++] = at;
        at += strcspn(at, quoted ? "\"" : " \t");
        if (*at != '\0')
            *at++ = '\0';
    }
    return words->count > 0;
}

struct host *script_host(struct script *script, const char *name)
{
    struct host *host = world_host(&script->world, name);

    if (host == NULL)
        script_fail(script, "\"%s\": no such host", name);
    return host;
}

bool script_selector(struct script *script, const struct host *host, const char *text,
                     struct selector *selector)
{
    char wrong[SELECTOR_WRONG_MAX];

    if (text != NULL)
        return selector_parse(selector, text, &host->v4, wrong) ||
               script_fail(script, "%s: %s", text, wrong);
    *selector = selector_host(&host->v4);
    selector->protocol = 17;
    selector->port_start = selector->port_end = 7;
    return true;
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* "-" is none. */
bool bytes_parse(struct script *script, const char *hex, uint8_t *octets, size_t room, size_t *size)
{
    *size = 0;
    if (strcmp(hex, "-") == 0)
        return true;
    for (; *hex != '\0'; hex += 2) {
        int high = digit_of(hex[0]);
        int low = high < 0 ? -1 : digit_of(hex[1]);
        if (low < 0 || *size == room)
            return script_fail(script, "\"%s\": expected octets in hex", hex);
        octets[(*size)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void script_begin(struct script *script)
{
    world_init(&script->world, 1, script->crypto);
    script->world.ladder = script->verbose ? stdout : NULL;
    script->world.debug = true;
    script->world.hooks =
        (struct hooks){.effect = script_effect, .packet = script_packet, .context = script};
    script->rule_count = 0;
    script->asked = NULL;
    script->error[0] = '\0';
    snprintf(script->secret, sizeof(script->secret), "correct horse battery staple");
    TAILQ_INIT(&script->held);
    script->running = true;
}

static void script_end(struct script *script)
{
    struct flight *flight;

    if (!script->running)
        return;
    while ((flight = TAILQ_FIRST(&script->held)) != NULL) {
        TAILQ_REMOVE(&script->held, flight, entry);
        flight_free(flight);
    }
    outside_close(script);
    probe_free(&script->before);
    script->before = (struct probe){0};
    script->forged_to = NULL;
    world_free(&script->world);
    log_clear(&script->packets);
    log_clear(&script->reports);
    script->running = false;
}

/* The indented lines behind a line, as one text; the lines are skipped by the caller. */
static void take_block(const char *rest, char *block, size_t room)
{
    size_t size = 0;

    while (*rest == ' ' || *rest == '\t') {
        size_t length = strcspn(rest, "\n");
        if (size + length + 2 > room)
            break;
        memcpy(block + size, rest, length);
        size += length;
        block[size++] = '\n';
        rest += length + (rest[length] == '\n');
    }
    block[size] = '\0';
}

struct score {
    unsigned passed;
    unsigned failed;
};

/* A rule that no packet met is a scenario that did not take place. */
static void check_rules(struct script *script)
{
    for (size_t i = 0; i < script->rule_count && script->error[0] == '\0'; i++)
        if (!script->rules[i].met) {
            script_fail(script, "no packet came that is \"%s\"", script->rules[i].words);
            printf("%s:%u: at the end: %s\n", script->path, script->line, script->error);
        }
}

static void count_end(struct script *script, struct score *score)
{
    if (!script->running)
        return;
    check_rules(script);
    if (script->error[0] == '\0')
        score->passed++;
    else
        score->failed++;
    script_end(script);
}

static void run_line(struct script *script, const char *line, struct score *score)
{
    struct words words;

    if (line[0] == ' ' || line[0] == '\t' || !words_split(&words, line))
        return;
    if (strcmp(words.at[0], "scenario") == 0) {
        count_end(script, score);
        script_begin(script);
        if (script->verbose)
            printf("--- %s\n", line);
        return;
    }
    if (!script->running || script->error[0] != '\0')
        return;
    world_say(&script->world, line);
    if (!command_run(script, &words))
        printf("%s:%u: %s: %s\n", script->path, script->line, line, script->error);
}

static bool run_file(struct script *script, struct score *score)
{
    static char text[TEXT_MAX];
    static char block[TEXT_MAX];
    char line[LINE_MAX_];
    FILE *file = fopen(script->path, "r");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);

    if (file == NULL)
        return false;
    fclose(file);
    if (size == sizeof(text) - 1)
        return false; /* too large: what is cut off would not be run */
    text[size] = '\0';
    script->line = 0;
    script->block = block;
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, at);
        at += length + (at[length] == '\n');
        script->line++;
        take_block(at, block, sizeof(block));
        run_line(script, line, score);
    }
    count_end(script, score);
    return true;
}

int main(int count, char **arguments)
{
    static struct script script;
    struct score score = {0};

    script.crypto = crypto_new();
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--verbose") == 0) {
            script.verbose = true;
            continue;
        }
        script.path = arguments[i];
        if (script.crypto == NULL || !run_file(&script, &score)) {
            printf("%s: cannot be read\n", script.path);
            score.failed++;
        }
    }
    crypto_free(script.crypto);
    printf("%u passed, %u failed\n", score.passed, score.failed);
    return score.failed == 0 && score.passed > 0 ? 0 : 1;
}
