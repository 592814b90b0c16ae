/*
 * A proposal out of an offer, a check of an answer: see choose.h.
 *
 * RFC 7296 sections 2.7 and 3.3, RFC 5282 section 8.
 */
#include "lib/policy/choose.h"

#include <stdio.h>

#define DIFFER_MAX 112 /* of a reason: the part that says what differs */
#define SHOWN_MAX  256

/* --- What a list holds --- */

bool proposals_allow(const struct proposal_list *list, const struct suite *suite)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct proposal *proposal = &list->items[i];
        if (algorithm_list_has(&proposal->encr, suite->encr) &&
            algorithm_list_has(&proposal->prf, suite->prf) &&
            algorithm_list_has(&proposal->group, suite->group) &&
            (suite->integ == INTEG_NONE || algorithm_list_has(&proposal->integ, suite->integ)))
            return true;
    }
    return false;
}

enum group proposals_first_group(const struct proposal_list *list, const struct crypto *crypto)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->items[i].group.count; j++)
            if (crypto_has_group(crypto, list->items[i].group.ids[j]))
                return list->items[i].group.ids[j];
    return GROUP_NONE;
}

bool proposals_have_group(const struct proposal_list *list, enum group group,
                          const struct crypto *crypto)
{
    for (size_t i = 0; i < list->count; i++)
        if (algorithm_list_has(&list->items[i].group, group))
            return crypto_has_group(crypto, group);
    return false;
}

/* --- One proposal of ours against one of the peer's --- */

/* Bits of a difference between two proposals; 0: they fit. */
enum {
    DIFFERS_ENCR = 1 << TRANSFORM_ENCR,
    DIFFERS_PRF = 1 << TRANSFORM_PRF,
    DIFFERS_INTEG = 1 << TRANSFORM_INTEG,
    DIFFERS_GROUP = 1 << TRANSFORM_GROUP,
    DIFFERS_ESN = 1 << TRANSFORM_ESN,
    DIFFERS_PROTOCOL = 1 << TRANSFORM_TYPE_COUNT,
    DIFFERS_SPI = DIFFERS_PROTOCOL << 1,
    DIFFERS_UNKNOWN_TYPE = DIFFERS_PROTOCOL << 2,
};

#define SPI_RESERVED 255 /* RFC 4303 section 2.1: 0 to 255 are nobody's */

/* One proposal of the peer's as sets, made once: it is held against many of ours. */
struct offered {
    const struct offer_proposal *proposal;
    uint32_t algorithms[TRANSFORM_TYPE_COUNT]; /* bit n: algorithm n */
    bool has_type[TRANSFORM_TYPE_COUNT];
};

_Static_assert(ENCR_COUNT <= 32 && INTEG_COUNT <= 32 && PRF_COUNT <= 32 && GROUP_COUNT <= 32,
               "struct offered keeps algorithms as bits of 32");

/* RFC 7296 section 3.3.6: transforms that we do not understand, attributes included, are passed
 * over; a type that we do not understand spoils its proposal. */
static void offered_fill(struct offered *offered, const struct offer_proposal *proposal)
{
    *offered = (struct offered){.proposal = proposal};
    for (size_t i = 0; i < proposal->transform_count; i++) {
        const struct offer_transform *transform = &proposal->transforms[i];
        offered->has_type[transform->type] = true;
        if (transform->known)
            offered->algorithms[transform->type] |= 1u << transform->algorithm;
    }
}

/* NONE is 0. */
static bool is_offered(const struct offered *offered, enum transform_type type, unsigned id)
{
    return (offered->algorithms[type] >> id & 1) != 0;
}

/* The first of ours that is offered and that the provider has; 0: none. */
static uint8_t algorithm_pick(const struct algorithm_list *ours, const struct offered *offered,
                              enum transform_type type, const struct crypto *crypto)
{
    for (size_t i = 0; i < ours->count; i++)
        if (is_offered(offered, type, ours->ids[i]) && algorithm_usable(crypto, type, ours->ids[i]))
            return ours->ids[i];
    return 0;
}

/* What is not wanted at all: absent, or NONE among the alternatives (RFC 7296 section 3.3.3). */
static bool none_fits(const struct offered *offered, enum transform_type type)
{
    return !offered->has_type[type] || is_offered(offered, type, 0);
}

static bool group_pick(const struct algorithm_list *ours, const struct offered *offered,
                       const struct suite_terms *terms, uint8_t *group)
{
    struct algorithm_list preferred = {.count = 1, .ids = {(uint8_t)terms->prefer_group}};

    *group = GROUP_NONE;
    if (!terms->with_group)
        return true;
    if (ours->count == 0)
        return none_fits(offered, TRANSFORM_GROUP);
    if (terms->prefer_group != GROUP_NONE && algorithm_list_has(ours, terms->prefer_group))
        *group = algorithm_pick(&preferred, offered, TRANSFORM_GROUP, terms->crypto);
    if (*group == GROUP_NONE)
        *group = algorithm_pick(ours, offered, TRANSFORM_GROUP, terms->crypto);
    return *group != GROUP_NONE;
}

/* ESN is mandatory in a child's proposal (RFC 7296 section 3.3.3): silence is no choice. */
static bool esn_pick(const struct proposal *ours, const struct offered *offered, bool *esn)
{
    *esn = ours->esn && is_offered(offered, TRANSFORM_ESN, ESN_YES);
    return *esn || (ours->no_esn && is_offered(offered, TRANSFORM_ESN, ESN_NO));
}

static unsigned envelope_differs(const struct offered *offered, const struct suite_terms *terms)
{
    const struct offer_proposal *proposal = offered->proposal;
    bool child = terms->protocol != IPSEC_NONE;
    bool bad_spi = child ? proposal->spi.size != 4 || proposal->spi.value <= SPI_RESERVED
                         : proposal->spi.size != 0 && proposal->spi.size != 8;
    bool strange = offered->has_type[TRANSFORM_UNKNOWN] ||
                   offered->has_type[child ? TRANSFORM_PRF : TRANSFORM_ESN];

    if (proposal->protocol != terms->protocol)
        return DIFFERS_PROTOCOL;
    return (bad_spi ? DIFFERS_SPI : 0u) | (strange ? DIFFERS_UNKNOWN_TYPE : 0u);
}

/* Fills `suite` as far as the two agree and says where they do not. */
static unsigned proposal_match(const struct proposal *ours, const struct offered *offered,
                               const struct suite_terms *terms, struct suite *suite)
{
    unsigned differs = envelope_differs(offered, terms);

    *suite = (struct suite){0};
    suite->encr = algorithm_pick(&ours->encr, offered, TRANSFORM_ENCR, terms->crypto);
    if (suite->encr == ENCR_NONE)
        differs |= DIFFERS_ENCR;
    suite->integ = algorithm_pick(&ours->integ, offered, TRANSFORM_INTEG, terms->crypto);
    if (suite->integ == INTEG_NONE &&
        (ours->integ.count > 0 || !none_fits(offered, TRANSFORM_INTEG)))
        differs |= DIFFERS_INTEG;
    if (!group_pick(&ours->group, offered, terms, &suite->group))
        differs |= DIFFERS_GROUP;
    if (terms->protocol == IPSEC_NONE) {
        suite->prf = algorithm_pick(&ours->prf, offered, TRANSFORM_PRF, terms->crypto);
        if (suite->prf == PRF_NONE)
            differs |= DIFFERS_PRF;
    } else if (!esn_pick(ours, offered, &suite->esn)) {
        differs |= DIFFERS_ESN;
    }
    return differs;
}

/* --- Why nothing fits --- */

static const struct {
    unsigned bit;
    const char *name;
} differences[] = {
    {DIFFERS_PROTOCOL, "protocol"},
    {DIFFERS_SPI, "SPI"},
    {DIFFERS_UNKNOWN_TYPE, "a transform type that is unknown"},
    {DIFFERS_ENCR, "cipher"},
    {DIFFERS_INTEG, "integrity"},
    {DIFFERS_PRF, "PRF"},
    {DIFFERS_GROUP, "group"},
    {DIFFERS_ESN, "ESN"},
};

/* The pair of proposals that differs least. */
struct near_miss {
    const struct proposal *ours;
    const struct offer_proposal *theirs;
    unsigned differs;
};

static void near_miss_try(struct near_miss *near, const struct proposal *ours,
                          const struct offer_proposal *theirs, unsigned differs)
{
    if (near->ours != NULL && __builtin_popcount(near->differs) <= __builtin_popcount(differs))
        return;
    *near = (struct near_miss){ours, theirs, differs};
}

/* "group, ESN" */
static void differs_text(unsigned differs, char text[DIFFER_MAX])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++)
        if ((differs & differences[i].bit) != 0 && used < DIFFER_MAX)
            used += (size_t)snprintf(text + used, DIFFER_MAX - used, "%s%s", used > 0 ? ", " : "",
                                     differences[i].name);
}

/* First what differs, because the rest may be cut. */
static enum status nothing_fits(const struct offer *offer, const struct near_miss *near,
                                struct reason *reason)
{
    char differs[DIFFER_MAX];
    char offered[SHOWN_MAX];
    char allowed[SHOWN_MAX];

    if (near->ours == NULL)
        return reason_set(reason, STATUS_REJECT, FINDING_NO_PROPOSAL,
                          "no proposal fits: none was offered");
    differs_text(near->differs, differs);
    offer_text(offer, near->theirs, offered, sizeof(offered));
    proposal_text(near->ours, allowed, sizeof(allowed));
    return reason_set(
        reason, STATUS_REJECT, FINDING_NO_PROPOSAL,
        "no proposal fits: the nearest differs in %s; peer offered %.160s; allowed is "
        "%.110s",
        differs, offered, allowed);
}

enum status choose_suite(const struct proposal_list *ours, const struct offer *offer,
                         const struct suite_terms *terms, struct suite *suite,
                         const struct offer_proposal **chosen, struct reason *reason)
{
    struct offered offered[OFFER_PROPOSALS_MAX];
    struct near_miss near = {0};

    for (size_t i = 0; i < offer->count; i++)
        offered_fill(&offered[i], &offer->proposals[i]);
    for (size_t i = 0; i < ours->count; i++) {
        for (size_t k = 0; k < offer->count; k++) {
            unsigned differs = proposal_match(&ours->items[i], &offered[k], terms, suite);
            if (differs == 0) {
                *chosen = &offer->proposals[k];
                return STATUS_OK;
            }
            near_miss_try(&near, &ours->items[i], &offer->proposals[k], differs);
        }
    }
    return nothing_fits(offer, &near, reason);
}

/* --- The initiator's check --- */

/* RFC 7296 section 2.7: exactly one transform of each type. */
static bool types_differ(const struct offer_proposal *answer)
{
    for (size_t i = 0; i < answer->transform_count; i++) {
        const struct offer_transform *one = &answer->transforms[i];
        for (size_t k = i + 1; k < answer->transform_count; k++) {
            const struct offer_transform *other = &answer->transforms[k];
            if (one->type == other->type &&
                (one->type != TRANSFORM_UNKNOWN || one->number == other->number))
                return false;
        }
    }
    return true;
}

/* The number is not looked at: some responders count anew, and the contents are what counts. */
enum status check_answer(const struct proposal_list *ours, const struct offer *answer,
                         const struct suite_terms *terms, struct suite *suite,
                         struct reason *reason)
{
    const struct offer_proposal *only = &answer->proposals[0];
    const struct offer_proposal *chosen;
    char shown[SHOWN_MAX];
    struct reason why;

    if (answer->count != 1)
        return reason_set(reason, STATUS_CLOSE, 0, "peer answered %zu proposals instead of one",
                          answer->count);
    if (!types_differ(only))
        return reason_set(reason, STATUS_CLOSE, 0, "peer did not choose among alternatives: %s",
                          offer_text(answer, only, shown, sizeof(shown)));
    if (choose_suite(ours, answer, terms, suite, &chosen, &why) == STATUS_OK)
        return STATUS_OK;
    return reason_set(reason, STATUS_CLOSE, 0, "peer chose what we did not offer: %s",
                      offer_text(answer, only, shown, sizeof(shown)));
}
