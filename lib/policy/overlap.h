/*
 * Whose traffic it is: what several children are configured for, or hold.
 *
 * The kernel goes by the narrower of two policies, whoever asked for it.  So a peer gets traffic
 * only where nobody else is configured for, or holds, something narrower within what its own child
 * is configured for; and what is in somebody's hands stays there until he loses it.  This is said
 * of packets: by the pieces that the kernel knows, and in its order of them (piece_priority).
 * Not here: what is held (lib/sa/sa_table.c, iked/keeper/gate/ledger.h).
 */
#ifndef LIB_POLICY_OVERLAP_H
#define LIB_POLICY_OVERLAP_H

#include "lib/policy/piece.h"

/* A pair of selectors of a child. */
struct traffic {
    const struct child_config *child;
    const struct selector *local;
    const struct selector *remote;
};

/* Traffic that somebody asks for, cut once to be held against much else. */
struct asked {
    struct traffic traffic;
    size_t count;
    bool as_configured; /* each piece is one of the configuration's own */
    uint32_t narrowest; /* priority of the narrowest piece */
    struct piece pieces[PIECES_MAX];
    uint32_t priorities[PIECES_MAX];
    uint32_t rules[PIECES_MAX]; /* of what the child is configured for, or has in hand, there */
};

/* False when the kernel cannot say it. */
MUST_USE bool asked_set(struct asked *asked, const struct traffic *traffic);

/* The asker has this pair in hand, and so is entitled to it as far as the kernel gives it to him:
 * what others are configured for more narrowly is theirs. */
void asked_allow(struct asked *asked, const struct selector *local, const struct selector *remote);

/* Would packets that are another's go to what is asked, were it installed?  They are the other's
 * where the kernel prefers the other to what the asking child is configured for; where the other
 * has it in hand (`held`), also where it prefers neither. */
bool asked_takes(const struct asked *asked, const struct traffic *other, bool held);

/* A pair that a child is configured for (child_pair), in config.pairs. */
struct configured_pair {
    struct interval node; /* by its remote addresses */
    const struct child_config *child;
    uint32_t widest; /* priority of its widest piece */
    struct child_selectors pair;
};

/* Of config.pairs. */
void configured_pair_range(const struct interval *node, struct interval_range *range);

/* The next configured pair that has remote addresses in common; `after` continues (NULL: the
 * first). */
const struct configured_pair *config_next_pair(const struct config *config,
                                               const struct selector *remote,
                                               const struct configured_pair *after);

/* The first configured pair of another connection of which it would take packets; NULL: none. */
const struct configured_pair *asked_configured(const struct asked *asked,
                                               const struct config *config);

/* Would the kernel prefer a policy of this priority to it, for some packet that both match? */
bool configured_yields(const struct configured_pair *configured, const struct piece *piece,
                       uint32_t priority);

/* Enters the pairs of a connection's children, in place of those that were there before.  False
 * when memory is out, which it cannot be but the first time. */
bool config_index_pairs(struct config *config, struct connection *connection);

#endif
