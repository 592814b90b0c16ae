/*
 * Proposals as people write them: "aes256gcm16-prfsha384-ecp384".
 *
 * Not here: proposals on the wire (choose.h).
 */
#ifndef LIB_POLICY_PROPOSAL_H
#define LIB_POLICY_PROPOSAL_H

#include "lib/policy/config.h"

#define PROPOSAL_WRONG_MAX 200

/* What a proposal is for, and what it may hold. */
struct proposal_use {
    bool child; /* ESP; else IKE */
    bool weak;  /* weak algorithms are allowed */
};

/* False with `wrong` saying what is wrong and what was expected. */
MUST_USE bool proposal_parse(struct proposal *proposal, const char *text, struct proposal_use use,
                             char wrong[PROPOSAL_WRONG_MAX]);

/* What is meant when nothing is written. */
void proposal_list_default(struct proposal_list *list, bool child);

#endif
