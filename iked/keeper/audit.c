/*
 * What others do to the kernel's tables: see audit.h.
 */
#include "iked/keeper/audit.h"

#include <stdio.h>
#include <string.h>

#include "iked/keeper/gate/ledger_piece.h"
#include "iked/keeper/upkeep.h"
#include "iked/process/log.h"
#include "lib/policy/overlap.h"

/* --- Findings --- */

static void find(struct audit_finding *finding, const char *text)
{
    if (finding->count++ == 0)
        snprintf(finding->first, sizeof(finding->first), "%s", text);
}

static char *piece_text(const struct piece *piece, char *text, size_t size)
{
    struct selector local;
    struct selector remote;
    char local_text[SELECTOR_TEXT_MAX];
    char remote_text[SELECTOR_TEXT_MAX];

    piece_selectors(piece, &local, &remote);
    snprintf(text, size, "%s === %s", selector_text(&local, local_text),
             selector_text(&remote, remote_text));
    return text;
}

static void find_piece(struct audit_finding *finding, const struct piece_record *piece)
{
    char text[2 * SELECTOR_TEXT_MAX];
    char whole[sizeof(finding->first)];
    struct piece selected = piece_of(piece);

    snprintf(whole, sizeof(whole), "connection %s's for %s",
             policy_owner(piece->top.policy)->connection.text,
             piece_text(&selected, text, sizeof(text)));
    find(finding, whole);
}

static void find_sa(struct audit_finding *finding, const struct sa_record *sa)
{
    char text[sizeof(finding->first)];

    snprintf(text, sizeof(text), "SPI %08x of connection %s", sa->spi,
             sa->reqid->owner->connection.text);
    find(finding, text);
}

static void forget(struct audit_finding *finding)
{
    *finding = (struct audit_finding){0};
}

/* One line for all of them. */
static void say(struct audit *audit)
{
    if (audit->policies.count > 0)
        log_line(
            SEVERITY_WARNING,
            "policies were removed or changed by somebody else: %zu put back, the first was %s",
            audit->policies.count, audit->policies.first);
    if (audit->sas.count > 0)
        log_line(SEVERITY_WARNING,
                 "SAs were removed by somebody else: %zu, the first was %s; what is in use is "
                 "negotiated anew",
                 audit->sas.count, audit->sas.first);
    forget(&audit->policies);
    forget(&audit->sas);
}

/* What is as it was is not said again. */
static void say_foreign(struct service *service)
{
    struct audit *audit = &service->audit;
    struct audit_finding *found = &audit->foreign;
    struct audit_finding *before = &audit->foreign_said;
    bool news = found->count != before->count || strcmp(found->first, before->first) != 0;
    bool again = audit->foreign_ms == 0 || service->now_ms - audit->foreign_ms >= AUDIT_PERIOD_MS;

    if (found->count > 0 && news && again) {
        log_line(
            SEVERITY_WARNING,
            "policies of others go before iked's: %zu, the first is for %s; what they match is "
            "not protected as it is configured",
            found->count, found->first);
        audit->foreign_ms = service->now_ms;
    }
    if (again || found->count == 0)
        *before = *found;
    forget(found);
}

/* --- How often --- */

/* May policies be put back now?  Each time costs one of a few, which come back slowly. */
static bool may_repair(struct service *service)
{
    struct audit *audit = &service->audit;
    uint64_t most = (uint64_t)AUDIT_REPAIRS_MAX * AUDIT_REPAIR_MS;

    if (audit->counted_ms == 0)
        audit->credit_ms = most;
    else
        audit->credit_ms += service->now_ms - audit->counted_ms;
    audit->counted_ms = service->now_ms;
    if (audit->credit_ms >= most) {
        audit->credit_ms = most;
        audit->fought = false;
    }
    if (audit->credit_ms < AUDIT_REPAIR_MS)
        return false;
    audit->credit_ms -= AUDIT_REPAIR_MS;
    return true;
}

static void put_off(struct service *service)
{
    struct audit *audit = &service->audit;

    audit->repair_due = true;
    if (!audit->fought)
        log_line(SEVERITY_ERROR,
                 "somebody else removes policies of iked's again and again: they are put back only "
                 "every %d seconds from now on",
                 AUDIT_REPAIR_MS / 1000);
    audit->fought = true;
}

/* --- What is ours, and as it should be --- */

/* For just what the piece selects. */
static bool is_as_told(const struct piece_record *piece, const struct kernel_piece *found)
{
    struct policy_template is;

    return piece_template(piece, &is) && !found->plain && !found->blocks && !found->partial &&
           found->template.reqid == is.reqid && found->template.mode == is.mode &&
           found->template.policy == is.policy && found->template.protocol == is.protocol &&
           found->priority == piece_priority(&found->piece, is.policy) &&
           address_same_host(&found->template.local, &is.local) &&
           (found->direction != KERNEL_OUT ||
            address_same_host(&found->template.remote, &is.remote));
}

static void see_piece(const struct ledger *ledger, struct piece_record *piece,
                      const struct kernel_piece *found)
{
    if (piece->top.policy == NULL) {
        piece->seen = ledger->look;
        return;
    }
    if (!is_as_told(piece, found))
        return;
    if (piece->part_seen != ledger->look)
        piece->parts = 0;
    piece->part_seen = ledger->look;
    piece->parts |= (uint8_t)(1u << found->direction);
    uint8_t all = piece_all_parts(piece);
    if ((piece->parts & all) == all)
        piece->seen = ledger->look;
}

/* --- Policies of others --- */

static bool goes_before(const struct config *config, const struct kernel_piece *found)
{
    const struct configured_pair *pair = NULL;
    struct selector local;
    struct selector remote;

    piece_selectors(&found->piece, &local, &remote);
    while ((pair = config_next_pair(config, &remote, pair)) != NULL)
        if (configured_yields(pair, &found->piece, found->priority))
            return true;
    return false;
}

static void see_foreign(struct service *service, const struct kernel_piece *found)
{
    char text[2 * SELECTOR_TEXT_MAX];
    bool ours = !found->plain && reqid_is_ours(found->template.reqid);

    if (!ours && found->direction == KERNEL_OUT && !found->partial &&
        goes_before(service->gate.config, found))
        find(&service->audit.foreign, piece_text(&found->piece, text, sizeof(text)));
}

/* --- Seeing --- */

#define ALL_BYPASSES ((1u << 2 * KERNEL_ND_COUNT) - 1)

/* A bit for each of KERNEL_SET_BYPASS; 0: it is none of them. */
static uint16_t bypass_bit(const struct kernel_piece *found)
{
    int number = kernel_bypass(&found->piece);

    return number < 0 || found->direction == KERNEL_FORWARD
               ? 0
               : (uint16_t)(1u << (2 * number + (found->direction == KERNEL_IN)));
}

static bool passes(const struct kernel_piece *found)
{
    return found->plain && !found->blocks && !found->partial &&
           found->priority == PIECE_PRIORITY_BYPASS;
}

/* It bears our tag and nobody wants it: a removal failed.  The job waits until the table is read;
 * for what there is no room now, there is another look. */
static void remove_unknown(struct service *service, const struct kernel_piece *found)
{
    if (service->job_count >= service->batch_jobs)
        return;
    struct kernel_job *job = service_add_job(service, KERNEL_REMOVE_PIECE);
    job->piece = found->piece;
    job->mode = found->template.mode;
}

static void see(void *context, const struct kernel_piece *found)
{
    struct service *service = context;
    struct piece_record *piece = ledger_find_piece(&service->ledger, &found->piece);
    uint16_t bypass = bypass_bit(found);

    if (piece != NULL)
        see_piece(&service->ledger, piece, found);
    else if (bypass != 0 && passes(found))
        service->audit.bypasses |= bypass;
    else if (!found->plain && reqid_is_ours(found->template.reqid))
        remove_unknown(service, found);
    else
        see_foreign(service, found);
}

/* --- Putting back --- */

static void put_back_bypasses(struct service *service)
{
    find(&service->audit.policies, "neighbour discovery");
    service_add_job(service, KERNEL_SET_BYPASS);
}

/* What was not seen is not there. */
static void put_back_unseen(struct service *service)
{
    struct ledger *ledger = &service->ledger;
    struct hash_walk walk;

    hash_walk_begin(&walk, &ledger->pieces);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct piece_record *piece = HASH_OWNER(node, struct piece_record, node);
        if (piece->seen == ledger->look)
            continue;
        if (piece->top.policy == NULL) {
            ledger_remove_piece(ledger, piece);
            continue;
        }
        find_piece(&service->audit.policies, piece);
        service_put_back(service, piece);
    }
    hash_walk_end(&walk);
    if (service->bypass_set && (service->audit.bypasses & ALL_BYPASSES) != ALL_BYPASSES)
        put_back_bypasses(service);
    service_flush(service);
}

void audit_start(struct service *service, const struct kernel_piece *found)
{
    if (bypass_bit(found) == 0 || !passes(found))
        see_foreign(service, found);
}

void audit_started(struct service *service)
{
    if (service->audit.foreign.count > 0)
        say_foreign(service);
}

void audit_begin(struct service *service)
{
    ledger_next_look(&service->ledger);
    service->audit.stage = AUDIT_IDLE;
    service->audit.bypasses = 0;
    forget(&service->audit.foreign);
}

/* Compares all policies with the kernel's, now, and puts back what is missing. */
static void compare_policies(struct service *service)
{
    struct kernel_viewer viewer = {.piece = see, .context = service};

    service->audit.repair_due = false;
    audit_begin(service);
    if (service->kernel->ops->dump(service->kernel, KERNEL_POLICIES, &viewer))
        put_back_unseen(service);
    else
        log_line(SEVERITY_ERROR, "the kernel does not list its policies");
}

/* --- SAs --- */

/* As remove_unknown. */
static void remove_unknown_sa(struct service *service, const struct kernel_sa *found)
{
    if (service->job_count >= service->batch_jobs)
        return;
    service_add_job(service, KERNEL_REMOVE_SA)->remove_sa = (struct effect_remove_sa){
        .source = found->source,
        .destination = found->destination,
        .spi = found->spi,
        .protocol = found->protocol,
    };
}

/* An SPI of 0 is what an acquire has left. */
static void see_sa(void *context, const struct kernel_sa *found)
{
    struct service *service = context;
    struct sa_record *sa =
        ledger_find_sa(&service->ledger, &found->destination, found->spi, found->protocol);

    if (sa != NULL)
        sa->seen = service->ledger.look;
    else if (found->spi != 0)
        remove_unknown_sa(service, found);
}

static void sa_gone(struct service *service, struct sa_record *sa)
{
    find_sa(&service->audit.sas, sa);
    upkeep_sa_gone(service, sa);
}

/* What was not seen is not there. */
static void drop_unseen(struct service *service)
{
    struct sa_walk walk;

    sa_walk_begin(&walk, &service->ledger, NULL);
    for (struct sa_record *sa; (sa = sa_walk_next(&walk)) != NULL;)
        if (sa->seen != service->ledger.look)
            sa_gone(service, sa);
    sa_walk_end(&walk);
    service_flush(service);
}

static void compare_sas(struct service *service)
{
    struct kernel_viewer viewer = {.sa = see_sa, .context = service};

    audit_begin(service);
    if (service->kernel->ops->dump(service->kernel, KERNEL_SAS, &viewer))
        drop_unseen(service);
    else
        log_line(SEVERITY_ERROR, "the kernel does not list its SAs");
}

/* --- Notices --- */

static bool repairs_now(struct service *service)
{
    struct audit *audit = &service->audit;

    if (audit->repair == REPAIR_UNKNOWN)
        audit->repair = may_repair(service) ? REPAIR_NOW : REPAIR_LATER;
    if (audit->repair == REPAIR_LATER)
        put_off(service);
    return audit->repair == REPAIR_NOW;
}

static void policy_touched(struct service *service, const struct kernel_notice *notice)
{
    const struct kernel_piece *touched = &notice->piece;
    struct piece_record *piece = ledger_find_piece(&service->ledger, &touched->piece);
    bool gone = notice->kind == NOTICE_POLICY_GONE;
    bool bypass = piece == NULL && service->bypass_set && bypass_bit(touched) != 0;

    if (piece != NULL && (piece->top.policy == NULL || (!gone && is_as_told(piece, touched))))
        return;
    if (piece != NULL && repairs_now(service)) {
        find_piece(&service->audit.policies, piece);
        service_put_back(service, piece);
    } else if (bypass && (gone || !passes(touched)) && repairs_now(service)) {
        put_back_bypasses(service);
    } else if (piece == NULL && !bypass && !gone) {
        see_foreign(service, touched);
    }
}

void audit_lost(struct service *service)
{
    if (repairs_now(service))
        compare_policies(service);
}

void audit_notice(struct service *service, const struct kernel_notice *notice)
{
    struct sa_record *sa = NULL;

    switch (notice->kind) {
    case NOTICE_SA_GONE:
        sa = ledger_find_sa(&service->ledger, &notice->sa.destination, notice->sa.spi,
                            notice->sa.protocol);
        if (sa != NULL)
            sa_gone(service, sa);
        break;
    case NOTICE_SAS_GONE: compare_sas(service); break;
    case NOTICE_POLICIES_GONE: audit_lost(service); break;
    case NOTICE_POLICY:
    case NOTICE_POLICY_GONE: policy_touched(service, notice); break;
    default: break;
    }
}

void audit_notices_end(struct service *service)
{
    service->audit.repair = REPAIR_UNKNOWN;
    say(&service->audit);
    if (service->audit.foreign.count > 0 && service->audit.stage != AUDIT_POLICIES)
        say_foreign(service);
}

/* --- Looking now and then --- */

static void next_stage(struct audit *audit, enum audit_stage stage, uint64_t next_ms)
{
    audit->stage = stage;
    audit->stage_begins = stage != AUDIT_IDLE;
    audit->next_ms = next_ms;
}

static void look(struct service *service)
{
    struct audit *audit = &service->audit;
    enum audit_stage stage = audit->stage;
    struct kernel_viewer viewer = {.sa = see_sa, .piece = see, .context = service};
    bool begins = audit->stage_begins;

    if (begins)
        audit_begin(service);
    audit->stage = stage;
    audit->stage_begins = false;
    enum kernel_look at = service->kernel->ops->look(
        service->kernel, stage == AUDIT_SAS ? KERNEL_SAS : KERNEL_POLICIES, &viewer, begins);
    service_flush(service);
    if (at == LOOK_MORE)
        return;
    if (at == LOOK_BROKEN) {
        next_stage(audit, AUDIT_IDLE, service->now_ms + AUDIT_PERIOD_MS);
    } else if (stage == AUDIT_SAS) {
        drop_unseen(service);
        next_stage(audit, AUDIT_POLICIES, 0);
    } else {
        put_back_unseen(service);
        say_foreign(service);
        next_stage(audit, AUDIT_IDLE, service->now_ms + AUDIT_PERIOD_MS);
    }
    say(audit);
}

void audit_tick(struct service *service)
{
    struct audit *audit = &service->audit;

    if (service->kernel->ops->notice_fd(service->kernel) < 0)
        return; /* a kernel that has nothing to show */
    if (audit->repair_due && may_repair(service)) {
        compare_policies(service);
        say(audit);
    }
    if (audit->stage == AUDIT_IDLE && audit->next_ms == 0)
        audit->next_ms = service->now_ms + AUDIT_PERIOD_MS;
    if (audit->stage == AUDIT_IDLE && service->now_ms >= audit->next_ms)
        next_stage(audit, AUDIT_SAS, 0);
    if (audit->stage != AUDIT_IDLE)
        look(service);
}
