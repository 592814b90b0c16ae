/*
 * Effects, answers and their queue: see effect.h.
 */
#include "lib/sa/effect.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto/crypto.h"

struct queued {
    STAILQ_ENTRY(queued) entry;
    struct effect effect;
};

struct effect_queue {
    STAILQ_HEAD(, queued) waiting;
    size_t count;
    size_t most;
    size_t slice;
    uint64_t lost;
};

/* --- The list --- */

#define OF(member) offsetof(struct effect, member)
#define OF_NONE    0
#define ANSWERED   true
#define NO_ANSWER  false

static const struct effect_info infos[EFFECT_COUNT] = {
#define EFFECT_INFO(number, name, carrier, answered, text, connection) \
    [number] = {text, EFFECT_BY_##carrier, answered, connection},
    EFFECTS(EFFECT_INFO)
#undef EFFECT_INFO
};

const struct effect_info *effect_info(unsigned kind)
{
    return kind > 0 && kind < EFFECT_COUNT ? &infos[kind] : NULL;
}

const struct name *effect_connection(const struct effect *effect)
{
    static const struct name none = {""};
    size_t at = infos[effect->kind].connection_at;

    return at != 0 ? (const struct name *)((const char *)effect + at) : &none;
}

/* --- What they own --- */

/* Each effect is named here, so that one that is new is thought of. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wswitch"
void effect_free(struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_SEND: buffer_free(&effect->send.data); break;
    case EFFECT_COMPUTE:
        secret_free(&effect->compute.private);
        buffer_free(&effect->compute.peer_public);
        break;
    case EFFECT_PSK_AUTH:
        buffer_free(&effect->psk_auth.own_octets);
        buffer_free(&effect->psk_auth.peer_octets);
        buffer_free(&effect->psk_auth.peer_auth);
        break;
    case EFFECT_INSTALL_SA:
        secret_free(&effect->install_sa.encr_key);
        secret_free(&effect->install_sa.integ_key);
        break;
    case EFFECT_DERIVE:
    case EFFECT_SIGN:
    case EFFECT_VERIFY:
    case EFFECT_ALLOCATE_SPI:
    case EFFECT_FIND_SOURCE:
    case EFFECT_MOVE_SA:
    case EFFECT_QUERY_SA:
    case EFFECT_RESOLVE:
    case EFFECT_REMOVE_SA:
    case EFFECT_INSTALL_POLICY:
    case EFFECT_REMOVE_POLICY:
    case EFFECT_REMOVE_ORPHANS:
    case EFFECT_REPORT:
    case EFFECT_RESULT:
    case EFFECT_PROGRESS: break;
    }
}
#pragma GCC diagnostic pop

void answer_free(struct answer *answer)
{
    buffer_free(&answer->public);
    secret_free(&answer->shared);
    buffer_free(&answer->auth);
}

/* --- The queue --- */

struct effect_queue *effect_queue_new(void)
{
    struct effect_queue *queue = calloc(1, sizeof(*queue));

    if (queue == NULL)
        return NULL;
    STAILQ_INIT(&queue->waiting);
    queue->most = EFFECTS_MAX;
    queue->slice = EFFECTS_SLICE;
    return queue;
}

void effect_queue_free(struct effect_queue *queue)
{
    struct effect effect;

    if (queue == NULL)
        return;
    while (effect_queue_pop(queue, &effect))
        effect_free(&effect);
    free(queue);
}

struct effect *effect_append(struct effect_queue *queue, enum effect_kind kind,
                             struct ticket ticket)
{
    struct queued *queued = queue->count < queue->most ? calloc(1, sizeof(*queued)) : NULL;

    if (queued == NULL) {
        queue->lost++;
        return NULL;
    }
    queued->effect.kind = kind;
    queued->effect.ticket = ticket;
    STAILQ_INSERT_TAIL(&queue->waiting, queued, entry);
    queue->count++;
    return &queued->effect;
}

bool effect_queue_pop(struct effect_queue *queue, struct effect *effect)
{
    struct queued *first = STAILQ_FIRST(&queue->waiting);

    if (first == NULL)
        return false;
    STAILQ_REMOVE_HEAD(&queue->waiting, entry);
    queue->count--;
    *effect = first->effect;
    explicit_bzero(&first->effect, sizeof(first->effect));
    free(first);
    return true;
}

const char *effect_fault(const struct effect_queue *queue)
{
    return queue->count < queue->most ? "out of memory"
                                      : "more is to be done at once than there is room for";
}

bool effect_queue_is_busy(const struct effect_queue *queue)
{
    return queue->count >= queue->slice;
}

void effect_queue_limit(struct effect_queue *queue, size_t most, size_t slice)
{
    queue->most = most;
    queue->slice = slice;
}

size_t effect_queue_count(const struct effect_queue *queue)
{
    return queue->count;
}

uint64_t effect_queue_lost(const struct effect_queue *queue)
{
    return queue->lost;
}

/* --- Carrying out --- */

static void answer_begin(struct answer *answer, const struct effect *effect)
{
    *answer = (struct answer){.kind = effect->kind, .ticket = effect->ticket};
}

void effect_compute_run(struct crypto *crypto, const struct effect *effect, struct answer *answer)
{
    const struct effect_compute *compute = &effect->compute;
    uint8_t public[KE_PUBLIC_MAX];
    const struct group_info *info = group_info(compute->group);
    struct slice private = secret_slice(&compute->private);

    answer_begin(answer, effect);
    answer->status = info == NULL ? STATUS_FAIL : STATUS_OK;
    if (answer->status == STATUS_OK && compute->want_public)
        answer->status = crypto_ke_public(crypto, compute->group, private, public);
    if (answer->status == STATUS_OK && compute->want_public &&
        !buffer_copy(&answer->public, slice_of(public, info->public_size)))
        answer->status = STATUS_FAIL;
    if (answer->status == STATUS_OK && compute->peer_public.size > 0)
        answer->status = crypto_ke_shared(crypto, compute->group, private,
                                          buffer_slice(&compute->peer_public), &answer->shared);
    if (answer->status != STATUS_OK)
        reason_set(&answer->reason, answer->status, 0,
                   answer->status == STATUS_REJECT ? "the peer's %s public value is not valid"
                                                   : "key exchange %s failed in the provider",
                   info == NULL ? "?" : info->name);
}

void effect_psk_auth_run(struct crypto *crypto, const struct effect *effect, struct slice psk,
                         struct answer *answer)
{
    const struct effect_psk_auth *psk_auth = &effect->psk_auth;
    const struct prf_info *info = prf_info(psk_auth->prf);
    uint8_t auth[PRF_SIZE_MAX];
    struct slice own = buffer_slice(&psk_auth->own_octets);
    struct slice peer = buffer_slice(&psk_auth->peer_octets);

    answer_begin(answer, effect);
    answer->status = info == NULL ? STATUS_FAIL : STATUS_OK;
    if (answer->status == STATUS_OK && psk_auth->peer_auth.size > 0) {
        answer->status = crypto_psk_auth(crypto, psk_auth->prf, psk, &peer, 1, auth);
        if (answer->status == STATUS_OK &&
            !secret_equal(slice_of(auth, info->size), buffer_slice(&psk_auth->peer_auth)))
            answer->status = reason_set(&answer->reason, STATUS_REJECT, 0,
                                        "the peer's AUTH does not match our pre-shared key");
    }
    if (answer->status == STATUS_OK && own.size > 0) {
        answer->status = crypto_psk_auth(crypto, psk_auth->prf, psk, &own, 1, auth);
        if (answer->status == STATUS_OK && !buffer_copy(&answer->auth, slice_of(auth, info->size)))
            answer->status = STATUS_FAIL;
    }
    if (answer->status == STATUS_FAIL)
        reason_set(&answer->reason, STATUS_FAIL, 0, "computing AUTH failed in the provider");
    secret_wipe(auth, sizeof(auth));
}
