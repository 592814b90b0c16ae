/*
 * What the configuration requires: see require.h.
 */
#include "iked/keeper/require.h"

#include "iked/keeper/gate/ledger_piece.h"
#include "iked/process/log.h"

/* Is there something for the pair that protects it as the child is to be?  Its ends may be those of
 * an SA. */
static bool stands(const struct service *service, const struct effect_policy *wanted)
{
    const struct policy_record *there = ledger_find_policy(
        &service->ledger, ledger_owner(&service->ledger, &wanted->connection, &wanted->child),
        &wanted->local_selector, &wanted->remote_selector);

    if (there == NULL)
        return false;
    struct policy_template is = policy_template_of(there);
    return is.mode == wanted->templates[0].mode && is.policy == wanted->policy &&
           (there->held || is.reqid == wanted->reqid);
}

/* Did an earlier iked leave policies that let nothing of it pass in the clear? */
static bool was_left(const struct service *service, const struct effect_policy *wanted)
{
    struct piece pieces[PIECES_MAX];
    size_t count;

    if (pieces_of(&wanted->local_selector, &wanted->remote_selector, pieces, &count, NULL) !=
        STATUS_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct piece_record *piece = ledger_find_piece(&service->ledger, &pieces[i]);
        if (piece == NULL || (piece->top.policy == NULL &&
                              (piece->parts & piece_all_parts(piece)) != piece_all_parts(piece)))
            return false;
    }
    return true;
}

static size_t require_child(struct service *service, const struct child_config *child, bool spare)
{
    struct child_selectors pair;
    struct reason reason = {0};
    size_t count = 0;

    for (; child->policy == POLICY_REQUIRE && child_pair(child, count, &pair); count++) {
        struct effect_policy wanted = child_policy_of(child, &pair);
        if (stands(service, &wanted) || (spare && was_left(service, &wanted)))
            continue;
        if (service_set_policy(service, &wanted, &reason) != STATUS_OK)
            log_connection(SEVERITY_ERROR, child->connection->name, reason.text);
    }
    return count;
}

static size_t require_connection(struct service *service, const struct connection *connection,
                                 bool spare)
{
    const struct child_config *child;
    size_t count = 0;

    TAILQ_FOREACH (child, &connection->children, entry)
        count += require_child(service, child, spare);
    return count;
}

size_t require_all(struct service *service, bool spare)
{
    const struct connection *connection;
    size_t count = 0;

    service_flush(service);
    TAILQ_FOREACH (connection, &service->gate.config->connections, entry)
        count += require_connection(service, connection, spare);
    service_flush(service);
    return count;
}

void require_of(struct service *service, const struct name *name)
{
    const struct connection *connection = config_find(service->gate.config, name->text);

    service_flush(service);
    if (connection != NULL)
        require_connection(service, connection, false);
    service_flush(service);
}

/* An SA's own policies go with the SA. */
static void give_up(struct service *service, const struct child_config *child)
{
    struct child_selectors pair;

    for (size_t i = 0; child_pair(child, i, &pair); i++) {
        struct effect_policy before = child_policy_of(child, &pair);
        struct policy_record *there = ledger_find_policy(
            &service->ledger, ledger_owner(&service->ledger, &before.connection, &before.child),
            &before.local_selector, &before.remote_selector);
        if (there != NULL && !there->held && policy_owner(there)->orphan_count == 0)
            service_give_up_policy(service, there);
    }
}

void require_no_more(struct service *service, const struct config *before)
{
    const struct connection *connection;
    const struct child_config *child;

    TAILQ_FOREACH (connection, &before->connections, entry)
        TAILQ_FOREACH (child, &connection->children, entry)
            give_up(service, child);
    service_flush(service);
}
