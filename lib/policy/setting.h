/*
 * Reading libconfig's settings: typed values, tables of known keys, and the one line that says
 * what is wrong: `FILE:LINE: KEY: what stood there; what was expected`.
 *
 * Every reader returns false after it has written that line; nobody reads on then.
 * Not here: what a connection or a child means (connection.c, child.c).
 */
#ifndef LIB_POLICY_SETTING_H
#define LIB_POLICY_SETTING_H

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

/* A key that may stand in a group. */
struct key {
    const char *name;
    key_reader *read;    /* NULL: known, but refused */
    const char *refusal; /* why, when read is NULL; NULL: this version does not have it */
    size_t offset;       /* of the field in `target` that the reader fills */
    uint64_t min;        /* bounds of a number or a time, in the field's unit */
    uint64_t max;
};

/* Where others write it; no value of a secret is ever shown. */
#define KEY_PSK                                                                          \
    {                                                                                    \
        "psk", NULL, "a secret in a configuration; expected it in secrets.conf", 0, 0, 0 \
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

/* A word and what it stands for. */
struct word {
    const char *text;
    int value;
};

#define SETTING_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Reads every member of `group` by its row of `table` into `target`; unknown ones are faults. */
bool setting_read_group(struct reading *reading, config_setting_t *group,
                        const struct key_table *table, void *target);

/* Readers for rows: of a bool, of a uint32_t or uint64_t in [min, max], of a time into a uint32_t
 * of seconds or milliseconds, of octets into a uint64_t. */
key_reader setting_read_flag;
key_reader setting_read_u32;
key_reader setting_read_u64;
key_reader setting_read_seconds;
key_reader setting_read_milliseconds;
key_reader setting_read_bytes;
/* For what can only be understood once its neighbours are known: the group's owner reads it. */
key_reader setting_read_later;

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
