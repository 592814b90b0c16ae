/*
 * Secrets: see secret.h.
 */
#include "lib/base/secret.h"

#include <stdlib.h>
#include <string.h>

bool secret_new(struct secret *secret, size_t size)
{
    uint8_t *data = size > 0 ? calloc(1, size) : NULL;

    secret_free(secret);
    if (size > 0 && data == NULL)
        return false;
    secret->data = data;
    secret->size = size;
    return true;
}

bool secret_copy(struct secret *secret, struct slice bytes)
{
    struct secret copy = {0};

    if (!secret_new(&copy, bytes.size)) {
        secret_free(secret);
        return false;
    }
    if (bytes.size > 0)
        memcpy(copy.data, bytes.data, bytes.size);
    secret_take(secret, &copy);
    return true;
}

void secret_take(struct secret *to, struct secret *from)
{
    secret_free(to);
    *to = *from;
    from->data = NULL;
    from->size = 0;
}

void secret_free(struct secret *secret)
{
    if (secret->data != NULL)
        secret_wipe(secret->data, secret->size);
    free(secret->data);
    secret->data = NULL;
    secret->size = 0;
}

void secret_wipe(void *data, size_t size)
{
    if (size > 0)
        explicit_bzero(data, size);
}

bool secret_equal(struct slice a, struct slice b)
{
    uint8_t difference = 0;

    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    return difference == 0;
}
