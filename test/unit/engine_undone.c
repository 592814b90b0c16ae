/*
 * A rekeying that the peer undoes before we are through with it: our kernel is slow, and the Delete
 * of the new child (RFC 7296 section 1.3.1) comes before it has that.
 */
#include <string.h>

#include "lib/engine/private.h"
#include "test/common/host.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define SLOW_MS 5

static struct ike_sa *only_sa(const struct host *host)
{
    return TAILQ_FIRST(&host->engine->sas.all);
}

/* From now on no kernel answers anything. */
static void stop_at_install(void *context, struct host *host, const struct effect *effect)
{
    struct host *rekeying = context;

    if (host == rekeying && effect->kind == EFFECT_INSTALL_SA)
        host->world->work_by_hand = true;
}

static void delete_newest(struct host *host)
{
    struct ike_sa *sa = only_sa(host);
    struct child_sa *child = TAILQ_LAST(&sa->children, child_sa_list);

    child->delete_due = true;
    child->unproven = false;
    ike_sa_timer(&host->engine->context, &sa->later, host->world->now_ms);
}

static void what_is_deleted_while_it_is_made_is_not_used(void **state)
{
    struct world world;

    (void)state;
    world_init(&world, 1, crypto);
    struct host *a = group_host(&world, "a", "b", "");
    struct host *b = group_host(&world, "b", "a", "");
    world.weather.work_min_ms = world.weather.work_max_ms = SLOW_MS;
    host_up(a, "ab");
    world_run(&world, 1000);
    uint32_t before = child_main(TAILQ_FIRST(&only_sa(a)->children))->spi_in;
    world.hooks = (struct hooks){.effect = stop_at_install, .context = a};
    host_rekey(a, "ab", "ab");
    world_run(&world, 200);
    assert_true(world.work_by_hand);
    assert_int_equal(ike_sa_child_count(only_sa(b)), 2);
    delete_newest(b);
    world_run(&world, 200);
    world.hooks = (struct hooks){0};
    world.work_by_hand = false;
    world_run(&world, 5000);
    for (unsigned i = 0; i < 2; i++) {
        const struct host *host = i == 0 ? a : b;
        const struct child_sa *child = TAILQ_FIRST(&only_sa(host)->children);
        assert_int_equal(ike_sa_child_count(only_sa(host)), 1);
        assert_int_equal(i == 0 ? child_main(child)->spi_in : child_main(child)->spi_out, before);
        assert_false(child->replaced || child->delete_due);
        assert_int_equal(fake_kernel_count(&host->kernel), 2);
    }
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_deleted_while_it_is_made_is_not_used),
    };
    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
