/*
 * What the files of the ledger share; nobody else includes this.
 *
 * Owners and reqid uses live as long as something refers to them: `_get` finds or makes one, `_put`
 * says that what referred to it is gone, or was not added after all.
 */
#ifndef IKED_KEEPER_GATE_LEDGER_PRIVATE_H
#define IKED_KEEPER_GATE_LEDGER_PRIVATE_H

#include "iked/keeper/gate/ledger.h"

/* NULL when memory is out. */
struct owner *owner_get(struct ledger *ledger, const struct name *connection,
                        const struct name *child);
void owner_put(struct ledger *ledger, struct owner *owner);

/* NULL: nobody uses it. */
struct reqid_use *reqid_find(const struct ledger *ledger, uint32_t reqid);

/* One more use.  NULL when memory is out or the reqid is another owner's. */
struct reqid_use *reqid_get(struct ledger *ledger, uint32_t reqid, struct owner *owner);
void reqid_put(struct ledger *ledger, struct reqid_use *use);

/* The tables of policies and pieces. */
MUST_USE bool policies_init(struct ledger *ledger);
void policies_free(struct ledger *ledger);
MUST_USE bool pieces_init(struct ledger *ledger);
void pieces_free(struct ledger *ledger);

#endif
