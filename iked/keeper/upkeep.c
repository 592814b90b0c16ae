/*
 * Notices, orphans and cleaning up: see upkeep.h.
 */
#include "iked/keeper/upkeep.h"

#include <stdio.h>
#include <string.h>

#include "iked/keeper/gate/ledger_piece.h"
#include "iked/keeper/require.h"
#include "iked/process/log.h"

static void name_set(struct name *name, const char *text)
{
    snprintf(name->text, sizeof(name->text), "%s", text);
}

/* The child of a reqid: from the ledger (dynamic ones are only there), else as configured. */
static bool child_of(const struct service *service, uint32_t reqid, struct name *connection,
                     struct name *child)
{
    const struct owner *owner = ledger_reqid_owner(&service->ledger, reqid);
    const struct connection *configured_connection;
    const struct child_config *configured;

    if (owner != NULL) {
        *connection = owner->connection;
        *child = owner->child;
        return true;
    }
    configured = config_find_reqid(service->gate.config, reqid, &configured_connection);
    if (configured == NULL)
        return false;
    name_set(connection, configured_connection->name);
    name_set(child, configured->name);
    return true;
}

/* --- Acquires, expiries, mappings --- */

static void notify_acquire(struct service *service, const struct kernel_sa *sa)
{
    struct kernel_event event = {
        .kind = KERNEL_ACQUIRE,
        .local_packet = sa->local_packet,
        .remote_packet = sa->remote_packet,
    };
    struct owner *owner = ledger_reqid_owner(&service->ledger, sa->reqid);

    /* Before that the negotiator could not make use of it; the first commit finds it again. */
    if (!service->committed || !child_of(service, sa->reqid, &event.connection, &event.child))
        return;
    if (owner != NULL && owner->acquire_ms != 0 &&
        service->now_ms - owner->acquire_ms < UPKEEP_ACQUIRE_MS)
        return;
    if (owner != NULL)
        owner->acquire_ms = service->now_ms;
    service->hooks.event(service->hooks.context, &event);
}

static void notify_expire(struct service *service, struct sa_record *sa, bool hard, bool removed)
{
    struct kernel_event event = {
        .kind = KERNEL_EXPIRE,
        .destination = sa_destination(sa),
        .spi = sa->spi,
        .protocol = sa->protocol,
        .hard = hard,
        .removed = removed,
    };

    if (sa->orphan)
        service->sweep_due = hard || service->sweep_due;
    else if (sa->filled)
        service->hooks.event(service->hooks.context, &event);
    if (hard && sa->filled)
        ledger_remove_sa(&service->ledger, sa);
    else if (hard) /* nothing is to be kept for it any more (early.h) */
        service_remove_sa(service, sa);
}

void upkeep_sa_gone(struct service *service, struct sa_record *sa)
{
    notify_expire(service, sa, true, true);
}

/* RFC 7296 section 2.23: the kernel has opened a packet from there, so somebody with the keys sent
 * it; whether the SA follows is for the engine to say. */
static void notify_mapping(struct service *service, struct sa_record *sa,
                           const struct address *source)
{
    struct kernel_event event = {
        .kind = KERNEL_MAPPING,
        .destination = sa_destination(sa),
        .source = *source,
        .spi = sa->spi,
        .protocol = sa->protocol,
    };
    struct address before = sa_source(sa);
    bool news = !address_same_host(&before, source) || before.port != source->port;

    if (!sa->inbound || !sa->filled || !sa->encap || sa->orphan || !news)
        return;
    if (sa->since_ms != 0 && service->now_ms - sa->since_ms < UPKEEP_MAPPING_MS)
        return;
    sa->since_ms = service->now_ms & SINCE_MS_MASK;
    service->hooks.event(service->hooks.context, &event);
}

/* --- Comparing the ledger with the kernel --- */

struct inventory {
    struct service *service;
    bool notify; /* the negotiator: not before it knows its configuration */
    size_t adopted;
    size_t deleted;
    size_t unknown; /* of this look: whose removal is asked for, or waits ... */
    bool cut;       /* ... because more are to be deleted than there are jobs */
};

static void remove_unknown(struct inventory *inventory, const struct kernel_sa *found)
{
    inventory->unknown++;
    /* The job waits until the dump is read, because it needs the same socket. */
    if (inventory->service->job_count >= inventory->service->batch_jobs) {
        inventory->cut = true;
        return;
    }
    service_add_job(inventory->service, KERNEL_REMOVE_SA)->remove_sa = (struct effect_remove_sa){
        .source = found->source,
        .destination = found->destination,
        .spi = found->spi,
        .protocol = found->protocol,
    };
    inventory->deleted++;
}

/* Only children with a number of their own: who had a dynamic one is not known any more. */
static bool adopt(struct inventory *inventory, const struct kernel_sa *found)
{
    struct service *service = inventory->service;
    const struct connection *connection;
    const struct child_config *child =
        config_find_reqid(service->gate.config, found->reqid, &connection);
    struct name connection_name = {""};
    struct name child_name = {""};

    if (child == NULL || child->mode != found->mode)
        return false;
    name_set(&connection_name, connection->name);
    name_set(&child_name, child->name);
    struct sa_entry entry = {
        .connection = &connection_name,
        .child = &child_name,
        .source = &found->source,
        .destination = &found->destination,
        .spi = found->spi,
        .reqid = found->reqid,
        .protocol = found->protocol,
        .mode = found->mode,
        .encap = found->encap,
        .inbound = gate_is_local(&service->gate, connection, &found->destination),
        .filled = true,
        .orphan = true,
    };
    struct sa_record *sa = ledger_add_sa(&service->ledger, &entry);
    if (sa == NULL)
        return false;
    sa->since_ms = service->now_ms & SINCE_MS_MASK;
    inventory->adopted++;
    return true;
}

static void inventory_found_sa(void *context, const struct kernel_sa *found)
{
    struct inventory *inventory = context;
    struct service *service = inventory->service;

    if (found->spi == 0) {
        if (inventory->notify)
            notify_acquire(service, found);
        return;
    }
    struct sa_record *sa =
        ledger_find_sa(&service->ledger, &found->destination, found->spi, found->protocol);
    if (sa != NULL)
        sa->seen = service->ledger.look;
    else if (!adopt(inventory, found))
        remove_unknown(inventory, found);
}

static void expire_unseen(struct service *service)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        if (sa->seen != service->ledger.look)
            notify_expire(service, sa, true, false);
    sa_walk_end(&walk);
}

static void take_inventory(struct service *service, bool notify, uint64_t now_ms)
{
    struct inventory inventory = {.service = service, .notify = notify};
    struct kernel_viewer viewer = {.sa = inventory_found_sa, .context = &inventory};

    service->now_ms = now_ms;
    if (service->kernel->ops->notice_fd(service->kernel) < 0)
        return; /* a kernel that has nothing to show */
    size_t before = SIZE_MAX;
    do {
        before = inventory.cut ? inventory.unknown : before;
        inventory.cut = false;
        inventory.unknown = 0;
        audit_begin(service);
        if (!service->kernel->ops->dump(service->kernel, KERNEL_SAS, &viewer)) {
            log_line(SEVERITY_ERROR, "the kernel does not list its SAs");
            return;
        }
        expire_unseen(service);
        service_flush(service);
    } while (inventory.cut && inventory.unknown < before);
    if (inventory.cut)
        log_line(SEVERITY_ERROR, "%zu SAs that bear iked's tag cannot be removed",
                 inventory.unknown);
    if (inventory.adopted > 0 || inventory.deleted > 0)
        log_line(SEVERITY_INFO, "found SAs of an earlier iked: %zu kept, %zu removed",
                 inventory.adopted, inventory.deleted);
}

static void adopt_piece(void *context, const struct kernel_piece *found)
{
    struct service *service = context;

    if (found->plain || !reqid_is_ours(found->template.reqid)) {
        audit_start(service, found);
        return;
    }
    struct piece_record *piece = ledger_add_piece(&service->ledger, &found->piece);
    if (piece == NULL) {
        log_line(SEVERITY_ERROR, "out of memory");
        return;
    }
    if (piece->top.policy != NULL)
        return;
    piece->top.left_reqid = found->template.reqid;
    piece->left_mode = found->template.mode;
    if (found->template.policy == POLICY_REQUIRE && !found->partial)
        piece->parts |= (uint8_t)(1u << found->direction);
}

void upkeep_adopt_policies(struct service *service)
{
    struct kernel_viewer viewer = {.piece = adopt_piece, .context = service};

    if (!service->kernel->ops->dump(service->kernel, KERNEL_POLICIES, &viewer))
        log_line(SEVERITY_ERROR, "the kernel does not list its policies");
}

void upkeep_adopt(struct service *service, uint64_t now_ms)
{
    take_inventory(service, false, now_ms);
    upkeep_adopt_policies(service);
    audit_started(service);
}

static void on_notice(void *context, const struct kernel_notice *notice)
{
    struct service *service = context;

    struct sa_record *sa = ledger_find_sa(&service->ledger, &notice->sa.destination, notice->sa.spi,
                                          notice->sa.protocol);

    if (notice->kind == NOTICE_ACQUIRE) {
        notify_acquire(service, &notice->sa);
    } else if (notice->kind == NOTICE_LOST) {
        log_line(SEVERITY_WARNING, "notices of the kernel were lost: comparing with what it has");
        take_inventory(service, true, service->now_ms);
        audit_lost(service);
    } else if (notice->kind == NOTICE_EXPIRE || notice->kind == NOTICE_MAPPING) {
        if (sa != NULL && notice->kind == NOTICE_EXPIRE)
            notify_expire(service, sa, notice->hard, false);
        else if (sa != NULL)
            notify_mapping(service, sa, &notice->sa.source);
    } else {
        audit_notice(service, notice);
    }
}

void upkeep_notices(struct service *service, uint64_t now_ms)
{
    service->now_ms = now_ms;
    service->kernel->ops->read_notices(service->kernel, on_notice, service);
    audit_notices_end(service);
    service_flush(service);
}

/* --- Sessions --- */

static void remove_bare(struct service *service)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        if (!sa->filled)
            service_remove_sa(service, sa);
    sa_walk_end(&walk);
}

void upkeep_session_over(struct service *service, uint64_t now_ms)
{
    service_flush(service);
    service->committed = false;
    ledger_next_session(&service->ledger, now_ms);
    remove_bare(service);
    service_flush(service);
}

void upkeep_tell_orphans(struct service *service)
{
    const struct owner *owner;

    TAILQ_FOREACH (owner, &service->ledger.owner_list, entry) {
        struct kernel_event event = {
            .kind = KERNEL_ORPHAN,
            .connection = owner->connection,
            .child = owner->child,
        };
        if (owner->orphan_count > 0)
            service->hooks.event(service->hooks.context, &event);
    }
}

void upkeep_committed(struct service *service, uint64_t now_ms)
{
    bool first = !service->committed;
    const struct config *before = service->gate.before;

    service->committed = true;
    service->sweep_due = true;
    gate_time(&service->gate, now_ms);
    gate_commit(&service->gate);
    require_all(service, false);
    if (before != NULL)
        require_no_more(service, before);
    if (first)
        take_inventory(service, true, now_ms);
    /* At once: a connection that the next reload brings back would keep its orphans. */
    upkeep_tick(service, now_ms);
}

/* --- Cleaning up --- */

/* NULL: the owner is not configured any more. */
static const struct child_config *configured_child(const struct service *service,
                                                   const struct owner *owner)
{
    const struct connection *connection = config_find(service->gate.config, owner->connection.text);

    return connection != NULL ? connection_find_child(connection, owner->child.text) : NULL;
}

/* SAs come and go in pairs (RFC 7296 section 1.4.1): where the outbound ones are gone, the earlier
 * negotiator had asked the peer to delete them, or they had reached their limit. */
static bool is_lone(const struct sa_record *sa)
{
    return sa->inbound && sa->reqid->mute;
}

static void remove_old_orphan(struct service *service, struct sa_record *sa)
{
    const struct owner *owner = sa->reqid->owner;

    if (configured_child(service, owner) != NULL && !is_lone(sa) &&
        service->now_ms - sa->since_ms < UPKEEP_ORPHAN_MS)
        return;
    log_line(SEVERITY_INFO, "%s: removing an SA of an earlier negotiator (SPI %08x)",
             owner->connection.text, sa->spi);
    service_remove_sa(service, sa);
    service->sweep_due = true;
}

static void remove_old_orphans(struct service *service)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        if (sa->orphan)
            remove_old_orphan(service, sa);
    sa_walk_end(&walk);
}

/* A reload can take a pair from a child, or the child away.  Where another child has the pair now
 * the engine installs that one's policy, and does not say that the other's is gone. */
static bool is_configured(const struct service *service, const struct policy_record *policy)
{
    const struct child_config *child = configured_child(service, policy_owner(policy));
    struct child_selectors pair = policy_pair(policy);
    struct child_selectors configured;
    size_t i = 0;

    for (; child != NULL && child_pair(child, i, &configured); i++)
        if (selector_equal(&configured.local, &pair.local) &&
            selector_equal(&configured.remote, &pair.remote))
            return true;
    /* What an SA has, or what depends on an address that the configuration does not know. */
    return child != NULL && (policy->held || i == 0);
}

/* Under an SA's own policy there is nothing any more that sends: it would hold the packets that
 * another peer may have by now. */
static bool leads_nowhere(const struct policy_record *policy)
{
    return policy->held && policy->template->reqid->mute;
}

/* Policies that the engine of this session did not install go; but not what the configuration wants
 * (an engine that forgets it is not to be believed), and not under orphans, which may still carry
 * traffic. */
static bool policy_may_go(const struct service *service, const struct policy_record *policy)
{
    return (policy->session != service->ledger.session || !is_configured(service, policy)) &&
           (policy_owner(policy)->orphan_count == 0 || leads_nowhere(policy));
}

static bool piece_may_go(const struct service *service, const struct piece_record *piece)
{
    if (piece->top.policy != NULL)
        return false;
    uint32_t reqid = piece->top.left_reqid;
    const struct owner *owner = ledger_reqid_owner(&service->ledger, reqid);
    struct piece selected = piece_of(piece);

    return (owner == NULL || owner->orphan_count == 0) &&
           !config_wants_piece(service->gate.config, reqid, &selected);
}

static void remove_piece(struct service *service, struct piece_record *piece)
{
    struct kernel_job *job = service_add_job(service, KERNEL_REMOVE_PIECE);

    job->piece = piece_of(piece);
    job->mode = piece_mode(piece);
    ledger_remove_piece(&service->ledger, piece);
}

/* With `all`, whether they may go or not. */
static void sweep_policies(struct service *service, bool all)
{
    struct hash_walk walk;

    hash_walk_begin(&walk, &service->ledger.policies);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct policy_record *policy = HASH_OWNER(node, struct policy_record, node);
        if (all)
            service_remove_policy(service, policy);
        else if (policy_may_go(service, policy))
            service_give_up_policy(service, policy);
    }
    hash_walk_end(&walk);
}

static void sweep_pieces(struct service *service, bool all)
{
    struct hash_walk walk;

    hash_walk_begin(&walk, &service->ledger.pieces);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct piece_record *piece = HASH_OWNER(node, struct piece_record, node);
        if (all || piece_may_go(service, piece))
            remove_piece(service, piece);
    }
    hash_walk_end(&walk);
}

static void sweep(struct service *service, bool all)
{
    sweep_policies(service, all);
    sweep_pieces(service, all);
    service_flush(service);
}

void upkeep_tick(struct service *service, uint64_t now_ms)
{
    service->now_ms = now_ms;
    gate_time(&service->gate, now_ms);
    audit_tick(service);
    if (!service->committed)
        return;
    if (service->ledger.orphan_count > 0)
        remove_old_orphans(service);
    if (service->sweep_due)
        sweep(service, false);
    service->sweep_due = false;
}

static void remove_all_sas(struct service *service)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        service_remove_sa(service, sa);
    sa_walk_end(&walk);
}

void upkeep_yield(struct service *service)
{
    service_flush(service);
    sweep_policies(service, true);
    service_flush(service);
}

void upkeep_clear(struct service *service, bool policies)
{
    service_flush(service);
    remove_all_sas(service);
    if (policies) {
        sweep(service, true);
        service_add_job(service, KERNEL_REMOVE_BYPASS);
    }
    service_flush(service);
}
