/*
 * Types of keys that fill a field of a number, a flag or a word, and what is done with all keys of
 * a group: see setting.h.
 *
 * Not here: the keys themselves (config.c, connection.c, child.c).
 */
#include <ctype.h>
#include <string.h>

#include "lib/policy/setting.h"

/* --- Fields --- */

static uint64_t field_get(const struct key *key, const void *target)
{
    const char *field = (const char *)target + key->offset;
    uint64_t large;
    uint32_t medium;

    switch (key->width) {
    case sizeof(large): memcpy(&large, field, sizeof(large)); return large;
    case sizeof(medium): memcpy(&medium, field, sizeof(medium)); return medium;
    default: return *(const uint8_t *)field;
    }
}

static void field_set(const struct key *key, void *target, uint64_t value)
{
    char *field = (char *)target + key->offset;
    uint32_t medium = (uint32_t)value;

    switch (key->width) {
    case sizeof(value): memcpy(field, &value, sizeof(value)); break;
    case sizeof(medium): memcpy(field, &medium, sizeof(medium)); break;
    default: *(uint8_t *)field = (uint8_t)value;
    }
}

bool setting_field_equal(const struct key *key, const void *a, const void *b)
{
    return field_get(key, a) == field_get(key, b);
}

/* --- Printing --- */

void print_indent(const struct printing *printing)
{
    fprintf(printing->out, "%*s", 2 * printing->depth, "");
}

void print_quoted(const struct printing *printing, const char *text)
{
    fputc('"', printing->out);
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\')
            fprintf(printing->out, "\\%c", *text);
        else if (isprint((unsigned char)*text))
            fputc(*text, printing->out);
        else
            fprintf(printing->out, "\\x%02x", (unsigned char)*text);
    fputc('"', printing->out);
}

struct printing print_open(const struct printing *printing, const char *name)
{
    print_indent(printing);
    fprintf(printing->out, "%s: {\n", name);
    return (struct printing){.out = printing->out, .depth = printing->depth + 1};
}

void print_close(const struct printing *printing)
{
    print_indent(printing);
    fputs("};\n", printing->out);
}

static void print_plain(const struct printing *printing, const struct key *key, const char *value,
                        const char *suffix)
{
    print_indent(printing);
    fprintf(printing->out, "%s = %s%s;\n", key->name, value, suffix);
}

static void print_text(const struct printing *printing, const struct key *key, const char *value)
{
    print_indent(printing);
    fprintf(printing->out, "%s = ", key->name);
    print_quoted(printing, value);
    fputs(";\n", printing->out);
}

/* --- Types --- */

static bool read_field(struct reading *reading, const config_setting_t *setting,
                       const struct key *key, const struct measure *measure, void *target)
{
    uint64_t value;

    if (!measure_read(reading, setting, key, measure, &value))
        return false;
    field_set(key, target, value);
    return true;
}

/* What cannot be written is a limit that is not there. */
static void print_measure(const struct printing *printing, const struct key *key,
                          const struct measure *measure, const void *target)
{
    uint64_t value = field_get(key, target);
    char text[MEASURE_TEXT_MAX];

    if (value < key->min || value > key->max)
        return;
    measure_text(measure, value, text);
    if (measure == &measure_plain)
        print_plain(printing, key, text, value > INT32_MAX ? "L" : "");
    else
        print_text(printing, key, text);
}

static bool read_number(struct reading *reading, config_setting_t *setting, const struct key *key,
                        void *target)
{
    return read_field(reading, setting, key, &measure_plain, target);
}

static void print_number(const struct printing *printing, const struct key *key, const void *target)
{
    print_measure(printing, key, &measure_plain, target);
}

bool setting_read_seconds(struct reading *reading, config_setting_t *setting, const struct key *key,
                          void *target)
{
    return read_field(reading, setting, key, &measure_seconds, target);
}

/* Where a word stands for none, 0 is that word. */
void setting_print_seconds(const struct printing *printing, const struct key *key,
                           const void *target)
{
    for (size_t i = 0; i < key->words.count; i++)
        if (field_get(key, target) == (uint64_t)key->words.items[i].value) {
            print_text(printing, key, key->words.items[i].text);
            return;
        }
    print_measure(printing, key, &measure_seconds, target);
}

static bool read_milliseconds(struct reading *reading, config_setting_t *setting,
                              const struct key *key, void *target)
{
    return read_field(reading, setting, key, &measure_milliseconds, target);
}

static void print_milliseconds(const struct printing *printing, const struct key *key,
                               const void *target)
{
    print_measure(printing, key, &measure_milliseconds, target);
}

static bool read_octets(struct reading *reading, config_setting_t *setting, const struct key *key,
                        void *target)
{
    return read_field(reading, setting, key, &measure_octets, target);
}

static void print_octets(const struct printing *printing, const struct key *key, const void *target)
{
    print_measure(printing, key, &measure_octets, target);
}

static bool read_flag(struct reading *reading, config_setting_t *setting, const struct key *key,
                      void *target)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return setting_expected(reading, setting, "true or false");
    field_set(key, target, config_setting_get_bool(setting) != 0);
    return true;
}

static void print_flag(const struct printing *printing, const struct key *key, const void *target)
{
    print_plain(printing, key, field_get(key, target) != 0 ? "true" : "false", "");
}

bool setting_read_word(struct reading *reading, config_setting_t *setting, const struct key *key,
                       void *target)
{
    int value;

    if (!setting_word(reading, setting, key->words.items, key->words.count, &value))
        return false;
    field_set(key, target, (uint64_t)value);
    return true;
}

void setting_print_word(const struct printing *printing, const struct key *key, const void *target)
{
    for (size_t i = 0; i < key->words.count; i++)
        if (field_get(key, target) == (uint64_t)key->words.items[i].value)
            print_text(printing, key, key->words.items[i].text);
}

bool setting_read_later(struct reading *reading, config_setting_t *setting, const struct key *key,
                        void *target)
{
    (void)reading;
    (void)setting;
    (void)key;
    (void)target;
    return true;
}

const struct key_type key_flag = {read_flag, setting_field_equal, print_flag};
const struct key_type key_number = {read_number, setting_field_equal, print_number};
const struct key_type key_seconds = {setting_read_seconds, setting_field_equal,
                                     setting_print_seconds};
const struct key_type key_milliseconds = {read_milliseconds, setting_field_equal,
                                          print_milliseconds};
const struct key_type key_octets = {read_octets, setting_field_equal, print_octets};
const struct key_type key_word = {setting_read_word, setting_field_equal, setting_print_word};
const struct key_type key_alias = {read_number, setting_field_equal, NULL};
const struct key_type key_later = {setting_read_later, NULL, NULL};

/* --- All keys of a group --- */

void keys_initial(const struct key_table *table, void *target)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->keys[i].width > 0)
            field_set(&table->keys[i], target, table->keys[i].initial);
}

bool keys_equal(const struct key_table *table, const void *a, const void *b)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        if (key->type != NULL && key->type->equal != NULL && !key->type->equal(key, a, b))
            return false;
    }
    return true;
}

void keys_print(const struct printing *printing, const struct key_table *table, const void *target)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];
        if (key->type != NULL && key->type->print != NULL)
            key->type->print(printing, key, target);
    }
}
