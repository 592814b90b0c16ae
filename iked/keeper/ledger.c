/*
 * What is in the kernel on iked's behalf: see ledger.h.
 *
 * Owners and reqid uses live as long as something refers to them.
 */
#include "iked/keeper/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/writer.h"

#define KEY_OCTETS_MAX  160
#define PAIR_OCTETS_MAX (2 * SELECTOR_OCTETS_MAX)

/* What grows here grows a hundred thousand times. */
_Static_assert(sizeof(struct sa_record) <= 88, "an SA's record is small");
_Static_assert(sizeof(struct policy_record) <= 24, "a policy's record is small");
_Static_assert(sizeof(struct piece_record) <= 64, "a piece's record is small");

/* --- Keys --- */

static uint64_t key_of(const struct ledger *ledger, const struct writer *writer)
{
    return hash_keyed(ledger->hash_key, writer_slice(writer));
}

static uint64_t owner_key(const struct ledger *ledger, const struct name *connection,
                          const struct name *child)
{
    uint8_t octets[KEY_OCTETS_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    writer_bytes(&writer, slice_text(connection->text));
    writer_u8(&writer, 0);
    writer_bytes(&writer, slice_text(child->text));
    return key_of(ledger, &writer);
}

static uint64_t key_of_owner(const void *ledger, const struct hash_node *node)
{
    const struct owner *owner = HASH_OWNER(node, const struct owner, node);

    return owner_key(ledger, &owner->connection, &owner->child);
}

static uint64_t key_of_reqid(const void *ledger, const struct hash_node *node)
{
    (void)ledger;
    return HASH_OWNER(node, const struct reqid_use, node)->reqid;
}

static uint64_t sa_key(const struct ledger *ledger, const struct address *destination, uint32_t spi,
                       uint8_t protocol)
{
    uint8_t octets[KEY_OCTETS_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    writer_bytes(&writer, address_bytes(destination));
    writer_u32(&writer, spi);
    writer_u8(&writer, protocol);
    return key_of(ledger, &writer);
}

static uint64_t key_of_sa(const void *ledger, const struct hash_node *node)
{
    const struct sa_record *sa = HASH_OWNER(node, const struct sa_record, node);

    return sa_key(ledger, &sa->destination, sa->spi, sa->protocol);
}

static struct slice pair_slice(const struct policy_record *policy)
{
    return slice_of(policy->pair, policy->pair_size);
}

static uint64_t key_of_policy(const void *context, const struct hash_node *node)
{
    const struct ledger *ledger = context;

    return hash_keyed(ledger->hash_key,
                      pair_slice(HASH_OWNER(node, const struct policy_record, node)));
}

static uint64_t piece_key(const struct ledger *ledger, const struct piece *piece)
{
    uint8_t octets[KEY_OCTETS_MAX];
    struct writer writer = writer_of(octets, sizeof(octets));

    writer_u8(&writer, piece->family);
    writer_u8(&writer, piece->protocol);
    writer_u8(&writer, piece->local_bits);
    writer_u8(&writer, piece->remote_bits);
    writer_u16(&writer, piece->local_port);
    writer_u16(&writer, piece->local_mask);
    writer_u16(&writer, piece->remote_port);
    writer_u16(&writer, piece->remote_mask);
    writer_bytes(&writer, slice_of(piece->local, sizeof(piece->local)));
    writer_bytes(&writer, slice_of(piece->remote, sizeof(piece->remote)));
    return key_of(ledger, &writer);
}

static uint64_t key_of_piece(const void *ledger, const struct hash_node *node)
{
    return piece_key(ledger, &HASH_OWNER(node, const struct piece_record, node)->piece);
}

/* --- The ledger --- */

bool ledger_init(struct ledger *ledger, const uint8_t hash_key[16])
{
    *ledger = (struct ledger){.session = 1};
    memcpy(ledger->hash_key, hash_key, sizeof(ledger->hash_key));
    TAILQ_INIT(&ledger->owner_list);
    return hash_init(&ledger->owners, key_of_owner, ledger) &&
           hash_init(&ledger->reqids, key_of_reqid, ledger) &&
           hash_init(&ledger->sas, key_of_sa, ledger) &&
           hash_init(&ledger->policies, key_of_policy, ledger) &&
           hash_init(&ledger->pieces, key_of_piece, ledger);
}

void ledger_free(struct ledger *ledger)
{
    struct hash_walk walk;
    struct hash_node *node;

    hash_walk_begin(&walk, &ledger->sas);
    while ((node = hash_walk_next(&walk)) != NULL)
        ledger_remove_sa(ledger, HASH_OWNER(node, struct sa_record, node));
    hash_walk_end(&walk);
    hash_walk_begin(&walk, &ledger->policies);
    while ((node = hash_walk_next(&walk)) != NULL)
        ledger_remove_policy(ledger, HASH_OWNER(node, struct policy_record, node));
    hash_walk_end(&walk);
    hash_walk_begin(&walk, &ledger->pieces);
    while ((node = hash_walk_next(&walk)) != NULL)
        ledger_remove_piece(ledger, HASH_OWNER(node, struct piece_record, node));
    hash_walk_end(&walk);
    hash_free(&ledger->owners);
    hash_free(&ledger->reqids);
    hash_free(&ledger->sas);
    hash_free(&ledger->policies);
    hash_free(&ledger->pieces);
}

/* --- Owners and reqids --- */

struct owner *ledger_owner(const struct ledger *ledger, const struct name *connection,
                           const struct name *child)
{
    struct hash_node *node = hash_first(&ledger->owners, owner_key(ledger, connection, child));

    for (; node != NULL; node = hash_next(node)) {
        struct owner *owner = HASH_OWNER(node, struct owner, node);
        if (strcmp(owner->connection.text, connection->text) == 0 &&
            strcmp(owner->child.text, child->text) == 0)
            return owner;
    }
    return NULL;
}

static struct owner *owner_get(struct ledger *ledger, const struct name *connection,
                               const struct name *child)
{
    struct owner *owner = ledger_owner(ledger, connection, child);

    if (owner != NULL)
        return owner;
    owner = calloc(1, sizeof(*owner));
    if (owner == NULL)
        return NULL;
    owner->connection = *connection;
    owner->child = *child;
    TAILQ_INIT(&owner->sas);
    TAILQ_INSERT_TAIL(&ledger->owner_list, owner, entry);
    hash_insert(&ledger->owners, &owner->node);
    return owner;
}

static void walk_to(struct sa_walk *walk, struct owner *owner)
{
    walk->owner = owner;
    walk->next = owner != NULL ? TAILQ_FIRST(&owner->sas) : NULL;
}

static void owner_put(struct ledger *ledger, struct owner *owner)
{
    if (owner->sa_count > 0 || owner->policy_count > 0)
        return;
    for (struct sa_walk *walk = ledger->walks; walk != NULL; walk = walk->outer)
        if (walk->owner == owner)
            walk_to(walk, walk->all ? TAILQ_NEXT(owner, entry) : NULL);
    hash_remove(&ledger->owners, &owner->node);
    TAILQ_REMOVE(&ledger->owner_list, owner, entry);
    free(owner);
}

static struct reqid_use *reqid_find(const struct ledger *ledger, uint32_t reqid)
{
    struct hash_node *node = hash_first(&ledger->reqids, reqid);

    for (; node != NULL; node = hash_next(node)) {
        struct reqid_use *use = HASH_OWNER(node, struct reqid_use, node);
        if (use->reqid == reqid)
            return use;
    }
    return NULL;
}

struct owner *ledger_reqid_owner(const struct ledger *ledger, uint32_t reqid)
{
    const struct reqid_use *use = reqid_find(ledger, reqid);

    return use != NULL ? use->owner : NULL;
}

static struct reqid_use *reqid_get(struct ledger *ledger, uint32_t reqid, struct owner *owner)
{
    struct reqid_use *use = reqid_find(ledger, reqid);

    if (use == NULL) {
        use = calloc(1, sizeof(*use));
        if (use == NULL)
            return NULL;
        use->owner = owner;
        use->reqid = reqid;
        hash_insert(&ledger->reqids, &use->node);
    }
    if (use->owner != owner)
        return NULL;
    use->use_count++;
    return use;
}

static void reqid_put(struct ledger *ledger, struct reqid_use *use)
{
    if (--use->use_count > 0)
        return;
    hash_remove(&ledger->reqids, &use->node);
    free(use);
}

/* --- SAs --- */

struct sa_record *ledger_find_sa(const struct ledger *ledger, const struct address *destination,
                                 uint32_t spi, uint8_t protocol)
{
    struct hash_node *node = hash_first(&ledger->sas, sa_key(ledger, destination, spi, protocol));

    for (; node != NULL; node = hash_next(node)) {
        struct sa_record *sa = HASH_OWNER(node, struct sa_record, node);
        if (sa->spi == spi && sa->protocol == protocol &&
            address_same_host(&sa->destination, destination))
            return sa;
    }
    return NULL;
}

static void sa_count(struct ledger *ledger, const struct sa_record *sa, uint32_t by)
{
    struct owner *owner = sa->reqid->owner;

    ledger->sa_count += by;
    owner->sa_count += by;
    if (!sa->filled)
        owner->spi_count += by;
    if (sa->orphan) {
        ledger->orphan_count += by;
        owner->orphan_count += by;
    }
}

struct sa_record *ledger_add_sa(struct ledger *ledger, const struct sa_entry *entry)
{
    struct sa_record *sa = ledger->sa_count < LEDGER_SAS_MAX ? calloc(1, sizeof(*sa)) : NULL;

    if (sa == NULL)
        return NULL;
    struct owner *owner = owner_get(ledger, entry->connection, entry->child);
    if (owner != NULL)
        sa->reqid = reqid_get(ledger, entry->reqid, owner);
    if (sa->reqid == NULL) {
        if (owner != NULL)
            owner_put(ledger, owner);
        free(sa);
        return NULL;
    }
    sa->source = *entry->source;
    sa->destination = *entry->destination;
    sa->spi = entry->spi;
    sa->protocol = entry->protocol;
    sa->mode = entry->mode;
    sa->inbound = entry->inbound;
    sa->encap = entry->encap;
    sa->filled = entry->filled;
    sa->orphan = entry->orphan;
    hash_insert(&ledger->sas, &sa->node);
    TAILQ_INSERT_TAIL(&owner->sas, sa, entry);
    sa_count(ledger, sa, 1);
    return sa;
}

void ledger_fill_sa(struct sa_record *sa, bool filled)
{
    struct owner *owner = sa->reqid->owner;

    owner->spi_count -= sa->filled ? 0 : 1;
    sa->filled = filled;
    owner->spi_count += sa->filled ? 0 : 1;
}

bool ledger_set_reqid(struct ledger *ledger, struct sa_record *sa, uint32_t reqid)
{
    struct reqid_use *use = reqid_get(ledger, reqid, sa->reqid->owner);

    if (use == NULL)
        return false;
    reqid_put(ledger, sa->reqid);
    sa->reqid = use;
    return true;
}

void ledger_move_sa(struct ledger *ledger, struct sa_record *sa, const struct address *source,
                    const struct address *destination, bool encap)
{
    hash_remove(&ledger->sas, &sa->node);
    sa->source = *source;
    sa->destination = *destination;
    sa->encap = encap;
    hash_insert(&ledger->sas, &sa->node);
}

void ledger_remove_sa(struct ledger *ledger, struct sa_record *sa)
{
    struct owner *owner = sa->reqid->owner;

    for (struct sa_walk *walk = ledger->walks; walk != NULL; walk = walk->outer)
        if (walk->next == sa)
            walk->next = TAILQ_NEXT(sa, entry);
    sa_count(ledger, sa, UINT32_MAX); /* minus one */
    hash_remove(&ledger->sas, &sa->node);
    TAILQ_REMOVE(&owner->sas, sa, entry);
    reqid_put(ledger, sa->reqid);
    owner_put(ledger, owner);
    free(sa);
}

void sa_walk_begin(struct sa_walk *walk, struct ledger *ledger, struct owner *owner)
{
    *walk = (struct sa_walk){.ledger = ledger, .outer = ledger->walks, .all = owner == NULL};
    walk_to(walk, owner != NULL ? owner : TAILQ_FIRST(&ledger->owner_list));
    ledger->walks = walk;
}

struct sa_record *sa_walk_next(struct sa_walk *walk)
{
    while (walk->next == NULL && walk->owner != NULL)
        walk_to(walk, walk->all ? TAILQ_NEXT(walk->owner, entry) : NULL);
    struct sa_record *sa = walk->next;
    if (sa != NULL)
        walk->next = TAILQ_NEXT(sa, entry);
    return sa;
}

void sa_walk_end(struct sa_walk *walk)
{
    walk->ledger->walks = walk->outer;
}

void ledger_next_session(struct ledger *ledger, uint64_t now_ms)
{
    struct owner *owner;
    struct sa_record *sa;

    TAILQ_FOREACH (owner, &ledger->owner_list, entry) {
        TAILQ_FOREACH (sa, &owner->sas, entry) {
            if (!sa->orphan)
                sa->orphaned_ms = now_ms;
            sa->orphan = true;
        }
        owner->orphan_count = owner->sa_count;
    }
    ledger->orphan_count = ledger->sa_count;
    ledger->session++;
}

/* --- Policies --- */

struct child_selectors policy_pair(const struct policy_record *policy)
{
    struct reader reader = reader_of(pair_slice(policy));
    struct child_selectors pair = {0};

    pair.local = selector_unpack(&reader);
    pair.remote = selector_unpack(&reader);
    return pair;
}

static struct slice pair_write(uint8_t octets[PAIR_OCTETS_MAX], const struct selector *local,
                               const struct selector *remote)
{
    struct writer writer = writer_of(octets, PAIR_OCTETS_MAX);

    selector_pack(&writer, local);
    selector_pack(&writer, remote);
    return writer_slice(&writer);
}

struct policy_record *ledger_find_policy(const struct ledger *ledger, const struct selector *local,
                                         const struct selector *remote)
{
    uint8_t octets[PAIR_OCTETS_MAX];
    struct slice pair = pair_write(octets, local, remote);
    struct hash_node *node = hash_first(&ledger->policies, hash_keyed(ledger->hash_key, pair));

    for (; node != NULL; node = hash_next(node)) {
        struct policy_record *policy = HASH_OWNER(node, struct policy_record, node);
        if (slice_equal(pair_slice(policy), pair))
            return policy;
    }
    return NULL;
}

static struct policy_record *policy_add(struct ledger *ledger, const struct effect_policy *from,
                                        struct reqid_use *reqid)
{
    uint8_t octets[PAIR_OCTETS_MAX];
    struct slice pair = pair_write(octets, &from->local_selector, &from->remote_selector);
    struct policy_record *policy = ledger->policies.count < LEDGER_POLICIES_MAX
                                       ? calloc(1, sizeof(*policy) + pair.size)
                                       : NULL;

    if (policy == NULL)
        return NULL;
    policy->reqid = reqid;
    policy->pair_size = (uint8_t)pair.size;
    memcpy(policy->pair, pair.data, pair.size);
    hash_insert(&ledger->policies, &policy->node);
    reqid->owner->policy_count++;
    return policy;
}

static void policy_give(struct ledger *ledger, struct policy_record *policy,
                        struct reqid_use *reqid)
{
    struct owner *before = policy->reqid->owner;

    reqid_put(ledger, policy->reqid);
    policy->reqid = reqid;
    reqid->owner->policy_count++;
    before->policy_count--;
    owner_put(ledger, before);
}

struct policy_record *ledger_set_policy(struct ledger *ledger, const struct effect_policy *from)
{
    struct owner *owner = owner_get(ledger, &from->connection, &from->child);

    if (owner == NULL)
        return NULL;
    struct reqid_use *reqid = reqid_get(ledger, from->reqid, owner);
    struct policy_record *policy =
        ledger_find_policy(ledger, &from->local_selector, &from->remote_selector);
    if (reqid != NULL && policy != NULL)
        policy_give(ledger, policy, reqid);
    else if (reqid != NULL)
        policy = policy_add(ledger, from, reqid);
    if (reqid == NULL || policy == NULL) {
        if (reqid != NULL)
            reqid_put(ledger, reqid);
        owner_put(ledger, owner);
        return NULL;
    }
    policy->session = ledger->session;
    return policy;
}

void ledger_remove_policy(struct ledger *ledger, struct policy_record *policy)
{
    struct owner *owner = policy->reqid->owner;

    hash_remove(&ledger->policies, &policy->node);
    owner->policy_count--;
    reqid_put(ledger, policy->reqid);
    owner_put(ledger, owner);
    free(policy);
}

/* --- Pieces --- */

struct piece_record *ledger_find_piece(const struct ledger *ledger, const struct piece *piece)
{
    struct hash_node *node = hash_first(&ledger->pieces, piece_key(ledger, piece));

    for (; node != NULL; node = hash_next(node)) {
        struct piece_record *record = HASH_OWNER(node, struct piece_record, node);
        if (piece_equal(&record->piece, piece))
            return record;
    }
    return NULL;
}

struct piece_record *ledger_add_piece(struct ledger *ledger, const struct piece *piece,
                                      uint32_t reqid, uint8_t mode)
{
    struct piece_record *record = ledger_find_piece(ledger, piece);

    if (record == NULL) {
        record = calloc(1, sizeof(*record));
        if (record == NULL)
            return NULL;
        record->piece = *piece;
        hash_insert(&ledger->pieces, &record->node);
    }
    record->reqid = reqid;
    record->mode = mode;
    return record;
}

void ledger_remove_piece(struct ledger *ledger, struct piece_record *piece)
{
    hash_remove(&ledger->pieces, &piece->node);
    free(piece);
}
