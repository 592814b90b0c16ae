/*
 * Whether the kernel has ESP, asked without making anything (iked/keeper/esp.h).
 */
#include "iked/keeper/esp.h"

#include <errno.h>
#include <stdio.h>

#include "iked/keeper/xfrm/xfrm_encode.h"
#include "iked/process/log.h"
#include "test/unit/policy.h"

static char said[1024];
static int answer;
static size_t asked;

/* XFRM_MSG_UPDSA makes no SA; and nobody's bears this SPI. */
static void run(struct kernel *kernel, struct kernel_job *jobs, size_t count)
{
    static uint8_t octets[XFRM_JOB_ROOM] __attribute__((aligned(8)));
    struct xfrm_batch batch = {.data = octets, .capacity = sizeof(octets)};
    struct reason reason;

    (void)kernel;
    assert_int_equal(count, 1);
    assert_true(xfrm_encode_job(&batch, &jobs[0], &reason));
    assert_int_equal(batch.count, 1);
    assert_int_equal(((const struct nlmsghdr *)(void *)octets)->nlmsg_type, XFRM_MSG_UPDSA);
    assert_in_range(jobs[0].install_sa->spi, 1, 255);
    jobs[0].error = answer;
    asked++;
}

static void on_log(void *context, enum severity severity, const char *text)
{
    (void)context;
    assert_int_equal(severity, SEVERITY_WARNING);
    snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

static void look(int error, const char *text)
{
    static const struct kernel_ops ops = {.run = run};
    struct kernel kernel = {.ops = &ops};
    struct config *config = policy_config(text);

    said[0] = '\0';
    asked = 0;
    answer = error;
    log_divert(on_log, NULL);
    esp_look(&kernel, config);
    config_free(config);
}

#define V4 "a: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; };"
#define V6 "b: { local = \"2001:db8::1\"; remote = \"2001:db8::2\"; };"

static void a_kernel_without_esp_is_named(void **state)
{
    (void)state;

    look(EPROTONOSUPPORT, "connections: {" V4 "};");
    assert_string_equal(said,
                        "this kernel has no ESP for IPv4: no connection can come up, and what "
                        "must be protected does not pass; load the module esp4 (modprobe "
                        "esp4)\n");
    look(EPROTONOSUPPORT, "connections: {" V6 "};");
    assert_non_null(strstr(said, "modprobe esp6"));
    assert_null(strstr(said, "esp4"));
    look(EPROTONOSUPPORT, "connections: {" V4 V6 "};");
    assert_non_null(strstr(said, "modprobe esp4"));
    assert_non_null(strstr(said, "modprobe esp6"));
}

/* That the SA is not there is what one that has ESP says. */
static void any_other_answer_is_silence(void **state)
{
    (void)state;

    look(ESRCH, "connections: {" V4 V6 "};");
    assert_int_equal(asked, 2);
    assert_string_equal(said, "");
    look(ENOSYS, "connections: {" V4 V6 "};");
    assert_string_equal(said, "");
    look(EPROTONOSUPPORT, "");
    assert_int_equal(asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_without_esp_is_named),
        cmocka_unit_test(any_other_answer_is_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
