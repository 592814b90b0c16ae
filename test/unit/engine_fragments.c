/*
 * Messages in fragments (RFC 7383): every size is cut and joined again under every kind of cipher;
 * every order is joined; a forged fragment changes nothing, and what waits is bounded (R14).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/engine/private.h"
#include "lib/ikev2/datagram.h"
#include "lib/ikev2/fragment.h"
#include "lib/ikev2/ike_message.h"
#include "lib/ikev2/ikev2_sa.h"
#include "lib/ikev2/reassembly.h"
#include "test/common/tap.h"
#include "test/common/world.h"
#include "test/unit/bytes.h"
#include "test/unit/group.h"

#define PARTS     4
#define PADDING   3600 /* makes IKE_AUTH that many */
#define TEXT_MAX_ 3000

struct two {
    struct world world;
    struct host *a;
    struct host *b;
    bool forced; /* a cuts though b has not agreed */
    bool padded;
    size_t count; /* fragments of a's IKE_AUTH request, kept from b */
    struct buffer parts[PARTS];
};

static void two_begin(struct two *two, const char *of_a, const char *of_b)
{
    memset(two, 0, sizeof(*two));
    world_init(&two->world, 1, crypto);
    two->a = group_host(&two->world, "a", "b", of_a);
    two->b = group_host(&two->world, "b", "a", of_b);
}

static void two_end(struct two *two)
{
    for (size_t i = 0; i < two->count; i++)
        buffer_free(&two->parts[i]);
    world_free(&two->world);
}

/* Pads the IKE_AUTH request of a, and keeps its fragments. */
static enum fate keep_parts(void *context, struct flight *flight)
{
    struct two *two = context;
    struct tap tap;
    struct ike_header header;

    if (flight->kind != FLIGHT_IKE || world_host_at(&two->world, &flight->source) != two->a ||
        ike_header_parse(&header, buffer_slice(&flight->data), NULL) != STATUS_OK ||
        header.exchange != V2_IKE_AUTH)
        return FATE_PASS;
    if (!two->padded) {
        two->padded = true;
        if (two->forced)
            ikev2_of(probe_first(two->a->engine))->fragments = true;
        assert_true(tap_open(&tap, &two->world, flight));
        assert_true(tap_insert(&tap, tap.count, V2_VENDOR, false, bytes_fill(7, PADDING)));
        assert_true(tap_close(&tap, &two->world, flight));
        tap_free(&tap);
    }
    assert_true(two->count < PARTS);
    assert_true(buffer_copy(&two->parts[two->count++], buffer_slice(&flight->data)));
    return FATE_LOST;
}

/* Up to a's IKE_AUTH request, whose fragments are in two->parts. */
static void two_cut(struct two *two, bool forced)
{
    two_begin(two, "", forced ? "fragmentation = false;" : "");
    two->forced = forced;
    two->world.hooks = (struct hooks){.packet = keep_parts, .context = two};
    host_up(two->a, "ab");
    world_settle(&two->world);
    assert_int_equal(two->count, PARTS);
    two->world.hooks = (struct hooks){0};
}

static void give(struct two *two, struct slice bytes)
{
    struct address source = two->a->v4;
    struct address destination = two->b->v4;

    source.port = destination.port = 500;
    world_inject(&two->world, &source, &destination, bytes);
    world_settle(&two->world);
}

static void give_part(struct two *two, size_t part)
{
    give(two, buffer_slice(&two->parts[part]));
}

static void assert_up(const struct two *two)
{
    assert_int_equal(probe_established(two->a->engine), 1);
    assert_int_equal(probe_established(two->b->engine), 1);
    assert_int_equal(fake_kernel_count(&two->b->kernel), 2);
    assert_int_equal(host_counter(two->b, "messages_reassembled"), 1);
    assert_int_equal(two->b->engine->sas.parts_octets, 0);
    assert_int_equal(two->b->engine->sas.parts_stranger_octets, 0);
}

/* --- Orders --- */

/* The `number`-th of the 24 orders. */
static void order_of(unsigned number, size_t order[PARTS])
{
    size_t left[PARTS] = {0, 1, 2, 3};

    for (size_t i = 0, of = PARTS; of > 0; i++, of--) {
        size_t at = number % of;
        number /= (unsigned)of;
        order[i] = left[at];
        memmove(&left[at], &left[at + 1], (of - at - 1) * sizeof(left[0]));
    }
}

static void every_order_with_a_duplicate_at_every_place(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 24; number++) {
        for (size_t again = 0; again < PARTS; again++) {
            for (size_t place = 0; place <= PARTS; place++) {
                struct two two;
                size_t order[PARTS];

                order_of(number, order);
                two_cut(&two, false);
                for (size_t i = 0; i <= PARTS; i++) {
                    if (i == place)
                        give_part(&two, again);
                    if (i < PARTS)
                        give_part(&two, order[i]);
                }
                assert_up(&two);
                assert_true(host_counter(two.b, "replayed_replies") <= 1);
                two_end(&two);
            }
        }
    }
}

/* --- Forgeries --- */

/* Whatever octet is another: not a bit of the SA changes, and nothing is kept. */
static void a_forged_fragment_changes_nothing(void **state)
{
    struct two two;
    (void)state;

    two_cut(&two, false);
    for (size_t part = 0; part < PARTS; part++) {
        size_t octets = two.b->engine->sas.parts_octets;
        struct probe probe = probe_take(two.b->engine);
        for (size_t at = 0; at < two.parts[part].size; at++) {
            struct slice true_one = buffer_slice(&two.parts[part]);
            struct slice forged = bytes_cut(true_one, true_one.size);
            ((uint8_t *)(uintptr_t)forged.data)[at] ^= 1;
            give(&two, forged);
            assert_true(probe_kept(&probe, two.b->engine));
            assert_int_equal(two.b->engine->sas.parts_octets, octets);
        }
        probe_free(&probe);
        give_part(&two, part);
    }
    assert_up(&two);
    two_end(&two);
}

static void without_an_agreement_nothing_is_opened(void **state)
{
    struct two two;
    (void)state;

    two_cut(&two, true);
    struct probe probe = probe_take(two.b->engine);
    for (size_t part = 0; part < PARTS; part++)
        give_part(&two, part);
    assert_true(probe_kept(&probe, two.b->engine));
    assert_int_equal(host_counter(two.b, "dropped_fragment"), PARTS);
    probe_free(&probe);
    two_end(&two);
}

/* --- Bounds (R14, R15) --- */

static void strangers_have_half_of_the_room(void **state)
{
    struct two two;
    (void)state;

    two_cut(&two, false);
    struct sa_table *sas = &two.b->engine->sas;
    sas->parts_octets += REASSEMBLY_STRANGE_MAX;
    sas->parts_stranger_octets += REASSEMBLY_STRANGE_MAX;
    give_part(&two, 0);
    assert_int_equal(host_counter(two.b, "dropped_fragment_room"), 1);
    assert_int_equal(sas->parts_octets, REASSEMBLY_STRANGE_MAX);
    assert_null(ikev2_of(probe_first(two.b->engine))->parts[0]);
    sas->parts_octets -= REASSEMBLY_STRANGE_MAX;
    sas->parts_stranger_octets -= REASSEMBLY_STRANGE_MAX;
    for (size_t part = 0; part < PARTS; part++)
        give_part(&two, part);
    assert_up(&two);
    two_end(&two);
}

static void all_together_have_a_room(void **state)
{
    struct two two;
    (void)state;

    two_cut(&two, false);
    struct sa_table *sas = &two.b->engine->sas;
    give_part(&two, 0);
    size_t octets = sas->parts_octets;
    sas->parts_octets = REASSEMBLY_TOTAL_MAX - two.parts[1].size / 2;
    give_part(&two, 1);
    assert_int_equal(host_counter(two.b, "dropped_fragment_room"), 1);
    sas->parts_octets = octets;
    for (size_t part = 1; part < PARTS; part++)
        give_part(&two, part);
    assert_up(&two);
    two_end(&two);
}

/* What never becomes whole goes with its time, or with its SA. */
static void all_room_comes_back(void **state)
{
    struct two two;
    (void)state;

    two_cut(&two, false);
    give_part(&two, 2);
    assert_true(two.b->engine->sas.parts_octets > two.parts[2].size - 100);
    assert_int_equal(two.b->engine->sas.parts_octets, two.b->engine->sas.parts_stranger_octets);
    host_shutdown(two.a);
    world_run(&two.world, REASSEMBLY_MS);
    assert_int_equal(two.b->engine->sas.parts_octets, 0);
    assert_int_equal(two.b->engine->sas.parts_stranger_octets, 0);
    two_end(&two);
}

/* --- Cutting and joining --- */

/* A message of a's with `size` octets in its one payload. */
static struct slice make(struct two *two, struct ike_sa *sa, struct slice body)
{
    struct context *context = &two->a->engine->context;
    struct v2_writer writer;
    struct slice datagrams;
    struct reason reason;

    message_begin_sealed(context, sa, &writer, V2_INFORMATIONAL, false);
    v2_payload_begin(&writer, V2_VENDOR);
    writer_bytes(&writer.bytes, body);
    assert_int_equal(message_seal(context, sa, &writer, &datagrams, &reason), STATUS_OK);
    return datagrams;
}

static enum status open_part(struct two *two, struct ike_sa *sa, struct slice bytes,
                             struct ike_message *message)
{
    struct reader reader = reader_of(bytes);
    struct reason reason;
    uint8_t critical_type;

    assert_int_equal(ike_header_parse(&message->header, bytes, &reason), STATUS_OK);
    message->data = (uint8_t *)(uintptr_t)bytes.data;
    message->size = bytes.size;
    reader_skip(&reader, IKE_HEADER_SIZE);
    assert_int_equal(v2_payloads_parse(&message->payloads, message->header.next_payload,
                                       reader_rest(&reader), &critical_type, &reason),
                     STATUS_OK);
    return message_open(&two->b->engine->context, sa, message, &critical_type, &reason);
}

static void cut_and_join(struct two *two, size_t size)
{
    struct ike_sa *at_a = probe_first(two->a->engine);
    struct slice body = bytes_fill((uint8_t)size, size);
    struct reader reader = reader_of(make(two, at_a, body));
    struct ike_message message = {0};
    enum status status = STATUS_WAIT;
    size_t largest = fragment_message_max(at_a);
    struct slice bytes;

    while ((bytes = message_next(&reader)).size > 0) {
        assert_int_equal(status, STATUS_WAIT);
        assert_true(bytes.size <= largest);
        /* No more fragments than must be: all but the last are full, but for a block. */
        assert_true(reader_left(&reader) == 0 || bytes.size > largest - 16);
        status = open_part(two, probe_first(two->b->engine), bytes, &message);
    }
    assert_true(reader_done(&reader));
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(message.payloads.count, 1);
    assert_slices(message.payloads.items[0].body, body);
    buffer_free(&message.whole);
}

static void every_size_under_every_kind_of_cipher(void **state)
{
    static const char *const proposals[] = {
        "aes256gcm16-prfsha384-x25519",      "chacha20poly1305-prfsha256-x25519",
        "aes128ccm8-prfsha256-x25519",       "aes256-sha512-prfsha512-x25519",
        "aes128ctr-sha256-prfsha256-x25519",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(proposals) / sizeof(proposals[0]); i++) {
        struct two two;
        char more[128];

        snprintf(more, sizeof(more), "proposals = \"%s\"; fragment_size = 576;", proposals[i]);
        two_begin(&two, more, more);
        host_up(two.a, "ab");
        world_settle(&two.world);
        for (size_t size = 0; size < TEXT_MAX_; size += 13)
            cut_and_join(&two, size);
        for (size_t size = 400; size < 600; size++) /* around the first cut */
            cut_and_join(&two, size);
        cut_and_join(&two, 60000);
        two_end(&two);
    }
}

/* RFC 7383 section 2.5.2: smaller parts, more of them, the same text. */
static void what_was_sent_is_cut_smaller(void **state)
{
    struct two two;
    struct ike_message message = {0};
    struct buffer datagrams = {0};
    struct slice body = bytes_fill(9, 5000);
    struct slice bytes;
    enum status status = STATUS_WAIT;
    size_t count = 0;
    (void)state;

    two_begin(&two, "fragment_size = 1500;", "");
    host_up(two.a, "ab");
    world_settle(&two.world);
    struct ike_sa *sa = probe_first(two.a->engine);
    struct context *context = &two.a->engine->context;
    assert_true(buffer_copy(&datagrams, make(&two, sa, body)));
    assert_int_equal(fragment_cut_smaller(context, sa, &datagrams), 1280);
    ikev2_of(sa)->datagram_max = 1280;
    assert_int_equal(fragment_cut_smaller(context, sa, &datagrams), 576);
    ikev2_of(sa)->datagram_max = 576;
    struct buffer same = {0};
    assert_true(buffer_copy(&same, buffer_slice(&datagrams)));
    assert_int_equal(fragment_cut_smaller(context, sa, &datagrams), 0);
    assert_slices(buffer_slice(&same), buffer_slice(&datagrams));
    struct reader reader = reader_of(buffer_slice(&datagrams));
    while ((bytes = message_next(&reader)).size > 0) {
        status = open_part(&two, probe_first(two.b->engine), bytes, &message);
        count++;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(count, 11);
    assert_slices(message.payloads.items[0].body, body);
    buffer_free(&message.whole);
    buffer_free(&datagrams);
    buffer_free(&same);
    two_end(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_with_a_duplicate_at_every_place),
        cmocka_unit_test(a_forged_fragment_changes_nothing),
        cmocka_unit_test(without_an_agreement_nothing_is_opened),
        cmocka_unit_test(strangers_have_half_of_the_room),
        cmocka_unit_test(all_together_have_a_room),
        cmocka_unit_test(all_room_comes_back),
        cmocka_unit_test(every_size_under_every_kind_of_cipher),
        cmocka_unit_test(what_was_sent_is_cut_smaller),
    };
    return cmocka_run_group_tests(tests, group_crypto, group_crypto_end);
}
