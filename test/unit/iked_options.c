/*
 * The command line (iked/options.h).
 */
#include "iked/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/unit/bytes.h"

#define ARGUMENTS_MAX 8

static struct options options;

/* As a program called with these words, up to NULL. */
static enum options_result parse(const char *const words[])
{
    static char text[ARGUMENTS_MAX][32] = {"iked"}; /* the options point into it */
    char *arguments[ARGUMENTS_MAX + 1] = {text[0]};
    int count = 1;

    for (; words[count - 1] != NULL; count++) {
        strcpy(text[count], words[count - 1]);
        arguments[count] = text[count];
    }
    optind = 0; /* getopt begins anew */
    return options_parse(&options, count, arguments);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void defaults_hold(void **state)
{
    (void)state;
    assert_int_equal(parse((const char *const[]){NULL}), OPTIONS_GO);
    assert_false(options.foreground || options.check_only || options.verbose);
    assert_false(options.negotiator);
    assert_int_equal(options.kernel, OPTIONS_KERNEL_XFRM);
    assert_non_null(strstr(options.file, "/iked/iked.conf"));
    assert_non_null(strstr(options.run_dir, "/run/iked"));
    assert_null(options.user);
}

static void options_are_read(void **state)
{
    static char file[] = "x.conf";
    (void)state;

    assert_int_equal(PARSE("-dv", "--kernel=none"), OPTIONS_GO);
    assert_true(options.foreground && options.verbose && !options.check_only);
    assert_int_equal(options.kernel, OPTIONS_KERNEL_NONE);
    assert_int_equal(PARSE("--kernel", "xfrm", "-n"), OPTIONS_GO);
    assert_int_equal(options.kernel, OPTIONS_KERNEL_XFRM);
    assert_true(options.check_only);
    assert_int_equal(PARSE("-f", file, "--run", "d", "--user", "u"), OPTIONS_GO);
    assert_non_null(strstr(options.state_dir, "/lib/iked"));
    assert_int_equal(PARSE("--state", "s"), OPTIONS_GO);
    assert_string_equal(options.state_dir, "s");
    assert_int_equal(PARSE("--negotiator", "12:34", "--run", "d"), OPTIONS_GO);
    assert_true(options.negotiator && options.uid == 12 && options.gid == 34);
}

static void misuse_is_told(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-x"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("--verbos"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("-f"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("--kernel"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("--kernel=linux"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("-d", "start"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("--negotiator", "12"), OPTIONS_MISUSE);
    assert_int_equal(PARSE("--negotiator", "1:2:3"), OPTIONS_MISUSE);
}

static void help_and_version_are_enough(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--version"), OPTIONS_DONE);
    assert_int_equal(PARSE("-d", "--help"), OPTIONS_DONE);
}

/* Whether it stays in the foreground or not: a negotiator has another directory. */
static void paths_do_not_depend_on_the_directory(void **state)
{
    (void)state;
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(PARSE("-d", "-f", "x.conf", "--run", "d", "--state", "/s"), OPTIONS_GO);
    assert_true(options_make_absolute(&options));
    assert_string_equal(options.file, "/tmp/x.conf");
    assert_string_equal(options.run_dir, "/tmp/d");
    assert_string_equal(options.state_dir, "/s");
    free((void *)(uintptr_t)options.file);
    free((void *)(uintptr_t)options.run_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(paths_do_not_depend_on_the_directory),
        cmocka_unit_test(misuse_is_told),
        cmocka_unit_test(help_and_version_are_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
