/*
 * crossing: all orders in which the messages of two crossing operations can arrive.
 *
 *   crossing [--ops A B] [--order N] [--deep]
 *
 * Every pair of operations, one on each host, is run in every order of starts and arrivals, with
 * each of the two hosts losing where nonces decide, and again with each message lost once and with
 * each message arriving twice.  --deep has the kernel's and the provider's work wait, too.
 * A failure is printed with its ladder.  The last line is "N passed, N failed".
 *
 * The orders are walked by running each from the beginning: a run notes how many events were
 * possible at each step, and the next run takes the next one at the last step that has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/common/crossing.h"

#define STEPS_MAX    512
#define SHOWN_MAX    1
#define SEEDS_MAX    64

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

/* Follows the walk as far as it goes, then takes the first event at each step.  True when the fault
 * happened: the others were walked without it. */
static bool run_order(struct walk *walk, enum fault fault)
{
    struct event events[2 * CROSSING_EVENTS_MAX];
    bool faulty = fault == FAULT_NONE;
    size_t step = 0;
    size_t count;

    while ((count = crossing_events(&crossing, events)) > 0 && crossing.failure[0] == '\0') {
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
        faulty = faulty || event.kind == EVENT_LOSE || event.kind == EVENT_REPEAT;
        crossing_do(&crossing, event);
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
                    uint64_t seed, bool deep, struct tally *tally)
{
    static struct walk walk;

    walk.steps = 0;
    do {
        crossing_begin(&crossing, seed, crypto, ops, deep);
        if (run_order(&walk, fault)) {
            bool failed = crossing.failure[0] != '\0';
            tally->failed += failed;
            tally->passed += !failed;
            if (failed)
                show_failure(tally, ops, fault, seed);
            for (unsigned i = 0; i < 2; i++)
                tally->redundant[i] += crossing_redundant(&crossing, i) > 0;
        }
        crossing_end(&crossing);
    } while (walk_on(&walk));
}

/* Both start before anything arrives: who finds his own exchange redundant?  2: nobody. */
static unsigned loser_of(struct crypto *crypto, const enum operation ops[2], uint64_t seed)
{
    static struct walk walk;
    unsigned loser = 2;

    walk.steps = 0;
    crossing_begin(&crossing, seed, crypto, ops, false);
    crossing_do(&crossing, (struct event){EVENT_START, 0});
    crossing_do(&crossing, (struct event){EVENT_START, 1});
    run_order(&walk, FAULT_NONE);
    for (unsigned i = 0; i < 2; i++)
        if (crossing_redundant(&crossing, i) > 0 && crossing_redundant(&crossing, !i) == 0)
            loser = i;
    crossing_end(&crossing);
    return loser;
}

/* A seed with which this host loses; the first one where it makes no difference. */
static uint64_t seed_for(struct crypto *crypto, const enum operation ops[2], unsigned loser)
{
    for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++)
        if (loser_of(crypto, ops, seed) == loser)
            return seed;
    return 1 + loser;
}

static void run_pair(struct crypto *crypto, const enum operation ops[2], bool deep,
                     struct tally *sum)
{
    for (enum fault fault = FAULT_NONE; fault < FAULT_REPEAT; fault++) {
        struct tally tally = {0};
        for (unsigned loser = 0; loser < 2; loser++)
            run_all(crypto, ops, fault, seed_for(crypto, ops, loser), deep, &tally);
        printf("%s against %s%s: %llu orders, a loses in %llu, b in %llu, %llu failed\n",
               operation_name(ops[0]), operation_name(ops[1]), fault_names[fault],
               (unsigned long long)(tally.passed + tally.failed),
               (unsigned long long)tally.redundant[0], (unsigned long long)tally.redundant[1],
               (unsigned long long)tally.failed);
        sum->passed += tally.passed;
        sum->failed += tally.failed;
    }
}

int main(int count, char **arguments)
{
    enum operation only[2] = {OP_COUNT, OP_COUNT};
    struct tally sum = {0};
    bool deep = false;

    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--deep") == 0) {
            deep = true;
        } else if (strcmp(arguments[i], "--ops") == 0 && i + 2 < count) {
            only[0] = operation_from_name(arguments[++i]);
            only[1] = operation_from_name(arguments[++i]);
        } else {
            fprintf(stderr, "usage: crossing [--ops A B] [--deep]\n");
            return 2;
        }
    }
    struct crypto *crypto = crypto_new();
    if (crypto == NULL)
        return 1;
    for (unsigned pair = 0; pair < OP_COUNT * OP_COUNT; pair++) {
        enum operation ops[2] = {pair / OP_COUNT, pair % OP_COUNT};
        if (only[0] == OP_COUNT || (ops[0] == only[0] && ops[1] == only[1]))
            run_pair(crypto, ops, deep, &sum);
    }
    crypto_free(crypto);
    printf("%llu passed, %llu failed\n", (unsigned long long)sum.passed,
           (unsigned long long)sum.failed);
    return sum.failed == 0 && sum.passed > 0 ? 0 : 1;
}
