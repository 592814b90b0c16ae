/*
 * Status words and reasons: see status.h.
 */
#include "lib/base/status.h"

#include <stdarg.h>
#include <stdio.h>

enum status reason_set(struct reason *reason, enum status status, enum finding_code code,
                       const char *format, ...)
{
    if (reason == NULL)
        return status;
    reason->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason->text, sizeof(reason->text), format, arguments);
    va_end(arguments);
    for (char *c = reason->text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return status;
}

const char *status_name(enum status status)
{
    switch (status) {
    case STATUS_OK: return "ok";
    case STATUS_DROP: return "drop";
    case STATUS_REJECT: return "reject";
    case STATUS_CLOSE: return "close";
    case STATUS_WAIT: return "wait";
    case STATUS_FAIL: return "fail";
    }
    return "?";
}
