/*
 * Whether the kernel can do ESP: see esp.h.
 *
 * It is asked to fill an SA that nobody has made.  What comes first is looking for the protocol
 * (xfrm_state_construct in the kernel), then for the SA: so it refuses either way, and says which.
 */
#include "iked/keeper/esp.h"

#include <errno.h>
#include <string.h>

#include "iked/process/log.h"
#include "lib/crypto/suite.h"

#define NOBODYS_SPI 255 /* reserved by RFC 4303 section 2.1 */

static bool has_esp(struct kernel *kernel, uint8_t family)
{
    SECRET_AUTO encr_key = {0};
    SECRET_AUTO integ_key = {0};
    struct effect_install_sa sa = {
        .inbound = true,
        .source.family = family,
        .destination.family = family,
        .spi = NOBODYS_SPI,
        .reqid = REQID_TAG,
        .protocol = IPSEC_ESP,
        .mode = CHILD_TRANSPORT,
        .encr = ENCR_AES256_CBC, /* looked for before the protocol, so one that is always there */
        .integ = INTEG_HMAC_SHA256_128,
    };
    struct kernel_job job = {.verb = KERNEL_INSTALL_SA, .install_sa = &sa};

    if (!secret_new(&encr_key, encr_info(sa.encr)->key_size) ||
        !secret_new(&integ_key, integ_info(sa.integ)->key_size))
        return true;
    sa.encr_key = encr_key;
    sa.integ_key = integ_key;
    kernel->ops->run(kernel, &job, 1);
    return job.error != EPROTONOSUPPORT;
}

static bool config_has_family(const struct config *config, uint8_t family)
{
    const struct connection *connection;

    TAILQ_FOREACH (connection, &config->connections, entry)
        if (connection->local.family == family || connection->remote.family == family)
            return true;
    return false;
}

void esp_look(struct kernel *kernel, const struct config *config)
{
    static const struct {
        uint8_t family;
        const char *name;
        const char *module;
    } rows[] = {{FAMILY_IPV4, "IPv4", "esp4"}, {FAMILY_IPV6, "IPv6", "esp6"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (config_has_family(config, rows[i].family) && !has_esp(kernel, rows[i].family))
            log_line(SEVERITY_WARNING,
                     "this kernel has no ESP for %s: no connection can come up, and what must be "
                     "protected does not pass; load the module %s (modprobe %s)",
                     rows[i].name, rows[i].module, rows[i].module);
}
