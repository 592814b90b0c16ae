/*
 * Suites for people: see suite.h.
 */
#include "lib/crypto/suite.h"

#include <stdio.h>

#include "lib/crypto/algorithm.h"

char *suite_text(const struct suite *suite, char *text, size_t size)
{
    const char *names[] = {
        suite->encr != ENCR_NONE ? encr_info(suite->encr)->name : NULL,
        suite->integ != INTEG_NONE ? integ_info(suite->integ)->name : NULL,
        suite->prf != PRF_NONE ? prf_info(suite->prf)->name : NULL,
        suite->group != GROUP_NONE ? group_info(suite->group)->name : NULL,
        suite->esn ? "esn" : NULL,
    };
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i] != NULL && used < size)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "-" : "", names[i]);
    return text;
}

const char *ipsec_protocol_name(uint8_t protocol)
{
    switch ((enum ipsec_protocol)protocol) {
    case IPSEC_ESP: return "esp";
    case IPSEC_AH: return "ah";
    case IPSEC_IPCOMP: return "ipcomp";
    case IPSEC_NONE: break;
    }
    return "none";
}
