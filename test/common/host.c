/*
 * One simulated host: the engine, and the keeper's part of carrying out its effects.
 * See world.h.
 */
#include <stdlib.h>
#include <string.h>

#include "test/common/host.h"
#include "test/common/toy_exchange.h"

static uint64_t host_now_ms(const struct host *host)
{
    return host->world->now_ms + host->ahead_ms;
}

/* --- Carrying out --- */

static void answer_engine(struct host *host, const struct work *work, struct answer *answer)
{
    if (host->engine != NULL && work->life == host->life)
        engine_answer(host->engine, answer, host_now_ms(host));
    answer_free(answer);
    host_drain(host);
}

static void sign(struct host *host, const struct effect *effect, struct answer *answer)
{
    struct slice psk;

    if (host->secrets != NULL &&
        secrets_find(host->secrets, &effect->sign.local_id, &effect->sign.remote_id, &psk)) {
        effect_sign_run(host->world->crypto, effect, psk, answer);
        return;
    }
    answer->status = reason_set(&answer->reason, STATUS_REJECT, 0, "no secret for this peer");
}

static void resolve(const struct host *host, const struct effect_resolve *resolve,
                    struct answer *answer)
{
    const struct world *world = host->world;

    answer->connection = resolve->connection;
    for (size_t i = 0; i < world->name_count; i++)
        if (strcmp(world->names[i].name, resolve->host) == 0)
            for (size_t j = 0; j < world->names[i].count; j++)
                if (world->names[i].addresses[j].family == resolve->family)
                    answer->addresses[answer->address_count++] = world->names[i].addresses[j];
    if (answer->address_count == 0)
        answer->status = reason_set(&answer->reason, STATUS_FAIL, 0, "no such host");
}

static void carry_out(struct host *host, const struct work *work)
{
    struct world *world = host->world;
    struct fake_kernel *kernel = &host->kernel;
    const struct effect *effect = &work->effect;
    struct answer answer = {.kind = effect->kind, .ticket = effect->ticket};
    uint64_t now_ms = host_now_ms(host);
    bool fails = chance_hit(&world->chance, world->weather.kernel_failure);

    switch (effect->kind) {
    case EFFECT_COMPUTE:
        if (world->toy_exchange)
            toy_exchange_run(effect, &answer);
        else
            effect_compute_run(world->crypto, effect, &answer);
        break;
    case EFFECT_SIGN: sign(host, effect, &answer); break;
    case EFFECT_ALLOCATE_SPI:
        answer.status =
            fails ? reason_set(&answer.reason, STATUS_FAIL, 0, "no SPI, by chance")
                  : fake_kernel_allocate(kernel, &effect->allocate_spi, now_ms, &answer.spi);
        break;
    case EFFECT_INSTALL_SA:
        answer.status =
            fails ? reason_set(&answer.reason, STATUS_FAIL, 0, "no SA, by chance")
                  : fake_kernel_install(kernel, &effect->install_sa, now_ms, &answer.reason);
        break;
    case EFFECT_FIND_SOURCE:
        answer.source = effect->find_source.remote.family == FAMILY_IPV4 ? host->v4 : host->v6;
        break;
    case EFFECT_RESOLVE: resolve(host, &effect->resolve, &answer); break;
    case EFFECT_QUERY_SA:
        answer.spi = effect->query_sa.spi;
        answer.status =
            fake_kernel_query(kernel, &effect->query_sa, now_ms, &answer.packets, &answer.ago_s);
        break;
    case EFFECT_MOVE_SA: fake_kernel_move(kernel, &effect->move_sa); return;
    case EFFECT_REMOVE_SA: fake_kernel_remove(kernel, &effect->remove_sa); return;
    case EFFECT_INSTALL_POLICY: fake_kernel_install_policy(kernel, &effect->policy); return;
    case EFFECT_REMOVE_POLICY: fake_kernel_remove_policy(kernel, &effect->policy); return;
    case EFFECT_REMOVE_ORPHANS: fake_kernel_remove_orphans(kernel, &effect->orphans_of); return;
    case EFFECT_SEND:
    case EFFECT_REPORT:
    case EFFECT_RESULT:
    case EFFECT_PROGRESS: return;
    }
    answer_engine(host, work, &answer);
}

/* The keeper takes its work in order; a key exchange may overtake it. */
static void queue_work(struct host *host, struct effect *effect)
{
    struct world *world = host->world;
    const struct weather *weather = &world->weather;
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        abort();
    work->effect = *effect;
    work->life = host->life;
    work->due_ms = world->now_ms + weather->work_min_ms +
                   chance_below(&world->chance, weather->work_max_ms - weather->work_min_ms + 1u);
    if (effect->kind != EFFECT_COMPUTE) {
        if (work->due_ms < host->keeper_free_ms)
            work->due_ms = host->keeper_free_ms;
        host->keeper_free_ms = work->due_ms;
    }
    TAILQ_INSERT_TAIL(&host->work, work, entry);
}

static struct work *first_work(const struct host *host)
{
    struct work *work;
    struct work *first = NULL;

    TAILQ_FOREACH (work, &host->work, entry)
        if (first == NULL || work->due_ms < first->due_ms)
            first = work;
    return first;
}

static void free_work(struct host *host, struct work *work)
{
    TAILQ_REMOVE(&host->work, work, entry);
    effect_free(&work->effect);
    free(work);
}

static void remember_result(struct host *host, const struct effect_result *result)
{
    host->results[result->command % HOST_RESULTS_MAX] = *result;
}

static void print_report(const struct host *host, const struct effect_report *report)
{
    const struct world *world = host->world;

    if (world->ladder != NULL)
        fprintf(world->ladder, "%9.3f s  %-8s * %s: %s\n", (double)world->now_ms / 1000, host->name,
                report->event, report->text);
}

void host_drain(struct host *host)
{
    struct world *world = host->world;
    struct effect effect;

    while (host->engine != NULL && engine_next_effect(host->engine, &effect)) {
        if (world->hooks.effect != NULL)
            world->hooks.effect(world->hooks.context, host, &effect);
        switch (effect.kind) {
        case EFFECT_SEND: world_send(world, &effect.send); break;
        case EFFECT_REPORT: print_report(host, &effect.report); break;
        case EFFECT_RESULT: remember_result(host, &effect.result); break;
        case EFFECT_PROGRESS: break;
        default: queue_work(host, &effect); continue; /* the work owns it now */
        }
        effect_free(&effect);
    }
}

/* --- Life --- */

void host_init(struct host *host, struct world *world, const char *name, size_t index)
{
    uint64_t seed = chance_next(&world->chance);

    *host = (struct host){.world = world, .index = index, .chance = chance_of(seed)};
    snprintf(host->name, sizeof(host->name), "%s", name);
    host->v4 = (struct address){.family = FAMILY_IPV4, .bytes = {192, 0, 2, (uint8_t)(index + 1)}};
    host->v6 = (struct address){.family = FAMILY_IPV6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};
    host->v6.bytes[15] = (uint8_t)(index + 1);
    host->ahead_ms = 1000 + chance_below(&world->chance, 1000000);
    fake_kernel_init(&host->kernel, seed + 1);
    TAILQ_INIT(&host->work);
}

static void free_all_work(struct host *host)
{
    struct work *work;

    while ((work = TAILQ_FIRST(&host->work)) != NULL)
        free_work(host, work);
}

void host_clear(struct host *host)
{
    engine_free(host->engine);
    free_all_work(host);
    fake_kernel_clear(&host->kernel);
    secrets_free(host->secrets);
    free(host->config_text);
}

static struct config *parse(const struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config_text file = {.path = host->name, .text = slice_text(text)};

    return config_parse(&file, 1, error);
}

static void command(struct host *host, struct command *command)
{
    command->number = ++host->next_command;
    host->results[command->number % HOST_RESULTS_MAX] = (struct effect_result){0};
    engine_command(host->engine, command, host_now_ms(host));
    host_drain(host);
}

bool host_configure(struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct command configure = {.kind = COMMAND_CONFIGURE};
    struct config *config = parse(host, text, error);
    char *copy = strdup(text);

    if (config == NULL || copy == NULL) {
        config_free(config);
        free(copy);
        return false;
    }
    free(host->config_text);
    host->config_text = copy;
    if (host->engine == NULL) {
        config_free(config);
        return true;
    }
    configure.config = config;
    command(host, &configure);
    return true;
}

bool host_set_secrets(struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config_text file = {.path = "secrets.conf", .text = slice_text(text)};
    struct secrets *secrets = secrets_parse(&file, 1, error);

    if (secrets == NULL)
        return false;
    secrets_free(host->secrets);
    host->secrets = secrets;
    return true;
}

/* An orphan of no configured connection. */
static const struct fake_sa *find_stray(const struct host *host)
{
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry)
        if (sa->orphan && config_find(engine_config(host->engine), sa->connection.text) == NULL)
            return sa;
    return NULL;
}

/* The keeper sees to those by itself when it starts. */
static void sweep(struct host *host)
{
    const struct fake_sa *stray;
    struct fake_policy *policy;
    struct fake_policy *next;

    while ((stray = find_stray(host)) != NULL) {
        struct name connection = stray->connection;
        fake_kernel_remove_orphans(&host->kernel, &connection);
    }
    for (policy = TAILQ_FIRST(&host->kernel.policies); policy != NULL; policy = next) {
        next = TAILQ_NEXT(policy, entry);
        if (config_find(engine_config(host->engine), policy->is.connection.text) == NULL) {
            struct effect_policy is = policy->is;
            fake_kernel_remove_policy(&host->kernel, &is);
        }
    }
}

/* One event for each child that has SAs of an earlier life. */
static void tell_orphans(struct host *host)
{
    const struct fake_sa *sa;
    const struct fake_sa *earlier;

    TAILQ_FOREACH (sa, &host->kernel.sas, entry) {
        bool told = !sa->orphan;
        TAILQ_FOREACH (earlier, &host->kernel.sas, entry) {
            if (earlier == sa)
                break;
            told = told ||
                   (earlier->orphan && strcmp(earlier->connection.text, sa->connection.text) == 0 &&
                    strcmp(earlier->child.text, sa->child.text) == 0);
        }
        if (told)
            continue;
        struct kernel_event event = {
            .kind = KERNEL_ORPHAN, .connection = sa->connection, .child = sa->child};
        engine_kernel(host->engine, &event, host_now_ms(host));
    }
}

void host_start(struct host *host)
{
    struct engine_options options = {
        .crypto = host->world->crypto,
        .random = chance_fill,
        .context = &host->chance,
        .debug = host->world->debug,
    };
    char error[CONFIG_ERROR_MAX];

    if (host->engine != NULL)
        return;
    host->life++;
    host->engine = engine_new(&options, host_now_ms(host));
    if (host->engine == NULL ||
        (host->config_text != NULL && !host_configure(host, host->config_text, error)))
        abort();
    fake_kernel_orphan_all(&host->kernel);
    if (host->config_text != NULL)
        sweep(host);
    tell_orphans(host);
    host_drain(host);
}

/* The keeper still does what it was asked; a computing thread dies with its process. */
void host_crash(struct host *host)
{
    struct work *work;

    engine_free(host->engine);
    host->engine = NULL;
    while ((work = TAILQ_FIRST(&host->work)) != NULL) {
        carry_out(host, work);
        free_work(host, work);
    }
}

void host_reboot(struct host *host)
{
    host_crash(host);
    fake_kernel_clear(&host->kernel);
}

/* --- Commands and traffic --- */

static uint64_t name_command(struct host *host, enum command_kind kind, const char *connection,
                             const char *child)
{
    struct command named = {.kind = kind};

    if (host->engine == NULL)
        return 0;
    snprintf(named.name.text, sizeof(named.name.text), "%s", connection);
    snprintf(named.child.text, sizeof(named.child.text), "%s", child);
    command(host, &named);
    return named.number;
}

uint64_t host_up(struct host *host, const char *connection)
{
    return name_command(host, COMMAND_UP, connection, "");
}

uint64_t host_down(struct host *host, const char *connection)
{
    return name_command(host, COMMAND_DOWN, connection, "");
}

uint64_t host_rekey(struct host *host, const char *connection, const char *what)
{
    return name_command(host, COMMAND_REKEY, connection, what);
}

uint64_t host_shutdown(struct host *host)
{
    return name_command(host, COMMAND_SHUTDOWN, "", "");
}

const struct effect_result *host_result(const struct host *host, uint64_t number)
{
    const struct effect_result *result = &host->results[number % HOST_RESULTS_MAX];

    return number != 0 && result->command == number ? result : NULL;
}

uint64_t host_counter(const struct host *host, const char *name)
{
    uint64_t value = 0;
    const char *this_name;

    for (size_t i = 0; (this_name = engine_counter(host->engine, i, &value)) != NULL; i++)
        if (strcmp(this_name, name) == 0)
            return value;
    return 0;
}

void host_packet(struct host *host, const struct flight *flight)
{
    struct datagram datagram = {
        .local = flight->destination,
        .remote = flight->source,
        .data = flight->data.data,
        .size = flight->data.size,
    };

    if (host->engine == NULL)
        return;
    engine_packet(host->engine, &datagram, host_now_ms(host));
    host_drain(host);
}

static void tell_kernel(struct host *host, const struct kernel_event *event)
{
    if (host->engine == NULL)
        return;
    engine_kernel(host->engine, event, host_now_ms(host));
    host_drain(host);
}

void host_move(struct host *host, const struct address *to)
{
    struct kernel_event event = {.kind = KERNEL_ADDRESSES};

    host->v4 = *to;
    tell_kernel(host, &event);
}

void host_mapping(struct host *host, const struct fake_sa *sa, const struct address *source)
{
    struct kernel_event event = {
        .kind = KERNEL_MAPPING,
        .destination = sa->destination,
        .source = *source,
        .spi = sa->spi,
        .protocol = sa->protocol,
    };

    tell_kernel(host, &event);
}

void host_expire(struct host *host, const struct child_sa *child, bool hard)
{
    struct kernel_event event = {
        .kind = KERNEL_EXPIRE,
        .destination = child->owner->local,
        .spi = child->spi_in,
        .protocol = child->protocol,
        .hard = hard,
    };

    tell_kernel(host, &event);
}

enum fake_verdict host_traffic(struct host *host, const struct selector *source,
                               const struct selector *destination)
{
    struct world *world = host->world;
    struct fake_policy *policy;
    struct fake_sa *sa;
    enum fake_verdict verdict =
        fake_kernel_output(&host->kernel, source, destination, host_now_ms(host), &policy, &sa);

    if (verdict == FAKE_ACQUIRE) {
        struct kernel_event event = {.kind = KERNEL_ACQUIRE,
                                     .connection = policy->is.connection,
                                     .child = policy->is.child,
                                     .local_packet = *source,
                                     .remote_packet = *destination};
        tell_kernel(host, &event);
    }
    host->sealed += verdict == FAKE_SEALED;
    host->held += verdict == FAKE_HELD || verdict == FAKE_ACQUIRE;
    if (verdict == FAKE_HELD)
        world_say(world, "a packet is held");
    host->clear += verdict == FAKE_CLEAR;
    if (verdict == FAKE_SEALED || verdict == FAKE_CLEAR)
        world_send_traffic(world, sa, source, destination);
    if (world->hooks.traffic != NULL)
        world->hooks.traffic(world->hooks.context, host, verdict);
    return verdict;
}

enum fake_verdict host_ping(struct host *host, const struct host *to, uint8_t family)
{
    struct selector source = selector_host(family == FAMILY_IPV6 ? &host->v6 : &host->v4);
    struct selector destination = selector_host(family == FAMILY_IPV6 ? &to->v6 : &to->v4);

    source.protocol = destination.protocol = 17;
    source.port_start = source.port_end = 40000;
    destination.port_start = destination.port_end = 7;
    return host_traffic(host, &source, &destination);
}

/* --- Time --- */

static void expire_kernel(struct host *host)
{
    enum fake_expiry expiry;
    struct fake_sa expired;

    while (fake_kernel_expire(&host->kernel, host_now_ms(host), &expiry, &expired)) {
        struct kernel_event event = {
            .kind = KERNEL_EXPIRE,
            .destination = expired.destination,
            .spi = expired.spi,
            .protocol = expired.protocol,
            .hard = expiry == FAKE_EXPIRED_HARD,
        };
        if (expiry != FAKE_EXPIRED_LARVAL)
            tell_kernel(host, &event);
    }
}

static uint64_t earlier_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t in_world(const struct host *host, uint64_t due_ms)
{
    return due_ms == UINT64_MAX      ? UINT64_MAX
           : due_ms < host->ahead_ms ? 0
                                     : due_ms - host->ahead_ms;
}

uint64_t host_next_ms(struct host *host)
{
    const struct work *work = host->world->work_by_hand ? NULL : first_work(host);
    uint64_t next_ms = work == NULL ? UINT64_MAX : work->due_ms;

    if (host->engine != NULL)
        next_ms = earlier_of(next_ms, in_world(host, engine_deadline(host->engine)));
    return earlier_of(next_ms, in_world(host, fake_kernel_deadline(&host->kernel)));
}

static void finish_work(struct host *host, struct work *work)
{
    TAILQ_REMOVE(&host->work, work, entry);
    carry_out(host, work);
    effect_free(&work->effect);
    free(work);
}

void host_work(struct host *host)
{
    const struct work *last = TAILQ_LAST(&host->work, work_list);
    const struct work *done = NULL;
    struct work *work;

    while (done != last && (work = TAILQ_FIRST(&host->work)) != NULL) {
        done = work;
        finish_work(host, work);
    }
}

bool host_step(struct host *host)
{
    struct world *world = host->world;
    struct work *work = world->work_by_hand ? NULL : first_work(host);

    if (work != NULL && work->due_ms <= world->now_ms) {
        finish_work(host, work);
        return true;
    }
    if (in_world(host, fake_kernel_deadline(&host->kernel)) <= world->now_ms) {
        expire_kernel(host);
        return true;
    }
    if (host->engine != NULL && engine_deadline(host->engine) <= host_now_ms(host)) {
        engine_expire(host->engine, host_now_ms(host));
        host_drain(host);
        return true;
    }
    return false;
}
