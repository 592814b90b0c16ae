/*
 * simulate: many simulated worlds, one seed each, and the invariants that must hold in them.
 *
 *   simulate [--seed S] [--runs N] [--processes P] [--hosts old|new] [--verbose]
 *
 * Run i has the seed S + i, so that a failed one is repeated by `--seed ITS_SEED --runs 1`;
 * --verbose draws every packet and report; of old hosts any two have one connection, and nobody
 * narrows, flushes or steals.  The runs are divided among processes, by default one
 * for each processor.  The last lines are a digest of all that happened, the same for the same
 * seeds whatever the number of processes, and "N passed, N failed".
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "test/simulate/simulate.h"

#define PROCESSES_MAX 64
#define REAL_EXCHANGE 64 /* one run in so many has real key exchanges */

struct options {
    uint64_t seed;
    uint64_t runs;
    uint64_t processes;
    bool verbose;
    bool plain;
};

/* What one process has done so far, in memory that all share. */
struct share {
    uint64_t passed;
    uint64_t trace;
    uint64_t seed; /* at work on this one */
};

static bool parse_number(const char *text, uint64_t *number)
{
    char *end;

    *number = strtoull(text, &end, 0);
    return *text != '\0' && *end == '\0';
}

static bool parse_options(int count, char **arguments, struct options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct {
        const char *word;
        uint64_t *number;
    } const numbers[] = {{"--seed", &options->seed},
                         {"--runs", &options->runs},
                         {"--processes", &options->processes}};

    *options = (struct options){
        .seed = 1, .runs = 100, .processes = processors < 1 ? 1 : (uint64_t)processors};
    for (int i = 1; i < count; i++) {
        bool known = strcmp(arguments[i], "--verbose") == 0;
        options->verbose = options->verbose || known;
        if (strcmp(arguments[i], "--hosts") == 0 && i + 1 < count) {
            options->plain = strcmp(arguments[++i], "old") == 0;
            known = options->plain || strcmp(arguments[i], "new") == 0;
        }
        for (size_t j = 0; !known && i + 1 < count && j < 3; j++) {
            if (strcmp(arguments[i], numbers[j].word) != 0)
                continue;
            known = parse_number(arguments[++i], numbers[j].number);
            break;
        }
        if (!known)
            return false;
    }
    if (options->verbose || options->processes == 0)
        options->processes = 1;
    if (options->processes > PROCESSES_MAX)
        options->processes = PROCESSES_MAX;
    return true;
}

/* True when all held; *trace is a digest of all that happened. */
static bool run_one(const struct options *options, uint64_t seed, struct crypto *crypto,
                    uint64_t *trace)
{
    static struct run run;

    memset(&run, 0, sizeof(run));
    run.seed = seed;
    run.plain = options->plain;
    run.chance = chance_of(seed);
    world_init(&run.world, chance_next(&run.chance), crypto);
    run.world.toy_exchange = seed % REAL_EXCHANGE != 0;
    run.world.ladder = options->verbose ? stdout : NULL;
    run.world.hooks = (struct hooks){
        .effect = run_effect, .packet = run_packet, .policies = run_policies, .context = &run};
    run_plan(&run);
    run_faults(&run);
    run_mend(&run);
    run_recover(&run);
    run_storm(&run);
    if (run.failure[0] != '\0')
        printf("seed %llu: %s\n", (unsigned long long)seed, run.failure);
    *trace = run.world.trace;
    for (size_t i = 0; i < RECORDED_MAX; i++)
        buffer_free(&run.recorded[i].data);
    world_free(&run.world);
    return run.failure[0] == '\0';
}

/* Every `processes`-th run.  The digests are summed up, so that their order does not matter. */
static void run_share(const struct options *options, uint64_t first, struct crypto *crypto,
                      struct share *share)
{
    static const uint8_t key[16] = "simulate";

    for (uint64_t i = first; i < options->runs; i += options->processes) {
        uint64_t parts[2] = {options->seed + i, 0};
        share->seed = parts[0];
        share->passed += run_one(options, parts[0], crypto, &parts[1]);
        share->trace += hash_keyed(key, slice_of(parts, sizeof(parts)));
        fflush(stdout);
    }
}

static void run_processes(const struct options *options, struct crypto *crypto,
                          struct share *shares)
{
    pid_t children[PROCESSES_MAX];
    int ended;

    for (uint64_t i = 0; i < options->processes; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            run_share(options, i, crypto, &shares[i]);
            _exit(0);
        }
    }
    for (uint64_t i = 0; i < options->processes; i++)
        if (children[i] < 0 || waitpid(children[i], &ended, 0) != children[i] || ended != 0)
            printf("seed %llu: the process died\n", (unsigned long long)shares[i].seed);
}

int main(int count, char **arguments)
{
    struct options options;
    struct share sum = {0};

    if (!parse_options(count, arguments, &options)) {
        fprintf(stderr, "usage: simulate [--seed S] [--runs N] [--processes P] [--hosts old|new] "
                        "[--verbose]\n");
        return 2;
    }
    struct share *shares = mmap(NULL, PROCESSES_MAX * sizeof(*shares), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct crypto *crypto = crypto_new();
    if (crypto == NULL || shares == MAP_FAILED) {
        fprintf(stderr, "simulate: OpenSSL is unusable, or memory is out\n");
        return 1;
    }
    if (options.processes == 1)
        run_share(&options, 0, crypto, &shares[0]);
    else
        run_processes(&options, crypto, shares);
    crypto_free(crypto);
    for (uint64_t i = 0; i < options.processes; i++) {
        sum.passed += shares[i].passed;
        sum.trace += shares[i].trace;
    }
    printf("trace %016llx\n", (unsigned long long)sum.trace);
    printf("%llu passed, %llu failed\n", (unsigned long long)sum.passed,
           (unsigned long long)(options.runs - sum.passed));
    return sum.passed == options.runs ? 0 : 1;
}
