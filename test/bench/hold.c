/*
 * What it takes the library to hold many SAs: a responder with COUNT of them, for so many minutes
 * of virtual time.
 *
 * Prints hold.engine_cpu (the responder's CPU time for all of it) and hold.engine_sas (how many it
 * still has).  Nothing is sent by the SAs themselves: what there is are timers, liveness and
 * rekeying.
 *
 *   hold [COUNT [MINUTES]]
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/bench/pair.h"

#define COUNT_DEFAULT   10000
#define COUNT_MAX       50000
#define MINUTES_DEFAULT 10
#define MINUTES_MAX     1440

int main(int argc, char **argv)
{
    static struct pair pair;
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : COUNT_DEFAULT;
    unsigned long minutes = argc > 2 ? strtoul(argv[2], NULL, 10) : MINUTES_DEFAULT;

    if (argc > 3 || count == 0 || count > COUNT_MAX || minutes > MINUTES_MAX) {
        fprintf(stderr, "usage: hold [COUNT [MINUTES]], at most %d SAs and %d minutes\n", COUNT_MAX,
                MINUTES_MAX);
        return 2;
    }
    if (!pair_open(&pair, (uint32_t)count))
        return 1;
    pair_run(&pair);
    pair.responder_us = 0;
    pair_advance(&pair, minutes * 60000);
    size_t left = engine_sa_count(pair.responder.engine);
    printf("hold.engine_cpu %.3f s\n", pair.responder_us / 1e6);
    printf("hold.engine_sas %zu SAs\n", left);
    initiators_close(&pair.initiators);
    world_close(&pair.responder);
    return left == count ? 0 : 1;
}
