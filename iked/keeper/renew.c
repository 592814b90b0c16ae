/*
 * Policies set anew as they are: see renew.h.
 */
#include "iked/keeper/renew.h"

#include "iked/keeper/gate/ledger_piece.h"

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
    job->out_only = true;
    return true;
}

/* Of any peer, with policies of its own still to come? */
static bool is_left_alone(const struct service *service, const struct connection *connection,
                          uint32_t reqid)
{
    return connection->remote.family == FAMILY_NONE && reqid_is_dynamic(reqid) &&
           !ledger_reqid_has_policies(&service->ledger, reqid);
}

void renew_policies(struct service *service, const struct effect_install_sa *sa)
{
    const struct connection *connection = config_find(service->gate.config, sa->connection.text);
    const struct child_config *child =
        connection != NULL ? connection_find_child(connection, sa->child.text) : NULL;
    struct piece pieces[PIECES_MAX];
    struct child_selectors pair;
    size_t renewed = 0;
    size_t count;

    if (child == NULL || is_left_alone(service, connection, sa->reqid))
        return;
    for (size_t i = 0; child_pair(child, i, &pair); i++) {
        if (pieces_of(&pair.local, &pair.remote, pieces, &count, NULL) != STATUS_OK)
            continue;
        for (size_t j = 0; j < count && renewed < RENEWED_MAX; j++)
            renewed += renew(service, &pieces[j]) ? 1 : 0;
    }
}
