/*
 * The time that the engine and all timers of iked count in: milliseconds, never set back.
 */
#ifndef IKED_CLOCK_H
#define IKED_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
