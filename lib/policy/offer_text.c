/*
 * Proposals of the wire for people.
 *
 * Names by IANA, "Internet Key Exchange Version 2 (IKEv2) Parameters", also of what iked does not
 * speak: a reason must say what an old peer offered.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/policy/suite.h"

struct wire_name {
    uint16_t id;
    const char *name;
};

static const struct wire_name encr_names[] = {
    {2, "DES"},
    {3, "3DES"},
    {7, "BLOWFISH"},
    {11, "NULL"},
    {12, "AES_CBC"},
    {13, "AES_CTR"},
    {14, "AES_CCM_8"},
    {15, "AES_CCM_12"},
    {16, "AES_CCM_16"},
    {18, "AES_GCM_8"},
    {19, "AES_GCM_12"},
    {20, "AES_GCM_16"},
    {21, "NULL_AES_GMAC"},
    {23, "CAMELLIA_CBC"},
    {24, "CAMELLIA_CTR"},
    {28, "CHACHA20_POLY1305"},
    {0, NULL},
};
static const struct wire_name prf_names[] = {
    {1, "PRF_HMAC_MD5"},      {2, "PRF_HMAC_SHA1"},
    {4, "PRF_AES128_XCBC"},   {5, "PRF_HMAC_SHA2_256"},
    {6, "PRF_HMAC_SHA2_384"}, {7, "PRF_HMAC_SHA2_512"},
    {8, "PRF_AES128_CMAC"},   {0, NULL},
};
static const struct wire_name integ_names[] = {
    {0, "NONE"},
    {1, "HMAC_MD5_96"},
    {2, "HMAC_SHA1_96"},
    {5, "AES_XCBC_96"},
    {8, "AES_CMAC_96"},
    {12, "HMAC_SHA2_256_128"},
    {13, "HMAC_SHA2_384_192"},
    {14, "HMAC_SHA2_512_256"},
    {0, NULL},
};
static const struct wire_name ke_names[] = {
    {0, "NONE"},           {1, "MODP_768"},       {2, "MODP_1024"},      {5, "MODP_1536"},
    {14, "MODP_2048"},     {15, "MODP_3072"},     {16, "MODP_4096"},     {17, "MODP_6144"},
    {18, "MODP_8192"},     {19, "ECP_256"},       {20, "ECP_384"},       {21, "ECP_521"},
    {22, "MODP_1024_160"}, {23, "MODP_2048_224"}, {24, "MODP_2048_256"}, {25, "ECP_192"},
    {26, "ECP_224"},       {27, "BRAINPOOL_224"}, {28, "BRAINPOOL_256"}, {29, "BRAINPOOL_384"},
    {30, "BRAINPOOL_512"}, {31, "X25519"},        {32, "X448"},          {0, NULL},
};
static const struct wire_name esn_names[] = {{0, "NO_ESN"}, {1, "ESN"}, {0, NULL}};

static const struct {
    uint8_t type;
    const char *prefix; /* of an ID without a name */
    const struct wire_name *names;
} types[] = {
    {V2_TRANSFORM_ENCR, "ENCR", encr_names}, {V2_TRANSFORM_INTEG, "INTEG", integ_names},
    {V2_TRANSFORM_PRF, "PRF", prf_names},    {V2_TRANSFORM_KE, "KE", ke_names},
    {V2_TRANSFORM_ESN, "ESN", esn_names},
};

/* Text that ends quietly where its room does. */
struct line {
    char *text;
    size_t size;
    size_t used;
};

PRINTF_LIKE(2, 3)
static void line_add(struct line *line, const char *format, ...)
{
    va_list arguments;

    if (line->used >= line->size)
        return;
    va_start(arguments, format);
    int written = vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
    va_end(arguments);
    line->used += written > 0 ? (size_t)written : 0;
}

static const char *name_of(const struct wire_name *names, uint16_t id)
{
    for (; names->name != NULL; names++)
        if (names->id == id)
            return names->name;
    return NULL;
}

/* Alternatives of one type: "AES_CBC-256|AES_CBC-128". */
static size_t type_add(struct line *line, const struct v2_proposal *proposal, uint8_t type,
                       const char *prefix, const struct wire_name *names, const char *between)
{
    size_t count = 0;

    for (size_t i = 0; i < proposal->transform_count; i++) {
        const struct v2_transform *transform = &proposal->transforms[i];
        if (transform->type != type)
            continue;
        const char *name = name_of(names, transform->id);
        line_add(line, "%s", count++ > 0 ? "|" : between);
        if (name != NULL)
            line_add(line, "%s", name);
        else
            line_add(line, "%s_%u", prefix, transform->id);
        if (transform->key_bits != 0)
            line_add(line, "-%u", transform->key_bits);
        if (transform->unknown_attribute)
            line_add(line, "?");
    }
    return count;
}

char *offer_text(const struct v2_proposal *proposal, char *text, size_t size)
{
    struct line line = {text, size, 0};
    size_t shown = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        shown += type_add(&line, proposal, types[i].type, types[i].prefix, types[i].names,
                          line.used > 0 ? "/" : "");
    if (shown < proposal->transform_count)
        line_add(&line, "%s%zu of unknown type", line.used > 0 ? "/" : "",
                 proposal->transform_count - shown);
    return text;
}
