/*
 * What only IKEv2 has of an IKE SA: see ikev2_sa.h.
 */
#include "lib/ikev2/ikev2_sa.h"

#include <stdlib.h>

#include "lib/ikev2/creation.h"
#include "lib/ikev2/reassembly.h"
#include "lib/sa/context.h"
#include "lib/sa/timer.h"

/* There are many. */
_Static_assert(sizeof(struct ikev2_sa) <= 136, "IKEv2's part of an IKE SA is small");

void ikev2_end_request(struct context *context, struct ike_sa *sa)
{
    if (ikev2_of(sa)->request == NULL)
        return;
    ike_sa_timer_stop(context, &ikev2_of(sa)->request->retransmit.timer);
    buffer_free(&ikev2_of(sa)->request->octets);
    free(ikev2_of(sa)->request);
    ikev2_of(sa)->request = NULL;
}

struct child_sa *ikev2_deleting(const struct ike_sa *sa)
{
    const struct request *request = ikev2_of(sa)->request;

    return request == NULL || request->deleting == 0 ? NULL : child_find(sa, request->deleting);
}

void ikev2_sa_end(struct context *context, struct ike_sa *sa)
{
    struct ikev2_sa *own = ikev2_of(sa);

    creation_end(context, sa, &own->own);
    creation_end(context, sa, &own->theirs);
    ikev2_end_request(context, sa);
    free(own->asker);
    buffer_free(&own->reply);
    reassembly_end(context, sa, false);
    reassembly_end(context, sa, true);
    free(own->movement);
}
