/*
 * The gate: may the negotiator have what it asks for?
 *
 * The negotiator parses strangers' packets; the gate takes it for hostile.  Every request is held
 * against the configuration that the keeper itself read and against the ledger of what it granted
 * before.  Reading only: whoever carries a request out writes it into the ledger.
 * Not here: decoding (iked/process/ipc.h), the kernel, keys (vault.h).
 */
#ifndef IKED_KEEPER_GATE_GATE_H
#define IKED_KEEPER_GATE_GATE_H

#include "iked/keeper/gate/ledger.h"
#include "lib/policy/config.h"

/* A child with one peer has one SA pair, two while rekeying; or as many as a peer may make of it
 * (connection.children_max), and each of them may be under rekeying. */
#define GATE_SAS_PER_CHILD (4 * CONFIG_CHILDREN_MAX)
/* A child with remote "any" has those of all its peers. */
#define GATE_SAS_PER_ANY_CHILD  262144
#define GATE_SPIS_PER_CHILD     32
#define GATE_SPIS_PER_ANY_CHILD 65536
#define GATE_POLICIES_PER_CHILD (CONFIG_SELECTORS_MAX * CONFIG_SELECTORS_MAX * 2)

/* Signatures per second, and how many may come at once after a quiet time: far above what one
 * processor can negotiate, far below what searching for a weak key online takes. */
#define GATE_SIGN_RATE  10000
#define GATE_SIGN_BURST 20000

/* SAs, and pairs in the hands of SAs, that are looked at one by one to answer a request: so many
 * per second, and at once.  Far above what an honest negotiator with 10,000 peers needs: nearly all
 * is answered by looking at a few. */
#define GATE_LOOK_RATE  100000
#define GATE_LOOK_BURST 1000000

/* So long the configuration before is still good when the negotiator does not commit to the newest:
 * far longer than an honest one takes. */
#define GATE_COMMIT_MS 60000

struct gate {
    const struct ledger *ledger; /* borrowed */
    const struct config *config; /* borrowed; the newest */
    const struct config *before; /* borrowed; still good until the newest is committed; or NULL */
    uint64_t offered_ms;         /* when the newest was */
    uint64_t now_ms;             /* as it was heard last */
    /* Is it one of this host's own?  To be set after gate_init. */
    bool (*is_own_address)(void *context, const struct address *address);
    void *context;
    uint64_t sign_credit; /* thousandths of a signature */
    uint64_t look_credit; /* thousandths of a look */
    uint64_t credit_ms;   /* when they were counted */
    uint64_t refused;     /* counter */
};

void gate_init(struct gate *gate, const struct ledger *ledger, const struct config *config,
               uint64_t now_ms);

/* What time it is; gate_check says so, too. */
void gate_time(struct gate *gate, uint64_t now_ms);

/* A new configuration was handed out: both are good until gate_commit, but not after
 * GATE_COMMIT_MS. */
void gate_offer(struct gate *gate, const struct config *config);
void gate_commit(struct gate *gate);

/* Does the configuration itself want a policy, whatever the negotiator says?  It does when the pair
 * (or the piece of a pair) is one of the child's own.  Such a policy goes with its configuration
 * and not before: what it protects would leave in the clear.  The first writes what is wanted, as
 * the second does for the i-th pair (child_pair). */
bool config_policy(const struct config *config, const struct owner *owner,
                   const struct child_selectors *pair, struct effect_policy *policy);
struct effect_policy child_policy_of(const struct child_config *child,
                                     const struct child_selectors *pair);
bool config_wants_piece(const struct config *config, uint32_t reqid, const struct piece *piece);

/* May `address` be our end of the connection?  The configured one; where it leaves that open, any
 * of this host's own. */
bool gate_is_local(const struct gate *gate, const struct connection *connection,
                   const struct address *address);

/* Takes so many looks from the credit.  False: there are not enough, and the request is refused. */
MUST_USE bool gate_look(struct gate *gate, size_t looks);

/* `text`, or that the credit is used up. */
const char *gate_why(const struct gate *gate, const char *text);

/* STATUS_OK, or STATUS_FAIL with the reason. */
MUST_USE enum status gate_check(struct gate *gate, const struct effect *effect, uint64_t now_ms,
                                struct reason *reason);

#endif
