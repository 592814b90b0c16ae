/*
 * What a peer is told of what was wrong, by RFC 7296 section 3.10.1 (lib/ikev2/finding.h).
 */
#include "lib/ikev2/finding.h"

#include "test/unit/bytes.h"

static void each_code_has_its_number(void **state)
{
    static const uint16_t numbers[FINDING_CODE_COUNT] = {
        [FINDING_CRITICAL_PAYLOAD] = 1,       [FINDING_INVALID_SYNTAX] = 7,
        [FINDING_NO_PROPOSAL] = 14,           [FINDING_INVALID_KE] = 17,
        [FINDING_AUTHENTICATION_FAILED] = 24, [FINDING_TS_UNACCEPTABLE] = 38,
        [FINDING_TEMPORARY_FAILURE] = 43,
    };

    (void)state;
    assert_int_equal(finding_notify(FINDING_NONE), 0);
    for (unsigned code = FINDING_NONE + 1; code < FINDING_CODE_COUNT; code++) {
        assert_int_not_equal(finding_notify(code), 0);
        assert_int_equal(finding_notify(code), numbers[code]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
