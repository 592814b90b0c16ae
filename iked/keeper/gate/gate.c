/*
 * The gate between negotiator and kernel, negotiator and keys: see gate.h.
 */
#include "iked/keeper/gate/gate.h"

#include "iked/keeper/gate/gate_rule.h"
#include "lib/policy/match.h"

void gate_init(struct gate *gate, const struct ledger *ledger, const struct config *config,
               uint64_t now_ms)
{
    *gate = (struct gate){
        .ledger = ledger,
        .config = config,
        .sign_credit = GATE_SIGN_BURST * 1000ull,
        .look_credit = GATE_LOOK_BURST * 1000ull,
        .credit_ms = now_ms,
        .now_ms = now_ms,
    };
}

void gate_time(struct gate *gate, uint64_t now_ms)
{
    gate->now_ms = now_ms;
}

void gate_offer(struct gate *gate, const struct config *config)
{
    gate->offered_ms = gate->now_ms;
    gate->before = gate->config;
    gate->config = config;
}

void gate_commit(struct gate *gate)
{
    gate->before = NULL;
}

/* --- Requests about a whole connection --- */

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
        if (algorithm_list_has(&list->items[i].prf, prf))
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

/* --- The table --- */

static enum status (*const checks[])(struct gate *gate, const struct config *config,
                                     const struct effect *effect, struct reason *reason) = {
    [EFFECT_SIGN] = check_sign,
    [EFFECT_ALLOCATE_SPI] = gate_check_allocate_spi,
    [EFFECT_INSTALL_SA] = gate_check_install_sa,
    [EFFECT_FIND_SOURCE] = check_find_source,
    [EFFECT_QUERY_SA] = gate_check_query_sa,
    [EFFECT_MOVE_SA] = gate_check_move_sa,
    [EFFECT_RESOLVE] = check_resolve,
    [EFFECT_REMOVE_SA] = gate_check_remove_sa,
    [EFFECT_INSTALL_POLICY] = gate_check_install_policy,
    [EFFECT_REMOVE_POLICY] = gate_check_remove_policy,
    [EFFECT_REMOVE_ORPHANS] = check_remove_orphans,
};

/* A negotiator that holds on to what the operator has taken back does so in vain. */
static bool before_holds(const struct gate *gate)
{
    return gate->before != NULL && gate->now_ms - gate->offered_ms < GATE_COMMIT_MS;
}

/* One of what is counted is a thousand of credit, so a millisecond brings `rate`. */
static uint64_t credit_after(uint64_t credit, uint64_t passed_ms, uint64_t rate, uint64_t burst)
{
    uint64_t most = burst * 1000;

    return passed_ms >= most / rate || credit + passed_ms * rate > most ? most
                                                                        : credit + passed_ms * rate;
}

static void count_credit(struct gate *gate, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - gate->credit_ms;

    gate->credit_ms = now_ms;
    gate->sign_credit = credit_after(gate->sign_credit, passed_ms, GATE_SIGN_RATE, GATE_SIGN_BURST);
    gate->look_credit = credit_after(gate->look_credit, passed_ms, GATE_LOOK_RATE, GATE_LOOK_BURST);
}

bool gate_look(struct gate *gate, size_t looks)
{
    if (gate->look_credit < looks * 1000ull)
        return false;
    gate->look_credit -= looks * 1000ull;
    return true;
}

const char *gate_why(const struct gate *gate, const char *text)
{
    return gate->look_credit < 1000 ? "too much to look through at once" : text;
}

enum status gate_check(struct gate *gate, const struct effect *effect, uint64_t now_ms,
                       struct reason *reason)
{
    enum status status = STATUS_FAIL;

    gate_time(gate, now_ms);
    count_credit(gate, now_ms);
    if ((size_t)effect->kind < sizeof(checks) / sizeof(checks[0]) && checks[effect->kind] != NULL) {
        status = checks[effect->kind](gate, gate->config, effect, reason);
        if (status != STATUS_OK && before_holds(gate))
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
