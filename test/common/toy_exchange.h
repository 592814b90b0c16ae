/*
 * A key exchange that costs nothing: Diffie-Hellman modulo a 61-bit prime, in the sizes of the real
 * groups.  A simulation of many hosts would else spend its time on curves.
 */
#ifndef TEST_COMMON_TOY_EXCHANGE_H
#define TEST_COMMON_TOY_EXCHANGE_H

#include "lib/sa/effect.h"

/* In place of effect_compute_run. */
void toy_exchange_run(const struct effect *effect, struct answer *answer);

#endif
