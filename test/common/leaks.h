/*
 * What libconfig 1.5 does not free when it stops at an error is not ours to fix: to be included
 * once by a program that gives it faulty texts.  LeakSanitizer calls these two by their names.
 */
#ifndef TEST_COMMON_LEAKS_H
#define TEST_COMMON_LEAKS_H

#define SEEN_BY_SANITIZER __attribute__((visibility("default")))

SEEN_BY_SANITIZER const char *__lsan_default_suppressions(void);
SEEN_BY_SANITIZER const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

#endif
