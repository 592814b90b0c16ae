/*
 * What the programs of this folder share: clocks, and the words of their command lines.
 */
#ifndef TEST_BENCH_TOOLS_H
#define TEST_BENCH_TOOLS_H

#include <time.h>

#include "lib/base/address.h"

double clock_us(clockid_t clock);

/* A number from `least` to `most`, and nothing behind it. */
bool number_parse(const char *text, uint32_t least, uint32_t most, uint32_t *number);

bool ipv4_parse(const char *text, struct address *address);

#endif
