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
/* That of one of a connection's ends, and that of the daemon. */
extern const struct key_table endpoint_table;
extern const struct key_table daemon_table;

/* The field of a key of selectors, with its count, and of proposals. */
size_t selectors_of(const struct key *key, const struct child_config *child,
                    const struct selector **selectors);
const struct proposal_list *proposals_of(const struct key *key, const void *target);

/* How keys that are more than a field are compared (diff.c) and printed (print.c): those of
 * selectors and proposals by the field at their offset, the others as a whole. */
bool selectors_key_equal(const struct key *key, const void *a, const void *b);
bool proposals_key_equal(const struct key *key, const void *a, const void *b);
bool version_key_equal(const struct key *key, const void *a, const void *b);
bool local_key_equal(const struct key *key, const void *a, const void *b);
bool remote_key_equal(const struct key *key, const void *a, const void *b);
bool children_key_equal(const struct key *key, const void *a, const void *b);
void version_key_print(const struct printing *printing, const struct key *key, const void *target);
void selectors_key_print(const struct printing *printing, const struct key *key,
                         const void *target);
void proposals_key_print(const struct printing *printing, const struct key *key,
                         const void *target);
void local_key_print(const struct printing *printing, const struct key *key, const void *target);
void remote_key_print(const struct printing *printing, const struct key *key, const void *target);
void children_key_print(const struct printing *printing, const struct key *key, const void *target);

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
