/*
 * What must hold of the keeper's ledger and its kernel after every step, whatever the negotiator
 * asks, the kernel refuses and others do.
 */
#ifndef TEST_FUZZ_KEEPER_CHECK_H
#define TEST_FUZZ_KEEPER_CHECK_H

#include "iked/keeper/service.h"

/* Counts, owners, queues; nothing dangles (the sanitizer sees to what is read here). */
void check_ledger(const struct ledger *ledger);

/* The kernel has what the ledger says, except where it is tainted. */
void check_kernel(const struct ledger *ledger);

/* What the configuration requires is in the ledger. */
void check_required(const struct ledger *ledger, const struct config *config);

/* Nobody's policy takes packets from a connection that is configured for them with something more
 * specific than its own rule.  Only as long as the configuration has not changed: what was in
 * somebody's hands before stays there. */
void check_whose(const struct ledger *ledger, const struct config *config);

#endif
