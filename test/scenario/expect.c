/*
 * The expectations of scenarios: see scenario.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/scenario/scenario.h"

/* --- The logs --- */

static bool expect_line(struct script *script, struct log *log, const char *what, bool wanted,
                        char *const *words, size_t count)
{
    for (size_t i = log->cursor; i < log->count; i++) {
        if (!line_matches(log->lines[i], words, count))
            continue;
        if (!wanted)
            return script_fail(script, "was %s: %s", what, log->lines[i]);
        log->cursor = i + 1;
        return true;
    }
    return !wanted || script_fail(script, "was not %s; the last one: %s", what,
                                  log->count == log->cursor ? "none" : log->lines[log->count - 1]);
}

static bool expect_result(struct script *script, bool done, char *const *words, size_t count)
{
    const struct effect_result *result =
        script->asked == NULL ? NULL : host_result(script->asked, script->command);

    if (result == NULL)
        return script_fail(script, "there is no result yet");
    if (result->done != done)
        return script_fail(script, "it is %s: %s", result->done ? "done" : "failed", result->text);
    for (size_t i = 0; i < count; i++)
        if (strstr(result->text, words[i]) == NULL)
            return script_fail(script, "\"%s\" is not in: %s", words[i], result->text);
    return true;
}

/* --- Numbers --- */

static size_t larval_count(const struct host *host)
{
    return host->kernel.sa_count - fake_kernel_count(&host->kernel);
}

static size_t policy_count(const struct host *host)
{
    const struct fake_policy *policy;
    size_t count = 0;

    TAILQ_FOREACH (policy, &host->kernel.policies, entry)
        count++;
    return count;
}

static void count_narrowed(void *context, const struct sa_view *view)
{
    size_t *count = context;

    for (size_t i = 0; i < view->child_count; i++)
        *count += view->children[i].narrowed;
}

static size_t narrowed_count(const struct host *host)
{
    size_t count = 0;

    engine_visit_sas(host->engine, UINT64_MAX / 2, count_narrowed, &count);
    return count;
}

static bool number_of(const struct host *host, const char *what, uint64_t *number)
{
    if (strcmp(what, "ikes") == 0)
        *number = engine_sa_count(host->engine);
    else if (strcmp(what, "half-open") == 0)
        *number = engine_half_open_count(host->engine);
    else if (strcmp(what, "children") == 0)
        *number = fake_kernel_count(&host->kernel) / 2;
    else if (strcmp(what, "larval") == 0)
        *number = larval_count(host);
    else if (strcmp(what, "policies") == 0)
        *number = policy_count(host);
    else if (strcmp(what, "narrowed") == 0)
        *number = narrowed_count(host);
    else if (strcmp(what, "delivered") == 0)
        *number = host->delivered;
    else if (strcmp(what, "refused") == 0)
        *number = host->refused;
    else
        return false;
    return true;
}

static bool expect_number(struct script *script, const char *what, uint64_t number,
                          const char *expected)
{
    if (*expected == '\0' || strspn(expected, "0123456789") != strlen(expected))
        return script_fail(script, "\"%s\": expected a number", expected);
    return number == strtoull(expected, NULL, 10) ||
           script_fail(script, "%s: %llu", what, (unsigned long long)number);
}

/* --- The kernels --- */

static const struct fake_sa *newest(const struct host *host, const struct host *source,
                                    const struct host *destination)
{
    const struct fake_sa *sa;
    const struct fake_sa *found = NULL;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        if (!sa->larval && world_host_at(host->world, &sa->source) == source &&
            world_host_at(host->world, &sa->destination) == destination)
            found = sa;
    return found;
}

static bool expect_direction(struct script *script, const struct host *from, const struct host *to,
                             const char *mode)
{
    const struct fake_sa *out = newest(from, from, to);
    const struct fake_sa *in = newest(to, from, to);

    if (out == NULL || in == NULL)
        return script_fail(script, "%s has no SA with %s", out == NULL ? from->name : to->name,
                           out == NULL ? to->name : from->name);
    if (out->spi != in->spi || out->key_size != in->key_size || out->mode != in->mode ||
        out->encr != in->encr || out->integ != in->integ || out->esn != in->esn ||
        memcmp(out->key, in->key, in->key_size) != 0)
        return script_fail(script, "%s and %s hold different SAs", from->name, to->name);
    if (mode != NULL && (strcmp(mode, "udp") == 0 || strcmp(mode, "plain") == 0)) {
        if (out->encap != in->encap || out->encap != (strcmp(mode, "udp") == 0))
            return script_fail(script, "ESP is not in %s", mode);
        return true;
    }
    if (mode != NULL && (out->mode == CHILD_TUNNEL) != (strcmp(mode, "tunnel") == 0))
        return script_fail(script, "it is not in %s mode", mode);
    return true;
}

static bool expect_selectors(struct script *script, const struct host *host, const char *local,
                             const char *remote)
{
    const struct ike_sa *sa = probe_first(host->engine);
    const struct child_sa *child = sa == NULL ? NULL : TAILQ_FIRST(&sa->children);
    char text[SELECTOR_TEXT_MAX];

    if (child == NULL)
        return script_fail(script, "%s has no child", host->name);
    if (strcmp(selector_text(&child->local_selectors[0], text), local) != 0 ||
        strcmp(selector_text(&child->remote_selectors[0], text), remote) != 0)
        return script_fail(script, "the selectors are others: %s", text);
    return true;
}

static bool expect_pair(struct script *script, char *const *words, size_t count)
{
    const struct host *a = count > 0 ? script_host(script, words[0]) : NULL;
    const struct host *b = count > 1 ? script_host(script, words[1]) : NULL;
    const char *mode = count > 2 ? words[2] : NULL;

    return a != NULL && b != NULL && expect_direction(script, a, b, mode) &&
           expect_direction(script, b, a, mode) &&
           (count < 5 || (expect_selectors(script, a, words[3], words[4]) &&
                          expect_selectors(script, b, words[4], words[3])));
}

static bool expect_ping(struct script *script, char *const *words, size_t count)
{
    static const char *const verdicts[] = {[FAKE_CLEAR] = "clear",
                                           [FAKE_SEALED] = "sealed",
                                           [FAKE_HELD] = "held",
                                           [FAKE_ACQUIRE] = "acquire"};
    struct host *from = count > 1 ? script_host(script, words[1]) : NULL;
    struct host *to = count > 2 ? script_host(script, words[2]) : NULL;
    struct selector source;
    struct selector destination;

    if (from == NULL || to == NULL ||
        !script_selector(script, from, count > 3 ? words[3] : NULL, &source) ||
        !script_selector(script, to, count > 4 ? words[4] : NULL, &destination))
        return false;
    enum fake_verdict verdict = host_traffic(from, &source, &destination);
    return strcmp(verdicts[verdict], words[0]) == 0 ||
           script_fail(script, "the packet is %s", verdicts[verdict]);
}

struct state_wanted {
    const char *connection;
    const char *state;
    bool found;
    uint64_t silent_ms;
};

static void compare_state(void *context, const struct connection_view *view)
{
    struct state_wanted *wanted = context;

    if (strcmp(view->connection->name, wanted->connection) == 0)
        wanted->found = strcmp(view->state, wanted->state) == 0;
}

static bool expect_state(struct script *script, const struct host *host, const char *connection,
                         const char *state)
{
    struct state_wanted wanted = {.connection = connection, .state = state};

    engine_visit_connections(host->engine, script->world.now_ms, compare_state, &wanted);
    return wanted.found || script_fail(script, "%s is not %s", connection, state);
}

static void take_silence(void *context, const struct connection_view *view)
{
    struct state_wanted *wanted = context;

    if (strcmp(view->connection->name, wanted->connection) == 0)
        wanted->silent_ms = view->silent_ms;
}

static bool expect_silent(struct script *script, const struct host *host, const char *connection,
                          const char *seconds)
{
    struct state_wanted wanted = {.connection = connection};

    engine_visit_connections(host->engine, script->world.now_ms + host->ahead_ms, take_silence,
                             &wanted);
    return expect_number(script, "silent", wanted.silent_ms / 1000, seconds);
}

struct error_wanted {
    const char *connection;
    bool uncovered; /* that, not the error */
    char error[REASON_TEXT_MAX];
};

static void take_error(void *context, const struct connection_view *view)
{
    struct error_wanted *wanted = context;
    const char *text = wanted->uncovered ? view->uncovered : view->last_error;

    if (strcmp(view->connection->name, wanted->connection) == 0)
        snprintf(wanted->error, sizeof(wanted->error), "%s", text == NULL ? "" : text);
}

static bool expect_error(struct script *script, const struct host *host, const char *connection,
                         bool uncovered, char *const *words, size_t count)
{
    struct error_wanted wanted = {.connection = connection, .uncovered = uncovered};

    engine_visit_connections(host->engine, script->world.now_ms, take_error, &wanted);
    if (count == 0)
        return wanted.error[0] == '\0' || script_fail(script, "there is: %s", wanted.error);
    for (size_t i = 0; i < count; i++)
        if (strstr(wanted.error, words[i]) == NULL)
            return script_fail(script, "\"%s\" is not in: %s", words[i], wanted.error);
    return true;
}

bool expect_run(struct script *script, char *const *words, size_t count)
{
    bool wanted = strcmp(words[0], "no") != 0;
    uint64_t number;

    if (!wanted) {
        words++;
        count--;
    }
    if (count > 0 && strcmp(words[0], "sent") == 0)
        return expect_line(script, &script->packets, "sent", wanted, words + 1, count - 1);
    if (count > 0 && strcmp(words[0], "report") == 0)
        return expect_line(script, &script->reports, "reported", wanted, words + 1, count - 1);
    if (!wanted)
        return script_fail(script, "expect no: packets and reports only");
    if (count > 0 && (strcmp(words[0], "done") == 0 || strcmp(words[0], "failed") == 0))
        return expect_result(script, words[0][0] == 'd', words + 1, count - 1);
    if (count > 0 && strcmp(words[0], "pair") == 0)
        return expect_pair(script, words + 1, count - 1);
    if (count > 0 && strcmp(words[0], "ping") == 0)
        return expect_ping(script, words + 1, count - 1);
    const struct host *host = count > 1 ? script_host(script, words[1]) : NULL;
    if (host == NULL)
        return script_fail(script, "expected what, and of which host");
    if (count > 2 && number_of(host, words[0], &number))
        return expect_number(script, words[0], number, words[2]);
    if (count > 3 && strcmp(words[0], "state") == 0)
        return expect_state(script, host, words[2], words[3]);
    if (count > 3 && strcmp(words[0], "silent") == 0)
        return expect_silent(script, host, words[2], words[3]);
    bool uncovered = strcmp(words[0], "uncovered") == 0;
    if (count > 2 && (uncovered || strcmp(words[0], "error") == 0))
        return expect_error(script, host, words[2], uncovered, words + 3, count - 3);
    if (count > 3 && strcmp(words[0], "counter") == 0)
        return expect_number(script, words[2], host_counter(host, words[2]), words[3]);
    if (strcmp(words[0], "kept") == 0)
        return (host == script->forged_to && probe_kept(&script->before, host->engine)) ||
               script_fail(script, "an SA of %s has changed", host->name);
    if (strcmp(words[0], "idle") == 0)
        return engine_deadline(host->engine) == UINT64_MAX ||
               script_fail(script, "%s has a timer armed", host->name);
    return script_fail(script, "\"%s\": cannot be expected", words[0]);
}
