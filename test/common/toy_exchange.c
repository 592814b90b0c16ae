/*
 * The key exchange of simulations: see toy_exchange.h.
 */
#include "test/common/toy_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/reader.h"
#include "lib/base/writer.h"
#include "lib/crypto/crypto.h"

#define PRIME     ((UINT64_C(1) << 61) - 1)
#define GENERATOR 37u

static uint64_t multiply(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t sum = ((uint64_t)product & PRIME) + (uint64_t)(product >> 61);

    return sum >= PRIME ? sum - PRIME : sum;
}

static uint64_t power(uint64_t base, uint64_t exponent)
{
    uint64_t result = 1;

    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            result = multiply(result, base);
        base = multiply(base, base);
    }
    return result;
}

/* The first eight octets as a number; all groups' private and public values are longer. */
static uint64_t number_of(struct slice octets)
{
    struct reader reader = reader_of(octets);

    return reader_u64(&reader) % PRIME;
}

/* The number, and zeros up to the size. */
static void write_number(uint64_t number, uint8_t *octets, size_t size)
{
    struct writer writer = writer_of(octets, size);

    memset(octets, 0, size);
    writer_u64(&writer, number);
}

void toy_exchange_run(const struct effect *effect, struct answer *answer)
{
    const struct effect_compute *compute = &effect->compute;
    const struct group_info *info = group_info(compute->group);
    uint64_t private = number_of(secret_slice(&compute->private));
    uint8_t public[KE_PUBLIC_MAX];

    *answer = (struct answer){.kind = effect->kind, .ticket = effect->ticket};
    if (info == NULL)
        abort();
    write_number(power(GENERATOR, private), public, info->public_size);
    if (compute->want_public && !buffer_copy(&answer->public, slice_of(public, info->public_size)))
        abort();
    if (compute->peer_public.size == 0)
        return;
    if (compute->peer_public.size != info->public_size) {
        answer->status = reason_set(&answer->reason, STATUS_REJECT, 0, "the public value's size");
        return;
    }
    if (!secret_new(&answer->shared, info->shared_size))
        abort();
    write_number(power(number_of(buffer_slice(&compute->peer_public)), private),
                 answer->shared.data, answer->shared.size);
}
