/*
 * Identities as people write them and as peers send them: see identity.h.
 *
 * Comparison is by RFC 4945 section 3.1: names compare without case.
 */
#include "lib/policy/identity.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define KEYID_PREFIX "keyid:"
#define HEX_PREFIX   "@#"

struct identity identity_of(uint8_t type, struct slice data)
{
    struct identity identity = {.type = type, .size = (uint8_t)data.size};

    if (data.size > IDENTITY_MAX)
        return (struct identity){0};
    if (data.size > 0)
        memcpy(identity.data, data.data, data.size);
    return identity;
}

struct identity identity_of_address(const struct address *address)
{
    static const uint8_t types[] = {
        [FAMILY_IPV4] = IDENTITY_IPV4_ADDR,
        [FAMILY_IPV6] = IDENTITY_IPV6_ADDR,
    };

    return identity_of(types[address->family], address_bytes(address));
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

static bool hex_parse(struct identity *identity, const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || length % 2 != 0 || length / 2 > IDENTITY_MAX)
        return false;
    identity->type = IDENTITY_KEY_ID;
    identity->size = (uint8_t)(length / 2);
    for (size_t i = 0; i < length; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        identity->data[i / 2] = (uint8_t)(identity->data[i / 2] << 4 | digit);
    }
    return true;
}

/* A host's name, and not an address with a slip in it. */
static bool is_name(const char *text)
{
    bool letter = false;

    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && strchr("-._", *c) == NULL)
            return false;
        letter = letter || isalpha((unsigned char)*c);
    }
    return letter && text[0] != '.' && text[0] != '-';
}

static bool is_mailbox(const char *text)
{
    const char *at = strchr(text, '@');

    for (const char *c = text; *c != '\0'; c++)
        if (!isgraph((unsigned char)*c))
            return false;
    return at != NULL && at != text && is_name(at + 1);
}

static bool text_identity(struct identity *identity, uint8_t type, const char *text)
{
    *identity = identity_of(type, slice_text(text));
    return identity->type != IDENTITY_ANY && identity->size > 0;
}

bool identity_parse(struct identity *identity, const char *text)
{
    struct address address;

    *identity = (struct identity){0};
    if (strcmp(text, "any") == 0)
        return true;
    if (address_parse(&address, text)) {
        *identity = identity_of_address(&address);
        return true;
    }
    if (strncmp(text, HEX_PREFIX, strlen(HEX_PREFIX)) == 0)
        return hex_parse(identity, text + strlen(HEX_PREFIX));
    if (strncmp(text, KEYID_PREFIX, strlen(KEYID_PREFIX)) == 0)
        return text_identity(identity, IDENTITY_KEY_ID, text + strlen(KEYID_PREFIX));
    if (is_mailbox(text))
        return text_identity(identity, IDENTITY_RFC822_ADDR, text);
    return is_name(text) && text_identity(identity, IDENTITY_FQDN, text);
}

static bool is_printable(const struct identity *identity)
{
    for (size_t i = 0; i < identity->size; i++)
        if (identity->data[i] < 0x20 || identity->data[i] > 0x7e)
            return false;
    return identity->size > 0;
}

/* A peer may have sent anything under any type: what is not what it says is shown in hex. */
char *identity_text(const struct identity *identity, char *text, size_t size)
{
    bool v4 = identity->type == IDENTITY_IPV4_ADDR && identity->size == 4;
    bool v6 = identity->type == IDENTITY_IPV6_ADDR && identity->size == 16;
    char hex[2 * IDENTITY_MAX + 1];

    slice_hex(slice_of(identity->data, identity->size), hex, sizeof(hex));
    if (identity->type == IDENTITY_ANY) {
        snprintf(text, size, "any");
    } else if (v4 || v6) {
        struct address address = {.family = v4 ? FAMILY_IPV4 : FAMILY_IPV6};
        char shown[ADDRESS_TEXT_MAX];
        memcpy(address.bytes, identity->data, identity->size);
        snprintf(text, size, "%s", address_text(&address, shown));
    } else if ((identity->type == IDENTITY_FQDN || identity->type == IDENTITY_RFC822_ADDR) &&
               is_printable(identity)) {
        snprintf(text, size, "%.*s", identity->size, (const char *)identity->data);
    } else if (identity->type == IDENTITY_KEY_ID && is_printable(identity)) {
        snprintf(text, size, KEYID_PREFIX "%.*s", identity->size, (const char *)identity->data);
    } else if (identity->type == IDENTITY_KEY_ID) {
        snprintf(text, size, HEX_PREFIX "%s", hex);
    } else {
        snprintf(text, size, "type-%u:%s", identity->type, hex);
    }
    return text;
}

struct identity identity_copy(const struct identity *identity)
{
    return identity_of(identity->type, slice_of(identity->data, identity->size));
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    if (a->type != b->type || a->size != b->size)
        return false;
    if (a->type == IDENTITY_FQDN || a->type == IDENTITY_RFC822_ADDR) {
        for (size_t i = 0; i < a->size; i++)
            if (tolower(a->data[i]) != tolower(b->data[i]))
                return false;
        return true;
    }
    return memcmp(a->data, b->data, a->size) == 0;
}
