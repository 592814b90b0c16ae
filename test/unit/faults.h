/*
 * Texts that are refused, each with the one line that it is told: file, line, key, what stood
 * there and what was expected (lib/policy/config.h).
 */
#ifndef TEST_UNIT_FAULTS_H
#define TEST_UNIT_FAULTS_H

#include <stddef.h>

#include "test/unit/policy.h"

#define CONNECTION(more) TWO_HOSTS(more)
#define CHILD(more)      CONNECTION("children: { c: { " more " }; };")

#define ONES "\"1\", \"1\", \"1\", \"1\", "

struct fault {
    const char *text;
    const char *error;
};

/* The file's name in errors is "f". */
void assert_error(struct slice text, const char *expected);
void walk_faults(const struct fault *faults, size_t count);

#endif
