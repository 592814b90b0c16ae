/*
 * The outcome of a command: see result.h.
 */
#include "lib/engine/result.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/engine/private.h"

void result(struct engine *engine, uint64_t command, bool done, const char *format, ...)
{
    struct effect *effect =
        effect_append(engine->context.effects, EFFECT_RESULT, (struct ticket){0});

    if (effect == NULL)
        return;
    effect->result.command = command;
    effect->result.done = done;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(effect->result.text, sizeof(effect->result.text), format, arguments);
    va_end(arguments);
}
