/*
 * Finding shared test data: see shared.h.
 */
#include "test/unit/shared.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

const char *shared_file(const char *name)
{
    static char path[PATH_MAX];
    const char *folder = getenv("IKED_SHARED");

    snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "../shared", name);
    if (access(path, R_OK) == 0)
        return path;
    print_message("skipped: %s is not here (IKED_SHARED says where else)\n", path);
    skip();
    return NULL;
}
