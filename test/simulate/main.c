/*
 * simulate: many runs of simulated hosts, one seed each.  See simulate.h.
 *
 *   simulate [--seed S] [--runs N] [--verbose]
 *
 * Run i has the seed S + i, so that a failed one is repeated by `--seed ITS_SEED --runs 1`;
 * --verbose draws every packet and report.  The last lines are a digest of all that happened, the
 * same for the same seed, and "N passed, N failed".
 */
#include <stdlib.h>
#include <string.h>

#include "test/simulate/simulate.h"

struct options {
    uint64_t seed;
    uint64_t runs;
    bool verbose;
};

static bool parse_number(const char *text, uint64_t *number)
{
    char *end;

    *number = strtoull(text, &end, 0);
    return *text != '\0' && *end == '\0';
}

static bool parse_options(int count, char **arguments, struct options *options)
{
    *options = (struct options){.seed = 1, .runs = 100};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--verbose") == 0)
            options->verbose = true;
        else if (i + 1 < count && strcmp(arguments[i], "--seed") == 0 &&
                 parse_number(arguments[i + 1], &options->seed))
            i++;
        else if (i + 1 < count && strcmp(arguments[i], "--runs") == 0 &&
                 parse_number(arguments[i + 1], &options->runs))
            i++;
        else
            return false;
    }
    return true;
}

/* True when all held; the trace goes on from *trace. */
static bool run_one(uint64_t seed, struct crypto *crypto, bool verbose, uint64_t *trace)
{
    static struct run run;

    memset(&run, 0, sizeof(run));
    run.seed = seed;
    run.chance = chance_of(seed);
    world_init(&run.world, chance_next(&run.chance), crypto);
    run.world.trace = *trace;
    run.world.ladder = verbose ? stdout : NULL;
    run.world.hooks = (struct hooks){.effect = run_effect, .packet = run_packet, .context = &run};
    run_plan(&run);
    run_faults(&run);
    run_mend(&run);
    run_recover(&run);
    if (run.failure[0] != '\0')
        printf("seed %llu: %s\n", (unsigned long long)seed, run.failure);
    *trace = run.world.trace;
    for (size_t i = 0; i < RECORDED_MAX; i++)
        buffer_free(&run.recorded[i].data);
    world_free(&run.world);
    return run.failure[0] == '\0';
}

int main(int count, char **arguments)
{
    struct options options;
    uint64_t passed = 0;
    uint64_t trace = 0;

    if (!parse_options(count, arguments, &options)) {
        fprintf(stderr, "usage: simulate [--seed S] [--runs N] [--verbose]\n");
        return 2;
    }
    struct crypto *crypto = crypto_new();
    if (crypto == NULL) {
        fprintf(stderr, "simulate: OpenSSL is unusable\n");
        return 1;
    }
    for (uint64_t i = 0; i < options.runs; i++)
        passed += run_one(options.seed + i, crypto, options.verbose, &trace);
    crypto_free(crypto);
    printf("trace %016llx\n", (unsigned long long)trace);
    printf("%llu passed, %llu failed\n", (unsigned long long)passed,
           (unsigned long long)(options.runs - passed));
    return passed == options.runs ? 0 : 1;
}
