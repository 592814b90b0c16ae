/*
 * The kernel of a simulated host: see fake_kernel.h.
 */
#include "test/common/fake_kernel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/writer.h"

#define SPI_FIRST 0x100u /* below stands what RFC 4303 section 2.1 keeps */

void fake_kernel_init(struct fake_kernel *kernel, uint64_t seed)
{
    *kernel = (struct fake_kernel){.chance = chance_of(seed)};
    TAILQ_INIT(&kernel->sas);
    TAILQ_INIT(&kernel->policies);
}

static void drop_sa(struct fake_kernel *kernel, struct fake_sa *sa)
{
    TAILQ_REMOVE(&kernel->sas, sa, entry);
    kernel->sa_count--;
    kernel->deadline_known = false;
    free(sa);
}

void fake_kernel_clear(struct fake_kernel *kernel)
{
    struct fake_sa *sa;
    struct fake_policy *policy;

    while ((sa = TAILQ_FIRST(&kernel->sas)) != NULL)
        drop_sa(kernel, sa);
    while ((policy = TAILQ_FIRST(&kernel->policies)) != NULL) {
        TAILQ_REMOVE(&kernel->policies, policy, entry);
        free(policy);
    }
}

static struct fake_sa *find(const struct fake_kernel *kernel, const struct address *destination,
                            uint32_t spi, uint8_t protocol)
{
    struct fake_sa *sa;

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        if (sa->spi == spi && sa->protocol == protocol &&
            address_same_host(&sa->destination, destination))
            return sa;
    return NULL;
}

struct fake_sa *fake_kernel_find_sa(const struct fake_kernel *kernel,
                                    const struct address *destination, uint32_t spi,
                                    uint8_t protocol)
{
    struct fake_sa *sa = find(kernel, destination, spi, protocol);

    return sa == NULL || sa->larval ? NULL : sa;
}

static struct fake_sa *add_sa(struct fake_kernel *kernel)
{
    struct fake_sa *sa = calloc(1, sizeof(*sa));

    if (sa == NULL)
        abort();
    TAILQ_INSERT_TAIL(&kernel->sas, sa, entry);
    kernel->sa_count++;
    return sa;
}

enum status fake_kernel_allocate(struct fake_kernel *kernel,
                                 const struct effect_allocate_spi *allocate, uint64_t now_ms,
                                 uint32_t *spi)
{
    do {
        *spi = (uint32_t)chance_next(&kernel->chance);
    } while (*spi < SPI_FIRST ||
             find(kernel, &allocate->destination, *spi, allocate->protocol) != NULL);
    struct fake_sa *sa = add_sa(kernel);
    sa->connection = allocate->connection;
    sa->child = allocate->child;
    sa->source = allocate->source;
    sa->destination = allocate->destination;
    sa->spi = *spi;
    sa->reqid = allocate->reqid;
    sa->protocol = allocate->protocol;
    sa->mode = allocate->mode;
    sa->inbound = true;
    sa->larval = true;
    sa->added_ms = now_ms;
    sa->soft_ms = UINT64_MAX;
    sa->hard_ms = now_ms + FAKE_LARVAL_MS;
    kernel->deadline_known = false;
    return STATUS_OK;
}

static uint64_t limit_ms(uint32_t limit_s, uint64_t now_ms)
{
    return limit_s == 0 ? UINT64_MAX : now_ms + limit_s * 1000ull;
}

static void fill(struct fake_sa *sa, const struct effect_install_sa *install, uint64_t now_ms)
{
    struct writer writer = writer_of(sa->key, sizeof(sa->key));

    writer_bytes(&writer, secret_slice(&install->encr_key));
    writer_bytes(&writer, secret_slice(&install->integ_key));
    sa->key_size = writer.size;
    sa->connection = install->connection;
    sa->child = install->child;
    sa->source = install->source;
    sa->destination = install->destination;
    sa->spi = install->spi;
    sa->reqid = install->reqid;
    sa->protocol = install->protocol;
    sa->mode = install->mode;
    sa->encr = install->encr;
    sa->integ = install->integ;
    sa->esn = install->esn;
    sa->inbound = install->inbound;
    sa->encap = install->encap;
    sa->larval = false;
    sa->added_ms = now_ms;
    sa->soft_ms = limit_ms(install->soft_s, now_ms);
    sa->hard_ms = limit_ms(install->hard_s, now_ms);
    sa->soft_packets = install->soft_packets;
    sa->hard_packets = install->hard_packets;
}

enum status fake_kernel_install(struct fake_kernel *kernel, const struct effect_install_sa *install,
                                uint64_t now_ms, struct reason *reason)
{
    struct fake_sa *sa = find(kernel, &install->destination, install->spi, install->protocol);
    struct fake_policy *policy;

    if (install->inbound && (sa == NULL || !sa->larval))
        return reason_set(reason, STATUS_FAIL, 0, "no SPI was allocated for it");
    if (!install->inbound && sa != NULL)
        return reason_set(reason, STATUS_FAIL, 0, "the SA exists");
    fill(sa != NULL ? sa : add_sa(kernel), install, now_ms);
    kernel->deadline_known = false;
    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if (!install->inbound && policy->is.reqid == install->reqid)
            policy->asked_until_ms = 0;
    return STATUS_OK;
}

enum status fake_kernel_query(const struct fake_kernel *kernel, const struct effect_query_sa *query,
                              uint64_t now_ms, uint64_t *packets, uint32_t *ago_s)
{
    const struct fake_sa *sa =
        fake_kernel_find_sa(kernel, &query->destination, query->spi, query->protocol);

    if (sa == NULL)
        return STATUS_FAIL;
    bool dated = sa->used_ms != 0 && sa->used_ms <= now_ms && !kernel->undated;
    *packets = sa->packets;
    *ago_s = dated ? (uint32_t)((now_ms - sa->used_ms) / 1000) : ANSWER_AGO_UNKNOWN;
    return STATUS_OK;
}

void fake_kernel_remove(struct fake_kernel *kernel, const struct effect_remove_sa *remove)
{
    struct fake_sa *sa = find(kernel, &remove->destination, remove->spi, remove->protocol);

    if (sa == NULL)
        kernel->missing_removals++;
    else
        drop_sa(kernel, sa);
}

/* Linux refuses what is not there, and the negotiator's SAs are known by what they were moved to.
 * */
void fake_kernel_move(struct fake_kernel *kernel, const struct effect_move_sa *move)
{
    struct fake_sa *sa = find(kernel, &move->destination, move->spi, move->protocol);

    if (sa == NULL) {
        kernel->missing_removals++;
        return;
    }
    sa->encap = move->encap;
    sa->source = move->new_source;
    sa->destination = move->new_destination;
}

static struct fake_policy *find_policy(const struct fake_kernel *kernel,
                                       const struct effect_policy *like)
{
    struct fake_policy *policy;

    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if (selector_equal(&policy->is.local_selector, &like->local_selector) &&
            selector_equal(&policy->is.remote_selector, &like->remote_selector))
            return policy;
    return NULL;
}

void fake_kernel_install_policy(struct fake_kernel *kernel, const struct effect_policy *is)
{
    struct fake_policy *policy = find_policy(kernel, is);

    if (policy == NULL) {
        policy = calloc(1, sizeof(*policy));
        if (policy == NULL)
            abort();
        TAILQ_INSERT_TAIL(&kernel->policies, policy, entry);
    }
    policy->is = *is;
    policy->asked_until_ms = 0;
}

void fake_kernel_remove_policy(struct fake_kernel *kernel, const struct effect_policy *is)
{
    struct fake_policy *policy = find_policy(kernel, is);

    if (policy == NULL) {
        kernel->missing_removals++;
        return;
    }
    TAILQ_REMOVE(&kernel->policies, policy, entry);
    free(policy);
}

void fake_kernel_orphan_all(struct fake_kernel *kernel)
{
    struct fake_sa *sa;

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        sa->orphan = !sa->larval;
}

void fake_kernel_remove_orphans(struct fake_kernel *kernel, const struct name *connection)
{
    struct fake_sa *sa;
    struct fake_sa *next;

    for (sa = TAILQ_FIRST(&kernel->sas); sa != NULL; sa = next) {
        next = TAILQ_NEXT(sa, entry);
        if (sa->orphan && strcmp(sa->connection.text, connection->text) == 0)
            drop_sa(kernel, sa);
    }
}

/* The width of a range as a rank: the narrower one wins, as piece_priority has it. */
static unsigned width(const struct selector *selector)
{
    uint64_t start[2];
    uint64_t end[2];

    static_assert(sizeof(start) == sizeof(selector->start), "an address has 16 octets");
    memcpy(start, selector->start, sizeof(start));
    memcpy(end, selector->end, sizeof(end));
    unsigned bits = (unsigned)__builtin_popcountll(start[0] ^ end[0]) +
                    (unsigned)__builtin_popcountll(start[1] ^ end[1]);
    return 2 * bits + (selector->protocol == 0) +
           (selector->port_start == 0 && selector->port_end == 65535);
}

/* What is required goes before what is preferred, whichever is narrower. */
static unsigned rank_of(const struct effect_policy *policy)
{
    unsigned sum = width(&policy->local_selector) + width(&policy->remote_selector);

    return policy->policy == POLICY_PREFER ? 1000 + sum : sum;
}

static struct fake_policy *match(const struct fake_kernel *kernel, const struct selector *local,
                                 const struct selector *remote)
{
    struct fake_policy *policy;
    struct fake_policy *best = NULL;
    unsigned best_rank = 0;

    TAILQ_FOREACH (policy, &kernel->policies, entry) {
        if (!selector_contains(&policy->is.local_selector, local) ||
            !selector_contains(&policy->is.remote_selector, remote))
            continue;
        unsigned rank = rank_of(&policy->is);
        if (best != NULL && rank >= best_rank)
            continue;
        best = policy;
        best_rank = rank;
    }
    return best;
}

enum fake_verdict fake_kernel_output(struct fake_kernel *kernel, const struct selector *local,
                                     const struct selector *remote, uint64_t now_ms,
                                     struct fake_policy **policy, struct fake_sa **sa)
{
    struct fake_sa *candidate;

    *sa = NULL;
    *policy = match(kernel, local, remote);
    if (*policy == NULL)
        return FAKE_CLEAR;
    const struct effect_policy *is = &(*policy)->is;
    TAILQ_FOREACH (candidate, &kernel->sas, entry)
        if (!candidate->larval && !candidate->inbound && candidate->reqid == is->reqid &&
            candidate->mode == is->mode && candidate->protocol == is->protocol &&
            (!address_is_host(&is->local) || address_same_host(&candidate->source, &is->local)) &&
            address_same_host(&candidate->destination, &is->remote) &&
            (*sa == NULL || candidate->added_ms >= (*sa)->added_ms))
            *sa = candidate;
    if (*sa != NULL) {
        (*sa)->packets++;
        (*sa)->used_ms = now_ms;
        return FAKE_SEALED;
    }
    if ((*policy)->asked_until_ms > now_ms)
        return FAKE_HELD;
    (*policy)->asked_until_ms = now_ms + FAKE_ACQUIRE_MS;
    return FAKE_ACQUIRE;
}

bool fake_kernel_input(const struct fake_kernel *kernel, const struct selector *local,
                       const struct selector *remote, const struct fake_sa *sa)
{
    const struct fake_policy *policy = match(kernel, local, remote);

    if (policy == NULL)
        return true;
    if (sa == NULL)
        return policy->is.policy == POLICY_PREFER;
    return sa->reqid == policy->is.reqid && sa->mode == policy->is.mode &&
           (!address_is_host(&policy->is.remote) ||
            address_same_host(&sa->source, &policy->is.remote));
}

static bool packets_reached(const struct fake_sa *sa, uint64_t limit)
{
    return limit != 0 && sa->packets >= limit;
}

bool fake_kernel_expire(struct fake_kernel *kernel, uint64_t now_ms, enum fake_expiry *expiry,
                        struct fake_sa *expired)
{
    struct fake_sa *sa;

    TAILQ_FOREACH (sa, &kernel->sas, entry) {
        *expired = *sa;
        if (sa->hard_ms <= now_ms || packets_reached(sa, sa->hard_packets)) {
            *expiry = sa->larval ? FAKE_EXPIRED_LARVAL : FAKE_EXPIRED_HARD;
            drop_sa(kernel, sa);
            return true;
        }
        if (!sa->soft_told && (sa->soft_ms <= now_ms || packets_reached(sa, sa->soft_packets))) {
            *expiry = FAKE_EXPIRED_SOFT;
            sa->soft_told = true;
            kernel->deadline_known = false;
            return true;
        }
    }
    return false;
}

uint64_t fake_kernel_deadline(struct fake_kernel *kernel)
{
    const struct fake_sa *sa;

    if (kernel->deadline_known)
        return kernel->deadline_ms;
    kernel->deadline_known = true;
    kernel->deadline_ms = UINT64_MAX;
    TAILQ_FOREACH (sa, &kernel->sas, entry) {
        uint64_t due_ms = sa->soft_told || sa->soft_ms > sa->hard_ms ? sa->hard_ms : sa->soft_ms;
        if (due_ms < kernel->deadline_ms)
            kernel->deadline_ms = due_ms;
    }
    return kernel->deadline_ms;
}

size_t fake_kernel_count(const struct fake_kernel *kernel)
{
    const struct fake_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        count += !sa->larval;
    return count;
}

void fake_kernel_print(const struct fake_kernel *kernel, FILE *to)
{
    const struct fake_sa *sa;
    const struct fake_policy *policy;
    char a[SELECTOR_TEXT_MAX];
    char b[SELECTOR_TEXT_MAX];

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        fprintf(to, "    SA %08x %s > %s reqid %08x %s/%s%s%s%s%s\n", sa->spi,
                address_text(&sa->source, a), address_text(&sa->destination, b), sa->reqid,
                sa->connection.text, sa->child.text, sa->inbound ? " in" : " out",
                sa->encap ? " udp" : "", sa->larval ? " larval" : "", sa->orphan ? " orphan" : "");
    TAILQ_FOREACH (policy, &kernel->policies, entry)
        fprintf(to, "    policy %s === %s reqid %08x %s/%s\n",
                selector_text(&policy->is.local_selector, a),
                selector_text(&policy->is.remote_selector, b), policy->is.reqid,
                policy->is.connection.text, policy->is.child.text);
}

uint64_t fake_kernel_digest(const struct fake_kernel *kernel)
{
    static const uint8_t key[16] = "fake kernel";
    const struct fake_sa *sa;
    const struct fake_policy *policy;
    uint64_t digest = 0;

    TAILQ_FOREACH (sa, &kernel->sas, entry) {
        if (sa->larval)
            continue;
        uint64_t parts[] = {digest,
                            sa->spi,
                            sa->reqid,
                            sa->protocol,
                            sa->inbound,
                            sa->added_ms,
                            hash_keyed(key, slice_of(sa->key, sa->key_size)),
                            hash_keyed(key, address_bytes(&sa->destination))};
        digest = hash_keyed(key, slice_of(parts, sizeof(parts)));
    }
    TAILQ_FOREACH (policy, &kernel->policies, entry) {
        uint64_t parts[] = {digest,
                            policy->is.reqid,
                            policy->is.mode,
                            policy->is.policy,
                            hash_keyed(key, address_bytes(&policy->is.remote)),
                            hash_keyed(key, slice_of(&policy->is.local_selector.start, 16)),
                            hash_keyed(key, slice_of(&policy->is.remote_selector.start, 16))};
        digest = hash_keyed(key, slice_of(parts, sizeof(parts)));
    }
    return digest;
}
