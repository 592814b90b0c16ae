/*
 * The same configuration has moved to new memory: what points into it follows by name.
 */
#ifndef LIB_SA_REBINDING_H
#define LIB_SA_REBINDING_H

#include "lib/sa/child_sa.h"

/* What an IKE SA's children follow: its connection before and after, and all the others. */
struct rebinding {
    const struct connection *before;
    const struct connection *after;
    const struct config *all;
};

/* What a child is configured as now; NULL when its connection has changed, or is gone. */
const struct child_config *rebinding_config(const struct rebinding *rebinding,
                                            const struct child_config *config);

/* The child follows (NULL is harmless); false when there is nothing that it could follow to. */
bool rebinding_child(const struct rebinding *rebinding, struct child_sa *child);

#endif
