/*
 * What is in the kernel on iked's behalf: see ledger.h.
 *
 * Owners, reqids and SAs; policies and pieces have files of their own.
 */
#include "iked/keeper/gate/ledger_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/writer.h"

#define KEY_OCTETS_MAX 160

/* What grows here grows a hundred thousand times. */
_Static_assert(offsetof(struct sa_record, ends) <= 48, "an SA's record is small");

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

static uint8_t sa_family(const struct sa_record *sa)
{
    return sa->is_v6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

static struct address sa_end(const struct sa_record *sa, size_t number, uint16_t port)
{
    size_t size = address_size(sa_family(sa));
    struct address end = {.family = sa_family(sa), .port = port};

    memcpy(end.bytes, sa->ends + number * size, size);
    return end;
}

struct address sa_source(const struct sa_record *sa)
{
    return sa_end(sa, 0, sa->source_port);
}

struct address sa_destination(const struct sa_record *sa)
{
    return sa_end(sa, 1, sa->destination_port);
}

struct address sa_local(const struct sa_record *sa)
{
    return sa->inbound ? sa_destination(sa) : sa_source(sa);
}

struct address sa_remote(const struct sa_record *sa)
{
    return sa->inbound ? sa_source(sa) : sa_destination(sa);
}

static uint64_t key_of_sa(const void *ledger, const struct hash_node *node)
{
    const struct sa_record *sa = HASH_OWNER(node, const struct sa_record, node);

    struct address destination = sa_destination(sa);

    return sa_key(ledger, &destination, sa->spi, sa->protocol);
}

/* --- The ledger --- */

bool ledger_init(struct ledger *ledger, const uint8_t hash_key[16])
{
    *ledger = (struct ledger){.session = 1, .look = 1};
    memcpy(ledger->hash_key, hash_key, sizeof(ledger->hash_key));
    TAILQ_INIT(&ledger->owner_list);
    return hash_init(&ledger->owners, key_of_owner, ledger) &&
           hash_init(&ledger->reqids, key_of_reqid, ledger) &&
           hash_init(&ledger->sas, key_of_sa, ledger) && policies_init(ledger) &&
           pieces_init(ledger);
}

void ledger_free(struct ledger *ledger)
{
    struct hash_walk walk;
    struct hash_node *node;

    hash_walk_begin(&walk, &ledger->sas);
    while ((node = hash_walk_next(&walk)) != NULL)
        ledger_remove_sa(ledger, HASH_OWNER(node, struct sa_record, node));
    hash_walk_end(&walk);
    policies_free(ledger);
    pieces_free(ledger);
    hash_free(&ledger->owners);
    hash_free(&ledger->reqids);
    hash_free(&ledger->sas);
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

struct owner *owner_get(struct ledger *ledger, const struct name *connection,
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

void owner_put(struct ledger *ledger, struct owner *owner)
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

struct reqid_use *reqid_find(const struct ledger *ledger, uint32_t reqid)
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

bool ledger_reqid_has_policies(const struct ledger *ledger, uint32_t reqid)
{
    const struct reqid_use *use = reqid_find(ledger, reqid);

    return use != NULL && use->templates != NULL;
}

struct reqid_use *reqid_get(struct ledger *ledger, uint32_t reqid, struct owner *owner)
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

void reqid_put(struct ledger *ledger, struct reqid_use *use)
{
    if (--use->use_count > 0)
        return;
    hash_remove(&ledger->reqids, &use->node);
    free(use);
}

static const char *fault(const struct ledger *ledger, const struct name *connection,
                         const struct name *child, uint32_t reqid, bool full)
{
    const struct reqid_use *use = reqid_find(ledger, reqid);

    if (use != NULL && use->owner != ledger_owner(ledger, connection, child))
        return "the reqid is another child's";
    return full ? "no more can be kept count of" : "out of memory";
}

const char *ledger_sa_fault(const struct ledger *ledger, const struct name *connection,
                            const struct name *child, uint32_t reqid)
{
    return fault(ledger, connection, child, reqid, ledger->sa_count >= LEDGER_SAS_MAX);
}

const char *ledger_policy_fault(const struct ledger *ledger, const struct name *connection,
                                const struct name *child, uint32_t reqid)
{
    return fault(ledger, connection, child, reqid, false);
}

/* --- SAs --- */

struct sa_record *ledger_find_sa(const struct ledger *ledger, const struct address *destination,
                                 uint32_t spi, uint8_t protocol)
{
    struct hash_node *node = hash_first(&ledger->sas, sa_key(ledger, destination, spi, protocol));

    for (; node != NULL; node = hash_next(node)) {
        struct sa_record *sa = HASH_OWNER(node, struct sa_record, node);
        struct address is = sa_destination(sa);
        if (sa->spi == spi && sa->protocol == protocol && address_same_host(&is, destination))
            return sa;
    }
    return NULL;
}

/* By one, up or down. */
static void outbound_count(const struct sa_record *sa, struct reqid_use *reqid, uint32_t by)
{
    if (sa->inbound)
        return;
    reqid->out_count += by;
    reqid->mute = reqid->out_count == 0;
}

static void sa_count(struct ledger *ledger, const struct sa_record *sa, uint32_t by)
{
    struct owner *owner = sa->reqid->owner;

    ledger->sa_count += by;
    owner->sa_count += by;
    outbound_count(sa, sa->reqid, by);
    if (!sa->filled)
        owner->spi_count += by;
    if (sa->orphan) {
        ledger->orphan_count += by;
        owner->orphan_count += by;
    }
}

/* With room for ends of this family.  NULL when memory is out. */
static struct sa_record *sa_new(uint8_t family)
{
    return calloc(1, offsetof(struct sa_record, ends) + 2 * address_size(family));
}

/* For which there is room. */
static void sa_set_ends(struct sa_record *sa, const struct address *source,
                        const struct address *destination)
{
    size_t size = address_size(destination->family);

    sa->is_v6 = destination->family == FAMILY_IPV6;
    sa->source_port = source->port;
    sa->destination_port = destination->port;
    memcpy(sa->ends, source->bytes, size);
    memcpy(sa->ends + size, destination->bytes, size);
}

struct sa_record *ledger_add_sa(struct ledger *ledger, const struct sa_entry *entry)
{
    struct sa_record *sa =
        ledger->sa_count < LEDGER_SAS_MAX ? sa_new(entry->destination->family) : NULL;

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
    sa_set_ends(sa, entry->source, entry->destination);
    sa->spi = entry->spi;
    sa->protocol = entry->protocol & 0x7fu;
    sa->mode = entry->mode & 1u;
    sa->inbound = entry->inbound;
    sa->encap = entry->encap;
    sa->filled = entry->filled;
    sa->orphan = entry->orphan;
    sa->seen = ledger->look;
    hash_insert(&ledger->sas, &sa->node);
    TAILQ_INSERT_TAIL(&owner->sas, sa, entry);
    sa_count(ledger, sa, 1);
    return sa;
}

void ledger_fill_sa(const struct ledger *ledger, struct sa_record *sa, bool filled)
{
    struct owner *owner = sa->reqid->owner;

    owner->spi_count -= sa->filled ? 0 : 1;
    sa->filled = filled;
    owner->spi_count += sa->filled ? 0 : 1;
    sa->seen = ledger->look;
}

bool ledger_set_reqid(struct ledger *ledger, struct sa_record *sa, uint32_t reqid)
{
    struct reqid_use *use = reqid_get(ledger, reqid, sa->reqid->owner);

    if (use == NULL)
        return false;
    outbound_count(sa, sa->reqid, UINT32_MAX); /* minus one */
    outbound_count(sa, use, 1);
    reqid_put(ledger, sa->reqid);
    sa->reqid = use;
    return true;
}

/* The record of an SA with IPv4's ends, which is in no table now, makes room for IPv6's.  NULL when
 * memory is out. */
static struct sa_record *sa_grow(struct ledger *ledger, struct sa_record *sa)
{
    struct sa_record *larger = sa_new(FAMILY_IPV6);

    if (larger == NULL)
        return NULL;
    *larger = *sa;
    for (struct sa_walk *walk = ledger->walks; walk != NULL; walk = walk->outer)
        if (walk->next == sa)
            walk->next = larger;
    TAILQ_INSERT_BEFORE(sa, larger, entry);
    TAILQ_REMOVE(&sa->reqid->owner->sas, sa, entry);
    free(sa);
    return larger;
}

struct sa_record *ledger_move_sa(struct ledger *ledger, struct sa_record *sa,
                                 const struct address *source, const struct address *destination,
                                 bool encap)
{
    struct sa_record *before = sa;

    hash_remove(&ledger->sas, &sa->node);
    if (destination->family == FAMILY_IPV6 && !sa->is_v6)
        sa = sa_grow(ledger, sa);
    if (sa == NULL) {
        hash_insert(&ledger->sas, &before->node);
        return NULL;
    }
    sa_set_ends(sa, source, destination);
    sa->encap = encap;
    sa->seen = ledger->look;
    hash_insert(&ledger->sas, &sa->node);
    return sa;
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

void ledger_next_look(struct ledger *ledger)
{
    if (++ledger->look == 0)
        ledger->look = 1;
}

void ledger_next_session(struct ledger *ledger, uint64_t now_ms)
{
    struct owner *owner;
    struct sa_record *sa;

    TAILQ_FOREACH (owner, &ledger->owner_list, entry) {
        TAILQ_FOREACH (sa, &owner->sas, entry) {
            if (!sa->orphan)
                sa->since_ms = now_ms & SINCE_MS_MASK;
            sa->orphan = true;
        }
        owner->orphan_count = owner->sa_count;
    }
    ledger->orphan_count = ledger->sa_count;
    ledger->session++;
}
