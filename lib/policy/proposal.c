/*
 * Proposals from text and back: see proposal.h.
 *
 * Which combinations make sense is decided here, by RFC 7296 section 3.3.3 and RFC 5282 section 8,
 * so that what is configured can always be offered.
 */
#include "lib/policy/proposal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/nearest.h"
#include "lib/policy/setting.h"

#define WORD_MAX 31

/* RFC 8247 and RFC 8221: what is good today, the best first. */
static const char *const default_ike[] = {
    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-"
    "x25519-ecp256-ecp384-x448-modp3072-modp4096-modp2048",
    "aes256-aes128-sha256-sha384-sha512-prfsha384-prfsha256-prfsha512-"
    "x25519-ecp256-ecp384-x448-modp3072-modp4096-modp2048",
};
static const char *const default_esp[] = {
    "aes256gcm16-aes128gcm16-chacha20poly1305",
    "aes256-aes128-sha256-sha512",
};

/* The PRF that belongs to an integrity algorithm when none is named. */
static const uint8_t prf_of_integ[INTEG_COUNT] = {
    [INTEG_HMAC_SHA1_96] = PRF_HMAC_SHA1,      [INTEG_HMAC_SHA256_128] = PRF_HMAC_SHA256,
    [INTEG_HMAC_SHA384_192] = PRF_HMAC_SHA384, [INTEG_HMAC_SHA512_256] = PRF_HMAC_SHA512,
    [INTEG_AES_XCBC_96] = PRF_AES128_XCBC,     [INTEG_AES_CMAC_96] = PRF_AES128_CMAC,
};

PRINTF_LIKE(2, 3)
static bool wrong_set(char wrong[PROPOSAL_WRONG_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(wrong, PROPOSAL_WRONG_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* --- One kind of algorithm: how it is found, named and judged --- */

struct kind {
    unsigned (*from_name)(struct slice name);
    const char *(*name)(unsigned id);
    bool (*weak)(unsigned id);
    unsigned count;
    size_t offset; /* of its list in struct proposal */
};

/* Rows of four tables of unlike types, seen alike. */
#define KIND_FUNCTIONS(kind)                              \
    static unsigned kind##_id(struct slice name)          \
    {                                                     \
        return kind##_from_name(name);                    \
    }                                                     \
    static const char *kind##_name(unsigned id)           \
    {                                                     \
        const struct kind##_info *info = kind##_info(id); \
        return info != NULL ? info->name : "none";        \
    }                                                     \
    static bool kind##_weak(unsigned id)                  \
    {                                                     \
        const struct kind##_info *info = kind##_info(id); \
        return info != NULL && info->weak;                \
    }
KIND_FUNCTIONS(encr)
KIND_FUNCTIONS(integ)
KIND_FUNCTIONS(prf)
KIND_FUNCTIONS(group)

static const struct kind kinds[] = {
    {encr_id, encr_name, encr_weak, ENCR_COUNT, offsetof(struct proposal, encr)},
    {integ_id, integ_name, integ_weak, INTEG_COUNT, offsetof(struct proposal, integ)},
    {prf_id, prf_name, prf_weak, PRF_COUNT, offsetof(struct proposal, prf)},
    {group_id, group_name, group_weak, GROUP_COUNT, offsetof(struct proposal, group)},
};

static struct algorithm_list *list_of(struct proposal *proposal, const struct kind *kind)
{
    return (struct algorithm_list *)(void *)((char *)proposal + kind->offset);
}

bool algorithm_list_has(const struct algorithm_list *list, unsigned id)
{
    return memchr(list->ids, (int)id, list->count) != NULL;
}

/* --- Words --- */

static bool word_unknown(const char *word, char wrong[PROPOSAL_WRONG_MAX])
{
    struct nearest nearest = nearest_to(word);

    for (size_t i = 0; i < SETTING_LENGTH(kinds); i++)
        for (unsigned id = 1; id < kinds[i].count; id++)
            nearest_try(&nearest, kinds[i].name(id));
    nearest_try(&nearest, "esn");
    nearest_try(&nearest, "noesn");
    return wrong_set(wrong, "\"%s\": no such algorithm; the nearest is \"%s\"", word, nearest.best);
}

static bool word_add(struct algorithm_list *list, unsigned id, const char *word,
                     char wrong[PROPOSAL_WRONG_MAX])
{
    if (algorithm_list_has(list, id))
        return wrong_set(wrong, "\"%s\" stands there twice; expected it once", word);
    if (list->count == CONFIG_ALGORITHMS_MAX)
        return wrong_set(wrong, "\"%s\" is one too many; expected at most %d of a kind", word,
                         CONFIG_ALGORITHMS_MAX);
    list->ids[list->count++] = (uint8_t)id;
    return true;
}

static bool word_read(struct proposal *proposal, const char *word, struct proposal_use use,
                      char wrong[PROPOSAL_WRONG_MAX])
{
    bool esn = strcmp(word, "esn") == 0;
    bool no_esn = strcmp(word, "noesn") == 0;

    if (esn || no_esn) {
        proposal->esn = proposal->esn || esn;
        proposal->no_esn = proposal->no_esn || no_esn;
        return use.child || wrong_set(wrong, "\"%s\" is for ESP; expected it in esp", word);
    }
    for (size_t i = 0; i < SETTING_LENGTH(kinds); i++) {
        unsigned id = kinds[i].from_name(slice_text(word));
        if (id == 0)
            continue;
        if (kinds[i].weak(id) && !use.weak)
            return wrong_set(wrong,
                             "\"%s\" is weak; expected a stronger one, or weak = true on the "
                             "connection",
                             word);
        return word_add(list_of(proposal, &kinds[i]), id, word, wrong);
    }
    return word_unknown(word, wrong);
}

static bool words_read(struct proposal *proposal, const char *text, struct proposal_use use,
                       char wrong[PROPOSAL_WRONG_MAX])
{
    for (;;) {
        size_t length = strcspn(text, "-");
        char word[WORD_MAX + 1];
        snprintf(word, sizeof(word), "%.*s", (int)(length < WORD_MAX ? length : WORD_MAX), text);
        if (length == 0)
            return wrong_set(wrong, "an algorithm is missing; expected them joined by single '-'");
        if (!word_read(proposal, word, use, wrong))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

/* --- Combinations --- */

static size_t aead_count(const struct proposal *proposal)
{
    size_t count = 0;

    for (size_t i = 0; i < proposal->encr.count; i++)
        count += encr_is_aead(proposal->encr.ids[i]);
    return count;
}

static void prf_from_integ(struct proposal *proposal)
{
    for (size_t i = 0; i < proposal->integ.count; i++)
        proposal->prf.ids[proposal->prf.count++] = prf_of_integ[proposal->integ.ids[i]];
}

/* RFC 7296 section 3.3.3: IKE needs ENCR, PRF, D-H and, without an AEAD, INTEG. */
static bool ike_check(struct proposal *proposal, bool aead, char wrong[PROPOSAL_WRONG_MAX])
{
    for (size_t i = 0; i < proposal->encr.count; i++)
        if (proposal->encr.ids[i] == ENCR_NULL)
            return wrong_set(wrong,
                             "\"null\" is for ESP; expected a cipher such as \"aes256gcm16\"");
    if (proposal->prf.count == 0)
        prf_from_integ(proposal);
    else if (aead && proposal->integ.count > 0)
        return wrong_set(wrong, "\"%s\" beside a PRF and an AEAD; expected no integrity algorithm",
                         integ_name(proposal->integ.ids[0]));
    if (aead)
        proposal->integ = (struct algorithm_list){0}; /* its hashes were meant as PRFs */
    if (proposal->prf.count == 0)
        return wrong_set(wrong, "no PRF; expected one such as \"prfsha384\"");
    if (proposal->group.count == 0)
        return wrong_set(wrong, "no key exchange; expected one such as \"x25519\"");
    return true;
}

static bool child_check(struct proposal *proposal, bool aead, char wrong[PROPOSAL_WRONG_MAX])
{
    for (size_t i = 0; i < proposal->encr.count; i++)
        if (encr_info(proposal->encr.ids[i])->kernel == NULL)
            return wrong_set(wrong, "\"%s\" is not for ESP; expected one such as \"aes256gcm16\"",
                             encr_name(proposal->encr.ids[i]));
    if (proposal->prf.count > 0)
        return wrong_set(wrong, "\"%s\" is for IKE; expected no PRF in esp",
                         prf_name(proposal->prf.ids[0]));
    if (aead && proposal->integ.count > 0)
        return wrong_set(wrong, "\"%s\" beside an AEAD; expected no integrity algorithm",
                         integ_name(proposal->integ.ids[0]));
    if (!proposal->esn && !proposal->no_esn)
        proposal->esn = proposal->no_esn = true;
    return true;
}

bool proposal_parse(struct proposal *proposal, const char *text, struct proposal_use use,
                    char wrong[PROPOSAL_WRONG_MAX])
{
    *proposal = (struct proposal){0};
    if (!words_read(proposal, text, use, wrong))
        return false;
    size_t aeads = aead_count(proposal);
    if (proposal->encr.count == 0)
        return wrong_set(wrong, "no cipher; expected one such as \"aes256gcm16\"");
    if (aeads != 0 && aeads != proposal->encr.count)
        return wrong_set(wrong, "AEADs and other ciphers; expected them in proposals of their own");
    if (aeads == 0 && proposal->integ.count == 0)
        return wrong_set(wrong,
                         "no integrity algorithm beside \"%s\"; expected one such as "
                         "\"sha256\"",
                         encr_name(proposal->encr.ids[0]));
    return use.child ? child_check(proposal, aeads > 0, wrong)
                     : ike_check(proposal, aeads > 0, wrong);
}

void proposal_list_default(struct proposal_list *list, bool child)
{
    const char *const *texts = child ? default_esp : default_ike;
    size_t count = child ? SETTING_LENGTH(default_esp) : SETTING_LENGTH(default_ike);
    char wrong[PROPOSAL_WRONG_MAX];

    *list = (struct proposal_list){0};
    for (size_t i = 0; i < count; i++)
        if (proposal_parse(&list->items[list->count], texts[i],
                           (struct proposal_use){.child = child}, wrong))
            list->count++;
}

char *proposal_text(const struct proposal *proposal, char *text, size_t size)
{
    struct proposal copy = *proposal;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < SETTING_LENGTH(kinds); i++) {
        const struct algorithm_list *list = list_of(&copy, &kinds[i]);
        for (size_t k = 0; k < list->count && used < size; k++)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "-" : "",
                                     kinds[i].name(list->ids[k]));
    }
    if (proposal->esn != proposal->no_esn && used < size)
        snprintf(text + used, size - used, "%s", proposal->esn ? "-esn" : "-noesn");
    return text;
}
