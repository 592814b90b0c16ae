/*
 * The example that is installed: valid as it stands, and with all of its settings uncommented.
 */
#include <ctype.h>
#include <stdio.h>

#include "test/unit/policy.h"

#define EXAMPLE_PATH "etc/iked.conf"
#define EXAMPLE_MAX  16384
#define EXAMPLES     4 /* connections in it */

static void example_read(char text[EXAMPLE_MAX])
{
    FILE *file = fopen(EXAMPLE_PATH, "r");

    assert_non_null(file);
    text[fread(text, 1, EXAMPLE_MAX - 1, file)] = '\0';
    fclose(file);
}

/* "#db" and "#  db" are settings, "# Prose" is not. */
static bool is_setting(const char *line)
{
    return line[0] == '#' && line[1] != '\n' && (line[1] != ' ' || line[2] == ' ');
}

static void it_is_valid_as_it_stands(void **state)
{
    static char text[EXAMPLE_MAX];

    (void)state;
    example_read(text);
    struct config *config = policy_config(text);
    assert_int_equal(config->connection_count, 0);
    config_free(config);
}

static void uncommented_it_says_what_is_the_default(void **state)
{
    static char text[EXAMPLE_MAX];

    (void)state;
    example_read(text);
    bool head = true;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        head = head && line[0] == '#';
        if (!head && is_setting(line))
            line[0] = ' ';
        line = end != NULL ? end + 1 : NULL;
    }
    struct config *config = policy_config(text);
    struct config *defaults = policy_config("");
    assert_int_equal(config->connection_count, EXAMPLES);
    assert_memory_equal(&config->daemon, &defaults->daemon, sizeof(config->daemon));
    config_free(config);
    config_free(defaults);
}

/* The natural first edit: one example alone, between the brackets that are there. */
static void each_example_alone_is_enough(void **state)
{
    static char text[EXAMPLE_MAX];
    size_t examples = 0;

    (void)state;
    example_read(text);
    for (size_t at = (size_t)(strstr(text, "connections:") - text);; examples++) {
        example_read(text);
        char *line = strstr(text + at, "\n#  ");
        if (line == NULL)
            break;
        for (line++; is_setting(line); line = strchr(line, '\n') + 1)
            line[0] = ' ';
        at = (size_t)(line - text);
        struct config *config = policy_config(text);
        assert_int_equal(config->connection_count, examples < EXAMPLES ? 1 : 0);
        config_free(config);
    }
    assert_int_equal(examples, EXAMPLES + 1); /* and the daemon's settings */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_valid_as_it_stands),
        cmocka_unit_test(each_example_alone_is_enough),
        cmocka_unit_test(uncommented_it_says_what_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
