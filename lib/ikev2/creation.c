/*
 * CREATE_CHILD_SA exchanges under way: see creation.h.
 */
#include "lib/ikev2/creation.h"

#include <stdlib.h>

#include "lib/sa/child_kernel.h"
#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

void creation_end(struct context *context, struct ike_sa *sa, struct creation **place)
{
    struct creation *creation = *place;

    if (creation == NULL)
        return;
    if (creation->child != NULL)
        child_remove(context, sa, creation->child);
    if (creation->heir != NULL)
        ike_sa_free(context, creation->heir);
    secret_free(&creation->private);
    secret_free(&creation->shared);
    buffer_free(&creation->public);
    buffer_free(&creation->nonce_i);
    buffer_free(&creation->nonce_r);
    buffer_free(&creation->rival_nonce);
    free(creation->packet);
    free(creation);
    *place = NULL;
}
