/*
 * The keeper of a simulated host: its service, gate, ledger and upkeep are the daemon's own; what
 * stands here is what keeper.c and session.c do around them.
 *
 * Not here: the kernel below it (fake_jobs.c), when its work is due (host.c).
 */
#include <stdlib.h>
#include <string.h>

#include "iked/keeper/require.h"
#include "iked/keeper/upkeep.h"
#include "lib/policy/known.h"
#include "test/common/host.h"

#define TICK_MS (UPKEEP_PERIOD_S * 1000)

/* --- What the service asks of its host --- */

/* The service dates by the real clock. */
static void on_answer(void *context, struct answer *answer)
{
    struct host *host = context;

    if (answer->kind == EFFECT_QUERY_SA && answer->status == STATUS_OK)
        answer->ago_s = fake_kernel_ago_s(&host->kernel, answer->spi, host_now_ms(host));
    host_answer(host, answer);
}

static void on_event(void *context, const struct kernel_event *event)
{
    host_tell(context, event);
}

/* The engine is not asked: the log has said so. */
static void on_trouble(void *context, const struct name *connection, const char *text)
{
    (void)context;
    (void)connection;
    (void)text;
}

static enum status find_source(void *context, const struct address *remote, struct address *source,
                               struct reason *reason)
{
    const struct host *host = context;

    (void)reason;
    *source = remote->family == FAMILY_IPV4 ? host->v4 : host->v6;
    return STATUS_OK;
}

static bool is_own_address(void *context, const struct address *address)
{
    const struct host *host = context;

    return address_same_host(&host->v4, address) || address_same_host(&host->v6, address) ||
           address_same_host(&host->other, address);
}

/* --- Life --- */

static void open_service(struct host *host)
{
    struct service_hooks hooks = {
        .answer = on_answer,
        .event = on_event,
        .trouble = on_trouble,
        .find_source = find_source,
        .is_own_address = is_own_address,
        .crypto = host->world->crypto,
        .context = host,
    };

    if (!service_init(&host->keeper.service, &host->kernel.kernel, &hooks))
        abort();
}

static void forget_configs(struct host_keeper *keeper)
{
    config_free(keeper->config);
    config_free(keeper->before);
    keeper->config = keeper->before = NULL;
}

static void on_policies(void *context)
{
    struct host *host = context;
    const struct hooks *hooks = &host->world->hooks;

    if (hooks->policies != NULL)
        hooks->policies(hooks->context, host);
}

void keeper_init(struct host *host)
{
    host->kernel.changed = on_policies;
    host->kernel.context = host;
    open_service(host);
}

void keeper_clear(struct host *host)
{
    service_free(&host->keeper.service);
    forget_configs(&host->keeper);
}

void keeper_forget(struct host *host)
{
    forget_configs(&host->keeper);
    host->keeper.installed = false;
}

void keeper_end(struct host *host)
{
    struct vault *vault = &host->keeper.service.vault;
    struct secrets *secrets = vault->secrets;

    vault->secrets = NULL;
    service_free(&host->keeper.service);
    open_service(host);
    vault_set(vault, secrets);
    host->keeper.tick_ms = 0;
}

static uint64_t now(struct host *host)
{
    host->world->at_work = host;
    host->kernel.now_ms = host_now_ms(host);
    host->kernel.failure = host->world->weather.kernel_failure;
    return host->kernel.now_ms;
}

void keeper_start(struct host *host, struct config *config)
{
    keeper_offer(host, config);
    fake_kernel_drop_notices(&host->kernel);
    host->keeper.tick_ms = now(host) + TICK_MS;
    upkeep_adopt(&host->keeper.service, now(host));
    require_all(&host->keeper.service, false);
    host->keeper.installed = true;
}

/* --- Configurations --- */

void keeper_offer(struct host *host, struct config *config)
{
    struct host_keeper *keeper = &host->keeper;

    if (config == NULL)
        abort();
    if (keeper->config != NULL && keeper->tick_ms != 0)
        config_inherit(config, keeper->config);
    /* A session that ended before its commit leaves the one that is in use. */
    if (keeper->before == NULL)
        keeper->before = keeper->config;
    else
        config_free(keeper->config);
    keeper->config = config;
    keeper->generation++;
    gate_time(&keeper->service.gate, now(host));
    gate_offer(&keeper->service.gate, config);
    if (keeper->tick_ms != 0)
        require_all(&keeper->service, false);
}

bool keeper_awaits_commit(const struct host *host)
{
    return host->keeper.before != NULL || !host->keeper.service.committed;
}

void keeper_commit(struct host *host)
{
    struct host_keeper *keeper = &host->keeper;

    service_flush(&keeper->service);
    upkeep_committed(&keeper->service, now(host));
    config_free(keeper->before);
    keeper->before = NULL;
}

void keeper_session_over(struct host *host)
{
    if (host->keeper.tick_ms != 0)
        upkeep_session_over(&host->keeper.service, now(host));
}

/* --- Work --- */

void keeper_take(struct host *host, struct effect *effect)
{
    service_take(&host->keeper.service, effect, now(host));
}

void keeper_flush(struct host *host)
{
    (void)now(host);
    service_flush(&host->keeper.service);
}

static void look_up(const struct host *host, const struct effect_resolve *resolve,
                    struct answer *answer)
{
    const struct world *world = host->world;

    for (size_t i = 0; i < world->name_count; i++)
        if (strcmp(world->names[i].name, resolve->host) == 0)
            for (size_t j = 0; j < world->names[i].count; j++)
                if (world->names[i].addresses[j].family == resolve->family)
                    answer->addresses[answer->address_count++] = world->names[i].addresses[j];
    answer->status = answer->address_count > 0
                         ? STATUS_OK
                         : reason_set(&answer->reason, STATUS_FAIL, 0, "no such host");
}

void keeper_resolve(struct host *host, struct effect *effect)
{
    struct host_keeper *keeper = &host->keeper;
    struct config *configs[] = {keeper->config, keeper->before};
    struct answer answer = {.kind = EFFECT_RESOLVE,
                            .ticket = effect->ticket,
                            .connection = effect->resolve.connection,
                            .status = STATUS_FAIL};

    if (gate_check(&keeper->service.gate, effect, now(host), &answer.reason) == STATUS_OK)
        look_up(host, &effect->resolve, &answer);
    for (size_t i = 0; i < 2; i++)
        if (configs[i] != NULL)
            service_learn(&keeper->service, configs[i], &answer);
    host_answer(host, &answer);
    answer_free(&answer);
}

/* --- By itself --- */

void keeper_hear(struct host *host)
{
    if (TAILQ_EMPTY(&host->kernel.notices))
        return;
    if (host->keeper.tick_ms != 0)
        upkeep_notices(&host->keeper.service, now(host));
    else
        fake_kernel_drop_notices(&host->kernel);
}

void keeper_tick(struct host *host)
{
    host->keeper.tick_ms += TICK_MS;
    upkeep_tick(&host->keeper.service, now(host));
}
