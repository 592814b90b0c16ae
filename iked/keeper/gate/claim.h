/*
 * Whose request: the child that it names, where its ends are, its reqid.
 *
 * Every request about one child's SPI, SA or policy begins with a claim.  It is held against one
 * configuration (the newest, or the one before while that is still good) and against the ledger.
 * Not here: what may be done with the child (gate_sa.c, gate_policy.c).
 */
#ifndef IKED_KEEPER_GATE_CLAIM_H
#define IKED_KEEPER_GATE_CLAIM_H

#include "iked/keeper/gate/gate.h"

struct claim {
    const struct connection *connection; /* by its name in one of the configurations; NULL: none */
    const struct name *connection_name;
    const struct name *child_name;
    const struct address *local;
    const struct address *remote;
    uint32_t reqid;
    uint8_t protocol;
    uint8_t mode;
    bool encap; /* it is about an SA in UDP */
    /* It may wait for a peer whose name is not resolved yet, and for an own address that is left
     * open: the kernel takes what the route says; nothing passes till then. */
    bool is_policy;
    /* Found. */
    const struct child_config *child;
    const struct owner *owner; /* NULL: it has nothing yet */
};

/* STATUS_FAIL, with "refused: " and the text. */
enum status gate_refuse(struct reason *reason, const char *text);

/* Finds child and owner; STATUS_FAIL with the reason when the claim is not theirs. */
MUST_USE enum status claim_check(struct gate *gate, struct claim *claim, struct reason *reason);

/* May the child have several peers? */
bool claim_is_any(const struct claim *claim);

#endif
