/*
 * Reading libconfig's settings: typed values, tables of known keys, and the one line that says
 * what is wrong: `FILE:LINE: KEY: what stood there; what was expected`.
 *
 * Every reader returns false after it has written that line; nobody reads on then.
 * Not here: what a connection or a child means (connection.c, child.c).
 */
#ifndef LIB_POLICY_SETTING_H
#define LIB_POLICY_SETTING_H

#include <stdio.h>

#include <libconfig.h>

#include "lib/base/secret.h"
#include "lib/policy/config.h"
#include "lib/policy/cut.h"

struct keep;

/* The file that is read, and where the fault goes. */
struct reading {
    const char *path;
    char *error;          /* CONFIG_ERROR_MAX bytes */
    bool secret;          /* faults must not quote the file */
    unsigned line_before; /* lines of the file before the text that is read now */
    struct keep *keep;    /* of the configuration that is made; NULL: none is */
};

struct key;
typedef bool key_reader(struct reading *reading, config_setting_t *setting, const struct key *key,
                        void *target);

/* A word and what it stands for. */
struct word {
    const char *text;
    int value;
};

struct words {
    const struct word *items;
    size_t count;
};

/* Where settings are printed. */
struct printing {
    FILE *out;
    int depth; /* of groups around what is printed next */
};

/* What a kind of key is: how it is read, whether two are the same, how it is printed so that it can
 * be read again.  `a`, `b` and `target` are what its group fills. */
struct key_type {
    key_reader *read;
    bool (*equal)(const struct key *key, const void *a, const void *b); /* NULL: says nothing */
    void (*print)(const struct printing *printing, const struct key *key, const void *target);
};

/* A key that may stand in a group: all that is known of it but its meaning. */
struct key {
    const char *name;
    const struct key_type *type; /* NULL: known, but refused */
    const char *refusal;         /* why, when it is; NULL: this version does not have it */
    size_t offset;               /* of the field in what the group fills ... */
    size_t width;                /* ... and its octets; 0: the type knows where its fields are */
    uint64_t initial;            /* the default, of a field */
    uint64_t min; /* bounds of a number or a time, in the field's unit; beyond them */
    uint64_t max; /* it is not set */
    struct words words;
};

#define KEY_FIELD(group, field) \
    .offset = offsetof(group, field), .width = sizeof(((group *)NULL)->field)
#define KEY_WORDS(array) .words = {array, sizeof(array) / sizeof((array)[0])}

/* Where others write it; no value of a secret is ever shown. */
#define KEY_PSK                                                                               \
    {                                                                                         \
        .name = "psk", .refusal = "a secret in a configuration; expected it in secrets.conf", \
    }

struct key_table;

/* What is said of a key that is none here, but in another group. */
struct misplaced {
    const struct key_table *table; /* whose key it is ... */
    bool holds;                    /* ... or, when it is a group, that of a member of it */
    const char *fault;
};

/* The keys of one kind of group. */
struct key_table {
    const struct key *keys;
    size_t count;
    const struct misplaced *misplaced;
    size_t misplaced_count;
};

#define SETTING_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Reads every member of `group` by its row of `table` into `target`; unknown ones are faults. */
bool setting_read_group(struct reading *reading, config_setting_t *group,
                        const struct key_table *table, void *target);

/* The same of one member of it that is known to be of its keys. */
bool setting_read_key(struct reading *reading, config_setting_t *setting,
                      const struct key_table *table, void *target);

/* Types of fields (key.c): a bool, a number, a time in seconds or milliseconds, octets, a word. */
extern const struct key_type key_flag;
extern const struct key_type key_number;
extern const struct key_type key_seconds;
extern const struct key_type key_milliseconds;
extern const struct key_type key_octets;
extern const struct key_type key_word;
/* A second name of a number that is printed by its other one. */
extern const struct key_type key_alias;
/* What can only be understood once its neighbours are known: the group's owner reads it. */
extern const struct key_type key_later;

/* Parts of them, for types that ask for more. */
key_reader setting_read_seconds;
key_reader setting_read_word;
key_reader setting_read_later;
bool setting_field_equal(const struct key *key, const void *a, const void *b);
void setting_print_seconds(const struct printing *printing, const struct key *key,
                           const void *target);
void setting_print_word(const struct printing *printing, const struct key *key, const void *target);

/* Sets every field of a group to its default. */
void keys_initial(const struct key_table *table, void *target);

/* Do two groups say the same, in each of their keys? */
bool keys_equal(const struct key_table *table, const void *a, const void *b);

/* All keys of a group that are set, defaults too, in the table's order. */
void keys_print(const struct printing *printing, const struct key_table *table, const void *target);

/* "name: {" and "};" around what is printed between. */
struct printing print_open(const struct printing *printing, const char *name);
void print_close(const struct printing *printing);

/* A line at the printing's depth; strings in it are quoted by print_quoted. */
void print_indent(const struct printing *printing);
void print_quoted(const struct printing *printing, const char *text);

/* How a number is written: its units, and what is said of it. */
struct measure;
extern const struct measure measure_plain;
extern const struct measure measure_seconds;
extern const struct measure measure_milliseconds;
extern const struct measure measure_octets;
#define MEASURE_TEXT_MAX 32
bool measure_read(struct reading *reading, const config_setting_t *setting, const struct key *key,
                  const struct measure *measure, uint64_t *value);
const char *measure_text(const struct measure *measure, uint64_t value, char *text);

/* A string; NULL after a fault that says `expected`. */
const char *setting_string(struct reading *reading, const config_setting_t *setting,
                           const char *expected);

/* One of `words`. */
bool setting_word(struct reading *reading, const config_setting_t *setting,
                  const struct word *words, size_t word_count, int *value);

/* A string, or an array or list of them: how many (0 after a fault; at most `max`), and the i-th
 * as a setting that is known to hold a string. */
size_t setting_strings(struct reading *reading, config_setting_t *setting, size_t max,
                       const char *expected);
config_setting_t *setting_strings_at(config_setting_t *setting, size_t i);

/* `setting` must be a group. */
bool setting_is_group(struct reading *reading, config_setting_t *setting);

/* Faults; each returns false.  The first three give file, line and key of `setting`. */
/* ... then what stands there, "; expected " and the text. */
bool setting_expected(struct reading *reading, const config_setting_t *setting, const char *format,
                      ...) PRINTF_LIKE(3, 4);
/* ... then what stands there, ": " and the text. */
bool setting_wrong(struct reading *reading, const config_setting_t *setting, const char *format,
                   ...) PRINTF_LIKE(3, 4);
/* The same for a string with `wrong`, which may begin with the part of it that is meant. */
bool setting_wrong_part(struct reading *reading, const config_setting_t *setting,
                        const char *wrong);
/* ... then the text alone. */
bool setting_fault(struct reading *reading, const config_setting_t *setting, const char *format,
                   ...) PRINTF_LIKE(3, 4);
/* File and line, then the text. */
bool reading_fault(struct reading *reading, unsigned line, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Says what is wrong with a text that libconfig gave up at a line.  False when nothing is found up
 * to there; the fault is written otherwise. */
bool syntax_fault(struct reading *reading, const char *text, unsigned refused_line);

/* The line of the file where a setting stands. */
unsigned setting_line(const struct reading *reading, const config_setting_t *setting);

/* Hands `text` to libconfig, once what libconfig would let pass silently is ruled out.  When it
 * returns true the caller owns `parsed` (config_destroy). */
bool reading_parse(struct reading *reading, struct slice text, config_t *parsed);

/* --- In parts: a file with a large group at its top --- */

/* What libconfig makes of a file without the members of the group, which stay text until
 * file_members: never more than a few of them are in its hands. */
struct file_tree {
    config_t tree;
    struct secret copy; /* of the text, and a NUL */
    struct cut cut;
};

/* As reading_parse does, but for faults among the members; then file_close. */
bool file_open(struct reading *reading, struct slice text, const char *group,
               struct file_tree *file);

typedef bool members_reader(struct reading *reading, config_setting_t *members, void *target);

/* Calls `each` for some members after the other, while it returns true. */
bool file_members(struct reading *reading, const struct file_tree *file, members_reader *each,
                  void *target);

/* Is there something among the members that libconfig refuses?  Then it is told.  A file with such
 * a fault and another one is refused for this one. */
bool file_refused(struct reading *reading, const struct file_tree *file);

void file_close(struct file_tree *file);

#endif
