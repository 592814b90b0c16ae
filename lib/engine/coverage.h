/*
 * What a link has: its SAs, the children that they carry, its siblings, and what is under way.
 * Nothing changes here.
 */
#ifndef LIB_ENGINE_COVERAGE_H
#define LIB_ENGINE_COVERAGE_H

#include "lib/engine/private.h"

/* Is it a child of another connection than its IKE SA's? */
static inline bool child_is_guest(const struct ike_sa *sa, const struct child_sa *child)
{
    return child->config->connection != sa->connection;
}

/* Does it carry what goes between these two? */
bool child_holds(const struct child_sa *child, const struct selector *local,
                 const struct selector *remote);

/* Is it yet to be seen whether what stands is there? */
bool link_is_looked_at(const struct link *link);

/* Is anything of the link to be rekeyed now? */
bool link_rekey_is_due(const struct engine *engine, const struct link *link);

/* Of the engine's table of links. */
uint64_t link_key(const void *engine, const struct hash_node *node);

struct link *link_find(const struct engine *engine, const char *name);

/* The links of connections with the same pair of identities, of which one can have children in an
 * IKE SA of another (lib/sa/child_choose.c): the next one after `at`, NULL when all were seen.
 * `link` itself is the first; there is seldom another. */
struct link *link_next_sibling(const struct engine *engine, const struct link *link,
                               const struct link *at);

/* The link of the connection that a child of the SA is of; NULL: none. */
struct link *link_of_child(const struct engine *engine, const struct ike_sa *sa,
                           const struct child_config *config);

/* Puts the SA into the list of its connection. */
void link_adopt(struct engine *engine, struct ike_sa *sa);

/* Does an established SA of the link carry this child?  How many are carried?  All of them? */
bool link_covers(const struct link *link, const struct child_config *child);

size_t link_covered(const struct link *link);

bool link_is_whole(const struct link *link);

/* Is a packet of the child's traffic covered by a standing child of it? */
bool link_covers_packet(const struct link *link, const struct child_config *config,
                        const struct selector *local, const struct selector *remote);

/* Has the SA guests?  They went with an SA of the link: whoever misses them tries again. */
bool sa_has_guests(const struct ike_sa *sa);

/* Is a child that died with its peer to be made anew? */
bool link_restarts(const struct link *link, const struct child_config *config);

bool dial_is_resolving(const struct link *link);

bool dial_has_unknown(const struct link *link);

/* Will anything come of the link without another word from outside? */
bool link_is_at_work(const struct link *link);

#endif
