/*
 * How much a new configuration takes away.
 */
#ifndef LIB_POLICY_LOSS_H
#define LIB_POLICY_LOSS_H

#include "lib/policy/config.h"

/* How many connections of `before` are gone in `after`: there is none of that name, nor one for the
 * same traffic. */
size_t config_lost(const struct config *before, const struct config *after);

/* Are these more than half of all?  Then in words: "3 of 4 connections would go: a, b, c"; with as
 * many names as there is room for. */
bool config_loses_most(const struct config *before, const struct config *after,
                       char text[CONFIG_ERROR_MAX]);

#endif
