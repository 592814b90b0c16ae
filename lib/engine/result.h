/*
 * What becomes of a command is told to whoever gave it.
 */
#ifndef LIB_ENGINE_RESULT_H
#define LIB_ENGINE_RESULT_H

#include "lib/engine/engine.h"

/* EFFECT_RESULT. */
void result(struct engine *engine, uint64_t command, bool done, const char *format, ...)
    PRINTF_LIKE(4, 5);

#endif
