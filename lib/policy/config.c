/*
 * A whole configuration: files in, tables over connections and children, and what holds across.
 *
 * Reqids.  The kernel ties policies to SAs by a number that must be the same in every process and
 * after every restart, so it comes from the names: 0x69000000 plus the 22-bit folded FNV-1a of
 * "connection/child".  When two children of one configuration meet there, the later one in the
 * order of files takes the next free number upward (past the last comes the first).  Numbers from
 * 0x69800000 on are for SAs that are not configured one by one.
 */
#include "lib/policy/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/connection.h"
#include "lib/policy/keep.h"
#include "lib/policy/loss.h"
#include "lib/policy/overlap.h"

#define REQID_BASE 0x69000000u
#define REQID_BITS 22
#define REQID_MASK ((1u << REQID_BITS) - 1)
/* So that probing stays short. */
#define CHILDREN_MAX (1u << (REQID_BITS - 1))

/* --- Tables --- */

/* The operator chooses what is hashed here: no key needed against crowding. */
static uint64_t table_key(struct slice bytes)
{
    static const uint8_t no_key[16] = {0};

    return hash_keyed(no_key, bytes);
}

uint64_t remote_key(const struct address *remote)
{
    return table_key(address_bytes(remote));
}

static uint64_t key_by_name(const void *context, const struct hash_node *node)
{
    (void)context;
    return table_key(slice_text(HASH_OWNER(node, const struct connection, by_name)->name));
}

static uint64_t key_by_remote(const void *context, const struct hash_node *node)
{
    (void)context;
    return remote_key(&HASH_OWNER(node, const struct connection, by_remote)->remote);
}

static uint64_t key_of_known(const void *context, const struct hash_node *node)
{
    (void)context;
    return remote_key(&HASH_OWNER(node, const struct known_address, node)->address);
}

/* Peers of any identity are told apart by where they are. */
static uint64_t pair_key(const struct connection *connection)
{
    uint8_t octets[3 + 2 * IDENTITY_MAX + 16];
    struct writer writer = writer_of(octets, sizeof(octets));
    const struct identity *ids[] = {connection->local_id, connection->remote_id};

    for (size_t i = 0; i < 2; i++) {
        writer_u8(&writer, ids[i]->type);
        writer_bytes(&writer, slice_of(ids[i]->data, ids[i]->size));
    }
    if (connection->remote_id->type == IDENTITY_ANY)
        writer_bytes(&writer, address_bytes(&connection->remote));
    return table_key(writer_slice(&writer));
}

static uint64_t key_by_pair(const void *context, const struct hash_node *node)
{
    (void)context;
    return pair_key(HASH_OWNER(node, const struct connection, by_pair));
}

static uint64_t key_by_reqid(const void *context, const struct hash_node *node)
{
    (void)context;
    return HASH_OWNER(node, const struct child_config, by_reqid)->reqid;
}

struct connection *config_own(struct config *config, const char *name)
{
    struct hash_node *node = hash_first(&config->names, table_key(slice_text(name)));

    for (; node != NULL; node = hash_next(node)) {
        struct connection *connection = HASH_OWNER(node, struct connection, by_name);
        if (strcmp(connection->name, name) == 0)
            return connection;
    }
    return NULL;
}

const struct connection *config_find(const struct config *config, const char *name)
{
    return config_own((struct config *)(uintptr_t)config, name);
}

static struct connection *remote_first(const struct config *config, const struct address *remote)
{
    struct hash_node *node = hash_first(&config->remotes, remote_key(remote));

    for (; node != NULL; node = hash_next(node)) {
        struct connection *connection = HASH_OWNER(node, struct connection, by_remote);
        if (address_same_host(&connection->remote, remote))
            return connection;
    }
    return NULL;
}

const struct connection *config_find_remote(const struct config *config,
                                            const struct address *remote)
{
    return remote_first(config, remote);
}

static const struct child_config *reqid_find(const struct config *config, uint32_t reqid)
{
    struct hash_node *node = hash_first(&config->reqids, reqid);

    for (; node != NULL; node = hash_next(node)) {
        const struct child_config *child = HASH_OWNER(node, const struct child_config, by_reqid);
        if (child->reqid == reqid)
            return child;
    }
    return NULL;
}

const struct child_config *config_find_reqid(const struct config *config, uint32_t reqid,
                                             const struct connection **connection)
{
    const struct child_config *child = reqid_find(config, reqid);

    if (child != NULL)
        *connection = child->connection;
    return child;
}

const struct child_config *connection_find_child(const struct connection *connection,
                                                 const char *name)
{
    const struct child_config *child;

    TAILQ_FOREACH (child, &connection->children, entry)
        if (strcmp(child->name, name) == 0)
            return child;
    return NULL;
}

/* Goes backwards so that each chain of one remote ends up in the file's order. */
static void remotes_index(struct config *config)
{
    struct connection *connection;

    TAILQ_FOREACH_REVERSE (connection, &config->connections, connection_list, entry) {
        if (connection->peer_count > 0) {
            config_know_peers(config, connection);
            continue;
        }
        struct connection *next = remote_first(config, &connection->remote);
        if (next != NULL)
            hash_remove(&config->remotes, &next->by_remote);
        connection->next_of_remote = next;
        hash_insert(&config->remotes, &connection->by_remote);
    }
}

static bool same_pair(const struct connection *a, const struct connection *b)
{
    return identity_equal(a->local_id, b->local_id) && identity_equal(a->remote_id, b->remote_id) &&
           (a->remote_id->type != IDENTITY_ANY || (a->peer_count == 0 && b->peer_count == 0 &&
                                                   address_same_host(&a->remote, &b->remote)));
}

static struct connection *pair_last(const struct config *config, const struct connection *of)
{
    struct hash_node *node = hash_first(&config->pairs_of_ids, pair_key(of));

    for (; node != NULL; node = hash_next(node)) {
        struct connection *connection = HASH_OWNER(node, struct connection, by_pair);
        if (same_pair(connection, of))
            return connection;
    }
    return NULL;
}

static void rings_make(struct config *config)
{
    struct connection *connection;

    TAILQ_FOREACH (connection, &config->connections, entry) {
        struct connection *last = pair_last(config, connection);
        connection->next_of_pair = last != NULL ? last->next_of_pair : connection;
        if (last != NULL) {
            last->next_of_pair = connection;
            hash_remove(&config->pairs_of_ids, &last->by_pair);
        }
        hash_insert(&config->pairs_of_ids, &connection->by_pair);
    }
}

static bool pairs_index(struct config *config)
{
    struct connection *connection;

    TAILQ_FOREACH (connection, &config->connections, entry)
        if (!config_index_pairs(config, connection))
            return false;
    return true;
}

/* --- Reqids --- */

static uint32_t fnv_add(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static uint32_t reqid_hash(const char *connection, const char *child)
{
    uint32_t hash = fnv_add(fnv_add(fnv_add(2166136261u, connection), "/"), child);

    return (hash >> REQID_BITS ^ hash) & REQID_MASK;
}

static void reqids_assign(struct config *config, struct connection *connection)
{
    struct child_config *child;

    TAILQ_FOREACH (child, &connection->children, entry) {
        uint32_t number = reqid_hash(connection->name, child->name);
        while (reqid_find(config, REQID_BASE | number) != NULL)
            number = (number + 1) & REQID_MASK;
        child->reqid = REQID_BASE | number;
        hash_insert(&config->reqids, &child->by_reqid);
    }
}

/* --- Reading --- */

/* All that is read goes here; `daemon_place` says where the group `daemon` stood. */
struct config_draft {
    struct config *config;
    const struct file_tree *file; /* that is read */
    struct keep keep;
    char daemon_place[CONFIG_ERROR_MAX / 2];
};

static key_reader read_daemon;
static key_reader read_connections;

static const struct key_type type_connections = {.read = read_connections};
static const struct key_type type_daemon = {.read = read_daemon};

static const struct key file_keys[] = {
    {.name = "connections", .type = &type_connections},
    {.name = "daemon", .type = &type_daemon},
    {.name = "rules"},
    {.name = "secrets", .refusal = "secrets in a configuration; expected them in secrets.conf"},
    KEY_PSK,
};

static const struct misplaced file_misplaced[] = {
    {&connection_table, false,
     "belongs into a connection; expected it in \"connections: { NAME: { ... }; };\""},
    {&connection_table, true,
     "a connection in no connections; expected it in \"connections: { "
     "... };\""},
    {&daemon_table, false, "belongs to the daemon; expected it in \"daemon: { ... };\""},
};

static const struct key_table file_table = {
    .keys = file_keys,
    .count = SETTING_LENGTH(file_keys),
    .misplaced = file_misplaced,
    .misplaced_count = SETTING_LENGTH(file_misplaced),
};

#define DAEMON_FIELD(field) KEY_FIELD(struct daemon_settings, field)
#define HALF_OPEN_MAX       10000000

static const struct word exits[] = {{"keep", false}, {"clear", true}};
static const struct word failures[] = {{"closed", false}, {"open", true}};

static const struct key daemon_keys[] = {
    {"half_open_max", &key_number, DAEMON_FIELD(half_open_max), .initial = 1000, .min = 1,
     .max = HALF_OPEN_MAX},
    {"cookie_threshold", &key_number, DAEMON_FIELD(cookie_threshold), .initial = 100, .min = 0,
     .max = HALF_OPEN_MAX},
    {"source_half_open_max", &key_number, DAEMON_FIELD(source_half_open_max), .initial = 200,
     .min = 1, .max = HALF_OPEN_MAX},
    {"source_cookie_threshold", &key_number, DAEMON_FIELD(source_cookie_threshold), .initial = 10,
     .min = 1, .max = HALF_OPEN_MAX},
    {"half_open_lifetime", &key_seconds, DAEMON_FIELD(half_open_s), .initial = 30, .min = 1,
     .max = 3600},
    {"retransmit", &key_milliseconds, DAEMON_FIELD(retransmit_ms), .initial = 1000, .min = 10,
     .max = 60000},
    {"retransmit_ms", &key_alias, DAEMON_FIELD(retransmit_ms), .initial = 1000, .min = 10,
     .max = 60000},
    {"retransmit_tries", &key_number, DAEMON_FIELD(retransmit_tries), .initial = 5, .min = 1,
     .max = 30},
    {"on_exit", &key_word, DAEMON_FIELD(clear_on_exit), .initial = false, KEY_WORDS(exits)},
    {"on_failure", &key_word, DAEMON_FIELD(open_on_failure), .initial = false, KEY_WORDS(failures)},
};

static const struct misplaced daemon_misplaced[] = {
    {&connection_table, false,
     "belongs into a connection; expected it in \"connections: { NAME: { ... }; };\""},
};

const struct key_table daemon_table = {
    .keys = daemon_keys,
    .count = SETTING_LENGTH(daemon_keys),
    .misplaced = daemon_misplaced,
    .misplaced_count = SETTING_LENGTH(daemon_misplaced),
};

static bool read_daemon(struct reading *reading, config_setting_t *setting, const struct key *key,
                        void *target)
{
    struct config_draft *draft = target;
    const config_setting_t *retransmit_ms = NULL;

    (void)key;
    if (!setting_is_group(reading, setting))
        return false;
    /* As in the example that is installed: nothing is said, so nothing twice. */
    if (config_setting_length(setting) == 0)
        return true;
    if (draft->daemon_place[0] != '\0')
        return setting_fault(reading, setting, "stands already at %s; expected it once",
                             draft->daemon_place);
    snprintf(draft->daemon_place, sizeof(draft->daemon_place), "%s:%u", reading->path,
             setting_line(reading, setting));
    retransmit_ms = config_setting_get_member(setting, "retransmit_ms");
    if (retransmit_ms != NULL && config_setting_get_member(setting, "retransmit") != NULL)
        return setting_fault(reading, retransmit_ms,
                             "stands beside retransmit; expected one of "
                             "them");
    return setting_read_group(reading, setting, &daemon_table, &draft->config->daemon);
}

static bool connection_add(struct reading *reading, config_setting_t *setting,
                           struct config *config)
{
    const struct connection *namesake = config_find(config, config_setting_name(setting));

    if (namesake != NULL)
        return setting_fault(reading, setting,
                             "a connection of this name stands at %s:%u; expected another name",
                             namesake->file, namesake->line);
    struct connection *connection = connection_read(reading, setting);
    if (connection == NULL)
        return false;
    TAILQ_INSERT_TAIL(&config->connections, connection, entry);
    connection->place = (uint32_t)config->connection_count++;
    hash_insert(&config->names, &connection->by_name);
    if (config->connection_count > CONFIG_CONNECTIONS_MAX)
        return setting_fault(reading, setting, "one too many; expected at most %d connections",
                             CONFIG_CONNECTIONS_MAX);
    if (config->reqids.count + connection->child_count > CHILDREN_MAX)
        return setting_fault(reading, setting, "too many children; expected at most %u in all",
                             CHILDREN_MAX);
    reqids_assign(config, connection);
    return true;
}

static bool connections_add(struct reading *reading, config_setting_t *members, void *target)
{
    for (int i = 0; i < config_setting_length(members); i++)
        if (!connection_add(reading, config_setting_get_elem(members, (unsigned)i), target))
            return false;
    return true;
}

static bool read_connections(struct reading *reading, config_setting_t *setting,
                             const struct key *key, void *target)
{
    struct config_draft *draft = target;

    (void)key;
    if (!setting_is_group(reading, setting))
        return false;
    draft->config->says_connections = true;
    return connections_add(reading, setting, draft->config) &&
           file_members(reading, draft->file, connections_add, draft->config);
}

static bool file_read(struct config_draft *draft, const struct config_text *text,
                      char error[CONFIG_ERROR_MAX])
{
    struct reading reading = {.path = text->path, .error = error, .keep = &draft->keep};
    struct file_tree file;

    if (!file_open(&reading, text->text, "connections", &file))
        return false;
    /* cppcheck-suppress autoVariables */
    draft->file = &file;
    bool read = setting_read_group(&reading, config_root_setting(&file.tree), &file_table, draft);
    if (!read)
        (void)file_refused(&reading, &file);
    file_close(&file);
    return read;
}

static struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));

    if (config == NULL)
        return NULL;
    keys_initial(&daemon_table, &config->daemon);
    TAILQ_INIT(&config->connections);
    interval_init(&config->pairs, configured_pair_range);
    if (pool_init(&config->pool) && hash_init(&config->names, key_by_name, NULL) &&
        hash_init(&config->remotes, key_by_remote, NULL) &&
        hash_init(&config->known, key_of_known, NULL) &&
        hash_init(&config->pairs_of_ids, key_by_pair, NULL) &&
        hash_init(&config->reqids, key_by_reqid, NULL))
        return config;
    config_free(config);
    return NULL;
}

/* --- What is left of a configuration with faults --- */

static bool connections_salvage(struct reading *reading, config_setting_t *members, void *target)
{
    struct config *config = target;

    for (int i = 0; i < config_setting_length(members); i++)
        if (connection_add(reading, config_setting_get_elem(members, (unsigned)i), config))
            config->says_connections = true;
    return true;
}

static void file_salvage(struct config *config, const struct config_text *text)
{
    char unsaid[CONFIG_ERROR_MAX] = "";
    struct keep keep = {.pool = &config->pool};
    struct reading reading = {.path = text->path, .error = unsaid, .keep = &keep};
    config_setting_t *setting = NULL;
    struct file_tree file;

    if (!file_open(&reading, text->text, "connections", &file))
        return;
    config_setting_t *connections = config_lookup(&file.tree, "connections");
    bool refused = file_refused(&reading, &file);
    if (connections != NULL && !refused)
        (void)(connections_salvage(&reading, connections, config) &&
               file_members(&reading, &file, connections_salvage, config));
    setting = refused ? NULL : config_lookup(&file.tree, "daemon.on_failure");
    if (setting != NULL)
        (void)setting_read_key(&reading, setting, &daemon_table, &config->daemon);
    file_close(&file);
}

struct config *config_salvage(const struct config_text *texts, size_t count)
{
    struct config *config = config_new();

    if (config == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        file_salvage(config, &texts[i]);
    remotes_index(config);
    if (pairs_index(config))
        return config;
    config_free(config);
    return NULL;
}

struct config *config_parse(const struct config_text *texts, size_t count,
                            char error[CONFIG_ERROR_MAX])
{
    struct config_draft draft = {.config = config_new()};

    if (draft.config == NULL) {
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        return NULL;
    }
    error[0] = '\0';
    draft.keep.pool = &draft.config->pool;
    for (size_t i = 0; i < count; i++)
        if (!file_read(&draft, &texts[i], error)) {
            config_free(draft.config);
            return NULL;
        }
    remotes_index(draft.config);
    rings_make(draft.config);
    if (pairs_index(draft.config))
        return draft.config;
    snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    config_free(draft.config);
    return NULL;
}

bool config_is_complete(const struct config *config, const char *path, char error[CONFIG_ERROR_MAX])
{
    if (config->says_connections)
        return true;
    snprintf(error, CONFIG_ERROR_MAX,
             "%.*s: no connections; expected \"connections: { NAME: { ... }; };\", or "
             "\"connections: { };\" where there are to be none",
             CONFIG_ERROR_MAX / 2, path);
    return false;
}

char *config_verdict(const struct config *config, const char *path, char text[CONFIG_ERROR_MAX])
{
    snprintf(text, CONFIG_ERROR_MAX, "%.*s: %zu connection%s, no fault", CONFIG_ERROR_MAX / 2, path,
             config->connection_count, config->connection_count == 1 ? "" : "s");
    return text;
}

void config_free(struct config *config)
{
    struct connection *connection;

    if (config == NULL)
        return;
    while ((connection = TAILQ_FIRST(&config->connections)) != NULL) {
        TAILQ_REMOVE(&config->connections, connection, entry);
        connection_free(connection);
    }
    hash_free(&config->names);
    hash_free(&config->remotes);
    hash_free(&config->known);
    hash_free(&config->pairs_of_ids);
    hash_free(&config->reqids);
    pool_free(&config->pool);
    free(config);
}
