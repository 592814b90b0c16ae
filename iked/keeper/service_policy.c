/*
 * Policies given to owners and taken from them: the part of the service (service.h) that writes
 * both the ledger and the kernel's jobs about them.
 *
 * What could not be installed whole stays as far as it went, because removing the rest would let
 * traffic pass in the clear.
 * Not here: whether it may be (gate_policy.c), who holds a piece (ledger_piece.c).
 */
#include "iked/keeper/gate/ledger_piece.h"
#include "iked/keeper/service_private.h"

/* --- Pieces --- */

/* Tells the kernel who holds a piece now; `mode_before` is what it had. */
static void set_holder(struct service *service, struct request *request, struct piece_record *piece,
                       uint8_t mode_before)
{
    struct kernel_job *job = service_job_for(service, request, KERNEL_SET_PIECE);

    job->piece = piece_of(piece);
    (void)piece_template(piece, &job->template); /* somebody has it */
    piece->seen = service->ledger.look;
    if (mode_before == CHILD_TUNNEL && job->template.mode != CHILD_TUNNEL)
        service_add_job(service, KERNEL_REMOVE_FORWARD)->piece = piece_of(piece);
}

void service_put_back(struct service *service, struct piece_record *piece)
{
    set_holder(service, NULL, piece, piece_mode(piece));
}

/* A policy comes to want a piece, or (with its class before) has changed.  A request may find too
 * many there; what the configuration requires always finds its place. */
static bool want_piece(struct service *service, struct request *request,
                       struct policy_record *policy, const struct piece *wanted,
                       const uint8_t *class_before)
{
    struct piece_record *piece = ledger_add_piece(&service->ledger, wanted);

    if (piece == NULL)
        return false;
    const struct policy_record *holder = piece->top.policy;
    uint8_t mode_before = piece_mode(piece);
    bool done = true;
    if (class_before != NULL && piece_is_wanted_by(piece, policy))
        piece_rerank(piece, policy, *class_before);
    else if (request != NULL && piece_is_full(piece))
        done = false;
    else
        done = piece_want(piece, policy);
    if (piece->top.policy == policy)
        set_holder(service, request, piece, mode_before);
    else if (piece->top.policy != holder)
        set_holder(service, NULL, piece, mode_before);
    return done;
}

/* Who waited for a piece gets it in place: no packet finds a gap. */
static void unwant_piece(struct service *service, const struct policy_record *policy,
                         const struct piece *unwanted)
{
    struct piece_record *piece = ledger_find_piece(&service->ledger, unwanted);

    if (piece == NULL || piece->top.policy == NULL)
        return;
    const struct policy_record *holder = piece->top.policy;
    uint8_t mode_before = piece_mode(piece);
    piece_unwant(piece, policy);
    if (piece->top.policy == NULL) {
        struct kernel_job *job = service_add_job(service, KERNEL_REMOVE_PIECE);
        job->piece = *unwanted;
        job->mode = mode_before;
        ledger_remove_piece(&service->ledger, piece);
    } else if (piece->top.policy != holder) {
        set_holder(service, NULL, piece, mode_before);
    }
}

void service_remove_policy(struct service *service, struct policy_record *policy)
{
    struct child_selectors pair = policy_pair(policy);
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (pieces_of(&pair.local, &pair.remote, pieces, &count, NULL) != STATUS_OK)
        count = 0;
    for (size_t i = 0; i < count; i++)
        unwant_piece(service, policy, &pieces[i]);
    ledger_remove_policy(&service->ledger, policy);
}

/* --- Pairs --- */

struct policy_record *service_find_policy(const struct service *service,
                                          const struct effect_policy *policy)
{
    const struct owner *owner = ledger_owner(&service->ledger, &policy->connection, &policy->child);

    return ledger_find_policy(&service->ledger, owner, &policy->local_selector,
                              &policy->remote_selector);
}

static bool is_for_any(const struct service *service, const struct name *name)
{
    const struct connection *connection = config_find(service->gate.config, name->text);

    return connection != NULL && connection->remote.family == FAMILY_NONE;
}

/* Has the kernel been told just this already?  A piece that it refused was not seen. */
static bool stands_so(const struct service *service, const struct policy_record *there,
                      const struct effect_policy *wanted, const struct piece *pieces, size_t count)
{
    struct policy_template is = policy_template_of(there);

    if (is.reqid != wanted->reqid || is.mode != wanted->templates[0].mode ||
        is.policy != wanted->policy || is.protocol != wanted->templates[0].protocol ||
        !address_equal(&is.local, &wanted->local) || !address_equal(&is.remote, &wanted->remote))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct piece_record *piece = ledger_find_piece(&service->ledger, &pieces[i]);
        if (piece == NULL || piece->top.policy == NULL || piece->seen == 0)
            return false;
    }
    return true;
}

enum status service_set_policy_for(struct service *service, struct request *request,
                                   const struct effect_policy *from, struct reason *reason)
{
    struct ledger *ledger = &service->ledger;
    struct piece pieces[PIECES_MAX];
    size_t count;
    enum status status =
        pieces_of(&from->local_selector, &from->remote_selector, pieces, &count, reason);

    if (status != STATUS_OK)
        return status;
    const struct policy_record *there = service_find_policy(service, from);
    bool is_new = there == NULL;
    if (is_new && request != NULL && ledger_is_full(ledger, count))
        return reason_set(reason, STATUS_FAIL, 0, "no more can be kept count of");
    if (request != NULL && ledger_leads_too_far(ledger, from))
        return reason_set(reason, STATUS_FAIL, 0, "the child's policies lead to too many places");
    bool stands = !is_new && stands_so(service, there, from, pieces, count);
    uint8_t class_before = is_new ? 0 : policy_class(there);
    struct policy_record *policy =
        ledger_set_policy(ledger, from, is_for_any(service, &from->connection));
    if (policy == NULL)
        return reason_set(
            reason, STATUS_FAIL, 0, "%s",
            ledger_policy_fault(ledger, &from->connection, &from->child, from->reqid));
    if (stands && policy_class(policy) == class_before)
        return STATUS_OK;
    if (from->local_selector.family == FAMILY_IPV6 && !service->bypass_set) {
        service_job_for(service, request, KERNEL_SET_BYPASS);
        service->bypass_set = true;
        service->audit.bypasses = UINT16_MAX; /* they count as seen */
    }
    for (size_t i = 0; i < count; i++)
        if (!want_piece(service, request, policy, &pieces[i], is_new ? NULL : &class_before))
            status = reason_set(reason, STATUS_FAIL, 0,
                                "too many policies for the same packets, or out of memory");
    return status;
}

enum status service_set_policy(struct service *service, const struct effect_policy *policy,
                               struct reason *reason)
{
    return service_set_policy_for(service, NULL, policy, reason);
}

void service_give_up_policy(struct service *service, struct policy_record *policy)
{
    struct child_selectors pair = policy_pair(policy);
    struct effect_policy configured;

    if (!config_policy(service->gate.config, policy_owner(policy), &pair, &configured))
        service_remove_policy(service, policy);
    else if (policy->template->reqid->reqid != configured.reqid)
        (void)service_set_policy_for(service, NULL, &configured, NULL);
}
