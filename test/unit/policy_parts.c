/*
 * Large files, which libconfig reads in parts (lib/policy/cut.h): nothing of what is taken or told
 * depends on where a part ends.
 */
#include "lib/policy/cut.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/policy/loss.h"
#include "test/unit/faults.h"
#include "test/unit/policy.h"

#define MANY 500 /* connections, one a line; about ten parts */

/* A file that is written line by line. */
struct text {
    FILE *file;
    char *octets;
    size_t size;
};

static void text_begin(struct text *text)
{
    text->file = open_memstream(&text->octets, &text->size);
    assert_non_null(text->file);
}

static void write_many(const struct text *text, unsigned from, unsigned to)
{
    static const char *const ends[] = {"};", "}", "},", "} // {", "}; # \"{", "} /* { */ ;"};

    for (unsigned i = from; i < to; i++)
        fprintf(text->file, "  c%u: { local = \"192.0.2.1\"; remote = \"10.0.%u.%u\" %s\n", i,
                i >> 8, i & 255, ends[i % 6]);
}

static struct config_text text_end(struct text *text)
{
    assert_int_equal(fclose(text->file), 0);
    return (struct config_text){"f", slice_of(text->octets, text->size)};
}

/* --- What is right --- */

static void parts_have_all_members_and_their_lines(void **state)
{
    (void)state;
    struct text text;
    char error[CONFIG_ERROR_MAX] = "";

    text_begin(&text);
    fputs("daemon: { half_open_max = 7; }\nconnections /* { */ = {\n", text.file);
    write_many(&text, 0, MANY);
    fputs("};\n# };\n", text.file);
    struct config_text file = text_end(&text);
    struct config *config = config_parse(&file, 1, error);
    assert_string_equal(error, "");
    assert_int_equal(config->connection_count, MANY);
    assert_int_equal(config->daemon.half_open_max, 7);
    const struct connection *connection;
    unsigned i = 0;
    TAILQ_FOREACH (connection, &config->connections, entry) {
        char name[16];
        snprintf(name, sizeof(name), "c%u", i);
        assert_string_equal(connection->name, name);
        assert_int_equal(connection->line, i + 3);
        assert_int_equal(connection->place, i);
        i++;
    }
    config_free(config);
    free(text.octets);
}

static void a_part_ends_where_a_member_does(void **state)
{
    (void)state;
    static const char text[] =
        "x = 1; g = { a: { b: {}; }; c = ( 1, 2 ) , d = 5; e = \"}\" \";\"; f = "
        "1 h = 2 } y = 2;";
    static const char *const parts[] = {" a: { b: {}; };", " c = ( 1, 2 ) ,", " d = 5;",
                                        " e = \"}\" \";\";", " f = 1 h = 2 "};
    struct cut cut = cut_find(text, "g");
    struct part part = part_none(&cut);

    assert_true(cut.balanced);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_true(part_next(&cut, 1, &part));
        assert_int_equal(part.end - part.start, strlen(parts[i]));
        assert_memory_equal(text + part.start, parts[i], strlen(parts[i]));
    }
    assert_false(part_next(&cut, 1, &part));
    part = part_none(&cut);
    assert_true(part_next(&cut, 100, &part));
    assert_int_equal(part.end, cut.end);
}

static void what_is_no_group_at_the_top_is_not_cut(void **state)
{
    (void)state;
    static const char *const texts[] = {"g = 5;",
                                        "a: { g: { b = 1; }; };",
                                        "gg: { b = 1; };",
                                        "# g: { b = 1; }",
                                        "s = \"g: { b = 1; }\";",
                                        "",
                                        "g"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct cut cut = cut_find(texts[i], "g");
        assert_true(cut.balanced);
        assert_int_equal(cut.start, cut.end);
    }
    assert_false(cut_find("g: { b: { }", "g").balanced);
    assert_false(cut_find("g: { b = [ }; ];", "g").balanced);
    assert_false(cut_find("g: { b: { }; }; };", "g").balanced);
}

/* --- What is wrong --- */

/* `line` stands behind 500 connections and before as many. */
static void told(const char *line, const char *expected)
{
    struct text text;
    char error[CONFIG_ERROR_MAX] = "";

    text_begin(&text);
    fputs("connections: {\n", text.file);
    write_many(&text, 0, MANY);
    fprintf(text.file, "%s\n", line);
    write_many(&text, MANY, 2 * MANY);
    fputs("};\n", text.file);
    struct config_text file = text_end(&text);
    struct config *config = config_parse(&file, 1, error);
    assert_null(config);
    assert_string_equal(error, expected);
    free(text.octets);
}

static void a_fault_is_told_where_it_is(void **state)
{
    (void)state;
    told("x: { local = \"192.0.2.1\"; };", "f:502: x: no remote; expected remote = \"ADDRESS\";");
    told("\nx = 5;", "f:503: x: 5; expected a group: x: { ... };");
    told("x: { local = 192.0.2.1; };",
         "f:502: local: 192.0.2.1 without double quotes; expected \"192.0.2.1\"");
    told("x: { a = 1; a = 2; };", "f:502: duplicate setting name at \"x: { a = 1; a = 2; };\"; "
                                  "expected each name once in its group");
    told("x { };", "f:502: x: '{' behind the name; expected '=' or ':'");
    told(";;", "f:502: ';' where a name should stand; expected \"name = value;\" or \"name: { ... "
               "};\"");
}

static void a_name_stands_once_however_far_the_other_is(void **state)
{
    (void)state;
    told("c0: { };", "f:502: duplicate setting name at \"c0: { };\"; expected each name once in "
                     "its group");
    told("c0: {\na = ; };", "f:502: duplicate setting name at \"c0: {\"; expected each "
                            "name once in its group");
    told("c999 = 1;", "f:1002: duplicate setting name at \"c999: { local = \"192.0.2.1\"; remote = "
                      "\"10.0.3.231\" } // {\"; expected each name once in its group");
}

static void what_no_file_may_have_is_told_first(void **state)
{
    (void)state;
    struct text text;
    char error[CONFIG_ERROR_MAX] = "";

    text_begin(&text);
    fputs("foo = 1;\nconnections: {\n x: { bar = 1; };\n", text.file);
    write_many(&text, 0, MANY);
    fputs("c499: { };\n};\n", text.file);
    struct config_text file = text_end(&text);
    assert_null(config_parse(&file, 1, error));
    assert_string_equal(error, "f:504: duplicate setting name at \"c499: { };\"; expected each "
                               "name once in its group");
    free(text.octets);
}

static void a_bracket_is_missed_in_large_files_too(void **state)
{
    (void)state;
    struct text text;
    char error[CONFIG_ERROR_MAX] = "";

    text_begin(&text);
    fputs("connections: {\n", text.file);
    write_many(&text, 0, MANY);
    fputs("  x: { local = \"192.0.2.1\";\n", text.file);
    write_many(&text, MANY, 12 * MANY);
    fputs("};\n", text.file);
    struct config_text file = text_end(&text);
    assert_null(config_parse(&file, 1, error));
    assert_string_equal(error, "f:502: x: the '{' of this line is not closed; expected '}'");
    free(text.octets);
}

static void what_is_right_is_salvaged_from_all_parts(void **state)
{
    (void)state;
    struct text text;

    text_begin(&text);
    fputs("connections: {\n", text.file);
    write_many(&text, 0, MANY);
    fputs("x: { foo = 1; };\n", text.file);
    write_many(&text, MANY, 2 * MANY);
    fputs("};\ndaemon: { on_failure = \"open\"; };\n", text.file);
    struct config_text file = text_end(&text);
    struct config *config = config_salvage(&file, 1);
    assert_int_equal(config->connection_count, 2 * MANY);
    assert_true(config->daemon.open_on_failure);
    config_free(config);
    free(text.octets);
}

static void nothing_is_salvaged_of_what_libconfig_refuses(void **state)
{
    (void)state;
    struct text text;

    text_begin(&text);
    fputs("daemon: { on_failure = \"open\"; };\nconnections: {\n", text.file);
    write_many(&text, 0, MANY);
    fputs("c0: { };\n};\n", text.file);
    struct config_text file = text_end(&text);
    struct config *config = config_salvage(&file, 1);
    assert_int_equal(config->connection_count, 0);
    assert_false(config->daemon.open_on_failure);
    config_free(config);
    free(text.octets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_have_all_members_and_their_lines),
        cmocka_unit_test(a_part_ends_where_a_member_does),
        cmocka_unit_test(what_is_no_group_at_the_top_is_not_cut),
        cmocka_unit_test(a_fault_is_told_where_it_is),
        cmocka_unit_test(a_name_stands_once_however_far_the_other_is),
        cmocka_unit_test(what_no_file_may_have_is_told_first),
        cmocka_unit_test(a_bracket_is_missed_in_large_files_too),
        cmocka_unit_test(what_is_right_is_salvaged_from_all_parts),
        cmocka_unit_test(nothing_is_salvaged_of_what_libconfig_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
