/*
 * What groups of tests have in common: see group.h.
 */
#include "test/unit/group.h"

#include "lib/policy/loss.h"
#include "test/unit/bytes.h"

#define SECRETS "secrets: ( { psk = \"correct horse battery staple\"; } );"

struct crypto *crypto;

int group_crypto(void **state)
{
    (void)state;
    crypto = crypto_new();
    return crypto == NULL;
}

int group_crypto_end(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}

struct host *group_host(struct world *world, const char *name, const char *other, const char *more)
{
    struct host *host = world_add_host(world, name);
    char error[CONFIG_ERROR_MAX];
    char text[512];

    snprintf(text, sizeof(text),
             "connections: { %s%s: { local = \"192.0.2.%u\"; remote = \"192.0.2.%u\"; %s }; };",
             name, other, *name == 'a' ? 1u : 2u, *other == 'a' ? 1u : 2u, more);
    if (!host_configure(host, text, error))
        fail_msg("%s", error);
    assert_true(host_set_secrets(host, SECRETS, error));
    host_start(host);
    return host;
}
