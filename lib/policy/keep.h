/*
 * What is kept once for all connections that have it in common: texts, identities, selectors, lists
 * of proposals.  Thousands of connections are written alike.
 *
 * Not here: the octets (lib/base/pool.h), what the values mean.
 */
#ifndef LIB_POLICY_KEEP_H
#define LIB_POLICY_KEEP_H

#include "lib/policy/proposal.h"
#include "lib/policy/setting.h"

#define KEEP_LISTS 16

/* A list of proposals as it was written, and what it says. */
struct written_list {
    const char *text; /* in the pool; NULL: none yet */
    const struct proposal_list *list;
};

/* Where a configuration that is being read keeps it, and which proposals were read last. */
struct keep {
    struct pool *pool;
    const struct proposal_list *defaults[2]; /* of IKE, of a child; NULL: not asked for yet */
    struct written_list lists[KEEP_LISTS];
    size_t next; /* of `lists`, to be overwritten */
};

/* Each returns NULL after a fault: memory is out.  They last as long as the configuration. */
const char *keep_text(struct reading *reading, const config_setting_t *setting, const char *text);
const struct identity *keep_identity(struct reading *reading, const config_setting_t *setting,
                                     const struct identity *identity);
const struct selector *keep_selectors(struct reading *reading, const config_setting_t *setting,
                                      const struct selector *selectors, size_t count);
const struct proposal_list *keep_proposals(struct reading *reading, const config_setting_t *setting,
                                           const struct proposal_list *list);

/* Reads `setting` as a list of proposals; NULL: the default, and `owner` stands in for a fault. */
bool proposals_read(struct reading *reading, config_setting_t *setting,
                    const config_setting_t *owner, struct proposal_use use,
                    const struct proposal_list **list);

#endif
