/*
 * NATs on the way: see keepalive.h.
 */
#include "lib/sa/keepalive.h"

#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/timer.h"

void nat_report(struct context *context, const struct ike_sa *sa)
{
    if (sa->nat_here || sa->nat_there)
        report(context, sa, SEVERITY_INFO, "nat-detected", "behind a NAT: %s",
               !sa->nat_there  ? "this host"
               : !sa->nat_here ? "the peer, or it asks for ESP in UDP"
                               : "this host and the peer");
}

void keepalive_send(struct context *context, const struct ike_sa *sa)
{
    struct effect *effect = effect_append(context->effects, EFFECT_SEND, (struct ticket){0});

    if (effect == NULL) {
        count(context, COUNTER_FAILURES);
        return;
    }
    effect->send.local = sa->local;
    effect->send.remote = sa->remote;
    effect->send.keepalive = true;
    count(context, COUNTER_KEEPALIVES);
}

void keepalive_arm(struct context *context, struct ike_sa *sa)
{
    if (sa->state == IKE_ESTABLISHED && !sa->inherited && sa->nat_here && sa->encap)
        ike_sa_timer(context, &sa->keepalive, sa->sent_ms + sa->connection->keepalive_s * 1000ull);
}
