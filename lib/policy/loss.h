/*
 * How much a new configuration takes away.
 */
#ifndef LIB_POLICY_LOSS_H
#define LIB_POLICY_LOSS_H

#include "lib/policy/config.h"

/* Are these more than half of all?  Then in words: "3 of 4 connections would go: a, b, c"; with as
 * many names as there is room for. */
bool config_loses_most(const struct config *before, const struct config *after,
                       char text[CONFIG_ERROR_MAX]);

#endif
