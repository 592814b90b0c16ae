/*
 * What README, HACKING and the manual pages claim, held against the tree: examples parse, every
 * key and counter has its place, the files, functions and tests that are named exist, and the
 * unit leaves what iked says it needs.
 *
 * Not here: whether a sentence is true.
 */
#include <ctype.h>
#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "lib/policy/connection.h"
#include "lib/policy/diff.h"
#include "lib/policy/loss.h"
#include "lib/policy/secrets.h"
#include "lib/policy/selector.h"
#include "lib/sa/counter.h"
#include "test/unit/policy.h"

#define TEXT_MAX  131072
#define LINE_SIZE 1024
#define WORD_SIZE 64
#define FILES_MAX 512

/* A whole file, read once. */
static const char *text_of(const char *path)
{
    static struct {
        char path[256];
        char *text;
    } files[FILES_MAX];
    size_t i = 0;

    while (i < FILES_MAX && files[i].text != NULL && strcmp(files[i].path, path) != 0)
        i++;
    assert_in_range(i, 0, FILES_MAX - 1);
    if (files[i].text != NULL)
        return files[i].text;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    files[i].text = calloc(1, TEXT_MAX);
    assert_non_null(files[i].text);
    size_t size = fread(files[i].text, 1, TEXT_MAX, file);
    fclose(file);
    assert_in_range(size, 1, TEXT_MAX - 1);
    snprintf(files[i].path, sizeof(files[i].path), "%s", path);
    return files[i].text;
}

/* Copies what stands before the next `end`, and moves behind it; false when nothing is left. */
static bool next_part(const char **rest, char end, char part[LINE_SIZE])
{
    const char *at = strchr(*rest, end);
    size_t size = at != NULL ? (size_t)(at - *rest) : strlen(*rest);

    if (**rest == '\0')
        return false;
    snprintf(part, LINE_SIZE, "%.*s", (int)size, *rest);
    *rest += at != NULL ? size + 1 : size;
    return true;
}

static bool next_line(const char **rest, char line[LINE_SIZE])
{
    return next_part(rest, '\n', line);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* --- Examples --- */

struct examples {
    size_t connections;
    size_t secrets;
    size_t remotes;
    size_t proposals;
};

static void try_secrets(const char *text)
{
    const struct config_text file = {"secrets.conf", slice_text(text)};
    char error[CONFIG_ERROR_MAX];
    struct secrets *secrets = secrets_parse(&file, 1, error);

    if (secrets == NULL)
        fail_msg("%s", error);
    secrets_free(secrets);
}

static struct config *config_with(const char *before, const char *text, const char *behind)
{
    char whole[2048];

    assert_in_range(snprintf(whole, sizeof(whole), "%s%s%s", before, text, behind), 1,
                    sizeof(whole) - 1);
    return policy_config(whole);
}

static void try_remotes(struct examples *seen, const char *lines)
{
    char line[LINE_SIZE];

    for (; next_line(&lines, line); seen->remotes++)
        config_free(config_with("connections: { db: { local = \"192.0.2.1\";", line, " }; };"));
}

/* The page says that these are the defaults. */
static void try_proposals(struct examples *seen, char *text)
{
    char *esp = strstr(text, "\nesp =");

    assert_non_null(esp);
    *esp++ = '\0';
    struct config *said = config_with("connections: { db: { local = \"192.0.2.1\"; "
                                      "remote = \"192.0.2.2\"; children: { db: { ",
                                      esp, " }; }; }; };");
    struct config *ike = config_with("connections: { db: { local = \"192.0.2.1\"; "
                                     "remote = \"192.0.2.2\"; ",
                                     text, " }; };");
    struct config *defaults = policy_config(TWO_HOSTS(""));
    const struct connection *db = config_find(defaults, "db");

    assert_true(connection_equal(config_find(said, "db"), db));
    assert_true(connection_equal(config_find(ike, "db"), db));
    config_free(said);
    config_free(ike);
    config_free(defaults);
    seen->proposals++;
}

static void try_example(struct examples *seen, char *text)
{
    if (begins(text, "connections:")) {
        config_free(policy_config(text));
        seen->connections++;
    } else if (begins(text, "secrets:")) {
        try_secrets(text);
        seen->secrets++;
    } else if (begins(text, "remote =")) {
        try_remotes(seen, text);
    } else if (begins(text, "proposals =")) {
        try_proposals(seen, text);
    }
}

/* Between ``` and ```, or .Bd -literal and .Ed. */
static void try_examples(struct examples *seen, const char *path)
{
    const char *rest = text_of(path);
    char line[LINE_SIZE];
    char example[4096] = "";
    bool inside = false;

    while (next_line(&rest, line)) {
        bool fence = begins(line, "```") || begins(line, ".Bd -literal") || begins(line, ".Ed");
        if (fence && inside)
            try_example(seen, example);
        if (fence)
            example[0] = '\0';
        inside = inside != fence;
        if (inside && !fence) {
            size_t used = strlen(example);
            assert_in_range(snprintf(example + used, sizeof(example) - used, "%s\n", line), 1,
                            sizeof(example) - used - 1);
        }
    }
}

static void examples_parse(void **state)
{
    struct examples readme = {0};
    struct examples page = {0};
    (void)state;

    try_examples(&readme, "README.md");
    assert_int_equal(readme.connections, 1);
    assert_int_equal(readme.secrets, 1);
    try_examples(&page, "man/iked.conf.5");
    assert_int_equal(page.connections, 2);
    assert_int_equal(page.secrets, 1);
    assert_int_equal(page.remotes, 2);
    assert_int_equal(page.proposals, 1);
}

/* `.It Ql \(dqtext\(dq , ...` of one part of the page. */
static size_t try_values(const char *part, bool (*good)(const char *text))
{
    const char *rest = strstr(text_of("man/iked.conf.5"), part);
    char line[LINE_SIZE];
    size_t count = 0;

    assert_non_null(rest);
    assert_true(next_line(&rest, line));
    while (next_line(&rest, line) && !begins(line, ".S")) {
        if (!begins(line, ".It Ql"))
            continue;
        for (char *at = line; (at = strstr(at, "\\(dq")) != NULL; count++) {
            char *value = at + strlen("\\(dq");
            at = strstr(value, "\\(dq");
            assert_non_null(at);
            *at++ = '\0';
            if (!good(value))
                fail_msg("%s: \"%s\"", part, value);
        }
    }
    return count;
}

static bool is_selector(const char *text)
{
    struct address host = policy_address("192.0.2.1");
    char wrong[SELECTOR_WRONG_MAX];
    struct selector selector;

    return selector_parse(&selector, text, &host, wrong);
}

static bool is_identity(const char *text)
{
    struct identity identity;

    return identity_parse(&identity, text);
}

static void values_in_the_page_parse(void **state)
{
    (void)state;

    assert_in_range(try_values(".Ss Selectors", is_selector), 10, 99);
    assert_in_range(try_values(".Ss Identities", is_identity), 6, 99);
}

/* --- Names --- */

/* Is `name` a whole word of a line that begins so? */
static bool page_has(const char *page, const char *macro, const char *name)
{
    const char *rest = text_of(page);
    char line[LINE_SIZE];

    while (next_line(&rest, line)) {
        char *words = line;
        if (!begins(line, macro))
            continue;
        for (char *word; (word = strsep(&words, " ,:{")) != NULL;)
            if (strcmp(word, name) == 0)
                return true;
    }
    return false;
}

/* Rows of tables: not what is only refused. */
static size_t rows_are_told(const struct key_table *table, const char *page, const char *macro)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (table->keys[i].type == NULL)
            continue;
        if (!page_has(page, macro, table->keys[i].name))
            fail_msg("%s: %s is not told", page, table->keys[i].name);
        count++;
    }
    return count;
}

static void every_key_has_its_place(void **state)
{
    static const char page[] = "man/iked.conf.5";
    (void)state;

    assert_in_range(rows_are_told(&connection_table, page, ".It Ic") +
                        rows_are_told(&endpoint_table, page, ".It Ic"),
                    20, 99);
    assert_in_range(rows_are_told(&child_table, page, ".It Ic"), 10, 99);
    assert_in_range(rows_are_told(&daemon_table, page, ".I"), 10, 99);
    /* The example says everything that could be left out. */
    assert_in_range(rows_are_told(&connection_table, "etc/iked.conf", "#") +
                        rows_are_told(&endpoint_table, "etc/iked.conf", "#"),
                    20, 99);
    assert_in_range(rows_are_told(&child_table, "etc/iked.conf", "#"), 10, 99);
}

/* Rows of a table in a source, `{"name", value, ...`. */
static size_t names_are_told(const char *source, const char *page, const char *macro)
{
    const char *rest = text_of(source);
    char line[LINE_SIZE];
    size_t count = 0;

    while (next_line(&rest, line)) {
        char name[WORD_SIZE];
        char next;
        if (sscanf(line, " {\"%63[a-z_0-9]\", %c", name, &next) != 2 ||
            !islower((unsigned char)next))
            continue;
        if (!page_has(page, macro, name))
            fail_msg("%s: %s of %s is not told", page, name, source);
        count++;
    }
    return count;
}

static void every_counter_is_told(void **state)
{
    static const char page[] = "man/iked-control.7";
    static const char *const names[] = {
#define COUNTER_NAME(name, text) text,
        COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    (void)state;

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        if (!page_has(page, ".It Cm", names[i]))
            fail_msg("%s: the counter %s is not told", page, names[i]);
    assert_int_equal(names_are_told("iked/negotiator/control_show.c", page, ".It Cm"), 10);
}

/* --- Tests that are named --- */

/* Does a file of the folder with this ending hold the text? */
static bool folder_has(const char *folder, const char *ending, const char *text)
{
    DIR *directory = opendir(folder);
    bool found = false;
    char path[512];

    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && !found;) {
        size_t size = strlen(entry->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (size > strlen(ending) && strcmp(entry->d_name + size - strlen(ending), ending) == 0)
            found = strstr(text_of(path), text) != NULL;
    }
    closedir(directory);
    return found;
}

static bool file_exists(const char *folder, const char *name, const char *ending)
{
    char path[LINE_SIZE + 32];

    snprintf(path, sizeof(path), "%s/%s%s", folder, name, ending);
    return access(path, F_OK) == 0;
}

/* `lab test_x`, `fuzz_x` or a unit test: what has an underscore is a file's name. */
static void name_is_there(const char *name)
{
    bool there = begins(name, "fuzz_")   ? file_exists("test/fuzz", name, ".c")
                 : begins(name, "test_") ? file_exists("test/lab", name, ".py")
                                         : file_exists("test/unit", name, ".c");

    if (!there)
        fail_msg("HACKING.md: there is no test %s", name);
}

static void scenario_is_there(const char *name)
{
    char line[LINE_SIZE + 16];

    snprintf(line, sizeof(line), "\nscenario %s\n", name);
    if (!folder_has("test/scenario", ".scn", line))
        fail_msg("HACKING.md: there is no scenario \"%s\"", name);
}

/* Scenarios in `quotes`, others by their files; how many scenarios. */
static size_t column_is_there(const char *column)
{
    char part[LINE_SIZE];
    size_t scenarios = 0;

    for (bool quoted = false; next_part(&column, '`', part); quoted = !quoted) {
        char *words = part;
        if (quoted)
            scenario_is_there(part);
        scenarios += quoted;
        for (char *word; !quoted && (word = strsep(&words, " ,;|")) != NULL;)
            if (strchr(word, '_') != NULL)
                name_is_there(word);
    }
    return scenarios;
}

/* | R1 | hole | met in | red | */
static void what_turns_red_is_there(void **state)
{
    const char *rest = text_of("HACKING.md");
    char line[LINE_SIZE];
    size_t rows = 0;
    size_t scenarios = 0;
    (void)state;

    while (next_line(&rest, line)) {
        char *column = line;
        if (!begins(line, "| R") || !isdigit((unsigned char)line[3]))
            continue;
        for (int i = 0; i < 4; i++)
            strsep(&column, "|");
        assert_non_null(column);
        scenarios += column_is_there(column);
        rows++;
    }
    assert_int_equal(rows, 24);
    assert_in_range(scenarios, 20, 99);
}

/* README names the lab's tests in `quotes`. */
static void what_measured_it_is_there(void **state)
{
    const char *rest = text_of("README.md");
    char part[LINE_SIZE];
    size_t count = 0;
    (void)state;

    for (bool quoted = false; next_part(&rest, '`', part); quoted = !quoted) {
        char definition[LINE_SIZE + 8];
        if (!quoted || !begins(part, "test_"))
            continue;
        count++;
        snprintf(definition, sizeof(definition), "\ndef %s(", part);
        if (!folder_has("test/lab", ".py", definition))
            fail_msg("README.md: there is no %s in test/lab", part);
    }
    assert_in_range(count, 10, 99);
}

/* --- Files and functions that are named --- */

static void path_is_there(const char *page, char *word)
{
    static const char *const rooms[] = {"lib/", "iked/", "ikectl/", "test/", "etc/", "man/"};
    glob_t found;

    word[strcspn(word, "'`(),;:")] = '\0';
    size_t size = strlen(word);
    if (size > 0 && word[size - 1] == '.')
        word[size - 1] = '\0';
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        if (!begins(word, rooms[i]))
            continue;
        if (glob(word, 0, NULL, &found) != 0)
            fail_msg("%s: there is no %s", page, word);
        globfree(&found);
    }
}

static void files_that_are_named_are_there(void **state)
{
    static const char *const pages[] = {"README.md",       "HACKING.md",        "SECURITY.md",
                                        "CONTRIBUTING.md", "man/iked.8",        "man/ikectl.8",
                                        "man/iked.conf.5", "man/iked-control.7"};
    (void)state;

    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        const char *rest = text_of(pages[i]);
        char line[LINE_SIZE];
        while (next_line(&rest, line)) {
            char *words = line;
            for (char *word; (word = strsep(&words, " |")) != NULL;)
                path_is_there(pages[i], word + strspn(word, "(`"));
        }
    }
}

static bool source_has(const char *name)
{
    glob_t found;
    bool has = false;

    assert_int_equal(glob("lib/*/*.[ch]", 0, NULL, &found), 0);
    assert_int_equal(glob("iked/*.[ch]", GLOB_APPEND, NULL, &found), 0);
    assert_int_equal(glob("iked/*/*.[ch]", GLOB_APPEND, NULL, &found), 0);
    assert_int_equal(glob("iked/*/*/*.[ch]", GLOB_APPEND, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc && !has; i++)
        has = strstr(text_of(found.gl_pathv[i]), name) != NULL;
    globfree(&found);
    return has;
}

/* In `quotes`, one word with an underscore: a function or a member. */
static void functions_that_are_named_are_there(void **state)
{
    const char *rest = text_of("HACKING.md");
    char part[LINE_SIZE];
    size_t count = 0;
    (void)state;

    for (bool quoted = false; next_part(&rest, '`', part); quoted = !quoted) {
        size_t size = strlen(part);
        if (!quoted || strchr(part, '_') == NULL || part[0] == '_' ||
            strspn(part, "abcdefghijklmnopqrstuvwxyz_0123456789") != size)
            continue;
        count++;
        if (!source_has(part))
            fail_msg("HACKING.md: there is no %s", part);
    }
    assert_in_range(count, 20, 99);
}

/* --- The version --- */

/* It stands in configure.ac; what is printed in a page is as it would be printed now. */
static void pages_name_this_version(void **state)
{
    static const struct {
        const char *page, *before;
    } places[] = {
        {"CHANGELOG.md", "\n## "},
        {"man/ikectl.8", "\niked "},
        {"man/iked-control.7", "{\"iked\":\""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *at = strstr(text_of(places[i].page), places[i].before);
        assert_non_null(at);
        at += strlen(places[i].before);
        if (!begins(at, IKED_VERSION))
            fail_msg("%s is not of version %s: %.20s", places[i].page, IKED_VERSION, at);
    }
}

/* --- What the unit leaves --- */

/* Each word of `text` that begins with `with` is one of the unit's `setting`. */
static size_t unit_has(const char *setting, const char *text, const char *with)
{
    const char *line = strstr(text_of("etc/iked.service"), setting);
    size_t count = 0;

    assert_non_null(line++);
    size_t end = strcspn(line, "\n");
    for (const char *at = text; (at = strstr(at, with)) != NULL; count++) {
        at += strspn(at, "\"");
        size_t size = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz/");
        const char *there = memmem(line, end, at, size);
        if (there == NULL || strchr(" =\n", there[size]) == NULL)
            fail_msg("etc/iked.service: no %.*s in %.*s", (int)size, at, (int)end, line);
        at += size;
    }
    return count;
}

static void the_unit_leaves_what_iked_needs(void **state)
{
    static const char bounds[] = "\nCapabilityBoundingSet=";
    (void)state;

    assert_in_range(unit_has(bounds, text_of("iked/process/privilege.c"), "\"CAP_"), 7, 99);
    assert_in_range(unit_has(bounds, text_of("man/iked.8"), "CAP_"), 1, 99);
    assert_in_range(unit_has("\nDeviceAllow=", text_of("iked/keeper/xfrm/early.c"), "/dev/net/"), 1,
                    99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_parse),
        cmocka_unit_test(values_in_the_page_parse),
        cmocka_unit_test(every_key_has_its_place),
        cmocka_unit_test(every_counter_is_told),
        cmocka_unit_test(what_turns_red_is_there),
        cmocka_unit_test(what_measured_it_is_there),
        cmocka_unit_test(files_that_are_named_are_there),
        cmocka_unit_test(functions_that_are_named_are_there),
        cmocka_unit_test(pages_name_this_version),
        cmocka_unit_test(the_unit_leaves_what_iked_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
