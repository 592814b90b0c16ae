/*
 * A child whose packets go through several transforms (lib/sa/child_sa.h): each has its own SPIs,
 * SAs and keys, and all of them come and go together.
 */
#include "lib/sa/child_kernel.h"

#include <string.h>

#include "lib/crypto/crypto.h"
#include "lib/ikev2/keys.h"
#include "lib/sa/ike_keys.h"
#include "lib/sa/ike_sa.h"
#include "lib/sa/sa_table.h"
#include "test/unit/policy.h"

#define TUNNEL                                                                        \
    "connections: { db: { local = \"192.0.2.1\"; remote = \"192.0.2.2\"; children: {" \
    " net: { mode = \"tunnel\"; local = \"10.1.0.0/16\"; remote = \"10.2.0.0/16\"; }; }; }; };"

static const uint8_t all_three[] = {IPSEC_IPCOMP, IPSEC_ESP, IPSEC_AH};

struct fixture {
    struct config *config;
    struct sa_table table;
    struct context context;
    struct ike_sa sa;
    struct step step;
    struct child_sa *child;
};

static void no_chance(void *context, void *to, size_t size)
{
    (void)context;
    memset(to, 0, size);
}

/* As agreed: the inbound SPIs are 1000, 1001 and 1002, the outbound ones 2000 and so on. */
static void begin(struct fixture *fixture)
{
    struct context *context = &fixture->context;
    struct ike_sa *sa = &fixture->sa;

    *fixture = (struct fixture){.config = policy_config(TUNNEL)};
    *context = (struct context){
        .config = fixture->config,
        .effects = effect_queue_new(),
        .sas = &fixture->table,
        .random = no_chance,
    };
    assert_true(sa_table_init(&fixture->table, context));
    sa->connection = config_find(fixture->config, "db");
    sa->local = sa->connection->local;
    sa->remote = sa->connection->remote;
    TAILQ_INIT(&sa->children);
    TAILQ_INIT(&sa->gone);
    const struct child_config *config = TAILQ_FIRST(&sa->connection->children);
    struct child_sa *child = child_new_through(context, config, all_three, 3);
    assert_non_null(child);
    assert_true(child_set_selectors(child, config->local, 1, config->remote, 1));
    child->transforms[1].suite = (struct suite){.encr = ENCR_AES128_CBC};
    child->transforms[2].suite = (struct suite){.integ = INTEG_HMAC_SHA256_128};
    for (uint32_t i = 0; i < 3; i++)
        child->transforms[i].spi_out = 2000 + i;
    fixture->child = child;
    step_begin(sa, &fixture->step);
}

static void end(struct fixture *fixture)
{
    effect_queue_free(fixture->context.effects);
    sa_table_free(&fixture->table);
    config_free(fixture->config);
}

static struct effect pop(struct fixture *fixture, enum effect_kind kind)
{
    struct effect effect;

    assert_true(effect_queue_pop(fixture->context.effects, &effect));
    assert_int_equal(effect.kind, kind);
    return effect;
}

static void no_more(struct fixture *fixture)
{
    struct effect effect;

    assert_false(effect_queue_pop(fixture->context.effects, &effect));
}

static void set_spis(struct fixture *fixture)
{
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(child_has_spis(fixture->child));
        child_set_spi(fixture->child, all_three[i], 1000 + i);
    }
    assert_true(child_has_spis(fixture->child));
}

/* One octet for each: those out are 'a', 'b', 'c', those in 'A', 'B', 'C'. */
static struct child_keys keys_of(void)
{
    static uint8_t octets[] = "abcABC";
    struct child_keys keys = {.keymat = {0}};

    for (size_t i = 0; i < 3; i++) {
        keys.of[i].encr_out = slice_of(octets + i, 1);
        keys.of[i].encr_in = slice_of(octets + 3 + i, 1);
    }
    return keys;
}

static void pop_installed(struct fixture *fixture, bool inbound, const char *keys)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct effect effect = pop(fixture, EFFECT_INSTALL_SA);
        assert_int_equal(effect.install_sa.inbound, inbound);
        assert_int_equal(effect.install_sa.protocol, all_three[i]);
        assert_int_equal(effect.install_sa.spi, (inbound ? 1000 : 2000) + i);
        assert_int_equal(effect.install_sa.mode, i == 0 ? CHILD_TUNNEL : CHILD_TRANSPORT);
        assert_int_equal(effect.install_sa.encr_key.data[0], keys[i]);
        effect_free(&effect);
    }
}

static void pop_removed(struct fixture *fixture, bool inbound)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct effect effect = pop(fixture, EFFECT_REMOVE_SA);
        assert_int_equal(effect.remove_sa.protocol, all_three[i]);
        assert_int_equal(effect.remove_sa.spi, (inbound ? 1000 : 2000) + i);
    }
}

static void install(struct fixture *fixture, uint64_t hold_ms)
{
    struct child_keys keys = keys_of();
    struct child_install how = {.initiator = true, .hold_ms = hold_ms};

    set_spis(fixture);
    assert_int_equal(
        child_install(&fixture->context, &fixture->sa, &fixture->step, fixture->child, &keys, &how),
        STATUS_OK);
    pop_installed(fixture, true, "ABC");
}

static void each_has_its_spis(void **state)
{
    struct fixture fixture;
    (void)state;

    begin(&fixture);
    assert_int_equal(
        child_ask_spi(&fixture.context, &fixture.sa, &fixture.step, fixture.child, false),
        STATUS_OK);
    assert_int_equal(fixture.step.awaited, 3);
    for (size_t i = 0; i < 3; i++) {
        struct effect effect = pop(&fixture, EFFECT_ALLOCATE_SPI);
        assert_int_equal(effect.allocate_spi.protocol, all_three[i]);
        assert_int_equal(effect.allocate_spi.mode, i == 0 ? CHILD_TUNNEL : CHILD_TRANSPORT);
    }
    no_more(&fixture);
    set_spis(&fixture);
    assert_ptr_equal(child_main(fixture.child), &fixture.child->transforms[1]);
    child_remove(&fixture.context, &fixture.sa, fixture.child);
    pop_removed(&fixture, true);
    no_more(&fixture);
    end(&fixture);
}

static void each_has_its_sas(void **state)
{
    struct fixture fixture;
    (void)state;

    begin(&fixture);
    install(&fixture, 0);
    pop_installed(&fixture, false, "abc");
    no_more(&fixture);
    assert_true(fixture.child->in_kernel && fixture.child->out_kernel);
    assert_int_equal(fixture.child->line, 1001);
    fixture.child->local = fixture.sa.local;
    fixture.child->remote = fixture.sa.remote;
    child_list(&fixture.context, &fixture.sa, fixture.child);
    no_more(&fixture);
    for (uint32_t i = 0; i < 3; i++) {
        assert_ptr_equal(
            sa_table_find_child(&fixture.table, all_three[i], 1000 + i, &fixture.sa.local),
            fixture.child);
        assert_ptr_equal(
            sa_table_find_child(&fixture.table, all_three[i], 2000 + i, &fixture.sa.remote),
            fixture.child);
        assert_null(sa_table_find_child(&fixture.table, all_three[i], 1000 + (i + 1) % 3,
                                        &fixture.sa.local));
        assert_ptr_equal(child_find_outbound(&fixture.sa, all_three[i], 2000 + i), fixture.child);
    }
    child_remove(&fixture.context, &fixture.sa, fixture.child);
    pop_removed(&fixture, false);
    pop_removed(&fixture, true);
    no_more(&fixture);
    end(&fixture);
}

/* A name of any of them that another child has would make one SA of two. */
static void none_is_anothers(void **state)
{
    struct fixture fixture;
    (void)state;

    begin(&fixture);
    install(&fixture, 0);
    pop_installed(&fixture, false, "abc");
    fixture.child->local = fixture.sa.local;
    fixture.child->remote = fixture.sa.remote;
    child_list(&fixture.context, &fixture.sa, fixture.child);
    for (size_t i = 0; i < 3; i++) {
        struct child_sa *other =
            child_new_through(&fixture.context, fixture.child->config, all_three, 3);
        assert_non_null(other);
        assert_false(sa_table_outbound_taken(&fixture.table, other, &fixture.sa.remote));
        other->transforms[i].spi_out = fixture.child->transforms[i].spi_out;
        assert_true(sa_table_outbound_taken(&fixture.table, other, &fixture.sa.remote));
        child_free(other);
    }
    child_remove(&fixture.context, &fixture.sa, fixture.child);
    end(&fixture);
}

static void all_are_held_and_released(void **state)
{
    struct fixture fixture;
    (void)state;

    begin(&fixture);
    install(&fixture, 500);
    no_more(&fixture);
    assert_false(fixture.child->out_kernel);
    child_release_outbound(&fixture.context, &fixture.sa, fixture.child);
    assert_int_equal(fixture.child->releases, 3);
    assert_int_equal(fixture.child->releasing, fixture.sa.steps);
    pop_installed(&fixture, false, "abc");
    no_more(&fixture);
    assert_null(fixture.child->held);
    child_remove(&fixture.context, &fixture.sa, fixture.child);
    end(&fixture);
}

static void all_follow(void **state)
{
    struct fixture fixture;
    (void)state;

    begin(&fixture);
    install(&fixture, 0);
    pop_installed(&fixture, false, "abc");
    fixture.child->local = fixture.sa.local;
    fixture.child->remote = fixture.sa.remote;
    fixture.sa.remote = policy_address("192.0.2.3");
    child_follow(&fixture.context, &fixture.sa, fixture.child);
    for (uint32_t i = 0; i < 6; i++) {
        struct effect effect = pop(&fixture, EFFECT_MOVE_SA);
        assert_int_equal(effect.move_sa.inbound, i < 3);
        assert_int_equal(effect.move_sa.protocol, all_three[i % 3]);
        assert_int_equal(effect.move_sa.spi, (i < 3 ? 1000 : 2000) + i % 3);
    }
    no_more(&fixture);
    child_remove(&fixture.context, &fixture.sa, fixture.child);
    end(&fixture);
}

static void assert_at(struct slice part, const struct secret *whole, size_t at, size_t size)
{
    assert_ptr_equal(part.data, whole->data + at);
    assert_int_equal(part.size, size);
}

/* RFC 7296 section 2.17: all of one direction first, in the order of the headers in the packet, and
 * AH's stands before ESP's. */
static void keys_are_in_the_order_of_headers(void **state)
{
    struct fixture fixture;
    struct child_seed seed = {
        .initiator = true, .nonce_i = slice_text("one"), .nonce_r = slice_text("other")};
    struct child_keys keys;
    (void)state;

    begin(&fixture);
    fixture.context.crypto = crypto_new();
    fixture.sa.suite.prf = PRF_HMAC_SHA256;
    assert_true(secret_new(&fixture.sa.keys, ike_keys_size(&fixture.sa.suite, KEY_COUNT)));
    assert_int_equal(keys_child(&fixture.context, &fixture.sa, fixture.child, &seed, &keys),
                     STATUS_OK);
    assert_int_equal(keys.keymat.size, 2 * (32 + 16));
    assert_at(keys.of[2].integ_out, &keys.keymat, 0, 32);
    assert_at(keys.of[1].encr_out, &keys.keymat, 32, 16);
    assert_at(keys.of[2].integ_in, &keys.keymat, 48, 32);
    assert_at(keys.of[1].encr_in, &keys.keymat, 80, 16);
    assert_int_equal(keys.of[0].encr_out.size + keys.of[0].integ_out.size, 0);
    assert_int_equal(keys.of[1].integ_out.size + keys.of[2].encr_out.size, 0);
    secret_free(&keys.keymat);
    secret_free(&fixture.sa.keys);
    crypto_free(fixture.context.crypto);
    child_free(fixture.child);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_spis), cmocka_unit_test(each_has_its_sas),
        cmocka_unit_test(none_is_anothers),  cmocka_unit_test(all_are_held_and_released),
        cmocka_unit_test(all_follow),        cmocka_unit_test(keys_are_in_the_order_of_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
