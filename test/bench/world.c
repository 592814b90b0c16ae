/*
 * A kernel, a vault and randomness that answer at once: see world.h.
 */
#include "test/bench/world.h"

#include <stdio.h>
#include <string.h>

#include "lib/policy/loss.h"

/* splitmix64 (Steele, Lea and Flood 2014): quick, and every seed is good. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill_random(void *context, void *to, size_t size)
{
    struct world *world = context;
    struct writer writer = writer_of(to, size);

    while (size >= 8) {
        writer_u64(&writer, next_random(&world->random_state));
        size -= 8;
    }
    for (uint64_t last = next_random(&world->random_state); size > 0; size--, last >>= 8)
        writer_u8(&writer, (uint8_t)last);
}

bool world_open(struct world *world, uint64_t seed, uint64_t now_ms)
{
    world->random_state = seed;
    world->next_spi = 0x1000;
    world->crypto = crypto_new();
    if (world->crypto == NULL)
        return false;
    struct engine_options options = {
        .crypto = world->crypto,
        .random = fill_random,
        .context = world,
    };
    world->engine = engine_new(&options, now_ms);
    return world->engine != NULL;
}

void world_close(struct world *world)
{
    engine_free(world->engine);
    crypto_free(world->crypto);
    secret_free(&world->private);
    buffer_free(&world->public);
}

bool world_configure(struct world *world, const char *text, uint64_t now_ms)
{
    char error[CONFIG_ERROR_MAX];
    struct config_text source = {.path = "bench", .text = slice_text(text)};
    struct config *config = config_parse(&source, 1, error);

    if (config == NULL) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    struct command command = {.kind = COMMAND_CONFIGURE, .config = config};
    engine_command(world->engine, &command, now_ms);
    world_drain(world, now_ms);
    return true;
}

static enum status make_one_key(struct world *world, const struct effect_compute *compute)
{
    uint8_t public[KE_PUBLIC_MAX];
    struct slice private = secret_slice(&compute->private);
    enum status status;

    if (world->group == compute->group && world->public.size > 0)
        return STATUS_OK;
    status = crypto_ke_public(world->crypto, compute->group, private, public);
    if (status != STATUS_OK)
        return status;
    world->group = compute->group;
    buffer_free(&world->public);
    return secret_copy(&world->private, private) &&
                   buffer_copy(&world->public,
                               slice_of(public, group_info(compute->group)->public_size))
               ? STATUS_OK
               : STATUS_FAIL;
}

static void compute(struct world *world, const struct effect *effect, struct answer *answer)
{
    const struct effect_compute *compute = &effect->compute;

    if (!world->one_key) {
        effect_compute_run(world->crypto, effect, answer);
        return;
    }
    answer->status = make_one_key(world, compute);
    if (answer->status == STATUS_OK && !buffer_copy(&answer->public, buffer_slice(&world->public)))
        answer->status = STATUS_FAIL;
    if (answer->status == STATUS_OK && compute->peer_public.size > 0)
        answer->status =
            crypto_ke_shared(world->crypto, compute->group, secret_slice(&world->private),
                             buffer_slice(&compute->peer_public), &answer->shared);
}

/* True when the effect is answered. */
static bool carry_out(struct world *world, struct effect *effect, struct answer *answer)
{
    switch (effect->kind) {
    case EFFECT_SEND: world->send(world->context, &effect->send); return false;
    case EFFECT_COMPUTE: compute(world, effect, answer); return true;
    case EFFECT_PSK_AUTH:
        effect_psk_auth_run(world->crypto, effect, world->psk, answer);
        return true;
    case EFFECT_ALLOCATE_SPI:
        answer->spi = world->next_spi++;
        answer->protocol = effect->allocate_spi.protocol;
        return true;
    case EFFECT_INSTALL_SA: return true;
    case EFFECT_REPORT:
        if (world->report != NULL)
            world->report(world->context, &effect->report);
        return false;
    case EFFECT_RESULT: world->result(world->context, &effect->result); return false;
    case EFFECT_PROGRESS: return false;
    case EFFECT_FIND_SOURCE: answer->status = STATUS_REJECT; return true;
    case EFFECT_DERIVE:
    case EFFECT_SIGN:
    case EFFECT_VERIFY:
    case EFFECT_RESOLVE: answer->status = STATUS_REJECT; return true;
    case EFFECT_QUERY_SA:
        answer->spi = effect->query_sa.spi;
        answer->protocol = effect->query_sa.protocol;
        return true;
    case EFFECT_MOVE_SA:
    case EFFECT_REMOVE_SA:
    case EFFECT_INSTALL_POLICY:
    case EFFECT_REMOVE_POLICY:
    case EFFECT_REMOVE_ORPHANS: return false;
    }
    return false;
}

void world_drain(struct world *world, uint64_t now_ms)
{
    struct effect effect;

    world->now_ms = now_ms;
    while (engine_next_effect(world->engine, &effect)) {
        struct answer answer = {.kind = effect.kind, .ticket = effect.ticket};
        if (carry_out(world, &effect, &answer))
            engine_answer(world->engine, &answer, now_ms);
        answer_free(&answer);
        effect_free(&effect);
    }
}
