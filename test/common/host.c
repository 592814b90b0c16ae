/*
 * One simulated host: the engine, its work, and what happens to it.  See world.h.
 *
 * Not here: what the keeper makes of the work (host_keeper.c).
 */
#include "test/common/host.h"

#include <stdlib.h>
#include <string.h>

#include "iked/keeper/upkeep.h"
#include "lib/policy/loss.h"
#include "test/common/toy_exchange.h"

uint64_t host_now_ms(const struct host *host)
{
    return host->world->now_ms + host->ahead_ms;
}

/* --- Carrying out --- */

void host_answer(struct host *host, struct answer *answer)
{
    if (host->engine == NULL)
        return;
    engine_answer(host->engine, answer, host_now_ms(host));
    host_drain(host);
}

static void compute(struct host *host, const struct effect *effect)
{
    struct answer answer = {.kind = effect->kind, .ticket = effect->ticket};

    if (host->world->toy_exchange)
        toy_exchange_run(effect, &answer);
    else
        effect_compute_run(host->world->crypto, effect, &answer);
    host_answer(host, &answer);
    answer_free(&answer);
}

/* What goes to the keeper is gathered there. */
static void carry_out(struct host *host, struct work *work)
{
    if (work->commit)
        keeper_commit(host);
    else if (work->effect.kind == EFFECT_COMPUTE)
        compute(host, &work->effect);
    else if (work->effect.kind == EFFECT_RESOLVE)
        keeper_resolve(host, &work->effect);
    else
        keeper_take(host, &work->effect);
}

/* The keeper takes its work in order; a key exchange may overtake it. */
void host_queue(struct host *host, struct effect *effect)
{
    struct world *world = host->world;
    const struct weather *weather = &world->weather;
    struct work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        abort();
    work->commit = effect == NULL;
    if (effect != NULL)
        work->effect = *effect;
    work->due_ms = world->now_ms + weather->work_min_ms +
                   chance_below(&world->chance, weather->work_max_ms - weather->work_min_ms + 1u);
    if (work->effect.kind != EFFECT_COMPUTE) {
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

void host_report(struct host *host, const struct effect *effect)
{
    const struct world *world = host->world;

    if (world->hooks.effect != NULL)
        world->hooks.effect(world->hooks.context, host, effect);
    if (world->ladder != NULL)
        fprintf(world->ladder, "%9.3f s  %-8s * %s: %s\n", (double)world->now_ms / 1000, host->name,
                effect->report.event, effect->report.text);
}

void host_drain(struct host *host)
{
    struct world *world = host->world;
    struct effect effect;

    while (host->engine != NULL && engine_next_effect(host->engine, &effect)) {
        if (world->hooks.effect != NULL && effect.kind != EFFECT_REPORT)
            world->hooks.effect(world->hooks.context, host, &effect);
        switch (effect.kind) {
        case EFFECT_SEND: world_send(world, &effect.send); break;
        case EFFECT_REPORT: host_report(host, &effect); break;
        case EFFECT_RESULT: remember_result(host, &effect.result); break;
        case EFFECT_PROGRESS: break;
        default: host_queue(host, &effect); continue; /* the work owns it now */
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
    keeper_init(host);
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
    keeper_clear(host);
    fake_kernel_clear(&host->kernel);
    free(host->config_text);
    free(host->keeper_text);
}

static struct config *parse(const struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config_text file = {.path = host->name, .text = slice_text(text)};
    struct config *config = config_parse(&file, 1, error);
    struct connection *connection;

    if (config != NULL && host->world->complete != NULL)
        TAILQ_FOREACH (connection, &config->connections, entry)
            host->world->complete(connection);
    return config;
}

static void command(struct host *host, struct command *command)
{
    command->number = ++host->next_command;
    host->results[command->number % HOST_RESULTS_MAX] = (struct effect_result){0};
    engine_command(host->engine, command, host_now_ms(host));
    host_drain(host);
}

/* The first work of the keeper's, or of the computing thread, is done. */
static void do_first(struct host *host, struct work *work)
{
    TAILQ_REMOVE(&host->work, work, entry);
    carry_out(host, work);
    effect_free(&work->effect);
    free(work);
}

/* The keeper reads no configuration while the one before is not in use yet. */
static void await_commit(struct host *host)
{
    struct work *work;

    while (keeper_awaits_commit(host) && (work = TAILQ_FIRST(&host->work)) != NULL)
        do_first(host, work);
    keeper_flush(host);
}

static void configure_engine(struct host *host, struct config *config)
{
    struct command configure = {.kind = COMMAND_CONFIGURE, .config = config};

    command(host, &configure);
    host_queue(host, NULL);
}

static struct config *read_file(struct host *host)
{
    static const char nothing[] = "connections: {};";
    char error[CONFIG_ERROR_MAX];

    free(host->keeper_text);
    host->keeper_text = strdup(host->config_text != NULL ? host->config_text : nothing);
    return host->keeper_text == NULL ? NULL : parse(host, host->keeper_text, error);
}

static void reload(struct host *host)
{
    char error[CONFIG_ERROR_MAX];

    await_commit(host);
    keeper_offer(host, read_file(host));
    configure_engine(host, parse(host, host->keeper_text, error));
}

bool host_configure(struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config *config = parse(host, text, error);
    char *copy = strdup(text);

    if (config == NULL || copy == NULL) {
        config_free(config);
        free(copy);
        return false;
    }
    config_free(config);
    free(host->config_text);
    host->config_text = copy;
    if (host->engine != NULL)
        reload(host);
    return true;
}

bool host_set_secrets(struct host *host, const char *text, char error[CONFIG_ERROR_MAX])
{
    struct config_text file = {.path = "secrets.conf", .text = slice_text(text)};
    struct secrets *secrets = secrets_parse(&file, 1, error);

    if (secrets == NULL)
        return false;
    vault_set(&host->keeper.service.vault, secrets);
    return true;
}

void host_start(struct host *host)
{
    struct engine_options options = {
        .crypto = host->world->crypto,
        .random = chance_fill,
        .context = &host->chance,
        .protocols = host->world->protocols,
        .debug = host->world->debug,
    };
    char error[CONFIG_ERROR_MAX];

    if (host->engine != NULL)
        return;
    if (host->keeper.tick_ms == 0)
        keeper_start(host, read_file(host));
    fake_kernel_orphan_all(&host->kernel);
    host->engine = engine_new(&options, host_now_ms(host));
    if (host->engine == NULL)
        abort();
    configure_engine(host, parse(host, host->keeper_text, error));
    upkeep_tell_orphans(&host->keeper.service);
    host_drain(host);
    if (host->config_text != NULL && strcmp(host->keeper_text, host->config_text) != 0)
        reload(host);
}

/* The keeper still does what it was asked; a computing thread dies with its process. */
void host_crash(struct host *host)
{
    struct work *work;

    engine_free(host->engine);
    host->engine = NULL;
    while ((work = TAILQ_FIRST(&host->work)) != NULL)
        do_first(host, work);
    keeper_session_over(host);
}

void host_kill(struct host *host)
{
    engine_free(host->engine);
    host->engine = NULL;
    free_all_work(host);
    keeper_end(host);
}

void host_stop(struct host *host)
{
    bool runs = host->keeper.tick_ms != 0;

    host_crash(host);
    if (runs)
        upkeep_clear(&host->keeper.service, host->keeper.config->daemon.clear_on_exit);
    keeper_end(host);
}

void host_reboot(struct host *host)
{
    host_kill(host);
    keeper_forget(host);
    fake_kernel_clear(&host->kernel);
}

static void tell_flush(struct host *host, enum kernel_notice_kind kind, bool heard)
{
    struct kernel_notice notice = {.kind = heard ? kind : NOTICE_LOST};

    fake_kernel_notice(&host->kernel, &notice);
    keeper_hear(host);
}

void host_flush_policies(struct host *host, bool heard)
{
    fake_kernel_flush_policies(&host->kernel);
    tell_flush(host, NOTICE_POLICIES_GONE, heard);
}

void host_flush_sas(struct host *host, bool heard)
{
    fake_kernel_flush_sas(&host->kernel);
    tell_flush(host, NOTICE_SAS_GONE, heard);
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

void host_tell(struct host *host, const struct kernel_event *event)
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
    host_tell(host, &event);
}

void host_mapping(struct host *host, const struct fake_sa *sa, const struct address *source)
{
    struct kernel_notice notice = {.kind = NOTICE_MAPPING, .sa = fake_sa_told(sa)};

    notice.sa.source = *source;
    fake_kernel_notice(&host->kernel, &notice);
    keeper_hear(host);
}

void host_expire(struct host *host, const struct child_sa *child, bool hard)
{
    struct kernel_event event = {
        .kind = KERNEL_EXPIRE,
        .destination = child->owner->local,
        .spi = child_main(child)->spi_in,
        .protocol = child_main(child)->protocol,
        .hard = hard,
    };

    host_tell(host, &event);
}

enum fake_verdict host_traffic(struct host *host, const struct selector *source,
                               const struct selector *destination)
{
    struct world *world = host->world;
    struct fake_policy *policy;
    struct fake_sa *sa;
    enum fake_verdict verdict =
        fake_kernel_output(&host->kernel, source, destination, host_now_ms(host), &policy, &sa);

    keeper_hear(host);
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
        struct kernel_notice notice = {
            .kind = NOTICE_EXPIRE,
            .sa = fake_sa_told(&expired),
            .hard = expiry != FAKE_EXPIRED_SOFT,
        };
        fake_kernel_notice(&host->kernel, &notice);
    }
    keeper_hear(host);
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

static uint64_t tick_ms(const struct host *host)
{
    return host->keeper.tick_ms == 0 || host->world->no_upkeep
               ? UINT64_MAX
               : in_world(host, host->keeper.tick_ms);
}

uint64_t host_next_ms(struct host *host)
{
    const struct work *work = host->world->work_by_hand ? NULL : first_work(host);
    uint64_t next_ms = work == NULL ? UINT64_MAX : work->due_ms;

    if (host->engine != NULL)
        next_ms = earlier_of(next_ms, in_world(host, engine_deadline(host->engine)));
    next_ms = earlier_of(next_ms, tick_ms(host));
    return earlier_of(next_ms, in_world(host, fake_kernel_deadline(&host->kernel)));
}

void host_work(struct host *host)
{
    const struct work *last = TAILQ_LAST(&host->work, work_list);
    const struct work *done = NULL;
    struct work *work;

    while (done != last && (work = TAILQ_FIRST(&host->work)) != NULL) {
        done = work;
        do_first(host, work);
    }
    keeper_flush(host);
}

/* What is due at one time goes to the kernel in one batch. */
static bool work_is_done(struct host *host)
{
    struct work *work;
    size_t count = 0;

    if (host->world->work_by_hand)
        return false;
    while ((work = first_work(host)) != NULL && work->due_ms <= host->world->now_ms) {
        do_first(host, work);
        count++;
    }
    keeper_flush(host);
    return count > 0;
}

bool host_step(struct host *host)
{
    struct world *world = host->world;

    if (work_is_done(host))
        return true;
    if (in_world(host, fake_kernel_deadline(&host->kernel)) <= world->now_ms) {
        expire_kernel(host);
        return true;
    }
    if (host->engine != NULL && engine_deadline(host->engine) <= host_now_ms(host)) {
        engine_expire(host->engine, host_now_ms(host));
        host_drain(host);
        return true;
    }
    if (tick_ms(host) <= world->now_ms) {
        keeper_tick(host);
        return true;
    }
    return false;
}
