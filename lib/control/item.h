/*
 * The items of answers: from the engine's views to JSON, and careful reading of them.
 *
 * iked-control(7) lists the members.  Not here: the line around an item (message.h), text for
 * people (ikectl).
 */
#ifndef LIB_CONTROL_ITEM_H
#define LIB_CONTROL_ITEM_H

#include <jansson.h>

#include "lib/engine/engine.h"

/* Each gives a new reference; NULL when memory is out. */
json_t *control_item_connection(const struct connection_view *view);
json_t *control_item_sa(const struct sa_view *view);
json_t *control_item_policy(const struct connection *connection, const struct child_config *child);
json_t *control_item_event(const struct effect_report *report, uint64_t time_ms);
/* What is in force, as lines of a configuration: the group `daemon`, or the connection in it. */
json_t *control_item_daemon(const struct daemon_settings *settings);
json_t *control_item_config(const struct connection *connection);
json_t *control_item_progress(const struct effect_progress *progress);

/* Members for a reader who takes what comes: "", 0, false or an empty array when a member is
 * absent or of another type.  Borrowed from the item. */
const char *item_text(const json_t *item, const char *member);
uint64_t item_number(const json_t *item, const char *member);
bool item_flag(const json_t *item, const char *member);
size_t item_count(const json_t *item, const char *member);

/* The i-th of an array of texts, or of objects. */
const char *item_text_at(const json_t *item, const char *member, size_t i);
const json_t *item_at(const json_t *item, const char *member, size_t i);

#endif
