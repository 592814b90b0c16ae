/*
 * A configuration in new memory: see rebinding.h.
 */
#include "lib/sa/rebinding.h"

#include "lib/policy/diff.h"

const struct child_config *rebinding_config(const struct rebinding *rebinding,
                                            const struct child_config *config)
{
    const struct connection *now = rebinding->after;

    if (config->connection != rebinding->before) {
        now = config_find(rebinding->all, config->connection->name);
        if (now == NULL || !connection_equal(config->connection, now))
            return NULL;
    }
    return connection_find_child(now, config->name);
}

bool rebinding_child(const struct rebinding *rebinding, struct child_sa *child)
{
    if (child == NULL)
        return true;
    const struct child_config *config = rebinding_config(rebinding, child->config);
    if (config != NULL)
        child_rebind(child, config);
    return config != NULL;
}
