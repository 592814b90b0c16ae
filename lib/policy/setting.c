/*
 * Typed values out of libconfig's settings, and the line that says what is wrong: see setting.h.
 *
 * Not here: handing the text to libconfig (text.c), what the values mean (connection.c, child.c).
 */
#include "lib/policy/setting.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/nearest.h"
#include "lib/policy/loss.h"

#define SHOWN_MAX 72 /* of a value, in a fault */
#define KEY_MAX   64 /* of a key */

/* --- Faults --- */

/* A fault is one line for a terminal, whatever the file held. */
static void error_clean(char *error)
{
    for (char *c = error; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
}

static bool error_write(struct reading *reading, unsigned line, const char *key, const char *shown,
                        const char *between, const char *format, va_list arguments)
{
    const char *colon = strlen(key) > KEY_MAX ? "...: " : key[0] != '\0' ? ": " : "";
    int used = snprintf(reading->error, CONFIG_ERROR_MAX, "%s:%u: %.*s%s%s%s", reading->path, line,
                        KEY_MAX, key, colon, shown, between);

    if (used >= 0 && used < CONFIG_ERROR_MAX)
        vsnprintf(reading->error + used, CONFIG_ERROR_MAX - (size_t)used, format, arguments);
    error_clean(reading->error);
    return false;
}

/* Elements of arrays and lists have no name: their owner's stands in. */
static const char *setting_key(const config_setting_t *setting)
{
    while (setting->name == NULL && setting->parent != NULL)
        setting = setting->parent;
    return setting->name != NULL ? setting->name : "";
}

static void setting_show(const struct reading *reading, const config_setting_t *setting,
                         char text[SHOWN_MAX])
{
    static const char *const kinds[] = {
        [CONFIG_TYPE_NONE] = "nothing",
        [CONFIG_TYPE_GROUP] = "a group",
        [CONFIG_TYPE_ARRAY] = "an array",
        [CONFIG_TYPE_LIST] = "a list",
    };
    const char *string;

    if (reading->secret) {
        snprintf(text, SHOWN_MAX, "(not shown)");
        return;
    }
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(text, SHOWN_MAX, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        snprintf(text, SHOWN_MAX, "%g", config_setting_get_float(setting));
        break;
    case CONFIG_TYPE_BOOL:
        snprintf(text, SHOWN_MAX, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    case CONFIG_TYPE_STRING:
        string = config_setting_get_string(setting);
        snprintf(text, SHOWN_MAX, strlen(string) > SHOWN_MAX - 8 ? "\"%.60s...\"" : "\"%s\"",
                 string);
        break;
    default: snprintf(text, SHOWN_MAX, "%s", kinds[config_setting_type(setting)]);
    }
}

unsigned setting_line(const struct reading *reading, const config_setting_t *setting)
{
    return reading->line_before + config_setting_source_line(setting);
}

bool setting_expected(struct reading *reading, const config_setting_t *setting, const char *format,
                      ...)
{
    char shown[SHOWN_MAX];
    va_list arguments;

    setting_show(reading, setting, shown);
    va_start(arguments, format);
    error_write(reading, setting_line(reading, setting), setting_key(setting), shown, "; expected ",
                format, arguments);
    va_end(arguments);
    return false;
}

bool setting_wrong(struct reading *reading, const config_setting_t *setting, const char *format,
                   ...)
{
    char shown[SHOWN_MAX];
    va_list arguments;

    setting_show(reading, setting, shown);
    va_start(arguments, format);
    error_write(reading, setting_line(reading, setting), setting_key(setting), shown, ": ", format,
                arguments);
    va_end(arguments);
    return false;
}

/* A part that is the whole is not quoted twice. */
bool setting_wrong_part(struct reading *reading, const config_setting_t *setting, const char *wrong)
{
    const char *text = config_setting_get_string(setting);
    size_t length = strlen(text);
    bool whole = wrong[0] == '"' && strncmp(wrong + 1, text, length) == 0 &&
                 wrong[length + 1] == '"' && wrong[length + 2] == ':';

    return whole ? setting_fault(reading, setting, "%s", wrong)
                 : setting_wrong(reading, setting, "%s", wrong);
}

bool setting_fault(struct reading *reading, const config_setting_t *setting, const char *format,
                   ...)
{
    va_list arguments;

    va_start(arguments, format);
    error_write(reading, setting_line(reading, setting), setting_key(setting), "", "", format,
                arguments);
    va_end(arguments);
    return false;
}

bool reading_fault(struct reading *reading, unsigned line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    error_write(reading, line, "", "", "", format, arguments);
    va_end(arguments);
    return false;
}

/* --- Groups --- */

static const struct key *key_find(const struct key_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i].name, name) == 0)
            return &table->keys[i];
    return NULL;
}

static bool is_misplaced(const config_setting_t *setting, const struct misplaced *misplaced)
{
    if (!misplaced->holds)
        return key_find(misplaced->table, config_setting_name(setting)) != NULL;
    if (!config_setting_is_group(setting))
        return false;
    for (int i = 0; i < config_setting_length(setting); i++) {
        const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
        if (key_find(misplaced->table, config_setting_name(member)) != NULL)
            return true;
    }
    return false;
}

static bool key_unknown(struct reading *reading, const config_setting_t *setting,
                        const struct key_table *table)
{
    struct nearest nearest = nearest_to(config_setting_name(setting));

    for (size_t i = 0; i < table->misplaced_count; i++)
        if (is_misplaced(setting, &table->misplaced[i]))
            return setting_fault(reading, setting, "%s", table->misplaced[i].fault);
    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].type != NULL)
            nearest_try(&nearest, table->keys[i].name);
    return setting_fault(reading, setting, "no such key; the nearest is \"%s\"", nearest.best);
}

bool setting_read_key(struct reading *reading, config_setting_t *setting,
                      const struct key_table *table, void *target)
{
    const struct key *key = key_find(table, config_setting_name(setting));

    return key->type->read(reading, setting, key, target);
}

bool setting_is_group(struct reading *reading, config_setting_t *setting)
{
    return config_setting_is_group(setting) ||
           setting_expected(reading, setting, "a group: %.*s: { ... };", KEY_MAX,
                            setting_key(setting));
}

bool setting_read_group(struct reading *reading, config_setting_t *group,
                        const struct key_table *table, void *target)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct key *key = key_find(table, config_setting_name(setting));
        if (key == NULL)
            return key_unknown(reading, setting, table);
        if (key->type == NULL)
            return setting_fault(reading, setting, "%s",
                                 key->refusal != NULL
                                     ? key->refusal
                                     : "not supported by this version; expected to be left out");
        if (!key->type->read(reading, setting, key, target))
            return false;
    }
    return true;
}

/* --- Numbers, times and sizes --- */

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit second_units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
static const struct unit millisecond_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit byte_units[] = {
    {"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"", 1},
};

/* How a kind of number is written: its units, largest first, and the unit of a bare integer. */
struct measure {
    const struct unit *units;
    size_t unit_count;
    uint64_t bare_factor;
    const char *what;
    const char *examples;
};

const struct measure measure_plain = {NULL, 0, 1, "a number", ""};
const struct measure measure_seconds = {second_units, SETTING_LENGTH(second_units), 1, "a time",
                                        ", such as \"90s\", \"15m\", \"8h\", \"2d\""};
const struct measure measure_milliseconds = {millisecond_units, SETTING_LENGTH(millisecond_units),
                                             1000, "a time", ", such as \"500ms\", \"1s\""};
const struct measure measure_octets = {byte_units, SETTING_LENGTH(byte_units), 1, "a size",
                                       ", such as \"512M\", \"64G\""};

/* "15m" in the measure's smallest unit. */
static bool measure_parse(const struct measure *measure, const char *text, uint64_t *value)
{
    uint64_t number = 0;
    const char *at = text;

    for (; isdigit((unsigned char)*at); at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (unsigned)(*at - '0'), &number))
            return false;
    if (at == text)
        return false;
    for (size_t i = 0; i < measure->unit_count; i++)
        if (strcmp(measure->units[i].suffix, at) == 0)
            return !__builtin_mul_overflow(number, measure->units[i].factor, value);
    return false;
}

/* In the largest unit that divides it. */
const char *measure_text(const struct measure *measure, uint64_t value, char *text)
{
    const char *suffix = "";

    for (size_t i = 0; i < measure->unit_count; i++)
        if (value != 0 && value % measure->units[i].factor == 0) {
            value /= measure->units[i].factor;
            suffix = measure->units[i].suffix;
            break;
        }
    snprintf(text, MEASURE_TEXT_MAX, "%llu%s", (unsigned long long)value, suffix);
    return text;
}

static bool measure_fault(struct reading *reading, const config_setting_t *setting,
                          const struct key *key, const struct measure *measure)
{
    char min[MEASURE_TEXT_MAX];
    char max[MEASURE_TEXT_MAX];

    measure_text(measure, key->min, min);
    if (key->max == INT64_MAX)
        return setting_expected(reading, setting, "%s from %s up%s", measure->what, min,
                                measure->examples);
    return setting_expected(reading, setting, "%s from %s to %s%s", measure->what, min,
                            measure_text(measure, key->max, max), measure->examples);
}

bool measure_read(struct reading *reading, const config_setting_t *setting, const struct key *key,
                  const struct measure *measure, uint64_t *value)
{
    int type = config_setting_type(setting);
    bool read = false;

    if (type == CONFIG_TYPE_STRING && measure->unit_count > 0) {
        read = measure_parse(measure, config_setting_get_string(setting), value);
    } else if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        long long number = config_setting_get_int64(setting);
        read =
            number >= 0 && !__builtin_mul_overflow((uint64_t)number, measure->bare_factor, value);
    }
    if (read && *value >= key->min && *value <= key->max)
        return true;
    return measure_fault(reading, setting, key, measure);
}

/* --- Words and lists of them --- */

const char *setting_string(struct reading *reading, const config_setting_t *setting,
                           const char *expected)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    setting_expected(reading, setting, "%s", expected);
    return NULL;
}

bool setting_word(struct reading *reading, const config_setting_t *setting,
                  const struct word *words, size_t word_count, int *value)
{
    char expected[128] = "";
    size_t used = 0;

    for (size_t i = 0; i < word_count; i++) {
        const char *between = i == 0 ? "" : i + 1 == word_count ? " or " : ", ";
        used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%s\"%s\"", between,
                                 words[i].text);
    }
    const char *text = setting_string(reading, setting, expected);
    for (size_t i = 0; text != NULL && i < word_count; i++)
        if (strcmp(words[i].text, text) == 0) {
            *value = words[i].value;
            return true;
        }
    return text != NULL && setting_expected(reading, setting, "%s", expected);
}

size_t setting_strings(struct reading *reading, config_setting_t *setting, size_t max,
                       const char *expected)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting))
        return setting_string(reading, setting, expected) != NULL ? 1 : 0;
    size_t count = (size_t)config_setting_length(setting);
    if (count == 0 || count > max) {
        setting_fault(reading, setting, "%zu of them; expected 1 to %zu %s", count, max, expected);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        if (setting_string(reading, setting_strings_at(setting, i), expected) == NULL)
            return 0;
    return count;
}

config_setting_t *setting_strings_at(config_setting_t *setting, size_t i)
{
    return config_setting_is_aggregate(setting) ? config_setting_get_elem(setting, (unsigned)i)
                                                : setting;
}
