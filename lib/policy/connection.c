/*
 * One connection: its two ends, its proposals, its children.
 *
 * Not here: children themselves (child.c), duplicates and reqids (config.c).
 */
#include "lib/policy/connection.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/keep.h"
#include "lib/policy/known.h"

#define IKE_LIFETIME_S   (8 * 3600)
#define LIFETIME_MIN_S   60
#define LIFETIME_MAX_S   (365 * 86400)
#define SAS_MAX          16 /* some peers behind a NAT call themselves by the same address */
#define SAS_MAX_MAX      10000
#define KEEPALIVE_S      20 /* RFC 3948 section 4 */
#define KEEPALIVE_MIN_S  5
#define KEEPALIVE_MAX_S  3600
#define FRAGMENT_SIZE    1280 /* what IPv6 asks of every link */
#define LIVENESS_S       60
#define LIVENESS_MAX_S   86400
#define LABEL_MAX        63
#define ADDRESS_EXPECTED "an address such as \"192.0.2.1\" or \"2001:db8::1\""
#define REMOTE_EXPECTED \
    "an address such as \"192.0.2.1\" or \"2001:db8::1\", a host's name, or \"any\" alone"
#define LOCAL_EXPECTED ADDRESS_EXPECTED ", or \"any\""
#define ID_EXPECTED    "an address, \"host.name\", \"user@host\", \"keyid:text\" or \"@#hex\""

static key_reader read_version;
static key_reader read_auth;
static key_reader read_liveness;

static const struct key_type type_version = {read_version, version_key_equal, version_key_print};
static const struct key_type type_local = {setting_read_later, local_key_equal, local_key_print};
static const struct key_type type_remote = {setting_read_later, remote_key_equal, remote_key_print};
static const struct key_type type_proposals = {setting_read_later, proposals_key_equal,
                                               proposals_key_print};
static const struct key_type type_children = {setting_read_later, children_key_equal,
                                              children_key_print};
static const struct key_type type_liveness = {read_liveness, setting_field_equal,
                                              setting_print_seconds};
static const struct key_type type_auth = {.read = read_auth};

static const struct word never[] = {{"off", 0}};
static const struct word ends[] = {
    {"trap", DEAD_TRAP}, {"restart", DEAD_RESTART}, {"clear", DEAD_CLEAR}};

#define CONNECTION_FIELD(field) KEY_FIELD(struct connection, field)

/* What belongs to later versions is named, so that it is refused with the true reason. */
static const struct key connection_keys[] = {
    {"version", &type_version, .initial = 2},
    {.name = "local", .type = &type_local},
    {.name = "remote", .type = &type_remote},
    {"proposals", &type_proposals, .offset = offsetof(struct connection, proposals)},
    {"lifetime", &key_seconds, CONNECTION_FIELD(lifetime_s), .initial = IKE_LIFETIME_S,
     .min = LIFETIME_MIN_S, .max = LIFETIME_MAX_S},
    {"reauth", &key_seconds, CONNECTION_FIELD(reauth_s), .min = LIFETIME_MIN_S,
     .max = LIFETIME_MAX_S},
    {"children_max", &key_number, CONNECTION_FIELD(children_max), .initial = CONFIG_CHILDREN_MAX,
     .min = 1, .max = CONFIG_CHILDREN_MAX},
    {"sas_max", &key_number, CONNECTION_FIELD(sas_max), .initial = SAS_MAX, .min = 1,
     .max = SAS_MAX_MAX},
    {"encapsulate", &key_flag, CONNECTION_FIELD(encapsulate)},
    {"keepalive", &key_seconds, CONNECTION_FIELD(keepalive_s), .initial = KEEPALIVE_S,
     .min = KEEPALIVE_MIN_S, .max = KEEPALIVE_MAX_S},
    {"childless", &key_flag, CONNECTION_FIELD(childless)},
    {"mobike", &key_flag, CONNECTION_FIELD(mobike), .initial = true},
    {"fragmentation", &key_flag, CONNECTION_FIELD(fragmentation), .initial = true},
    {"fragment_size", &key_number, CONNECTION_FIELD(fragment_size), .initial = FRAGMENT_SIZE,
     .min = FRAGMENT_SIZE_MIN, .max = UINT16_MAX},
    {"weak", &key_flag, CONNECTION_FIELD(weak)},
    {"liveness", &type_liveness, CONNECTION_FIELD(liveness_s), .initial = LIVENESS_S, .min = 0,
     .max = LIVENESS_MAX_S, KEY_WORDS(never)},
    {"on_dead", &key_word, CONNECTION_FIELD(on_dead), .initial = DEAD_TRAP, KEY_WORDS(ends)},
    {.name = "children", .type = &type_children},
    KEY_PSK,
};

static const struct key endpoint_keys[] = {
    {.name = "address", .type = &key_later},
    {.name = "id", .type = &key_later},
    {.name = "auth", .type = &type_auth},
    {.name = "cert"},
    {.name = "ca"},
    KEY_PSK,
};

static const struct misplaced endpoint_misplaced[] = {
    {&connection_table, false,
     "belongs into the connection; expected it beside local and remote, not in them"},
};

const struct key_table endpoint_table = {
    .keys = endpoint_keys,
    .count = SETTING_LENGTH(endpoint_keys),
    .misplaced = endpoint_misplaced,
    .misplaced_count = SETTING_LENGTH(endpoint_misplaced),
};

static const struct misplaced connection_misplaced[] = {
    {&child_table, false, "belongs into a child; expected it in \"children: { NAME: { ... }; };\""},
    {&child_table, true, "a child in no children; expected it in \"children: { ... };\""},
    {&endpoint_table, false,
     "belongs to one of the ends; expected it in \"local: { ... };\" or \"remote: { ... };\""},
};

const struct key_table connection_table = {
    .keys = connection_keys,
    .count = SETTING_LENGTH(connection_keys),
    .misplaced = connection_misplaced,
    .misplaced_count = SETTING_LENGTH(connection_misplaced),
};

static bool read_version(struct reading *reading, config_setting_t *setting, const struct key *key,
                         void *target)
{
    (void)key;
    (void)target;
    if (config_setting_type(setting) == CONFIG_TYPE_INT && config_setting_get_int(setting) == 2)
        return true;
    if (config_setting_type(setting) == CONFIG_TYPE_INT && config_setting_get_int(setting) == 1)
        return setting_wrong(reading, setting, "not supported by this version; expected 2");
    return setting_expected(reading, setting, "2");
}

static bool read_auth(struct reading *reading, config_setting_t *setting, const struct key *key,
                      void *target)
{
    (void)key;
    (void)target;
    const char *text = setting_string(reading, setting, "\"psk\"");
    if (text == NULL)
        return false;
    if (strcmp(text, "cert") == 0)
        return setting_wrong(reading, setting, "not supported by this version; expected \"psk\"");
    return strcmp(text, "psk") == 0 || setting_expected(reading, setting, "\"psk\"");
}

static bool read_liveness(struct reading *reading, config_setting_t *setting, const struct key *key,
                          void *target)
{
    struct connection *connection = target;
    const char *text = config_setting_type(setting) == CONFIG_TYPE_STRING
                           ? config_setting_get_string(setting)
                           : "";

    if (strcmp(text, "off") != 0)
        return setting_read_seconds(reading, setting, key, target);
    connection->liveness_s = 0;
    return true;
}

bool name_read(struct reading *reading, const config_setting_t *setting, const char **name)
{
    const char *text = config_setting_name(setting);

    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
            return setting_fault(reading, setting,
                                 "a name with '%c'; expected letters, digits, '-' and '_'", *c);
    if (strlen(text) > CONFIG_NAME_MAX)
        return setting_fault(reading, setting, "a name of %zu characters; expected at most %d",
                             strlen(text), CONFIG_NAME_MAX);
    *name = keep_text(reading, setting, text);
    return *name != NULL;
}

/* --- The two ends --- */

/* RFC 1123 section 2.1; and not an address with a slip in it. */
static bool is_host_name(const char *text)
{
    size_t label = 0;
    bool letter = false;

    for (const char *c = text; *c != '\0'; c++) {
        bool alphanumeric = isalnum((unsigned char)*c) != 0;
        if (!alphanumeric && (label == 0 || strchr("-._", *c) == NULL))
            return false;
        letter = letter || isalpha((unsigned char)*c);
        label = *c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    size_t length = strlen(text);
    return letter && length <= CONFIG_HOST_MAX && isalnum((unsigned char)text[length - 1]);
}

static bool address_read(struct reading *reading, const config_setting_t *setting,
                         const char *expected, struct address *address)
{
    const char *text = setting_string(reading, setting, expected);

    if (text == NULL)
        return false;
    if (address_parse(address, text))
        return address_is_host(address) ||
               setting_wrong(reading, setting, "no host's own address; expected %s", expected);
    return setting_expected(reading, setting, "%s", expected);
}

static bool id_set(struct reading *reading, const config_setting_t *setting,
                   const struct identity *identity, const struct identity **kept)
{
    *kept = keep_identity(reading, setting, identity);
    return *kept != NULL;
}

static bool id_read(struct reading *reading, const config_setting_t *setting, bool may_be_any,
                    const struct identity **kept)
{
    struct identity identity;
    const char *expected = may_be_any ? ID_EXPECTED ", or \"any\"" : ID_EXPECTED;
    const char *text = setting_string(reading, setting, expected);

    if (text == NULL)
        return false;
    if (!identity_parse(&identity, text) || (!may_be_any && identity.type == IDENTITY_ANY))
        return setting_expected(reading, setting, "%s", expected);
    return id_set(reading, setting, &identity, kept);
}

/* `local = "192.0.2.1"` or `local = { address = ...; id = ...; auth = "psk"; }`: where the address
 * stands, and the identity, if it does. */
static config_setting_t *endpoint_read(struct reading *reading, config_setting_t *connection,
                                       const char *side, config_setting_t **id)
{
    config_setting_t *setting = config_setting_get_member(connection, side);
    config_setting_t *address = setting;

    *id = NULL;
    if (setting == NULL)
        setting_fault(reading, connection, "no %s; expected %s = \"ADDRESS\";", side, side);
    if (setting == NULL || !config_setting_is_group(setting))
        return setting;
    if (!setting_read_group(reading, setting, &endpoint_table, NULL))
        return NULL;
    *id = config_setting_get_member(setting, "id");
    address = config_setting_get_member(setting, "address");
    if (address == NULL)
        setting_fault(reading, setting, "no address; expected address = \"ADDRESS\";");
    return address;
}

static bool is_any(const config_setting_t *setting)
{
    const char *text = config_setting_get_string(setting);

    return text != NULL && strcmp(text, "any") == 0;
}

static bool local_read(struct reading *reading, config_setting_t *setting,
                       struct connection *connection)
{
    config_setting_t *id;
    config_setting_t *address = endpoint_read(reading, setting, "local", &id);

    if (address == NULL ||
        (!is_any(address) && !address_read(reading, address, LOCAL_EXPECTED, &connection->local)))
        return false;
    if (id != NULL)
        return id_read(reading, id, false, &connection->local_id);
    if (connection->local.family == FAMILY_NONE)
        return setting_fault(reading, address,
                             "\"any\" without an id; expected local = { address = \"any\"; "
                             "id = \"ID\"; };");
    struct identity identity = identity_of_address(&connection->local);
    return id_set(reading, address, &identity, &connection->local_id);
}

static bool peer_check(struct reading *reading, const config_setting_t *setting,
                       const struct connection *connection, const struct address *remote)
{
    char text[ADDRESS_TEXT_MAX];

    if (connection->local.family == FAMILY_NONE)
        return true;
    if (connection->local.family != remote->family)
        return setting_fault(reading, setting, "\"%s\"; expected an IPv%d address, as local is",
                             address_text(remote, text), connection->local.family);
    if (address_same_host(&connection->local, remote))
        return setting_fault(reading, setting, "\"%s\"; expected an address that is not local's",
                             address_text(remote, text));
    return true;
}

static bool peer_read(struct reading *reading, const config_setting_t *setting,
                      const struct connection *connection, struct peer_address *peer)
{
    const char *text = setting_string(reading, setting, REMOTE_EXPECTED);

    if (text == NULL)
        return false;
    if (strcmp(text, "any") != 0 && is_host_name(text)) {
        peer->name = strdup(text);
        return peer->name != NULL || setting_fault(reading, setting, "out of memory");
    }
    return address_read(reading, setting, REMOTE_EXPECTED, &peer->address) &&
           peer_check(reading, setting, connection, &peer->address);
}

/* One address is `remote` itself; anything else are peers, and `remote` the one in use. */
static bool peers_read(struct reading *reading, config_setting_t *setting,
                       struct connection *connection)
{
    size_t count = setting_strings(reading, setting, CONFIG_PEERS_MAX,
                                   "addresses such as \"192.0.2.1\" or names of hosts");

    connection->peers = calloc(count, sizeof(*connection->peers));
    connection->known = calloc(CONFIG_KNOWN_MAX, sizeof(*connection->known));
    if (count > 0 && (connection->peers == NULL || connection->known == NULL))
        return setting_fault(reading, setting, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct peer_address *peer = &connection->peers[connection->peer_count++];
        if (!peer_read(reading, setting_strings_at(setting, i), connection, peer))
            return false;
        if (connection->remote.family == FAMILY_NONE)
            connection->remote = peer->address;
    }
    return count > 0;
}

static void peers_free(struct connection *connection)
{
    for (size_t i = 0; i < connection->peer_count; i++)
        free(connection->peers[i].name);
    free(connection->peers);
    free(connection->known);
    connection->peers = NULL;
    connection->known = NULL;
    connection->peer_count = 0;
}

static bool remote_read(struct reading *reading, config_setting_t *setting,
                        struct connection *connection)
{
    config_setting_t *id;
    config_setting_t *address = endpoint_read(reading, setting, "remote", &id);
    struct identity identity = {.type = IDENTITY_ANY};

    if (address == NULL)
        return false;
    if (!is_any(address)) {
        if (!peers_read(reading, address, connection))
            return false;
        const struct peer_address *first = &connection->peers[0];
        if (first->name == NULL)
            identity = identity_of_address(&first->address);
        else if (!identity_parse(&identity, first->name))
            return setting_expected(reading, address, "%s", REMOTE_EXPECTED);
        if (connection->peer_count == 1 && first->name == NULL)
            peers_free(connection);
        else if (connection->remote.family == FAMILY_NONE)
            connection->remote.family =
                connection->local.family == FAMILY_NONE ? FAMILY_IPV4 : connection->local.family;
    }
    return id != NULL ? id_read(reading, id, true, &connection->remote_id)
                      : id_set(reading, address, &identity, &connection->remote_id);
}

static bool endpoints_read(struct reading *reading, config_setting_t *setting,
                           struct connection *connection)
{
    return local_read(reading, setting, connection) && remote_read(reading, setting, connection);
}

/* --- The whole --- */

static bool children_read(struct reading *reading, config_setting_t *setting,
                          struct connection *connection)
{
    config_setting_t *children = config_setting_get_member(setting, "children");

    if (children == NULL)
        return child_add_default(reading, connection, setting);
    if (!setting_is_group(reading, children))
        return false;
    int count = config_setting_length(children);
    if (count == 0 || count > CONFIG_CHILDREN_MAX)
        return setting_fault(reading, children, "%d of them; expected 1 to %d, or no such key",
                             count, CONFIG_CHILDREN_MAX);
    for (int i = 0; i < count; i++)
        if (!child_read(reading, connection, config_setting_get_elem(children, (unsigned)i)))
            return false;
    return true;
}

/* With "clear" traffic leaves unprotected as soon as the peer is silent, which whoever can drop
 * packets can bring about: never where protection is required. */
static bool on_dead_check(struct reading *reading, config_setting_t *setting,
                          const struct connection *connection)
{
    config_setting_t *on_dead = config_setting_get_member(setting, "on_dead");
    const struct child_config *child;

    if (connection->on_dead == DEAD_RESTART && connection->remote.family == FAMILY_NONE)
        return setting_fault(reading, on_dead,
                             "\"restart\" with remote = \"any\", where only the peer can start; "
                             "expected \"trap\"");
    if (connection->on_dead != DEAD_CLEAR)
        return true;
    TAILQ_FOREACH (child, &connection->children, entry)
        if (child->policy == POLICY_REQUIRE)
            return setting_fault(reading, on_dead,
                                 "\"clear\" would send what child %s requires to be protected in "
                                 "the clear; expected \"trap\" or \"restart\", or policy = "
                                 "\"prefer\" in every child",
                                 child->name);
    return true;
}

/* RFC 4555 leaves transport mode out: there the addresses are the selectors. */
static bool mobike_check(struct reading *reading, const config_setting_t *setting,
                         struct connection *connection)
{
    const config_setting_t *mobike = config_setting_get_member(setting, "mobike");
    const struct child_config *child;

    TAILQ_FOREACH (child, &connection->children, entry) {
        if (child->mode != CHILD_TRANSPORT)
            continue;
        if (mobike != NULL && connection->mobike)
            return setting_fault(reading, mobike,
                                 "true, and child %s is in transport mode; expected false, or "
                                 "mode = \"tunnel\"",
                                 child->name);
        connection->mobike = false;
    }
    return true;
}

static bool connection_fill(struct reading *reading, config_setting_t *setting,
                            struct connection *connection)
{
    return setting_is_group(reading, setting) && name_read(reading, setting, &connection->name) &&
           setting_read_group(reading, setting, &connection_table, connection) &&
           endpoints_read(reading, setting, connection) &&
           proposals_read(reading, config_setting_get_member(setting, "proposals"), setting,
                          (struct proposal_use){.weak = connection->weak},
                          &connection->proposals) &&
           children_read(reading, setting, connection) &&
           on_dead_check(reading, setting, connection) &&
           mobike_check(reading, setting, connection);
}

struct connection *connection_read(struct reading *reading, config_setting_t *setting)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        setting_fault(reading, setting, "out of memory");
        return NULL;
    }
    TAILQ_INIT(&connection->children);
    connection->version = 2;
    keys_initial(&connection_table, connection);
    connection->line = setting_line(reading, setting);
    connection->file = keep_text(reading, setting, reading->path);
    if (connection->file != NULL && connection_fill(reading, setting, connection))
        return connection;
    connection_free(connection);
    return NULL;
}

void connection_free(struct connection *connection)
{
    struct child_config *child;

    while ((child = TAILQ_FIRST(&connection->children)) != NULL) {
        TAILQ_REMOVE(&connection->children, child, entry);
        free(child->pairs);
        free(child);
    }
    peers_free(connection);
    free(connection);
}
