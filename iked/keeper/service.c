/*
 * Carrying requests out: see service.h.
 *
 * The ledger is written when a request passes the gate, so that the next request of the same batch
 * is judged by it, and put right when the kernel refuses.
 * Not here: what a policy's request comes to (service_policy.c).
 */
#include "iked/keeper/service_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iked/keeper/gate/ledger_piece.h"
#include "iked/keeper/renew.h"
#include "iked/process/log.h"
#include "lib/policy/known.h"

/* A policy's jobs stay together: each piece set and its forward policy removed, and the
 * bypasses. */
#define POLICY_JOBS_MAX (2 * PIECES_MAX + 1)

struct request {
    struct effect effect;
    struct answer answer;
    size_t jobs_left;
    bool failed;
};

bool service_init(struct service *service, struct kernel *kernel, const struct service_hooks *hooks)
{
    struct config *none = NULL;

    *service = (struct service){.kernel = kernel, .hooks = *hooks, .batch_jobs = SERVICE_JOBS_MAX};
    service->requests = calloc(SERVICE_REQUESTS_MAX, sizeof(*service->requests));
    /* With room for what remove_moved adds. */
    service->jobs = calloc(SERVICE_JOBS_MAX + SERVICE_REQUESTS_MAX, sizeof(*service->jobs));
    if (ledger_init(&service->ledger, hooks->hash_key) && service->requests != NULL &&
        service->jobs != NULL && vault_init(&service->vault, hooks->crypto)) {
        gate_init(&service->gate, &service->ledger, none, 0);
        service->gate.is_own_address = hooks->is_own_address;
        service->gate.context = hooks->context;
        return true;
    }
    service_free(service);
    return false;
}

static void forget_requests(struct service *service)
{
    for (size_t i = 0; i < service->request_count; i++) {
        effect_free(&service->requests[i].effect);
        answer_free(&service->requests[i].answer);
    }
    service->request_count = 0;
    service->job_count = 0;
}

void service_free(struct service *service)
{
    forget_requests(service);
    ledger_free(&service->ledger);
    vault_free(&service->vault);
    service->kernel->ops->free(service->kernel);
    free(service->requests);
    free(service->jobs);
    *service = (struct service){0};
}

/* --- Jobs --- */

/* What upkeep asks for, for no request. */
#define NO_REQUEST SIZE_MAX

#define SPI_DRAWS_MAX 16 /* for one that is not in use */

struct kernel_job *service_add_job(struct service *service, enum kernel_verb verb)
{
    if (!service->taking && service->job_count >= service->batch_jobs)
        service_flush(service);
    struct kernel_job *job = &service->jobs[service->job_count++];
    *job = (struct kernel_job){.verb = verb, .request = NO_REQUEST};
    return job;
}

static struct kernel_job *request_job(struct service *service, struct request *request,
                                      enum kernel_verb verb)
{
    struct kernel_job *job = service_add_job(service, verb);

    job->request = (size_t)(request - service->requests);
    request->jobs_left++;
    return job;
}

struct kernel_job *service_job_for(struct service *service, struct request *request,
                                   enum kernel_verb verb)
{
    return request != NULL ? request_job(service, request, verb) : service_add_job(service, verb);
}

static struct effect_remove_sa sa_id(const struct sa_record *sa)
{
    return (struct effect_remove_sa){
        .source = sa_source(sa),
        .destination = sa_destination(sa),
        .spi = sa->spi,
        .protocol = sa->protocol,
    };
}

void service_remove_sa(struct service *service, struct sa_record *sa)
{
    service_add_job(service, KERNEL_REMOVE_SA)->remove_sa = sa_id(sa);
    ledger_remove_sa(&service->ledger, sa);
}

/* --- Taking requests: each either adds jobs, or completes at once --- */

static void complete(struct request *request, enum status status)
{
    request->answer.status = status;
    request->failed = status != STATUS_OK;
}

static void request_fail(struct request *request, const char *why)
{
    complete(request, reason_set(&request->answer.reason, STATUS_FAIL, 0, "%s", why));
}

static void take_psk_auth(struct service *service, struct request *request)
{
    vault_psk_auth(&service->vault, &request->effect, &request->answer);
    request->failed = request->answer.status != STATUS_OK;
}

/* RESOLVE takes its time, so it is not the service's (names.h); of the others there is nothing yet
 * but their names. */
static void take_elsewhere(struct service *service, struct request *request)
{
    (void)service;
    request_fail(request, "this is not the service's work");
}

static void take_find_source(struct service *service, struct request *request)
{
    struct answer *answer = &request->answer;

    complete(request,
             service->hooks.find_source(service->hooks.context, &request->effect.find_source.remote,
                                        &answer->source, &answer->reason));
}

static void take_allocate_spi(struct service *service, struct request *request)
{
    request_job(service, request, KERNEL_ALLOCATE_SPI)->allocate_spi =
        &request->effect.allocate_spi;
}

static void take_install_sa(struct service *service, struct request *request)
{
    const struct effect_install_sa *sa = &request->effect.install_sa;
    struct sa_entry entry = {
        .connection = &sa->connection,
        .child = &sa->child,
        .source = &sa->source,
        .destination = &sa->destination,
        .spi = sa->spi,
        .reqid = sa->reqid,
        .protocol = sa->protocol,
        .mode = sa->mode,
        .encap = sa->encap,
        .filled = true,
    };

    if (sa->inbound) {
        struct sa_record *record =
            ledger_find_sa(&service->ledger, &sa->destination, sa->spi, sa->protocol);
        if (!ledger_set_reqid(&service->ledger, record, sa->reqid))
            return request_fail(
                request, ledger_sa_fault(&service->ledger, &sa->connection, &sa->child, sa->reqid));
        record = ledger_move_sa(&service->ledger, record, &sa->source, &sa->destination, sa->encap);
        if (record == NULL)
            return request_fail(request, "out of memory");
        ledger_fill_sa(&service->ledger, record, true);
    } else if (ledger_add_sa(&service->ledger, &entry) == NULL) {
        return request_fail(
            request, ledger_sa_fault(&service->ledger, &sa->connection, &sa->child, sa->reqid));
    }
    request_job(service, request, KERNEL_INSTALL_SA)->install_sa = sa;
    if (!sa->inbound)
        renew_policies(service, sa);
}

static void take_query_sa(struct service *service, struct request *request)
{
    request->answer.spi = request->effect.query_sa.spi;
    request->answer.protocol = request->effect.query_sa.protocol;
    request_job(service, request, KERNEL_QUERY_SA)->query_sa = &request->effect.query_sa;
}

/* The ledger names it by its new ends at once: so will the requests behind this one. */
static void take_move_sa(struct service *service, struct request *request)
{
    const struct effect_move_sa *sa = &request->effect.move_sa;

    struct sa_record *record =
        ledger_find_sa(&service->ledger, &sa->destination, sa->spi, sa->protocol);

    if (ledger_move_sa(&service->ledger, record, &sa->new_source, &sa->new_destination,
                       sa->encap) != NULL) {
        request_job(service, request, KERNEL_MOVE_SA)->move_sa = sa;
        return;
    }
    request_fail(request, "out of memory");
    service_remove_sa(service, record); /* it is no use there */
}

static void take_remove_sa(struct service *service, struct request *request)
{
    const struct effect_remove_sa *sa = &request->effect.remove_sa;

    service_remove_sa(service,
                      ledger_find_sa(&service->ledger, &sa->destination, sa->spi, sa->protocol));
}

static void take_install_policy(struct service *service, struct request *request)
{
    enum status status =
        service_set_policy_for(service, request, &request->effect.policy, &request->answer.reason);

    if (status != STATUS_OK)
        complete(request, status);
}

static void take_remove_policy(struct service *service, struct request *request)
{
    service_give_up_policy(service, service_find_policy(service, &request->effect.policy));
}

static struct owner *owner_of(const struct ledger *ledger, const struct child_config *child)
{
    struct name connection;
    struct name name;

    name_of_config(&connection, child->connection->name);
    name_of_config(&name, child->name);
    return ledger_owner(ledger, &connection, &name);
}

/* --- Requests that are carried out at once, between two batches --- */

static void remove_orphans_of(struct service *service, struct owner *owner)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, owner);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        if (sa->orphan)
            service_remove_sa(service, sa);
    sa_walk_end(&walk);
}

static void act_remove_orphans(struct service *service, const struct effect *effect)
{
    const struct connection *connection =
        config_find(service->gate.config, effect->orphans_of.text);
    const struct child_config *child;

    if (connection == NULL)
        return;
    TAILQ_FOREACH (child, &connection->children, entry) {
        struct owner *owner = owner_of(&service->ledger, child);
        if (owner != NULL)
            remove_orphans_of(service, owner);
    }
    service->sweep_due = true;
}

/* --- Completing requests, when their jobs are done --- */

/* Draws anew while the kernel gives out SPIs that are in use as far as the ledger knows: a kernel
 * that holds no SAs draws at random (kernel_none.c), and a real one may have forgotten what the
 * ledger has not.  0: it has no other. */
static uint32_t unused_spi(struct service *service, const struct effect_allocate_spi *allocate,
                           uint32_t spi)
{
    for (int i = 0; i < SPI_DRAWS_MAX; i++) {
        struct kernel_job again = {
            .verb = KERNEL_ALLOCATE_SPI, .request = NO_REQUEST, .allocate_spi = allocate};
        if (ledger_find_sa(&service->ledger, &allocate->destination, spi, allocate->protocol) ==
            NULL)
            return spi;
        service->kernel->ops->run(service->kernel, &again, 1);
        if (again.error != 0)
            return 0;
        spi = again.spi;
    }
    return 0;
}

static void done_allocate_spi(struct service *service, struct request *request,
                              const struct kernel_job *job)
{
    const struct effect_allocate_spi *allocate = &request->effect.allocate_spi;
    struct sa_entry entry = {
        .connection = &allocate->connection,
        .child = &allocate->child,
        .source = &allocate->source,
        .destination = &allocate->destination,
        .reqid = allocate->reqid,
        .protocol = allocate->protocol,
        .mode = allocate->mode,
        .inbound = true,
    };

    if (job->error != 0)
        return;
    request->answer.protocol = allocate->protocol;
    request->answer.spi = entry.spi = unused_spi(service, allocate, job->spi);
    if (entry.spi == 0)
        request_fail(request, "the kernel gives out only SPIs that are in use");
    else if (ledger_add_sa(&service->ledger, &entry) == NULL)
        request_fail(request, ledger_sa_fault(&service->ledger, &allocate->connection,
                                              &allocate->child, allocate->reqid));
}

static void done_install_sa(struct service *service, struct request *request,
                            const struct kernel_job *job)
{
    const struct effect_install_sa *sa = &request->effect.install_sa;
    struct sa_record *record =
        ledger_find_sa(&service->ledger, &sa->destination, sa->spi, sa->protocol);

    if (job->error == 0 || record == NULL)
        return;
    if (record->inbound)
        ledger_fill_sa(&service->ledger, record, false);
    else
        ledger_remove_sa(&service->ledger, record);
}

/* The kernel dates a packet by the host's clock, which may have been set since. */
static uint32_t ago_of(uint64_t used_s)
{
    uint64_t now_s = (uint64_t)time(NULL);

    if (used_s == 0 || now_s < used_s || now_s - used_s >= ANSWER_AGO_UNKNOWN)
        return ANSWER_AGO_UNKNOWN;
    return (uint32_t)(now_s - used_s);
}

static void done_query_sa(struct service *service, struct request *request,
                          const struct kernel_job *job)
{
    (void)service;
    request->answer.packets = job->packets;
    request->answer.bytes = job->bytes;
    request->answer.ago_s = ago_of(job->used_s);
    if (job->error == ESRCH)
        request->answer.status = STATUS_REJECT;
}

/* What could not be moved is gone from the kernel. */
static void done_move_sa(struct service *service, struct request *request,
                         const struct kernel_job *job)
{
    const struct effect_move_sa *sa = &request->effect.move_sa;
    struct sa_record *record =
        ledger_find_sa(&service->ledger, &sa->new_destination, sa->spi, sa->protocol);

    if (job->error != 0 && record != NULL)
        ledger_remove_sa(&service->ledger, record);
}

/* Refused or failed: the engine has no use for it any more. */
static void notify_not_moved(struct service *service, const struct request *request)
{
    struct kernel_event event = {
        .kind = KERNEL_EXPIRE,
        .destination = request->effect.move_sa.new_destination,
        .spi = request->effect.move_sa.spi,
        .protocol = request->effect.move_sa.protocol,
        .hard = true,
    };

    service->hooks.event(service->hooks.context, &event);
}

/* Policies lead to SAs that were moved to another destination when all of the batch is done: only
 * then go the ones before, so that packets always find one of the two. */
static void remove_moved(struct service *service)
{
    for (size_t i = 0; i < service->request_count; i++) {
        const struct effect_move_sa *sa = &service->requests[i].effect.move_sa;
        if (service->requests[i].effect.kind != EFFECT_MOVE_SA || service->requests[i].failed ||
            address_same_host(&sa->destination, &sa->new_destination))
            continue;
        struct kernel_job *job = &service->jobs[service->job_count++];
        *job = (struct kernel_job){.verb = KERNEL_REMOVE_SA, .request = NO_REQUEST};
        job->remove_sa = (struct effect_remove_sa){
            .source = sa->source,
            .destination = sa->destination,
            .spi = sa->spi,
            .protocol = sa->protocol,
        };
    }
}

/* --- The table of requests --- */

/* clang-format off */
#define WORKS(X)                                                                          \
    /* effect         take                 or act              done            refusal */ \
    X(PSK_AUTH,       take_psk_auth,       NULL,               NULL,              ERROR)  \
    X(DERIVE,         take_elsewhere,      NULL,               NULL,              ERROR)  \
    X(SIGN,           take_elsewhere,      NULL,               NULL,              ERROR)  \
    X(VERIFY,         take_elsewhere,      NULL,               NULL,              ERROR)  \
    X(FIND_SOURCE,    take_find_source,    NULL,               NULL,              ERROR)  \
    X(RESOLVE,        take_elsewhere,      NULL,               NULL,              ERROR)  \
    X(ALLOCATE_SPI,   take_allocate_spi,   NULL,               done_allocate_spi, ERROR)  \
    X(INSTALL_SA,     take_install_sa,     NULL,               done_install_sa,   ERROR)  \
    X(QUERY_SA,       take_query_sa,       NULL,               done_query_sa,     DEBUG)  \
    X(MOVE_SA,        take_move_sa,        NULL,               done_move_sa,      ERROR)  \
    X(REMOVE_SA,      take_remove_sa,      NULL,               NULL,              DEBUG)  \
    X(INSTALL_POLICY, take_install_policy, NULL,               NULL,              ERROR)  \
    X(REMOVE_POLICY,  take_remove_policy,  NULL,               NULL,              DEBUG)  \
    X(REMOVE_ORPHANS, NULL,                act_remove_orphans, NULL,              ERROR)
/* clang-format on */

EFFECT_TABLE_WHOLE(WORKS, KEEPER);

static const struct {
    void (*take)(struct service *service, struct request *request);
    /* Instead of `take`, for what may need more jobs than there is room for. */
    void (*act)(struct service *service, const struct effect *effect);
    /* After the last of its jobs; NULL: nothing to be put right. */
    void (*done)(struct service *service, struct request *request, const struct kernel_job *job);
    enum severity refusal; /* REMOVE may cross with an expiry, which is nobody's fault */
} works[EFFECT_COUNT] = {
#define WORK(name, take, act, done, refusal) \
    [EFFECT_##name] = {take, act, done, SEVERITY_##refusal},
    WORKS(WORK)
#undef WORK
};

static void request_refuse(struct request *request, const struct reason *reason)
{
    const struct effect *effect = &request->effect;
    char text[REASON_TEXT_MAX + 64];

    snprintf(text, sizeof(text), "the gate will not %s: %s", effect_info(effect->kind)->text,
             reason->text);
    log_connection(works[effect->kind].refusal, effect_connection(effect)->text, text);
    request->answer.reason = *reason;
    complete(request, STATUS_FAIL);
}

/* The engine is told that it has the SA no more (notify_not_moved).  That comes when this host's
 * address has gone again before the request is here; what is no use there goes. */
static void end_unmoved(struct service *service, const struct effect *effect)
{
    const struct effect_move_sa *sa = &effect->move_sa;

    if (effect->kind != EFFECT_MOVE_SA)
        return;
    struct sa_record *record =
        ledger_find_sa(&service->ledger, &sa->destination, sa->spi, sa->protocol);
    if (record != NULL && record->filled && !record->orphan &&
        record->reqid->owner == ledger_owner(&service->ledger, &sa->connection, &sa->child))
        service_remove_sa(service, record);
}

/* Does it move an SA that has already moved in this batch?  The place it may come back to is still
 * taken then, until remove_moved. */
static bool moves_again(const struct service *service, const struct effect *effect)
{
    if (effect->kind != EFFECT_MOVE_SA)
        return false;
    for (size_t i = 0; i < service->request_count; i++)
        if (service->requests[i].effect.kind == EFFECT_MOVE_SA &&
            service->requests[i].effect.move_sa.spi == effect->move_sa.spi)
            return true;
    return false;
}

/* A request's jobs stay in one batch: until they are carried out, they and the request lean on each
 * other. */
static bool has_room(const struct service *service)
{
    return service->request_count < SERVICE_REQUESTS_MAX &&
           service->job_count < service->batch_jobs &&
           SERVICE_JOBS_MAX - service->job_count >= POLICY_JOBS_MAX;
}

void service_take(struct service *service, struct effect *effect, uint64_t now_ms)
{
    struct reason reason = {0};
    bool acts = works[effect->kind].act != NULL;

    if (!has_room(service) || acts || moves_again(service, effect))
        service_flush(service);
    struct request *request = &service->requests[service->request_count++];
    *request = (struct request){
        .effect = *effect,
        .answer = {.kind = effect->kind, .ticket = effect->ticket},
    };
    service->now_ms = now_ms;
    if (gate_check(&service->gate, &request->effect, now_ms, &reason) != STATUS_OK) {
        request_refuse(request, &reason);
        service->taking = true;
        end_unmoved(service, &request->effect);
        service->taking = false;
    } else if (acts) {
        service->request_count = 0;
        works[effect->kind].act(service, effect);
    } else {
        service->taking = true;
        works[effect->kind].take(service, request);
        service->taking = false;
    }
    *effect = (struct effect){0};
}

static void job_done(struct service *service, const struct kernel_job *job)
{
    struct piece_record *piece = NULL;
    char text[160];

    if (job->verb == KERNEL_SET_PIECE && job->error != 0)
        piece = ledger_find_piece(&service->ledger, &job->piece);
    if (piece != NULL)
        piece->seen = 0;
    if (job->request == NO_REQUEST) {
        bool sets = job->verb == KERNEL_SET_PIECE || job->verb == KERNEL_SET_BYPASS;
        if (job->error != 0)
            log_line(SEVERITY_WARNING, "the kernel does not %s: %s",
                     sets ? "put a policy in its place" : "clean up",
                     kernel_error_text(job, text, sizeof(text)));
        return;
    }
    struct request *request = &service->requests[job->request];
    const struct effect *effect = &request->effect;
    if (job->error != 0 && !request->failed)
        complete(request, reason_set(&request->answer.reason, STATUS_FAIL, 0,
                                     "the kernel will not %s: %s", effect_info(effect->kind)->text,
                                     kernel_error_text(job, text, sizeof(text))));
    if (--request->jobs_left == 0 && works[effect->kind].done != NULL)
        works[effect->kind].done(service, request, job);
}

static void request_done(struct service *service, struct request *request)
{
    const struct effect *effect = &request->effect;

    if (effect_info(effect->kind)->answered && effect->ticket.sequence != 0)
        service->hooks.answer(service->hooks.context, &request->answer);
    else if (request->failed && works[effect->kind].refusal > SEVERITY_DEBUG)
        service->hooks.trouble(service->hooks.context, effect_connection(effect),
                               request->answer.reason.text);
    if (request->failed && effect->kind == EFFECT_MOVE_SA)
        notify_not_moved(service, request);
}

void service_flush(struct service *service)
{
    remove_moved(service);
    if (service->job_count > 0)
        service->kernel->ops->run(service->kernel, service->jobs, service->job_count);
    for (size_t i = 0; i < service->job_count; i++)
        job_done(service, &service->jobs[i]);
    for (size_t i = 0; i < service->request_count; i++)
        request_done(service, &service->requests[i]);
    forget_requests(service);
}

/* --- Names --- */

static struct places places_of(const struct ledger *ledger, const struct connection *connection)
{
    struct places places = {0};
    const struct child_config *child;
    const struct sa_record *sa;

    TAILQ_FOREACH (child, &connection->children, entry) {
        const struct owner *owner = owner_of(ledger, child);
        if (owner == NULL)
            continue;
        TAILQ_FOREACH (sa, &owner->sas, entry) {
            struct address remote = sa_remote(sa);
            places_add(&places, &remote);
        }
    }
    return places;
}

void service_learn(const struct service *service, struct config *config,
                   const struct answer *answer)
{
    const struct connection *connection = config_find(config, answer->connection.text);

    if (connection == NULL || answer->status != STATUS_OK)
        return;
    struct places used = places_of(&service->ledger, connection);
    config_learn(config, connection, answer->addresses, answer->address_count, &used);
}
