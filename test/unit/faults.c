/*
 * Texts that are refused (faults.h).
 */
#include "test/unit/faults.h"

#include "lib/policy/loss.h"
#include "test/common/leaks.h"

void assert_error(struct slice text, const char *expected)
{
    struct config_text file = {"f", text};
    char error[CONFIG_ERROR_MAX];
    struct config *config = config_parse(&file, 1, error);

    if (config != NULL)
        fail_msg("taken, instead of: %s", expected);
    assert_string_equal(error, expected);
}

void walk_faults(const struct fault *faults, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_error(slice_text(faults[i].text), faults[i].error);
}
