/*
 * What the first exchanges need: see handshake.h.
 */
#include "lib/sa/handshake.h"

#include <stdlib.h>

#include "lib/sa/ike_keys.h"
#include "lib/sa/ike_sa.h"

struct handshake *handshake_new(struct ike_sa *sa)
{
    struct handshake *handshake = calloc(1, sizeof(*handshake));

    if (handshake != NULL)
        handshake->sa = sa;
    return handshake;
}

void handshake_free(struct handshake *handshake)
{
    if (handshake == NULL)
        return;
    secret_free(&handshake->private);
    secret_free(&handshake->shared);
    buffer_free(&handshake->public);
    buffer_free(&handshake->peer_public);
    buffer_free(&handshake->nonce_i);
    buffer_free(&handshake->nonce_r);
    buffer_free(&handshake->cookie);
    buffer_free(&handshake->init_request);
    buffer_free(&handshake->init_response);
    buffer_free(&handshake->auth);
    child_free(handshake->child);
    free(handshake);
}

void ike_sa_end_handshake(struct ike_sa *sa)
{
    struct reader reader = reader_of(secret_slice(&sa->keys));
    struct secret kept = {0};

    if (secret_copy(&kept, reader_bytes(&reader, ike_keys_size(&sa->suite, KEY_PI))))
        secret_take(&sa->keys, &kept);
    handshake_free(sa->handshake);
    sa->handshake = NULL;
}
