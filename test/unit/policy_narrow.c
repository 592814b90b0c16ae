/*
 * Narrowing of traffic selectors, RFC 7296 section 2.9 (lib/policy/narrow.h).
 */
#include "lib/policy/narrow.h"

#include <stdio.h>

#include "lib/policy/selector.h"
#include "test/unit/policy.h"

#define SIDE_MAX 32

struct side {
    size_t count;
    struct selector items[SIDE_MAX];
};

/* "198.51.100.43 tcp, 198.51.100.0/24" */
static struct side side_of(const char *text)
{
    struct side side = {0};
    struct address none = {0};
    char copy[512];
    char *rest = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *item; (item = strsep(&rest, ",")) != NULL && *item != '\0';) {
        char wrong[SELECTOR_WRONG_MAX];
        assert_true(side.count < SIDE_MAX);
        if (!selector_parse(&side.items[side.count++], item + (*item == ' '), &none, wrong))
            fail_msg("%s", wrong);
    }
    return side;
}

static void assert_narrowed(const char *allowed_text, const char *offered_text,
                            const char *expected)
{
    struct side allowed = side_of(allowed_text);
    struct side offered = side_of(offered_text);
    struct selector narrowed[CONFIG_SELECTORS_MAX];
    char shown[1024] = "";
    size_t count =
        narrow_selectors(allowed.items, allowed.count, offered.items, offered.count, narrowed);

    for (size_t i = 0; i < count; i++) {
        char text[SELECTOR_TEXT_MAX];
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%s%s", i > 0 ? ", " : "",
                 selector_text(&narrowed[i], text));
    }
    assert_string_equal(shown, expected);
    assert_true(selectors_within(allowed.items, allowed.count, narrowed, count));
    assert_true(selectors_within(offered.items, offered.count, narrowed, count));
}

/* The RFC's own example and each of its four bullets. */
static void the_rfc_s_examples_come_out(void **state)
{
    (void)state;
    assert_narrowed("198.51.100.0/24", "198.51.100.0/24", "198.51.100.0/24");
    assert_narrowed("198.51.100.0/24", "198.51.100.43 tcp, 198.51.100.0/24", "198.51.100.0/24");
    assert_narrowed("198.51.100.43", "198.51.100.43 tcp/80, 198.51.100.0/24", "198.51.100.43/32");
    assert_narrowed("198.51.100.0/25", "198.51.100.200, 198.51.100.0/24", "198.51.100.0/25");
    assert_narrowed("192.0.2.0/24", "198.51.100.0/24", "");
    assert_narrowed("198.51.100.0-198.51.100.65, 198.51.100.67-198.51.100.255", "198.51.100.0/24",
                    "198.51.100.0-198.51.100.65, 198.51.100.67-198.51.100.255");
}

static void protocols_and_ports_narrow_too(void **state)
{
    (void)state;
    assert_narrowed("10.0.0.0/8 tcp/5432", "10.1.0.0/16", "10.1.0.0/16 tcp/5432");
    assert_narrowed("10.0.0.0/8 tcp", "10.1.0.0/16 tcp/80-90", "10.1.0.0/16 tcp/80-90");
    assert_narrowed("10.0.0.0/8 tcp/1-85", "10.0.0.0/8 tcp/80-90", "10.0.0.0/8 tcp/80-85");
    assert_narrowed("10.0.0.0/8 tcp", "10.1.0.0/16 udp", "");
    assert_narrowed("10.0.0.0/8", "2001:db8::/32", "");
    assert_narrowed("10.0.0.0/8, 2001:db8::/32", "::/0, 10.0.0.0/9", "2001:db8::/32, 10.0.0.0/9");
}

static void what_lies_within_another_is_left_out(void **state)
{
    (void)state;
    assert_narrowed("10.0.0.0/8, 10.1.0.0/16", "10.1.2.0/24, 10.0.0.0/8, 10.1.2.3", "10.0.0.0/8");
    assert_narrowed("10.0.0.0/8", "10.1.0.0/16, 10.1.0.0/16", "10.1.0.0/16");
    assert_narrowed("", "10.1.0.0/16", "");
    assert_narrowed("10.1.0.0/16", "", "");
}

static void the_result_has_an_end(void **state)
{
    struct side allowed = side_of("0.0.0.0/0 tcp, 0.0.0.0/0 udp");
    struct selector narrowed[CONFIG_SELECTORS_MAX + 1];
    char text[512] = "";

    (void)state;
    for (unsigned i = 0; i < 12; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s10.%u.0.0/16",
                 i > 0 ? ", " : "", i);
    struct side offered = side_of(text);
    memset(narrowed, 0xee, sizeof(narrowed));
    assert_int_equal(
        narrow_selectors(allowed.items, allowed.count, offered.items, offered.count, narrowed),
        CONFIG_SELECTORS_MAX);
    assert_selector(narrowed[0], "10.0.0.0/16 tcp");
    assert_selector(narrowed[15], "10.7.0.0/16 udp");
    assert_int_equal(narrowed[16].family, 0xee);
}

static void within_means_each_within_some(void **state)
{
    static const struct {
        const char *outer;
        const char *inner;
        bool within;
    } rows[] = {
        {"10.0.0.0/8", "10.1.0.0/16, 10.2.0.0/16 tcp", true},
        {"10.0.0.0/8", "10.1.0.0/16, 11.2.0.0/16", false},
        {"10.0.0.0/9, 10.128.0.0/9", "10.0.0.0/8", false},
        {"10.0.0.0/8 tcp", "10.0.0.0/8", false},
        {"10.0.0.0/8", "", true},
        {"", "10.0.0.0/8", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct side outer = side_of(rows[i].outer);
        struct side inner = side_of(rows[i].inner);
        assert_int_equal(selectors_within(outer.items, outer.count, inner.items, inner.count),
                         rows[i].within);
    }
}

static void what_is_another_s_is_taken_out(void **state)
{
    static const struct {
        const char *from;
        const char *what;
        const char *rest;
    } rows[] = {
        {"10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/16, 10.2.0.0-10.255.255.255"},
        {"10.1.0.0-10.2.0.0", "10.1.0.0/16", "10.2.0.0/32"},
        {"10.1.2.0/24", "10.1.0.0/16", ""},
        {"10.1.2.0/24", "10.2.0.0/16", "10.1.2.0/24"},
        {"10.1.2.3 tcp", "10.1.0.0/16 tcp/22", "10.1.2.3/32 tcp/0-21, 10.1.2.3/32 tcp/23-65535"},
        {"10.1.2.3 tcp/1-22", "10.1.2.3 tcp/22", "10.1.2.3/32 tcp/1-21"},
        {"10.1.2.3 tcp", "10.1.2.3 udp", "10.1.2.3/32 tcp"},
        {"10.1.2.2-10.1.2.4", "10.1.2.3 tcp/22", "10.1.2.2/32, 10.1.2.4/32"},
        {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"},
        {"0.0.0.0/0", "255.255.255.255/32", "0.0.0.0-255.255.255.254"},
        {"2001:db8::/64", "2001:db8::/65", "2001:db8:0:0:8000::/65"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct side from = side_of(rows[i].from);
        struct side what = side_of(rows[i].what);
        struct selector rest[4];
        char shown[1024] = "";
        size_t count = selector_without(&from.items[0], &what.items[0], rest);
        for (size_t k = 0; k < count; k++) {
            char text[SELECTOR_TEXT_MAX];
            snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%s%s",
                     k > 0 ? ", " : "", selector_text(&rest[k], text));
        }
        assert_string_equal(shown, rows[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_s_examples_come_out),
        cmocka_unit_test(protocols_and_ports_narrow_too),
        cmocka_unit_test(what_lies_within_another_is_left_out),
        cmocka_unit_test(the_result_has_an_end),
        cmocka_unit_test(within_means_each_within_some),
        cmocka_unit_test(what_is_another_s_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
