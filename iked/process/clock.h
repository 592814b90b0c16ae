/*
 * The time that the engine and all timers of iked count in: milliseconds, never set back.
 */
#ifndef IKED_PROCESS_CLOCK_H
#define IKED_PROCESS_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

static inline uint64_t clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* As libevent's timers want it. */
static inline struct timeval clock_timeval(uint64_t ms)
{
    return (struct timeval){
        .tv_sec = (time_t)(ms / 1000),
        .tv_usec = (suseconds_t)(ms % 1000 * 1000),
    };
}

#endif
