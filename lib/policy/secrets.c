/*
 * Pre-shared keys from secrets.conf, and the choice of one for a pair of identities: see
 * secrets.h.
 *
 * No message here ever quotes the file: a slip of the pen must not put a key into a log.
 */
#include "lib/policy/secrets.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/policy/loss.h"
#include "lib/policy/setting.h"

#define SECRETS_MAX     65536
#define SECRET_IDS_MAX  64
#define SECRET_SIZE_MAX 1024
#define HEX_PREFIX      "0x"
#define BASE64_PREFIX   "0s"
#define PSK_EXPECTED    "psk = \"...\", \"0x\" and hex, or \"0s\" and base64"
#define IDS_EXPECTED    "an address, \"host.name\", \"user@host\", \"keyid:text\" or \"@#hex\""

/* One identity of one entry, in the table. */
struct secret_id {
    struct hash_node by_id;
    struct identity identity;
    const struct secret_entry *entry;
};

struct secret_entry {
    size_t order; /* in the files */
    struct secret psk;
    size_t id_count;
    struct secret_id *ids;
};

struct secrets {
    size_t count;
    struct secret_entry **entries;
    struct hash_table ids;
    const struct secret_entry *for_all; /* the first without ids */
};

/* --- Keys from text --- */

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

static int base64_value(char c)
{
    const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

/* Digits of `bits` bits each into octets; false when one is none, or bits are left over that are
 * not zero. */
static bool digits_decode(struct secret *psk, const char *text, size_t digits, unsigned bits,
                          int (*value_of)(char c))
{
    uint32_t held = 0;
    unsigned held_bits = 0;
    size_t size = 0;

    if (!secret_new(psk, digits * bits / 8))
        return false;
    for (size_t i = 0; i < digits; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        held = held << bits | (unsigned)value;
        held_bits += bits;
        if (held_bits < 8)
            continue;
        held_bits -= 8;
        psk->data[size++] = (uint8_t)(held >> held_bits);
        held &= (1u << held_bits) - 1;
    }
    return held == 0;
}

/* RFC 4648 section 4, with its padding or without. */
static bool base64_decode(struct secret *psk, const char *text)
{
    size_t length = strlen(text);
    size_t digits = length;

    while (digits > 0 && length - digits < 2 && text[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || (digits != length && length % 4 != 0))
        return false;
    return digits_decode(psk, text, digits, 6, base64_value);
}

static bool psk_read(struct reading *reading, const config_setting_t *setting, struct secret *psk)
{
    const char *text = config_setting_get_string(setting);
    bool read;

    if (text == NULL)
        return setting_fault(reading, setting, "no text; expected " PSK_EXPECTED);
    if (strlen(text) > SECRET_SIZE_MAX)
        return setting_fault(reading, setting, "too long; expected at most %d characters",
                             SECRET_SIZE_MAX);
    if (strncmp(text, HEX_PREFIX, strlen(HEX_PREFIX)) == 0)
        read =
            strlen(text) % 2 == 0 && digits_decode(psk, text + strlen(HEX_PREFIX),
                                                   strlen(text + strlen(HEX_PREFIX)), 4, hex_value);
    else if (strncmp(text, BASE64_PREFIX, strlen(BASE64_PREFIX)) == 0)
        read = base64_decode(psk, text + strlen(BASE64_PREFIX));
    else
        read = secret_copy(psk, slice_text(text));
    if (!read)
        return setting_fault(reading, setting,
                             "cannot be decoded; expected pairs of hex digits "
                             "behind \"0x\", or base64 behind \"0s\"");
    return psk->size > 0 || setting_fault(reading, setting, "empty; expected " PSK_EXPECTED);
}

/* --- Entries --- */

/* Letters of names compare without case, so they hash without. */
static uint64_t identity_key(const struct identity *identity)
{
    static const uint8_t no_key[16] = {0};
    uint8_t folded[IDENTITY_MAX];

    for (size_t i = 0; i < identity->size; i++)
        folded[i] = (uint8_t)tolower(identity->data[i]);
    return hash_keyed(no_key, slice_of(folded, identity->size));
}

static uint64_t key_by_id(const void *context, const struct hash_node *node)
{
    (void)context;
    return identity_key(&HASH_OWNER(node, const struct secret_id, by_id)->identity);
}

static bool ids_read(struct reading *reading, config_setting_t *setting, struct secret_entry *entry)
{
    if (setting == NULL ||
        (config_setting_is_aggregate(setting) && !config_setting_is_group(setting) &&
         config_setting_length(setting) == 0))
        return true;
    size_t count = setting_strings(reading, setting, SECRET_IDS_MAX, IDS_EXPECTED);
    if (count == 0)
        return false;
    entry->ids = calloc(count, sizeof(*entry->ids));
    if (entry->ids == NULL)
        return setting_fault(reading, setting, "out of memory");
    for (size_t i = 0; i < count; i++) {
        config_setting_t *item = setting_strings_at(setting, i);
        struct identity *identity = &entry->ids[i].identity;
        if (!identity_parse(identity, config_setting_get_string(item)) || identity->type == 0)
            return setting_expected(reading, item, IDS_EXPECTED);
        entry->ids[i].entry = entry;
        entry->id_count++;
    }
    return true;
}

static void entry_free(struct secret_entry *entry)
{
    secret_free(&entry->psk);
    free(entry->ids);
    free(entry);
}

static bool entry_fill(struct reading *reading, config_setting_t *setting,
                       struct secret_entry *entry)
{
    static const struct key keys[] = {
        {.name = "ids", .type = &key_later},
        {.name = "psk", .type = &key_later},
    };

    if (!config_setting_is_group(setting))
        return setting_fault(reading, setting,
                             "not a group; expected { ids = [ ... ]; psk = \"...\"; }");
    static const struct key_table table = {.keys = keys, .count = SETTING_LENGTH(keys)};
    if (!setting_read_group(reading, setting, &table, NULL))
        return false;
    const config_setting_t *psk = config_setting_get_member(setting, "psk");
    if (psk == NULL)
        return setting_fault(reading, setting, "no psk; expected " PSK_EXPECTED);
    return ids_read(reading, config_setting_get_member(setting, "ids"), entry) &&
           psk_read(reading, psk, &entry->psk);
}

static bool entry_add(struct secrets *secrets, struct secret_entry *entry)
{
    struct secret_entry **entries =
        realloc(secrets->entries, (secrets->count + 1) * sizeof(struct secret_entry *));

    if (entries == NULL)
        return false;
    entry->order = secrets->count;
    secrets->entries = entries;
    secrets->entries[secrets->count++] = entry;
    if (entry->id_count == 0 && secrets->for_all == NULL)
        secrets->for_all = entry;
    for (size_t i = 0; i < entry->id_count; i++)
        hash_insert(&secrets->ids, &entry->ids[i].by_id);
    return true;
}

static bool read_secrets(struct reading *reading, config_setting_t *setting, const struct key *key,
                         void *target)
{
    struct secrets *secrets = target;

    (void)key;
    if (!config_setting_is_list(setting))
        return setting_fault(reading, setting,
                             "not a list; expected secrets: ( { ids = [ ... ]; "
                             "psk = \"...\"; } );");
    for (int i = 0; i < config_setting_length(setting); i++) {
        config_setting_t *item = config_setting_get_elem(setting, (unsigned)i);
        struct secret_entry *entry = calloc(1, sizeof(*entry));
        if (entry == NULL || secrets->count == SECRETS_MAX) {
            free(entry);
            return setting_fault(reading, item, "no room; expected at most %d secrets",
                                 SECRETS_MAX);
        }
        if (!entry_fill(reading, item, entry)) {
            entry_free(entry);
            return false;
        }
        if (!entry_add(secrets, entry)) {
            entry_free(entry);
            return setting_fault(reading, item, "out of memory");
        }
    }
    return true;
}

/* libconfig frees its strings without wiping them. */
static void tree_wipe(config_setting_t *setting)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        secret_wipe(setting->value.sval, strlen(setting->value.sval));
    else if (config_setting_is_aggregate(setting))
        for (int i = 0; i < config_setting_length(setting); i++)
            tree_wipe(config_setting_get_elem(setting, (unsigned)i));
}

static bool file_read(struct secrets *secrets, const struct config_text *text,
                      char error[CONFIG_ERROR_MAX])
{
    static const struct key_type type = {.read = read_secrets};
    static const struct key keys[] = {{.name = "secrets", .type = &type}};
    static const struct key_table table = {.keys = keys, .count = SETTING_LENGTH(keys)};
    struct reading reading = {.path = text->path, .error = error, .secret = true};
    config_t parsed;

    if (!reading_parse(&reading, text->text, &parsed))
        return false;
    bool read = setting_read_group(&reading, config_root_setting(&parsed), &table, secrets);
    tree_wipe(config_root_setting(&parsed));
    config_destroy(&parsed);
    return read;
}

struct secrets *secrets_parse(const struct config_text *texts, size_t count,
                              char error[CONFIG_ERROR_MAX])
{
    struct secrets *secrets = calloc(1, sizeof(*secrets));

    error[0] = '\0';
    if (secrets == NULL || !hash_init(&secrets->ids, key_by_id, NULL)) {
        free(secrets);
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (!file_read(secrets, &texts[i], error)) {
            secrets_free(secrets);
            return NULL;
        }
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    if (secrets == NULL)
        return;
    for (size_t i = 0; i < secrets->count; i++)
        entry_free(secrets->entries[i]);
    free(secrets->entries);
    hash_free(&secrets->ids);
    free(secrets);
}

/* --- Choosing --- */

static bool entry_names(const struct secret_entry *entry, const struct identity *identity)
{
    for (size_t i = 0; i < entry->id_count; i++)
        if (identity_equal(&entry->ids[i].identity, identity))
            return true;
    return false;
}

/* The first entry with `identity` that names `other` too or, alone: that names no other one.
 * An entry for several is never for a stranger with one of them: whoever knows its key could
 * pass for anybody. */
static const struct secret_entry *entry_find(const struct secrets *secrets,
                                             const struct identity *identity,
                                             const struct identity *other, bool alone)
{
    struct hash_node *node = hash_first(&secrets->ids, identity_key(identity));
    const struct secret_entry *best = NULL;

    for (; node != NULL; node = hash_next(node)) {
        const struct secret_id *id = HASH_OWNER(node, struct secret_id, by_id);
        bool fits = alone ? id->entry->id_count == 1 : entry_names(id->entry, other);
        fits = fits && identity_equal(&id->identity, identity);
        if (fits && (best == NULL || id->entry->order < best->order))
            best = id->entry;
    }
    return best;
}

static const struct secret_entry *entry_earlier(const struct secret_entry *a,
                                                const struct secret_entry *b)
{
    return a == NULL || (b != NULL && b->order < a->order) ? b : a;
}

bool secrets_find(const struct secrets *secrets, const struct identity *local,
                  const struct identity *remote, struct slice *psk)
{
    const struct secret_entry *entry = entry_find(secrets, remote, local, false);

    if (entry == NULL)
        entry = entry_earlier(entry_find(secrets, remote, local, true),
                              entry_find(secrets, local, remote, true));
    if (entry == NULL)
        entry = secrets->for_all;
    if (entry == NULL)
        return false;
    *psk = secret_slice(&entry->psk);
    return true;
}

static bool entry_equal(const struct secret_entry *a, const struct secret_entry *b)
{
    if (a->id_count != b->id_count)
        return false;
    for (size_t i = 0; i < a->id_count; i++)
        if (!identity_equal(&a->ids[i].identity, &b->ids[i].identity))
            return false;
    return secret_equal(secret_slice(&a->psk), secret_slice(&b->psk));
}

bool secrets_equal(const struct secrets *a, const struct secrets *b)
{
    size_t count = a != NULL ? a->count : 0;

    if (count != (b != NULL ? b->count : 0))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!entry_equal(a->entries[i], b->entries[i]))
            return false;
    return true;
}

void secrets_missing(const struct secrets *secrets, const struct config *config,
                     void (*each)(void *context, const char *line), void *context)
{
    const struct connection *connection;
    struct slice psk;
    char local[4 * IDENTITY_MAX];
    char remote[4 * IDENTITY_MAX];
    char line[9 * IDENTITY_MAX];

    TAILQ_FOREACH (connection, &config->connections, entry) {
        if (connection->remote_id->type == 0 ||
            secrets_find(secrets, connection->local_id, connection->remote_id, &psk))
            continue;
        snprintf(line, sizeof(line), "no psk for %s and %s (connection %s)",
                 identity_text(connection->local_id, local, sizeof(local)),
                 identity_text(connection->remote_id, remote, sizeof(remote)), connection->name);
        each(context, line);
    }
}
