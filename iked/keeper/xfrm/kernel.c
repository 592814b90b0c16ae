/*
 * What is said of a job that the kernel refused: see kernel.h.
 */
#include "iked/keeper/xfrm/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int error;
    const char *hint;
} hints[] = {
    {EPROTONOSUPPORT, "this kernel has no ESP: load the modules esp4 and esp6"},
    {ENOSYS, "this kernel lacks the algorithm"},
    {ENOENT, "this kernel lacks the algorithm or the SA"},
    {EEXIST, "an SA with this SPI is there already"},
    {ESRCH, "the SA is not there (any more)"},
    {EPERM, "CAP_NET_ADMIN is missing"},
    {ETIMEDOUT, "the kernel did not answer"},
};

char *kernel_error_text(const struct kernel_job *job, char *text, size_t size)
{
    const char *hint = NULL;

    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (hints[i].error == job->error)
            hint = hints[i].hint;
    snprintf(text, size, "%s%s%s%s", job->text[0] != '\0' ? job->text : strerror(job->error),
             hint != NULL ? " (" : "", hint != NULL ? hint : "", hint != NULL ? ")" : "");
    return text;
}
