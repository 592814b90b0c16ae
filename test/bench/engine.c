/*
 * What the library alone takes as a responder: prints engine.handshake_cpu and engine.sa_memory.
 *
 * Two engines in one process (pair.h), no socket and no kernel.  What stands between this and
 * iked.handshake_cpu is the daemon's and the kernel's.
 *
 *   engine [COUNT]
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/bench/pair.h"

#define COUNT_DEFAULT 2000
#define COUNT_MAX     50000

int main(int argc, char **argv)
{
    static struct pair pair;
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : COUNT_DEFAULT;

    if (argc > 2 || count == 0 || count > COUNT_MAX) {
        fprintf(stderr, "usage: engine [COUNT], at most %d\n", COUNT_MAX);
        return 2;
    }
    if (!pair_open(&pair, (uint32_t)count))
        return 1;
    pair_run(&pair);
    bool whole = pair.initiators.done == count;
    if (!whole)
        fprintf(stderr, "engine: %u of %lu handshakes done\n", pair.initiators.done, count);
    initiators_close(&pair.initiators);
    printf("engine.handshake_cpu %.1f us\n", pair.responder_us / (double)count);
    printf("engine.sa_memory %.2f KB\n", (double)pair_sa_memory(&pair) / 1024 / (double)count);
    world_close(&pair.responder);
    return whole ? 0 : 1;
}
