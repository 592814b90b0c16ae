/*
 * A second protocol beside IKEv2 (test/common/toy_protocol.h): the engine
 * drives it, and children, effects, policies and connections are the same for
 * both.
 *
 * The hosts a and b have a connection "toy" for a network behind each, by
 * version 9, and "v2", by IKEv2, for what they say to each other themselves.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/engine/private.h"
#include "test/common/host.h"
#include "test/common/toy_message.h"
#include "test/common/toy_protocol.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define TOY_FILE                                                              \
    "connections: {"                                                          \
    " toy: { local = \"192.0.2.%u\"; remote = \"192.0.2.%u\"; %s children: {" \
    "  %s: { mode = \"tunnel\"; local = [ \"10.%u.0.0/16\" ]; remote = [ "    \
    "\"10.%u.0.0/16\" ]; };"                                                  \
    "  %s: { mode = \"tunnel\"; local = [ \"10.%u.0.0/16\" ]; remote = [ "    \
    "\"10.%u.0.0/16\" ]; };"                                                  \
    " }; };"                                                                  \
    " v2: { local = \"192.0.2.%u\"; remote = \"192.0.2.%u\"; }; };"

struct two {
    struct world world;
    struct host *a;
    struct host *b;
    unsigned lost;     /* of the toy's messages, this one; UINT_MAX: all */
    unsigned messages; /* of the toy */
    bool slow;         /* the kernels answer nothing once an outbound SA is asked for */
    unsigned answers;  /* to a's Delete */
};

/* In what is read from now on. */
static bool toy_is_v2;
static const char *net = "net";
static const char *far = "far";

static void set_version(struct connection *connection)
{
    if (strcmp(connection->name, "toy") == 0 && !toy_is_v2)
        connection->version = TOY_VERSION;
}

static void configure(struct host *host, bool first, const char *more)
{
    char error[CONFIG_ERROR_MAX];
    char text[1024];
    unsigned own = first ? 1 : 2;
    unsigned other = first ? 2 : 1;

    snprintf(text, sizeof(text), TOY_FILE, own, other, more, net, own, other, far, own + 2,
             other + 2, own, other);
    if (!host_configure(host, text, error))
        fail_msg("%s", error);
    assert_true(
        host_set_secrets(host, "secrets: ( { psk = \"correct horse battery staple\"; } );", error));
}

static enum fate watch(void *context, struct flight *flight)
{
    struct two *two = context;
    struct toy_message message;

    if (flight->kind != FLIGHT_IKE || !toy_message_parse(&message, buffer_slice(&flight->data)))
        return FATE_PASS;
    two->messages++;
    if (message.kind == TOY_DELETE && message.response)
        two->answers++;
    return two->lost == UINT_MAX || two->messages == two->lost ? FATE_LOST : FATE_PASS;
}

static void stop_at_release(void *context, struct host *host, const struct effect *effect)
{
    struct two *two = context;

    if (two->slow && host == two->b && effect->kind == EFFECT_INSTALL_SA &&
        !effect->install_sa.inbound)
        two->world.work_by_hand = true;
}

static void two_begin_with(struct two *two, const char *more)
{
    memset(two, 0, sizeof(*two));
    toy_is_v2 = false;
    net = "net";
    far = "far";
    world_init(&two->world, 1, crypto);
    two->world.protocols = toy_protocols;
    two->world.complete = set_version;
    two->world.hooks = (struct hooks){.packet = watch, .effect = stop_at_release, .context = two};
    two->a = world_add_host(&two->world, "a");
    two->b = world_add_host(&two->world, "b");
    configure(two->a, true, more);
    configure(two->b, false, more);
    host_start(two->a);
    host_start(two->b);
}

static void two_begin(struct two *two)
{
    two_begin_with(two, "");
}

static void assert_result(const struct host *host, uint64_t number, bool done, const char *text)
{
    const struct effect_result *result = host_result(host, number);

    assert_non_null(result);
    assert_string_equal(result->text, text);
    assert_int_equal(result->done, done);
}

static void two_up(struct two *two, const char *connection)
{
    uint64_t number = host_up(two->a, connection);
    const struct effect_result *result;

    world_run(&two->world, 10000);
    result = host_result(two->a, number);
    assert_non_null(result);
    if (!result->done)
        fail_msg("%s", result->text);
}

/* Each SA that one sends by the other one receives by, with the same key. */
static void assert_same_sas(const struct host *from, const struct host *to, size_t count)
{
    const struct fake_sa *sa;

    assert_int_equal(fake_kernel_count(&from->kernel), count);
    assert_int_equal(fake_kernel_count(&to->kernel), count);
    TAILQ_FOREACH (sa, &from->kernel.sas, entry) {
        if (sa->larval)
            continue;
        const struct fake_sa *same =
            fake_kernel_find_sa(&to->kernel, &sa->destination, sa->spi, sa->protocol);
        assert_non_null(same);
        assert_int_equal(same->inbound, !sa->inbound);
        assert_string_equal(same->child.text, sa->child.text);
        assert_int_equal(same->mode, sa->mode);
        assert_int_equal(same->key_size, sa->key_size);
        assert_true(sa->key_size > 0);
        assert_memory_equal(same->key, sa->key, sa->key_size);
    }
}

static size_t policy_count(const struct host *host)
{
    const struct fake_policy *policy;
    size_t count = 0;

    TAILQ_FOREACH (policy, &host->kernel.policies, entry)
        count++;
    return count;
}

static struct selector behind(unsigned number)
{
    struct address address = {.family = FAMILY_IPV4, .bytes = {10, (uint8_t)number, 0, 7}};

    return selector_host(&address);
}

/* A packet from behind the one host to behind the other arrives. */
static void assert_passes(struct two *two, struct host *from, struct host *to, unsigned source,
                          unsigned destination)
{
    struct selector selectors[] = {behind(source), behind(destination)};
    uint64_t before = to->delivered;

    assert_int_equal(host_traffic(from, &selectors[0], &selectors[1]), FAKE_SEALED);
    world_run(&two->world, 50);
    assert_int_equal(to->delivered, before + 1);
}

static void assert_toy_passes(struct two *two)
{
    assert_passes(two, two->a, two->b, 1, 2);
    assert_passes(two, two->b, two->a, 2, 1);
    assert_passes(two, two->a, two->b, 3, 4);
    assert_passes(two, two->b, two->a, 4, 3);
}

static struct ike_sa *toy_sa(const struct host *host)
{
    struct ike_sa *sa;

    TAILQ_FOREACH (sa, &host->engine->sas.all, entry)
        if (sa->protocol == &toy_protocol)
            return sa;
    fail_msg("no toy's SA");
    return NULL;
}

static uint32_t sends_by(const struct host *host, unsigned source, unsigned destination)
{
    struct selector selectors[] = {behind(source), behind(destination)};
    const struct fake_sa *sa = NULL;

    assert_int_equal(fake_kernel_would(&host->kernel, &selectors[0], &selectors[1], NULL, &sa),
                     FAKE_SEALED);
    return sa->spi;
}

static void both_ends_hold_the_same(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    size_t policies = policy_count(two.a);
    two_up(&two, "toy");
    assert_same_sas(two.a, two.b, 4);
    assert_int_equal(policy_count(two.a), policies);
    assert_int_equal(policy_count(two.b), policies);
    assert_toy_passes(&two);
    assert_int_equal(engine_sa_count_of(two.b->engine, "toy"), 1);
    assert_int_equal(engine_half_open_count(two.b->engine), 0);
    world_free(&two.world);
}

static void down_takes_all_away(void **state)
{
    struct two two;
    struct selector selectors[] = {behind(1), behind(2)};
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint64_t number = host_down(two.a, "toy");
    world_run(&two.world, 5000);
    assert_result(two.a, number, true, "toy: down");
    assert_int_equal(fake_kernel_count(&two.a->kernel), 0);
    assert_int_equal(fake_kernel_count(&two.b->kernel), 0);
    assert_int_equal(engine_sa_count(two.a->engine), 0);
    assert_int_equal(engine_sa_count(two.b->engine), 0);
    assert_int_equal(host_traffic(two.a, &selectors[0], &selectors[1]), FAKE_ACQUIRE);
    world_free(&two.world);
}

static void a_packet_brings_it_up(void **state)
{
    struct two two;
    struct selector selectors[] = {behind(2), behind(1)};
    (void)state;

    two_begin(&two);
    assert_int_equal(host_traffic(two.b, &selectors[0], &selectors[1]), FAKE_ACQUIRE);
    world_run(&two.world, 1000);
    assert_same_sas(two.a, two.b, 2);
    assert_passes(&two, two.b, two.a, 2, 1);
    world_free(&two.world);
}

static void a_reload_keeps_it(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint32_t before = sends_by(two.a, 1, 2);
    const struct connection *old = toy_sa(two.a)->connection;
    configure(two.a, true, "");
    configure(two.b, false, "");
    world_run(&two.world, 1000);
    assert_ptr_not_equal(toy_sa(two.a)->connection, old);
    assert_int_equal(sends_by(two.a, 1, 2), before);
    assert_same_sas(two.a, two.b, 4);
    assert_toy_passes(&two);
    world_free(&two.world);
}

/* What was made by the one version is nothing for the other. */
static void another_version_is_another_connection(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    toy_is_v2 = true;
    configure(two.a, true, "");
    configure(two.b, false, "");
    world_run(&two.world, 5000);
    assert_int_equal(fake_kernel_count(&two.a->kernel), 0);
    two_up(&two, "toy");
    assert_int_equal(TAILQ_FIRST(&two.a->engine->sas.all)->protocol->version, 2);
    assert_toy_passes(&two);
    world_free(&two.world);
}

static void ikev2_works_beside_it(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    uint64_t toy = host_up(two.a, "toy");
    uint64_t other = host_up(two.b, "v2");
    world_run(&two.world, 10000);
    assert_result(two.a, toy, true, "toy: established");
    assert_result(two.b, other, true, "v2: established");
    assert_same_sas(two.a, two.b, 6);
    assert_int_equal(engine_sa_count_of(two.a->engine, "v2"), 1);
    assert_int_equal(engine_sa_count_of(two.a->engine, "toy"), 1);
    assert_int_equal(engine_sa_count_of(two.b->engine, "v2"), 1);
    assert_int_equal(engine_sa_count_of(two.b->engine, "toy"), 1);
    assert_toy_passes(&two);
    assert_int_equal(host_ping(two.a, two.b, FAMILY_IPV4), FAKE_SEALED);
    host_down(two.a, "toy");
    world_run(&two.world, 5000);
    assert_same_sas(two.a, two.b, 2);
    assert_int_equal(host_ping(two.b, two.a, FAMILY_IPV4), FAKE_SEALED);
    world_free(&two.world);
}

static void a_child_is_rekeyed(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint32_t before = sends_by(two.b, 2, 1);
    uint32_t other = sends_by(two.b, 4, 3);
    uint64_t number = host_rekey(two.a, "toy", "net");
    world_run(&two.world, 5000);
    assert_result(two.a, number, true, "toy: rekeyed");
    assert_int_not_equal(sends_by(two.b, 2, 1), before);
    assert_int_equal(sends_by(two.b, 4, 3), other);
    assert_same_sas(two.a, two.b, 4);
    assert_toy_passes(&two);
    world_free(&two.world);
}

/* Each refuses the other one's, and both come again. */
static void both_rekey_at_once(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint32_t before = sends_by(two.b, 2, 1);
    host_rekey(two.a, "toy", "net");
    host_rekey(two.b, "toy", "net");
    world_run(&two.world, 20000);
    assert_int_not_equal(sends_by(two.b, 2, 1), before);
    assert_same_sas(two.a, two.b, 4);
    assert_toy_passes(&two);
    world_free(&two.world);
}

/* The answer to the Delete of the old child leaves when packets go by the new
 * one. */
static void the_answer_waits_for_the_kernel(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two.world.weather.work_min_ms = two.world.weather.work_max_ms = 5;
    two_up(&two, "toy");
    two.slow = true;
    uint32_t before = sends_by(two.b, 2, 1);
    host_rekey(two.a, "toy", "net");
    world_run(&two.world, 200);
    assert_true(two.world.work_by_hand);
    assert_int_equal(two.answers, 0);
    two.world.work_by_hand = two.slow = false;
    world_run(&two.world, 5000);
    assert_int_equal(two.answers, 1);
    assert_int_equal(host_counter(two.a, "retransmits"), 0);
    assert_int_not_equal(sends_by(two.b, 2, 1), before);
    assert_same_sas(two.a, two.b, 4);
    world_free(&two.world);
}

/* It has no keys of its own: a whole new one takes all over. */
static void the_ike_sa_is_replaced(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint64_t spi = ike_sa_own_spi(toy_sa(two.a));
    host_rekey(two.a, "toy", COMMAND_REKEY_IKE);
    world_run(&two.world, 20000);
    assert_int_not_equal(ike_sa_own_spi(toy_sa(two.a)), spi);
    assert_int_equal(engine_sa_count(two.a->engine), 1);
    assert_int_equal(engine_sa_count(two.b->engine), 1);
    assert_same_sas(two.a, two.b, 4);
    assert_toy_passes(&two);
    world_free(&two.world);
}

static void what_is_lost_is_sent_again(void **state)
{
    struct two two;
    (void)state;

    for (unsigned lost = 1; lost <= 4; lost++) { /* two questions, and their answers */
        two_begin(&two);
        two.lost = lost;
        two_up(&two, "toy");
        assert_int_equal(host_counter(two.a, "retransmits"), 1);
        assert_same_sas(two.a, two.b, 4);
        assert_int_equal(engine_sa_count(two.b->engine), 1);
        world_free(&two.world);
    }
}

static void nobody_answers(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    two.lost = UINT_MAX;
    uint64_t number = host_up(two.a, "toy");
    world_run(&two.world, 200000);
    assert_result(two.a, number, false, "toy: 192.0.2.2 does not answer the toy");
    assert_int_equal(engine_sa_count(two.a->engine), 0);
    assert_int_equal(host_counter(two.a, "timeouts"), 1);
    world_free(&two.world);
}

static void what_the_peer_lacks_is_refused(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    net = "other";
    configure(two.b, false, "");
    uint64_t number = host_up(two.a, "toy");
    world_run(&two.world, 5000);
    assert_result(two.a, number, false, "toy: the peer has refused child net");
    assert_int_equal(engine_sa_count(two.a->engine), 0);
    net = "net";
    far = "other";
    configure(two.b, false, "");
    world_run(&two.world, 30000);
    number = host_up(two.a, "toy");
    world_run(&two.world, 5000);
    assert_result(two.a, number, false, "toy: child far: the peer has refused it");
    assert_same_sas(two.a, two.b, 2);
    assert_passes(&two, two.a, two.b, 1, 2);
    world_free(&two.world);
}

static void a_dead_peer_is_found_out(void **state)
{
    struct two two;
    (void)state;

    two_begin_with(&two, "liveness = \"10s\";");
    two_up(&two, "toy");
    world_run(&two.world, 60000);
    assert_true(host_counter(two.a, "liveness_checks") + host_counter(two.b, "liveness_checks") >
                2);
    assert_int_equal(host_counter(two.a, "peers_dead"), 0);
    host_reboot(two.b);
    world_run(&two.world, 300000);
    assert_int_equal(host_counter(two.a, "peers_dead"), 1);
    assert_int_equal(fake_kernel_count(&two.a->kernel), 0);
    world_free(&two.world);
}

/* --- What is for nobody --- */

static void inject(struct two *two, const uint8_t *data, size_t size)
{
    struct address from = two->a->v4;
    struct address to = two->b->v4;

    from.port = to.port = 500;
    world_inject(&two->world, &from, &to, slice_of(data, size));
    world_run(&two->world, 100);
}

static void garbage_is_dropped(void **state)
{
    struct two two;
    uint8_t octets[80] = {[17] = TOY_VERSION << 4, [18] = TOY_MAKE};
    struct toy_message stray = {.spi_i = 1, .spi_r = 2, .kind = TOY_DELETE, .initiator = true};
    uint8_t written[TOY_MESSAGE_MAX] = {0};
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    uint64_t before = host_counter(two.b, "dropped_header");
    inject(&two, octets, sizeof(octets));
    inject(&two, octets, 20);
    assert_int_equal(host_counter(two.b, "dropped_header"), before + 2);
    struct slice message = toy_message_write(&stray, written);
    inject(&two, message.data, message.size);
    assert_int_equal(host_counter(two.b, "dropped_unknown_spi"), 1);
    stray.spi_i = toy_sa(two.b)->spi_i;
    stray.spi_r = toy_sa(two.b)->spi_r;
    stray.id = 77;
    message = toy_message_write(&stray, written);
    inject(&two, message.data, message.size);
    assert_int_equal(host_counter(two.b, "dropped_window"), 1);
    written[27]++; /* the length, and as much is there */
    inject(&two, message.data, message.size + 1);
    assert_int_equal(host_counter(two.b, "dropped_header"), before + 3);
    inject(&two, message.data, message.size);
    assert_int_equal(host_counter(two.b, "dropped_header"), before + 4);
    assert_same_sas(two.a, two.b, 4);
    world_free(&two.world);
}

/* A message of the one version by the SPI of an SA of the other one finds
 * nothing. */
static void spis_of_the_other_version_are_unknown(void **state)
{
    struct two two;
    uint8_t octets[TOY_MESSAGE_MAX];
    (void)state;

    two_begin(&two);
    two_up(&two, "toy");
    two_up(&two, "v2");
    const struct ike_sa *sa = toy_sa(two.b);
    struct toy_message message = {
        .spi_i = sa->spi_i, .spi_r = sa->spi_r, .kind = 37, .initiator = true};
    struct slice bytes = toy_message_write(&message, octets);
    octets[16] = 0;    /* no payload */
    octets[17] = 0x20; /* IKEv2, INFORMATIONAL */
    octets[27] = 28;
    inject(&two, bytes.data, 28);
    assert_int_equal(host_counter(two.b, "dropped_unknown_spi"), 1);

    TAILQ_FOREACH (sa, &two.b->engine->sas.all, entry)
        if (sa->protocol != &toy_protocol)
            message = (struct toy_message){.spi_i = sa->spi_i,
                                           .spi_r = sa->spi_r,
                                           .kind = TOY_DELETE,
                                           .initiator = true,
                                           .id = 2};
    bytes = toy_message_write(&message, octets);
    inject(&two, bytes.data, bytes.size);
    assert_int_equal(host_counter(two.b, "dropped_unknown_spi"), 2);
    assert_same_sas(two.a, two.b, 6);
    world_free(&two.world);
}

/* The same of a first message by the number of a toy's first that is worked on. */
static void first_messages_of_the_other_version_are_news(void **state)
{
    struct two two;
    uint8_t octets[TOY_MESSAGE_MAX];
    (void)state;

    two_begin(&two);
    host_up(two.a, "toy");
    host_work(two.a);
    two.world.work_by_hand = true;
    world_run(&two.world, 100);
    assert_int_equal(engine_half_open_count(two.b->engine), 1);
    struct toy_message message = {.spi_i = toy_sa(two.b)->spi_i, .kind = 34, .initiator = true};
    struct slice bytes = toy_message_write(&message, octets);
    octets[16] = 33;   /* an SA payload, which is too short */
    octets[17] = 0x20; /* IKEv2, IKE_SA_INIT */
    inject(&two, bytes.data, bytes.size);
    assert_int_equal(host_counter(two.b, "dropped_syntax"), 1);
    assert_int_equal(host_counter(two.b, "dropped_window"), 0);
    world_free(&two.world);
}

/* The peer does not choose the version by which a connection comes up. */
static void the_other_version_does_not_do(void **state)
{
    struct two two;
    (void)state;

    two_begin(&two);
    toy_is_v2 = true; /* a asks by IKEv2 for what b has for the toy */
    configure(two.a, true, "");
    toy_is_v2 = false;
    uint64_t number = host_up(two.a, "toy");
    world_run(&two.world, 200000);
    const struct effect_result *result = host_result(two.a, number);
    assert_non_null(result);
    assert_false(result->done);
    assert_int_equal(engine_sa_count_of(two.b->engine, "toy"), 0);
    assert_int_equal(fake_kernel_count(&two.b->kernel), 0);
    world_free(&two.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_hold_the_same),
        cmocka_unit_test(down_takes_all_away),
        cmocka_unit_test(a_packet_brings_it_up),
        cmocka_unit_test(a_reload_keeps_it),
        cmocka_unit_test(another_version_is_another_connection),
        cmocka_unit_test(ikev2_works_beside_it),
        cmocka_unit_test(a_child_is_rekeyed),
        cmocka_unit_test(both_rekey_at_once),
        cmocka_unit_test(the_answer_waits_for_the_kernel),
        cmocka_unit_test(the_ike_sa_is_replaced),
        cmocka_unit_test(what_is_lost_is_sent_again),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(what_the_peer_lacks_is_refused),
        cmocka_unit_test(a_dead_peer_is_found_out),
        cmocka_unit_test(garbage_is_dropped),
        cmocka_unit_test(spis_of_the_other_version_are_unknown),
        cmocka_unit_test(first_messages_of_the_other_version_are_news),
        cmocka_unit_test(the_other_version_does_not_do),
    };
    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
