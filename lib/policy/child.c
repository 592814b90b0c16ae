/*
 * One child of a connection: its mode, selectors, proposals and limits.
 *
 * What it may protect depends on the connection's addresses, so those are known before.
 * RFC 4301 section 4.1: a transport SA carries traffic between its own ends only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/policy/connection.h"
#include "lib/policy/keep.h"
#include "lib/policy/piece.h"
#include "lib/policy/selector.h"

#define CHILD_LIFETIME_S  3600
#define LIFETIME_MIN_S    60
#define LIFETIME_MAX_S    (365 * 86400)
#define REPLAY_WINDOW     128
#define REPLAY_WINDOW_MAX 4096 /* the kernel's */

static key_reader read_start;

static const struct key_type type_start = {read_start, setting_field_equal, setting_print_word};
static const struct key_type type_selectors = {setting_read_later, selectors_key_equal,
                                               selectors_key_print};
static const struct key_type type_proposals = {setting_read_later, proposals_key_equal,
                                               proposals_key_print};

static const struct word modes[] = {{"transport", CHILD_TRANSPORT}, {"tunnel", CHILD_TUNNEL}};
static const struct word starts[] = {
    {"traffic", START_TRAFFIC}, {"immediate", START_IMMEDIATE}, {"never", START_NEVER}};
static const struct word policies[] = {{"require", POLICY_REQUIRE}, {"prefer", POLICY_PREFER}};

#define CHILD_FIELD(field) KEY_FIELD(struct child_config, field)

static const struct key child_keys[] = {
    {"mode", &key_word, CHILD_FIELD(mode), .initial = CHILD_TRANSPORT, KEY_WORDS(modes)},
    {"local", &type_selectors, .offset = offsetof(struct child_config, local)},
    {"remote", &type_selectors, .offset = offsetof(struct child_config, remote)},
    {"esp", &type_proposals, .offset = offsetof(struct child_config, esp)},
    {"lifetime", &key_seconds, CHILD_FIELD(lifetime_s), .initial = CHILD_LIFETIME_S,
     .min = LIFETIME_MIN_S, .max = LIFETIME_MAX_S},
    {"bytes", &key_octets, CHILD_FIELD(lifetime_bytes), .min = 1, .max = INT64_MAX},
    {"packets", &key_number, CHILD_FIELD(lifetime_packets), .min = 1, .max = INT64_MAX},
    {"start", &type_start, CHILD_FIELD(start), .initial = START_TRAFFIC, KEY_WORDS(starts)},
    {"policy", &key_word, CHILD_FIELD(policy), .initial = POLICY_REQUIRE, KEY_WORDS(policies)},
    {"replay_window", &key_number, CHILD_FIELD(replay_window), .initial = REPLAY_WINDOW, .min = 0,
     .max = REPLAY_WINDOW_MAX},
    {.name = "ah"},
    {.name = "ipcomp"},
    {.name = "offload"},
    KEY_PSK,
};

static const struct misplaced child_misplaced[] = {
    {&connection_table, false,
     "belongs into the connection; expected it beside children, not in them"},
};

const struct key_table child_table = {
    .keys = child_keys,
    .count = SETTING_LENGTH(child_keys),
    .misplaced = child_misplaced,
    .misplaced_count = SETTING_LENGTH(child_misplaced),
};

static bool read_start(struct reading *reading, config_setting_t *setting, const struct key *key,
                       void *target)
{
    const struct child_config *child = target;

    if (!setting_read_word(reading, setting, key, target))
        return false;
    return child->start == START_NEVER || child->connection->remote.family != FAMILY_NONE ||
           setting_expected(reading, setting,
                            "\"never\", because with remote = \"any\" only the peer can start");
}

/* --- Selectors --- */

/* One side of a child. */
struct side {
    const char *name;
    const struct address *host;
    struct selector selectors[CONFIG_SELECTORS_MAX];
    uint8_t count;
};

static bool selector_check(struct reading *reading, const config_setting_t *setting,
                           const struct child_config *child, const struct side *side,
                           const struct selector *selector)
{
    struct selector host = selector_host(side->host);
    char text[ADDRESS_TEXT_MAX];

    if (child->mode == CHILD_TUNNEL)
        return true;
    if (side->host->family == FAMILY_NONE)
        return setting_wrong(reading, setting,
                             "transport mode with remote = \"any\", a name or several addresses; "
                             "expected no such key: it is the peer's own address");
    if (selector_contains(&host, selector))
        return true;
    return setting_wrong(reading, setting,
                         "not within the connection's own address; expected \"%s\" in transport "
                         "mode, or mode = \"tunnel\"",
                         address_text(side->host, text));
}

/* Without an address of our own there is nothing to stand for it. */
static bool local_check(struct reading *reading, const config_setting_t *setting,
                        const struct child_config *child)
{
    const struct connection *connection = child->connection;

    if (connection->local.family != FAMILY_NONE ||
        (child->mode == CHILD_TUNNEL && config_setting_get_member(setting, "local") != NULL))
        return true;
    return setting_fault(reading, setting,
                         "local = \"any\" in connection %s; expected mode = \"tunnel\" and a "
                         "local selector such as \"10.1.0.0/16\"",
                         connection->name);
}

static bool side_read(struct reading *reading, config_setting_t *child_setting,
                      const struct child_config *child, struct side *side)
{
    config_setting_t *setting =
        child_setting != NULL ? config_setting_get_member(child_setting, side->name) : NULL;

    if (setting == NULL) {
        if (side->host->family != FAMILY_NONE)
            side->selectors[side->count++] = selector_host(side->host);
        return true;
    }
    size_t count = setting_strings(reading, setting, CONFIG_SELECTORS_MAX,
                                   "selectors such as \"10.1.0.0/16\", \"10.0.0.5 tcp/5432\", "
                                   "\"sctp\"");
    for (size_t i = 0; i < count; i++) {
        config_setting_t *item = setting_strings_at(setting, i);
        struct selector *selector = &side->selectors[i];
        char wrong[SELECTOR_WRONG_MAX];
        if (!selector_parse(selector, config_setting_get_string(item), side->host, wrong))
            return setting_wrong_part(reading, item, wrong);
        if (!selector_check(reading, item, child, side, selector))
            return false;
        side->count++;
    }
    return count > 0;
}

/* A packet has one family and one protocol at both of its ends. */
static bool selectors_pair(const struct selector *a, const struct selector *b)
{
    return a->family == b->family &&
           (a->protocol == 0 || b->protocol == 0 || a->protocol == b->protocol);
}

/* A side of none stands for the peer's address, whose family is the connection's. */
static bool side_has_pair(const struct side *side, const struct connection *connection,
                          const struct selector *selector)
{
    for (size_t i = 0; i < side->count; i++)
        if (selectors_pair(&side->selectors[i], selector))
            return true;
    return side->count == 0 && (connection->local.family == FAMILY_NONE ||
                                selector->family == connection->local.family);
}

static bool pairs_check(struct reading *reading, const config_setting_t *setting,
                        const struct connection *connection, const struct side *side,
                        const struct side *other)
{
    char text[SELECTOR_TEXT_MAX];

    for (size_t i = 0; i < side->count; i++)
        if (!side_has_pair(other, connection, &side->selectors[i]))
            return setting_fault(reading, setting,
                                 "%s \"%s\" has no counterpart; expected a %s selector of its "
                                 "family and protocol",
                                 side->name, selector_text(&side->selectors[i], text), other->name);
    return true;
}

/* What the kernel could not hold would only be found out when it is installed.  A peer's address
 * that is not known yet is a host as well. */
static bool pieces_fit(struct reading *reading, const config_setting_t *setting,
                       const struct side *local, const struct side *remote)
{
    struct reason reason;

    for (size_t i = 0; i < local->count; i++) {
        const struct selector *ours = &local->selectors[i];
        struct address host = {.family = ours->family};
        struct selector theirs = selector_host(&host);
        for (size_t j = 0; j == 0 || j < remote->count; j++) {
            if (remote->count > 0)
                theirs = remote->selectors[j];
            if (pieces_check(ours, &theirs, &reason) != STATUS_OK)
                return setting_fault(reading, setting, "%s", reason.text);
        }
    }
    return true;
}

static bool sides_keep(struct reading *reading, const config_setting_t *setting,
                       const struct side *local, const struct side *remote,
                       struct child_config *child)
{
    child->local_count = local->count;
    child->remote_count = remote->count;
    child->local = keep_selectors(reading, setting, local->selectors, local->count);
    child->remote = keep_selectors(reading, setting, remote->selectors, remote->count);
    return child->local != NULL && child->remote != NULL;
}

/* `setting` is NULL where the child is not written: the one of `owner`, then. */
static bool selectors_read(struct reading *reading, config_setting_t *setting,
                           const config_setting_t *owner, struct child_config *child)
{
    static const struct address nobody = {.family = FAMILY_NONE};
    const struct connection *connection = child->connection;
    struct side local = {.name = "local", .host = &connection->local};
    struct side remote = {
        .name = "remote",
        .host = connection->peer_count > 0 ? &nobody : &connection->remote,
    };

    return (setting == NULL || local_check(reading, setting, child)) &&
           side_read(reading, setting, child, &local) &&
           side_read(reading, setting, child, &remote) &&
           (setting == NULL || (pairs_check(reading, setting, connection, &local, &remote) &&
                                pairs_check(reading, setting, connection, &remote, &local) &&
                                pieces_fit(reading, setting, &local, &remote))) &&
           sides_keep(reading, owner, &local, &remote, child);
}

/* --- The whole --- */

/* RFC 4303 section 3.3.3: extended sequence numbers need the replay window, and the kernel says
 * so too; where 32-bit ones are allowed they are what is left. */
static bool esn_check(struct reading *reading, config_setting_t *setting,
                      struct child_config *child)
{
    if (child->replay_window != 0)
        return true;
    struct proposal_list list = *child->esp;
    for (size_t i = 0; i < list.count; i++) {
        struct proposal *proposal = &list.items[i];
        if (!proposal->no_esn)
            return setting_fault(reading, config_setting_get_member(setting, "replay_window"),
                                 "0 with \"esn\" in esp; expected at least 1, or \"noesn\"");
        proposal->esn = false;
    }
    child->esp = keep_proposals(reading, setting, &list);
    return child->esp != NULL;
}

/* The kernel has no optional template for outbound packets in tunnel mode: it could not tell where
 * a packet that nothing encloses should go. */
static bool policy_check(struct reading *reading, config_setting_t *setting,
                         const struct child_config *child)
{
    if (child->policy != POLICY_PREFER || child->mode != CHILD_TUNNEL)
        return true;
    return setting_fault(
        reading, config_setting_get_member(setting, "policy"),
        "\"prefer\" in tunnel mode; expected \"require\", or mode = \"transport\"");
}

static struct child_config *child_new(struct connection *connection)
{
    struct child_config *child = calloc(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    keys_initial(&child_table, child);
    child->connection = connection;
    if (connection->remote.family == FAMILY_NONE)
        child->start = START_NEVER;
    TAILQ_INSERT_TAIL(&connection->children, child, entry);
    connection->child_count++;
    return child;
}

bool child_read(struct reading *reading, struct connection *connection, config_setting_t *setting)
{
    struct child_config *child = child_new(connection);

    if (child == NULL)
        return setting_fault(reading, setting, "out of memory");
    return setting_is_group(reading, setting) && name_read(reading, setting, &child->name) &&
           setting_read_group(reading, setting, &child_table, child) &&
           selectors_read(reading, setting, setting, child) &&
           proposals_read(reading, config_setting_get_member(setting, "esp"), setting,
                          (struct proposal_use){.child = true, .weak = connection->weak},
                          &child->esp) &&
           esn_check(reading, setting, child) && policy_check(reading, setting, child);
}

bool child_add_default(struct reading *reading, struct connection *connection,
                       const config_setting_t *setting)
{
    struct child_config *child = child_new(connection);

    if (child == NULL)
        return setting_fault(reading, setting, "out of memory");
    child->name = connection->name;
    if (connection->local.family == FAMILY_NONE)
        return setting_fault(reading, setting,
                             "local = \"any\" without children; expected children with mode = "
                             "\"tunnel\" and local selectors");
    return proposals_read(reading, NULL, setting, (struct proposal_use){.child = true},
                          &child->esp) &&
           selectors_read(reading, NULL, setting, child);
}
