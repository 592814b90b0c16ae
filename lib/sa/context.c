/*
 * What every exchange is given: see context.h.
 */
#include "lib/sa/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/sa/ike_sa.h"

void report(struct context *context, const struct ike_sa *sa, enum severity severity,
            const char *event, const char *format, ...)
{
    if (severity == SEVERITY_DEBUG && !context->debug)
        return;
    struct effect *effect = effect_append(context->effects, EFFECT_REPORT, (struct ticket){0});
    if (effect == NULL)
        return;
    effect->report.severity = severity;
    effect->report.event = event;
    if (sa != NULL) {
        if (sa->connection != NULL)
            name_of_config(&effect->report.connection, sa->connection->name);
        effect->report.remote = sa->remote;
        effect->report.ike_spi_i = sa->spi_i;
        effect->report.ike_spi_r = sa->spi_r;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(effect->report.text, sizeof(effect->report.text), format, arguments);
    va_end(arguments);
}
