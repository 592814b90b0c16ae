/*
 * Log lines as standard error gets them (iked/process/log.h); syslog is not looked at.
 */
#include "iked/process/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/unit/bytes.h"

static int real_stderr;
static int pipe_fds[2];

static int catch_stderr(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    real_stderr = dup(STDERR_FILENO);
    return pipe(pipe_fds) == 0 && dup2(pipe_fds[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int release_stderr(void **state)
{
    (void)state;
    log_open(LOG_TO_STDERR);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* What one log_line() of "a\tb" writes. */
static const char *line_written(enum log_place place)
{
    static char text[256];

    log_open(place);
    log_line(SEVERITY_WARNING, "%s", "a\tb");
    ssize_t size = read(pipe_fds[0], text, sizeof(text) - 1);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void plain_lines_have_no_time(void **state)
{
    (void)state;
    assert_string_equal(line_written(LOG_TO_STDERR), "iked: warning: a?b\n");
}

static void assert_timed(const char *line)
{
    int hour, minute, second, ms, size = 0;

    assert_int_equal(sscanf(line, "%2d:%2d:%2d.%3d %n", &hour, &minute, &second, &ms, &size), 4);
    assert_int_equal(size, strlen("HH:MM:SS.mmm "));
    assert_in_range(hour, 0, 23);
    assert_in_range(minute, 0, 59);
    assert_in_range(second, 0, 60);
    assert_string_equal(line + size, "iked: warning: a?b\n");
}

static void timed_lines_begin_with_the_local_time(void **state)
{
    (void)state;
    assert_timed(line_written(LOG_TO_STDERR_TIMED));
}

static void the_journal_notes_the_time_itself(void **state)
{
    struct stat stream;
    char name[64];

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &stream), 0);
    snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)stream.st_dev, (uintmax_t)stream.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    assert_string_equal(line_written(LOG_TO_STDERR_TIMED), "iked: warning: a?b\n");
}

static void the_journal_of_somebody_else_does_not_count(void **state)
{
    (void)state;
    setenv("JOURNAL_STREAM", "1:1", 1);
    assert_timed(line_written(LOG_TO_STDERR_TIMED));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, catch_stderr, release_stderr)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_lines_have_no_time),
        TEST(timed_lines_begin_with_the_local_time),
        TEST(the_journal_notes_the_time_itself),
        TEST(the_journal_of_somebody_else_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
