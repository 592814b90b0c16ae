/*
 * What was wrong as a peer is told: see finding.h.
 */
#include "lib/ikev2/finding.h"

#include "lib/wire/ikev2.h"

uint16_t finding_notify(enum finding_code code)
{
    switch (code) {
    case FINDING_CRITICAL_PAYLOAD: return V2_N_UNSUPPORTED_CRITICAL_PAYLOAD;
    case FINDING_INVALID_SYNTAX: return V2_N_INVALID_SYNTAX;
    case FINDING_NO_PROPOSAL: return V2_N_NO_PROPOSAL_CHOSEN;
    case FINDING_INVALID_KE: return V2_N_INVALID_KE_PAYLOAD;
    case FINDING_AUTHENTICATION_FAILED: return V2_N_AUTHENTICATION_FAILED;
    case FINDING_TS_UNACCEPTABLE: return V2_N_TS_UNACCEPTABLE;
    case FINDING_TEMPORARY_FAILURE: return V2_N_TEMPORARY_FAILURE;
    case FINDING_NONE:
    case FINDING_CODE_COUNT: break;
    }
    return 0;
}
