/*
 * Parts that the tables of `ikectl show` share.
 */
#ifndef IKECTL_SHOW_PART_H
#define IKECTL_SHOW_PART_H

#include <jansson.h>

#include "ikectl/table.h"

/* Under a connection's row: when and why it failed last, if it did. */
void note_error(struct table *table, const json_t *connection);

/* Has the peer agreed to less than is configured? */
bool child_is_narrowed(const json_t *child);

#endif
