/*
 * The gate between negotiator and kernel, negotiator and keys: see gate.h.
 */
#include "iked/keeper/gate.h"

#include <stdio.h>
#include <string.h>

#include "iked/ipc.h"
#include "iked/keeper/kernel.h"
#include "lib/policy/choose.h"
#include "lib/wire/ikev2.h"

#define SPI_RESERVED_MAX 255 /* RFC 4303 section 2.1 */

void gate_init(struct gate *gate, const struct ledger *ledger, const struct config *config,
               uint64_t now_ms)
{
    *gate = (struct gate){
        .ledger = ledger,
        .config = config,
        .sign_credit = GATE_SIGN_BURST * 1000ull,
        .sign_ms = now_ms,
    };
}

void gate_offer(struct gate *gate, const struct config *config)
{
    gate->before = gate->config;
    gate->config = config;
}

void gate_commit(struct gate *gate)
{
    gate->before = NULL;
}

static enum status refuse(struct reason *reason, const char *text)
{
    return reason_set(reason, STATUS_FAIL, 0, "refused: %s", text);
}

/* --- Whose request --- */

/* What most requests have in common: a child, its ends and its reqid. */
struct claim {
    const struct name *connection_name;
    const struct name *child_name;
    const struct address *local;
    const struct address *remote;
    uint32_t reqid;
    uint8_t protocol;
    uint8_t mode;
    bool encap;     /* it is about an SA in UDP */
    bool is_policy; /* may wait for a peer whose name is not resolved yet, and for an own address that
                     * is left open: the kernel takes what the route says; nothing passes till then */
    /* Found. */
    const struct connection *connection;
    const struct child_config *child;
    const struct owner *owner; /* NULL: it has nothing yet */
};

bool gate_is_local(const struct gate *gate, const struct connection *connection,
                   const struct address *address)
{
    if (connection->local.family != FAMILY_NONE)
        return address_same_host(&connection->local, address);
    return address->family != FAMILY_NONE && gate->is_own_address(gate->context, address);
}

/* Where an end is that is not known yet. */
static bool is_nowhere(const struct address *address)
{
    const struct address nowhere = {.family = address->family};

    return address_same_host(address, &nowhere);
}

/* A policy may leave open what the configuration leaves open. */
static bool local_allowed(const struct gate *gate, const struct claim *claim)
{
    return gate_is_local(gate, claim->connection, claim->local) ||
           (claim->is_policy && claim->connection->local.family == FAMILY_NONE &&
            claim->local->family != FAMILY_NONE && is_nowhere(claim->local));
}

/* Has the child an SA in UDP whose other end is there? */
static bool owner_is_at(const struct owner *owner, const struct address *remote)
{
    const struct sa_record *sa;

    if (owner == NULL)
        return false;
    TAILQ_FOREACH(sa, &owner->sas, entry)
    if (sa->encap && address_same_host(sa->inbound ? &sa->source : &sa->destination, remote))
        return true;
    return false;
}

/* The peer is where the configuration says, or anywhere if it does not.  There are two ways to be
 * elsewhere in the course of time: the peer moves (RFC 4555), or the NAT before it gets another
 * address (RFC 7296 section 2.23).  Which one is the truth only the negotiator can know, as it alone
 * verifies messages.  What a lie gains: packets of this child alone, sealed with keys that the liar
 * has anyway, go to another host.  Selectors, SPIs and reqids are held against the configuration as
 * ever, so nothing more enters that child, and nothing of another one.  In transport mode the peer's
 * address is the selector: there it stays the configured one. */
static bool remote_allowed(const struct claim *claim)
{
    const struct address *configured = &claim->connection->remote;

    if (claim->remote->family == FAMILY_NONE)
        return false;
    if (claim->connection->peer_count == 0
            ? configured->family == FAMILY_NONE || address_same_host(configured, claim->remote)
            : connection_knows(claim->connection, claim->remote) ||
                  (claim->is_policy && is_nowhere(claim->remote)))
        return true;
    return claim->child->mode == CHILD_TUNNEL &&
           (claim->encap || claim->connection->mobike ||
            owner_is_at(claim->owner, claim->remote));
}

static bool reqid_allowed(const struct ledger *ledger, const struct claim *claim)
{
    const struct owner *user = ledger_reqid_owner(ledger, claim->reqid);
    bool dynamic = claim->reqid >= REQID_DYNAMIC && reqid_is_ours(claim->reqid);

    if (claim->reqid != claim->child->reqid && !dynamic)
        return false;
    return user == NULL || user == claim->owner;
}

static enum status claim_check(const struct gate *gate, const struct config *config,
                               struct claim *claim, struct reason *reason)
{
    claim->connection = config_find(config, claim->connection_name->text);
    if (claim->connection == NULL)
        return refuse(reason, "no such connection");
    claim->child = connection_find_child(claim->connection, claim->child_name->text);
    if (claim->child == NULL)
        return refuse(reason, "the connection has no such child");
    claim->owner = ledger_owner(gate->ledger, claim->connection_name, claim->child_name);
    if (!local_allowed(gate, claim))
        return refuse(reason, "the local address is not the connection's");
    if (!remote_allowed(claim))
        return refuse(reason, "the remote address is not the connection's");
    if (claim->local->family != claim->remote->family)
        return refuse(reason, "the addresses are of two families");
    if (!is_nowhere(claim->local) && address_same_host(claim->local, claim->remote))
        return refuse(reason, "both ends have the same address");
    if (claim->protocol != V2_PROTOCOL_ESP)
        return refuse(reason, "the child does not allow this protocol");
    if (claim->mode != claim->child->mode)
        return refuse(reason, "the child has the other mode");
    if (!reqid_allowed(gate->ledger, claim))
        return refuse(reason, "the reqid is not the child's");
    return STATUS_OK;
}

static bool is_any(const struct claim *claim)
{
    return claim->connection->remote.family == FAMILY_NONE;
}

/* --- What stays whatever is requested --- */

/* on_dead = "clear" takes the policies away while the peer is dead; what is required to be protected
 * never has that, whatever the file says. */
static bool may_be_cleared(const struct child_config *child)
{
    return child->connection->on_dead == DEAD_CLEAR && child->policy == POLICY_PREFER;
}

bool config_wants_pair(const struct config *config, const struct owner *owner,
                       const struct selector *local, const struct selector *remote)
{
    const struct connection *connection = config_find(config, owner->connection.text);
    const struct child_config *child =
        connection != NULL ? connection_find_child(connection, owner->child.text) : NULL;

    struct child_selectors pair;

    if (child == NULL || may_be_cleared(child))
        return false;
    for (size_t i = 0; child_pair(child, i, &pair); i++)
        if (selector_equal(&pair.local, local) && selector_equal(&pair.remote, remote))
            return true;
    return false;
}

static bool pair_has_piece(const struct selector *local, const struct selector *remote,
                           const struct piece *piece)
{
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (pieces_of(local, remote, pieces, &count, NULL) != STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (piece_equal(&pieces[i], piece))
            return true;
    return false;
}

bool config_wants_piece(const struct config *config, uint32_t reqid, const struct piece *piece)
{
    const struct connection *connection;
    const struct child_config *child = config_find_reqid(config, reqid, &connection);

    struct child_selectors pair;

    if (child == NULL || may_be_cleared(child))
        return false;
    for (size_t i = 0; child_pair(child, i, &pair); i++)
        if (pair_has_piece(&pair.local, &pair.remote, piece))
            return true;
    return false;
}

/* --- One function per kind of request --- */

static enum status check_allocate_spi(struct gate *gate, const struct config *config,
                                      const struct effect *effect, struct reason *reason)
{
    const struct effect_allocate_spi *allocate = &effect->allocate_spi;
    struct claim claim = {
        .connection_name = &allocate->connection,
        .child_name = &allocate->child,
        .local = &allocate->destination,
        .remote = &allocate->source,
        .reqid = allocate->reqid,
        .protocol = allocate->protocol,
        .mode = allocate->mode,
    };
    enum status status = claim_check(gate, config, &claim, reason);

    if (status != STATUS_OK)
        return status;
    uint32_t most = is_any(&claim) ? GATE_SPIS_PER_ANY_CHILD : GATE_SPIS_PER_CHILD;
    if (claim.owner != NULL && claim.owner->spi_count >= most)
        return refuse(reason, "the child has too many SPIs without an SA");
    return STATUS_OK;
}

/* Which way packets go is no secret; but who has no connection there has no reason to ask. */
static enum status check_find_source(struct gate *gate, const struct config *config,
                                     const struct effect *effect, struct reason *reason)
{
    const struct effect_find_source *find = &effect->find_source;

    (void)gate;
    if (config_find(config, find->connection.text) == NULL)
        return refuse(reason, "no such connection");
    if (find->remote.family == FAMILY_NONE)
        return refuse(reason, "there is no address to go to");
    return STATUS_OK;
}

static bool list_has(const struct algorithm_list *list, uint8_t id)
{
    return memchr(list->ids, id, list->count) != NULL;
}

static bool proposal_allows(const struct proposal *proposal, const struct effect_install_sa *sa)
{
    if (!list_has(&proposal->encr, sa->encr) || !(sa->esn ? proposal->esn : proposal->no_esn))
        return false;
    return encr_is_aead(sa->encr) ? sa->integ == INTEG_NONE : list_has(&proposal->integ, sa->integ);
}

static bool suite_allowed(const struct proposal_list *list, const struct effect_install_sa *sa)
{
    for (size_t i = 0; i < list->count; i++)
        if (proposal_allows(&list->items[i], sa))
            return true;
    return false;
}

/* In UDP our end is the port where the kernel takes ESP out of it (RFC 3948); elsewhere it would be
 * somebody else's traffic. */
static bool ports_fit(bool encap, const struct address *local, const struct address *remote)
{
    return !encap || (local->port == IPC_PORT_NAT && remote->port != 0);
}

/* The SPI of an inbound SA was granted to this very child between these very ends. */
static enum status inbound_check(const struct gate *gate, const struct effect_install_sa *sa,
                                 const struct claim *claim, struct reason *reason)
{
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    if (record == NULL || record->owner != claim->owner ||
        !address_same_host(&record->source, &sa->source) || !record->inbound)
        return refuse(reason, "the SPI was not allocated for the child and its peer");
    if (record->filled)
        return refuse(reason, "the SPI has its SA already");
    if (sa->replay_window != claim->child->replay_window)
        return refuse(reason, "the replay window is not the child's");
    return STATUS_OK;
}

static enum status outbound_check(const struct gate *gate, const struct effect_install_sa *sa,
                                  struct reason *reason)
{
    if (sa->spi <= SPI_RESERVED_MAX)
        return refuse(reason, "the SPI is a reserved number");
    if (ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol) != NULL)
        return refuse(reason, "an SA with this SPI and destination is there");
    return STATUS_OK;
}

/* Keys of the algorithm's size; limits that the soft one reaches first. */
static bool numbers_fit(const struct effect_install_sa *sa)
{
    const struct encr_info *encr = encr_info(sa->encr);
    const struct integ_info *integ = integ_info(sa->integ);

    return sa->encr_key.size == (encr != NULL ? encr->key_size : 0u) &&
           sa->integ_key.size == (integ != NULL ? integ->key_size : 0u) &&
           (sa->hard_s == 0 || sa->soft_s <= sa->hard_s) &&
           (sa->hard_bytes == 0 || sa->soft_bytes <= sa->hard_bytes) &&
           (sa->hard_packets == 0 || sa->soft_packets <= sa->hard_packets);
}

static enum status check_install_sa(struct gate *gate, const struct config *config,
                                    const struct effect *effect, struct reason *reason)
{
    const struct effect_install_sa *sa = &effect->install_sa;
    struct claim claim = {
        .connection_name = &sa->connection,
        .child_name = &sa->child,
        .local = sa->inbound ? &sa->destination : &sa->source,
        .remote = sa->inbound ? &sa->source : &sa->destination,
        .reqid = sa->reqid,
        .protocol = sa->protocol,
        .mode = sa->mode,
        .encap = sa->encap,
    };
    enum status status = claim_check(gate, config, &claim, reason);

    if (status != STATUS_OK)
        return status;
    if (!suite_allowed(&claim.child->esp, sa))
        return refuse(reason, "the algorithms are not among the child's");
    if (!numbers_fit(sa))
        return refuse(reason, "a key or a limit has a wrong size");
    if (!ports_fit(sa->encap, claim.local, claim.remote))
        return refuse(reason, "these are not the ports of ESP in UDP");
    uint32_t most = is_any(&claim) ? GATE_SAS_PER_ANY_CHILD : GATE_SAS_PER_CHILD;
    if (claim.owner != NULL && claim.owner->sa_count >= most)
        return refuse(reason, "the child has too many SAs");
    return sa->inbound ? inbound_check(gate, sa, &claim, reason) : outbound_check(gate, sa, reason);
}

/* An SA of the child's own, of this session, as the negotiator knows it. */
static enum status move_check(const struct gate *gate, const struct effect_move_sa *sa,
                              const struct sa_record *record, struct reason *reason)
{
    if (record == NULL || !record->filled || sa_is_orphan(gate->ledger, record) ||
        record->inbound != sa->inbound || !address_same_host(&record->source, &sa->source) ||
        record->owner != ledger_owner(gate->ledger, &sa->connection, &sa->child))
        return refuse(reason, "no such SA of the child's");
    if (!address_same_host(&sa->destination, &sa->new_destination) &&
        ledger_find_sa(gate->ledger, &sa->new_destination, sa->spi, sa->protocol) != NULL)
        return refuse(reason, "an SA with this SPI and destination is there");
    return STATUS_OK;
}

static enum status check_move_sa(struct gate *gate, const struct config *config,
                                 const struct effect *effect, struct reason *reason)
{
    const struct effect_move_sa *sa = &effect->move_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);
    enum status status = move_check(gate, sa, record, reason);

    if (status != STATUS_OK)
        return status;
    struct claim claim = {
        .connection_name = &sa->connection,
        .child_name = &sa->child,
        .local = sa->inbound ? &sa->new_destination : &sa->new_source,
        .remote = sa->inbound ? &sa->new_source : &sa->new_destination,
        .reqid = (uint32_t)record->reqid->node.key,
        .protocol = sa->protocol,
        .mode = record->mode,
        .encap = sa->encap,
    };
    status = claim_check(gate, config, &claim, reason);
    if (status != STATUS_OK)
        return status;
    return ports_fit(sa->encap, claim.local, claim.remote)
               ? STATUS_OK
               : refuse(reason, "these are not the ports of ESP in UDP");
}

/* Orphans are ours as well, but go by REMOVE_ORPHANS. */
static enum status check_remove_sa(struct gate *gate, const struct config *config,
                                   const struct effect *effect, struct reason *reason)
{
    const struct effect_remove_sa *sa = &effect->remove_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    (void)config;
    if (record == NULL || !address_same_host(&record->source, &sa->source))
        return refuse(reason, "no such SA of ours");
    return STATUS_OK;
}

static enum status check_resolve(struct gate *gate, const struct config *config,
                                 const struct effect *effect, struct reason *reason)
{
    const struct effect_resolve *resolve = &effect->resolve;
    const struct connection *connection = config_find(config, resolve->connection.text);

    (void)gate;
    if (connection == NULL)
        return refuse(reason, "no such connection");
    if (!connection_has_peer(connection, resolve->host))
        return refuse(reason, "the name is not one of the connection's");
    return STATUS_OK;
}

static enum status check_query_sa(struct gate *gate, const struct config *config,
                                  const struct effect *effect, struct reason *reason)
{
    const struct effect_query_sa *sa = &effect->query_sa;
    const struct sa_record *record =
        ledger_find_sa(gate->ledger, &sa->destination, sa->spi, sa->protocol);

    (void)config;
    if (record == NULL || !record->filled || !address_same_host(&record->source, &sa->source))
        return refuse(reason, "no such SA of ours");
    return STATUS_OK;
}

/* One selector within one side of the child; in transport mode (and where the side is "the peer")
 * also within the end's own address, unless it was so when the policy of a tunnel was installed
 * (`there`) and only the end has moved. */
static bool side_allows(const struct child_config *child, const struct selector *allowed,
                        size_t allowed_count, const struct address *end,
                        const struct selector *selector, bool there)
{
    struct selector host = selector_host(end);
    bool bound = child->mode == CHILD_TRANSPORT || (allowed_count == 0 && !there);

    if (bound && !selector_contains(&host, selector))
        return false;
    return allowed_count == 0 || selectors_within(allowed, allowed_count, selector, 1);
}

static struct claim policy_claim(const struct effect_policy *policy)
{
    return (struct claim){
        .connection_name = &policy->connection,
        .child_name = &policy->child,
        .local = &policy->local,
        .remote = &policy->remote,
        .reqid = policy->reqid,
        .protocol = policy->protocol,
        .mode = policy->mode,
        .is_policy = true,
    };
}

static enum status check_install_policy(struct gate *gate, const struct config *config,
                                        const struct effect *effect, struct reason *reason)
{
    const struct effect_policy *policy = &effect->policy;
    struct claim claim = policy_claim(policy);
    enum status status = claim_check(gate, config, &claim, reason);

    if (status != STATUS_OK)
        return status;
    const struct child_config *child = claim.child;
    const struct policy_record *there =
        ledger_find_policy(gate->ledger, &policy->local_selector, &policy->remote_selector);
    bool its_own = there != NULL && there->owner == claim.owner;
    if (policy->policy != child->policy)
        return refuse(reason, "the child has the other policy");
    if (!side_allows(child, child->local, child->local_count, &policy->local,
                     &policy->local_selector, its_own))
        return refuse(reason, "the local selector is not within the child's");
    if (!side_allows(child, child->remote, child->remote_count, &policy->remote,
                     &policy->remote_selector, its_own))
        return refuse(reason, "the remote selector is not within the child's");
    if (there != NULL && !its_own && config_find(config, there->owner->connection.text) != NULL)
        return reason_set(reason, STATUS_FAIL, 0,
                          "refused: the selectors are in use by connection %s",
                          there->owner->connection.text);
    uint32_t most = is_any(&claim) ? GATE_SAS_PER_ANY_CHILD : GATE_POLICIES_PER_CHILD;
    if (there == NULL && claim.owner != NULL && claim.owner->policy_count >= most)
        return refuse(reason, "the child has too many policies");
    return STATUS_OK;
}

/* Also for a child that is no longer configured: that is when its policies go. */
static enum status check_remove_policy(struct gate *gate, const struct config *config,
                                       const struct effect *effect, struct reason *reason)
{
    const struct effect_policy *policy = &effect->policy;
    const struct owner *owner = ledger_owner(gate->ledger, &policy->connection, &policy->child);
    const struct policy_record *there =
        ledger_find_policy(gate->ledger, &policy->local_selector, &policy->remote_selector);

    (void)config; /* the newest decides, also while the one before still holds */
    if (there == NULL || there->owner != owner)
        return refuse(reason, "no such policy of the child's");
    if (config_wants_pair(gate->config, owner, &policy->local_selector, &policy->remote_selector))
        return refuse(reason, "the configuration wants this policy");
    return STATUS_OK;
}

static enum status check_remove_orphans(struct gate *gate, const struct config *config,
                                        const struct effect *effect, struct reason *reason)
{
    (void)gate;
    if (config_find(config, effect->orphans_of.text) == NULL)
        return refuse(reason, "no such connection");
    return STATUS_OK;
}

static bool prf_allowed(const struct proposal_list *list, uint8_t prf)
{
    for (size_t i = 0; i < list->count; i++)
        if (list_has(&list->items[i].prf, prf))
            return true;
    return false;
}

static enum status check_sign(struct gate *gate, const struct config *config,
                              const struct effect *effect, struct reason *reason)
{
    const struct effect_sign *sign = &effect->sign;
    const struct connection *connection = config_find(config, sign->connection.text);

    if (connection == NULL)
        return refuse(reason, "no such connection");
    if (!connection_accepts(connection, &sign->local_id, &sign->remote_id))
        return refuse(reason, "the identities are not the connection's");
    if (!prf_allowed(&connection->proposals, sign->prf))
        return refuse(reason, "the prf is not among the connection's");
    if (sign->own_octets.size == 0 && sign->peer_auth.size == 0)
        return refuse(reason, "nothing to sign and nothing to check");
    if (gate->sign_credit < 1000)
        return refuse(reason, "too many signatures at once");
    return STATUS_OK;
}

static enum status (*const checks[])(struct gate *gate, const struct config *config,
                                     const struct effect *effect, struct reason *reason) = {
    [EFFECT_SIGN] = check_sign,
    [EFFECT_ALLOCATE_SPI] = check_allocate_spi,
    [EFFECT_INSTALL_SA] = check_install_sa,
    [EFFECT_FIND_SOURCE] = check_find_source,
    [EFFECT_QUERY_SA] = check_query_sa,
    [EFFECT_MOVE_SA] = check_move_sa,
    [EFFECT_RESOLVE] = check_resolve,
    [EFFECT_REMOVE_SA] = check_remove_sa,
    [EFFECT_INSTALL_POLICY] = check_install_policy,
    [EFFECT_REMOVE_POLICY] = check_remove_policy,
    [EFFECT_REMOVE_ORPHANS] = check_remove_orphans,
};

/* One signature is a thousand of credit, so a millisecond brings GATE_SIGN_RATE. */
static void count_credit(struct gate *gate, uint64_t now_ms)
{
    uint64_t most = GATE_SIGN_BURST * 1000ull;
    uint64_t passed_ms = now_ms - gate->sign_ms;

    gate->sign_ms = now_ms;
    if (passed_ms >= most / GATE_SIGN_RATE || gate->sign_credit + passed_ms * GATE_SIGN_RATE > most)
        gate->sign_credit = most;
    else
        gate->sign_credit += passed_ms * GATE_SIGN_RATE;
}

enum status gate_check(struct gate *gate, const struct effect *effect, uint64_t now_ms,
                       struct reason *reason)
{
    enum status status = STATUS_FAIL;

    count_credit(gate, now_ms);
    if ((size_t)effect->kind < sizeof(checks) / sizeof(checks[0]) && checks[effect->kind] != NULL) {
        status = checks[effect->kind](gate, gate->config, effect, reason);
        if (status != STATUS_OK && gate->before != NULL)
            status = checks[effect->kind](gate, gate->before, effect, NULL);
    } else {
        refuse(reason, "not an effect of the keeper's");
    }
    if (status != STATUS_OK)
        gate->refused++;
    else if (effect->kind == EFFECT_SIGN)
        gate->sign_credit -= 1000;
    return status;
}
