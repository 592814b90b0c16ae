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
static enum status check_find_source(struct gate *gate, const struct gate_request *request)
{
    (void)gate;
    if (request->effect->find_source.remote.family == FAMILY_NONE)
        return gate_refuse(request->reason, "there is no address to go to");
    return STATUS_OK;
}

static enum status check_resolve(struct gate *gate, const struct gate_request *request)
{
    (void)gate;
    if (!connection_has_peer(request->connection, request->effect->resolve.host))
        return gate_refuse(request->reason, "the name is not one of the connection's");
    return STATUS_OK;
}

/* What its row says is all. */
static enum status check_remove_orphans(struct gate *gate, const struct gate_request *request)
{
    (void)gate;
    (void)request;
    return STATUS_OK;
}

static bool prf_allowed(const struct proposal_list *list, uint8_t prf)
{
    for (size_t i = 0; i < list->count; i++)
        if (algorithm_list_has(&list->items[i].prf, prf))
            return true;
    return false;
}

static enum status check_psk_auth(struct gate *gate, const struct gate_request *request)
{
    const struct effect_psk_auth *psk_auth = &request->effect->psk_auth;

    (void)gate;
    if (!connection_accepts(request->connection, &psk_auth->local_id, &psk_auth->remote_id))
        return gate_refuse(request->reason, "the identities are not the connection's");
    if (!prf_allowed(request->connection->proposals, psk_auth->prf))
        return gate_refuse(request->reason, "the prf is not among the connection's");
    if (psk_auth->own_octets.size == 0 && psk_auth->peer_auth.size == 0)
        return gate_refuse(request->reason, "nothing to sign and nothing to check");
    return STATUS_OK;
}

/* DERIVE, SIGN and VERIFY have no body yet.  HACKING.md says what will be checked. */
static enum status check_unbuilt(struct gate *gate, const struct gate_request *request)
{
    (void)gate;
    return gate_refuse(request->reason, "this version has no such authentication");
}

/* --- The table --- */

/* What must be there before a rule is looked at. */
enum needs {
    CONFIGURED, /* the connection that the request names */
    GRANTED,    /* nothing: the rule begins with what the ledger says of the SA or the policy */
};

/* What a request that is let through costs of the credit of signatures, in thousandths. */
#define FREE      0
#define SIGNATURE 1000

/* The looks that some of them cost besides are counted where they are taken (gate_look). */
/* clang-format off */
#define RULES(X)                                                          \
    /* effect         rule                         needs       cost */    \
    X(PSK_AUTH,       check_psk_auth,              CONFIGURED, SIGNATURE) \
    X(DERIVE,         check_unbuilt,               CONFIGURED, SIGNATURE) \
    X(SIGN,           check_unbuilt,               CONFIGURED, SIGNATURE) \
    X(VERIFY,         check_unbuilt,               CONFIGURED, SIGNATURE) \
    X(ALLOCATE_SPI,   gate_check_allocate_spi,     CONFIGURED, FREE)      \
    X(INSTALL_SA,     gate_check_install_sa,       CONFIGURED, FREE)      \
    X(FIND_SOURCE,    check_find_source,           CONFIGURED, FREE)      \
    X(QUERY_SA,       gate_check_query_sa,         GRANTED,    FREE)      \
    X(MOVE_SA,        gate_check_move_sa,          GRANTED,    FREE)      \
    X(RESOLVE,        check_resolve,               CONFIGURED, FREE)      \
    X(REMOVE_SA,      gate_check_remove_sa,        GRANTED,    FREE)      \
    X(INSTALL_POLICY, gate_check_install_policy,   CONFIGURED, FREE)      \
    X(REMOVE_POLICY,  gate_check_remove_policy,    GRANTED,    FREE)      \
    X(REMOVE_ORPHANS, check_remove_orphans,        CONFIGURED, FREE)
/* clang-format on */

EFFECT_TABLE_WHOLE(RULES, KEEPER);

static const struct rule {
    gate_rule *check;
    enum needs needs;
    uint32_t cost;
} rules[EFFECT_COUNT] = {
#define RULE(name, check, needs, cost) [EFFECT_##name] = {check, needs, cost},
    RULES(RULE)
#undef RULE
};

/* Against one of the configurations. */
static enum status rule_check(struct gate *gate, const struct config *config,
                              const struct effect *effect, struct reason *reason)
{
    const struct rule *rule = &rules[effect->kind];
    struct gate_request request = {.config = config, .effect = effect, .reason = reason};

    if (rule->needs == CONFIGURED) {
        request.connection = config_find(config, effect_connection(effect)->text);
        if (request.connection == NULL)
            return gate_refuse(reason, "no such connection");
    }
    return rule->check(gate, &request);
}

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

/* Against both configurations, as long as both are good. */
static enum status request_check(struct gate *gate, const struct effect *effect,
                                 struct reason *reason)
{
    if ((size_t)effect->kind >= EFFECT_COUNT || rules[effect->kind].check == NULL)
        return gate_refuse(reason, "not an effect of the keeper's");
    enum status status = rule_check(gate, gate->config, effect, reason);
    if (status != STATUS_OK && before_holds(gate))
        status = rule_check(gate, gate->before, effect, NULL);
    if (status == STATUS_OK && gate->sign_credit < rules[effect->kind].cost)
        return gate_refuse(reason, "too many signatures at once");
    return status;
}

enum status gate_check(struct gate *gate, const struct effect *effect, uint64_t now_ms,
                       struct reason *reason)
{
    gate_time(gate, now_ms);
    count_credit(gate, now_ms);
    enum status status = request_check(gate, effect, reason);
    if (status != STATUS_OK)
        gate->refused++;
    else
        gate->sign_credit -= rules[effect->kind].cost;
    return status;
}
