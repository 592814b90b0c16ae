/*
 * Policies set anew as they are: see renew.h.
 */
#include "iked/keeper/renew.h"

#define RENEWED_MAX 16

/* What an earlier keeper left behind is not known well enough, and goes soon. */
static bool renew(struct service *service, const struct piece *piece)
{
    const struct piece_record *record = ledger_find_piece(&service->ledger, piece);

    struct policy_template template;

    if (record == NULL || !piece_template(record, &template))
        return false;
    struct kernel_job *job = service_add_job(service, KERNEL_SET_PIECE);
    job->piece = *piece;
    job->template = template;
    return true;
}

void renew_policies(struct service *service, const struct name *connection_name,
                    const struct name *child_name)
{
    const struct connection *connection = config_find(service->gate.config, connection_name->text);
    const struct child_config *child =
        connection != NULL ? connection_find_child(connection, child_name->text) : NULL;
    struct piece pieces[PIECES_MAX];
    struct child_selectors pair;
    size_t renewed = 0;
    size_t count;

    for (size_t i = 0; child != NULL && child_pair(child, i, &pair); i++) {
        if (pieces_of(&pair.local, &pair.remote, pieces, &count, NULL) != STATUS_OK)
            continue;
        for (size_t j = 0; j < count && renewed < RENEWED_MAX; j++)
            renewed += renew(service, &pieces[j]) ? 1 : 0;
    }
}
