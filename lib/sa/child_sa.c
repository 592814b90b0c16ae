/*
 * Child SAs as state: see child_sa.h.
 */
#include "lib/sa/child_sa.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sa/context.h"
#include "lib/sa/ike_sa.h"

struct child_sa *child_new_through(struct context *context, const struct child_config *config,
                                   const uint8_t *protocols, size_t count)
{
    struct child_sa *child = calloc(1, sizeof(*child) + count * sizeof(child->transforms[0]));

    if (child == NULL)
        return NULL;
    child->config = config;
    child->number = ++context->next_child;
    child->reqid = config->reqid;
    for (uint8_t i = 0; i < count; i++) {
        child->transforms[i].protocol = protocols[i];
        child->transforms[i].place = i;
        child->transform_count++;
    }
    child->mode = (uint8_t)config->mode;
    child->created_ms = context->now_ms;
    return child;
}

struct child_sa *child_new(struct context *context, const struct child_config *config)
{
    static const uint8_t configured[] = {IPSEC_ESP}; /* for all */

    return child_new_through(context, config, configured, sizeof(configured));
}

const struct child_transform *child_find_transform(const struct child_sa *child, uint8_t protocol,
                                                   uint32_t spi, bool inbound)
{
    for (size_t i = 0; i < child->transform_count; i++) {
        const struct child_transform *transform = &child->transforms[i];
        if (transform->protocol == protocol &&
            (inbound ? transform->spi_in : transform->spi_out) == spi)
            return transform;
    }
    return NULL;
}

struct child_sa *child_of_transform(const struct child_transform *transform)
{
    const struct child_transform *first = transform - transform->place;

    return (struct child_sa *)((uintptr_t)first - offsetof(struct child_sa, transforms));
}

bool child_has_spis(const struct child_sa *child)
{
    for (size_t i = 0; i < child->transform_count; i++)
        if (child->transforms[i].spi_in == 0)
            return false;
    return true;
}

void child_set_spi(struct child_sa *child, uint8_t protocol, uint32_t spi)
{
    for (size_t i = 0; i < child->transform_count; i++)
        if (child->transforms[i].protocol == protocol)
            child->transforms[i].spi_in = spi;
}

void child_agree(struct child_sa *child, const struct suite *suite, uint32_t spi_out)
{
    struct child_transform *transform = &child->transforms[child_main(child)->place];

    transform->suite = *suite;
    transform->spi_out = spi_out;
}

void child_replace(struct child_sa *old, struct child_sa *made, uint64_t leaves_ms)
{
    made->replaces = old->number;
    old->replaced = true;
    old->leaves_ms = leaves_ms;
}

#define KEPT_MS     60000 /* until the next rekeying of what lives on packets or octets alone */
#define MUTE_MS     5000  /* the same of what cannot send */
#define KEPT_PART   8     /* of the time until then is chance: the other end does not join in */
#define LAST_PART   32    /* of a lifetime: when this much is left, it is nearly over ... */
#define LAST_MIN_MS 2000  /* ... or this much */

static uint64_t left_ms(const struct context *context, const struct child_sa *child)
{
    uint64_t end_ms = child->created_ms + child->config->lifetime_s * 1000ull;

    return end_ms > context->now_ms ? end_ms - context->now_ms : 0;
}

bool child_nears_end(const struct context *context, const struct child_sa *child)
{
    uint64_t last_ms = child->config->lifetime_s * 1000ull / LAST_PART;

    return child->config->lifetime_s != 0 &&
           left_ms(context, child) <= (last_ms < LAST_MIN_MS ? LAST_MIN_MS : last_ms);
}

void child_keep(struct context *context, struct child_sa *child)
{
    uint64_t wait_ms = child->config->lifetime_s == 0 ? KEPT_MS : left_ms(context, child) / 2;
    uint32_t chance;

    child->replaced = false;
    if (child->deleting)
        return; /* too late: the peer has been told */
    if (!child->out_kernel && child->held == NULL)
        wait_ms = MUTE_MS;
    context->random(context->random_context, &chance, sizeof(chance));
    child->delete_due = child->expired;
    child->leaves_ms = context->now_ms + wait_ms - chance % (wait_ms / KEPT_PART + 1);
}

void child_pass_on(struct context *context, struct ike_sa *sa, const struct child_sa *child)
{
    struct child_sa *old = child->replaces == 0 ? NULL : child_find(sa, child->replaces);
    bool replaced = false;
    struct child_sa *other;

    TAILQ_FOREACH (other, &sa->children, entry) {
        if (other->replaces == child->number)
            other->replaces = child->replaces;
        replaced = replaced || (old != NULL && other->replaces == old->number);
    }
    if (old != NULL && old->replaced && !replaced)
        child_keep(context, old);
}

void child_continue(struct child_sa *child, const struct child_sa *old)
{
    child->ours = old->ours;
    child->line = old->line;
    child->exact = old->exact;
}

struct child_sa *child_find(const struct ike_sa *sa, uint32_t number)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child->number == number)
            return child;
    return NULL;
}

struct child_sa *child_find_outbound(const struct ike_sa *sa, uint8_t protocol, uint32_t spi_out)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        if (child_find_transform(child, protocol, spi_out, false) != NULL)
            return child;
    return NULL;
}

void child_prove_all(struct ike_sa *sa)
{
    struct child_sa *child;

    TAILQ_FOREACH (child, &sa->children, entry)
        child->unproven = false;
}

void child_drop_held(struct child_sa *child)
{
    if (child->held == NULL)
        return;
    for (size_t i = 0; i < child->transform_count; i++) {
        secret_free(&child->held->keys[i].encr);
        secret_free(&child->held->keys[i].integ);
    }
    free(child->held);
    child->held = NULL;
}

/* Many children have just what is configured: that is there once. */
static const struct selector *share_or_copy(const struct selector *configured,
                                            size_t configured_count, const struct selector *wanted,
                                            size_t count)
{
    if (selectors_equal(configured, configured_count, wanted, count))
        return configured;
    struct selector *copy = reallocarray(NULL, count, sizeof(*copy));
    if (copy != NULL)
        memcpy(copy, wanted, count * sizeof(*copy));
    return copy;
}

static void drop_selectors(const struct selector *configured, const struct selector *selectors)
{
    if (selectors != configured)
        free((struct selector *)(uintptr_t)selectors);
}

static void child_drop_selectors(struct child_sa *child)
{
    drop_selectors(child->config->local, child->local_selectors);
    drop_selectors(child->config->remote, child->remote_selectors);
}

void child_free(struct child_sa *child)
{
    if (child == NULL)
        return;
    child_drop_selectors(child);
    child_drop_held(child);
    free(child);
}

bool child_set_selectors(struct child_sa *child, const struct selector *local, size_t local_count,
                         const struct selector *remote, size_t remote_count)
{
    const struct child_config *config = child->config;
    const struct selector *locals =
        share_or_copy(config->local, config->local_count, local, local_count);
    const struct selector *remotes =
        share_or_copy(config->remote, config->remote_count, remote, remote_count);

    if (locals == NULL || remotes == NULL) {
        drop_selectors(config->local, locals);
        drop_selectors(config->remote, remotes);
        return false;
    }
    child_drop_selectors(child);
    child->local_selectors = locals;
    child->remote_selectors = remotes;
    child->local_count = (uint8_t)local_count;
    child->remote_count = (uint8_t)remote_count;
    return true;
}

void child_rebind(struct child_sa *child, const struct child_config *config)
{
    if (child->local_selectors == child->config->local)
        child->local_selectors = config->local;
    if (child->remote_selectors == child->config->remote)
        child->remote_selectors = config->remote;
    child->config = config;
}

/* "ESP 00001234 in, 00005678 out, aes256gcm16", one behind the other. */
static const char *transforms_text(const struct child_sa *child, char *text, size_t size)
{
    static const char *const names[] = {
        [IPSEC_ESP] = "ESP", [IPSEC_AH] = "AH", [IPSEC_IPCOMP] = "IPComp"};
    char suite[128];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < child->transform_count && used < size; i++) {
        const struct child_transform *transform = &child->transforms[i];
        used += (size_t)snprintf(text + used, size - used, "%s%s %08x in, %08x out, %s",
                                 i == 0 ? "" : ", ", names[transform->protocol], transform->spi_in,
                                 transform->spi_out,
                                 suite_text(&transform->suite, suite, sizeof(suite)));
    }
    return text;
}

void child_report(struct context *context, const struct ike_sa *sa, const struct child_sa *child,
                  bool rekeyed)
{
    char transforms[TRANSFORMS_MAX * 168];
    char local[SELECTOR_TEXT_MAX];
    char remote[SELECTOR_TEXT_MAX];

    report(context, sa, SEVERITY_INFO, rekeyed ? "child-rekeyed" : "child-established",
           "child %s %s, %s mode, %s, %s === %s", child->config->name,
           rekeyed ? "rekeyed" : "established",
           child->mode == CHILD_TRANSPORT ? "transport" : "tunnel",
           transforms_text(child, transforms, sizeof(transforms)),
           selector_text(&child->local_selectors[0], local),
           selector_text(&child->remote_selectors[0], remote));
}
