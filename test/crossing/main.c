/*
 * crossing: all orders in which the messages of two crossing operations can arrive.
 *
 *   crossing [--ops A B] [--deep] [--repeats] [--draw]
 *
 * Every pair of operations, one on each host, is run in every order of starts and arrivals, with
 * each of the two hosts losing where nonces decide, and again with each message lost once; with
 * --repeats also with each one arriving twice.  --deep lets the kernel's and the provider's work be
 * late, too, with both operations started at the same time.  --draw prints the orders that differ
 * in what comes first as scenarios (test/scenario/crossing.scn).
 * A failure is printed with its ladder.  The last line is "N passed, N failed".
 *
 * The orders are walked by running each from the beginning: a run notes how many events were
 * possible at each step, and the next run takes the next one at the last step that has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/common/crossing.h"
#include "test/crossing/order.h"

#define STEPS_MAX 512
#define SHOWN_MAX 1
#define DELAYS    2 /* how often work is late in one order */

enum fault { FAULT_NONE, FAULT_LOSS, FAULT_REPEAT, FAULT_COUNT };

static const char *const fault_names[FAULT_COUNT] = {"", ", one lost", ", one repeated"};

/* One order: at each step, which of how many events. */
struct walk {
    size_t steps;
    struct {
        unsigned taken;
        unsigned possible;
    } at[STEPS_MAX];
};

struct tally {
    uint64_t passed;
    uint64_t failed;
    uint64_t redundant[2];
};

static struct crossing crossing;
static struct order order;

/* The next order; false when all are done. */
static bool walk_on(struct walk *walk)
{
    while (walk->steps > 0) {
        size_t last = walk->steps - 1;
        if (++walk->at[last].taken < walk->at[last].possible)
            return true;
        walk->steps--;
    }
    return false;
}

/* Arrivals that may go wrong come once more at the end: a message is lost as it leaves, and
 * repeated whenever it arrives. */
static size_t add_faults(enum fault fault, struct event *events, size_t count)
{
    size_t all = count;

    for (size_t i = 0; fault != FAULT_NONE && i < count; i++) {
        if (events[i].kind != EVENT_ARRIVE)
            continue;
        if (fault == FAULT_LOSS && events[i].which >= crossing.first_new)
            events[all++] = (struct event){EVENT_LOSE, events[i].which};
        else if (fault == FAULT_REPEAT)
            events[all++] = (struct event){EVENT_REPEAT, events[i].which};
    }
    return all;
}

/* Work that waits is done first, unless something else comes in between: that may happen DELAYS
 * times in an order. */
static size_t prefer_work(struct event *events, size_t count, unsigned delays)
{
    size_t works = 0;

    for (size_t i = 0; i < count; i++) {
        if (events[i].kind != EVENT_WORK)
            continue;
        struct event work = events[i];
        memmove(&events[works + 1], &events[works], (i - works) * sizeof(work));
        events[works++] = work;
    }
    return works > 0 && delays == 0 ? 1 : count;
}

/* Follows the walk as far as it goes, then takes the first event at each step.  True when the fault
 * happened: the others were walked without it. */
static bool run_order(struct walk *walk, enum fault fault)
{
    struct event events[2 * CROSSING_EVENTS_MAX];
    bool faulty = fault == FAULT_NONE;
    unsigned delays = DELAYS;
    size_t step = 0;
    size_t count;

    while ((count = crossing_events(&crossing, events)) > 0 && crossing.failure[0] == '\0') {
        count = prefer_work(events, count, delays);
        bool work = events[0].kind == EVENT_WORK;
        count = add_faults(faulty ? FAULT_NONE : fault, events, count);
        if (step == STEPS_MAX) {
            crossing_fail(&crossing, "it does not come to rest");
            break;
        }
        if (step == walk->steps) {
            walk->at[step].taken = 0;
            walk->at[step].possible = (unsigned)count;
            walk->steps++;
        }
        struct event event = events[walk->at[step++].taken];
        delays -= work && event.kind != EVENT_WORK;
        faulty = faulty || event.kind == EVENT_LOSE || event.kind == EVENT_REPEAT;
        order_do(&order, &crossing, event);
    }
    if (crossing.failure[0] == '\0')
        crossing_judge(&crossing);
    return faulty;
}

static void show_failure(const struct tally *tally, const enum operation ops[2], enum fault fault,
                         uint64_t seed)
{
    if (tally->failed > SHOWN_MAX)
        return;
    printf("%s against %s%s, seed %llu: %s\n%s", operation_name(ops[0]), operation_name(ops[1]),
           fault_names[fault], (unsigned long long)seed, crossing.failure, crossing.ladder);
}

static void run_all(struct crypto *crypto, const enum operation ops[2], enum fault fault,
                    unsigned loser, bool deep, struct drawn *drawn, struct tally *tally)
{
    static struct walk walk;
    uint64_t seed = crossing_seed(crypto, ops, loser);

    walk.steps = 0;
    do {
        crossing_begin(&crossing, seed, crypto, ops, deep);
        order = (struct order){0};
        for (unsigned i = 0; deep && i < 2; i++)
            crossing_do(&crossing, (struct event){EVENT_START, i});
        if (run_order(&walk, fault)) {
            bool failed = crossing.failure[0] != '\0';
            tally->failed += failed;
            tally->passed += !failed;
            if (failed)
                show_failure(tally, ops, fault, seed);
            else if (drawn != NULL)
                order_draw(&order, &crossing, loser, drawn);
            for (unsigned i = 0; i < 2; i++)
                tally->redundant[i] += crossing_redundant(&crossing, i) > 0;
        }
        crossing_end(&crossing);
    } while (walk_on(&walk));
}

/* --- All pairs, divided among processes --- */

#define PAIR_COUNT    (OP_COUNT * OP_COUNT)
#define PROCESSES_MAX 64

struct options {
    enum operation only[2]; /* OP_COUNT: all */
    bool deep;
    bool repeats;
    bool draw;
};

/* In memory that all processes share. */
struct results {
    struct tally at[PAIR_COUNT][FAULT_COUNT];
};

static void pair_ops(unsigned pair, enum operation ops[2])
{
    ops[0] = pair / OP_COUNT;
    ops[1] = pair % OP_COUNT;
}

static bool is_wanted(const struct options *options, unsigned pair)
{
    enum operation ops[2];

    pair_ops(pair, ops);
    return options->only[0] == OP_COUNT ||
           (ops[0] == options->only[0] && ops[1] == options->only[1]);
}

static void run_pair(struct crypto *crypto, const struct options *options, unsigned pair,
                     struct results *results)
{
    static struct drawn drawn;
    enum operation ops[2];

    drawn.count = 0;
    pair_ops(pair, ops);
    for (enum fault fault = FAULT_NONE; fault < FAULT_COUNT; fault++)
        for (unsigned loser = 0; loser < 2; loser++)
            if (fault != FAULT_REPEAT || options->repeats)
                run_all(crypto, ops, fault, loser, options->deep,
                        options->draw && ops[0] <= ops[1] ? &drawn : NULL,
                        &results->at[pair][fault]);
    fflush(stdout);
}

/* False when a process died. */
static bool run_pairs(struct crypto *crypto, const struct options *options, struct results *results)
{
    long processors = options->draw ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
    unsigned processes = processors < 1               ? 1
                         : processors > PROCESSES_MAX ? PROCESSES_MAX
                                                      : (unsigned)processors;
    pid_t children[PROCESSES_MAX];
    bool whole = true;
    int ended;

    fflush(stdout);
    for (unsigned i = 0; i < processes; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        for (unsigned pair = i; pair < PAIR_COUNT; pair += processes)
            if (is_wanted(options, pair))
                run_pair(crypto, options, pair, results);
        _exit(0);
    }
    for (unsigned i = 0; i < processes; i++)
        whole = children[i] > 0 && waitpid(children[i], &ended, 0) == children[i] && ended == 0 &&
                whole;
    return whole;
}

static void print_pair(const struct options *options, unsigned pair, const struct results *results,
                       struct tally *sum)
{
    enum operation ops[2];

    pair_ops(pair, ops);
    for (enum fault fault = FAULT_NONE; fault < FAULT_COUNT; fault++) {
        const struct tally *tally = &results->at[pair][fault];
        if (!is_wanted(options, pair) || (fault == FAULT_REPEAT && !options->repeats))
            continue;
        printf("%s against %s%s: %llu orders, a loses in %llu, b in %llu, %llu failed\n",
               operation_name(ops[0]), operation_name(ops[1]), fault_names[fault],
               (unsigned long long)(tally->passed + tally->failed),
               (unsigned long long)tally->redundant[0], (unsigned long long)tally->redundant[1],
               (unsigned long long)tally->failed);
        sum->passed += tally->passed;
        sum->failed += tally->failed;
    }
}

static bool parse_options(int count, char **arguments, struct options *options)
{
    *options = (struct options){.only = {OP_COUNT, OP_COUNT}};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--deep") == 0) {
            options->deep = true;
        } else if (strcmp(arguments[i], "--repeats") == 0) {
            options->repeats = true;
        } else if (strcmp(arguments[i], "--draw") == 0) {
            options->draw = true;
        } else if (strcmp(arguments[i], "--ops") == 0 && i + 2 < count) {
            options->only[0] = operation_from_name(arguments[++i]);
            options->only[1] = operation_from_name(arguments[++i]);
            if (options->only[0] == OP_COUNT || options->only[1] == OP_COUNT)
                return false;
        } else {
            return false;
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    struct options options;
    struct tally sum = {0};

    if (!parse_options(count, arguments, &options)) {
        fprintf(stderr, "usage: crossing [--ops A B] [--deep] [--repeats] [--draw]\n");
        return 2;
    }
    struct crypto *crypto = crypto_new();
    struct results *results =
        mmap(NULL, sizeof(*results), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (crypto == NULL || results == MAP_FAILED)
        return 1;
    bool whole = run_pairs(crypto, &options, results);
    crypto_free(crypto);
    for (unsigned pair = 0; pair < PAIR_COUNT; pair++)
        print_pair(&options, pair, results, &sum);
    sum.failed += !whole;
    printf("%llu passed, %llu failed\n", (unsigned long long)sum.passed,
           (unsigned long long)sum.failed);
    return sum.failed == 0 && sum.passed > 0 ? 0 : 1;
}
