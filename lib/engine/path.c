/*
 * What the kernel says of an SA's path: another mapping of the peer's NAT, other addresses of this
 * host, and our own mapping that is to be kept alive.
 *
 * Not here: when an SA follows (its protocol).
 */
#include "lib/engine/path.h"

#include "lib/engine/private.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/keepalive.h"
#include "lib/sa/sa_table.h"

/* Only messages of IKE count as sent: nobody tells when ESP last was. */
void path_keepalive_due(struct engine *engine, struct ike_sa *sa)
{
    struct context *context = &engine->context;

    if (sa->sent_ms + sa->connection->keepalive_s * 1000ull <= context->now_ms) {
        keepalive_send(context, sa);
        sa->sent_ms = context->now_ms;
    }
    keepalive_arm(context, sa);
}

void path_mapping(struct engine *engine, const struct kernel_event *event)
{
    struct child_sa *child =
        sa_table_find_child(&engine->sas, event->protocol, event->spi, &event->destination);
    struct ike_sa *sa = child == NULL ? NULL : child->owner;

    if (sa == NULL || child_find_transform(child, event->protocol, event->spi, true) == NULL ||
        !child->encap || event->source.port == 0 || !address_is_host(&event->source))
        return;
    sa->protocol->mapping(&engine->context, sa, &event->source);
}

void path_addresses(struct engine *engine)
{
    struct context *context = &engine->context;
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        sa->protocol->ask_again(context, sa);
    TAILQ_FOREACH (sa, &engine->sas.all, entry)
        if (sa->connection->local.family == FAMILY_NONE && !sa->inherited &&
            (sa->state == IKE_ESTABLISHED || sa->state == IKE_AWAIT_INIT_REPLY))
            sa->protocol->ask_source(context, sa);
}
