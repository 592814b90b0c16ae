/*
 * A rekeying seen from the responder's kernel, when that is slow: our answer to the Delete of the
 * old child leaves when packets go by the new one, since the peer may forget the old one then
 * (RFC 7296 sections 1.4.1 and 2.8).
 */
#include <string.h>

#include "lib/engine/private.h"
#include "lib/wire/ikev2.h"
#include "test/common/host.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define SLOW_MS 5

struct two {
    struct world world;
    struct host *a;
    struct host *b;
    unsigned answers;      /* of b, to a's Delete */
    uint32_t spi_of_b;     /* by which b sends when the first of them leaves */
    struct flight request; /* a's Delete, as a stranger on the path saw it */
};

/* The SPI by which b's packets leave now. */
static uint32_t sends_by(struct two *two)
{
    struct selector local = selector_host(&two->b->v4);
    struct selector remote = selector_host(&two->a->v4);
    struct fake_policy *policy;
    struct fake_sa *sa = NULL;

    (void)fake_kernel_output(&two->b->kernel, &local, &remote, two->world.now_ms, &policy, &sa);
    assert_non_null(sa);
    return sa->spi;
}

static enum fate watch(void *context, struct flight *flight)
{
    struct two *two = context;
    struct ike_header header;

    if (flight->kind != FLIGHT_IKE ||
        ike_header_parse(&header, buffer_slice(&flight->data), NULL) != STATUS_OK ||
        header.exchange != V2_INFORMATIONAL)
        return FATE_PASS;
    if ((header.flags & V2_FLAG_RESPONSE) == 0 && two->request.data.size == 0) {
        two->request = *flight;
        two->request.data = (struct buffer){0};
        assert_true(buffer_copy(&two->request.data, buffer_slice(&flight->data)));
    }
    if ((header.flags & V2_FLAG_RESPONSE) != 0 &&
        address_equal(&flight->destination, &two->request.source) && two->answers++ == 0)
        two->spi_of_b = sends_by(two);
    return FATE_PASS;
}

static void two_begin(struct two *two, const char *more, size_t sa_count)
{
    memset(two, 0, sizeof(*two));
    world_init(&two->world, 1, crypto);
    two->a = group_host(&two->world, "a", "b", more);
    two->b = group_host(&two->world, "b", "a", more);
    two->world.weather.work_min_ms = two->world.weather.work_max_ms = SLOW_MS;
    host_up(two->a, "ab");
    world_run(&two->world, 1000);
    assert_int_equal(fake_kernel_count(&two->b->kernel), sa_count);
}

static void two_end(struct two *two)
{
    buffer_free(&two->request.data);
    world_free(&two->world);
}

static void the_answer_waits_for_the_kernel(void **state)
{
    struct two two;

    (void)state;
    two_begin(&two, "", 2);
    uint32_t before = sends_by(&two);
    two.world.hooks = (struct hooks){.packet = watch, .context = &two};
    host_rekey(two.a, "ab", "ab");
    world_run(&two.world, 5000);
    assert_int_equal(two.answers, 1);
    assert_int_not_equal(sends_by(&two), before);
    assert_int_equal(two.spi_of_b, sends_by(&two));
    two_end(&two);
}

/* From now on b's kernel answers nothing. */
static void stop_at_release(void *context, struct host *host, const struct effect *effect)
{
    struct two *two = context;

    if (host == two->b && effect->kind == EFFECT_INSTALL_SA && !effect->install_sa.inbound)
        two->world.work_by_hand = true;
}

static void who_asks_again_is_answered(void **state)
{
    struct two two;

    (void)state;
    two_begin(&two, "", 2);
    two.world.hooks = (struct hooks){.packet = watch, .effect = stop_at_release, .context = &two};
    host_rekey(two.a, "ab", "ab");
    world_run(&two.world, 200);
    assert_true(two.world.work_by_hand);
    assert_int_equal(two.answers, 0);
    world_run(&two.world, 10000);
    assert_int_equal(two.answers, 1);
    two.world.work_by_hand = false;
    world_run(&two.world, 5000);
    assert_int_equal(two.answers, 1);
    assert_int_equal(fake_kernel_count(&two.b->kernel), 2);
    two_end(&two);
}

/* Where a peer may move, whoever sends it again from elsewhere gets the answer, which he cannot
 * read; a's is still to come. */
static void a_stranger_does_not_take_it_away(void **state)
{
    struct two two;
    struct flight replayed;

    (void)state;
    two_begin(&two, "mobike = true; children: { x: { mode = \"tunnel\"; }; };", 2);
    two.world.hooks = (struct hooks){.packet = watch, .effect = stop_at_release, .context = &two};
    host_rekey(two.a, "ab", "x");
    world_run(&two.world, 200);
    assert_true(two.world.work_by_hand);
    replayed = two.request;
    replayed.source.port = 10005;
    host_packet(two.b, &replayed);
    two.world.work_by_hand = false;
    world_run(&two.world, 200);
    assert_int_equal(two.answers, 1);
    assert_int_equal(two.spi_of_b, sends_by(&two));
    two_end(&two);
}

/* The kernel's word about the release comes for the IKE SA before, which has no children then: the
 * answer to the next Delete does not wait for it. */
static void an_heir_waits_for_nothing_old(void **state)
{
    struct two two;
    struct child_sa *child;

    (void)state;
    two_begin(&two, "children: { x: { }; y: { local = [ \"tcp\" ]; remote = [ \"tcp\" ]; }; };", 4);
    TAILQ_FOREACH (child, &TAILQ_FIRST(&two.b->engine->sas.all)->children, entry)
        if (strcmp(child->config->name, "y") == 0)
            child->releasing = UINT32_MAX; /* not said yet */
    host_rekey(two.b, "ba", "ike");
    world_run(&two.world, 1000);
    two.world.hooks = (struct hooks){.packet = watch, .context = &two};
    host_rekey(two.a, "ab", "x");
    world_run(&two.world, 200);
    assert_int_equal(two.answers, 1);
    two_end(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_waits_for_the_kernel),
        cmocka_unit_test(who_asks_again_is_answered),
        cmocka_unit_test(a_stranger_does_not_take_it_away),
        cmocka_unit_test(an_heir_waits_for_nothing_old),
    };
    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
