/*
 * The parts of a configuration's reading that know what a connection and a child are.
 *
 * Not here: files and what holds across them (config.c), typed values (setting.h).
 */
#ifndef LIB_POLICY_CONNECTION_H
#define LIB_POLICY_CONNECTION_H

#include "lib/policy/setting.h"

/* What may stand in the group of a connection, and in that of a child. */
extern const struct key_table connection_table;
extern const struct key_table child_table;

/* Reads the group `setting`, whose name is the connection's.  NULL after a fault. */
struct connection *connection_read(struct reading *reading, config_setting_t *setting);

/* Frees it and its children; the caller has taken it out of lists and tables. */
void connection_free(struct connection *connection);

/* By which peers' addresses stand in the tables of a configuration. */
uint64_t remote_key(const struct address *remote);

/* Enters the addresses that stand in the file as known. */
void config_know_peers(struct config *config, struct connection *connection);

/* Reads the group `setting`, whose name is the child's, and appends it. */
bool child_read(struct reading *reading, struct connection *connection, config_setting_t *setting);

/* The child that a connection without any has: everything between its two hosts, in transport
 * mode. */
bool child_add_default(struct reading *reading, struct connection *connection,
                       const config_setting_t *setting);

/* Keeps a connection's or child's name; a fault when it is too long or oddly spelt. */
bool name_read(struct reading *reading, const config_setting_t *setting, const char **name);

#endif
