/*
 * What the tests of choosing a suite share: configured lists, and what comes of an offer.
 */
#ifndef TEST_UNIT_CHOICE_H
#define TEST_UNIT_CHOICE_H

#include "lib/policy/choose.h"
#include "lib/policy/proposal.h"
#include "test/unit/policy.h"

#define IKE IPSEC_NONE
#define ESP IPSEC_ESP

static inline struct proposal_list ours(bool child, const char *first, const char *second)
{
    struct proposal_list list = {0};
    struct proposal_use use = {.child = child, .weak = true};
    char wrong[PROPOSAL_WRONG_MAX];

    assert_true(proposal_parse(&list.items[list.count++], first, use, wrong));
    if (second != NULL)
        assert_true(proposal_parse(&list.items[list.count++], second, use, wrong));
    return list;
}

/* What comes of an offer, as text, and the number of the chosen proposal. */
struct choice {
    enum status status;
    char suite[120];
    uint8_t number;
    uint64_t spi;
    struct reason reason;
};

static inline struct choice choose(const struct proposal_list *list, const struct offer *offer,
                                   enum ipsec_protocol protocol, bool with_group, enum group prefer)
{
    struct suite_terms terms = {protocol, with_group, prefer, NULL};
    const struct offer_proposal *chosen;
    struct choice choice = {0};
    struct suite suite;

    choice.status = choose_suite(list, offer, &terms, &suite, &chosen, &choice.reason);
    if (choice.status == STATUS_OK) {
        suite_text(&suite, choice.suite, sizeof(choice.suite));
        choice.number = chosen->number;
        choice.spi = chosen->spi.value;
    } else {
        assert_int_equal(choice.reason.code, FINDING_NO_PROPOSAL);
    }
    return choice;
}

static inline void assert_chosen(struct choice choice, const char *suite, uint8_t number)
{
    if (choice.status != STATUS_OK)
        fail_msg("%s", choice.reason.text);
    assert_string_equal(choice.suite, suite);
    assert_int_equal(choice.number, number);
}

static inline void assert_refused(struct choice choice, const char *reason)
{
    assert_int_equal(choice.status, STATUS_REJECT);
    assert_string_equal(choice.reason.text, reason);
}

#endif
