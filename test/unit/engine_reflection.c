/*
 * Whoever sits at the peer's address, without a key, and sends back what comes: nobody is to hold
 * himself for his peer (lib/ikev2/input.c, lib/ikev2/init_initiator.c, lib/policy/choose.c).
 */
#include <string.h>

#include "lib/engine/private.h"
#include "lib/policy/loss.h"
#include "test/common/host.h"
#include "test/common/world.h"
#include "test/unit/bytes.h"

#define PACKETS_MAX 40
#define SECRETS     "secrets: ( { psk = \"shared by all\"; } );"

static struct world world;
static struct crypto *crypto;
static unsigned packets;
static uint64_t changed_spi; /* not 0: what an initiator's SPI is replaced by on the way back */

/* An IKE message begins with the initiator's SPI. */
static void change_spi(struct buffer *data)
{
    if (changed_spi != 0 && data->size >= sizeof(changed_spi))
        memcpy(data->data, &changed_spi, sizeof(changed_spi));
}

static enum fate send_back(void *context, struct flight *flight)
{
    (void)context;
    if (flight->kind != FLIGHT_IKE || ++packets > PACKETS_MAX)
        return FATE_LOST;
    change_spi(&flight->data);
    world_inject(&world, &flight->destination, &flight->source, buffer_slice(&flight->data));
    return FATE_LOST;
}

static size_t established(const struct host *host)
{
    const struct ike_sa *sa;
    size_t count = 0;

    TAILQ_FOREACH (sa, &host->engine->sas.all, entry)
        count += sa->state == IKE_ESTABLISHED;
    return count;
}

static void assert_nobody(const char *config)
{
    char error[CONFIG_ERROR_MAX] = "";

    memset(&world, 0, sizeof(world));
    packets = 0;
    world_init(&world, 1, crypto);
    world.hooks = (struct hooks){.packet = send_back};
    struct host *host = world_add_host(&world, "a");
    if (!host_configure(host, config, error) || !host_set_secrets(host, SECRETS, error))
        fail_msg("%s", error);
    host_start(host);
    world_settle(&world);
    (void)host_up(host, "ab");
    world_run(&world, 3000);
    assert_true(packets > 1);
    assert_int_equal(established(host), 0);
    assert_int_equal(host->kernel.sa_count, 0);
    world_free(&world);
}

static void any_identity_is_not_our_own(void **state)
{
    (void)state;
    changed_spi = 0;
    assert_nobody("connections: { ab: { local = { address = \"192.0.2.1\"; id = \"a.example\"; }; "
                  "remote = { address = \"192.0.2.2\"; id = \"any\"; }; }; };");
}

static void both_ends_of_one_identity(void **state)
{
    (void)state;
    changed_spi = 0;
    assert_nobody("connections: { ab: { local = { address = \"192.0.2.1\"; id = \"group.example\"; "
                  "}; remote = { address = \"192.0.2.2\"; id = \"group.example\"; }; }; };");
}

static void with_another_spi(void **state)
{
    (void)state;
    changed_spi = 0x1122334455667788;
    assert_nobody("connections: { ab: { local = { address = \"192.0.2.1\"; id = \"group.example\"; "
                  "}; remote = { address = \"192.0.2.2\"; id = \"group.example\"; }; }; };");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_identity_is_not_our_own),
        cmocka_unit_test(both_ends_of_one_identity),
        cmocka_unit_test(with_another_spi),
    };

    crypto = crypto_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    crypto_free(crypto);
    return failed;
}
