/*
 * The rules of the gate that have files of their own: one function per kind of request, which
 * holds it against `config`.  gate.c has the table of them.
 */
#ifndef IKED_KEEPER_GATE_GATE_RULE_H
#define IKED_KEEPER_GATE_GATE_RULE_H

#include "iked/keeper/gate/claim.h"

MUST_USE enum status gate_check_allocate_spi(struct gate *gate, const struct config *config,
                                             const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_install_sa(struct gate *gate, const struct config *config,
                                           const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_move_sa(struct gate *gate, const struct config *config,
                                        const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_remove_sa(struct gate *gate, const struct config *config,
                                          const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_query_sa(struct gate *gate, const struct config *config,
                                         const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_install_policy(struct gate *gate, const struct config *config,
                                               const struct effect *effect, struct reason *reason);
MUST_USE enum status gate_check_remove_policy(struct gate *gate, const struct config *config,
                                              const struct effect *effect, struct reason *reason);

#endif
