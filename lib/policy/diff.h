/*
 * What has changed from one configuration to another.
 */
#ifndef LIB_POLICY_DIFF_H
#define LIB_POLICY_DIFF_H

#include "lib/policy/config.h"

/* What differs between two configurations. */
enum config_change { CONFIG_SAME, CONFIG_ADDED, CONFIG_CHANGED, CONFIG_REMOVED };

bool daemon_equal(const struct daemon_settings *a, const struct daemon_settings *b);

/* Compares what two connections mean, not where they stand: when equal, SAs may stay. */
bool connection_equal(const struct connection *a, const struct connection *b);

/* Calls `each` for every connection of either configuration (either may be NULL) with how it
 * changed; `before` or `after` is NULL where it is absent. */
void config_diff(const struct config *before, const struct config *after,
                 void (*each)(void *context, enum config_change change,
                              const struct connection *connection_before,
                              const struct connection *connection_after),
                 void *context);

#endif
