/*
 * Every effect, declared once.
 *
 *   no.         what it is between our processes; enum effect_kind has it as EFFECT_name
 *   by          who carries it out: RUNNER, the effect runner in the negotiator; KEEPER, the
 *               privileged process, behind its gate
 *   answered    NO_ANSWER: a failure is told in another way, or not at all (effect.h)
 *   for people  "the gate will not ...", "the kernel will not ..."
 *   connection  where in struct effect the name of the connection stands that it is for
 *
 * What is done with them stands in tables with a row for each.  EFFECT_TABLE_WHOLE holds them to
 * it: a forgotten row does not compile.
 *
 *   the parts of each          lib/sa/effect.h; what of them is freed: effect.c
 *   the encoding               iked/process/ipc.c         of the keeper's
 *   how it is carried out      iked/negotiator/runner.c   of the runner's
 *   the gate's rule            iked/keeper/gate/gate.c    of the keeper's
 *   how it is carried out      iked/keeper/service.c      of the keeper's
 */
#ifndef LIB_SA_EFFECT_LIST_H
#define LIB_SA_EFFECT_LIST_H

#include <stdint.h>

/* clang-format off */
#define EFFECTS(X)                                                                                 \
    /* no name            by      answered   for people               connection */                \
    X( 1, SEND,           RUNNER, NO_ANSWER, "send",                  OF_NONE)                     \
    X( 2, COMPUTE,        RUNNER, ANSWERED,  "compute",               OF_NONE)                     \
    X(14, REPORT,         RUNNER, NO_ANSWER, "report",                OF(report.connection))       \
    X(15, RESULT,         RUNNER, NO_ANSWER, "tell a result",         OF_NONE)                     \
    X(16, PROGRESS,       RUNNER, NO_ANSWER, "tell progress",         OF_NONE)                     \
    X( 3, PSK_AUTH,       KEEPER, ANSWERED,  "use a pre-shared key",  OF(psk_auth.connection))     \
    X(17, DERIVE,         KEEPER, ANSWERED,  "derive SKEYID",         OF(authentication_of))       \
    X(18, SIGN,           KEEPER, ANSWERED,  "sign",                  OF(authentication_of))       \
    X(19, VERIFY,         KEEPER, ANSWERED,  "verify a signature",    OF(authentication_of))       \
    X( 6, FIND_SOURCE,    KEEPER, ANSWERED,  "find a source address", OF(find_source.connection))  \
    X( 8, RESOLVE,        KEEPER, ANSWERED,  "resolve a name",        OF(resolve.connection))      \
    X( 4, ALLOCATE_SPI,   KEEPER, ANSWERED,  "allocate an SPI",       OF(allocate_spi.connection)) \
    X( 5, INSTALL_SA,     KEEPER, ANSWERED,  "install an SA",         OF(install_sa.connection))   \
    X( 7, QUERY_SA,       KEEPER, ANSWERED,  "ask about an SA",       OF_NONE)                     \
    X( 9, MOVE_SA,        KEEPER, NO_ANSWER, "move an SA",            OF(move_sa.connection))      \
    X(10, REMOVE_SA,      KEEPER, NO_ANSWER, "remove an SA",          OF_NONE)                     \
    X(11, INSTALL_POLICY, KEEPER, NO_ANSWER, "install a policy",      OF(policy.connection))       \
    X(12, REMOVE_POLICY,  KEEPER, NO_ANSWER, "remove a policy",       OF(policy.connection))       \
    X(13, REMOVE_ORPHANS, KEEPER, NO_ANSWER, "remove orphans",        OF(orphans_of))
/* clang-format on */

enum effect_kind {
#define EFFECT_ENUM(number, name, ...) EFFECT_##name = (number),
    EFFECTS(EFFECT_ENUM)
#undef EFFECT_ENUM
};

#define EFFECT_ONE(...) +1
#define EFFECT_COUNT    (1 EFFECTS(EFFECT_ONE)) /* numbers begin with 1 */

enum effect_carrier { EFFECT_BY_RUNNER, EFFECT_BY_KEEPER };

/* For a table TABLE(X) of rows X(name of the effect, ...): it has one for each effect that is
 * carried out by `carrier`, and none for others. */
#define EFFECT_TABLE_WHOLE(TABLE, carrier)                                      \
    _Static_assert((UINT64_C(0) TABLE(EFFECT_ROW_BIT)) == EFFECTS_BY_##carrier, \
                   #TABLE " has not a row for each effect that is the " #carrier "'s")

#define EFFECT_ROW_BIT(name, ...) | UINT64_C(1) << EFFECT_##name

/* Sets of effects, a bit for each. */
#define EFFECT_IF(number, carrier, wanted) \
    | (uint64_t)(EFFECT_BY_##carrier == EFFECT_BY_##wanted) << (number)
#define EFFECT_IF_RUNNER(number, name, carrier, ...) EFFECT_IF(number, carrier, RUNNER)
#define EFFECT_IF_KEEPER(number, name, carrier, ...) EFFECT_IF(number, carrier, KEEPER)
#define EFFECTS_BY_RUNNER                            (UINT64_C(0) EFFECTS(EFFECT_IF_RUNNER))
#define EFFECTS_BY_KEEPER                            (UINT64_C(0) EFFECTS(EFFECT_IF_KEEPER))

_Static_assert((EFFECTS_BY_RUNNER | EFFECTS_BY_KEEPER) == (UINT64_C(1) << EFFECT_COUNT) - 2,
               "the numbers of effects are not 1, 2, 3 and so on, or two are the same");

#endif
