/*
 * Who holds each of the kernel's policies: the part of the ledger (ledger.h) about pieces.
 *
 * Those that want a piece queue for it.  What is in somebody's hands stays there until he loses it;
 * so owners come in the order in which they began to want it, and all of one owner's that are of
 * one class stand together, what is an SA's own above what is configured.
 */
#include "iked/keeper/gate/ledger_piece.h"

#include <stdlib.h>
#include <string.h>

#include "iked/keeper/gate/ledger_private.h"
#include "lib/base/writer.h"

#define PIECE_OCTETS_MAX 44

_Static_assert(offsetof(struct piece_record, octets) <= 28, "a piece's record is small");

/* --- As octets --- */

#define HAS_PORTS 0x80 /* beside the family */

static bool has_ports(const struct piece *piece)
{
    return (piece->local_port | piece->local_mask | piece->remote_port | piece->remote_mask) != 0;
}

/* 12 for IPv4, 36 for IPv6, and 8 more with ports.  Equal ones have equal octets. */
static struct slice piece_pack(uint8_t octets[PIECE_OCTETS_MAX], const struct piece *piece)
{
    struct writer writer = writer_of(octets, PIECE_OCTETS_MAX);
    size_t size = address_size(piece->family);

    writer_u8(&writer, (uint8_t)(piece->family | (has_ports(piece) ? HAS_PORTS : 0)));
    writer_u8(&writer, piece->protocol);
    writer_u8(&writer, piece->local_bits);
    writer_u8(&writer, piece->remote_bits);
    if (has_ports(piece)) {
        writer_u16(&writer, piece->local_port);
        writer_u16(&writer, piece->local_mask);
        writer_u16(&writer, piece->remote_port);
        writer_u16(&writer, piece->remote_mask);
    }
    writer_bytes(&writer, slice_of(piece->local, size));
    writer_bytes(&writer, slice_of(piece->remote, size));
    return writer_slice(&writer);
}

static struct slice piece_octets(const struct piece_record *piece)
{
    uint8_t first = piece->octets[0];
    size_t addresses = 2 * address_size(first & (uint8_t)~HAS_PORTS);

    return slice_of(piece->octets, 4u + ((first & HAS_PORTS) != 0 ? 8u : 0u) + addresses);
}

struct piece piece_of(const struct piece_record *record)
{
    struct reader reader = reader_of(piece_octets(record));
    uint8_t first = reader_u8(&reader);
    struct piece piece = {.family = first & (uint8_t)~HAS_PORTS};

    piece.protocol = reader_u8(&reader);
    piece.local_bits = reader_u8(&reader);
    piece.remote_bits = reader_u8(&reader);
    if ((first & HAS_PORTS) != 0) {
        piece.local_port = reader_u16(&reader);
        piece.local_mask = reader_u16(&reader);
        piece.remote_port = reader_u16(&reader);
        piece.remote_mask = reader_u16(&reader);
    }
    reader_copy(&reader, piece.local, address_size(piece.family));
    reader_copy(&reader, piece.remote, address_size(piece.family));
    return piece;
}

/* --- The table --- */

static uint64_t key_of_piece(const void *context, const struct hash_node *node)
{
    const struct ledger *ledger = context;

    return hash_keyed(ledger->hash_key,
                      piece_octets(HASH_OWNER(node, const struct piece_record, node)));
}

bool pieces_init(struct ledger *ledger)
{
    return hash_init(&ledger->pieces, key_of_piece, ledger);
}

static struct piece_want *waiting(const struct piece_record *piece)
{
    return piece->top.policy != NULL ? piece->top.below : NULL;
}

static void forget_waiting(struct piece_record *piece)
{
    struct piece_want *next;

    for (struct piece_want *want = waiting(piece); want != NULL; want = next) {
        next = want->below;
        free(want);
    }
}

void pieces_free(struct ledger *ledger)
{
    struct hash_walk walk;

    hash_walk_begin(&walk, &ledger->pieces);
    for (struct hash_node *node; (node = hash_walk_next(&walk)) != NULL;) {
        struct piece_record *piece = HASH_OWNER(node, struct piece_record, node);
        forget_waiting(piece);
        ledger_remove_piece(ledger, piece);
    }
    hash_walk_end(&walk);
    hash_free(&ledger->pieces);
}

static struct piece_record *find_octets(const struct ledger *ledger, struct slice octets)
{
    struct hash_node *node = hash_first(&ledger->pieces, hash_keyed(ledger->hash_key, octets));

    for (; node != NULL; node = hash_next(node)) {
        struct piece_record *record = HASH_OWNER(node, struct piece_record, node);
        if (slice_equal(piece_octets(record), octets))
            return record;
    }
    return NULL;
}

struct piece_record *ledger_find_piece(const struct ledger *ledger, const struct piece *piece)
{
    uint8_t octets[PIECE_OCTETS_MAX];

    return find_octets(ledger, piece_pack(octets, piece));
}

struct piece_record *ledger_add_piece(struct ledger *ledger, const struct piece *piece)
{
    uint8_t room[PIECE_OCTETS_MAX];
    struct slice octets = piece_pack(room, piece);
    struct piece_record *record = find_octets(ledger, octets);

    if (record != NULL)
        return record;
    record = calloc(1, offsetof(struct piece_record, octets) + octets.size);
    if (record == NULL)
        return NULL;
    memcpy(record->octets, octets.data, octets.size);
    hash_insert(&ledger->pieces, &record->node);
    return record;
}

void ledger_remove_piece(struct ledger *ledger, struct piece_record *piece)
{
    hash_remove(&ledger->pieces, &piece->node);
    free(piece);
}

bool piece_template(const struct piece_record *piece, struct policy_template *template)
{
    if (piece->top.policy == NULL)
        return false;
    *template = policy_template_of(piece->top.policy);
    return true;
}

uint8_t piece_mode(const struct piece_record *piece)
{
    return piece->top.policy != NULL ? piece->top.policy->template->mode : piece->left_mode;
}

uint8_t piece_all_parts(const struct piece_record *piece)
{
    uint8_t parts = 1u << KERNEL_OUT | 1u << KERNEL_IN;

    return piece_mode(piece) == CHILD_TUNNEL ? parts | 1u << KERNEL_FORWARD : parts;
}

/* --- The queue --- */

/* Does `policy` go before `other`, which is the next of the queue?  `met`: its owner's were met. */
static bool goes_before(const struct policy_record *policy, const struct policy_record *other,
                        bool met)
{
    uint8_t class = policy_class(policy);
    uint8_t other_class = policy_class(other);

    if (class != other_class)
        return class < other_class;
    if (policy_owner(policy) != policy_owner(other))
        return met;
    return policy->held && !other->held;
}

static bool same_block(const struct policy_record *a, const struct policy_record *b)
{
    return policy_owner(a) == policy_owner(b) && policy_class(a) == policy_class(b);
}

/* Puts `want`, which is free, where the policy belongs; somebody is there. */
static void queue_put(struct piece_record *piece, struct policy_record *policy,
                      struct piece_want *want)
{
    struct piece_want *at = &piece->top;
    struct piece_want *last = NULL;
    bool met = false;

    while (at != NULL && !goes_before(policy, at->policy, met)) {
        met = met || same_block(policy, at->policy);
        last = at;
        at = at->below;
    }
    if (at == NULL) {
        *want = (struct piece_want){.policy = policy};
        last->below = want;
    } else {
        *want = *at;
        *at = (struct piece_want){.below = want, .policy = policy};
    }
}

/* Takes a policy out; what it stood in is free now, NULL: it was alone, or not there. */
static struct piece_want *queue_take(struct piece_record *piece, const struct policy_record *policy)
{
    struct piece_want *above = NULL;
    struct piece_want *at = piece->top.policy != NULL ? &piece->top : NULL;

    while (at != NULL && at->policy != policy) {
        above = at;
        at = at->below;
    }
    if (at == NULL)
        return NULL;
    struct piece_want *below = at->below;
    if (below != NULL)
        *at = *below;
    else if (above != NULL)
        above->below = NULL;
    else
        *at = (struct piece_want){0};
    return below != NULL ? below : above != NULL ? at : NULL;
}

static size_t queue_count(const struct piece_record *piece)
{
    size_t count = 0;

    for (const struct piece_want *at = &piece->top; at != NULL; at = at->below)
        count++;
    return count;
}

bool piece_is_wanted_by(const struct piece_record *piece, const struct policy_record *policy)
{
    const struct piece_want *at = piece->top.policy != NULL ? &piece->top : NULL;

    while (at != NULL && at->policy != policy)
        at = at->below;
    return at != NULL;
}

bool piece_is_full(const struct piece_record *piece)
{
    return piece->top.policy != NULL && queue_count(piece) >= PIECE_WANTS_MAX;
}

bool piece_want(struct piece_record *piece, struct policy_record *policy)
{
    if (piece->top.policy == NULL) {
        piece->top = (struct piece_want){.policy = policy};
        return true;
    }
    struct piece_want *want = malloc(sizeof(*want));
    if (want != NULL)
        queue_put(piece, policy, want);
    return want != NULL;
}

/* Has its owner others of its class there? */
static bool has_others(const struct piece_record *piece, const struct policy_record *policy)
{
    for (const struct piece_want *at = &piece->top; at != NULL; at = at->below)
        if (at->policy != policy && same_block(at->policy, policy))
            return true;
    return false;
}

void piece_rerank(struct piece_record *piece, struct policy_record *policy, uint8_t class_before)
{
    if (piece->top.policy == NULL ||
        (policy_class(policy) == class_before && !has_others(piece, policy)))
        return;
    struct piece_want *want = queue_take(piece, policy);
    if (want != NULL)
        queue_put(piece, policy, want);
    else if (piece->top.policy == NULL) /* it was alone */
        piece->top.policy = policy;
}

void piece_unwant(struct piece_record *piece, const struct policy_record *policy)
{
    free(queue_take(piece, policy));
}
