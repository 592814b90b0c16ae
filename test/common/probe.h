/*
 * Looking into an engine deeper than `show` does, for tests that assert that nothing changed, or
 * that something did.
 */
#ifndef TEST_COMMON_PROBE_H
#define TEST_COMMON_PROBE_H

#include "lib/engine/engine.h"
#include "lib/sa/ike_sa.h"

/* Digests of all IKE SAs that have keys: of what may change only by an authenticated message, by
 * time or by the operator. */
struct probe {
    size_t count;
    struct probe_item {
        uint64_t number;
        uint64_t digest;
    } * items;
};
struct probe probe_take(const struct engine *engine);
void probe_free(struct probe *probe);

/* Are all SAs of the probe there, and as they were?  New ones do not matter. */
bool probe_kept(const struct probe *probe, const struct engine *engine);

/* The engine's IKE SA by its own SPI or by the pair; NULL when there is none. */
struct ike_sa *probe_find(const struct engine *engine, uint64_t spi_i, uint64_t spi_r);

/* The first IKE SA; the next: TAILQ_NEXT(sa, entry). */
struct ike_sa *probe_first(const struct engine *engine);
struct ike_sa *probe_newest(const struct engine *engine);

/* As if the soft lifetime of the host's first IKE SA were over. */
void probe_rekey_ike(struct engine *engine, uint64_t now_ms);

/* IKE SAs that are established and stay; and those that are on their way up or down. */
size_t probe_established(const struct engine *engine);
size_t probe_restless(const struct engine *engine);

/* The next child that claims this traffic, listed or about to be; `after` continues (NULL: the
 * first). */
const struct child_sa *probe_claim(const struct engine *engine, const struct selector *local,
                                   const struct selector *remote, const struct child_sa *after);

#endif
