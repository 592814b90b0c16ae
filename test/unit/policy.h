/*
 * What the tests of lib/policy share: a configuration from a text, and values from theirs.
 */
#ifndef TEST_UNIT_POLICY_H
#define TEST_UNIT_POLICY_H

#include <string.h>

#include "lib/policy/config.h"
#include "lib/policy/loss.h"
#include "test/unit/bytes.h"

/* Two hosts, and room for more settings of the connection "db" in the middle. */
#define TWO_HOSTS(more) \
    "connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; " more " }; };"

/* The configuration of one file called "iked.conf"; the caller frees it. */
static inline struct config *policy_config(const char *text)
{
    struct config_text file = {"iked.conf", slice_text(text)};
    char error[CONFIG_ERROR_MAX];
    struct config *config = config_parse(&file, 1, error);

    if (config == NULL)
        fail_msg("%s", error);
    return config;
}

static inline struct address policy_address(const char *text)
{
    struct address address;

    assert_true(address_parse(&address, text));
    return address;
}

static inline struct identity policy_identity(const char *text)
{
    struct identity identity;

    assert_true(identity_parse(&identity, text));
    return identity;
}

#define assert_address(address, expected)                                       \
    do {                                                                        \
        char address_shown[ADDRESS_TEXT_MAX];                                   \
        assert_string_equal(address_text(&(address), address_shown), expected); \
    } while (0)

#define assert_selector(selector, expected)                                        \
    do {                                                                           \
        char selector_shown[SELECTOR_TEXT_MAX];                                    \
        assert_string_equal(selector_text(&(selector), selector_shown), expected); \
    } while (0)

#define assert_identity(identity, expected)                                                     \
    do {                                                                                        \
        char identity_shown[600];                                                               \
        assert_string_equal(identity_text(&(identity), identity_shown, sizeof(identity_shown)), \
                            expected);                                                          \
    } while (0)

#define assert_proposal(proposal, expected)                                                     \
    do {                                                                                        \
        char proposal_shown[400];                                                               \
        assert_string_equal(proposal_text(&(proposal), proposal_shown, sizeof(proposal_shown)), \
                            expected);                                                          \
    } while (0)

#endif
