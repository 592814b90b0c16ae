/*
 * The gate's rules about SPIs and SAs: a child's own, between its own ends, by its own algorithms,
 * no more than it can need.
 *
 * Not here: policies (gate_policy.c).
 */
#include "iked/keeper/gate/gate_rule.h"
#include "iked/process/ipc.h"

#define SPI_RESERVED_MAX 255 /* RFC 4303 section 2.1 */

/* In UDP our end is the port where the kernel takes ESP out of it (RFC 3948); elsewhere it would be
 * somebody else's traffic. */
static bool ports_fit(bool encap, const struct address *local, const struct address *remote)
{
    return !encap || (local->port == IPC_PORT_NAT && remote->port != 0);
}

enum status gate_check_allocate_spi(struct gate *gate, const struct gate_request *request)
{
    const struct effect_allocate_spi *allocate = &request->effect->allocate_spi;
    struct claim claim = {
        .connection = request->connection,
        .connection_name = &allocate->connection,
        .child_name = &allocate->child,
        .local = &allocate->destination,
        .remote = &allocate->source,
        .reqid = allocate->reqid,
        .protocol = allocate->protocol,
        .mode = allocate->mode,
    };
    enum status status = claim_check(gate, &claim, request->reason);

    if (status != STATUS_OK)
        return status;
    if (!ports_fit(allocate->encap, claim.local, claim.remote))
        return gate_refuse(request->reason, "these are not the ports of ESP in UDP");
    uint32_t most = claim_is_any(&claim) ? GATE_SPIS_PER_ANY_CHILD : GATE_SPIS_PER_CHILD;
    if (claim.owner != NULL && claim.owner->spi_count >= most)
        return gate_refuse(request->reason, "the child has too many SPIs without an SA");
    return STATUS_OK;
}

static bool proposal_allows(const struct proposal *proposal, const struct effect_install_sa *sa)
{
    if (!algorithm_list_has(&proposal->encr, sa->encr) ||
        !(sa->esn ? proposal->esn : proposal->no_esn))
        return false;
    return encr_is_aead(sa->encr) ? sa->integ == INTEG_NONE
                                  : algorithm_list_has(&proposal->integ, sa->integ);
}

static bool suite_allowed(const struct proposal_list *list, const struct effect_install_sa *sa)
{
    for (size_t i = 0; i < list->count; i++)
        if (proposal_allows(&list->items[i], sa))
            return true;
    return false;
}

static bool comes_from(const struct sa_record *sa, const struct address *source)
{
    struct address is = sa_source(sa);

    return address_same_host(&is, source);
}

/* The SPI of an inbound SA was granted to this very child between these very ends. */
static enum status inbound_check(const struct gate *gate, const struct effect_install_sa *sa,
                                 const struct claim *claim, struct reason *reason)
{
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    if (record == NULL || record->reqid->owner != claim->owner ||
        !comes_from(record, &sa->source) || !record->inbound)
        return gate_refuse(reason, "the SPI was not allocated for the child and its peer");
    if (record->filled)
        return gate_refuse(reason, "the SPI has its SA already");
    if (sa->replay_window != claim->child->replay_window)
        return gate_refuse(reason, "the replay window is not the child's");
    return STATUS_OK;
}

static enum status outbound_check(const struct gate *gate, const struct effect_install_sa *sa,
                                  struct reason *reason)
{
    if (sa->spi <= SPI_RESERVED_MAX)
        return gate_refuse(reason, "the SPI is a reserved number");
    if (sa->replay_window != 0)
        return gate_refuse(reason, "an outbound SA checks no replay");
    if (ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol) != NULL)
        return gate_refuse(reason, "an SA with this SPI and destination is there");
    return STATUS_OK;
}

/* A limit of 0 is none at all.  The soft one is reached first. */
static bool limit_fits(uint64_t soft, uint64_t hard, uint64_t configured)
{
    return configured == 0 ? hard == 0 || soft <= hard
                           : hard != 0 && hard <= configured && soft <= hard;
}

static bool limits_fit(const struct effect_install_sa *sa, const struct child_config *child)
{
    return limit_fits(sa->soft_s, sa->hard_s, child->lifetime_s) &&
           limit_fits(sa->soft_bytes, sa->hard_bytes, child->lifetime_bytes) &&
           limit_fits(sa->soft_packets, sa->hard_packets, child->lifetime_packets);
}

/* Keys are of the algorithm's size. */
static bool keys_fit(const struct effect_install_sa *sa)
{
    const struct encr_info *encr = encr_info(sa->encr);
    const struct integ_info *integ = integ_info(sa->integ);

    return sa->encr_key.size == (encr != NULL ? encr->key_size : 0u) &&
           sa->integ_key.size == (integ != NULL ? integ->key_size : 0u);
}

enum status gate_check_install_sa(struct gate *gate, const struct gate_request *request)
{
    const struct effect_install_sa *sa = &request->effect->install_sa;
    struct claim claim = {
        .connection = request->connection,
        .connection_name = &sa->connection,
        .child_name = &sa->child,
        .local = sa->inbound ? &sa->destination : &sa->source,
        .remote = sa->inbound ? &sa->source : &sa->destination,
        .reqid = sa->reqid,
        .protocol = sa->protocol,
        .mode = sa->mode,
        .encap = sa->encap,
    };
    enum status status = claim_check(gate, &claim, request->reason);

    if (status != STATUS_OK)
        return status;
    if (!suite_allowed(claim.child->esp, sa))
        return gate_refuse(request->reason, "the algorithms are not among the child's");
    if (!keys_fit(sa))
        return gate_refuse(request->reason, "a key has a wrong size");
    if (!limits_fit(sa, claim.child))
        return gate_refuse(request->reason, "the limits go beyond the child's");
    if (!ports_fit(sa->encap, claim.local, claim.remote))
        return gate_refuse(request->reason, "these are not the ports of ESP in UDP");
    uint32_t most = claim_is_any(&claim) ? GATE_SAS_PER_ANY_CHILD : GATE_SAS_PER_CHILD;
    if (claim.owner != NULL && claim.owner->sa_count >= most)
        return gate_refuse(request->reason, "the child has too many SAs");
    return sa->inbound ? inbound_check(gate, sa, &claim, request->reason)
                       : outbound_check(gate, sa, request->reason);
}

/* An SA of the child's own, of this session, as the negotiator knows it. */
static enum status move_check(const struct gate *gate, const struct effect_move_sa *sa,
                              const struct sa_record *record, struct reason *reason)
{
    if (record == NULL || !record->filled || record->orphan || record->inbound != sa->inbound ||
        !comes_from(record, &sa->source) ||
        record->reqid->owner != ledger_owner(gate->ledger, &sa->connection, &sa->child))
        return gate_refuse(reason, "no such SA of the child's");
    if (!address_same_host(&sa->destination, &sa->new_destination) &&
        ledger_find_sa(gate->ledger, &sa->new_destination, sa->spi, sa->protocol) != NULL)
        return gate_refuse(reason, "an SA with this SPI and destination is there");
    return STATUS_OK;
}

enum status gate_check_move_sa(struct gate *gate, const struct gate_request *request)
{
    const struct effect_move_sa *sa = &request->effect->move_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);
    enum status status = move_check(gate, sa, record, request->reason);

    if (status != STATUS_OK)
        return status;
    struct claim claim = {
        .connection = config_find(request->config, sa->connection.text),
        .connection_name = &sa->connection,
        .child_name = &sa->child,
        .local = sa->inbound ? &sa->new_destination : &sa->new_source,
        .remote = sa->inbound ? &sa->new_source : &sa->new_destination,
        .reqid = record->reqid->reqid,
        .protocol = sa->protocol,
        .mode = record->mode,
        .encap = sa->encap,
    };
    status = claim_check(gate, &claim, request->reason);
    if (status != STATUS_OK)
        return status;
    return ports_fit(sa->encap, claim.local, claim.remote)
               ? STATUS_OK
               : gate_refuse(request->reason, "these are not the ports of ESP in UDP");
}

/* Orphans are ours as well, but go by REMOVE_ORPHANS. */
enum status gate_check_remove_sa(struct gate *gate, const struct gate_request *request)
{
    const struct effect_remove_sa *sa = &request->effect->remove_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    if (record == NULL || !comes_from(record, &sa->source))
        return gate_refuse(request->reason, "no such SA of ours");
    return STATUS_OK;
}

enum status gate_check_query_sa(struct gate *gate, const struct gate_request *request)
{
    const struct effect_query_sa *sa = &request->effect->query_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    if (record == NULL || !record->filled || !comes_from(record, &sa->source))
        return gate_refuse(request->reason, "no such SA of ours");
    return STATUS_OK;
}
