/*
 * Offers out of what is configured or chosen, and offers for people: see offer.h.
 *
 * RFC 7296 sections 3.3.1 to 3.3.3.
 */
#include "lib/policy/offer.h"

#include <stdarg.h>
#include <stdio.h>

bool algorithm_usable(const struct crypto *crypto, enum transform_type type, unsigned id)
{
    if (crypto == NULL)
        return true;
    switch (type) {
    case TRANSFORM_ENCR: return crypto_has_encr(crypto, (enum encr)id);
    case TRANSFORM_PRF: return crypto_has_prf(crypto, (enum prf)id);
    case TRANSFORM_INTEG: return crypto_has_integ(crypto, (enum integ)id);
    default: return crypto_has_group(crypto, (enum group)id);
    }
}

/* --- Out of what is configured or chosen --- */

static void transform_add(struct offer_proposal *proposal, enum transform_type type, unsigned id)
{
    if (proposal->transform_count < OFFER_TRANSFORMS_MAX)
        proposal->transforms[proposal->transform_count++] = (struct offer_transform){
            .type = (uint8_t)type,
            .algorithm = (uint8_t)id,
            .known = true,
        };
}

/* False when a type that the proposal needs has nothing left to offer. */
static bool list_add(struct offer_proposal *proposal, enum transform_type type,
                     const struct algorithm_list *list, const struct crypto *crypto)
{
    size_t before = proposal->transform_count;

    for (size_t i = 0; i < list->count; i++)
        if (algorithm_usable(crypto, type, list->ids[i]))
            transform_add(proposal, type, list->ids[i]);
    return list->count == 0 || proposal->transform_count > before;
}

/* The room for transforms is left as it is: it is large. */
static void proposal_begin(struct offer_proposal *proposal, size_t number,
                           enum ipsec_protocol protocol, struct offer_spi spi)
{
    proposal->number = (uint8_t)number;
    proposal->protocol = (uint8_t)protocol;
    proposal->spi = spi;
    proposal->transform_count = 0;
}

void offer_from_proposals(struct offer *offer, const struct proposal_list *list,
                          enum ipsec_protocol protocol, struct offer_spi spi,
                          const struct crypto *crypto, bool with_group)
{
    static const struct algorithm_list no_group = {0};

    offer->count = 0;
    offer->name = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct proposal *ours = &list->items[i];
        struct offer_proposal *proposal = &offer->proposals[offer->count];
        proposal_begin(proposal, offer->count + 1, protocol, spi);
        if (!list_add(proposal, TRANSFORM_ENCR, &ours->encr, crypto) ||
            !list_add(proposal, TRANSFORM_PRF, &ours->prf, crypto) ||
            !list_add(proposal, TRANSFORM_INTEG, &ours->integ, crypto) ||
            !list_add(proposal, TRANSFORM_GROUP, with_group ? &ours->group : &no_group, crypto))
            continue;
        if (ours->esn)
            transform_add(proposal, TRANSFORM_ESN, ESN_YES);
        if (ours->no_esn)
            transform_add(proposal, TRANSFORM_ESN, ESN_NO);
        offer->count++;
    }
}

void offer_from_suite(struct offer *offer, const struct suite *suite, uint8_t number,
                      enum ipsec_protocol protocol, struct offer_spi spi, bool with_group)
{
    struct offer_proposal *proposal = &offer->proposals[0];

    offer->count = 1;
    offer->name = NULL;
    proposal_begin(proposal, number, protocol, spi);
    transform_add(proposal, TRANSFORM_ENCR, suite->encr);
    if (suite->prf != PRF_NONE)
        transform_add(proposal, TRANSFORM_PRF, suite->prf);
    if (suite->integ != INTEG_NONE)
        transform_add(proposal, TRANSFORM_INTEG, suite->integ);
    if (with_group && suite->group != GROUP_NONE)
        transform_add(proposal, TRANSFORM_GROUP, suite->group);
    if (protocol != IPSEC_NONE)
        transform_add(proposal, TRANSFORM_ESN, suite->esn ? ESN_YES : ESN_NO);
}

/* --- For people --- */

static const struct {
    enum transform_type type;
    const char *prefix; /* of a number without a name */
} types_shown[] = {
    {TRANSFORM_ENCR, "ENCR"}, {TRANSFORM_INTEG, "INTEG"}, {TRANSFORM_PRF, "PRF"},
    {TRANSFORM_GROUP, "KE"},  {TRANSFORM_ESN, "ESN"},
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

static void transform_show(struct line *line, const struct offer *offer,
                           const struct offer_transform *transform, const char *prefix)
{
    const char *name = NULL;

    if (offer->name != NULL)
        name = offer->name((enum transform_type)transform->type, transform->number);
    if (name != NULL)
        line_add(line, "%s", name);
    else
        line_add(line, "%s_%u", prefix, transform->number);
    if (transform->key_bits != 0)
        line_add(line, "-%u", transform->key_bits);
    if (transform->unknown_attribute)
        line_add(line, "?");
}

char *offer_text(const struct offer *offer, const struct offer_proposal *proposal, char *text,
                 size_t size)
{
    struct line line = {text, size, 0};
    size_t shown = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(types_shown) / sizeof(types_shown[0]); i++) {
        const char *between = line.used > 0 ? "/" : "";
        for (size_t k = 0; k < proposal->transform_count; k++) {
            if (proposal->transforms[k].type != types_shown[i].type)
                continue;
            line_add(&line, "%s", between);
            transform_show(&line, offer, &proposal->transforms[k], types_shown[i].prefix);
            between = "|"; /* alternatives of one type */
            shown++;
        }
    }
    if (shown < proposal->transform_count)
        line_add(&line, "%s%zu of unknown type", line.used > 0 ? "/" : "",
                 proposal->transform_count - shown);
    return text;
}
