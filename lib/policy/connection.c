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

#include "lib/policy/proposal.h"

#define IKE_LIFETIME_S   (8 * 3600)
#define LIFETIME_MIN_S   60
#define LIFETIME_MAX_S   (365 * 86400)
#define SAS_MAX          16   /* some peers behind a NAT call themselves by the same address */
#define SAS_MAX_MAX      10000
#define KEEPALIVE_S      20   /* RFC 3948 section 4 */
#define KEEPALIVE_MIN_S  5
#define KEEPALIVE_MAX_S  3600
#define FRAGMENT_SIZE    1280 /* what IPv6 asks of every link */
#define LIVENESS_S       60
#define LIVENESS_MAX_S   86400
#define ADDRESS_EXPECTED "an address such as \"192.0.2.1\" or \"2001:db8::1\""
#define ID_EXPECTED      "an address, \"host.name\", \"user@host\", \"keyid:text\" or \"@#hex\""

static key_reader read_version;
static key_reader read_auth;
static key_reader read_liveness;
static key_reader read_on_dead;

/* What belongs to later versions is named, so that it is refused with the true reason. */
static const struct key connection_keys[] = {
    {"version", read_version, NULL, 0, 0, 0},
    {"local", setting_read_later, NULL, 0, 0, 0},
    {"remote", setting_read_later, NULL, 0, 0, 0},
    {"proposals", setting_read_later, NULL, 0, 0, 0},
    {"lifetime", setting_read_seconds, NULL, offsetof(struct connection, lifetime_s),
     LIFETIME_MIN_S, LIFETIME_MAX_S},
    {"sas_max", setting_read_u32, NULL, offsetof(struct connection, sas_max), 1, SAS_MAX_MAX},
    {"encapsulate", setting_read_flag, NULL, offsetof(struct connection, encapsulate), 0, 0},
    {"keepalive", setting_read_seconds, NULL, offsetof(struct connection, keepalive_s),
     KEEPALIVE_MIN_S, KEEPALIVE_MAX_S},
    {"fragmentation", setting_read_flag, NULL, offsetof(struct connection, fragmentation), 0, 0},
    {"fragment_size", setting_read_u32, NULL, offsetof(struct connection, fragment_size),
     FRAGMENT_SIZE_MIN, UINT16_MAX},
    {"weak", setting_read_flag, NULL, offsetof(struct connection, weak), 0, 0},
    {"children", setting_read_later, NULL, 0, 0, 0},
    {"liveness", read_liveness, NULL, offsetof(struct connection, liveness_s), 0, LIVENESS_MAX_S},
    {"on_dead", read_on_dead, NULL, 0, 0, 0},
};

static const struct key endpoint_keys[] = {
    {"address", setting_read_later, NULL, 0, 0, 0},
    {"id", setting_read_later, NULL, 0, 0, 0},
    {"auth", read_auth, NULL, 0, 0, 0},
    {"cert", NULL, NULL, 0, 0, 0},
    {"ca", NULL, NULL, 0, 0, 0},
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

static bool read_liveness(struct reading *reading, config_setting_t *setting,
                          const struct key *key, void *target)
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

static bool read_on_dead(struct reading *reading, config_setting_t *setting, const struct key *key,
                         void *target)
{
    static const struct word words[] = {
        {"trap", DEAD_TRAP}, {"restart", DEAD_RESTART}, {"clear", DEAD_CLEAR}};
    struct connection *connection = target;
    int value;

    (void)key;
    if (!setting_word(reading, setting, words, SETTING_LENGTH(words), &value))
        return false;
    connection->on_dead = (uint8_t)value;
    return true;
}

bool name_read(struct reading *reading, const config_setting_t *setting,
               char name[CONFIG_NAME_MAX + 1])
{
    const char *text = config_setting_name(setting);

    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
            return setting_fault(reading, setting,
                                 "a name with '%c'; expected letters, digits, '-' and '_'", *c);
    if (strlen(text) > CONFIG_NAME_MAX)
        return setting_fault(reading, setting, "a name of %zu characters; expected at most %d",
                             strlen(text), CONFIG_NAME_MAX);
    snprintf(name, CONFIG_NAME_MAX + 1, "%s", text);
    return true;
}

bool proposals_read(struct reading *reading, config_setting_t *setting, bool child, bool weak,
                    struct proposal_list *list)
{
    struct proposal_use use = {.child = child, .weak = weak};
    char wrong[PROPOSAL_WRONG_MAX];

    if (setting == NULL) {
        proposal_list_default(list, child);
        return true;
    }
    size_t count = setting_strings(reading, setting, CONFIG_PROPOSALS_MAX,
                                   child ? "proposals such as \"aes256gcm16-esn\""
                                         : "proposals such as \"aes256gcm16-prfsha384-x25519\"");
    for (size_t i = 0; i < count; i++) {
        config_setting_t *item = setting_strings_at(setting, i);
        if (!proposal_parse(&list->items[i], config_setting_get_string(item), use, wrong))
            return setting_wrong_part(reading, item, wrong);
        list->count++;
    }
    return count > 0;
}

/* --- The two ends --- */

/* An address that one host can have. */
static bool is_host_address(const struct address *address)
{
    static const struct address unspecified = {0};
    bool v4 = address->family == FAMILY_IPV4;
    size_t size = address_size(address->family);

    if (memcmp(address->bytes, unspecified.bytes, size) == 0)
        return false;
    return v4 ? address->bytes[0] > 0 && address->bytes[0] < 224 : address->bytes[0] != 0xff;
}

static bool address_read(struct reading *reading, const config_setting_t *setting, bool may_be_any,
                         struct address *address)
{
    const char *expected = may_be_any ? ADDRESS_EXPECTED ", or \"any\"" : ADDRESS_EXPECTED;
    const char *text = setting_string(reading, setting, expected);

    if (text == NULL)
        return false;
    if (strcmp(text, "any") == 0 && may_be_any)
        return true;
    if (address_parse(address, text))
        return is_host_address(address) ||
               setting_wrong(reading, setting, "no host's own address; expected %s", expected);
    if (strspn(text, "0123456789.") < strlen(text) && strchr(text, ':') == NULL &&
        strchr(text, '/') == NULL && strcmp(text, "any") != 0)
        return setting_wrong(reading, setting,
                             "names are not supported by this version; expected %s", expected);
    return setting_expected(reading, setting, "%s", expected);
}

static bool id_read(struct reading *reading, const config_setting_t *setting, bool may_be_any,
                    struct identity *identity)
{
    const char *expected = may_be_any ? ID_EXPECTED ", or \"any\"" : ID_EXPECTED;
    const char *text = setting_string(reading, setting, expected);

    if (text == NULL)
        return false;
    return (identity_parse(identity, text) && (may_be_any || identity->type != 0)) ||
           setting_expected(reading, setting, "%s", expected);
}

/* `local = "192.0.2.1"` or `local = { address = ...; id = ...; auth = "psk"; }`. */
static bool endpoint_read(struct reading *reading, config_setting_t *connection, const char *side,
                          bool may_be_any, struct address *address, struct identity *identity)
{
    config_setting_t *setting = config_setting_get_member(connection, side);
    config_setting_t *address_setting = setting;
    config_setting_t *id_setting = NULL;

    if (setting == NULL)
        return setting_fault(reading, connection, "no %s; expected %s = \"ADDRESS\";", side, side);
    if (config_setting_is_group(setting)) {
        if (!setting_read_group(reading, setting, endpoint_keys, SETTING_LENGTH(endpoint_keys),
                                NULL))
            return false;
        address_setting = config_setting_get_member(setting, "address");
        id_setting = config_setting_get_member(setting, "id");
        if (address_setting == NULL)
            return setting_fault(reading, setting, "no address; expected address = \"ADDRESS\";");
    }
    if (!address_read(reading, address_setting, may_be_any, address))
        return false;
    if (id_setting != NULL)
        return id_read(reading, id_setting, may_be_any, identity);
    if (address->family != FAMILY_NONE)
        *identity = identity_of_address(address);
    return true;
}

static bool endpoints_read(struct reading *reading, config_setting_t *setting,
                           struct connection *connection)
{
    if (!endpoint_read(reading, setting, "local", false, &connection->local,
                       &connection->local_id) ||
        !endpoint_read(reading, setting, "remote", true, &connection->remote,
                       &connection->remote_id))
        return false;
    if (connection->remote.family == FAMILY_NONE)
        return true;
    const config_setting_t *remote = config_setting_get_member(setting, "remote");
    char text[ADDRESS_TEXT_MAX];
    if (connection->local.family != connection->remote.family)
        return setting_fault(reading, remote, "\"%s\"; expected an IPv%d address, as local is",
                             address_text(&connection->remote, text), connection->local.family);
    if (address_same_host(&connection->local, &connection->remote))
        return setting_fault(reading, remote, "\"%s\"; expected an address that is not local's",
                             address_text(&connection->remote, text));
    return true;
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

static bool connection_fill(struct reading *reading, config_setting_t *setting,
                            struct connection *connection)
{
    return setting_is_group(reading, setting) && name_read(reading, setting, connection->name) &&
           setting_read_group(reading, setting, connection_keys, SETTING_LENGTH(connection_keys),
                              connection) &&
           endpoints_read(reading, setting, connection) &&
           proposals_read(reading, config_setting_get_member(setting, "proposals"), false,
                          connection->weak, &connection->proposals) &&
           children_read(reading, setting, connection) &&
           on_dead_check(reading, setting, connection);
}

struct connection *connection_read(struct reading *reading, config_setting_t *setting)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        setting_fault(reading, setting, "out of memory");
        return NULL;
    }
    TAILQ_INIT(&connection->children);
    connection->lifetime_s = IKE_LIFETIME_S;
    connection->sas_max = SAS_MAX;
    connection->keepalive_s = KEEPALIVE_S;
    connection->fragmentation = true;
    connection->fragment_size = FRAGMENT_SIZE;
    connection->liveness_s = LIVENESS_S;
    connection->line = config_setting_source_line(setting);
    snprintf(connection->file, sizeof(connection->file), "%s", reading->path);
    if (connection_fill(reading, setting, connection))
        return connection;
    connection_free(connection);
    return NULL;
}

void connection_free(struct connection *connection)
{
    struct child_config *child;

    while ((child = TAILQ_FIRST(&connection->children)) != NULL) {
        TAILQ_REMOVE(&connection->children, child, entry);
        free(child);
    }
    free(connection);
}
