/*
 * The kernel of a simulated host: see fake_kernel.h.
 */
#include "test/common/fake_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/writer.h"

#define SPI_FIRST 0x100u /* below stands what RFC 4303 section 2.1 keeps */

void fake_kernel_init(struct fake_kernel *kernel, uint64_t seed)
{
    *kernel = (struct fake_kernel){.kernel = {.ops = &fake_kernel_ops}, .chance = chance_of(seed)};
    TAILQ_INIT(&kernel->notices);
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

static void drop_policy(struct fake_kernel *kernel, struct fake_policy *policy)
{
    TAILQ_REMOVE(&kernel->policies, policy, entry);
    free(policy);
}

void fake_kernel_flush_policies(struct fake_kernel *kernel)
{
    struct fake_policy *policy;

    while ((policy = TAILQ_FIRST(&kernel->policies)) != NULL)
        drop_policy(kernel, policy);
    kernel->bypass = false;
}

/* Acquires are larval SAs, and go with the others. */
void fake_kernel_flush_sas(struct fake_kernel *kernel)
{
    struct fake_sa *sa;
    struct fake_policy *policy;

    while ((sa = TAILQ_FIRST(&kernel->sas)) != NULL)
        drop_sa(kernel, sa);
    TAILQ_FOREACH (policy, &kernel->policies, entry)
        policy->asked_until_ms = 0;
}

void fake_kernel_drop_notices(struct fake_kernel *kernel)
{
    struct fake_notice *notice;

    while ((notice = TAILQ_FIRST(&kernel->notices)) != NULL) {
        TAILQ_REMOVE(&kernel->notices, notice, entry);
        free(notice);
    }
}

void fake_kernel_clear(struct fake_kernel *kernel)
{
    fake_kernel_flush_policies(kernel);
    fake_kernel_flush_sas(kernel);
    fake_kernel_drop_notices(kernel);
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

int fake_kernel_allocate(struct fake_kernel *kernel, const struct effect_allocate_spi *allocate,
                         uint64_t now_ms, uint32_t *spi)
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
    return 0;
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

/* The larval SAs that asked for it have what they waited for. */
static void forget_asked(struct fake_kernel *kernel, uint32_t reqid)
{
    struct fake_policy *policy;

    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if (policy->is.reqid == reqid)
            policy->asked_until_ms = 0;
}

int fake_kernel_install(struct fake_kernel *kernel, const struct effect_install_sa *install,
                        uint64_t now_ms)
{
    struct fake_sa *sa = find(kernel, &install->destination, install->spi, install->protocol);

    if (install->inbound && (sa == NULL || !sa->larval))
        return ESRCH;
    if (!install->inbound && sa != NULL)
        return EEXIST;
    fill(sa != NULL ? sa : add_sa(kernel), install, now_ms);
    kernel->deadline_known = false;
    if (!install->inbound)
        forget_asked(kernel, install->reqid);
    return 0;
}

int fake_kernel_query(const struct fake_kernel *kernel, const struct effect_query_sa *query,
                      uint64_t *packets)
{
    const struct fake_sa *sa =
        fake_kernel_find_sa(kernel, &query->destination, query->spi, query->protocol);

    if (sa == NULL)
        return ESRCH;
    *packets = sa->packets;
    return 0;
}

uint32_t fake_kernel_ago_s(const struct fake_kernel *kernel, uint32_t spi, uint64_t now_ms)
{
    const struct fake_sa *sa;

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        if (sa->inbound && sa->spi == spi && sa->used_ms != 0 && sa->used_ms <= now_ms &&
            !kernel->undated)
            return (uint32_t)((now_ms - sa->used_ms) / 1000);
    return ANSWER_AGO_UNKNOWN;
}

int fake_kernel_remove(struct fake_kernel *kernel, const struct effect_remove_sa *remove)
{
    struct fake_sa *sa = find(kernel, &remove->destination, remove->spi, remove->protocol);

    if (sa == NULL) {
        kernel->missing_removals++;
        return ESRCH;
    }
    drop_sa(kernel, sa);
    return 0;
}

static struct fake_sa *copy_sa(struct fake_kernel *kernel, const struct fake_sa *sa)
{
    struct fake_sa *copy = add_sa(kernel);
    struct fake_sa linked = *copy;

    *copy = *sa;
    copy->entry = linked.entry;
    kernel->deadline_known = false;
    return copy;
}

int fake_kernel_move(struct fake_kernel *kernel, const struct effect_move_sa *move)
{
    struct fake_sa *sa = fake_kernel_find_sa(kernel, &move->destination, move->spi, move->protocol);

    if (sa == NULL) {
        kernel->missing_removals++;
        return ESRCH;
    }
    if (!address_same_host(&move->destination, &move->new_destination)) {
        if (find(kernel, &move->new_destination, move->spi, move->protocol) != NULL)
            return EEXIST;
        sa = copy_sa(kernel, sa);
    }
    sa->encap = move->encap;
    sa->source = move->new_source;
    sa->destination = move->new_destination;
    return 0;
}

/* --- Policies --- */

static struct fake_policy *find_policy(const struct fake_kernel *kernel, const struct piece *piece)
{
    struct fake_policy *policy;

    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if (piece_equal(&policy->piece, piece))
            return policy;
    return NULL;
}

static bool same_template(const struct policy_template *a, const struct policy_template *b)
{
    return a->reqid == b->reqid && a->mode == b->mode && a->protocol == b->protocol &&
           address_same_host(&a->local, &b->local) && address_same_host(&a->remote, &b->remote);
}

/* XFRM_MSG_UPDPOLICY: the same selector is replaced, whoever made it and whatever its priority; the
 * new one goes behind its equals. */
void fake_kernel_set_piece(struct fake_kernel *kernel, const struct piece *piece,
                           const struct policy_template *is)
{
    struct fake_policy *policy = find_policy(kernel, piece);

    if (policy == NULL) {
        policy = calloc(1, sizeof(*policy));
        if (policy == NULL)
            abort();
        policy->piece = *piece;
    } else {
        TAILQ_REMOVE(&kernel->policies, policy, entry);
    }
    if (!same_template(&policy->is, is))
        policy->asked_until_ms = 0;
    policy->is = *is;
    policy->priority = piece_priority(piece, is->policy);
    TAILQ_INSERT_TAIL(&kernel->policies, policy, entry);
    if (kernel->changed != NULL)
        kernel->changed(kernel->context);
}

int fake_kernel_remove_piece(struct fake_kernel *kernel, const struct piece *piece)
{
    struct fake_policy *policy = find_policy(kernel, piece);

    if (policy == NULL) {
        kernel->missing_removals++;
        return ENOENT;
    }
    drop_policy(kernel, policy);
    if (kernel->changed != NULL)
        kernel->changed(kernel->context);
    return 0;
}

void fake_kernel_orphan_all(struct fake_kernel *kernel)
{
    struct fake_sa *sa;

    TAILQ_FOREACH (sa, &kernel->sas, entry)
        sa->orphan = !sa->larval;
}

/* --- Packets --- */

static bool has_prefix(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
    unsigned octets = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(address, prefix, octets) == 0 &&
           (rest == 0 || (address[octets] ^ prefix[octets]) >> (8 - rest) == 0);
}

/* Of ICMP type and code stand in either selector as `type << 8 | code`. */
bool fake_piece_has(const struct piece *piece, const struct selector *local,
                    const struct selector *remote)
{
    bool icmp = protocol_is_icmp(piece->protocol);
    unsigned local_port = icmp ? local->port_start >> 8 : local->port_start;
    unsigned remote_port = icmp ? local->port_start & 0xff : remote->port_start;

    return piece->family == local->family && piece->family == remote->family &&
           (piece->protocol == 0 || piece->protocol == local->protocol) &&
           ((local_port ^ piece->local_port) & piece->local_mask) == 0 &&
           ((remote_port ^ piece->remote_port) & piece->remote_mask) == 0 &&
           has_prefix(local->start, piece->local, piece->local_bits) &&
           has_prefix(remote->start, piece->remote, piece->remote_bits);
}

static struct fake_policy *match(const struct fake_kernel *kernel, const struct selector *local,
                                 const struct selector *remote)
{
    struct fake_policy *policy;
    struct fake_policy *best = NULL;

    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if ((best == NULL || policy->priority < best->priority) &&
            fake_piece_has(&policy->piece, local, remote))
            best = policy;
    return best;
}

/* The template's ends; in transport mode the packet's own.  An unspecified remote one fits no SA.
 */
static bool fits_template(const struct fake_sa *sa, const struct policy_template *is,
                          const struct selector *local, const struct selector *remote)
{
    if (sa->larval || sa->inbound || sa->reqid != is->reqid || sa->mode != is->mode ||
        sa->protocol != is->protocol)
        return false;
    if (is->mode == CHILD_TRANSPORT)
        return memcmp(sa->source.bytes, local->start, sizeof(local->start)) == 0 &&
               memcmp(sa->destination.bytes, remote->start, sizeof(remote->start)) == 0;
    return (!address_is_host(&is->local) || address_same_host(&sa->source, &is->local)) &&
           address_same_host(&sa->destination, &is->remote);
}

static struct fake_sa *sa_for(const struct fake_kernel *kernel, const struct policy_template *is,
                              const struct selector *local, const struct selector *remote)
{
    struct fake_sa *candidate;
    struct fake_sa *best = NULL;

    TAILQ_FOREACH (candidate, &kernel->sas, entry)
        if (fits_template(candidate, is, local, remote) &&
            (best == NULL || candidate->added_ms >= best->added_ms))
            best = candidate;
    return best;
}

enum fake_verdict fake_kernel_would(const struct fake_kernel *kernel, const struct selector *local,
                                    const struct selector *remote,
                                    const struct fake_policy **policy, const struct fake_sa **sa)
{
    const struct fake_policy *found = match(kernel, local, remote);
    const struct fake_sa *by = found == NULL ? NULL : sa_for(kernel, &found->is, local, remote);

    if (policy != NULL)
        *policy = found;
    if (sa != NULL)
        *sa = by;
    if (by != NULL)
        return FAKE_SEALED;
    return found == NULL || found->is.policy == POLICY_PREFER ? FAKE_CLEAR : FAKE_HELD;
}

/* The larval SA of an acquire is told by its template, and one is enough for all its policies. */
static bool is_asked(const struct fake_kernel *kernel, const struct fake_policy *like,
                     uint64_t now_ms)
{
    const struct fake_policy *policy;

    TAILQ_FOREACH (policy, &kernel->policies, entry)
        if (policy->asked_until_ms > now_ms && same_template(&policy->is, &like->is))
            return true;
    return false;
}

static void ask(struct fake_kernel *kernel, struct fake_policy *policy,
                const struct selector *local, const struct selector *remote, uint64_t now_ms)
{
    struct kernel_notice notice = {
        .kind = NOTICE_ACQUIRE,
        .sa = {.source = policy->is.local,
               .destination = policy->is.remote,
               .reqid = policy->is.reqid,
               .protocol = policy->is.protocol,
               .mode = policy->is.mode,
               .local_packet = *local,
               .remote_packet = *remote},
    };

    policy->asked_until_ms = now_ms + FAKE_ACQUIRE_MS;
    policy->local_packet = *local;
    policy->remote_packet = *remote;
    fake_kernel_notice(kernel, &notice);
}

enum fake_verdict fake_kernel_output(struct fake_kernel *kernel, const struct selector *local,
                                     const struct selector *remote, uint64_t now_ms,
                                     struct fake_policy **policy, struct fake_sa **sa)
{
    *policy = match(kernel, local, remote);
    *sa = *policy == NULL ? NULL : sa_for(kernel, &(*policy)->is, local, remote);
    if (*policy == NULL)
        return FAKE_CLEAR;
    if (*sa != NULL) {
        (*sa)->packets++;
        (*sa)->used_ms = now_ms;
        return FAKE_SEALED;
    }
    bool asked = is_asked(kernel, *policy, now_ms);
    if (!asked)
        ask(kernel, *policy, local, remote, now_ms);
    if ((*policy)->is.policy == POLICY_PREFER)
        return FAKE_CLEAR;
    return asked ? FAKE_HELD : FAKE_ACQUIRE;
}

/* xfrm_policy_check: templates of what comes in name no source (iked/keeper/xfrm/xfrm_encode.c). */
bool fake_kernel_input(const struct fake_kernel *kernel, const struct selector *local,
                       const struct selector *remote, const struct fake_sa *sa)
{
    const struct fake_policy *policy = match(kernel, local, remote);

    if (policy == NULL)
        return sa == NULL || sa->mode == CHILD_TRANSPORT;
    if (sa == NULL)
        return policy->is.policy == POLICY_PREFER;
    if (sa->reqid == policy->is.reqid && sa->mode == policy->is.mode)
        return true;
    return policy->is.policy == POLICY_PREFER && sa->mode == CHILD_TRANSPORT;
}

/* --- What it has to say --- */

void fake_kernel_notice(struct fake_kernel *kernel, const struct kernel_notice *notice)
{
    struct fake_notice *fresh = calloc(1, sizeof(*fresh));

    if (fresh == NULL)
        abort();
    fresh->is = *notice;
    TAILQ_INSERT_TAIL(&kernel->notices, fresh, entry);
}

struct kernel_sa fake_sa_told(const struct fake_sa *sa)
{
    return (struct kernel_sa){
        .source = sa->source,
        .destination = sa->destination,
        .spi = sa->spi,
        .reqid = sa->reqid,
        .protocol = sa->protocol,
        .mode = sa->mode,
        .encap = sa->encap,
        .packets = sa->packets,
    };
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

/* A side of a piece, for people. */
static struct selector side_of(const struct piece *piece, bool local)
{
    unsigned bits = local ? piece->local_bits : piece->remote_bits;
    uint16_t port = local ? piece->local_port : piece->remote_port;
    uint16_t mask = local ? piece->local_mask : piece->remote_mask;
    struct selector selector = {
        .family = piece->family,
        .protocol = piece->protocol,
        .port_start = port,
        .port_end = (uint16_t)(port | (uint16_t)~mask),
    };

    memcpy(selector.start, local ? piece->local : piece->remote, sizeof(selector.start));
    memcpy(selector.end, selector.start, sizeof(selector.end));
    for (unsigned bit = bits; bit < (piece->family == FAMILY_IPV6 ? 128 : 32); bit++)
        selector.end[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return selector;
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
    TAILQ_FOREACH (policy, &kernel->policies, entry) {
        struct selector local = side_of(&policy->piece, true);
        struct selector remote = side_of(&policy->piece, false);
        fprintf(to, "    policy %s === %s reqid %08x priority %u\n", selector_text(&local, a),
                selector_text(&remote, b), policy->is.reqid, policy->priority);
    }
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
                            hash_keyed(key, slice_of(policy->piece.local, 16)),
                            hash_keyed(key, slice_of(policy->piece.remote, 16)),
                            policy->priority};
        digest = hash_keyed(key, slice_of(parts, sizeof(parts)));
    }
    return digest;
}
