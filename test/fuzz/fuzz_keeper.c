/*
 * The keeper against all at once: a negotiator that lies, a kernel that fails, others who change
 * the kernel's tables, deaths, reloads and time; the invariants of keeper_check.h after each step.
 *
 * The input is steps: an octet that says which, and a few that say how.  Where a lie would hardly
 * ever pass the gate, small tables hold what is likely.  Batches are small, so that walks over the
 * ledger are interrupted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iked/keeper/require.h"
#include "iked/keeper/upkeep.h"
#include "iked/process/log.h"
#include "lib/policy/loss.h"
#include "lib/wire/ikev2.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/keeper_check.h"
#include "test/fuzz/keeper_kernel.h"

#define PEER(name, peer, child) \
    name ": { local = \"192.0.2.1\"; remote = \"" peer "\"; children: { net: { " child " }; }; };"
#define NET(remote) "mode = \"tunnel\"; local = [ \"172.16.0.0/16\" ]; remote = [ \"" remote "\" ];"
#define DB          "db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"

static const char *const texts[] = {
    "connections: {" DB PEER("broad", "192.0.2.2", NET("10.0.0.0/8"))
        PEER("b", "192.0.2.3", NET("10.1.0.0/16")) PEER("any", "any", NET("10.1.0.0/16"))
            PEER("road", "any", "mode = \"tunnel\"; local = [ \"172.16.0.0/16\" ];") "};",
    "connections: {" DB PEER("broad", "192.0.2.2", NET("10.1.0.0/16")) PEER("any", "any", "")
        PEER("soft", "192.0.2.2", "local = [ \"tcp/80\" ]; policy = \"prefer\";") "};",
    "connections: { six: { local = \"2001:db8::1\"; remote = \"2001:db8::2\"; };" PEER(
        "b", "192.0.2.3", NET("10.1.0.0-10.2.0.0")) "};",
    "connections: { };",
};

#define CONFIGS (sizeof(texts) / sizeof(texts[0]))

static const char *const names[][2] = {
    {"broad", "net"}, {"b", "net"},   {"any", "net"}, {"road", "net"},
    {"soft", "net"},  {"six", "six"}, {"db", "db"},   {"no", "no"},
};
static const char *const hosts[] = {
    "192.0.2.1", "192.0.2.2", "192.0.2.3", "203.0.113.9", "2001:db8::1", "2001:db8::2", "0.0.0.0",
};
static const char *const ranges[][2] = {
    {"10.0.0.0", "10.255.255.255"}, {"10.1.0.0", "10.1.255.255"},
    {"10.1.2.0", "10.1.2.255"},     {"10.1.0.0", "10.2.0.0"},
    {"10.1.2.3", "10.1.2.3"},       {"172.16.0.0", "172.16.255.255"},
    {"172.16.0.7", "172.16.0.7"},   {"192.0.2.1", "192.0.2.1"},
    {"192.0.2.2", "192.0.2.2"},     {"2001:db8::1", "2001:db8::1"},
    {"2001:db8::2", "2001:db8::2"}, {"203.0.113.9", "203.0.113.9"},
    {"10.1.2.1", "10.1.2.6"},       {"0.0.0.0", "255.255.255.255"},
};

static struct config *configs[CONFIGS];
static struct service service; /* made once: trying all algorithms takes longer than a run */
static const struct config *offered;
static uint64_t now_ms;
static bool reloaded;
static uint32_t spis[8];
static size_t spi_count;

/* --- Hooks --- */

static void no_log(void *context, enum severity severity, const char *line)
{
    (void)context;
    (void)severity;
    (void)line;
}

static void on_answer(void *context, struct answer *answer)
{
    (void)context;
    if (answer->kind == EFFECT_ALLOCATE_SPI && answer->status == STATUS_OK)
        spis[spi_count++ % 8] = answer->spi;
}

static void on_event(void *context, const struct kernel_event *event)
{
    (void)context;
    (void)event;
}

static void on_trouble(void *context, const struct name *connection, const char *said)
{
    (void)context;
    (void)connection;
    (void)said;
}

static enum status on_find_source(void *context, const struct address *remote,
                                  struct address *source, struct reason *reason)
{
    (void)context;
    (void)remote;
    (void)source;
    return reason_set(reason, STATUS_REJECT, 0, "no route");
}

static bool is_own_address(void *context, const struct address *address)
{
    (void)context;
    return address->bytes[3] % 2 == 1;
}

/* --- Values of the input --- */

static struct address host_of(uint8_t octet)
{
    struct address host = {0};

    CHECK(address_parse(&host, hosts[octet % (sizeof(hosts) / sizeof(hosts[0]))]));
    return host;
}

static struct selector selector_of(uint8_t octet)
{
    const char *const *range = ranges[(octet & 15) % (sizeof(ranges) / sizeof(ranges[0]))];
    struct address first;
    struct address last;

    CHECK(address_parse(&first, range[0]) && address_parse(&last, range[1]));
    struct selector selector = selector_host(&first);
    memcpy(selector.end, last.bytes, sizeof(selector.end));
    if ((octet & 0x30) == 0x10)
        selector.protocol = 6;
    if ((octet & 0x30) == 0x20) {
        selector.protocol = 6;
        selector.port_start = selector.port_end = 80;
    }
    return selector;
}

static const struct child_config *names_of(uint8_t octet, struct name *connection,
                                           struct name *child)
{
    const char *const *pair = names[octet % (sizeof(names) / sizeof(names[0]))];
    const struct connection *found = config_find(service.gate.config, pair[0]);

    snprintf(connection->text, sizeof(connection->text), "%s", pair[0]);
    snprintf(child->text, sizeof(child->text), "%s", pair[1]);
    return found != NULL ? connection_find_child(found, pair[1]) : NULL;
}

/* The configured one, one made up, or some other. */
static uint32_t reqid_of(uint8_t octet, const struct child_config *child)
{
    uint8_t kind = octet % 4;

    if (kind == 0)
        return child != NULL ? child->reqid : 0;
    return kind == 3 ? octet : REQID_DYNAMIC + octet / 4 % 8;
}

static uint32_t spi_of(uint8_t octet)
{
    return octet < 128 ? spis[octet % 8] : 0x1000u + octet;
}

/* --- Requests --- */

static void take(struct effect *effect)
{
    service_take(&service, effect, now_ms);
}

static void ask_policy(struct reader *reader, enum effect_kind kind)
{
    struct effect effect = {.kind = kind};
    struct effect_policy *policy = &effect.policy;
    uint8_t who = reader_u8(reader);
    const struct child_config *child = names_of(who, &policy->connection, &policy->child);
    struct child_selectors pair;
    bool configured =
        (who & 0x80) != 0 && child != NULL && child_pair(child, (who >> 4) & 3, &pair);

    policy->local = host_of(who & 0x40 ? reader_u8(reader) : 0);
    policy->remote = host_of(reader_u8(reader));
    policy->local_selector = configured ? pair.local : selector_of(reader_u8(reader));
    policy->remote_selector = configured ? pair.remote : selector_of(reader_u8(reader));
    if (configured) {
        policy->local = child->connection->local;
        policy->remote = pair.peer;
    }
    policy->reqid = reqid_of(reader_u8(reader), child);
    policy->template_count = 1;
    policy->templates[0].protocol = IPSEC_ESP;
    policy->templates[0].mode = child != NULL ? (uint8_t)child->mode : CHILD_TUNNEL;
    policy->policy = child != NULL ? (uint8_t)child->policy : POLICY_REQUIRE;
    take(&effect);
}

static void ask_spi(struct reader *reader)
{
    struct effect effect = {.kind = EFFECT_ALLOCATE_SPI, .ticket = {.sa = 1, .sequence = 1}};
    struct effect_allocate_spi *allocate = &effect.allocate_spi;
    const struct child_config *child =
        names_of(reader_u8(reader), &allocate->connection, &allocate->child);

    allocate->source = host_of(reader_u8(reader));
    allocate->destination = host_of(0);
    allocate->protocol = IPSEC_ESP;
    allocate->mode = child != NULL ? (uint8_t)child->mode : CHILD_TUNNEL;
    allocate->reqid = reqid_of(reader_u8(reader), child);
    take(&effect);
}

static struct effect sa_of(struct reader *reader, bool inbound)
{
    static const uint8_t octets[36] = {7};
    struct effect effect = {.kind = EFFECT_INSTALL_SA, .ticket = {.sa = 1, .sequence = 2}};
    struct effect_install_sa *sa = &effect.install_sa;
    const struct child_config *child = names_of(reader_u8(reader), &sa->connection, &sa->child);
    struct address us = host_of(0);
    struct address peer = host_of(reader_u8(reader));

    sa->inbound = inbound;
    sa->source = inbound ? peer : us;
    sa->destination = inbound ? us : peer;
    sa->spi = spi_of(reader_u8(reader));
    sa->reqid = reqid_of(reader_u8(reader), child);
    sa->protocol = IPSEC_ESP;
    sa->mode = child != NULL ? (uint8_t)child->mode : CHILD_TUNNEL;
    sa->encr = ENCR_AES256_GCM16;
    sa->esn = true;
    sa->replay_window = inbound ? 128 : 0;
    sa->hard_s = sa->soft_s = 3600;
    CHECK(secret_copy(&sa->encr_key, slice_of(octets, sizeof(octets))));
    return effect;
}

static void ask_sas(struct reader *reader, bool inbound, unsigned count)
{
    struct effect first = sa_of(reader, inbound);

    for (unsigned i = 0; i < count; i++) {
        struct effect next = first;
        next.install_sa.encr_key = (struct secret){0};
        CHECK(secret_copy(&next.install_sa.encr_key, secret_slice(&first.install_sa.encr_key)));
        next.install_sa.spi += i;
        take(&next);
    }
    effect_free(&first);
}

static void ask_about_sa(struct reader *reader, enum effect_kind kind)
{
    struct effect effect = {.kind = kind, .ticket = {.sa = 1, .sequence = 3}};
    uint8_t how = reader_u8(reader);
    struct address us = host_of(0);
    struct address peer = host_of(reader_u8(reader));
    struct effect_remove_sa sa = {
        .source = how & 1 ? peer : us,
        .destination = how & 1 ? us : peer,
        .spi = spi_of(reader_u8(reader)),
        .protocol = IPSEC_ESP,
    };

    if (kind == EFFECT_REMOVE_SA) {
        effect.remove_sa = sa;
    } else if (kind == EFFECT_QUERY_SA) {
        effect.query_sa = (struct effect_query_sa){sa.source, sa.destination, sa.spi, sa.protocol};
    } else {
        struct effect_move_sa *move = &effect.move_sa;
        names_of(how >> 1, &move->connection, &move->child);
        move->inbound = (how & 1) != 0;
        move->spi = sa.spi;
        move->protocol = sa.protocol;
        move->source = move->new_source = sa.source;
        move->destination = move->new_destination = sa.destination;
        if (how & 1)
            move->new_source = host_of(reader_u8(reader));
        else
            move->new_destination = host_of(reader_u8(reader));
    }
    take(&effect);
}

static void ask_remove_orphans(struct reader *reader)
{
    struct effect effect = {.kind = EFFECT_REMOVE_ORPHANS};
    struct name unused;

    names_of(reader_u8(reader), &effect.orphans_of, &unused);
    take(&effect);
}

/* --- The kernel and others --- */

static void kernel_fails(struct reader *reader)
{
    static const int errors[] = {ENOMEM, EINVAL, EEXIST, ESRCH, EPERM};
    uint8_t how = reader_u8(reader);

    model.failing = (enum kernel_verb)(how % KERNEL_REMOVE_BYPASS + 1);
    model.error = errors[how / 16 % 5];
    model.failures_left = reader_u8(reader) % 8;
}

/* A policy goes, or is overwritten; with a notice or without. */
static void others_touch_a_policy(struct reader *reader)
{
    uint8_t how = reader_u8(reader);
    struct kernel_notice notice = {.kind = how & 1 ? NOTICE_POLICY : NOTICE_POLICY_GONE};

    if (model.policy_count == 0)
        return;
    struct kernel_piece *policy = &model.policies[reader_u8(reader) % model.policy_count];
    model_taint(&policy->piece);
    if (how & 1) {
        policy->template.reqid = 7;
        policy->priority = 1;
    }
    notice.piece = *policy;
    if ((how & 1) == 0)
        model_remove_policy(policy);
    if (how & 2)
        model_notice(&notice);
}

static void others_flush(struct reader *reader)
{
    uint8_t how = reader_u8(reader);
    struct kernel_notice notice = {.kind = how & 1 ? NOTICE_SAS_GONE : NOTICE_POLICIES_GONE};

    while ((how & 1) == 0 && model.policy_count > 0) {
        model_taint(&model.policies[0].piece);
        model_remove_policy(&model.policies[0]);
    }
    if (how & 1)
        model.sa_count = 0;
    if (how & 2)
        model_notice(&notice);
}

static void an_sa_goes(struct reader *reader)
{
    uint8_t how = reader_u8(reader);
    struct kernel_notice notice = {.kind = how & 1 ? NOTICE_SA_GONE : NOTICE_EXPIRE};

    if (model.sa_count == 0)
        return;
    struct model_sa *sa = &model.sas[reader_u8(reader) % model.sa_count];
    notice.sa = sa->is;
    notice.hard = (how & 2) != 0;
    if (notice.kind == NOTICE_SA_GONE || notice.hard)
        model_remove_sa(sa);
    if (how & 4)
        model_notice(&notice);
}

static void the_kernel_says(struct reader *reader)
{
    uint8_t how = reader_u8(reader);
    struct name unused;
    const struct child_config *child = names_of(reader_u8(reader), &unused, &unused);
    struct kernel_notice notice = {
        .kind = how & 1 ? NOTICE_LOST : NOTICE_ACQUIRE,
        .sa.reqid = reqid_of(how, child),
    };

    model.dumps_fail = (how & 0x80) != 0;
    model_notice(&notice);
}

/* --- Time and life --- */

static void time_passes(struct reader *reader)
{
    static const uint32_t waits_ms[] = {1, 1000, 5000, 61000, 601000};
    uint8_t how = reader_u8(reader);

    for (uint8_t i = 0; i <= how / 8 % 8; i++) {
        now_ms += waits_ms[how % 5];
        upkeep_tick(&service, now_ms);
    }
}

static void reload(struct reader *reader)
{
    offered = configs[reader_u8(reader) % CONFIGS];
    if (service.gate.before != NULL)
        return; /* the last is not in use yet */
    gate_offer(&service.gate, offered);
    require_all(&service, false);
    reloaded = true;
}

static void session_over(void)
{
    upkeep_session_over(&service, now_ms);
    upkeep_tell_orphans(&service);
}

#define STEPS 21 /* odd: whether a step is the last of its batch is another matter */

static void step(struct reader *reader, uint8_t what)
{
    switch (what % STEPS) {
    case 0:
    case 1:
    case 2: ask_policy(reader, EFFECT_INSTALL_POLICY); return;
    case 3: ask_policy(reader, EFFECT_REMOVE_POLICY); return;
    case 4: ask_spi(reader); return;
    case 5: ask_sas(reader, true, 1); return;
    case 6: ask_sas(reader, false, 1 + what / STEPS); return;
    case 7: ask_about_sa(reader, EFFECT_REMOVE_SA); return;
    case 8: ask_about_sa(reader, EFFECT_MOVE_SA); return;
    case 9: ask_about_sa(reader, EFFECT_QUERY_SA); return;
    case 10: ask_remove_orphans(reader); return;
    case 11: kernel_fails(reader); return;
    case 12: others_touch_a_policy(reader); return;
    case 13: others_flush(reader); return;
    case 14: an_sa_goes(reader); return;
    case 15: the_kernel_says(reader); return;
    case 16: time_passes(reader); return;
    case 17: reload(reader); return;
    case 18: session_over(); return;
    default: service_flush(&service); upkeep_committed(&service, now_ms);
    }
}

/* --- Runs --- */

static void reset(void)
{
    static const uint8_t key[16];

    ledger_free(&service.ledger);
    CHECK(ledger_init(&service.ledger, key));
    gate_init(&service.gate, &service.ledger, configs[0], 1000);
    service.gate.is_own_address = is_own_address;
    service.audit = (struct audit){0};
    service.bypass_set = service.sweep_due = service.committed = false;
    service.batch_jobs = 4;
    model_reset();
    now_ms = 1000;
    reloaded = false;
    spi_count = 0;
    memset(spis, 0, sizeof(spis));
    require_all(&service, false);
}

static void check(void)
{
    check_ledger(&service.ledger);
    check_kernel(&service.ledger);
    check_required(&service.ledger, service.gate.config);
    if (!reloaded)
        check_whose(&service.ledger, service.gate.config);
}

/* When all is quiet what was missing is back, and nothing is there that nobody wants. */
static void come_to_rest(void)
{
    model.failures_left = 0;
    model.dumps_fail = false;
    upkeep_notices(&service, now_ms);
    upkeep_committed(&service, now_ms);
    for (int looks = 0; looks < 3; looks++) {
        now_ms += AUDIT_PERIOD_MS;
        do
            upkeep_tick(&service, ++now_ms);
        while (service.audit.stage != AUDIT_IDLE);
    }
    model.tainted_count = 0;
    model.all_tainted = false;
    check();
    upkeep_clear(&service, true);
    CHECK(service.ledger.sa_count == 0);
    CHECK(service.ledger.policies.count == 0);
    CHECK(service.ledger.owners.count == 0);
    CHECK(service.ledger.reqids.count == 0);
    CHECK(service.ledger.pieces.count == 0);
    CHECK(model.sa_count == 0);
    for (size_t i = 0; i < model.policy_count; i++)
        CHECK(!model.policies[i].plain && !reqid_is_ours(model.policies[i].template.reqid));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct service_hooks hooks = {
        .answer = on_answer,
        .event = on_event,
        .trouble = on_trouble,
        .find_source = on_find_source,
        .is_own_address = is_own_address,
    };
    char error[CONFIG_ERROR_MAX] = "no memory";

    (void)argc;
    (void)argv;
    log_divert(no_log, NULL);
    for (size_t i = 0; i < CONFIGS; i++) {
        struct config_text file = {"iked.conf", slice_of(texts[i], strlen(texts[i]))};
        configs[i] = config_parse(&file, 1, error);
        if (configs[i] == NULL)
            fprintf(stderr, "%s\n", error);
        CHECK(configs[i] != NULL);
    }
    model_reset();
    CHECK(service_init(&service, &model.kernel, &hooks));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(slice_of(data, size));
    unsigned steps = 0;

    reset();
    while (reader_left(&reader) > 0 && steps++ < 40) {
        uint8_t what = reader_u8(&reader);
        step(&reader, what);
        if (what & 1) /* it waits for the next: they make a batch */
            continue;
        service_flush(&service);
        upkeep_notices(&service, now_ms);
        check();
    }
    service_flush(&service);
    come_to_rest();
    return 0;
}
