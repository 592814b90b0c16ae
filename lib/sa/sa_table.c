/*
 * The table of IKE SAs, and of their children by what they are called and what they protect: see
 * ike_sa.h.
 */
#include "lib/sa/sa_table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

/* --- Keys: of what is looked for, and of what stands in the tables --- */

static uint64_t key_by_spi(const void *table, const struct hash_node *node)
{
    (void)table;
    return ike_sa_own_spi(HASH_OWNER(node, const struct ike_sa, by_spi));
}

static uint64_t peer_key(const struct sa_table *table, const struct address *remote, uint64_t spi_i)
{
    struct {
        uint64_t spi;
        struct address remote;
    } key;

    memset(&key, 0, sizeof(key)); /* padding is hashed too */
    key.spi = spi_i;
    key.remote.family = remote->family;
    key.remote.port = remote->port;
    memcpy(key.remote.bytes, remote->bytes, sizeof(key.remote.bytes));
    return hash_keyed(table->hash_key, slice_of(&key, sizeof(key)));
}

static uint64_t key_by_peer(const void *table, const struct hash_node *node)
{
    const struct handshake *handshake = HASH_OWNER(node, const struct handshake, by_peer);

    return peer_key(table, &handshake->came_from, handshake->sa->spi_i);
}

static uint64_t identity_key(const struct sa_table *table, uint8_t type, struct slice data)
{
    return hash_keyed(table->hash_key, data) ^ type;
}

static uint64_t id_key(const struct sa_table *table, const struct ike_sa *sa)
{
    return identity_key(table, sa->remote_id_type, buffer_slice(&sa->remote_id));
}

static uint64_t key_by_id(const void *table, const struct hash_node *node)
{
    return id_key(table, HASH_OWNER(node, const struct ike_sa, by_id));
}

static uint64_t key_by_spi_in(const void *table, const struct hash_node *node)
{
    (void)table;
    return HASH_OWNER(node, const struct child_transform, by_spi_in)->spi_in;
}

static uint64_t key_by_reqid(const void *table, const struct hash_node *node)
{
    (void)table;
    return HASH_OWNER(node, const struct child_sa, by_reqid)->reqid;
}

static void claimed_range(const struct interval *node, struct interval_range *range)
{
    const struct child_sa *child = INTERVAL_OWNER(node, const struct child_sa, claim);

    interval_range_set(range, child->remote_selectors, child->remote_count);
}

/* Keyed, because they are the peer's choice: one who picks them to meet in one bucket would make
 * every hint of a stranger's a long walk. */
static uint64_t outbound_key(const struct sa_table *table, uint32_t spi)
{
    return hash_keyed(table->hash_key, slice_of(&spi, sizeof(spi)));
}

static uint64_t key_by_spi_out(const void *table, const struct hash_node *node)
{
    return outbound_key(table, HASH_OWNER(node, const struct child_transform, by_spi_out)->spi_out);
}

/* --- The table --- */

bool sa_table_init(struct sa_table *table, struct context *context)
{
    *table = (struct sa_table){.next_number = 1};
    interval_init(&table->claims, claimed_range);
    TAILQ_INIT(&table->all);
    context->random(context->random_context, table->hash_key, sizeof(table->hash_key));
    bool whole = hash_init(&table->by_spi, key_by_spi, table);
    whole = hash_init(&table->by_peer, key_by_peer, table) && whole;
    whole = hash_init(&table->by_id, key_by_id, table) && whole;
    whole = hash_init(&table->children_in, key_by_spi_in, table) && whole;
    whole = hash_init(&table->children_out, key_by_spi_out, table) && whole;
    whole = hash_init(&table->reqids, key_by_reqid, table) && whole;
    if (!whole)
        sa_table_free(table);
    return whole;
}

void sa_table_free(struct sa_table *table)
{
    hash_free(&table->by_spi);
    hash_free(&table->by_peer);
    hash_free(&table->by_id);
    hash_free(&table->children_in);
    hash_free(&table->children_out);
    hash_free(&table->reqids);
}

struct ike_sa *sa_table_find(const struct sa_table *table, uint64_t spi)
{
    struct hash_node *node = hash_first(&table->by_spi, spi);

    for (; node != NULL; node = hash_next(node)) {
        struct ike_sa *sa = HASH_OWNER(node, struct ike_sa, by_spi);
        if (ike_sa_own_spi(sa) == spi)
            return sa;
    }
    return NULL;
}

struct ike_sa *sa_table_find_half_open(const struct sa_table *table, const struct address *remote,
                                       uint64_t spi_i)
{
    struct hash_node *node = hash_first(&table->by_peer, peer_key(table, remote, spi_i));

    for (; node != NULL; node = hash_next(node)) {
        const struct handshake *handshake = HASH_OWNER(node, struct handshake, by_peer);
        if (handshake->sa->spi_i == spi_i && address_equal(&handshake->came_from, remote))
            return handshake->sa;
    }
    return NULL;
}

void sa_table_add(struct sa_table *table, struct ike_sa *sa)
{
    struct handshake *handshake = sa->handshake;

    hash_insert(&table->by_spi, &sa->by_spi);
    TAILQ_INSERT_TAIL(&table->all, sa, entry);
    table->count++;
    if (!sa->half_open)
        return;
    table->half_open++;
    handshake->source = source_of(table->hash_key, &handshake->came_from);
    source_add(&table->half_open_of, handshake->source);
    hash_insert(&table->by_peer, &handshake->by_peer);
}

void sa_table_remove(struct sa_table *table, struct ike_sa *sa)
{
    hash_remove(&table->by_spi, &sa->by_spi);
    hash_remove(&table->by_id, &sa->by_id);
    TAILQ_REMOVE(&table->all, sa, entry);
    table->count--;
}

void ike_sa_leave_half_open(struct context *context, struct ike_sa *sa)
{
    if (!sa->half_open)
        return;
    sa->half_open = false;
    context->sas->half_open--;
    source_remove(&context->sas->half_open_of, sa->handshake->source);
    hash_remove(&context->sas->by_peer, &sa->handshake->by_peer);
}

void sa_table_add_id(struct sa_table *table, struct ike_sa *sa)
{
    hash_insert(&table->by_id, &sa->by_id);
}

struct ike_sa *sa_table_same_peer(const struct sa_table *table, const struct ike_sa *sa,
                                  const struct ike_sa *after)
{
    struct hash_node *node =
        after == NULL ? hash_first(&table->by_id, id_key(table, sa)) : hash_next(&after->by_id);

    for (; node != NULL; node = hash_next(node)) {
        struct ike_sa *other = HASH_OWNER(node, struct ike_sa, by_id);
        if (other != sa && ike_sa_same_identity(other, sa))
            return other;
    }
    return NULL;
}

struct ike_sa *sa_table_find_peer(const struct sa_table *table, const struct identity *identity,
                                  const struct ike_sa *after)
{
    struct slice data = slice_of(identity->data, identity->size);
    struct hash_node *node =
        after != NULL ? hash_next(&after->by_id)
                      : hash_first(&table->by_id, identity_key(table, identity->type, data));

    for (; node != NULL; node = hash_next(node)) {
        struct ike_sa *sa = HASH_OWNER(node, struct ike_sa, by_id);
        if (sa->remote_id_type == identity->type && slice_equal(buffer_slice(&sa->remote_id), data))
            return sa;
    }
    return NULL;
}

struct child_sa *sa_table_find_outbound(const struct sa_table *table, uint8_t protocol,
                                        uint32_t spi, const struct address *remote)
{
    struct hash_node *node = hash_first(&table->children_out, outbound_key(table, spi));

    for (; node != NULL; node = hash_next(node)) {
        struct child_transform *transform = HASH_OWNER(node, struct child_transform, by_spi_out);
        struct child_sa *child = child_of_transform(transform);
        if (transform->spi_out == spi && transform->protocol == protocol &&
            address_same_host(&child->remote, remote))
            return child;
    }
    return NULL;
}

struct child_sa *sa_table_find_child(const struct sa_table *table, uint8_t protocol, uint32_t spi,
                                     const struct address *destination)
{
    struct hash_node *node = hash_first(&table->children_in, spi);

    for (; node != NULL; node = hash_next(node)) {
        struct child_transform *transform = HASH_OWNER(node, struct child_transform, by_spi_in);
        struct child_sa *child = child_of_transform(transform);
        if (transform->spi_in == spi && transform->protocol == protocol &&
            address_same_host(&child->local, destination))
            return child;
    }
    return sa_table_find_outbound(table, protocol, spi, destination);
}

static bool outbound_taken(const struct sa_table *table, const struct child_transform *transform,
                           const struct address *remote)
{
    const struct child_sa *child = child_of_transform(transform);
    struct hash_node *node =
        hash_first(&table->children_out, outbound_key(table, transform->spi_out));

    for (; node != NULL; node = hash_next(node)) {
        const struct child_transform *its = HASH_OWNER(node, struct child_transform, by_spi_out);
        const struct child_sa *other = child_of_transform(its);
        if (other != child && its->spi_out == transform->spi_out &&
            its->protocol == transform->protocol &&
            (address_same_host(&other->remote, remote) ||
             address_same_host(&other->owner->remote, remote))) /* where it is about to follow */
            return true;
    }
    return false;
}

bool sa_table_outbound_taken(const struct sa_table *table, const struct child_sa *child,
                             const struct address *remote)
{
    for (size_t i = 0; i < child->transform_count; i++)
        if (outbound_taken(table, &child->transforms[i], remote))
            return true;
    return false;
}

/* --- Reqids of children's own --- */

/* Apart from the configured ones (config.h), within the mark by which the keeper knows its own.
 * There are eight times as many as there may be SAs. */
#define DYNAMIC_REQID_BASE 0x69800000u
#define DYNAMIC_REQID_MASK 0x007fffffu

bool sa_table_reqid_taken(const struct sa_table *table, uint32_t reqid)
{
    struct hash_node *node = hash_first(&table->reqids, reqid);

    for (; node != NULL; node = hash_next(node))
        if (HASH_OWNER(node, struct child_sa, by_reqid)->reqid == reqid)
            return true;
    return false;
}

/* From a place that is chance on to the first that is free: the keeper refuses what is another
 * child's, and two peers at one address would be sent each other's packets. */
uint32_t sa_table_draw_reqid(const struct sa_table *table, const struct context *context)
{
    uint32_t chance;

    context->random(context->random_context, &chance, sizeof(chance));
    while (sa_table_reqid_taken(table, DYNAMIC_REQID_BASE | (chance & DYNAMIC_REQID_MASK)))
        chance++;
    return DYNAMIC_REQID_BASE | (chance & DYNAMIC_REQID_MASK);
}

void sa_table_hold_reqid(struct sa_table *table, struct child_sa *child)
{
    if (child->reqid_held || child->reqid == child->config->reqid)
        return;
    hash_insert(&table->reqids, &child->by_reqid);
    child->reqid_held = true;
}

void sa_table_release_reqid(struct sa_table *table, struct child_sa *child)
{
    if (child->reqid_held)
        hash_remove(&table->reqids, &child->by_reqid);
    child->reqid_held = false;
}

/* --- What children protect --- */

struct child_sa *sa_table_next_claim(const struct sa_table *table, const struct selector *remote,
                                     const struct child_sa *after)
{
    struct interval *node =
        interval_next(&table->claims, remote, after != NULL ? &after->claim : NULL);

    return node != NULL ? INTERVAL_OWNER(node, struct child_sa, claim) : NULL;
}

/* Is the kernel's SA one of those that are asked for? */
static bool is_installing(const struct child_sa *child, uint8_t protocol, uint32_t spi,
                          const struct address *destination)
{
    if (child->listed || child->standing)
        return false;
    return (child->in_kernel && child_find_transform(child, protocol, spi, true) != NULL &&
            address_same_host(&child->local, destination)) ||
           (child->out_kernel && child_find_transform(child, protocol, spi, false) != NULL &&
            address_same_host(&child->remote, destination));
}

struct child_sa *sa_table_find_installing(const struct sa_table *table, uint8_t protocol,
                                          uint32_t spi, const struct address *destination)
{
    static const uint8_t families[] = {FAMILY_IPV4, FAMILY_IPV6}; /* of what it protects */

    for (size_t i = 0; i < sizeof(families); i++) {
        struct selector all = {.family = families[i], .port_end = UINT16_MAX};
        struct child_sa *child = NULL;
        memset(all.end, UINT8_MAX, address_size(all.family));
        while ((child = sa_table_next_claim(table, &all, child)) != NULL)
            if (is_installing(child, protocol, spi, destination))
                return child;
    }
    return NULL;
}

void sa_table_claim(struct sa_table *table, struct ike_sa *sa, struct child_sa *child)
{
    child->owner = sa;
    if (child->claim.weight == 0)
        interval_insert(&table->claims, &child->claim);
}

void sa_table_list_child(struct sa_table *table, struct child_sa *child)
{
    for (size_t i = 0; i < child->transform_count; i++) {
        hash_insert(&table->children_in, &child->transforms[i].by_spi_in);
        hash_insert(&table->children_out, &child->transforms[i].by_spi_out);
    }
}

void sa_table_unlist_child(struct sa_table *table, struct child_sa *child)
{
    for (size_t i = 0; i < child->transform_count; i++) {
        hash_remove(&table->children_in, &child->transforms[i].by_spi_in);
        hash_remove(&table->children_out, &child->transforms[i].by_spi_out);
    }
}

void sa_table_remove_child(struct sa_table *table, struct child_sa *child)
{
    interval_remove(&table->claims, &child->claim);
    sa_table_release_reqid(table, child);
    if (child->listed)
        sa_table_unlist_child(table, child);
}
