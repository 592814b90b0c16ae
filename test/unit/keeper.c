/*
 * What the tests of the keeper's service share (keeper.h).
 */
#include "test/unit/keeper.h"

#include <time.h>

#include "iked/process/log.h"

static const char configuration[] =
    "connections: {"
    "  db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"
    "  six: { local = \"2001:db8::1\"; remote = \"2001:db8::2\"; };"
    "  net: { local = \"192.0.2.1\"; remote = \"192.0.2.3\"; children: {"
    "    a: { mode = \"tunnel\"; local = [ \"10.1.0.1-10.1.0.6\" ];"
    "      remote = [ \"10.2.0.0/16\" ]; };"
    "    b: { mode = \"tunnel\"; local = [ \"10.1.0.1-10.1.0.5\" ];"
    "      remote = [ \"10.2.0.0/16\" ]; }; }; };"
    "};";

struct toy toy;
struct heard heard;
struct service service;
struct config *config;

/* --- The kernel --- */

static void toy_run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    (void)kernel;
    toy.runs++;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].verb == toy.failing)
            jobs[i].error = toy.error;
        else if (jobs[i].verb == KERNEL_ALLOCATE_SPI)
            jobs[i].spi = toy.spi_stays ? toy.next_spi : toy.next_spi++;
        else if (jobs[i].verb == KERNEL_QUERY_SA)
            jobs[i].packets = 42, jobs[i].used_s = (uint64_t)time(NULL) - 7;
        assert_true(toy.job_count < JOBS_MAX);
        toy.jobs[toy.job_count++] = jobs[i];
    }
}

static bool toy_dump(struct kernel *kernel, enum kernel_table table,
                     const struct kernel_viewer *viewer)
{
    (void)kernel;
    for (size_t i = 0; table == KERNEL_SAS && i < toy.sa_count; i++)
        viewer->sa(viewer->context, &toy.sas[i]);
    for (size_t i = 0; table == KERNEL_POLICIES && i < toy.piece_count; i++)
        viewer->piece(viewer->context, &toy.pieces[i]);
    return true;
}

/* One entry at a time. */
static enum kernel_look toy_look(struct kernel *kernel, enum kernel_table table,
                                 const struct kernel_viewer *viewer, bool begin)
{
    size_t count = table == KERNEL_SAS ? toy.sa_count : toy.piece_count;

    (void)kernel;
    toy.looked_at = begin ? 0 : toy.looked_at;
    if (toy.looked_at >= count)
        return LOOK_DONE;
    if (table == KERNEL_SAS)
        viewer->sa(viewer->context, &toy.sas[toy.looked_at++]);
    else
        viewer->piece(viewer->context, &toy.pieces[toy.looked_at++]);
    return LOOK_MORE;
}

static int toy_notice_fd(const struct kernel *kernel)
{
    (void)kernel;
    return 0;
}

static void toy_read_notices(struct kernel *kernel,
                             void (*notice)(void *context, const struct kernel_notice *notice),
                             void *context)
{
    size_t count = toy.notice_count;

    (void)kernel;
    toy.notice_count = 0;
    for (size_t i = 0; i < count; i++)
        notice(context, &toy.notices[i]);
}

static void toy_free(struct kernel *kernel)
{
    (void)kernel;
}

static const struct kernel_ops toy_ops = {
    toy_run, toy_dump, toy_look, toy_notice_fd, toy_read_notices, toy_free,
};

/* --- The negotiator --- */

static void on_answer(void *context, struct answer *answer)
{
    (void)context;
    heard.answers[heard.answer_count++] = *answer;
}

static void on_event(void *context, const struct kernel_event *event)
{
    (void)context;
    heard.events[heard.event_count++] = *event;
}

static void on_trouble(void *context, const struct name *connection, const char *said)
{
    (void)context;
    heard.trouble_count++;
    snprintf(heard.trouble, sizeof(heard.trouble), "%s: %s", connection->text, said);
}

static enum status find_source(void *context, const struct address *remote, struct address *source,
                               struct reason *reason)
{
    (void)context;
    if (remote->family == FAMILY_IPV6)
        return reason_set(reason, STATUS_REJECT, 0, "no route to it");
    *source = policy_address("192.0.2.1");
    return STATUS_OK;
}

static bool is_own_address(void *context, const struct address *address)
{
    struct address own = policy_address("192.0.2.1");

    (void)context;
    return address_same_host(address, &own);
}

static void no_log(void *context, enum severity severity, const char *line)
{
    (void)context;
    (void)severity;
    (void)line;
}

int set_up(void **state)
{
    struct service_hooks hooks = {on_answer,      on_event, on_trouble, find_source,
                                  is_own_address, NULL,     {0},        NULL};

    (void)state;
    memset(&toy, 0, sizeof(toy));
    memset(&heard, 0, sizeof(heard));
    toy.kernel.ops = &toy_ops;
    toy.next_spi = 0xc0000001;
    config = policy_config(configuration);
    log_divert(no_log, NULL);
    assert_true(service_init(&service, &toy.kernel, &hooks));
    gate_offer(&service.gate, config);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    service_free(&service);
    config_free(config);
    return 0;
}

void reconfigure(const char *text)
{
    struct config *next = policy_config(text);

    gate_offer(&service.gate, next);
    gate_commit(&service.gate);
    config_free(config);
    config = next;
}

/* --- Requests --- */

uint32_t keeper_reqid(const char *connection, const char *child)
{
    return connection_find_child(config_find(config, connection), child)->reqid;
}

struct name name_of(const char *value)
{
    struct name name = {""};

    memcpy(name.text, value, strlen(value));
    return name;
}

void take(struct effect effect)
{
    service_take(&service, &effect, 1000);
    assert_int_equal(effect.kind, 0); /* moved */
}

struct effect allocate_spi(uint32_t sequence)
{
    return (struct effect){
        .kind = EFFECT_ALLOCATE_SPI,
        .ticket = {.sa = 1, .sequence = sequence},
        .allocate_spi = {.connection = {"db"},
                         .child = {"db"},
                         .source = policy_address("192.0.2.2"),
                         .destination = policy_address("192.0.2.1"),
                         .protocol = IPSEC_ESP,
                         .mode = CHILD_TRANSPORT,
                         .reqid = keeper_reqid("db", "db")},
    };
}

struct effect install_sa(uint32_t spi, bool inbound)
{
    struct address us = policy_address("192.0.2.1");
    struct address peer = policy_address("192.0.2.2");
    struct effect effect = {
        .kind = EFFECT_INSTALL_SA,
        .ticket = {.sa = 1, .sequence = 50},
        .install_sa = {.connection = {"db"},
                       .child = {"db"},
                       .inbound = inbound,
                       .source = inbound ? peer : us,
                       .destination = inbound ? us : peer,
                       .spi = spi,
                       .reqid = keeper_reqid("db", "db"),
                       .protocol = IPSEC_ESP,
                       .mode = CHILD_TRANSPORT,
                       .encr = ENCR_AES256_GCM16,
                       .esn = true,
                       .replay_window = inbound ? 128 : 0,
                       .soft_s = 3240,
                       .hard_s = 3600},
    };

    assert_true(secret_copy(&effect.install_sa.encr_key, bytes_fill(7, 36)));
    return effect;
}

struct effect remove_sa(uint32_t spi, bool inbound)
{
    return (struct effect){
        .kind = EFFECT_REMOVE_SA,
        .remove_sa = {.source = policy_address(inbound ? "192.0.2.2" : "192.0.2.1"),
                      .destination = policy_address(inbound ? "192.0.2.1" : "192.0.2.2"),
                      .spi = spi,
                      .protocol = IPSEC_ESP},
    };
}

struct effect policy_for(enum effect_kind kind, const char *connection, const char *child)
{
    const struct connection *found = config_find(config, connection);
    const struct child_config *its = connection_find_child(found, child);

    return (struct effect){
        .kind = kind,
        .policy = {.connection = name_of(connection),
                   .child = name_of(child),
                   .local = found->local,
                   .remote = found->remote,
                   .local_selector = its->local[0],
                   .remote_selector = its->remote_count > 0 ? its->remote[0] : (struct selector){0},
                   .reqid = its->reqid,
                   .policy = (uint8_t)its->policy,
                   .template_count = 1,
                   .templates = {{IPSEC_ESP, (uint8_t)its->mode}}},
    };
}

struct effect narrow_policy_for(enum effect_kind kind, const char *connection, const char *child)
{
    struct effect effect = policy_for(kind, connection, child);

    effect.policy.remote_selector.protocol = 6;
    effect.policy.reqid = REQID_DYNAMIC + (uint32_t)strlen(connection) * 256 + (uint8_t)child[0];
    return effect;
}

void establish(void)
{
    take(allocate_spi(1));
    service_flush(&service);
    take(install_sa(heard.answers[heard.answer_count - 1].spi, true));
    take(install_sa(0x0badcafe, false));
    take(policy_for(EFFECT_INSTALL_POLICY, "db", "db"));
    service_flush(&service);
}

size_t jobs_of(enum kernel_verb verb)
{
    size_t count = 0;

    for (size_t i = 0; i < toy.job_count; i++)
        count += toy.jobs[i].verb == verb;
    return count;
}

void forget_jobs(void)
{
    toy.job_count = 0;
    toy.runs = 0;
}
