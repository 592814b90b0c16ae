/*
 * A peer that is authenticated and means ill (R15), and events at moments that only an engine under
 * work knows: what it makes here stays bounded, and nothing is used after it is gone.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/engine/coverage.h"
#include "lib/engine/link.h"
#include "lib/engine/private.h"
#include "lib/engine/task.h"
#include "lib/ikev2/creation.h"
#include "lib/ikev2/ikev2.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/policy/loss.h"
#include "test/common/host.h"
#include "test/common/tap.h"
#include "test/common/world.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define ENDLESS_S 60
#define SECRETS   "secrets: ( { psk = \"correct horse battery staple\"; } );"

static const char *const configs[] = {
    "connections: { ab: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; "
    "lifetime = \"100s\"; liveness = \"off\"; }; };",
    "connections: { ba: { local = \"192.0.2.2\"; remote = \"192.0.2.1\"; liveness = \"off\"; }; };",
};

struct two {
    struct world world;
    struct host *hosts[2];
};

static void two_up(struct two *two)
{
    char error[CONFIG_ERROR_MAX];

    memset(two, 0, sizeof(*two));
    world_init(&two->world, 1, crypto);
    for (size_t i = 0; i < 2; i++) {
        two->hosts[i] = world_add_host(&two->world, i == 0 ? "a" : "b");
        assert_true(host_configure(two->hosts[i], configs[i], error));
        assert_true(host_set_secrets(two->hosts[i], SECRETS, error));
        host_start(two->hosts[i]);
    }
    host_up(two->hosts[0], "ab");
    world_settle(&two->world);
    assert_int_equal(engine_sa_count(two->hosts[1]->engine), 1);
}

/* A request of host b's, beside its engine. */
static void send_create(struct two *two, struct ike_sa *sa, enum creation_kind kind,
                        const struct child_sa *like)
{
    struct tap tap;

    assert_true(tap_create(&tap, &two->world, sa, kind, like));
    assert_true(tap_send(&tap, &two->world, sa));
    tap_free(&tap);
    world_settle(&two->world);
    ikev2_of(sa)->next_request++;
}

static void rekeying_one_child_again_and_again(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    for (unsigned i = 0; i < 5; i++)
        send_create(&two, at_b, CREATE_REKEY_CHILD, TAILQ_FIRST(&at_b->children));
    assert_int_equal(ike_sa_child_count(at_a), 2);
    world_free(&two.world);
}

/* What lingers of an IKE SA that is closed comes behind what lingers of the one that stays.  Once
 * the first of them held up one whose time was over, and the engine had work to do without an
 * end. */
static void what_lingers_goes_in_any_order(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct ike_sa *sa = probe_first(two.hosts[0]->engine);
    for (int i = 0; i < 2; i++) {
        host_rekey(two.hosts[0], "ab", "ab");
        world_run(&two.world, 300);
    }
    struct child_sa *first = TAILQ_FIRST(&sa->gone);
    assert_non_null(first);
    assert_non_null(TAILQ_NEXT(first, entry));
    TAILQ_REMOVE(&sa->gone, first, entry);
    TAILQ_INSERT_TAIL(&sa->gone, first, entry);
    alarm(ENDLESS_S);
    world_run(&two.world, 3000);
    alarm(0);
    assert_true(TAILQ_EMPTY(&sa->gone));
    world_free(&two.world);
}

/* The SPI of an outbound SA is the peer's choice.  One that is there already is refused, and with
 * the new child the standing one must not go. */
static void a_child_with_the_spi_of_another(void **state)
{
    (void)state;
    struct two two;
    struct tap tap;

    two_up(&two);
    struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    const struct child_sa *standing = TAILQ_FIRST(&at_a->children);
    assert_true(tap_create(&tap, &two.world, at_b, CREATE_CHILD, TAILQ_FIRST(&at_b->children)));
    for (size_t i = 0; i < tap.count; i++)
        if (tap.payloads[i].type == V2_SA) {
            struct writer writer = writer_of(tap.payloads[i].body.data + 8, 4);
            writer_u32(&writer, child_main(standing)->spi_out);
        }
    assert_true(tap_send(&tap, &two.world, at_b));
    tap_free(&tap);
    world_settle(&two.world);
    assert_int_equal(ike_sa_child_count(at_a), 1);
    assert_non_null(fake_kernel_find_sa(&two.hosts[0]->kernel, &standing->remote,
                                        child_main(standing)->spi_out,
                                        child_main(standing)->protocol));
    world_free(&two.world);
}

/* The policies that went with a dead peer come back with any child, also with one that is made in
 * an IKE SA which had none. */
static void a_later_child_brings_the_policies_back(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct engine *engine = two.hosts[0]->engine;
    struct link *link = link_find(engine, "ab");
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    link->cleared = true;
    link_policies(engine, link->connection, EFFECT_REMOVE_POLICY);
    send_create(&two, at_b, CREATE_CHILD, TAILQ_FIRST(&at_b->children));
    assert_false(link->cleared);
    assert_false(TAILQ_EMPTY(&two.hosts[0]->kernel.policies));
    world_free(&two.world);
}

static void rekeying_each_new_child(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    size_t size = sizeof(struct child_sa) + sizeof(struct child_transform);
    struct child_sa *like = malloc(size);
    assert_non_null(like);
    for (unsigned i = 0; i < 3 * CONFIG_CHILDREN_MAX; i++) {
        const struct child_sa *newest = TAILQ_LAST(&at_a->children, child_sa_list);
        memcpy(like, TAILQ_FIRST(&at_b->children), size);
        like->transforms[0].spi_in = child_main(newest)->spi_out;
        send_create(&two, at_b, CREATE_REKEY_CHILD, like);
    }
    free(like);
    assert_int_equal(ike_sa_child_count(at_a), 2 * CONFIG_CHILDREN_MAX);
    world_free(&two.world);
}

/* The request would name no child, and so ask for one more. */
static void a_child_is_deleted_before_its_rekeying_leaves(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    world_run(&two.world, 10000);
    const struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    const struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    two.world.weather.work_min_ms = two.world.weather.work_max_ms = 1000;
    host_expire(two.hosts[0], TAILQ_FIRST(&at_a->children), false);
    assert_int_equal(ikev2_of(at_a)->own->state, CREATE_AWAIT_KEY);
    host_expire(two.hosts[1], TAILQ_FIRST(&at_b->children), true);
    world_run(&two.world, 10000);
    assert_null(ikev2_of(at_a)->own);
    assert_int_equal(ike_sa_child_count(at_a), 0);
    assert_int_equal(ike_sa_child_count(at_b), 0);
    world_free(&two.world);
}

static enum fate lose_b(void *context, struct flight *flight)
{
    const struct two *two = context;

    return address_same_host(&flight->source, &two->hosts[1]->v4) ? FATE_LOST : FATE_PASS;
}

static void crossing_one_ike_rekeying_again_and_again(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    world_run(&two.world, 80000);
    two.world.hooks = (struct hooks){.packet = lose_b, .context = &two};
    while (ikev2_of(at_a)->own == NULL)
        world_run(&two.world, 100);
    for (unsigned i = 0; i < 5; i++)
        send_create(&two, at_b, CREATE_REKEY_IKE, NULL);
    /* The old one, ours that waits for an answer, the peer's. */
    assert_int_equal(engine_sa_count(two.hosts[0]->engine), 3);
    world_free(&two.world);
}

/* The heir that is being made stands right behind its parent in the engine's list. */
static void shutdown_while_an_heir_is_made(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    const struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    two.world.weather.work_min_ms = two.world.weather.work_max_ms = 1000;
    while (ikev2_of(at_a)->own == NULL)
        world_run(&two.world, 100);
    assert_int_equal(ikev2_of(at_a)->own->state, CREATE_AWAIT_KEY);
    assert_ptr_equal(TAILQ_NEXT(at_a, entry), ikev2_of(at_a)->own->heir);
    uint64_t number = host_shutdown(two.hosts[0]);
    world_run(&two.world, 10000);
    assert_non_null(host_result(two.hosts[0], number));
    assert_int_equal(engine_sa_count(two.hosts[0]->engine), 0);
    world_free(&two.world);
}

/* The peer has the new IKE SA already: closing the old one alone would leave it that. */
static void down_before_our_heir_is_ready(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    const struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    two.world.weather.work_min_ms = two.world.weather.work_max_ms = 1000;
    while (ikev2_of(at_a)->own == NULL || ikev2_of(at_a)->own->state != CREATE_AWAIT_SHARED)
        world_run(&two.world, 100);
    uint64_t number = host_down(two.hosts[0], "ab");
    world_run(&two.world, 20000);
    assert_non_null(host_result(two.hosts[0], number));
    assert_int_equal(engine_sa_count(two.hosts[0]->engine), 0);
    assert_int_equal(engine_sa_count(two.hosts[1]->engine), 0);
    world_free(&two.world);
}

/* The crossing rekeying is done only after `down`, and then ours is refused: the peer's IKE SA has
 * the children and goes, too. */
static void down_while_ike_rekeyings_cross(void **state)
{
    (void)state;
    struct two two;
    struct tap tap;

    two_up(&two);
    const struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    two.world.hooks = (struct hooks){.packet = lose_b, .context = &two};
    while (ikev2_of(at_a)->own == NULL || ikev2_of(at_a)->own->state != CREATE_AWAIT_REPLY)
        world_run(&two.world, 100);
    two.world.weather.work_min_ms = two.world.weather.work_max_ms = 100;
    send_create(&two, at_b, CREATE_REKEY_IKE, NULL);
    uint64_t number = host_down(two.hosts[0], "ab");
    world_run(&two.world, 300);
    assert_true(ikev2_of(at_a)->own->rival_ike != 0);
    tap_request(&tap, at_b, V2_CREATE_CHILD_SA);
    tap.header.flags |= V2_FLAG_RESPONSE;
    tap.header.message_id = ikev2_of(at_a)->next_request;
    const uint8_t refusal[] = {0, 0, 0, V2_N_NO_PROPOSAL_CHOSEN};
    assert_true(tap_insert(&tap, 0, V2_NOTIFY, false, slice_of(refusal, sizeof(refusal))));
    assert_true(tap_send(&tap, &two.world, at_b));
    tap_free(&tap);
    world_run(&two.world, 60000);
    assert_int_equal(engine_sa_count(two.hosts[0]->engine), 0);
    assert_non_null(host_result(two.hosts[0], number));
    world_free(&two.world);
}

/* The answer to a Delete of the old SA's must not look for the child there. */
static void a_child_being_deleted_is_inherited(void **state)
{
    (void)state;
    struct two two;

    two_up(&two);
    struct engine *engine = two.hosts[0]->engine;
    struct ike_sa *sa = probe_first(engine);
    struct child_sa *child = TAILQ_FIRST(&sa->children);
    struct ike_sa *heir =
        ike_sa_new(&engine->context, &ikev2, sa->connection, &sa->local, &sa->remote, 0);
    assert_non_null(heir);
    child->delete_due = true;
    sa_wishes(engine, sa);
    assert_ptr_equal(ikev2_deleting(sa), child);
    ike_sa_inherit(&engine->context, sa, heir);
    world_run(&two.world, 2000);
    assert_null(ikev2_deleting(sa));
    assert_true(TAILQ_EMPTY(&sa->gone));
    assert_ptr_equal(TAILQ_FIRST(&heir->children), child);
    assert_true(child->delete_due);
    world_free(&two.world);
}

/* A Delete that comes before the children it names is dropped, and taken when it comes again.
 * Until then its bytes say nothing new: whoever has seen them could keep a dead peer alive. */
static void a_dropped_delete_is_heard_once(void **state)
{
    (void)state;
    struct two two;
    struct tap tap;
    uint8_t bytes[8] = {V2_PROTOCOL_ESP, 4, 0, 1};
    struct writer writer = writer_of(bytes + 4, 4);

    two_up(&two);
    struct ike_sa *at_a = probe_first(two.hosts[0]->engine);
    struct ike_sa *at_b = probe_first(two.hosts[1]->engine);
    struct chance chance = two.world.chance; /* the same again makes the same bytes */
    writer_u32(&writer, child_main(TAILQ_FIRST(&at_b->children))->spi_in);
    tap_request(&tap, at_b, V2_INFORMATIONAL);
    assert_true(tap_insert(&tap, tap.count, V2_DELETE, false, slice_of(bytes, sizeof(bytes))));
    at_a->expecting = true;
    assert_true(tap_send(&tap, &two.world, at_b));
    world_settle(&two.world);
    uint64_t heard_ms = at_a->heard_ms;
    assert_int_equal(ike_sa_child_count(at_a), 1);
    world_run(&two.world, 1000);
    two.world.chance = chance;
    assert_true(tap_send(&tap, &two.world, at_b));
    world_settle(&two.world);
    assert_int_equal(at_a->heard_ms, heard_ms);
    at_a->expecting = false;
    two.world.chance = chance;
    assert_true(tap_send(&tap, &two.world, at_b));
    world_settle(&two.world);
    assert_int_equal(ike_sa_child_count(at_a), 0);
    tap_free(&tap);
    world_free(&two.world);
}

/* R24: whoever has proven nothing gets less than he sent. */
static void a_cookie_is_not_given_for_less(void **state)
{
    (void)state;
    struct two two;
    char error[CONFIG_ERROR_MAX];
    uint8_t bytes[64];
    uint8_t nonce[V2_NONCE_MIN] = {1};
    struct v2_writer writer;
    struct ike_header header = {
        .spi_i = 1, .version = 0x20, .exchange = V2_IKE_SA_INIT, .flags = V2_FLAG_INITIATOR};

    two_up(&two);
    assert_true(host_configure(two.hosts[1],
                               "daemon: { cookie_threshold = 0; }; connections: { ba: { "
                               "local = \"192.0.2.2\"; remote = \"192.0.2.1\"; }; };",
                               error));
    uint64_t before = host_counter(two.hosts[1], "packets_out");
    v2_message_begin(&writer, bytes, sizeof(bytes), &header);
    v2_write_nonce(&writer, slice_of(nonce, sizeof(nonce)));
    assert_true(v2_message_end(&writer));
    struct address source = two.hosts[0]->v4;
    struct address destination = two.hosts[1]->v4;
    source.port = destination.port = 500;
    world_inject(&two.world, &source, &destination, writer_slice(&writer.bytes));
    world_settle(&two.world);
    assert_int_equal(host_counter(two.hosts[1], "packets_out"), before);
    world_free(&two.world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rekeying_one_child_again_and_again),
        cmocka_unit_test(what_lingers_goes_in_any_order),
        cmocka_unit_test(a_child_with_the_spi_of_another),
        cmocka_unit_test(a_later_child_brings_the_policies_back),
        cmocka_unit_test(rekeying_each_new_child),
        cmocka_unit_test(a_child_is_deleted_before_its_rekeying_leaves),
        cmocka_unit_test(crossing_one_ike_rekeying_again_and_again),
        cmocka_unit_test(shutdown_while_an_heir_is_made),
        cmocka_unit_test(down_before_our_heir_is_ready),
        cmocka_unit_test(down_while_ike_rekeyings_cross),
        cmocka_unit_test(a_child_being_deleted_is_inherited),
        cmocka_unit_test(a_dropped_delete_is_heard_once),
        cmocka_unit_test(a_cookie_is_not_given_for_less),
    };

    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
