/*
 * The rules of the gate that have files of their own: one function per kind of request.  gate.c has
 * the table of all.
 */
#ifndef IKED_KEEPER_GATE_GATE_RULE_H
#define IKED_KEEPER_GATE_GATE_RULE_H

#include "iked/keeper/gate/claim.h"

/* What is asked, and against which configuration it is held. */
struct gate_request {
    const struct config *config;
    const struct connection *connection; /* the one that it names; NULL when its row needs none */
    const struct effect *effect;
    struct reason *reason;
};

typedef enum status gate_rule(struct gate *gate, const struct gate_request *request);

gate_rule gate_check_allocate_spi;
gate_rule gate_check_install_sa;
gate_rule gate_check_move_sa;
gate_rule gate_check_remove_sa;
gate_rule gate_check_query_sa;
gate_rule gate_check_install_policy;
gate_rule gate_check_remove_policy;

#endif
