/*
 * Claims: see claim.h.
 */
#include "iked/keeper/gate/claim.h"

#include "iked/keeper/xfrm/kernel.h"
#include "lib/crypto/suite.h"
#include "lib/policy/known.h"

enum status gate_refuse(struct reason *reason, const char *text)
{
    return reason_set(reason, STATUS_FAIL, 0, "refused: %s", text);
}

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

/* Has the child an SPI or an SA whose local end is there?  That was this host's address when it was
 * granted, and what was begun from there is moved when it is done (RFC 4555 section 3.5). */
static bool owner_is_local_at(struct gate *gate, const struct owner *owner,
                              const struct address *local)
{
    const struct sa_record *sa;

    if (owner == NULL)
        return false;
    TAILQ_FOREACH (sa, &owner->sas, entry) {
        struct address its = sa_local(sa);
        if (!gate_look(gate, 1))
            return false;
        if (!sa->orphan && address_same_host(&its, local))
            return true;
    }
    return false;
}

/* A policy may leave open what the configuration leaves open. */
static bool local_allowed(struct gate *gate, const struct claim *claim)
{
    if (gate_is_local(gate, claim->connection, claim->local))
        return true;
    if (claim->connection->local.family != FAMILY_NONE || claim->local->family == FAMILY_NONE)
        return false;
    return (claim->is_policy && is_nowhere(claim->local)) ||
           owner_is_local_at(gate, claim->owner, claim->local);
}

/* Has the child an SA in UDP whose other end is there? */
static bool owner_is_at(struct gate *gate, const struct owner *owner, const struct address *remote)
{
    const struct sa_record *sa;

    if (owner == NULL)
        return false;
    TAILQ_FOREACH (sa, &owner->sas, entry) {
        struct address its = sa_remote(sa);
        if (!gate_look(gate, 1))
            return false;
        if (sa->encap && address_same_host(&its, remote))
            return true;
    }
    return false;
}

/* The peer is where the configuration says, or anywhere if it does not.  There are two ways to be
 * elsewhere in the course of time: the peer moves (RFC 4555), or the NAT before it gets another
 * address (RFC 7296 section 2.23).  Which one is the truth only the negotiator can know, as it
 * alone verifies messages.  What a lie gains: packets of this child alone, sealed with keys that
 * the liar has anyway, go to another host.  Selectors, SPIs and reqids are held against the
 * configuration as ever, so nothing more enters that child, and nothing of another one.  In
 * transport mode the peer's address is the selector: there it stays the configured one. */
static bool remote_allowed(struct gate *gate, const struct claim *claim)
{
    const struct address *configured = &claim->connection->remote;

    if (claim->remote->family == FAMILY_NONE)
        return false;
    if (claim->connection->peer_count == 0
            ? configured->family == FAMILY_NONE || address_same_host(configured, claim->remote)
            : connection_knows(claim->connection, claim->remote) ||
                  (claim->is_policy && is_nowhere(claim->remote)))
        return true;
    return claim->child->mode == CHILD_TUNNEL && (claim->encap || claim->connection->mobike ||
                                                  owner_is_at(gate, claim->owner, claim->remote));
}

static bool reqid_allowed(const struct ledger *ledger, const struct claim *claim)
{
    const struct owner *user = ledger_reqid_owner(ledger, claim->reqid);

    if (claim->reqid != claim->child->reqid && !reqid_is_dynamic(claim->reqid))
        return false;
    return user == NULL || user == claim->owner;
}

enum status claim_check(struct gate *gate, struct claim *claim, struct reason *reason)
{
    if (claim->connection == NULL)
        return gate_refuse(reason, "no such connection");
    claim->child = connection_find_child(claim->connection, claim->child_name->text);
    if (claim->child == NULL)
        return gate_refuse(reason, "the connection has no such child");
    claim->owner = ledger_owner(gate->ledger, claim->connection_name, claim->child_name);
    if (!local_allowed(gate, claim))
        return gate_refuse(reason, gate_why(gate, "the local address is not the connection's"));
    if (!remote_allowed(gate, claim))
        return gate_refuse(reason, gate_why(gate, "the remote address is not the connection's"));
    if (claim->local->family != claim->remote->family)
        return gate_refuse(reason, "the addresses are of two families");
    if (!is_nowhere(claim->local) && address_same_host(claim->local, claim->remote))
        return gate_refuse(reason, "both ends have the same address");
    if (claim->protocol != IPSEC_ESP)
        return gate_refuse(reason, "the child does not allow this protocol");
    if (claim->mode != claim->child->mode)
        return gate_refuse(reason, "the child has the other mode");
    if (!reqid_allowed(gate->ledger, claim))
        return gate_refuse(reason, "the reqid is not the child's");
    return STATUS_OK;
}

bool claim_is_any(const struct claim *claim)
{
    return claim->connection->remote.family == FAMILY_NONE;
}
