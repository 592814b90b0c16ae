/*
 * Clocks and command lines: see tools.h.
 */
#include "test/bench/tools.h"

#include <errno.h>
#include <stdlib.h>

double clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

bool number_parse(const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return errno == 0 && *end == '\0' && end != text && value >= least && value <= most;
}

bool ipv4_parse(const char *text, struct address *address)
{
    return address_parse(address, text) && address->family == FAMILY_IPV4;
}
