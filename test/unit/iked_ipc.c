/*
 * The messages between keeper and negotiator (ipc.h): what goes in comes out, and nothing that
 * is cut, grown, bent or from the wrong side is taken.
 */
#include "iked/process/ipc.h"

#include <string.h>

#include "test/unit/ipc_samples.h"
#include "test/unit/policy.h"

static uint8_t room[IPC_DATAGRAM_MAX];

/* The encoded message, which is freed. */
static struct slice encoded(struct ipc_message message)
{
    struct writer writer = writer_of(room, sizeof(room));

    assert_true(ipc_encode(&writer, &message));
    ipc_message_free(&message);
    return bytes_cut(writer_slice(&writer), writer.size);
}

static bool decodes(struct slice bytes, enum ipc_side from, struct ipc_message *message)
{
    struct reader reader = reader_of(bytes);
    bool good = ipc_decode(&reader, from, message);

    return good && reader_done(&reader);
}

static bool taken(struct slice bytes, enum ipc_side from)
{
    struct ipc_message message;
    bool good = decodes(bytes, from, &message);

    if (good)
        ipc_message_free(&message);
    return good;
}

/* --- Tests --- */

static void every_kind_survives(void **state)
{
    bool seen[IPC_KIND_COUNT] = {false};
    (void)state;

    for (size_t i = 0; i < IPC_SAMPLES; i++) {
        struct slice bytes = encoded(ipc_samples[i].make());
        struct ipc_message message;
        assert_true(decodes(bytes, ipc_samples[i].from, &message));
        seen[message.kind] = true;
        assert_slices(encoded(message), bytes);
    }
    for (size_t i = 1; i < IPC_KIND_COUNT; i++)
        assert_true(seen[i]);
}

/* The octets themselves, so that both directions cannot be wrong together. */
static void layout_is_as_written(void **state)
{
    (void)state;
    assert_bytes(encoded(sample_commit()), "0b 00000004 01020304");
    assert_bytes(encoded(sample_config_end()), "03 0000000f 00000007 1122334455667788 01 01 01");
    assert_bytes(encoded(sample_hello()), "01 0000000b 02 01 02 00 06 1194 01 00 0000");
    assert_bytes(encoded(sample_remove_sa()), "09 00000020 0a 000000000000000b 00000016"
                                              "04 0000 c0000202 04 0000 c0000201 c0c1c2c3 33");
}

static void values_arrive(void **state)
{
    struct ipc_message message;
    (void)state;

    assert_true(decodes(encoded(sample_install_sa()), IPC_NEGOTIATOR, &message));
    const struct effect_install_sa *sa = &message.effect.install_sa;
    assert_int_equal(message.effect.kind, EFFECT_INSTALL_SA);
    assert_int_equal(message.effect.ticket.sa, 11);
    assert_int_equal(message.effect.ticket.sequence, 22);
    assert_string_equal(sa->child.text, "lan");
    assert_address(sa->destination, "2001:db8::1");
    assert_true(sa->inbound && sa->esn);
    assert_int_equal(sa->encr, ENCR_AES256_CBC);
    assert_int_equal(sa->replay_window, 128);
    assert_true(sa->soft_s == 3000 && sa->hard_s == 3600);
    assert_true(sa->soft_bytes == 1ull << 40 && sa->hard_bytes == 1ull << 41);
    assert_true(sa->soft_packets == 1000000 && sa->hard_packets == 2000000);
    assert_slices(secret_slice(&sa->integ_key), bytes_fill(0x22, 32));
    ipc_message_free(&message);

    assert_true(decodes(encoded(sample_psk_auth()), IPC_NEGOTIATOR, &message));
    assert_identity(message.effect.psk_auth.local_id, "gw.example.net");
    assert_bytes(buffer_slice(&message.effect.psk_auth.peer_octets), "ccddee");
    ipc_message_free(&message);

    assert_true(decodes(encoded(sample_config_part()), IPC_KEEPER, &message));
    assert_bytes(message.config_part.text, "00ff0a");
    assert_string_equal(message.config_part.path, "/etc/iked/iked.conf");
}

static void cut_ones_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < IPC_SAMPLES; i++) {
        struct slice bytes = encoded(ipc_samples[i].make());
        for (size_t size = 0; size < bytes.size; size++)
            assert_false(taken(bytes_cut(bytes, size), ipc_samples[i].from));
    }
}

/* Also when the record's size says so: a body shorter or longer than its kind. */
static void sizes_that_lie_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < IPC_SAMPLES; i++) {
        struct slice bytes = encoded(ipc_samples[i].make());
        uint8_t low = bytes.data[4];
        struct slice longer = bytes_join(bytes, bytes_hex("00"));
        assert_false(taken(bytes_with(longer, 4, (uint8_t)(low + 1)), ipc_samples[i].from));
        if (bytes.size > 5)
            assert_false(taken(bytes_with(bytes_cut(bytes, bytes.size - 1), 4, (uint8_t)(low - 1)),
                               ipc_samples[i].from));
    }
}

static void other_side_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < IPC_SAMPLES; i++)
        assert_false(taken(encoded(ipc_samples[i].make()),
                           ipc_samples[i].from == IPC_KEEPER ? IPC_NEGOTIATOR : IPC_KEEPER));
}

static void bent_values_are_refused(void **state)
{
    static const struct {
        struct ipc_message (*make)(void);
        size_t at;
        uint8_t octet;
    } rows[] = {
        {sample_commit, 0, 0},                 /* no kind */
        {sample_commit, 0, IPC_KIND_COUNT},    /* a kind past the end */
        {sample_config_end, 17, 2},            /* a bool that is neither */
        {sample_hello, 5, SEVERITY_ERROR + 1}, /* enums past their ends */
        {sample_hello, 6, IPC_SOCKETS_MAX + 1},
        {sample_hello, 8, 5},     /* a family */
        {sample_remove_sa, 5, 0}, /* effects that are not the keeper's */
        {sample_remove_sa, 5, EFFECT_SEND},
        {sample_remove_sa, 5, EFFECT_REPORT},
        {sample_remove_sa, 5, 99},
        {sample_remove_sa, 18, 7},         /* a family */
        {sample_remove_orphans, 20, '\n'}, /* characters of names */
        {sample_remove_orphans, 20, 0},
        {sample_log_text, 8, 0x80},
        {sample_answer, 5, EFFECT_REMOVE_SA}, /* what has no answer */
        {sample_answer, 6, STATUS_FAIL + 1},
        {sample_kernel_event, 5, 0},
        {sample_kernel_event, 5, KERNEL_ADDRESSES + 1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice bytes = encoded(rows[i].make());
        enum ipc_side from = bytes.data[0] < IPC_EFFECT ? IPC_KEEPER : IPC_NEGOTIATOR;
        assert_true(taken(bytes, from));
        if (taken(bytes_with(bytes, rows[i].at, rows[i].octet), from))
            fail_msg("row %zu is taken", i);
    }
}

/* Longer than its maximum: neither written nor read. */
static void large_parts_are_refused(void **state)
{
    struct ipc_message message = sample_psk_auth();
    struct writer writer = writer_of(room, sizeof(room));
    (void)state;

    assert_true(buffer_copy(&message.effect.psk_auth.own_octets, bytes_fill(1, IPC_OCTETS_MAX)));
    assert_true(buffer_copy(&message.effect.psk_auth.peer_octets, bytes_fill(2, IPC_OCTETS_MAX)));
    assert_true(taken(encoded(message), IPC_NEGOTIATOR));

    message = sample_psk_auth();
    assert_true(
        buffer_copy(&message.effect.psk_auth.own_octets, bytes_fill(1, IPC_OCTETS_MAX + 1)));
    assert_false(ipc_encode(&writer, &message));
    assert_int_equal(writer.size, 0);
    ipc_message_free(&message);

    message = sample_config_part();
    message.config_part.text = bytes_fill('#', IPC_CHUNK_MAX + 1);
    assert_false(ipc_encode(&writer, &message));
    message.config_part.text = bytes_fill('#', IPC_CHUNK_MAX);
    assert_true(ipc_encode(&writer, &message));
}

/* A name has 63 characters at most, also when the other end thinks otherwise. */
static void long_names_are_refused(void **state)
{
    struct slice head = bytes_hex("09 00000051 0d 0000000000000000 00000000 0040");
    struct slice longer = bytes_join(head, bytes_fill('a', 64));
    struct slice name = bytes_with(bytes_with(bytes_cut(longer, longer.size - 1), 19, 63), 4, 0x4e);
    (void)state;

    assert_true(taken(name, IPC_NEGOTIATOR));
    assert_false(taken(bytes_with(longer, 4, 0x4f), IPC_NEGOTIATOR));
}

static void full_datagram_takes_no_more(void **state)
{
    struct writer writer = writer_of(room, 9 + 8);
    struct ipc_message message = sample_commit();
    (void)state;

    assert_true(ipc_encode(&writer, &message));
    assert_false(ipc_encode(&writer, &message));
    assert_bytes(writer_slice(&writer), "0b 00000004 01020304");
}

static void a_batch_is_read_one_by_one(void **state)
{
    struct slice both = bytes_join(encoded(sample_commit()), encoded(sample_remove_orphans()));
    struct reader reader = reader_of(both);
    struct ipc_message message;
    (void)state;

    assert_true(ipc_decode(&reader, IPC_NEGOTIATOR, &message));
    assert_int_equal(message.commit, 0x01020304);
    assert_true(ipc_decode(&reader, IPC_NEGOTIATOR, &message));
    assert_string_equal(message.effect.orphans_of.text, "db");
    assert_true(reader_done(&reader));
}

/* Noise over good messages: whatever is taken must encode again. */
static void noise_is_survived(void **state)
{
    uint64_t random = 42;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        size_t i = bytes_random(&random) % IPC_SAMPLES;
        struct writer writer = writer_of(room, sizeof(room));
        struct ipc_message message = ipc_samples[i].make();
        assert_true(ipc_encode(&writer, &message));
        ipc_message_free(&message);
        for (int flips = 0; flips < 3; flips++)
            room[bytes_random(&random) % writer.size] ^= (uint8_t)(1u << bytes_random(&random) % 8);
        struct reader reader = reader_of(writer_slice(&writer));
        if (!ipc_decode(&reader, ipc_samples[i].from, &message))
            continue;
        uint8_t again[4096];
        struct writer second = writer_of(again, sizeof(again));
        assert_true(ipc_encode(&second, &message));
        ipc_message_free(&message);
    }
}

static void texts_are_cut_and_cleaned(void **state)
{
    char text[6];
    (void)state;

    ipc_text(text, sizeof(text),
             "a\nb\x7f"
             "cdef");
    assert_string_equal(text, "a?b?c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives),
        cmocka_unit_test(layout_is_as_written),
        cmocka_unit_test(values_arrive),
        cmocka_unit_test(cut_ones_are_refused),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(other_side_is_refused),
        cmocka_unit_test(bent_values_are_refused),
        cmocka_unit_test(large_parts_are_refused),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(full_datagram_takes_no_more),
        cmocka_unit_test(a_batch_is_read_one_by_one),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(texts_are_cut_and_cleaned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
