/*
 * A configuration as the text that it could have been read from; secrets never.
 */
#ifndef LIB_POLICY_PRINT_H
#define LIB_POLICY_PRINT_H

#include <stdio.h>

#include "lib/policy/config.h"

/* What is in force, defaults and all, as text from which it can be read again: the group `daemon`,
 * a member of `connections`.  There is no secret in it. */
void daemon_print(FILE *out, const struct daemon_settings *settings);

void connection_print(FILE *out, const struct connection *connection);

#endif
