/*
 * The keeper puts down what it does not need of root's rights.
 *
 * Not here: the negotiator, which keeps none (iked/process/sandbox.h).
 */
#ifndef IKED_PROCESS_PRIVILEGE_H
#define IKED_PROCESS_PRIVILEGE_H

#include <stdbool.h>

#include "lib/base/status.h"

/* Leaves the capabilities of the table in privilege.c, for ever: no exec brings others back.
 * STATUS_FAIL with the reason when one of them is missing. */
MUST_USE enum status privilege_drop(struct reason *reason);

/* No core file holds our keys and nobody may trace us. */
void privilege_hide(void);

/* Permitted and effective, and what an exec leaves of them; the sandbox uses it, too. */
MUST_USE bool capabilities_set(uint64_t kept, uint64_t inherited);

#endif
